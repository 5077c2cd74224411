//! The application as a process of this machine, for load without an engine in between.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::images::app_program;
use super::ports::Ports;
use super::process::Background;

/// Runs until dropped.
pub(crate) struct HostApp {
    pub(crate) address: SocketAddr,
    pub(crate) process: Background,
    _ports: Ports,
    _folder: TempDir,
}

impl HostApp {
    /// Starts it with these variables, and waits until it listens.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        let (ports, folder) = (Ports::claim(), tempfile::tempdir().expect("a temporary folder"));
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports.next()));
        let mut command = Command::new(app_program());
        command.env_clear().env("PORT", address.port().to_string()).env("VERSION", "v1");
        command.env("START_DELAY_MS", "0").envs(variables.iter().copied());
        let process = Background::start(&mut command, &folder.path().join("log"));
        let since = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(since.elapsed() < Duration::from_secs(60), "the application does not listen");
            thread::sleep(Duration::from_millis(10));
        }
        Self { address, process, _ports: ports, _folder: folder }
    }
}
