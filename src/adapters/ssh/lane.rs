//! One open channel in the hands of its session: bytes in both directions, or a command with its
//! input, its output and its end.

use std::io::{self, Read, Write};
use std::pin::Pin;
use std::task::{Context, Poll};

use ssh2::ErrorCode;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

use super::channel::{Ending, Inner};
use super::engine::{Bytes, Engine, is_again};
use super::session::NotOpen;

/// More output of a command than this is a mistake.
const OUTPUT_MAX: usize = 32 << 20;

/// What a command left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::adapters) struct Ended {
    /// Its exit code; -1 when a signal ended it.
    pub(in crate::adapters) code: i64,
    /// Its standard output.
    pub(in crate::adapters) stdout: Vec<u8>,
    /// Its standard error.
    pub(in crate::adapters) stderr: Vec<u8>,
}

impl Ended {
    /// What it said to a person, or how it ended when it said nothing.
    pub(in crate::adapters) fn words(&self) -> String {
        match String::from_utf8_lossy(&self.stderr).trim() {
            "" if self.code < 0 => "a signal ended it".to_owned(),
            "" => format!("it ended with code {}", self.code),
            said => said.to_owned(),
        }
    }
}

/// Who waits for the end of a command.
pub(super) type Reply = oneshot::Sender<Result<Ended, NotOpen>>;

/// An open channel.
pub(super) struct Lane {
    channel: ssh2::Channel,
    work: Work,
    is_closing: bool,
}

enum Work {
    Stream(Stream),
    Command(Box<Command>),
}

struct Stream {
    inner: Inner,
    down: Bytes,
    up: Bytes,
    /// The host has said that it sends no more, and our reader knows.
    is_down_over: bool,
    up_end: End,
}

/// The way to the host's end of a direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    /// Nothing more comes; the host has not been told yet.
    Known,
    Told,
}

struct Command {
    line: String,
    is_started: bool,
    input: Bytes,
    is_input_over: bool,
    ended: Ended,
    reply: Option<Reply>,
}

/// What a look at a lane came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Moved,
    Waits,
    Over,
}

/// Why a session cannot go on.
pub(super) struct Fatal(pub(super) String);

/// What went wrong in a step.
enum Trouble {
    /// With the whole session.
    Session(String),
    /// With this channel alone.
    Channel(String),
}

impl Lane {
    pub(super) fn stream(channel: ssh2::Channel, inner: Inner) -> Self {
        let stream = Stream {
            inner,
            down: Bytes::default(),
            up: Bytes::default(),
            is_down_over: false,
            up_end: End::Open,
        };
        Self { channel, work: Work::Stream(stream), is_closing: false }
    }

    pub(super) fn command(
        channel: ssh2::Channel,
        line: String,
        input: &[u8],
        reply: Reply,
    ) -> Self {
        let mut bytes = Bytes::default();
        bytes.push(input);
        let command = Command {
            line,
            is_started: false,
            input: bytes,
            is_input_over: false,
            ended: Ended::default(),
            reply: Some(reply),
        };
        Self { channel, work: Work::Command(Box::new(command)), is_closing: false }
    }

    /// A channel that nobody wants any more.
    pub(super) fn unwanted(channel: ssh2::Channel) -> Self {
        let (_, inner) = super::channel::pair();
        Self { is_closing: true, ..Self::stream(channel, inner) }
    }

    /// Moves what can be moved.
    pub(super) fn step(
        &mut self,
        engine: &mut Engine,
        context: &mut Context<'_>,
    ) -> Result<Step, Fatal> {
        let mut has_moved = false;
        if !self.is_closing {
            let stepped = match &mut self.work {
                Work::Stream(stream) => stream.step(&mut self.channel, engine, context),
                Work::Command(command) => command.step(&mut self.channel, engine, context),
            };
            match stepped {
                Ok(Step::Moved) => has_moved = true,
                Ok(Step::Waits) => {}
                Ok(Step::Over) => self.is_closing = true,
                Err(Trouble::Session(why)) => return Err(Fatal(why)),
                Err(Trouble::Channel(why)) => {
                    self.fail(&why);
                    self.is_closing = true;
                }
            }
        }
        if self.is_closing {
            match self.channel.close() {
                Err(error) if is_again(&error) => {}
                closed => {
                    if let Err(Trouble::Session(why)) = closed.map_err(Trouble::from) {
                        return Err(Fatal(why));
                    }
                    self.finish();
                    return Ok(Step::Over);
                }
            }
        }
        Ok(if has_moved { Step::Moved } else { Step::Waits })
    }

    /// Tells whoever waits that the answer is lost.
    pub(super) fn fail(&mut self, why: &str) {
        match &mut self.work {
            Work::Stream(stream) => drop(stream.inner.ending.set(Ending::Lost(why.to_owned()))),
            Work::Command(command) => {
                if let Some(reply) = command.reply.take() {
                    drop(reply.send(Err(NotOpen::Lost(why.to_owned()))));
                }
            }
        }
    }

    fn finish(&mut self) {
        let Work::Command(command) = &mut self.work else { return };
        let Some(reply) = command.reply.take() else { return };
        let mut ended = std::mem::take(&mut command.ended);
        let signal = self.channel.exit_signal().ok().and_then(|signal| signal.exit_signal);
        ended.code = match signal {
            Some(_) => -1,
            None => self.channel.exit_status().map_or(-1, i64::from),
        };
        drop(reply.send(Ok(ended)));
    }
}

impl From<ssh2::Error> for Trouble {
    /// An error of one channel is its own; one of the connection ends all of them.
    fn from(error: ssh2::Error) -> Self {
        let why = error.message().to_owned();
        match error.code() {
            // Channels, requests on them, and wrong use.
            ErrorCode::Session(-27..=-20 | -39 | -34 | -47) | ErrorCode::SFTP(_) => {
                Self::Channel(why)
            }
            ErrorCode::Session(_) => Self::Session(why),
        }
    }
}

/// Reading and writing hide the number of an error that libssh2 has just noted.
fn noted(engine: &Engine, error: &io::Error) -> Trouble {
    match ssh2::Error::last_session_error(&engine.session) {
        Some(noted) => noted.into(),
        None => Trouble::Channel(error.to_string()),
    }
}

fn ours(error: &io::Error) -> Trouble {
    Trouble::Channel(error.to_string())
}

impl Stream {
    fn step(
        &mut self,
        channel: &mut ssh2::Channel,
        engine: &mut Engine,
        context: &mut Context<'_>,
    ) -> Result<Step, Trouble> {
        if !Pin::new(&mut self.inner.dropped).poll(context).is_pending() {
            return Ok(Step::Over);
        }
        let down = self.bring(channel, engine, context)?;
        let up = self.carry(channel, engine, context)?;
        if self.is_down_over && self.up_end == End::Told {
            return Ok(Step::Over);
        }
        Ok(if down || up { Step::Moved } else { Step::Waits })
    }

    /// From the host to our reader.
    fn bring(
        &mut self,
        channel: &mut ssh2::Channel,
        engine: &mut Engine,
        context: &mut Context<'_>,
    ) -> Result<bool, Trouble> {
        let mut has_moved = false;
        let mut buffer = [0; 32 << 10];
        loop {
            while !self.down.is_empty() {
                let stream = Pin::new(&mut self.inner.stream);
                match stream.poll_write(context, self.down.rest()) {
                    Poll::Ready(written) => self.down.took(written.map_err(|error| ours(&error))?),
                    Poll::Pending => return Ok(has_moved),
                }
                has_moved = true;
            }
            if self.is_down_over {
                return Ok(has_moved);
            }
            match channel.read(&mut buffer) {
                Ok(0) => {
                    self.is_down_over = true;
                    drop(self.inner.ending.set(Ending::Whole));
                    drop(Pin::new(&mut self.inner.stream).poll_shutdown(context));
                    has_moved = true;
                }
                Ok(count) => {
                    self.down.push(&buffer[..count]);
                    empty(engine)?;
                    has_moved = true;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(has_moved),
                Err(error) => return Err(noted(engine, &error)),
            }
        }
    }

    /// From our writer to the host.
    fn carry(
        &mut self,
        channel: &mut ssh2::Channel,
        engine: &mut Engine,
        context: &mut Context<'_>,
    ) -> Result<bool, Trouble> {
        let mut has_moved = false;
        let mut buffer = [0; 32 << 10];
        loop {
            if self.up.is_empty() && self.up_end == End::Open {
                let mut part = ReadBuf::new(&mut buffer);
                let read = Pin::new(&mut self.inner.stream).poll_read(context, &mut part);
                match read.map_err(|error| ours(&error))? {
                    Poll::Ready(()) if part.filled().is_empty() => self.up_end = End::Known,
                    Poll::Ready(()) => self.up.push(part.filled()),
                    Poll::Pending => return Ok(has_moved),
                }
                has_moved = true;
            }
            if !pour(channel, engine, &mut self.up)? {
                return Ok(has_moved);
            }
            match self.up_end {
                End::Open => has_moved = true,
                End::Told => return Ok(has_moved),
                End::Known => match channel.send_eof() {
                    Ok(()) => self.up_end = End::Told,
                    Err(error) if is_again(&error) => return Ok(has_moved),
                    Err(error) => return Err(error.into()),
                },
            }
        }
    }
}

/// Takes what libssh2 has written. A packet that only fits by half could be finished by the same
/// call alone, and every other channel would wait for it.
fn empty(engine: &mut Engine) -> Result<(), Trouble> {
    engine.take().map(drop).map_err(|error| Trouble::Session(error.to_string()))
}

/// Writes to a channel; whether all of it went.
fn pour(
    channel: &mut ssh2::Channel,
    engine: &mut Engine,
    bytes: &mut Bytes,
) -> Result<bool, Trouble> {
    while !bytes.is_empty() {
        if !engine.takes_more() {
            return Ok(false);
        }
        match channel.write(bytes.rest()) {
            Ok(0) => return Ok(false),
            Ok(count) => {
                bytes.took(count);
                empty(engine)?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(noted(engine, &error)),
        }
    }
    Ok(true)
}

impl Command {
    fn step(
        &mut self,
        channel: &mut ssh2::Channel,
        engine: &mut Engine,
        context: &mut Context<'_>,
    ) -> Result<Step, Trouble> {
        let is_waited_for =
            self.reply.as_mut().is_some_and(|it| it.poll_closed(context).is_pending());
        if !is_waited_for {
            return Ok(Step::Over);
        }
        if !self.is_started {
            match channel.exec(&self.line) {
                Ok(()) => self.is_started = true,
                Err(error) if is_again(&error) => return Ok(Step::Waits),
                Err(error) => return Err(error.into()),
            }
        }
        self.feed(channel, engine);
        let out = drain(channel, engine, &mut self.ended.stdout)?;
        let err = drain(&mut channel.stderr(), engine, &mut self.ended.stderr)?;
        if self.ended.stdout.len() + self.ended.stderr.len() > OUTPUT_MAX {
            let why = format!("it wrote more than {} MiB", OUTPUT_MAX >> 20);
            return Err(Trouble::Channel(why));
        }
        if channel.eof() {
            return Ok(Step::Over);
        }
        Ok(if out || err { Step::Moved } else { Step::Waits })
    }

    /// Gives it its input. A command that ends without reading it is no error.
    fn feed(&mut self, channel: &mut ssh2::Channel, engine: &mut Engine) {
        if self.is_input_over {
            return;
        }
        match pour(channel, engine, &mut self.input) {
            Ok(false) => {}
            Ok(true) => match channel.send_eof() {
                Err(error) if is_again(&error) => {}
                _ => self.is_input_over = true,
            },
            Err(_) => self.is_input_over = true,
        }
    }
}

fn drain(from: &mut impl Read, engine: &mut Engine, to: &mut Vec<u8>) -> Result<bool, Trouble> {
    let mut has_moved = false;
    let mut buffer = [0; 32 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(has_moved),
            Ok(count) => {
                to.extend_from_slice(&buffer[..count]);
                empty(engine)?;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(has_moved),
            Err(error) => return Err(noted(engine, &error)),
        }
        has_moved = true;
    }
}
