//! What both proxies have in common: one managed file, and listeners that can be asked over HTTP.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::managed;
use super::shell::{Shell, Stream, within};
use crate::model::{Endpoint, Generation, Rule};
use crate::ports::{Applied, PortError};
use crate::settings::{Listen, Proxy};

/// The name that both templates answer questions of ours under; it can never be anybody's.
const OUR_HOST: &str = "gitdeploy.invalid";

/// How many fresh connections in a row must tell the same: a proxy with several processes that is
/// half way through a reload answers some of them from before it.
const CONFIRMATIONS: usize = 8;

/// The longest that an answer through the proxy may take. `prove` waits for an application.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// More of an answer than this is not read.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// One proxy's file and listeners.
pub(super) struct Front {
    pub(super) shell: Arc<dyn Shell>,
    pub(super) path: String,
    pub(super) listen: Vec<Listen>,
    must_reload: AtomicBool,
    was_written: AtomicBool,
}

/// The part of an HTTP answer that is looked at.
#[derive(Debug, Default, PartialEq, Eq)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
}

impl Front {
    pub(super) fn new(proxy: &Proxy, shell: Arc<dyn Shell>) -> Self {
        Self {
            shell,
            path: proxy.config.value.clone(),
            listen: proxy.listen.clone(),
            must_reload: AtomicBool::new(false),
            was_written: AtomicBool::new(false),
        }
    }

    /// Whether the file was replaced in a way that no generation shows: it had been edited by hand,
    /// and may run as it was edited, or it says the same table in other words.
    pub(super) fn must_reload(&self) -> bool {
        self.must_reload.load(Ordering::Relaxed)
    }

    /// Whether the file was replaced at all since the last reload. Where nothing but the generation
    /// tells what is in use, it must be read again then: a switch that could be undone only by half
    /// leaves its generation in use, and the next one has the same.
    pub(super) fn was_written(&self) -> bool {
        self.was_written.load(Ordering::Relaxed)
    }

    pub(super) fn reloaded(&self) {
        self.was_written.store(false, Ordering::Relaxed);
        self.must_reload.store(false, Ordering::Relaxed);
    }

    pub(super) async fn read(&self) -> Result<Option<String>, PortError> {
        self.shell.read(&self.path).await
    }

    /// Replaces the file if it is still `expect`, and reads it back from where the proxy reads it.
    pub(super) async fn swap(
        &self,
        expect: Option<&str>,
        new: Option<&str>,
    ) -> Result<Applied, PortError> {
        let now = self.read().await?;
        if now.as_deref() == new {
            return Ok(Applied::AlreadyTrue);
        }
        if now.as_deref() != expect {
            return Err(PortError::Moved(format!("`{}` was changed by somebody else", self.path)));
        }
        let (old, next) = (expect.and_then(managed::table), new.and_then(managed::table));
        if let (Some((old, is_edited)), Some((next, _))) = (old, next)
            && (is_edited || old.generation == next.generation)
        {
            self.must_reload.store(true, Ordering::Relaxed);
        }
        self.was_written.store(true, Ordering::Relaxed);
        match new {
            Some(text) => self.shell.replace(&self.path, text).await?,
            None => self.shell.remove(&self.path).await?,
        }
        match self.read().await?.as_deref() == new {
            true => Ok(Applied::Changed),
            false => Err(PortError::Unknown(format!(
                "`{}` was written, but does not read back as it was written",
                self.path
            ))),
        }
    }

    /// The generation that answers on one fresh connection; `None` when none of ours does.
    pub(super) async fn serving(&self) -> Option<Generation> {
        let answer = self.get(OUR_HOST, "/generation", None).await.ok()?;
        (answer.status == 200).then(|| answer.body.trim().parse().ok())?
    }

    pub(super) async fn confirm(&self, generation: Generation) -> bool {
        for _ in 0..CONFIRMATIONS {
            if self.serving().await != Some(generation) {
                return false;
            }
        }
        true
    }

    pub(super) async fn prove(&self, rule: &Rule) -> Result<Option<Endpoint>, PortError> {
        let Some(generation) = self.serving().await else { return Ok(None) };
        let host = match rule.host.strip_prefix("*.") {
            Some(domain) => format!("a.{domain}"),
            None => rule.host.clone(),
        };
        let answer = self.get(&host, &rule.path, Some(generation)).await?;
        Ok(answer.header("x-gitdeploy-server").and_then(server))
    }

    /// One request on a fresh connection to the first plain listener, or the first one with TLS.
    async fn get(
        &self,
        host: &str,
        path: &str,
        probe: Option<Generation>,
    ) -> Result<Answer, PortError> {
        let plain = self.listen.iter().find(|listen| listen.tls.is_none());
        let listen = plain.or(self.listen.first()).ok_or_else(|| {
            PortError::Refused("the proxy has no listener that could be asked".into())
        })?;
        let ip = listen.address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let stream = self.shell.dial(SocketAddr::new(ip, listen.port)).await?;
        let probe = probe.map(|probe| format!("X-Gitdeploy-Probe: {probe}\r\n"));
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: gitdeploy\r\nAccept: */*\r\n{}\
             Connection: close\r\n\r\n",
            probe.unwrap_or_default()
        );
        within(ANSWER_LIMIT, &format!("an answer for `{host}{path}`"), async {
            match listen.tls {
                None => exchange(stream, &request).await,
                Some(_) => exchange(encrypted(stream, host).await?, &request).await,
            }
        })
        .await
    }
}

/// TLS with any certificate: what is asked for is which generation answers, by one that connected
/// to the proxy's own address; nothing secret is sent.
async fn encrypted(stream: Box<dyn Stream>, host: &str) -> Result<impl Stream + use<>, PortError> {
    let connector = native_tls::TlsConnector::builder()
        .danger_accept_invalid_certs(true)
        .danger_accept_invalid_hostnames(true)
        .build()
        .map_err(|error| PortError::Refused(format!("TLS cannot be used: {error}")))?;
    let connector = tokio_native_tls::TlsConnector::from(connector);
    connector
        .connect(host, stream)
        .await
        .map_err(|error| PortError::Unreachable(format!("no TLS connection: {error}")))
}

async fn exchange(mut stream: impl Stream, request: &str) -> Result<Answer, PortError> {
    let broken = |error: std::io::Error| PortError::Unknown(format!("no answer: {error}"));
    stream.write_all(request.as_bytes()).await.map_err(broken)?;
    let mut bytes = Vec::new();
    let mut limited = stream.take(ANSWER_BYTES_MAX);
    let read = limited.read_to_end(&mut bytes).await;
    // A peer that closes rudely after a whole answer has still answered.
    match (Answer::parse(&String::from_utf8_lossy(&bytes)), read) {
        (Some(answer), _) => Ok(answer),
        (None, Err(error)) => Err(broken(error)),
        (None, Ok(_)) => Err(PortError::Unknown("the answer was no HTTP".into())),
    }
}

impl Answer {
    fn parse(text: &str) -> Option<Self> {
        let (head, body) = text.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let header = |line: &str| {
            let (name, value) = line.split_once(':')?;
            Some((name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        };
        Some(Self { status, headers: lines.filter_map(header).collect(), body: body.to_owned() })
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// nginx names every address that it tried, the one that answered last.
fn server(text: &str) -> Option<Endpoint> {
    let last = text.rsplit([',', ' ']).next()?;
    let address: SocketAddr = last.parse().ok()?;
    Some(Endpoint { address: address.ip(), port: address.port() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_in_its_parts() {
        let text = "HTTP/1.1 200 OK\r\nX-Gitdeploy-Server: 127.0.0.1:80\r\n\r\n42\n";
        let answer = Answer::parse(text).expect("an answer");
        assert_eq!((answer.status, answer.body.as_str()), (200, "42\n"));
        assert_eq!(answer.header("x-gitdeploy-server"), Some("127.0.0.1:80"));
        assert_eq!(Answer::parse("garbage"), None);
    }

    #[test]
    fn of_several_tried_servers_the_last_one_answered() {
        let expected = Endpoint { address: "127.0.0.1".parse().expect("an address"), port: 81 };
        assert_eq!(server("127.0.0.1:80, 127.0.0.1:81"), Some(expected));
        assert_eq!(server("unix:/run/x.sock"), None);
    }
}
