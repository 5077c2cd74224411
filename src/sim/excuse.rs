//! What was ended by the world itself and is no run's mistake: until it is back, or until something
//! else is started in its place.

use super::state::State;
use crate::model::{Endpoint, HostName, Millis, Status};

impl State {
    /// A container ends without anybody having asked it to.
    pub(super) fn die(&mut self, host: &HostName, name: &str, is_removed: bool) {
        let Some(there) = self.hosts.get_mut(host) else { return };
        let Some(container) = there.containers.get_mut(name) else { return };
        let at = container.published.iter().cloned();
        self.excused.extend(at.map(|endpoint| ((host.clone(), endpoint), container.id.clone())));
        container.status = Status::Exited;
        container.exit_code = 137;
        container.ends_at = None;
        let id = container.id.clone();
        if is_removed {
            there.containers.remove(name);
        }
        self.connections.retain(|it| it.container != id);
    }

    /// A container comes back, as its engine would bring it back.
    pub(super) fn revive(&mut self, host: &HostName, name: &str, now: Millis) {
        let there = self.hosts.get_mut(host);
        let Some(container) = there.and_then(|host| host.containers.get_mut(name)) else { return };
        if container.status == Status::Exited {
            container.status = Status::Running;
            container.started_at = now;
            container.restarts += 1;
        }
    }

    /// Who has come back is looked at again.
    pub(super) fn accuse_ready(&mut self, now: Millis) {
        let hosts = &self.hosts;
        let is_back = |host: &HostName, id: &String| {
            let containers = hosts.get(host).into_iter().flat_map(|it| it.containers.values());
            containers
                .filter(|it| it.id == *id)
                .any(|it| it.is_ready(now) && it.ends_at.is_none() && now >= it.flaps_until)
        };
        self.excused.retain(|(host, _), id| !is_back(host, id));
    }

    /// What was started is looked at again.
    pub(super) fn accuse(&mut self, host: &HostName, name: &str) {
        let container = self.hosts.get(host).and_then(|host| host.containers.get(name));
        let Some(container) = container else { return };
        let is_other = |on: &HostName, at: &Endpoint, id: &String| {
            on == host && container.published.contains(at) && *id != container.id
        };
        self.excused.retain(|(on, at), id| !is_other(on, at, id));
    }

    /// Whether what is missing at an address is the world's own doing.
    pub(super) fn is_excused(&self, proxy: &HostName, at: &Endpoint) -> bool {
        let leads = self.leads_to(proxy, at);
        let is_cut = |to: &HostName| self.cuts.contains(&(proxy.clone(), to.clone()));
        leads.iter().any(|to| is_cut(to) || self.excused.contains_key(&((*to).clone(), at.clone())))
    }

    /// The hosts that an address leads to, from one of them: one, unless nobody knows.
    pub(super) fn leads_to<'a>(&'a self, from: &'a HostName, at: &Endpoint) -> Vec<&'a HostName> {
        if at.address.is_loopback() {
            return vec![from];
        }
        let owner = self.hosts.iter().find(|(_, host)| host.address == Some(at.address));
        match owner {
            Some((name, _)) => vec![name],
            None => {
                let others = self.hosts.iter().filter(|(_, host)| host.address.is_none());
                let others = others.map(|(name, _)| name).filter(|name| *name != from);
                std::iter::once(from).chain(others).collect()
            }
        }
    }
}
