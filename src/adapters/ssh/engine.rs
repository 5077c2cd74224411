//! libssh2 between two memory buffers: what arrives on a connection is fed to it, what it has to
//! say is taken from it, and it never waits.
//!
//! libssh2 wants a socket. It gets one end of a pair that lies in this process; the other end is
//! emptied and filled around every call, so no packet is ever left half sent, and the connection
//! itself can be anything that carries bytes: TCP, or a channel of another session.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::Pin;
use std::task::{Context, Poll};

use ssh2::{ErrorCode, Session};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Any connection that carries a session.
pub(super) trait Line: AsyncRead + AsyncWrite + Send + Unpin {
    /// Asks the kernel to acknowledge at once what was just read, where there is such a thing.
    fn acknowledge(&self) {}
}

/// More than this is not read ahead of libssh2.
const AHEAD_MAX: usize = 256 << 10;

/// More than this must not wait to be sent when a channel is written to.
const BEHIND_MAX: usize = 256 << 10;

/// libssh2's number for "nothing to be done now".
const AGAIN: ErrorCode = ErrorCode::Session(-37);

/// One session of libssh2 and the connection below it.
pub(super) struct Engine {
    // Dropped first: libssh2 must find a dead socket when it says goodbye, and not one that is full.
    near: UnixStream,
    /// The session. Every object made from it lives and dies in the task that owns this.
    pub(super) session: Session,
    line: Box<dyn Line>,
    incoming: Bytes,
    outgoing: Bytes,
    received: u64,
    is_closed: bool,
}

/// A queue of bytes.
#[derive(Default)]
pub(super) struct Bytes {
    bytes: Vec<u8>,
    start: usize,
}

impl Bytes {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        if self.start == self.bytes.len() {
            self.bytes.clear();
            self.start = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn rest(&self) -> &[u8] {
        self.bytes.get(self.start..).unwrap_or_default()
    }

    pub(super) fn took(&mut self, count: usize) {
        self.start += count;
        // What was taken must not pile up before a queue that never runs empty.
        if self.start > 4 * (64 << 10) && self.start > self.bytes.len() / 2 {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Engine {
    pub(super) fn new(line: Box<dyn Line>) -> io::Result<Self> {
        let (near, far) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        let mut session = Session::new().map_err(io::Error::from)?;
        session.set_blocking(false);
        session.set_tcp_stream(far);
        Ok(Self {
            near,
            session,
            line,
            incoming: Bytes::default(),
            outgoing: Bytes::default(),
            received: 0,
            is_closed: false,
        })
    }

    /// How many bytes have come over the connection.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Whether nothing is read from the connection because what came before is not used up yet.
    pub(super) fn is_full(&self) -> bool {
        self.incoming.len() >= AHEAD_MAX
    }

    /// Whether a channel may be written to now.
    pub(super) fn takes_more(&self) -> bool {
        self.outgoing.len() < BEHIND_MAX
    }

    /// Moves bytes between the connection and libssh2 as far as they go; whether any moved.
    pub(super) fn exchange(&mut self, context: &mut Context<'_>) -> io::Result<bool> {
        let taken = self.take()?;
        self.send(context)?;
        self.receive(context)?;
        let fed = self.feed()?;
        if self.is_closed && self.incoming.is_empty() && !fed && !taken {
            let closed = "the host closed the connection";
            return Err(io::Error::new(io::ErrorKind::ConnectionReset, closed));
        }
        Ok(taken || fed)
    }

    /// Takes what libssh2 has said since the last time; whether that was anything. The pair of
    /// sockets holds a few packets: this must follow each call that may write one.
    pub(super) fn take(&mut self) -> io::Result<bool> {
        let mut has_moved = false;
        let mut buffer = [0; 16 << 10];
        loop {
            match self.near.read(&mut buffer) {
                Ok(0) => return Ok(has_moved),
                Ok(count) => self.outgoing.push(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(has_moved),
                Err(error) => return Err(error),
            }
            has_moved = true;
        }
    }

    /// Gives libssh2 what has come.
    fn feed(&mut self) -> io::Result<bool> {
        let mut has_moved = false;
        while !self.incoming.is_empty() {
            match self.near.write(self.incoming.rest()) {
                Ok(count) => self.incoming.took(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
            has_moved = true;
        }
        Ok(has_moved)
    }

    fn send(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match Pin::new(&mut *self.line).poll_write(context, self.outgoing.rest())? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(count) => self.outgoing.took(count),
                Poll::Pending => return Ok(()),
            }
        }
        match Pin::new(&mut *self.line).poll_flush(context)? {
            Poll::Ready(()) | Poll::Pending => Ok(()),
        }
    }

    fn receive(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        let mut buffer = [0; 32 << 10];
        while !self.is_closed && !self.is_full() {
            let mut part = ReadBuf::new(&mut buffer);
            match Pin::new(&mut *self.line).poll_read(context, &mut part)? {
                Poll::Pending => break,
                Poll::Ready(()) if part.filled().is_empty() => self.is_closed = true,
                Poll::Ready(()) => {
                    self.received += part.filled().len() as u64;
                    self.incoming.push(part.filled());
                    self.line.acknowledge();
                }
            }
        }
        Ok(())
    }

    /// Repeats a call of libssh2 until it has an answer.
    pub(super) async fn call<T>(
        &mut self,
        mut call: impl FnMut(&mut Session) -> Result<T, ssh2::Error>,
    ) -> Result<T, ssh2::Error> {
        std::future::poll_fn(|context| {
            loop {
                let moved = self.exchange(context);
                match call(&mut self.session) {
                    Err(error) if is_again(&error) => {}
                    answer => {
                        // A goodbye or an answer that libssh2 has just written.
                        drop(self.exchange(context));
                        return Poll::Ready(answer);
                    }
                }
                match (moved, self.exchange(context)) {
                    (Ok(false), Ok(false)) => return Poll::Pending,
                    (Ok(_), Ok(_)) => {}
                    (Err(_), _) | (_, Err(_)) => {
                        return Poll::Ready(Err(ssh2::Error::new(
                            ErrorCode::Session(-13),
                            "the host closed the connection",
                        )));
                    }
                }
            }
        })
        .await
    }

    /// Waits until something has come over the connection, or could be sent.
    pub(super) async fn moved(&mut self) -> io::Result<()> {
        std::future::poll_fn(|context| match self.exchange(context) {
            Ok(false) => Poll::Pending,
            Ok(true) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error)),
        })
        .await
    }
}

/// Whether libssh2 only says that it has to be asked again.
pub(super) fn is_again(error: &ssh2::Error) -> bool {
    error.code() == AGAIN
}

impl Line for tokio::net::TcpStream {
    fn acknowledge(&self) {
        // The server may hold back the rest of an answer until this much is acknowledged.
        #[cfg(target_os = "linux")]
        drop(self.set_quickack(true));
    }
}

#[cfg(test)]
impl Line for tokio::io::DuplexStream {}
