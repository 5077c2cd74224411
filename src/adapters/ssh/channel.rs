//! One channel of a session as a stream of bytes.
//!
//! The stream's end is known from its loss: a reader that sees the end of a stream whose session
//! died gets an error, and never takes half an answer for a whole one.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::sync::oneshot;

use super::engine::Line;

/// What a reader may be behind.
const BUFFER: usize = 64 << 10;

/// How a stream came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ending {
    /// The other side said that there is no more.
    Whole,
    /// The session died; why.
    Lost(String),
}

/// A channel to a socket or a port of the host. Dropping it closes the channel.
#[derive(Debug)]
pub struct Channel {
    stream: DuplexStream,
    ending: Arc<OnceLock<Ending>>,
    /// Tells the session that nobody reads any more, even when nothing is written.
    _held: oneshot::Sender<()>,
}

/// The session's side of a [`Channel`].
pub(super) struct Inner {
    pub(super) stream: DuplexStream,
    pub(super) ending: Arc<OnceLock<Ending>>,
    pub(super) dropped: oneshot::Receiver<()>,
}

/// Both sides of a channel.
pub(super) fn pair() -> (Channel, Inner) {
    let (outer, inner) = tokio::io::duplex(BUFFER);
    let ending = Arc::new(OnceLock::new());
    let (held, dropped) = oneshot::channel();
    (
        Channel { stream: outer, ending: Arc::clone(&ending), _held: held },
        Inner { stream: inner, ending, dropped },
    )
}

impl Channel {
    fn lost(&self) -> Option<io::Error> {
        let why = match self.ending.get() {
            Some(Ending::Whole) => return None,
            Some(Ending::Lost(why)) => why.as_str(),
            None => "the connection ended",
        };
        Some(io::Error::new(io::ErrorKind::ConnectionReset, why.to_owned()))
    }
}

impl AsyncRead for Channel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let is_end = buffer.filled().len() == before && buffer.remaining() > 0;
        match (read, is_end) {
            (Poll::Ready(Ok(())), true) => Poll::Ready(self.lost().map_or(Ok(()), Err)),
            (read, _) => read,
        }
    }
}

impl AsyncWrite for Channel {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        written.map_err(|error| self.lost().unwrap_or(error))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

impl Line for Channel {}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn an_end_that_was_said_is_an_end() {
        let (mut outer, mut inner) = pair();
        inner.stream.write_all(b"all").await.expect("room");
        inner.ending.set(Ending::Whole).expect("the first");
        drop(inner);
        let mut read = String::new();
        assert_eq!(outer.read_to_string(&mut read).await.expect("an end"), 3);
    }

    #[tokio::test]
    async fn an_end_that_nobody_said_is_an_error() {
        let (mut outer, mut inner) = pair();
        inner.stream.write_all(b"half").await.expect("room");
        inner.ending.set(Ending::Lost("killed".into())).expect("the first");
        drop(inner);
        let mut read = String::new();
        let error = outer.read_to_string(&mut read).await.expect_err("a loss");
        assert_eq!((error.to_string().as_str(), read.as_str()), ("killed", ""));
    }
}
