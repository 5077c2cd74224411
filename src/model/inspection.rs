//! What a look at hosts and proxies alone has found, and how hosts become nodes of one swarm.

use std::net::IpAddr;
use std::time::Duration;

use super::{Fault, HostName, HostState, Millis, ProxyPlace, ProxyState};

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Inspection {
    /// When, by our own clock.
    pub at: Millis,
    /// Every host of the inventory, by name.
    pub hosts: Vec<HostInspection>,
    /// Every proxy on each of its hosts.
    pub proxies: Vec<ProxyInspection>,
}

/// Room on the disk where an engine keeps images, containers and volumes, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What may still be used.
    pub free: u64,
    /// The whole disk.
    pub total: u64,
}

impl Room {
    /// With less than this, or than a twentieth of a small disk, free, no image is brought: the engine
    /// needs some itself, for the log of whatever runs.
    const LEAST: u64 = 256 << 20;

    /// Whether there is so little that nothing more should be put there.
    pub fn is_used_up(&self) -> bool {
        self.free < Self::LEAST.min(self.total / 20)
    }
}

/// One host.
#[derive(Debug, Clone)]
pub struct HostInspection {
    /// Its name.
    pub host: HostName,
    /// What it is and has, or why that is not known.
    pub seen: Result<HostState, Fault>,
    /// Room on its disk; `None` where that cannot be known, as an engine does not tell it.
    pub room: Option<Room>,
    /// How long the whole look took.
    pub took: Duration,
    /// Our clock when the host said what its own clock says, half of the time of the look off.
    pub at: Millis,
}

/// One proxy on one host.
#[derive(Debug, Clone)]
pub struct ProxyInspection {
    /// Which.
    pub place: ProxyPlace,
    /// What it is and does, or why that is not known.
    pub seen: Result<ProxyState, Fault>,
    /// What its own test says of the configuration as it is now; `None` when it was not asked.
    pub test: Option<Result<(), Fault>>,
}

/// One engine's way into the swarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joining {
    /// The engine.
    pub host: HostName,
    /// The address at which the other nodes reach it.
    pub address: IpAddr,
    /// The manager that lets it in; `None` for the one that makes the swarm.
    pub by: Option<HostName>,
    /// Whether it becomes a manager.
    pub as_manager: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_used_up_below_a_fixed_rest_and_a_small_one_below_a_share() {
        let is_used_up =
            |free: u64, total: u64| Room { free: free << 20, total: total << 20 }.is_used_up();
        assert!(is_used_up(255, 100_000) && !is_used_up(256, 100_000));
        assert!(is_used_up(4, 100) && !is_used_up(5, 100));
    }
}
