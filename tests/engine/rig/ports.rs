//! Ports of this machine that no other test uses, in this process or any other.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the range that the kernel gives to connections that go out.
const FIRST: u16 = 20_000;
const BLOCKS: u16 = 240;
const BLOCK: u16 = 50;
/// How many of a block are for what a test itself starts; the rest is for replicas.
const OWN: u16 = 10;

/// A block of ports: the first is listened on for as long as the block is in use, which tells all
/// other processes that it is.
pub(crate) struct Ports {
    _claim: TcpListener,
    first: u16,
    taken: AtomicU16,
}

impl Ports {
    pub(crate) fn claim() -> Self {
        // Processes start at different places, or they would all wait for the same blocks.
        let start = u16::try_from(std::process::id() % u32::from(BLOCKS)).expect("a small number");
        let blocks = (0..BLOCKS).map(|n| FIRST + (start * 7 + n) % BLOCKS * BLOCK);
        let free = |first: u16| {
            let claim = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).ok()?;
            (first + 1..first + BLOCK).all(is_free).then_some((first, claim))
        };
        let (first, claim) = blocks.into_iter().find_map(free).expect("a free block of ports");
        Self { _claim: claim, first, taken: AtomicU16::new(1) }
    }

    /// A port for something the test itself starts.
    pub(crate) fn next(&self) -> u16 {
        let index = self.taken.fetch_add(1, Ordering::Relaxed);
        assert!(index < OWN, "a test has {OWN} ports of its own");
        self.first + index
    }

    /// Those for `ports:` of a host.
    pub(crate) fn replicas(&self) -> RangeInclusive<u16> {
        self.first + OWN..=self.first + BLOCK - 1
    }
}

fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}
