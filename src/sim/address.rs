//! Where addresses lead, looked up once for a whole look at the world.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::state::{SimContainer, State};
use crate::model::{BackendKey, Endpoint, HostName, Millis, Status};

/// The running containers by what they are reached at.
pub(super) struct Addresses<'a> {
    state: &'a State,
    /// By the host's port that leads to them, in the order of names.
    ports: BTreeMap<(&'a HostName, u16), Vec<(usize, &'a SimContainer)>>,
    /// By their own address: the first one by name.
    own: BTreeMap<(&'a HostName, IpAddr), (usize, &'a SimContainer)>,
}

impl<'a> Addresses<'a> {
    pub(super) fn of(state: &'a State) -> Self {
        let (mut ports, mut own) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::new());
        for (host, there) in &state.hosts {
            let running = there.containers.values().enumerate();
            for (nth, container) in running.filter(|(_, it)| it.status == Status::Running) {
                own.entry((host, container.address)).or_insert((nth, container));
                for at in &container.published {
                    ports.entry((host, at.port)).or_default().push((nth, container));
                }
            }
        }
        Self { state, ports, own }
    }

    /// The running container that an address leads to, seen from a host.
    pub(super) fn container(&self, from: &'a HostName, at: &Endpoint) -> Option<&'a SimContainer> {
        self.state.leads_to(from, at).into_iter().find_map(|host| self.on(host, at))
    }

    fn on(&self, host: &'a HostName, at: &Endpoint) -> Option<&'a SimContainer> {
        let published = self.ports.get(&(host, at.port)).into_iter().flatten();
        let published = published.filter(|(_, it)| it.publishes(at)).min_by_key(|(nth, _)| *nth);
        let found = published.into_iter().chain(self.own.get(&(host, at.address)));
        found.min_by_key(|(nth, _)| *nth).map(|(_, container)| *container)
    }

    /// Whether a request is answered there, or is lost by no run's mistake.
    pub(super) fn answers(
        &self,
        host: &'a HostName,
        backend: Option<&BackendKey>,
        at: &Endpoint,
        now: Millis,
    ) -> bool {
        self.serves(host, backend, at, now) || self.state.is_excused(host, at)
    }

    /// Whether a request is answered there.
    pub(super) fn serves(
        &self,
        host: &'a HostName,
        backend: Option<&BackendKey>,
        at: &Endpoint,
        now: Millis,
    ) -> bool {
        let well =
            |it: &SimContainer| is_meant(backend, it) && it.is_ready(now) && it.ends_at.is_none();
        self.container(host, at).is_some_and(well)
    }
}

/// Whether a container is one of the service that a backend is for.
pub(super) fn is_meant(backend: Option<&BackendKey>, container: &SimContainer) -> bool {
    backend.is_some_and(|key| {
        key.stack == container.identity.stack && key.service == container.identity.service
    })
}
