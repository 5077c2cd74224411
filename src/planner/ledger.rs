//! What the hosts have to give, and what has been promised of it: processors, memory, host ports.
//!
//! The one idea: everything that runs counts from the start, also that of services which nobody
//! has decided on yet. So the order in which services are decided takes nothing away from those
//! that run. A service's own share is given back when its turn comes.

use std::collections::{BTreeMap, BTreeSet};

use super::wanted::{Wanted, fixed_port};
use super::world::World;
use crate::model::{Bytes, HostName, NanoCpus, Port, Reservations, ServiceName, StackName};

/// Processors in billionths, and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Share {
    pub(super) cpus: i64,
    pub(super) memory: i64,
}

type Key = (StackName, ServiceName);

/// What is promised, host by host.
pub(super) struct Ledger {
    reserved: BTreeMap<HostName, Share>,
    /// What services have that were not decided yet: it is in `reserved`.
    undecided: BTreeMap<Key, BTreeMap<HostName, Share>>,
    /// Host ports that the commit fixes, with whose they are.
    ports: BTreeMap<(HostName, u16), Key>,
    /// Those of services that were not decided yet.
    fixed: BTreeMap<Key, BTreeSet<(HostName, u16)>>,
}

impl Share {
    pub(super) fn of(reservations: &Reservations) -> Self {
        Self {
            cpus: reservations.cpus.map_or(0, |it| it.0),
            memory: reservations.memory.map_or(0, |it| it.0),
        }
    }

    fn add(&mut self, other: Self, times: i64) {
        self.cpus = self.cpus.saturating_add(other.cpus.saturating_mul(times));
        self.memory = self.memory.saturating_add(other.memory.saturating_mul(times));
    }
}

impl Ledger {
    pub(super) fn new(world: &World<'_>) -> Self {
        let mut ledger = Self {
            reserved: BTreeMap::new(),
            undecided: BTreeMap::new(),
            ports: BTreeMap::new(),
            fixed: BTreeMap::new(),
        };
        // Of two with one port, the one whose container has the later name counts.
        let mut fixed: BTreeMap<(&HostName, u16), (&str, Key)> = BTreeMap::new();
        for (stack, service, sightings) in world.services_seen() {
            let target = world.request.desired.stacks.get(stack);
            let Some(target) = target.and_then(|it| it.services.get(service)) else {
                // It goes, or nobody in this run knows what it was promised.
                continue;
            };
            let share = Share::of(&target.reservations);
            let ports = target.container.ports.iter().filter_map(fixed_port).collect::<Vec<_>>();
            if share == Share::default() && ports.is_empty() {
                continue;
            }
            let key = (stack.clone(), service.clone());
            for it in sightings.iter().filter(|it| it.live.identity.slot > 0) {
                for port in &ports {
                    let known = fixed.entry((it.host, *port)).or_insert_with(|| ("", key.clone()));
                    if known.0 <= it.live.name.as_str() {
                        *known = (&it.live.name, key.clone());
                    }
                }
                ledger.reserve(&key, it.host, share);
            }
        }
        for ((host, port), (_, key)) in fixed {
            ledger.fixed.entry(key.clone()).or_default().insert((host.clone(), port));
            ledger.ports.insert((host.clone(), port), key);
        }
        ledger
    }

    /// Notes what one replica of an undecided service has.
    fn reserve(&mut self, key: &Key, host: &HostName, share: Share) {
        if share != Share::default() {
            let own = self.undecided.entry(key.clone()).or_default();
            own.entry(host.clone()).or_default().add(share, 1);
            self.reserved.entry(host.clone()).or_default().add(share, 1);
        }
    }

    /// Gives back what a service has: it is decided now.
    pub(super) fn open(&mut self, wanted: &Wanted<'_>) {
        let key = (wanted.stack.clone(), wanted.service.clone());
        for (host, share) in self.undecided.remove(&key).unwrap_or_default() {
            self.reserved.entry(host).or_default().add(share, -1);
        }
        for at in self.fixed.remove(&key).unwrap_or_default() {
            self.ports.remove(&at);
        }
    }

    /// Promises a host's share to one more replica, and its ports.
    pub(super) fn promise(&mut self, wanted: &Wanted<'_>, host: &HostName, replicas: usize) {
        let share = Share::of(&wanted.target.reservations);
        if share != Share::default() {
            let times = i64::try_from(replicas).unwrap_or(i64::MAX);
            self.reserved.entry(host.clone()).or_default().add(share, times);
        }
        for port in wanted.fixed_ports() {
            let key = (wanted.stack.clone(), wanted.service.clone());
            self.ports.insert((host.clone(), port), key);
        }
    }

    /// What a host has, and what of it is promised.
    pub(super) fn of(&self, world: &World<'_>, host: &HostName) -> Option<(Share, Share)> {
        let (state, settings) = (world.hosts.get(host)?, world.settings(host)?);
        let cpus = settings.capacity.cpus.unwrap_or(state.engine.cpus as f64) * 1e9;
        let memory = settings.capacity.memory.unwrap_or(state.engine.memory);
        let all =
            Share { cpus: cpus.round() as i64, memory: i64::try_from(memory).unwrap_or(i64::MAX) };
        Some((all, self.reserved.get(host).copied().unwrap_or_default()))
    }

    /// What a host lacks for one more replica beside `extra` more of the same kind; `None` when
    /// there is room.
    pub(super) fn lacks(
        &self,
        world: &World<'_>,
        wanted: &Wanted<'_>,
        host: &HostName,
        extra: usize,
    ) -> Option<String> {
        let need = Share::of(&wanted.target.reservations);
        if need == Share::default() {
            return None;
        }
        let (all, reserved) = self.of(world, host)?;
        let mut asked = Share::default();
        asked.add(need, i64::try_from(extra).unwrap_or(i64::MAX).saturating_add(1));
        let beside = match extra {
            0 => String::new(),
            1 => " (for the new replica and the old one beside it)".to_owned(),
            more => format!(" (for the new replica and {more} old ones beside it)"),
        };
        let short = |need: i64, asked: i64, all: i64, reserved: i64| {
            let free = all.saturating_sub(reserved);
            (need > 0 && asked > free).then(|| free.max(0))
        };
        if let Some(free) = short(need.memory, asked.memory, all.memory, reserved.memory) {
            let [asked, free, all] = [asked.memory, free, all.memory].map(Bytes);
            return Some(format!("{asked} of memory asked for{beside}, {free} of {all} free"));
        }
        let free = short(need.cpus, asked.cpus, all.cpus, reserved.cpus)?;
        let [asked, free, all] = [asked.cpus, free, all.cpus].map(NanoCpus);
        Some(format!("{asked} processors asked for{beside}, {free} of {all} free"))
    }

    /// Who has a host port that a service fixes, in words.
    pub(super) fn holder(
        &self,
        world: &World<'_>,
        wanted: &Wanted<'_>,
        host: &HostName,
    ) -> Option<String> {
        for port in &wanted.target.container.ports {
            let Some(number) = fixed_port(port) else { continue };
            if let Some((stack, service)) = self.ports.get(&(host.clone(), number)) {
                if (stack, service) != (wanted.stack, wanted.service) && is_everywhere(port) {
                    return Some(format!("the host port {number} is that of {stack}/{service}"));
                }
                continue;
            }
            let foreign = world.hosts.get(host).and_then(|it| it.foreign.ports.get(&number));
            if let Some(whose) = foreign.filter(|_| is_everywhere(port)) {
                return Some(format!("the host port {number} is taken by {whose}"));
            }
        }
        None
    }

    /// How full a host will be with one more replica, in millionths of processors and of memory.
    pub(super) fn fullness(&self, world: &World<'_>, wanted: &Wanted<'_>, host: &HostName) -> i128 {
        let Some((all, mut used)) = self.of(world, host) else { return 0 };
        used.add(Share::of(&wanted.target.reservations), 1);
        let part = |used: i64, all: i64| {
            if all > 0 { i128::from(used) * 1_000_000 / i128::from(all) } else { 0 }
        };
        part(used.cpus, all.cpus) + part(used.memory, all.memory)
    }
}

/// Whether a port is taken on all addresses: two that name one each may stand side by side.
fn is_everywhere(port: &Port) -> bool {
    let address = port.host_ip.as_deref().unwrap_or_default();
    port.protocol == "tcp" && matches!(address, "" | "0.0.0.0" | "::")
}
