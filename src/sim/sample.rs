//! Who served at every moment, for people who want to see it.

use std::collections::{BTreeMap, BTreeSet};

use super::state::State;
use crate::model::{Endpoint, HostName, Millis, ServiceName, StackName, Status};

/// A service of a stack.
pub type ServiceId = (StackName, ServiceName);

/// How many replicas of a service there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// That run.
    pub running: usize,
    /// That answer.
    pub ready: usize,
    /// That answer and are sent requests by some proxy, or by none when none knows the service.
    pub routed: usize,
    /// That only an old generation of a proxy still sends to.
    pub draining: usize,
}

/// The counts from one moment on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The moment.
    pub at: Millis,
    /// Services that have containers.
    pub services: BTreeMap<ServiceId, Counts>,
}

impl State {
    /// Remembers who serves now, if that has changed.
    pub(super) fn sample(&mut self, now: Millis) {
        if !self.is_sampled {
            return;
        }
        let services = self.counts(now);
        if self.samples.last().is_none_or(|last| last.services != services) {
            self.samples.push(Sample { at: now, services });
        }
    }

    fn counts(&self, now: Millis) -> BTreeMap<ServiceId, Counts> {
        let mut current = BTreeSet::<(&HostName, &Endpoint)>::new();
        let mut old = current.clone();
        for (place, proxy) in &self.proxies {
            let ends = |at| self.leads_to(&place.host, at).into_iter().map(move |host| (host, at));
            current.extend(proxy.running.backends.values().flatten().flat_map(ends));
            let olds = proxy.old.iter().filter(|(_, until)| *until > now);
            old.extend(olds.flat_map(|(it, _)| it.backends.values().flatten()).flat_map(ends));
        }
        let mut services = BTreeMap::<ServiceId, Counts>::new();
        for (name, host) in &self.hosts {
            for container in host.containers.values() {
                let identity = &container.identity;
                let of = (identity.stack.clone(), identity.service.clone());
                let counts = services.entry(of).or_default();
                let is_in = |set: &BTreeSet<(&HostName, &Endpoint)>| {
                    container.published.iter().any(|at| set.contains(&(name, at)))
                };
                let (is_routed, is_old) = (is_in(&current), is_in(&old));
                let is_ready = container.is_ready(now);
                counts.running += usize::from(container.status_at(now) == Status::Running);
                counts.ready += usize::from(is_ready);
                counts.routed += usize::from(is_ready && is_routed);
                counts.draining += usize::from(is_old && !is_routed);
            }
        }
        services
    }
}
