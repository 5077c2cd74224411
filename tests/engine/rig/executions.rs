//! Who carried out which request how often: told by the applications with a datagram each.
//!
//! A container's log goes with the container, so it cannot tell what an old replica did.

use std::collections::BTreeMap;
use std::net::UdpSocket;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::process::docker;

/// Collects ids until dropped.
pub(crate) struct Executions {
    port: u16,
    counts: Arc<Mutex<BTreeMap<String, u32>>>,
}

impl Executions {
    pub(crate) fn listen() -> Self {
        let socket = UdpSocket::bind("0.0.0.0:0").expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
        let port = socket.local_addr().expect("an address").port();
        let counts = Arc::new(Mutex::new(BTreeMap::new()));
        let theirs = Arc::downgrade(&counts);
        thread::spawn(move || {
            let mut buffer = [0; 256];
            while let Some(counts) = theirs.upgrade() {
                if let Ok(length) = socket.recv(&mut buffer) {
                    let id = String::from_utf8_lossy(&buffer[..length]).into_owned();
                    *counts.lock().expect("counts").entry(id).or_default() += 1;
                }
            }
        });
        Self { port, counts }
    }

    /// The value of `REPORT_TO` for applications of this machine.
    pub(crate) fn for_host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The value of `REPORT_TO` for applications in containers, whatever their network: an address
    /// of this machine that all of them can reach.
    pub(crate) fn for_containers(&self) -> String {
        let format = "{{with index .IPAM.Config 0}}{{.Gateway}} {{.Subnet}}{{end}}";
        let bridge = docker(&["network", "inspect", "bridge", "-f", format]);
        let (gateway, subnet) = bridge.split_once(' ').expect("two words");
        // Some engines do not say it for their own network until something runs there.
        let gateway = match (gateway, subnet.rsplit_once('.')) {
            ("", Some((head, _))) => format!("{head}.1"),
            _ => gateway.to_owned(),
        };
        format!("{gateway}:{}", self.port)
    }

    /// How often each id was carried out.
    pub(crate) fn counts(&self) -> BTreeMap<String, u32> {
        // A datagram may still be on its way when the answer to its request has come.
        thread::sleep(Duration::from_millis(100));
        self.counts.lock().expect("counts").clone()
    }
}
