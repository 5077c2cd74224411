//! The connection to one engine: opened when it is first needed, and no call without a deadline.
//!
//! No request names a version of the API, so each engine answers in its newest: what is asked for
//! has been in all of them for years, and what an answer has beside it is passed over.

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bollard::errors::Error;
use tokio::sync::OnceCell;

use super::fault::port_error;
use super::logins::Logins;
use super::wire::{Line, TlsFiles};
use crate::adapters::ssh;
use crate::ports::PortError;

/// For questions, and for changes that an engine makes at once.
pub(super) const QUICK: Duration = Duration::from_secs(30);

/// For what moves data or sets up a process: create, start, upload, remove.
pub(super) const SLOW: Duration = Duration::from_secs(120);

/// One Docker engine.
pub struct Docker {
    client: bollard::Docker,
    /// Whether it has answered once.
    reached: OnceCell<()>,
    way: Way,
    /// Who we are to registries.
    pub(super) logins: Option<Arc<Logins>>,
}

/// How the host of an engine is reached.
#[derive(Debug, Clone)]
pub(in crate::adapters) enum Way {
    /// It is this machine.
    Here,
    /// Over SSH.
    Ssh(Arc<ssh::Host>),
    /// Its engine answers, and nothing else.
    Far,
}

impl Docker {
    /// The engine behind a socket of this machine.
    pub fn unix(path: impl AsRef<Path>) -> Result<Self, PortError> {
        Self::over(Line::Unix(path.as_ref().to_owned()), Way::Here)
    }

    /// An engine behind a TCP port; without `tls`, whoever is on the way can do as it likes.
    pub fn tcp(host: &str, port: u16, tls: Option<TlsFiles>) -> Result<Self, PortError> {
        let tls = tls.map(|files| files.connector()).transpose()?;
        Self::over(Line::Tcp { host: host.to_owned(), port, tls }, Way::Far)
    }

    /// An engine behind a socket of a machine that is reached over SSH.
    pub fn ssh(host: Arc<ssh::Host>, socket: &str) -> Result<Self, PortError> {
        let way = Way::Ssh(Arc::clone(&host));
        Self::over(Line::Ssh { host, socket: socket.to_owned() }, way)
    }

    fn over(line: Line, way: Way) -> Result<Self, PortError> {
        let client = line.client().map_err(|error| port_error("speak to the engine", &error))?;
        Ok(Self { client, reached: OnceCell::new(), way, logins: None })
    }

    /// With these logins for registries; each goes along with a request for an image and stays
    /// nowhere.
    #[must_use]
    pub fn with_logins(self, logins: Arc<Logins>) -> Self {
        Self { logins: Some(logins), ..self }
    }

    /// How the engine's host is reached, for what its API does not tell.
    pub(in crate::adapters) fn way(&self) -> &Way {
        &self.way
    }

    /// The client of an engine that answers. Whatever fails here, nothing was asked yet.
    ///
    /// A ping takes an engine well below a millisecond; its version 7 ms, since it asks the programs
    /// beneath it for theirs.
    pub(super) async fn api(&self) -> Result<&bollard::Docker, PortError> {
        let reach =
            async || within(QUICK, "reach the Docker engine", self.client.ping()).await.map(drop);
        self.reached.get_or_try_init(reach).await.map_err(|error| match error {
            PortError::Unknown(message) => PortError::Unreachable(message),
            other => other,
        })?;
        Ok(&self.client)
    }
}

impl fmt::Debug for Docker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Docker").field("way", &self.way).finish_non_exhaustive()
    }
}

/// The answer of `call`, which tries to `what`, or our word for why there is none.
pub(super) async fn within<T>(
    time: Duration,
    what: &str,
    call: impl Future<Output = Result<T, Error>>,
) -> Result<T, PortError> {
    match tokio::time::timeout(time, call).await {
        Ok(answer) => answer.map_err(|error| port_error(what, &error)),
        Err(_) => Err(late(time, what)),
    }
}

/// What to say when a deadline passed.
pub(super) fn late(time: Duration, what: &str) -> PortError {
    PortError::Unknown(format!("could not {what}: no answer within {} s", time.as_secs()))
}
