//! Ports of hosts that replicas are published on: the lowest one that nobody has, and that no
//! proxy may still send to.

use std::collections::{BTreeMap, BTreeSet};

use super::wanted::fixed_port;
use super::world::{World, bindings};
use crate::model::HostName;

/// What is taken on each host.
pub(super) struct Ports {
    taken: BTreeMap<HostName, BTreeSet<u16>>,
    /// Taken on every host: what tables name, whose addresses may be any host's, and what the
    /// commit fixes.
    everywhere: BTreeSet<u16>,
}

impl Ports {
    pub(super) fn new(world: &World<'_>) -> Self {
        let mut taken: BTreeMap<HostName, BTreeSet<u16>> = BTreeMap::new();
        for (host, state) in &world.hosts {
            let own = state.containers.values().flat_map(bindings).map(|it| it.at.port);
            let all = state.foreign.ports.keys().copied().chain(own).collect();
            taken.insert((*host).clone(), all);
        }
        let mut everywhere = BTreeSet::new();
        for (_, table) in world.tables() {
            everywhere.extend(table.endpoints().into_iter().map(|it| it.port));
            everywhere.extend(table.retired.iter().map(|it| it.port));
        }
        let services = world.request.desired.stacks.values().flat_map(|it| it.services.values());
        everywhere.extend(services.flat_map(|it| &it.container.ports).filter_map(fixed_port));
        Self { taken, everywhere }
    }

    /// The next free port of a host, which is taken from then on; `None` when there is none left.
    pub(super) fn take(&mut self, world: &World<'_>, host: &HostName) -> Option<u16> {
        let range = world.settings(host)?.ports;
        let taken = self.taken.entry(host.clone()).or_default();
        let is_free = |port: &u16| !taken.contains(port) && !self.everywhere.contains(port);
        let port = (range.first..=range.last).find(is_free)?;
        taken.insert(port);
        Some(port)
    }
}
