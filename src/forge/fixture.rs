//! A forge on this machine for tests: scripted answers, every request kept as it came.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Forge, ForgeKind, ForgeToken, Patience};

/// A server that gives one answer after the other, and the last one for ever.
pub(super) struct Local {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

/// One answer: a status, more headers, a body.
#[derive(Clone)]
pub(super) struct Scripted(pub(super) u16, pub(super) &'static str, pub(super) String);

/// A good answer.
pub(super) fn ok(body: impl Into<String>) -> Scripted {
    Scripted(200, "", body.into())
}

/// A connection that ends without an answer.
pub(super) fn gone() -> Scripted {
    Scripted(0, "", String::new())
}

impl Local {
    pub(super) async fn serving(answers: Vec<Scripted>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        tokio::spawn(async move {
            let mut answers = answers.into_iter().peekable();
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                let answer = answers.next_if(|_| true).expect("an answer to every request");
                let request = served(stream, &answer).await;
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(request);
            }
        });
        Self { address, requests }
    }

    pub(super) fn forge(&self, kind: ForgeKind) -> Forge {
        let api = format!("http://{}", self.address);
        let token = ForgeToken::new("s3cret").expect("a token");
        let forge = Forge::new(kind, &api, "acme/shop", token).expect("a forge");
        forge.with_patience(Patience {
            attempts: 3,
            pause: Duration::from_millis(1),
            pause_max: Duration::from_secs(2),
            answer: Duration::from_secs(20),
        })
    }

    /// Every request as it came, without the port, which is another one each time.
    pub(super) fn requests(&self) -> Vec<String> {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.iter().map(|it| it.replace(&self.address, "LOCAL").replace('\r', "")).collect()
    }

    /// The first lines of all requests.
    pub(super) fn lines(&self) -> Vec<String> {
        let first = |it: &String| {
            it.lines().next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned()
        };
        self.requests().iter().map(first).collect()
    }
}

async fn served(mut stream: TcpStream, answer: &Scripted) -> String {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.and_then(|it| it.parse().ok()).unwrap_or(0) {
                break;
            }
        }
        let count = stream.read(&mut part).await.expect("a request");
        assert!(count > 0, "the request ends early: {text}");
        bytes.extend(&part[..count]);
    }
    let Scripted(status, headers, body) = answer;
    if *status > 0 {
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.expect("a client");
        stream.write_all(body.as_bytes()).await.expect("a client");
    }
    String::from_utf8(bytes).expect("text")
}
