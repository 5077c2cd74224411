//! A server on a free port of this machine with a daemon that only remembers what it was asked,
//! and a client that sends exactly the bytes it is given.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gitdeploy::model::Name;
use gitdeploy::server::{Doors, HookKey, Key, Keys, serve};
use gitdeploy::sync::{HookKind, Notice, Order, Picture, Refusal};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::{broadcast, mpsc, watch};

pub(crate) const TOKEN: &str = "a token of sixteen letters or more";
pub(crate) const SECRET: &str = "a secret of the webhook";

/// A server that ends with the test.
pub(crate) struct Rig {
    pub(crate) address: SocketAddr,
    pub(crate) picture: watch::Sender<Arc<Picture>>,
    pub(crate) notices: broadcast::Sender<Notice>,
    pub(crate) ending: watch::Sender<bool>,
    pub(crate) now: Arc<AtomicU64>,
    keys: watch::Sender<Arc<Keys>>,
    orders: Arc<Mutex<Vec<Order>>>,
    refusal: Arc<Mutex<Option<Refusal>>>,
    _runtime: Runtime,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

impl Rig {
    /// A server with this picture, a token, and a webhook `shop` of each kind: `shop-github`, …
    pub(crate) fn new(picture: Picture) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let now = Arc::new(AtomicU64::new(picture.at.max(1_700_000_000_000)));
        let (picture, shown) = watch::channel(Arc::new(picture));
        let (notices, heard) = broadcast::channel(16);
        let (asked, mut taken) = mpsc::channel::<(Order, tokio::sync::oneshot::Sender<_>)>(16);
        let (keys, known) = watch::channel(Arc::new(Self::keys(Some(TOKEN))));
        let (ending, ended) = watch::channel(false);
        let clock = Arc::clone(&now);
        let doors = Doors {
            picture: shown,
            notices: heard,
            orders: asked,
            keys: known,
            clock: Arc::new(move || clock.load(Ordering::SeqCst)),
            limits: Arc::new(BTreeMap::new),
        };
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("an address");
        runtime.spawn(serve(listener, doors, ended));
        let (orders, refusal) = (Arc::<Mutex<Vec<Order>>>::default(), Arc::default());
        let (kept, answer) = (Arc::clone(&orders), Arc::<Mutex<Option<Refusal>>>::clone(&refusal));
        runtime.spawn(async move {
            while let Some((order, reply)) = taken.recv().await {
                kept.lock().expect("no test panics in it").push(order);
                let answer = answer.lock().expect("no test panics in it").clone();
                // Who asked may be gone.
                drop(reply.send(answer.map_or(Ok(()), Err)));
            }
        });
        Self { address, picture, notices, ending, now, keys, orders, refusal, _runtime: runtime }
    }

    fn keys(login: Option<&str>) -> Keys {
        let hook = |kind| HookKey { kind, secret: Key::webhook(SECRET).expect("a secret") };
        let hooks = BTreeMap::from([
            (name("shop-github"), hook(HookKind::Github)),
            (name("shop-gitlab"), hook(HookKind::Gitlab)),
            (name("shop-signed"), hook(HookKind::GitlabSigned)),
            (name("shop-gitea"), hook(HookKind::Gitea)),
            (name("shop-forgejo"), hook(HookKind::Forgejo)),
            (name("shop"), hook(HookKind::Generic)),
        ]);
        Keys { login: login.map(|text| Key::login(text).expect("a token")), hooks }
    }

    /// Takes the token away.
    pub(crate) fn forget_token(&self) {
        self.keys.send_replace(Arc::new(Self::keys(None)));
    }

    /// From now on every order is refused.
    pub(crate) fn refuse(&self, refusal: Refusal) {
        *self.refusal.lock().expect("no test panics in it") = Some(refusal);
    }

    /// What the daemon was asked so far.
    pub(crate) fn orders(&self) -> Vec<Order> {
        self.orders.lock().expect("no test panics in it").clone()
    }

    /// Sends these bytes, and reads until the server closes. Half a request ends with our half.
    pub(crate) fn send(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        // A server that has heard enough may close before everything is written.
        drop(stream.write_all(bytes));
        if !bytes.windows(17).any(|it| it == b"Connection: close") {
            drop(stream.shutdown(Shutdown::Write));
        }
        let mut text = Vec::new();
        drop(stream.read_to_end(&mut text));
        Answer::read(&String::from_utf8_lossy(&text))
    }

    /// A bare connection.
    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
        stream
    }

    /// A request without a body.
    pub(crate) fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.send(&request(method, path, headers, b""))
    }

    /// The same with the token.
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[("Authorization", &format!("Bearer {TOKEN}"))])
    }

    /// An order with the token.
    pub(crate) fn post(&self, path: &str, body: &str) -> Answer {
        let login = format!("Bearer {TOKEN}");
        self.send(&request("POST", path, &[("Authorization", &login)], body.as_bytes()))
    }
}

impl Answer {
    fn read(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }
}

/// A whole request as bytes.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: deploy.example.com\r\n");
    for (name, value) in headers {
        text = format!("{text}{name}: {value}\r\n");
    }
    if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("transfer-encoding"))
        && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-length"))
    {
        text = format!("{text}Content-Length: {}\r\n", body.len());
    }
    text += "Connection: close\r\n\r\n";
    [text.as_bytes(), body].concat()
}

/// The HMAC that forges send, in hexadecimal.
pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    mac(secret, body).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn mac(secret: &str, text: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("a key");
    mac.chain_update(text).finalize().into_bytes().to_vec()
}
