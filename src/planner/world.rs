//! The observed state by the questions a planner has: who has this slot, which table names this
//! container, which port does it hold. Answers only; no decision.

mod seen;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use self::seen::Seen;
use super::Request;
use crate::model::{
    Backend, BackendKey, Endpoint, Fault, Generation, HostName, HostState, LiveContainer,
    ProxyPlace, ProxyState, RoutingTable, ServiceName, StackName,
};
use crate::settings::{self, Address, Runs};

/// One container of ours and where it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sighting<'a> {
    pub(super) host: &'a HostName,
    pub(super) state: &'a HostState,
    pub(super) live: &'a LiveContainer,
    /// What the inventory says of the host.
    pub(super) settings: Option<&'a settings::Host>,
}

/// Everything that was seen, as the planner asks for it.
pub(super) struct World<'a> {
    pub(super) request: &'a Request<'a>,
    /// Hosts that answered.
    pub(super) hosts: BTreeMap<&'a HostName, &'a HostState>,
    /// Hosts of the inventory that did not, with why.
    pub(super) silent: BTreeMap<&'a HostName, &'a Fault>,
    /// Proxies that answered.
    pub(super) proxies: BTreeMap<&'a ProxyPlace, &'a ProxyState>,
    /// Proxies that did not, with why.
    pub(super) silent_proxies: BTreeMap<&'a ProxyPlace, &'a Fault>,
    seen: Seen<'a>,
}

impl<'a> World<'a> {
    pub(super) fn new(request: &'a Request<'a>) -> Self {
        let observed = request.observed;
        let mut world = Self {
            request,
            hosts: BTreeMap::new(),
            silent: BTreeMap::new(),
            proxies: BTreeMap::new(),
            silent_proxies: BTreeMap::new(),
            seen: Seen::default(),
        };
        for (name, seen) in &observed.hosts {
            match seen {
                Ok(state) => drop(world.hosts.insert(name, state)),
                Err(fault) => drop(world.silent.insert(name, fault)),
            }
        }
        for (place, seen) in &observed.proxies {
            match seen {
                Ok(state) => drop(world.proxies.insert(place, state)),
                Err(fault) => drop(world.silent_proxies.insert(place, fault)),
            }
        }
        world.seen = Seen::of(&world);
        world
    }

    /// All containers of ours on hosts that answered.
    pub(super) fn containers(&self) -> impl Iterator<Item = Sighting<'a>> + '_ {
        self.hosts.iter().flat_map(|(host, state)| {
            let settings = self.settings(host);
            state.containers.values().map(move |live| Sighting { host, state, live, settings })
        })
    }

    /// The containers of one service, helpers included, in the order of their hosts and names.
    pub(super) fn of_service(&self, stack: &StackName, service: &ServiceName) -> &[Sighting<'a>] {
        let services = self.seen.containers.get(stack);
        services.and_then(|services| services.get(service)).map_or(&[], Vec::as_slice)
    }

    /// The containers of every service, helpers included.
    pub(super) fn services_seen(
        &self,
    ) -> impl Iterator<Item = (&'a StackName, &'a ServiceName, &[Sighting<'a>])> + '_ {
        self.seen.containers.iter().flat_map(|(stack, services)| {
            services.iter().map(|(service, all)| (*stack, *service, all.as_slice()))
        })
    }

    /// The services of a stack that have containers.
    pub(super) fn services(&self, stack: &StackName) -> impl Iterator<Item = &'a ServiceName> + '_ {
        let services = self.seen.containers.get(stack);
        services.into_iter().flat_map(BTreeMap::keys).copied()
    }

    /// The hosts on which anything of a stack is.
    pub(super) fn hosts_of(
        &self,
        stack: &StackName,
    ) -> impl Iterator<Item = (&'a HostName, &'a HostState)> + '_ {
        self.seen.hosts.get(stack).into_iter().flatten().copied()
    }

    /// The networks of a stack that are there, with their hosts.
    pub(super) fn networks_of(&self, stack: &StackName) -> &[(&'a HostName, &'a str)] {
        self.seen.networks.get(stack).map_or(&[], Vec::as_slice)
    }

    /// The services of a stack that proxies know.
    pub(super) fn routed(&self, stack: &StackName) -> impl Iterator<Item = &'a ServiceName> + '_ {
        let services = self.seen.backends.get(stack);
        services.into_iter().flat_map(BTreeMap::keys).copied()
    }

    /// The places that have backends of a stack; one for each backend.
    pub(super) fn places_of(&self, stack: &StackName) -> impl Iterator<Item = &'a ProxyPlace> + '_ {
        let services = self.seen.backends.get(stack);
        services.into_iter().flat_map(BTreeMap::values).flatten().map(|known| known.place)
    }

    /// Every stack of which something is there.
    pub(super) fn stacks(&self) -> BTreeSet<&'a StackName> {
        let of_containers = self.seen.containers.keys().copied();
        let of_networks = self.seen.connected.iter().copied();
        let of_tables = self.seen.backends.keys().copied();
        of_containers.chain(of_networks).chain(of_tables).collect()
    }

    /// The routing tables that are in effect.
    pub(super) fn tables(&self) -> impl Iterator<Item = (&'a ProxyPlace, &'a RoutingTable)> + '_ {
        self.proxies.iter().filter_map(|(place, state)| Some((*place, state.table.as_ref()?)))
    }

    /// Whether some place sends to a container.
    pub(super) fn is_routed(&self, container: &str) -> bool {
        !self.servers(container).is_empty()
    }

    /// The backends that a container is a server of, with the address it has there.
    pub(super) fn servers(&self, container: &str) -> &[Server<'a>] {
        let all = &self.seen.servers;
        let first = all.partition_point(|it| it.container < container);
        let many = all[first..].iter().take_while(|it| it.container == container).count();
        &all[first..first + many]
    }

    /// The places that an address was taken out of lately.
    pub(super) fn retired(&self, at: &Endpoint) -> &[&'a ProxyPlace] {
        self.seen.retired.get(at).map_or(&[], Vec::as_slice)
    }

    /// The backends of a service, over all places.
    pub(super) fn backends_of(&self, stack: &StackName, service: &ServiceName) -> &[Known<'a>] {
        let services = self.seen.backends.get(stack);
        services.and_then(|services| services.get(service)).map_or(&[], Vec::as_slice)
    }

    /// Whether a container of that name was seen anywhere.
    pub(super) fn has_seen(&self, name: &str) -> bool {
        self.hosts.values().any(|state| state.containers.contains_key(name))
    }

    /// Places that still serve what a file said that is gone, or that an older one has replaced:
    /// nobody knows whom they send to.
    pub(super) fn serves_from_memory(&self, place: &ProxyPlace) -> bool {
        self.has_lost_file(place) || self.has_older_file(place)
    }

    /// Places that still serve what a file said that is gone.
    pub(super) fn has_lost_file(&self, place: &ProxyPlace) -> bool {
        let is_so = |state: &&ProxyState| state.file.is_none() && state.serving.is_some();
        self.proxies.get(place).is_some_and(is_so)
    }

    /// Places with an older file than the one that they serve: somebody has put it back, or a run
    /// that did so was cut off.
    pub(super) fn has_older_file(&self, place: &ProxyPlace) -> bool {
        let table = |state: &ProxyState| Some(state.table.as_ref()?.generation);
        let is_so = |state: &&ProxyState| table(state).is_some_and(|it| state.serving > Some(it));
        self.proxies.get(place).is_some_and(is_so)
    }

    /// Whether a container does not run, for all that anybody can tell.
    pub(super) fn is_gone(&self, name: &str) -> bool {
        let mut seen =
            self.hosts.values().filter_map(|state| state.containers.get(name)).peekable();
        match seen.peek() {
            Some(_) => seen.all(|live| !live.state.is_running()),
            None => self.silent.is_empty(),
        }
    }

    /// Whether a registry left it open, for some host, what an image is.
    pub(super) fn is_unchecked(&self, image: &str) -> bool {
        self.seen.unchecked.contains(image)
    }

    /// Whether any host is drained.
    pub(super) fn is_any_drained(&self) -> bool {
        self.seen.is_drained
    }

    /// Whether any place serves from memory.
    pub(super) fn is_remembered_anywhere(&self) -> bool {
        !self.seen.forgetful.is_empty()
    }

    /// Places of which an old generation may still send to an address.
    pub(super) fn may_send(&self, at: &Endpoint) -> impl Iterator<Item = &'a ProxyPlace> + '_ {
        self.retired(at).iter().chain(&self.seen.forgetful).copied()
    }

    /// The settings of a host.
    pub(super) fn settings(&self, host: &HostName) -> Option<&'a settings::Host> {
        self.request.inventory.hosts.get(host.as_str())
    }

    /// The settings of a proxy.
    pub(super) fn proxy(&self, name: &str) -> Option<&'a settings::Proxy> {
        self.request.inventory.proxies.get(name)
    }

    /// The address at which a proxy reaches what `host` publishes for it; or why it cannot.
    pub(super) fn address(&self, place: &ProxyPlace, host: &HostName) -> Result<IpAddr, String> {
        self.address_of(place, host, || self.settings(host))
    }

    /// The address at which a proxy reaches what a container publishes for it; or why it cannot.
    pub(super) fn address_at(
        &self,
        place: &ProxyPlace,
        it: Sighting<'_>,
    ) -> Result<IpAddr, String> {
        self.address_of(place, it.host, || it.settings)
    }

    fn address_of<'s>(
        &self,
        place: &ProxyPlace,
        host: &HostName,
        settings: impl FnOnce() -> Option<&'s settings::Host>,
    ) -> Result<IpAddr, String> {
        if place.host == *host {
            return self.local_address(place);
        }
        match settings().map(|settings| &settings.address) {
            Some(Address::Ip(ip)) if !ip.is_loopback() => Ok(*ip),
            Some(Address::Ip(ip)) => Err(format!(
                "the proxy {} on {} cannot reach {host} at {ip}, which is {host} itself",
                place.proxy, place.host
            )),
            Some(Address::Name(name)) => Err(format!(
                "the proxy {} on {} needs an address to reach {host}, and `{name}` is a name",
                place.proxy, place.host
            )),
            None => Err(format!("the host {host} is not in the inventory")),
        }
    }

    fn local_address(&self, place: &ProxyPlace) -> Result<IpAddr, String> {
        if let Some(at) = self.proxies.get(place).and_then(|state| state.replicas_at) {
            return Ok(at);
        }
        match self.proxy(place.proxy.as_str()).map(|proxy| &proxy.runs) {
            Some(Runs::Host) => Ok(IpAddr::from([127, 0, 0, 1])),
            Some(Runs::Container(name)) => Err(format!(
                "the proxy {} runs in the container {name} on {}, and no network of it leads to \
                 the host",
                place.proxy, place.host
            )),
            None => Err(format!("the proxy {} is not in the inventory", place.proxy)),
        }
    }

    /// The generation that the next change of a stack has.
    pub(super) fn next_generation(&self, stack: &StackName) -> Generation {
        self.born(stack).max(self.released(stack)).unwrap_or_default() + 1
    }

    /// The generation of the youngest container of a stack.
    pub(super) fn born(&self, stack: &StackName) -> Option<Generation> {
        self.seen.born.get(stack).copied()
    }

    /// The generation of the last release of a stack.
    pub(super) fn released(&self, stack: &StackName) -> Option<Generation> {
        self.seen.released.get(stack).copied()
    }
}

/// A backend that a container is a server of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Server<'a> {
    pub(super) container: &'a str,
    pub(super) place: &'a ProxyPlace,
    pub(super) key: &'a BackendKey,
    pub(super) at: &'a Endpoint,
}

/// A backend of a service.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    pub(super) place: &'a ProxyPlace,
    pub(super) key: &'a BackendKey,
    pub(super) backend: &'a Backend,
}
