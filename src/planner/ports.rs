//! Ports of hosts that replicas are published on: the lowest one that nobody has, and that no
//! proxy may still send to; the highest one while nobody knows where a proxy sends.

use std::collections::{BTreeMap, BTreeSet};

use super::wanted::fixed_port;
use super::world::World;
use crate::model::HostName;

/// What is taken on each host; looked up when a host is first asked for one.
pub(super) struct Ports {
    taken: BTreeMap<HostName, BTreeSet<u16>>,
    /// Taken on every host: what tables name, whose addresses may be any host's, and what the
    /// commit fixes.
    everywhere: BTreeSet<u16>,
}

impl Ports {
    pub(super) fn new(world: &World<'_>) -> Self {
        let mut everywhere = BTreeSet::new();
        for (_, table) in world.tables() {
            let servers = table.backends.values().flat_map(|backend| backend.servers.values());
            everywhere.extend(servers.map(|it| it.port));
            everywhere.extend(table.retired.iter().map(|it| it.port));
        }
        let services = world.request.desired.stacks.values().flat_map(|it| it.services.values());
        everywhere.extend(services.flat_map(|it| &it.container.ports).filter_map(fixed_port));
        Self { taken: BTreeMap::new(), everywhere }
    }

    /// The next free port of a host, which is taken from then on; `None` when there is none left.
    pub(super) fn take(&mut self, world: &World<'_>, host: &HostName) -> Option<u16> {
        let range = world.settings(host)?.ports;
        let taken = self.taken.entry(host.clone()).or_insert_with(|| of_host(world, host));
        let is_free = |port: &u16| !taken.contains(port) && !self.everywhere.contains(port);
        // A proxy whose file is gone may send to ports that nobody can name; they are low ones.
        let port = match world.is_remembered_anywhere() {
            true => (range.first..=range.last).rev().find(is_free)?,
            false => (range.first..=range.last).find(is_free)?,
        };
        taken.insert(port);
        Some(port)
    }
}

fn of_host(world: &World<'_>, host: &HostName) -> BTreeSet<u16> {
    let Some(state) = world.hosts.get(host) else { return BTreeSet::new() };
    let own = state.containers.values().flat_map(|it| it.config.bindings()).map(|it| it.at.port);
    let others = world.request.scope.taken.get(host).into_iter().flatten();
    state.foreign.ports.keys().chain(others).copied().chain(own).collect()
}
