//! A client's side of HTTP/1.1 on one connection, which tells in words what went wrong.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long it may take to connect.
const CONNECT_MAX: Duration = Duration::from_secs(10);

pub(super) struct Connection {
    stream: TcpStream,
    ahead: Vec<u8>,
    /// Whether an answer has come on it.
    is_used: bool,
}

pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) keeps: bool,
    head: String,
}

pub(super) fn get(host: &str, path: &str, keeps: bool) -> String {
    let connection = if keeps { "keep-alive" } else { "close" };
    format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: {connection}\r\n\r\n")
}

pub(super) fn post(host: &str, path: &str, keeps: bool, id: &str, length: usize) -> String {
    let connection = if keeps { "keep-alive" } else { "close" };
    format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nConnection: {connection}\r\nX-Id: {id}\r\n\
         Content-Length: {length}\r\n\r\n"
    )
}

impl Connection {
    pub(super) async fn open(to: SocketAddr) -> Result<Self, String> {
        let stream = timeout(CONNECT_MAX, TcpStream::connect(to)).await;
        let stream = stream.map_err(|_| format!("no connection within {CONNECT_MAX:?}"))?;
        let stream = stream.map_err(|error| format!("connect: {error}"))?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        Ok(Self { stream, ahead: Vec::new(), is_used: false })
    }

    /// The connection, unless the other side has closed it, as far as is known here now.
    pub(super) fn if_open(self) -> Option<Self> {
        let seen = self.stream.try_read(&mut [0]);
        seen.is_err_and(|error| error.kind() == ErrorKind::WouldBlock).then_some(self)
    }

    pub(super) async fn ask(&mut self, request: &[u8], limit: Duration) -> Result<Answer, String> {
        self.send(request).await?;
        self.answer(limit).await
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), String> {
        let sent = self.stream.write_all(bytes).await;
        sent.map_err(|error| format!("{}: sending: {error}", self.kind()))
    }

    /// Waits for the whole answer.
    pub(super) async fn answer(&mut self, limit: Duration) -> Result<Answer, String> {
        let answer = timeout(limit, self.whole()).await;
        let answer =
            answer.map_err(|_| format!("{}: no answer within {limit:?}", self.kind()))??;
        self.is_used = true;
        Ok(answer)
    }

    async fn whole(&mut self) -> Result<Answer, String> {
        let mut answer = self.head().await?;
        let header = |name: &str| {
            let mut lines = answer.head.lines().filter_map(|line| line.split_once(':'));
            lines
                .find(|(key, _)| key.eq_ignore_ascii_case(name))
                .map(|(_, it)| it.trim().to_owned())
        };
        answer.keeps = !header("connection").is_some_and(|it| it.eq_ignore_ascii_case("close"));
        if header("transfer-encoding").is_some() {
            answer.body = self.chunks().await?;
        } else if let Some(length) = header("content-length") {
            let length = length.parse().map_err(|_| "a bad length".to_owned())?;
            answer.body = String::from_utf8_lossy(&self.exactly(length).await?).into_owned();
        }
        Ok(answer)
    }

    /// Reads the first lines of an answer.
    pub(super) async fn head(&mut self) -> Result<Answer, String> {
        loop {
            if let Some(end) = self.ahead.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&self.ahead[..end]).into_owned();
                self.ahead.drain(..end + 4);
                let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
                let status = status.ok_or_else(|| format!("no HTTP: {head:?}"))?;
                return Ok(Answer { status, body: String::new(), keeps: true, head });
            }
            let part =
                if self.ahead.is_empty() { "before an answer" } else { "in the first lines" };
            self.more(part).await?;
        }
    }

    async fn chunks(&mut self) -> Result<String, String> {
        let mut body = Vec::new();
        loop {
            let mut line = Vec::new();
            while !line.ends_with(b"\r\n") {
                line.extend(self.exactly(1).await?);
            }
            let digits = String::from_utf8_lossy(&line);
            let length = usize::from_str_radix(digits.trim(), 16);
            let length = length.map_err(|_| format!("a bad chunk {digits:?}"))?;
            body.extend(self.exactly(length).await?);
            self.exactly(2).await?;
            if length == 0 {
                return Ok(String::from_utf8_lossy(&body).into_owned());
            }
        }
    }

    pub(super) async fn exactly(&mut self, length: usize) -> Result<Vec<u8>, String> {
        while self.ahead.len() < length {
            self.more("in the middle of an answer").await?;
        }
        Ok(self.ahead.drain(..length).collect())
    }

    /// Waits until something can be read. Cancel-safe: what was read is kept.
    pub(super) async fn input(&mut self) -> Result<(), String> {
        if self.ahead.is_empty() { self.more("while it was open").await } else { Ok(()) }
    }

    async fn more(&mut self, part: &str) -> Result<(), String> {
        match self.stream.read_buf(&mut self.ahead).await {
            Ok(0) => Err(format!("{}: closed {part}", self.kind())),
            Ok(_) => Ok(()),
            Err(error) => Err(format!("{}: {error} {part}", self.kind())),
        }
    }

    fn kind(&self) -> &'static str {
        if self.is_used { "used connection" } else { "fresh connection" }
    }
}
