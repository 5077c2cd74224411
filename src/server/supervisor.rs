//! A word to the service manager: ready, reloading, ending, still alive.
//!
//! systemd gives a datagram socket in `NOTIFY_SOCKET` and, where it watches, a time in
//! `WATCHDOG_USEC`. Where there is neither, everything here does nothing. A word that cannot be
//! said stops nobody.

use std::ffi::OsStr;
use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// What the service manager is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// It works; also after a reload.
    Ready,
    /// It reads its settings anew.
    Reloading,
    /// It ends what runs and then itself.
    Stopping,
    /// Its loop still goes round.
    Alive,
    /// One line for `systemctl status`.
    Status(String),
}

impl Word {
    /// As systemd reads it: one assignment a line.
    fn text(&self) -> String {
        match self {
            Self::Ready => "READY=1".to_owned(),
            Self::Reloading => "RELOADING=1".to_owned(),
            Self::Stopping => "STOPPING=1".to_owned(),
            Self::Alive => "WATCHDOG=1".to_owned(),
            Self::Status(line) => {
                let line: String =
                    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                format!("STATUS={line}")
            }
        }
    }
}

/// Whoever started the daemon, if it wants to be told anything.
#[derive(Debug, Default)]
pub struct Supervisor {
    socket: Option<(UnixDatagram, SocketAddr)>,
    patience: Option<Duration>,
}

impl Supervisor {
    /// From `NOTIFY_SOCKET`, `WATCHDOG_USEC` and `WATCHDOG_PID`, as the process got them, and its
    /// own number. Fails when the socket's name is none.
    pub fn new(
        socket: Option<&str>,
        watchdog: Option<&str>,
        watched: Option<&str>,
        process: u32,
    ) -> io::Result<Self> {
        let socket = match socket.filter(|name| !name.is_empty()) {
            Some(name) => {
                let sender = UnixDatagram::unbound()?;
                // A service manager that does not read must not hold us up.
                sender.set_nonblocking(true)?;
                Some((sender, address(name)?))
            }
            None => None,
        };
        let is_us = watched.is_none_or(|number| number.parse() == Ok(process));
        let patience = watchdog.filter(|_| is_us).and_then(|text| text.parse().ok());
        let patience = patience.filter(|micros| *micros > 0).map(Duration::from_micros);
        Ok(Self { socket, patience })
    }

    /// How often [`Word::Alive`] is to be said: twice as often as the service manager wants it.
    /// `None` when it does not watch.
    pub fn pulse(&self) -> Option<Duration> {
        self.patience.map(|patience| patience / 2)
    }

    /// Says it. The answer is whether it could be said; nothing depends on it.
    pub fn say(&self, word: &Word) -> bool {
        let Some((sender, address)) = &self.socket else { return false };
        sender.send_to_addr(word.text().as_bytes(), address).is_ok()
    }
}

/// `@name` is a name without a file.
fn address(name: &str) -> io::Result<SocketAddr> {
    match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name),
        None => SocketAddr::from_pathname(OsStr::from_bytes(name.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(socket: &UnixDatagram) -> String {
        let mut buffer = [0; 256];
        let length = socket.recv(&mut buffer).expect("a word");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    }

    #[test]
    fn every_word_arrives_as_systemd_reads_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).expect("a socket");
        let supervisor = Supervisor::new(path.to_str(), None, None, 1).expect("a supervisor");
        let status = Word::Status("3 stacks\nWATCHDOG=trigger".to_owned());
        let words = [Word::Ready, Word::Reloading, Word::Alive, Word::Stopping, status];
        let heard = words.map(|word| {
            assert!(supervisor.say(&word));
            heard(&socket)
        });
        assert_eq!(
            heard,
            [
                "READY=1",
                "RELOADING=1",
                "WATCHDOG=1",
                "STOPPING=1",
                "STATUS=3 stacks WATCHDOG=trigger"
            ]
        );
    }

    #[test]
    fn a_socket_without_a_file_is_found_too() {
        let name = format!("gitdeploy-test-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let socket = UnixDatagram::bind_addr(&address).expect("a socket");
        let supervisor = Supervisor::new(Some(&format!("@{name}")), None, None, 1);
        assert!(supervisor.expect("a supervisor").say(&Word::Ready));
        assert_eq!(heard(&socket), "READY=1");
    }

    #[test]
    fn without_a_service_manager_nothing_is_said() {
        let supervisor = Supervisor::new(None, None, None, 1).expect("nobody");
        assert!(!supervisor.say(&Word::Ready));
        assert_eq!(supervisor.pulse(), None);
    }

    #[test]
    fn a_service_manager_that_is_gone_stops_nobody() {
        let supervisor = Supervisor::new(Some("/nowhere/at/all"), None, None, 1);
        assert!(!supervisor.expect("a supervisor").say(&Word::Ready));
    }

    #[test]
    fn the_pulse_is_twice_as_fast_as_it_must_be_and_only_for_who_is_meant() {
        let pulse = |usec, pid| Supervisor::new(None, usec, pid, 7).expect("one").pulse();
        assert_eq!(pulse(Some("30000000"), None), Some(Duration::from_secs(15)));
        assert_eq!(pulse(Some("30000000"), Some("7")), Some(Duration::from_secs(15)));
        assert_eq!(pulse(Some("30000000"), Some("8")), None);
        assert_eq!(pulse(Some("0"), None), None);
        assert_eq!(pulse(Some("soon"), None), None);
    }
}
