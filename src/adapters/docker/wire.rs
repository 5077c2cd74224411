//! The bytes between us and an engine: a unix socket, TCP, TLS on TCP, or a channel of an SSH
//! session, as one kind of stream.
//!
//! A connection that cannot be made is told apart from one that breaks: only the first means that
//! nothing has happened.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bollard::BollardRequest;
use bollard::errors::Error;
use hyper::Uri;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_native_tls::TlsConnector;
use tower_service::Service;

use crate::adapters::{dial, ssh};
use crate::ports::PortError;

/// The longest that making a connection may take, TLS included.
const CONNECT: Duration = Duration::from_secs(10);

/// How long an idle connection to another machine is kept: shorter than what forgets them on the
/// way.
const IDLE: Duration = Duration::from_secs(20);

/// The same to a socket of this machine: as long as one look at a host takes, so that its many
/// questions share connections, and a change after a pause never meets one that has ended meanwhile.
const IDLE_HERE: Duration = Duration::from_millis(500);

/// How many idle connections are kept.
const IDLE_MAX: usize = 16;

/// The library's own limit; ours are shorter and say what was asked.
const NEVER: u64 = 24 * 60 * 60;

/// What a TLS connection needs, in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Whom the engine's certificate must be signed by.
    pub ca: Vec<u8>,
    /// Our certificate and its key, the key in PKCS #8.
    pub client: Option<(Vec<u8>, Vec<u8>)>,
}

/// Where an engine listens.
#[derive(Clone)]
pub(super) enum Line {
    /// A socket of this machine.
    Unix(PathBuf),
    /// A TCP port, with or without TLS.
    Tcp { host: String, port: u16, tls: Option<TlsConnector> },
    /// A socket of a machine that is reached over SSH.
    Ssh { host: Arc<ssh::Host>, socket: String },
}

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// An open connection of any kind.
pub(super) struct Wire(Pin<Box<dyn Stream>>);

impl std::fmt::Debug for TlsFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TlsFiles").finish_non_exhaustive()
    }
}

impl TlsFiles {
    /// A connector that trusts this authority alone.
    pub(super) fn connector(&self) -> Result<TlsConnector, PortError> {
        let refused = |what: &str, why: native_tls::Error| {
            PortError::Refused(format!("the {what} for the engine cannot be used: {why}"))
        };
        let mut builder = native_tls::TlsConnector::builder();
        builder.disable_built_in_roots(true);
        let authorities = native_tls::Certificate::stack_from_pem(&self.ca)
            .map_err(|why| refused("CA certificate", why))?;
        for authority in authorities {
            builder.add_root_certificate(authority);
        }
        if let Some((certificate, key)) = &self.client {
            let identity = native_tls::Identity::from_pkcs8(certificate, key).map_err(|why| {
                let hint = "a key in another form becomes PKCS #8 with \
                            `openssl pkcs8 -topk8 -nocrypt`";
                PortError::Refused(format!(
                    "our certificate and key for the engine cannot be used: {why}; {hint}"
                ))
            })?;
            builder.identity(identity);
        }
        builder.build().map(TlsConnector::from).map_err(|why| refused("TLS settings", why))
    }
}

/// Engines read a login in the alphabet of URLs and take one in the usual alphabet for none at all;
/// the library writes the usual one.
fn make_url_safe(request: &mut BollardRequest) {
    let Some(login) = request.headers_mut().get_mut("X-Registry-Auth") else { return };
    let text = String::from_utf8_lossy(login.as_bytes()).replace('+', "-").replace('/', "_");
    if let Ok(mut safe) = hyper::header::HeaderValue::from_str(&text) {
        safe.set_sensitive(true);
        *login = safe;
    }
}

impl Line {
    /// A client that speaks over this line; it connects when it is first asked something.
    pub(super) fn client(self) -> Result<bollard::Docker, Error> {
        let idle = match &self {
            Self::Unix(_) => IDLE_HERE,
            Self::Tcp { .. } | Self::Ssh { .. } => IDLE,
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_idle_timeout(idle)
            .pool_max_idle_per_host(IDLE_MAX)
            .build(self);
        let transport = move |mut request: BollardRequest| {
            let client = client.clone();
            make_url_safe(&mut request);
            async move { client.request(request).await.map_err(Error::from) }
        };
        let version = bollard::API_DEFAULT_VERSION;
        bollard::Docker::connect_with_custom_transport(
            transport,
            Some("http://docker"),
            NEVER,
            version,
        )
    }

    async fn connect(self) -> io::Result<TokioIo<Wire>> {
        let wire: Pin<Box<dyn Stream>> = match self {
            Self::Unix(path) => Box::pin(UnixStream::connect(path).await?),
            Self::Ssh { host, socket } => {
                let opened = host.open(ssh::Place::Socket(socket)).await;
                Box::pin(opened.map_err(io::Error::other)?)
            }
            Self::Tcp { host, port, tls } => {
                let stream = TcpStream::connect((host.as_str(), port)).await?;
                dial::prepare(&stream)?;
                match tls {
                    None => Box::pin(stream),
                    Some(tls) => {
                        Box::pin(tls.connect(&host, stream).await.map_err(io::Error::other)?)
                    }
                }
            }
        };
        Ok(TokioIo::new(Wire(wire)))
    }
}

impl Service<Uri> for Line {
    type Response = TokioIo<Wire>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Wire>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let line = self.clone();
        Box::pin(async move {
            // Each part of the way over SSH has a limit of its own, and says which one was met.
            if let Self::Ssh { .. } = line {
                return line.connect().await;
            }
            match tokio::time::timeout(CONNECT, line.connect()).await {
                Ok(connected) => connected,
                Err(_) => Err(io::Error::new(
                    io::ErrorKind::TimedOut,
                    format!("no connection within {} s", CONNECT.as_secs()),
                )),
            }
        })
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Wire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.0.as_mut().poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_mut().poll_shutdown(context)
    }
}
