//! Which goes first, the new replica or the old one; how many at a time; and what that costs.

use std::collections::BTreeSet;

use super::member::Member;
use super::readiness::RUNS_FOR;
use super::wanted::Wanted;
use super::world::World;
use crate::model::{Downtime, HealthCheck, HostName, Nanos, Strategy, UpdateOrder};

const SECOND: u64 = 1_000_000_000;

/// How a service's replicas are replaced.
pub(super) struct Manner {
    pub(super) order: UpdateOrder,
    /// Why the old one goes first.
    pub(super) reason: String,
    /// What goes together.
    pub(super) batch: Batch,
    pub(super) delay: Option<Nanos>,
    /// Whether the old container must be gone before the new one can be made.
    pub(super) removes_first: bool,
}

/// What is replaced together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Batch {
    /// Everything.
    All,
    /// So many replicas.
    Replicas(usize),
    /// The replicas of so many hosts.
    Hosts(usize),
}

impl Batch {
    fn of(wanted: &Wanted<'_>, count: usize) -> Self {
        match (count, wanted.target.rollout.strategy) {
            (0, _) => Self::All,
            (hosts, Strategy::HostByHost) => Self::Hosts(hosts),
            (replicas, Strategy::AllAtOnce | Strategy::Rolling) => Self::Replicas(replicas),
        }
    }

    /// Whether one batch takes replicas on these hosts, each named once for each replica.
    pub(super) fn takes<'h>(self, hosts: impl Iterator<Item = &'h HostName>) -> bool {
        match self {
            Self::All => true,
            Self::Replicas(most) => hosts.count() <= most,
            Self::Hosts(most) => hosts.collect::<BTreeSet<_>>().len() <= most,
        }
    }
}

impl Manner {
    pub(super) fn new(
        world: &World<'_>,
        wanted: &Wanted<'_>,
        members: &[Member<'_>],
        remade: Option<&String>,
    ) -> Self {
        let forced = match remade {
            Some(network) => Some(format!("the network {network} must be made anew")),
            None => stop_first(world, wanted, members.len()),
        };
        let order = match forced {
            Some(_) => UpdateOrder::StopFirst,
            None => UpdateOrder::StartFirst,
        };
        let batch = match order {
            _ if remade.is_some() => Batch::All,
            UpdateOrder::StopFirst => Batch::of(wanted, said_batch(wanted).unwrap_or(1)),
            UpdateOrder::StartFirst => batch_of(wanted),
        };
        let moves_ports = order == UpdateOrder::StartFirst && has_other_backends(world, wanted);
        Self {
            order,
            reason: forced.unwrap_or_default(),
            // Old replicas do not answer on the new port: requests can only move all at once.
            batch: if moves_ports { Batch::All } else { batch },
            delay: wanted.order.delay,
            removes_first: remade.is_some() || wanted.target.container.container_name.is_some(),
        }
    }

    /// How long the service cannot serve, when `batches` replace all that it has.
    pub(super) fn downtime(&self, wanted: &Wanted<'_>, is_whole: bool) -> Downtime {
        if self.order == UpdateOrder::StartFirst || !is_whole {
            return Downtime::None;
        }
        Downtime::About { time: about(wanted), reason: self.reason.clone() }
    }
}

/// The time to stop one, to start one, and to see that it is ready.
fn about(wanted: &Wanted<'_>) -> Nanos {
    let check = wanted.target.container.healthcheck.as_ref();
    let check = check.filter(|it| it.disable != Some(true) && !it.test.is_empty());
    let ready = match (&wanted.target.health, check) {
        (Some(gate), _) => gate.interval.0,
        (None, Some(HealthCheck { start_interval: Some(first), .. })) => first.0,
        (None, Some(check)) => check.interval.map_or(30 * SECOND, |it| it.0),
        (None, None) => wanted.order.monitor.unwrap_or(RUNS_FOR).0,
    };
    Nanos(ready.saturating_add(2 * SECOND))
}

fn said_batch(wanted: &Wanted<'_>) -> Option<usize> {
    wanted.order.parallelism.map(|it| usize::try_from(it).unwrap_or(usize::MAX))
}

/// What comes together, before as much goes.
pub(super) fn batch_of(wanted: &Wanted<'_>) -> Batch {
    let count = said_batch(wanted).unwrap_or(match wanted.target.rollout.strategy {
        Strategy::Rolling | Strategy::HostByHost => 1,
        Strategy::AllAtOnce => 0,
    });
    Batch::of(wanted, count)
}

/// Whether two containers of a service can never be on one host together.
pub(super) fn must_stop_first(wanted: &Wanted<'_>) -> bool {
    !wanted.fixed_ports().is_empty() || wanted.target.container.container_name.is_some()
}

/// Why old and new replicas cannot run together; `None` when they can.
fn stop_first(world: &World<'_>, wanted: &Wanted<'_>, replicas: usize) -> Option<String> {
    if let Some(port) = wanted.fixed_ports().first() {
        return Some(format!("host port {port} is fixed"));
    }
    if wanted.target.container.container_name.is_some() {
        return Some("container_name is fixed".to_owned());
    }
    let said = wanted.order.order;
    if said == Some(UpdateOrder::StopFirst) {
        return Some("order: stop-first".to_owned());
    }
    if said == Some(UpdateOrder::StartFirst) || replicas != 1 {
        return None;
    }
    let volume = wanted.volumes(world).into_iter().find(|volume| volume.writes)?;
    let name = volume.key.unwrap_or(volume.name);
    Some(format!("volume {name} is used by one container at a time"))
}

/// Whether proxies know the service by other ports than the commit does.
fn has_other_backends(world: &World<'_>, wanted: &Wanted<'_>) -> bool {
    wanted.places.iter().any(|place| {
        let table = world.proxies.get(place).and_then(|state| state.table.as_ref());
        let keys = table.into_iter().flat_map(|table| table.backends.keys());
        let own = keys.filter(|key| key.stack == *wanted.stack && key.service == *wanted.service);
        let new = wanted.backends(place);
        let mut own = own.peekable();
        own.peek().is_some() && own.any(|key| !new.contains_key(key))
    })
}
