//! A way to a server that takes time, as all real ones do.
//!
//! On loopback an answer is there before the next request is sent, which hides what happens to
//! requests that are on the wire while a proxy closes their connection.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// Parts of a stream that may be on their way in one direction.
const ON_THE_WAY: usize = 256;

/// Passes connections on to one address, until dropped. Ends and resets are passed on too.
pub(crate) struct Relay {
    /// Where to connect instead.
    pub(crate) address: SocketAddr,
    runtime: Option<Runtime>,
}

/// The connection was reset, or could not be made.
struct Reset;

impl Relay {
    /// A relay to `to` that adds `round_trip` to every answer.
    pub(crate) fn start(to: SocketAddr, round_trip: Duration) -> Self {
        let one_way = round_trip / 2;
        Self::with(move |client| pass(client, to, one_way))
    }

    /// A relay that speaks TLS to `to`, for clients that cannot. It trusts anybody.
    pub(crate) fn encrypting(to: SocketAddr) -> Self {
        let mut connector = native_tls::TlsConnector::builder();
        connector.danger_accept_invalid_certs(true).danger_accept_invalid_hostnames(true);
        let connector = connector.build().expect("a connector");
        let connector = tokio_native_tls::TlsConnector::from(connector);
        Self::with(move |client| encrypt(client, to, connector.clone()))
    }

    fn with<F, W>(work: F) -> Self
    where
        F: Fn(TcpStream) -> W + Send + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)));
        let listener = listener.expect("a free port");
        let address = listener.local_addr().expect("an address");
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(work(client));
            }
        });
        Self { address, runtime: Some(runtime) }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// One connection, encrypted on the other side. Whatever ends it, the client sees an end: in the
/// middle of an answer that is a lost request all the same.
async fn encrypt(mut client: TcpStream, to: SocketAddr, connector: tokio_native_tls::TlsConnector) {
    let Ok(server) = TcpStream::connect(to).await else { return };
    drop(client.set_nodelay(true));
    drop(server.set_nodelay(true));
    let Ok(mut server) = connector.connect("shop.example.com", server).await else { return };
    drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
}

/// One connection from its first packet to its last.
async fn pass(client: TcpStream, to: SocketAddr, one_way: Duration) {
    let asked = Instant::now();
    // The packet that asks for a connection arrives, its answer goes back, and only then does the
    // client's first byte set out: it arrives after three ways.
    sleep_until(asked + one_way).await;
    let Ok(server) = TcpStream::connect(to).await else {
        sleep_until(asked + one_way * 2).await;
        drop(client.set_zero_linger());
        return;
    };
    drop(client.set_nodelay(true));
    drop(server.set_nodelay(true));
    let (mut client_in, mut client_out) = client.into_split();
    let (mut server_in, mut server_out) = server.into_split();
    let ended = tokio::try_join!(
        one_direction(&mut client_in, &mut server_out, one_way, asked + one_way * 3),
        one_direction(&mut server_in, &mut client_out, one_way, asked),
    );
    if ended.is_err() {
        drop(client_in.as_ref().set_zero_linger());
        drop(server_in.as_ref().set_zero_linger());
        // Without this, dropping them would end the connections properly first.
        client_out.forget();
        server_out.forget();
    }
}

/// Copies with a delay; nothing arrives before `earliest`.
async fn one_direction(
    from: &mut OwnedReadHalf,
    to: &mut OwnedWriteHalf,
    one_way: Duration,
    earliest: Instant,
) -> Result<(), Reset> {
    // From the reader below to the writer below; an empty part is the end.
    let (sender, mut receiver) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    let read = async move {
        loop {
            let mut part = Vec::with_capacity(16 * 1024);
            let read = from.read_buf(&mut part).await;
            let due = (Instant::now() + one_way).max(earliest);
            let Ok(count) = read else {
                sleep(one_way).await;
                return Err(Reset);
            };
            let sent = sender.send((due, part)).await;
            if count == 0 || sent.is_err() {
                return Ok(());
            }
        }
    };
    let write = async move {
        while let Some((due, part)) = receiver.recv().await {
            sleep_until(due).await;
            let written = match part.is_empty() {
                true => to.shutdown().await,
                false => to.write_all(&part).await,
            };
            written.map_err(|_| Reset)?;
        }
        Ok(())
    };
    tokio::try_join!(read, write).map(|_| ())
}
