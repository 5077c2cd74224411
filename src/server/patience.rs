//! Connections with an end to our patience: so many at once, and each must say or take something
//! now and then.
//!
//! The HTTP library waits for ever for a client that says one letter a minute. Here a request must
//! be there whole some seconds after its first byte, and a connection on which nothing moves ends.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// Connections at once. More wait until one ends.
const CONNECTIONS_MAX: usize = 256;
/// From the first byte of a request to its first byte of answer.
const REQUEST_WITHIN: Duration = Duration::from_secs(30);
/// How long nothing may move. Streams send something every 15 s.
const REST_WITHIN: Duration = Duration::from_secs(60);

/// A listener that gives patient connections, and only so many.
pub(super) struct Door {
    listener: TcpListener,
    seats: Arc<Semaphore>,
}

impl Door {
    pub(super) fn new(listener: TcpListener) -> Self {
        Self { listener, seats: Arc::new(Semaphore::new(CONNECTIONS_MAX)) }
    }
}

impl Listener for Door {
    type Io = Patient;
    type Addr = std::net::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let seat = Arc::clone(&self.seats).acquire_owned().await;
        let seat = seat.expect("nobody closes the semaphore");
        // Waits after an error such as too many open files, and tries again.
        let (stream, address) = Listener::accept(&mut self.listener).await;
        let moves = Box::pin(sleep(REST_WITHIN));
        (Patient { stream, limit: moves, is_asking: false, _seat: seat }, address)
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

/// A connection that ends when nothing moves.
pub(super) struct Patient {
    stream: TcpStream,
    limit: Pin<Box<Sleep>>,
    /// Whether bytes of a request came that has not been answered yet.
    is_asking: bool,
    _seat: OwnedSemaphorePermit,
}

impl Patient {
    fn heard(&mut self) {
        if !self.is_asking {
            self.is_asking = true;
            self.limit.as_mut().reset(Instant::now() + REQUEST_WITHIN);
        }
    }

    fn said(&mut self) {
        self.is_asking = false;
        self.limit.as_mut().reset(Instant::now() + REST_WITHIN);
    }

    /// Nothing moves; is it too long already?
    fn waits<T>(&mut self, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        match self.limit.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let it = self.get_mut();
        let before = buffer.filled().len();
        match Pin::new(&mut it.stream).poll_read(context, buffer) {
            Poll::Ready(outcome) => {
                if buffer.filled().len() > before {
                    it.heard();
                }
                Poll::Ready(outcome)
            }
            Poll::Pending => it.waits(context),
        }
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let it = self.get_mut();
        match Pin::new(&mut it.stream).poll_write(context, bytes) {
            Poll::Ready(outcome) => {
                it.said();
                Poll::Ready(outcome)
            }
            Poll::Pending => it.waits(context),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn pair() -> (Patient, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let client = TcpStream::connect(address).await.expect("a connection");
        let (server, _) = Door::new(listener).accept().await;
        tokio::time::pause();
        (server, client)
    }

    #[tokio::test]
    async fn a_request_that_comes_letter_by_letter_is_not_waited_for() {
        let (mut server, mut client) = pair().await;
        let begin = Instant::now();
        let mut letter = [0];
        let error = loop {
            client.write_all(b"G").await.expect("it is open");
            match server.read_exact(&mut letter).await {
                Ok(_) => tokio::time::advance(Duration::from_secs(4)).await,
                Err(error) => break error,
            }
            if begin.elapsed() > Duration::from_secs(120) {
                panic!("it is waited for");
            }
            // What has come is read at once; only a read that must wait looks at the time.
            if begin.elapsed() > REQUEST_WITHIN {
                let read = server.read_exact(&mut letter);
                break read.await.expect_err("nothing more has come, and it is too late");
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_stream_that_goes_on_is_left_alone() {
        let (mut server, mut client) = pair().await;
        let mut buffer = [0; 5];
        for _ in 0..20 {
            server.write_all(b": ok\n").await.expect("it is open");
            client.read_exact(&mut buffer).await.expect("it is open");
            tokio::time::advance(Duration::from_secs(15)).await;
        }
        let read = tokio::time::timeout(Duration::from_secs(1), server.read(&mut buffer)).await;
        assert!(read.is_err(), "it still waits");
    }

    #[tokio::test]
    async fn a_silent_connection_ends() {
        let (mut server, _client) = pair().await;
        let error = server.read(&mut [0]).await.expect_err("nothing comes");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
