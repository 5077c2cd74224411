//! What must always be true, checked after every effect.
//!
//! A proxy sends only to replicas that run and are ready, of the service it means; a backend that
//! has served never stops to, unless the plan said so.

use std::collections::BTreeSet;

use super::state::{Running, SimContainer, State};
use crate::model::{BackendKey, Endpoint, HostName, Millis};

/// Something that must never be, and was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// When.
    pub at: Millis,
    /// What.
    pub what: String,
}

impl State {
    /// Looks at everything and remembers what is wrong.
    pub(super) fn watch(&mut self, now: Millis) {
        for proxy in self.proxies.values_mut() {
            proxy.old.retain(|(_, until)| *until > now);
        }
        self.accuse_ready(now);
        self.sample(now);
        let mut wrong = BTreeSet::new();
        for (place, proxy) in &self.proxies {
            let served: BTreeSet<&String> = proxy.running.backends.keys().collect();
            for (name, servers) in &proxy.running.backends {
                let is_away = servers.is_empty()
                    || !servers.iter().any(|it| self.answers(&place.host, name, it, now));
                if is_away && !self.may_be_away.contains(name) {
                    wrong.insert(format!("{} sends {name} nowhere", place.proxy));
                }
            }
            let nowhere = proxy.running.routes.iter().filter(|route| route.backend.is_none());
            if self.may_be_away.is_empty() {
                let line = |it: &super::SimRoute| {
                    format!("{} answers {}{} with 503", place.proxy, it.host, it.path)
                };
                wrong.extend(nowhere.map(line));
            }
            for (running, is_old) in generations(proxy) {
                for (name, servers) in &running.backends {
                    if is_old && !served.contains(name) {
                        continue;
                    }
                    for server in servers {
                        if !self.answers(&place.host, name, server, now)
                            && !self.may_be_away.contains(name)
                        {
                            let age = if is_old { "an old generation of " } else { "" };
                            let proxy = &place.proxy;
                            wrong.insert(format!("{age}{proxy} sends {name} to {server}, which does not answer for it"));
                        }
                    }
                }
            }
        }
        let known: BTreeSet<&str> =
            self.violations.iter().map(|violation| violation.what.as_str()).collect();
        let new: Vec<Violation> = wrong
            .into_iter()
            .filter(|what| !known.contains(what.as_str()))
            .map(|what| Violation { at: now, what })
            .collect();
        self.violations.extend(new);
        self.keep(now);
    }

    fn answers(&self, host: &HostName, backend: &str, at: &Endpoint, now: Millis) -> bool {
        if self.excused.contains_key(&(host.clone(), at.clone())) {
            return true;
        }
        let Some(container) = self.container_at(host, at) else { return false };
        let is_meant = backend.parse::<BackendKey>().is_ok_and(|key| {
            key.stack == container.identity.stack && key.service == container.identity.service
        });
        is_meant && container.is_ready(now)
    }

    /// The running container that a published port of a host leads to.
    pub(super) fn container_at(&self, host: &HostName, at: &Endpoint) -> Option<&SimContainer> {
        let own = self.hosts.get(host).into_iter();
        let others = self.hosts.iter().filter(|(name, _)| *name != host).map(|(_, it)| it);
        let others = others.filter(|_| !at.address.is_loopback());
        let containers = own.chain(others).flat_map(|host| host.containers.values());
        let is_at = |it: &&SimContainer| it.address == at.address || it.publishes(at);
        containers.filter(|it| it.status == crate::model::Status::Running).find(is_at)
    }
}

fn generations(proxy: &super::SimProxy) -> impl Iterator<Item = (&Running, bool)> {
    let old = proxy.old.iter().map(|(running, _)| (running, true));
    std::iter::once((&proxy.running, false)).chain(old)
}
