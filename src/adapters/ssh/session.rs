//! One session and the one task that owns it: whoever wants a channel asks that task.
//!
//! libssh2 lets one thread at a time into a session, opens one channel at a time, and hands bytes
//! of one channel to whoever reads another. So a single task goes round: the connection, the
//! channel that is being opened, every open channel, until nothing moves any more.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll};
use std::time::Duration;

use ssh2::ErrorCode;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::channel::{self, Channel};
use super::engine::{Engine, is_again};
use super::lane::{Ended, Fatal, Lane, Reply, Step};

/// How often the session is looked after.
const TICK: Duration = Duration::from_secs(5);

/// After so long without a byte from the host, it is asked whether it is there.
const QUIET: Duration = Duration::from_secs(10);

/// After so long without a byte it is given up: it runs, perhaps, and answers nothing.
const SILENT: Duration = Duration::from_secs(20);

/// A session that nobody uses is closed: without an open channel nothing tells that it died.
const IDLE: Duration = Duration::from_secs(60);

/// libssh2 keeps a few bytes for every answer to a question of ours. After this many, the session
/// ends at the next moment that nobody uses it.
const QUESTIONS_MAX: u32 = 4000;

/// libssh2's number for a channel that the host does not open.
const REFUSED: ErrorCode = ErrorCode::Session(-21);

/// What a channel leads to, as the host sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A socket in its file system.
    Socket(String),
    /// A TCP port.
    Tcp(String, u16),
}

/// A session, for whoever wants channels of it.
#[derive(Debug, Clone)]
pub(super) struct Session {
    wishes: mpsc::Sender<Wish>,
}

/// Why there is no channel, or no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotOpen {
    /// The session is over; another one may do.
    Gone,
    /// The host refused, with its words.
    Refused(String),
    /// The session died when the command had been sent, or the command did something wrong.
    Lost(String),
}

enum Wish {
    Stream(Place, oneshot::Sender<Result<Channel, NotOpen>>),
    Command { line: String, input: Vec<u8>, reply: Reply },
}

impl Session {
    /// Takes over a connection that has logged in. `below` is the session that carries it.
    pub(super) fn start(engine: Engine, below: Option<Self>) -> Self {
        let (wishes, receiver) = mpsc::channel(64);
        let now = Instant::now();
        let task = Task {
            heard: engine.received(),
            engine,
            wishes: receiver,
            waiting: VecDeque::new(),
            is_opening: false,
            lanes: Vec::new(),
            heard_at: now,
            used_at: now,
            questions: 0,
            _below: below,
        };
        tokio::spawn(task.run());
        Self { wishes }
    }

    /// Whether it may still be used.
    pub(super) fn is_alive(&self) -> bool {
        !self.wishes.is_closed()
    }

    /// A channel to a place of the host.
    pub(super) async fn open(&self, place: Place) -> Result<Channel, NotOpen> {
        let (reply, answer) = oneshot::channel();
        let sent = self.wishes.send(Wish::Stream(place, reply)).await;
        sent.map_err(|_| NotOpen::Gone)?;
        answer.await.unwrap_or(Err(NotOpen::Gone))
    }

    /// Runs a line of the host's shell to its end.
    pub(super) async fn run(&self, line: String, input: Vec<u8>) -> Result<Ended, NotOpen> {
        let (reply, answer) = oneshot::channel();
        let sent = self.wishes.send(Wish::Command { line, input, reply }).await;
        sent.map_err(|_| NotOpen::Gone)?;
        answer.await.unwrap_or(Err(NotOpen::Gone))
    }
}

struct Task {
    engine: Engine,
    wishes: mpsc::Receiver<Wish>,
    waiting: VecDeque<Wish>,
    /// Whether libssh2 is in the middle of opening the channel for the first of `waiting`.
    is_opening: bool,
    lanes: Vec<Lane>,
    heard: u64,
    heard_at: Instant,
    used_at: Instant,
    questions: u32,
    _below: Option<Session>,
}

impl Task {
    async fn run(mut self) {
        let why = loop {
            let tick = tokio::time::sleep(TICK);
            tokio::select! {
                biased;
                why = poll_fn(|context| self.turn(context)) => break why,
                () = tick => if let Some(why) = self.look_after() { break why },
            }
        };
        self.wishes.close();
        for mut lane in self.lanes.drain(..) {
            lane.fail(&why);
        }
        // What has not begun is dropped, which says that it has not.
    }

    /// Goes round until nothing moves; the end of the session is a reason in words.
    fn turn(&mut self, context: &mut Context<'_>) -> Poll<String> {
        loop {
            let mut has_moved = match self.engine.exchange(context) {
                Ok(has_moved) => has_moved,
                Err(error) => return Poll::Ready(format!("the connection broke: {error}")),
            };
            while let Poll::Ready(wish) = self.wishes.poll_recv(context) {
                match wish {
                    Some(wish) => {
                        self.used_at = Instant::now();
                        self.waiting.push_back(wish);
                    }
                    None if self.is_unused() => return Poll::Ready("nobody uses it".into()),
                    None => break,
                }
            }
            has_moved |= self.open_next();
            match self.step_all(context) {
                Ok(stepped) => has_moved |= stepped,
                Err(Fatal(why)) => return Poll::Ready(format!("the connection broke: {why}")),
            }
            if !has_moved {
                match self.engine.exchange(context) {
                    Ok(true) => {}
                    Ok(false) => return Poll::Pending,
                    Err(error) => return Poll::Ready(format!("the connection broke: {error}")),
                }
            }
        }
    }

    fn is_unused(&self) -> bool {
        self.lanes.is_empty() && self.waiting.is_empty()
    }

    /// Opens channels, one after the other, as far as it goes.
    fn open_next(&mut self) -> bool {
        let mut has_moved = false;
        loop {
            if !self.is_opening {
                self.waiting.retain(|wish| !wish.is_dropped());
            }
            let Some(wish) = self.waiting.front() else { return has_moved };
            let session = &self.engine.session;
            let opened = match wish {
                Wish::Stream(Place::Socket(path), _) => {
                    session.channel_direct_streamlocal(path, None)
                }
                Wish::Stream(Place::Tcp(host, port), _) => {
                    session.channel_direct_tcpip(host, *port, None)
                }
                Wish::Command { .. } => session.channel_session(),
            };
            if let Err(error) = &opened
                && is_again(error)
            {
                self.is_opening = true;
                return has_moved;
            }
            self.is_opening = false;
            has_moved = true;
            if let Some(wish) = self.waiting.pop_front() {
                self.lanes.extend(wish.answer(opened));
            }
        }
    }

    fn step_all(&mut self, context: &mut Context<'_>) -> Result<bool, Fatal> {
        let mut has_moved = false;
        let mut at = 0;
        while let Some(lane) = self.lanes.get_mut(at) {
            match lane.step(&mut self.engine, context)? {
                Step::Moved => has_moved = true,
                Step::Waits => {}
                Step::Over => {
                    self.lanes.swap_remove(at);
                    has_moved = true;
                    continue;
                }
            }
            at += 1;
        }
        Ok(has_moved)
    }

    /// Ends a session that is dead or that nobody needs, and asks a silent host for a word.
    fn look_after(&mut self) -> Option<String> {
        let now = Instant::now();
        if self.is_unused() {
            let is_worn = self.questions >= QUESTIONS_MAX;
            self.heard_at = now;
            return (is_worn || now - self.used_at > IDLE).then(|| "nobody uses it".into());
        }
        self.used_at = now;
        if self.engine.received() != self.heard || self.engine.is_full() {
            self.heard = self.engine.received();
            self.heard_at = now;
        }
        let silence = now - self.heard_at;
        if silence >= SILENT {
            return Some(format!("the host has not answered for {} s", silence.as_secs()));
        }
        if silence >= QUIET {
            self.questions += 1;
            // Sent with the next round; a failure shows there.
            self.engine.session.set_keepalive(true, 1);
            drop(self.engine.session.keepalive_send());
        }
        None
    }
}

impl NotOpen {
    fn of(error: &ssh2::Error) -> Self {
        match error.code() {
            REFUSED => Self::Refused(error.message().to_owned()),
            _ => Self::Gone,
        }
    }
}

impl Wish {
    fn is_dropped(&self) -> bool {
        match self {
            Self::Stream(_, reply) => reply.is_closed(),
            Self::Command { reply, .. } => reply.is_closed(),
        }
    }

    /// Hands out what came of opening its channel.
    fn answer(self, opened: Result<ssh2::Channel, ssh2::Error>) -> Option<Lane> {
        match (self, opened) {
            (Self::Stream(_, reply), Ok(channel)) => {
                let (outer, inner) = channel::pair();
                match reply.send(Ok(outer)) {
                    Ok(()) => Some(Lane::stream(channel, inner)),
                    Err(_) => Some(Lane::unwanted(channel)),
                }
            }
            (Self::Stream(_, reply), Err(error)) => {
                drop(reply.send(Err(NotOpen::of(&error))));
                None
            }
            (Self::Command { line, input, reply }, Ok(channel)) => {
                Some(Lane::command(channel, line, &input, reply))
            }
            (Self::Command { reply, .. }, Err(error)) => {
                drop(reply.send(Err(NotOpen::of(&error))));
                None
            }
        }
    }
}
