//! The clients: what each kind of them does until it is told to end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use super::Load;
use super::http::{Answer, Connection, get, post};
use super::report::{Class, Tallies};
use super::socket::{Heard, WebSocket};

/// How long a usual request may take.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// The same for one that takes long anyway.
const LONG_MAX: Duration = Duration::from_secs(20);
/// After a failure, a client that sends back to back waits: an outage must not become a flood.
const PAUSE: Duration = Duration::from_millis(100);
const SLOW: &str = "/slow?ms=2000";
const STREAM: &str = "/stream?seconds=3";
const UPLOAD_PARTS: usize = 30;
const UPLOAD_PART: [u8; 1000] = [b'u'; 1000];

pub(super) struct Client {
    index: u32,
    load: Arc<Load>,
    ending: watch::Receiver<bool>,
    tallies: Arc<Tallies>,
    until: Instant,
}

impl Client {
    pub(super) fn new(
        index: u32,
        load: &Arc<Load>,
        ending: &watch::Receiver<bool>,
        tallies: &Arc<Tallies>,
    ) -> Self {
        let until = Instant::now() + load.limit;
        let (load, tallies) = (Arc::clone(load), Arc::clone(tallies));
        Self { index, load, ending: ending.clone(), tallies, until }
    }

    fn is_over(&self) -> bool {
        *self.ending.borrow() || Instant::now() >= self.until
    }

    /// Short requests at fixed times, each fourth a POST.
    pub(super) async fn requests(self, keeps: bool) {
        let clients = self.load.kept + self.load.fresh;
        let interval = Duration::from_secs(1) * clients / self.load.rate;
        // Spread over the interval, or all would send at once.
        let mut due = Instant::now() + interval * self.index / clients;
        let mut connection: Option<Connection> = None;
        for count in 0u64.. {
            sleep_until(due).await;
            due += interval;
            if self.is_over() {
                return;
            }
            let class = if (count + u64::from(self.index)).is_multiple_of(4) {
                Class::Post
            } else {
                Class::Get
            };
            connection = self.request(class, connection, keeps).await;
        }
    }

    /// One request; gives the connection back if it can be used again.
    async fn request(
        &self,
        class: Class,
        kept: Option<Connection>,
        keeps: bool,
    ) -> Option<Connection> {
        static POSTS: AtomicU64 = AtomicU64::new(0);
        let id = format!("{}-{}", std::process::id(), POSTS.fetch_add(1, Ordering::Relaxed));
        let host = &self.load.host;
        let text = match class {
            Class::Post => post(host, "/echo", keeps, &id, id.len()) + &id,
            _ => get(host, "/", keeps),
        };
        self.tallies.sent(class);
        let since = Instant::now();
        let mut connection = match kept.and_then(Connection::if_open) {
            Some(connection) => connection,
            None => match Connection::open(self.load.to).await {
                Ok(connection) => connection,
                Err(why) => {
                    self.tallies.failed(class, &why);
                    return None;
                }
            },
        };
        let answer = connection.ask(text.as_bytes(), ANSWER_MAX).await;
        let answer = answer.and_then(good).and_then(|answer| match class {
            Class::Post if !answer.body.ends_with(&id) => {
                Err("another request's answer".to_owned())
            }
            _ => Ok(answer),
        });
        match answer {
            Ok(answer) => {
                self.tallies.ok(class, since.elapsed(), &answer.body);
                if class == Class::Post {
                    self.tallies.acknowledged(&id);
                }
                (keeps && answer.keeps).then_some(connection)
            }
            Err(why) => {
                self.tallies.failed(class, &why);
                None
            }
        }
    }

    /// Requests that take 2 s, one after the other.
    pub(super) async fn slow(self) {
        self.back_to_back(Class::Slow, |_| Ok(()), SLOW).await;
    }

    /// Answers in chunks, which must come to their end.
    pub(super) async fn streams(self) {
        let is_whole = |body: &str| {
            if body.ends_with("end\n") {
                Ok(())
            } else {
                Err("the stream lacks its end".to_owned())
            }
        };
        self.back_to_back(Class::Stream, is_whole, STREAM).await;
    }

    async fn back_to_back(
        &self,
        class: Class,
        check: impl Fn(&str) -> Result<(), String>,
        path: &str,
    ) {
        while !self.is_over() {
            self.tallies.sent(class);
            let since = Instant::now();
            let request = get(&self.load.host, path, false);
            let answer = async {
                let mut connection = Connection::open(self.load.to).await?;
                let answer = good(connection.ask(request.as_bytes(), LONG_MAX).await?)?;
                check(&answer.body).map(|()| answer)
            };
            match answer.await {
                Ok(answer) => self.tallies.ok(class, since.elapsed(), &answer.body),
                Err(why) => self.fail(class, &why).await,
            }
        }
    }

    /// Bodies that are sent slowly.
    pub(super) async fn uploads(self) {
        while !self.is_over() {
            self.tallies.sent(Class::Upload);
            let since = Instant::now();
            match self.upload().await {
                Ok(answer) => self.tallies.ok(Class::Upload, since.elapsed(), &answer.body),
                Err(why) => self.fail(Class::Upload, &why).await,
            }
        }
    }

    async fn upload(&self) -> Result<Answer, String> {
        let length = UPLOAD_PARTS * UPLOAD_PART.len();
        let mut connection = Connection::open(self.load.to).await?;
        let head = post(&self.load.host, "/upload", false, "upload", length);
        connection.send(head.as_bytes()).await?;
        for _ in 0..UPLOAD_PARTS {
            connection.send(&UPLOAD_PART).await?;
            sleep(Duration::from_millis(100)).await;
        }
        let answer = good(connection.answer(LONG_MAX).await?)?;
        match answer.body.lines().last() {
            Some(last) if last == length.to_string() => Ok(answer),
            last => Err(format!("sent {length} bytes, {last:?} arrived")),
        }
    }

    /// WebSockets, one after the other: each lasts until the server closes it or the load ends.
    pub(super) async fn sockets(self) {
        while !self.is_over() {
            self.tallies.sent(Class::WebSocket);
            let since = Instant::now();
            match self.socket().await {
                Ok(Heard::Goodbye) => {
                    self.tallies.goodbye();
                    self.tallies.ok(Class::WebSocket, since.elapsed(), "");
                }
                Ok(Heard::Text(_)) => self.tallies.ok(Class::WebSocket, since.elapsed(), ""),
                Err(why) => self.fail(Class::WebSocket, &why).await,
            }
        }
    }

    /// `Goodbye` when the server ended it.
    async fn socket(&self) -> Result<Heard, String> {
        let mut socket = WebSocket::open(self.load.to, &self.load.host).await?;
        for count in 0u64.. {
            if self.is_over() {
                socket.close().await?;
                break;
            }
            if let Heard::Goodbye = socket.echo(&format!("message {count}")).await? {
                return Ok(Heard::Goodbye);
            }
            tokio::select! {
                // Cancel-safe: nothing is taken out.
                input = socket.input() => {
                    input?;
                    if let Heard::Goodbye = socket.hear().await? {
                        return Ok(Heard::Goodbye);
                    }
                    return Err("a message that nobody asked for".to_owned());
                }
                // Cancel-safe.
                () = sleep(Duration::from_millis(200)) => {}
            }
        }
        Ok(Heard::Text(String::new()))
    }

    async fn fail(&self, class: Class, why: &str) {
        self.tallies.failed(class, why);
        sleep(PAUSE).await;
    }
}

fn good(answer: Answer) -> Result<Answer, String> {
    match answer.status {
        200..=299 => Ok(answer),
        status => Err(format!("status {status}: {:?}", answer.body.lines().next().unwrap_or(""))),
    }
}
