//! What was seen by whose it is: a fleet is asked for each of its services, and nobody can look
//! through all hosts for each of them. Made once, in one walk over hosts and proxies; over hosts on
//! several processors.

use std::collections::{BTreeMap, BTreeSet};

use super::{Known, Server, Sighting, World};
use crate::model::{
    Endpoint, Generation, HostName, HostState, Image, LiveContainer, ProxyPlace, ServiceName,
    StackName,
};
use crate::planner::parts::{both, in_parts};

/// What was seen, by whose it is.
#[derive(Default)]
pub(super) struct Seen<'a> {
    pub(super) containers: BTreeMap<&'a StackName, BTreeMap<&'a ServiceName, Vec<Sighting<'a>>>>,
    pub(super) hosts: BTreeMap<&'a StackName, Vec<(&'a HostName, &'a HostState)>>,
    /// The networks of each stack, with their hosts.
    pub(super) networks: BTreeMap<&'a StackName, Vec<(&'a HostName, &'a str)>>,
    /// The generation of the youngest container of each stack.
    pub(super) born: BTreeMap<&'a StackName, Generation>,
    /// The generation of the last release of each stack.
    pub(super) released: BTreeMap<&'a StackName, Generation>,
    /// Stacks with networks or releases.
    pub(super) connected: BTreeSet<&'a StackName>,
    /// By the names of containers.
    pub(super) servers: Vec<Server<'a>>,
    pub(super) retired: BTreeMap<&'a Endpoint, Vec<&'a ProxyPlace>>,
    pub(super) backends: BTreeMap<&'a StackName, BTreeMap<&'a ServiceName, Vec<Known<'a>>>>,
    /// References of images that some registry did not say anything about.
    pub(super) unchecked: BTreeSet<&'a str>,
    /// Whether any host is drained.
    pub(super) is_drained: bool,
    /// Places that serve from memory.
    pub(super) forgetful: Vec<&'a ProxyPlace>,
}

impl<'a> Seen<'a> {
    pub(super) fn of(world: &World<'a>) -> Self {
        let hosts: Vec<_> = world.hosts.iter().map(|(host, state)| (*host, *state)).collect();
        let on_hosts = || {
            let parts = in_parts(&hosts, |part| {
                let mut seen = Self::default();
                part.iter().for_each(|(host, state)| seen.host(world, host, state));
                vec![seen]
            });
            let mut parts = parts.into_iter();
            let mut seen = parts.next().unwrap_or_default();
            parts.for_each(|part| seen.join(part));
            seen
        };
        let (at_proxies, on_hosts) = both(|| Self::at_proxies(world), on_hosts);
        let Self { backends, servers, retired, forgetful, .. } = at_proxies;
        Self { backends, servers, retired, forgetful, ..on_hosts }
    }

    /// What proxies say.
    fn at_proxies(world: &World<'a>) -> Self {
        let mut seen = Self::default();
        for (place, table) in world.tables() {
            for (key, backend) in &table.backends {
                let services = seen.backends.entry(&key.stack).or_default();
                services.entry(&key.service).or_default().push(Known { place, key, backend });
                let servers = backend.servers.iter();
                seen.servers.extend(servers.map(|(container, at)| Server {
                    container,
                    place,
                    key,
                    at,
                }));
            }
            for at in &table.retired {
                seen.retired.entry(at).or_default().push(place);
            }
        }
        seen.servers.sort_by_key(|it| it.container);
        let places = world.proxies.keys().copied();
        seen.forgetful = places.filter(|place| world.serves_from_memory(place)).collect();
        seen
    }

    /// Adds what was noted on hosts that come behind.
    fn join(&mut self, mut behind: Self) {
        merge(&mut self.containers, behind.containers, |known, services| {
            merge(known, services, Vec::extend);
        });
        merge(&mut self.hosts, behind.hosts, Vec::extend);
        merge(&mut self.networks, behind.networks, Vec::extend);
        let later = |known: &mut Generation, it: Generation| *known = it.max(*known);
        merge(&mut self.born, behind.born, later);
        merge(&mut self.released, behind.released, later);
        self.connected.append(&mut behind.connected);
        self.unchecked.append(&mut behind.unchecked);
        self.is_drained |= behind.is_drained;
    }

    /// Notes what is on a host. By their names, containers of one stack and of one service follow
    /// each other, so that each is looked up once.
    fn host(&mut self, world: &World<'a>, host: &'a HostName, state: &'a HostState) {
        let settings = world.settings(host);
        let all: Vec<&LiveContainer> = state.containers.values().collect();
        let mut here: BTreeSet<&StackName> = BTreeSet::new();
        for some in all.chunk_by(|a, b| a.identity.stack == b.identity.stack) {
            let stack = &some[0].identity.stack;
            here.insert(stack);
            let youngest = some.iter().map(|live| live.identity.generation).max();
            raise(&mut self.born, stack, youngest.unwrap_or_default());
            let services = self.containers.entry(stack).or_default();
            for some in some.chunk_by(|a, b| a.identity.service == b.identity.service) {
                let known = services.entry(&some[0].identity.service).or_default();
                known.extend(some.iter().map(|live| Sighting { host, state, live, settings }));
            }
        }
        for (stack, release) in &state.releases {
            raise(&mut self.released, stack, release.generation);
        }
        let mut connected: BTreeSet<&StackName> = state.releases.keys().collect();
        for (name, network) in &state.networks {
            let Some(stack) = &network.stack else { continue };
            connected.insert(stack);
            self.networks.entry(stack).or_default().push((host, name));
        }
        here.extend(state.volumes.values().filter_map(|it| it.stack.as_ref()));
        here.extend(&connected);
        for stack in here {
            self.hosts.entry(stack).or_default().push((host, state));
        }
        self.connected.extend(connected);
        let is_unchecked = |image: &Image| image.unchecked.is_some();
        let images = state.images.iter().filter(|(_, it)| it.as_ref().is_ok_and(is_unchecked));
        self.unchecked.extend(images.map(|(reference, _)| reference.as_str()));
        self.is_drained |= state.drained.is_some();
    }
}

/// Puts two maps together, in one walk over both. Most stacks are on neighbouring hosts, so that
/// few are in both: those are joined.
fn merge<K: Ord + Copy, V>(
    known: &mut BTreeMap<K, V>,
    mut behind: BTreeMap<K, V>,
    join: impl Fn(&mut V, V),
) {
    let mut others = behind.keys().peekable();
    let mut in_both = Vec::new();
    for (key, value) in &mut *known {
        while others.next_if(|other| *other < key).is_some() {}
        if others.next_if_eq(&key).is_some() {
            in_both.push((*key, value));
        }
    }
    for (key, value) in in_both {
        behind.remove(&key).into_iter().for_each(|more| join(value, more));
    }
    known.append(&mut behind);
}

/// Notes a generation, unless a later one is known.
fn raise<'a>(
    all: &mut BTreeMap<&'a StackName, Generation>,
    stack: &'a StackName,
    generation: Generation,
) {
    let known = all.entry(stack).or_insert(generation);
    *known = generation.max(*known);
}
