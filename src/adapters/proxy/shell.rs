//! What a proxy needs of the place it runs in: files, commands, connections, processes.
//!
//! The two proxies know only [`Shell`], so each of them runs as a service of a host and as a
//! container without a word about it. Everything here ends by a deadline.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncWrite};

use super::kernel::{Connection, Process, Socket};
use crate::ports::PortError;

/// The longest that a command of a proxy may take: a check of a large configuration takes seconds.
pub(super) const COMMAND_LIMIT: Duration = Duration::from_secs(30);

/// The longest that a connection may take to be there; all of them are on one machine.
pub(super) const DIAL_LIMIT: Duration = Duration::from_secs(2);

/// A connection of any kind.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What a command left behind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Ran {
    /// Its exit code; -1 when a signal ended it.
    pub(super) code: i64,
    /// Its standard output.
    pub(super) stdout: String,
    /// Its standard error.
    pub(super) stderr: String,
}

/// The place that one proxy runs in. Paths and commands are meant there.
#[async_trait]
pub(super) trait Shell: Send + Sync {
    /// A file's text; `None` when there is none.
    async fn read(&self, path: &str) -> Result<Option<String>, PortError>;

    /// Puts a file in place in one step: who opens the path finds the old text or the new one.
    async fn replace(&self, path: &str, text: &str) -> Result<(), PortError>;

    /// Writes a file that one command of ours reads and nobody else: it need be neither in place in
    /// one step nor there after a crash of the machine.
    async fn draft(&self, path: &str, text: &str) -> Result<(), PortError> {
        self.replace(path, text).await
    }

    /// Removes a file; one that is not there is fine.
    async fn remove(&self, path: &str) -> Result<(), PortError>;

    /// Runs a command to its end.
    async fn run(&self, argv: &[String], limit: Duration) -> Result<Ran, PortError>;

    /// Connects to an address that the proxy listens on. An unspecified address is any that
    /// reaches it.
    async fn dial(&self, address: SocketAddr) -> Result<Box<dyn Stream>, PortError>;

    /// Connects to a socket in the file system.
    async fn dial_socket(&self, path: &str) -> Result<Box<dyn Stream>, PortError>;

    /// Every process of the place.
    async fn processes(&self) -> Result<Vec<Process>, PortError>;

    /// Every TCP socket of the place that listens.
    async fn listening(&self) -> Result<Vec<Socket>, PortError>;

    /// Every TCP connection of the place; `None` when that cannot be seen.
    async fn connected(&self) -> Result<Option<Vec<Connection>>, PortError> {
        Ok(None)
    }

    /// The inodes of the sockets that a process has open; `None` when that must not be seen.
    async fn sockets_of(&self, pid: u32) -> Result<Option<Vec<u64>>, PortError>;

    /// The address at which the place reaches replicas that are published on its host, and what of
    /// the place itself stands in the way of replacing the file at `path`.
    async fn surroundings(&self, path: &str) -> Result<Surroundings, PortError>;
}

/// What a machine shows of itself to whoever looks after a container on it.
#[async_trait]
pub(super) trait Machine: Send + Sync {
    /// Connects to an address as the machine sees it.
    async fn dial(&self, address: SocketAddr) -> Result<Box<dyn Stream>, PortError>;

    /// Connects to a socket in its file system.
    async fn dial_socket(&self, path: &str) -> Result<Box<dyn Stream>, PortError>;

    /// Its processes, those in containers too. A title may be left out where it is not a proxy's.
    async fn processes(&self) -> Result<Vec<Process>, PortError>;

    /// The TCP sockets that listen in the network of a process; its own when `None`.
    async fn listening(&self, of: Option<u32>) -> Result<Vec<Socket>, PortError>;

    /// The TCP connections there; `None` when they cannot be seen.
    async fn connected(&self, of: Option<u32>) -> Result<Option<Vec<Connection>>, PortError>;

    /// As [`Shell::sockets_of`].
    async fn sockets_of(&self, pid: u32) -> Result<Option<Vec<u64>>, PortError>;
}

/// Where a proxy stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Surroundings {
    /// How it reaches replicas on its own host; `None` when it cannot.
    pub(super) replicas_at: Option<std::net::IpAddr>,
    /// What stands in the way, in words.
    pub(super) obstacles: Vec<String>,
    /// Whether commands can be run there now.
    pub(super) is_running: bool,
}

impl Ran {
    /// Both outputs without what is usual and empty, the part that a person wants to read.
    pub(super) fn said(&self) -> String {
        let lines = self.stderr.lines().chain(self.stdout.lines());
        let kept = lines.map(str::trim_end).filter(|line| !line.is_empty());
        kept.collect::<Vec<_>>().join("\n")
    }

    /// The output, or what the command said when it failed.
    pub(super) fn ok(self, argv: &[String]) -> Result<Self, PortError> {
        match self.code {
            0 => Ok(self),
            code => Err(PortError::Refused(format!(
                "`{}` ended with code {code}: {}",
                argv.join(" "),
                self.said()
            ))),
        }
    }
}

/// A command of fixed words.
pub(super) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Waits no longer than `limit`.
pub(super) async fn within<T>(
    limit: Duration,
    what: &str,
    work: impl Future<Output = Result<T, PortError>>,
) -> Result<T, PortError> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(PortError::Unknown(format!("{what} took longer than {limit:?}"))),
    }
}
