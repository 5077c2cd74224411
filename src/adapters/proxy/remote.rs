//! A machine that is reached over SSH as a place for a proxy: a service of that host.
//!
//! Its files, commands, processes and sockets are looked at with the few programs that every host
//! has; connections to its listeners are made from the host itself, where they are always reached.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::kernel::{self, Connection, Process, Socket};
use super::local::reachable;
use super::shell::{COMMAND_LIMIT, Machine, Ran, Shell, Stream, Surroundings};
use crate::adapters::ssh::{Ended, Host, Place};
use crate::ports::PortError;

/// The administrator's programs are often not in the `PATH` of a command.
const RUN: &str = "PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin; export PATH; exec \"$@\"";

/// The parent and the numbers of every process, then the titles of those that may be a proxy's,
/// each after its number.
const PROCESSES: &str = "cd /proc; grep -s -e ^PPid: -e ^NSpid: [0-9]*/status; \
    for f in $(grep -ls -e nginx -e haproxy [0-9]*/cmdline); do \
    printf '#%s ' ${f%/*}; tr '\\000\\012' '  ' <$f 2>/dev/null; echo; done";

/// The sockets of a process's network, those that take connections and those that are connected.
const SOCKETS: &str = "cat /proc/\"$1\"/net/tcp; cat /proc/\"$1\"/net/tcp6 2>/dev/null; exit 0";

/// The open files of a process, as links.
const OPEN_FILES: &str = "exec ls -l /proc/\"$1\"/fd/";

const IS_WRITABLE: &str = "test -w \"$1\"";

/// A machine over SSH.
pub(super) struct Remote(pub(super) Arc<Host>);

impl Remote {
    async fn ask(&self, script: &'static str, words: &[&str]) -> Result<Ended, PortError> {
        self.0.ask(script, words).await
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[async_trait]
impl Shell for Remote {
    async fn read(&self, path: &str) -> Result<Option<String>, PortError> {
        Ok(self.0.read_file(path).await?.map(|bytes| text(&bytes)))
    }

    async fn replace(&self, path: &str, text: &str) -> Result<(), PortError> {
        self.0.replace_file(path, text.as_bytes()).await
    }

    async fn remove(&self, path: &str) -> Result<(), PortError> {
        self.0.remove_file(path).await
    }

    async fn run(&self, argv: &[String], limit: Duration) -> Result<Ran, PortError> {
        let words: Vec<&str> = argv.iter().map(String::as_str).collect();
        let ended = self.0.run(RUN, &words, b"", limit).await?;
        Ok(Ran { code: ended.code, stdout: text(&ended.stdout), stderr: text(&ended.stderr) })
    }

    async fn dial(&self, address: SocketAddr) -> Result<Box<dyn Stream>, PortError> {
        Machine::dial(self, reachable(address)).await
    }

    async fn dial_socket(&self, path: &str) -> Result<Box<dyn Stream>, PortError> {
        Machine::dial_socket(self, path).await
    }

    async fn processes(&self) -> Result<Vec<Process>, PortError> {
        // What runs in containers has another number there; it is not the host's.
        let all = Machine::processes(self).await?;
        Ok(all.into_iter().filter(|process| process.number == process.pid).collect())
    }

    async fn listening(&self) -> Result<Vec<Socket>, PortError> {
        Machine::listening(self, None).await
    }

    async fn connected(&self) -> Result<Option<Vec<Connection>>, PortError> {
        Machine::connected(self, None).await
    }

    async fn sockets_of(&self, pid: u32) -> Result<Option<Vec<u64>>, PortError> {
        Machine::sockets_of(self, pid).await
    }

    async fn surroundings(&self, path: &str) -> Result<Surroundings, PortError> {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let folder = if folder.is_empty() { "/" } else { folder };
        let obstacles = match self.ask(IS_WRITABLE, &[folder]).await?.code {
            0 => Vec::new(),
            _ => vec![format!(
                "the folder `{folder}` on {} is not there, or not ours to write in",
                self.0
            )],
        };
        let replicas_at = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        Ok(Surroundings { replicas_at, obstacles, is_running: true })
    }
}

#[async_trait]
impl Machine for Remote {
    async fn dial(&self, address: SocketAddr) -> Result<Box<dyn Stream>, PortError> {
        let place = Place::Tcp(address.ip().to_string(), address.port());
        Ok(Box::new(self.0.open(place).await?))
    }

    async fn dial_socket(&self, path: &str) -> Result<Box<dyn Stream>, PortError> {
        Ok(Box::new(self.0.open(Place::Socket(path.to_owned())).await?))
    }

    async fn processes(&self) -> Result<Vec<Process>, PortError> {
        let ended = self.0.run(PROCESSES, &[], b"", COMMAND_LIMIT).await?;
        Ok(kernel::listed(&text(&ended.stdout)))
    }

    async fn listening(&self, of: Option<u32>) -> Result<Vec<Socket>, PortError> {
        let whose = of.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
        let ended = self.ask(SOCKETS, &[&whose]).await?;
        Ok(kernel::listening(&text(&ended.stdout)))
    }

    async fn connected(&self, of: Option<u32>) -> Result<Option<Vec<Connection>>, PortError> {
        let whose = of.map_or_else(|| "self".to_owned(), |pid| pid.to_string());
        let ended = self.ask(SOCKETS, &[&whose]).await?;
        let said = text(&ended.stdout);
        // Without its first line the table was not there to be read.
        Ok(said.contains("local_address").then(|| kernel::connected(&said)))
    }

    async fn sockets_of(&self, pid: u32) -> Result<Option<Vec<u64>>, PortError> {
        let ended = self.ask(OPEN_FILES, &[&pid.to_string()]).await?;
        Ok((ended.code == 0).then(|| kernel::inodes(&text(&ended.stdout))))
    }
}
