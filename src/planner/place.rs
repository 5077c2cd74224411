//! Which host a replica goes to. What runs well is not moved; this is asked only for replicas
//! that have no host yet.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::Problem;
use super::wanted::Wanted;
use super::world::World;
use crate::model::{Count, HostName, Reservations};
use crate::settings::{Constraint, Facts, Host, Operator, Platform};

/// The hosts that a service's constraints allow.
pub(super) struct Eligible {
    /// Those that answered.
    pub(super) answered: Rc<BTreeSet<HostName>>,
    /// Those that did not.
    pub(super) silent: BTreeSet<HostName>,
}

/// What has been placed so far.
pub(super) struct Placer {
    /// What constraints allow: most services of a fleet have the same.
    eligible: BTreeMap<Vec<String>, Rc<Eligible>>,
    /// Where each named volume is, or will be.
    homes: BTreeMap<String, BTreeSet<HostName>>,
    /// Replicas of ours on each host.
    load: BTreeMap<HostName, usize>,
    /// What replicas have reserved on each host: processors in billionths, bytes.
    reserved: BTreeMap<HostName, (i64, i64)>,
}

impl Eligible {
    fn new(world: &World<'_>, wanted: &Wanted<'_>) -> Self {
        let constraints = constraints(wanted);
        let (mut answered, mut silent) = (BTreeSet::new(), BTreeSet::new());
        for (name, settings) in &world.request.inventory.hosts {
            let host = HostName::from(name.clone());
            if !allow(world, &constraints, &host, settings) {
                continue;
            }
            if world.hosts.contains_key(&host) {
                answered.insert(host);
            } else {
                silent.insert(host);
            }
        }
        Self { answered: Rc::new(answered), silent }
    }
}

/// Whether a host that does not answer may have a service.
pub(super) fn may_be_on(world: &World<'_>, wanted: &Wanted<'_>, host: &HostName) -> bool {
    let settings = world.settings(host).filter(|_| !world.hosts.contains_key(host));
    settings.is_some_and(|settings| allow(world, &constraints(wanted), host, settings))
}

/// A service's constraints; one that cannot be read holds nowhere.
fn constraints(wanted: &Wanted<'_>) -> Vec<Option<Constraint>> {
    let texts = wanted.target.placement.constraints.iter();
    texts.map(|text| Constraint::parse(text).ok()).collect()
}

fn allow(
    world: &World<'_>,
    constraints: &[Option<Constraint>],
    host: &HostName,
    settings: &crate::settings::Host,
) -> bool {
    let engine = world.hosts.get(host).map(|state| state.engine.platform.as_str());
    let holds = |it: &Option<Constraint>| it.as_ref().is_some_and(|it| holds(it, settings, engine));
    constraints.iter().all(holds)
}

/// Whether placement constraints allow a host; `platform` is what its engine says, if it does.
pub fn is_allowed(constraints: &[String], host: &Host, platform: Option<&str>) -> bool {
    constraints.iter().all(|text| {
        let Ok(constraint) = Constraint::parse(text) else { return false };
        holds(&constraint, host, platform)
    })
}

/// What only a silent engine could tell counts as true: the host may be one that is allowed.
fn holds(constraint: &Constraint, host: &Host, platform: Option<&str>) -> bool {
    let ask = |platform: Option<&Platform>| {
        constraint.holds(Facts { name: &host.name, labels: &host.labels, platform })
    };
    let Some(platform) = platform else { return ask(None).unwrap_or(true) };
    let (os, arch) = platform.split_once('/').unwrap_or((platform, ""));
    let answers = names_of(arch).into_iter().map(|arch| {
        let platform = Platform { os: os.to_owned(), arch: arch.to_owned() };
        ask(Some(&platform)).unwrap_or(true)
    });
    // A processor has two names; it is meant by either, and excluded by either.
    let answers: Vec<bool> = answers.collect();
    match constraint.operator {
        Operator::Is => answers.contains(&true),
        Operator::IsNot => !answers.contains(&false),
    }
}

fn names_of(arch: &str) -> Vec<&str> {
    let arch = arch.split('/').next().unwrap_or(arch);
    match arch {
        "amd64" | "x86_64" => vec!["amd64", "x86_64"],
        "arm64" | "aarch64" => vec!["arm64", "aarch64"],
        other => vec![other],
    }
}

impl Placer {
    pub(super) fn new(world: &World<'_>) -> Self {
        let mut homes: BTreeMap<String, BTreeSet<HostName>> = BTreeMap::new();
        let mut load: BTreeMap<HostName, usize> = BTreeMap::new();
        for (host, state) in &world.hosts {
            load.insert((*host).clone(), state.containers.len());
            for volume in state.volumes.keys() {
                homes.entry(volume.clone()).or_default().insert((*host).clone());
            }
        }
        Self { eligible: BTreeMap::new(), homes, load, reserved: BTreeMap::new() }
    }

    /// The hosts that a service's constraints allow.
    pub(super) fn eligible(&mut self, world: &World<'_>, wanted: &Wanted<'_>) -> Rc<Eligible> {
        let constraints = &wanted.target.placement.constraints;
        if let Some(known) = self.eligible.get(constraints) {
            return Rc::clone(known);
        }
        let eligible = Rc::new(Eligible::new(world, wanted));
        self.eligible.insert(constraints.clone(), Rc::clone(&eligible));
        eligible
    }

    /// The hosts that a service's volumes leave of `eligible`.
    pub(super) fn allowed(
        &self,
        world: &World<'_>,
        wanted: &Wanted<'_>,
        eligible: &Eligible,
    ) -> Result<Rc<BTreeSet<HostName>>, Problem> {
        let mut allowed = Rc::clone(&eligible.answered);
        if allowed.is_empty() && eligible.silent.is_empty() {
            let message = format!("{}: no host fulfils its constraints", wanted.path());
            return Err(
                Problem::invalid(message).hint("hosts and their labels are in the inventory")
            );
        }
        if wanted.target.replicas == Count::Global {
            return Ok(allowed);
        }
        for volume in wanted.volumes(world) {
            let Some(homes) = self.homes.get(&volume.name) else { continue };
            let left = homes.iter().filter(|host| allowed.contains(*host)).cloned();
            allowed = Rc::new(left.collect());
            if allowed.is_empty() && eligible.silent.is_empty() {
                let names: Vec<&str> = homes.iter().map(HostName::as_str).collect();
                return Err(Problem::invalid(format!(
                    "{}: the volume {} is on {}, where the service may not run",
                    wanted.path(),
                    volume.name,
                    names.join(", ")
                ))
                .hint("data is never moved; change the constraints, or move it by hand"));
            }
        }
        Ok(allowed)
    }

    /// Notes that a replica is on a host.
    pub(super) fn settle(&mut self, world: &World<'_>, wanted: &Wanted<'_>, host: &HostName) {
        for volume in wanted.volumes(world) {
            let homes = self.homes.entry(volume.name).or_default();
            if !homes.contains(host) {
                homes.insert(host.clone());
            }
        }
        let (cpus, memory) = needs(&wanted.target.reservations);
        if (cpus, memory) == (0, 0) {
            return;
        }
        let reserved = self.reserved.entry(host.clone()).or_default();
        reserved.0 = reserved.0.saturating_add(cpus);
        reserved.1 = reserved.1.saturating_add(memory);
    }

    /// The best host for one more replica, given where the service's others are.
    pub(super) fn choose(
        &mut self,
        world: &World<'_>,
        wanted: &Wanted<'_>,
        allowed: &BTreeSet<HostName>,
        taken: &BTreeMap<HostName, u32>,
    ) -> Result<HostName, Problem> {
        let limit = limit(wanted);
        let open = allowed.iter().filter(|host| {
            taken.get(*host).copied().unwrap_or_default() < limit
                && self.has_room(world, wanted, host)
        });
        let best = open.min_by_key(|host| {
            let spread: Vec<u32> = wanted
                .target
                .placement
                .spread
                .iter()
                .map(|label| shared(world, label, host, taken))
                .collect();
            let own = taken.get(*host).copied().unwrap_or_default();
            (spread, own, self.load.get(*host).copied().unwrap_or_default(), *host)
        });
        let Some(best) = best.cloned() else { return Err(self.no_room(wanted, allowed)) };
        *self.load.entry(best.clone()).or_default() += 1;
        Ok(best)
    }

    fn no_room(&self, wanted: &Wanted<'_>, allowed: &BTreeSet<HostName>) -> Problem {
        let names: Vec<&str> = allowed.iter().map(HostName::as_str).collect();
        let why = if let Some(port) = wanted.fixed_ports().first() {
            format!("only one of them fits on a host, because the host port {port} is fixed")
        } else if let Some(most) = wanted.target.placement.max_replicas_per_node {
            format!("`max_replicas_per_node` is {most}")
        } else {
            "what they reserve is more than the hosts have".to_owned()
        };
        Problem::invalid(format!(
            "{}: its replicas do not fit on {}: {why}",
            wanted.path(),
            if names.is_empty() { "any host".to_owned() } else { names.join(", ") }
        ))
    }

    fn has_room(&self, world: &World<'_>, wanted: &Wanted<'_>, host: &HostName) -> bool {
        let (Some(state), Some(settings)) = (world.hosts.get(host), world.settings(host)) else {
            return false;
        };
        let (cpus, memory) = needs(&wanted.target.reservations);
        let (cpus_taken, memory_taken) = self.reserved.get(host).copied().unwrap_or_default();
        let cpus_there = settings.capacity.cpus.unwrap_or(state.engine.cpus as f64) * 1e9;
        let memory_there = settings.capacity.memory.unwrap_or(state.engine.memory);
        (cpus == 0 || cpus.saturating_add(cpus_taken) as f64 <= cpus_there)
            && (memory == 0
                || u64::try_from(memory.saturating_add(memory_taken))
                    .is_ok_and(|needed| needed <= memory_there))
    }
}

/// The most replicas of a service on one host.
pub(super) fn limit(wanted: &Wanted<'_>) -> u32 {
    let most = wanted.target.placement.max_replicas_per_node.unwrap_or(u32::MAX);
    let is_alone =
        !wanted.fixed_ports().is_empty() || wanted.target.container.container_name.is_some();
    if is_alone { 1 } else { most }
}

fn needs(reservations: &Reservations) -> (i64, i64) {
    (reservations.cpus.map_or(0, |it| it.0), reservations.memory.map_or(0, |it| it.0))
}

/// How many replicas are on hosts with the same value of a label.
fn shared(world: &World<'_>, label: &str, host: &HostName, taken: &BTreeMap<HostName, u32>) -> u32 {
    let label = label.strip_prefix("node.labels.").unwrap_or(label);
    let value = |host: &HostName| world.settings(host).and_then(|it| it.labels.get(label));
    let own = value(host);
    taken.iter().filter(|(other, _)| value(other) == own).map(|(_, count)| count).sum()
}
