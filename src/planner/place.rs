//! Which host a replica goes to. What runs well is not moved; this is asked only for replicas
//! that have no host yet.
//!
//! The one idea: a host is either possible or *barred* for one reason in words. The same words
//! stand in a problem when nothing is left, and in what `plan --explain` says.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use super::Problem;
use super::ledger::Ledger;
use super::manner::Batch;
use super::wanted::{UsedVolume, Wanted};
use super::world::{Sighting, World};
use crate::model::{Count, EngineInfo, HostName, Name, Packing, Slot, UpdateOrder};
use crate::settings::{Constraint, Facts, Host, Operator, Platform, Subject};

/// The most hosts that a message names for one reason.
const NAMED_MAX: usize = 10;

/// The hosts that a service's constraints allow.
pub(super) struct Eligible {
    /// Those that answered, without those that are drained.
    pub(super) answered: Rc<BTreeSet<HostName>>,
    /// Those that answered and are drained: nothing new goes there.
    pub(super) drained: BTreeSet<HostName>,
    /// Those that did not answer.
    pub(super) silent: BTreeSet<HostName>,
}

/// What has been placed so far.
pub(super) struct Placer {
    /// What constraints allow: most services of a fleet have the same.
    eligible: BTreeMap<Vec<String>, Rc<Eligible>>,
    groups: Groups,
    /// Where each named volume is, or will be.
    homes: BTreeMap<String, BTreeSet<HostName>>,
    /// Replicas of ours on each host.
    load: BTreeMap<HostName, usize>,
    /// What they have been promised.
    pub(super) ledger: Ledger,
}

/// Hosts by the value of a label, in lower case, for each label that was asked for: a fleet that is
/// divided into many groups is not gone through for each of them.
#[derive(Default)]
struct Groups(BTreeMap<String, BTreeMap<String, Vec<Name>>>);

impl Groups {
    /// The hosts that could fulfil constraints.
    fn candidates(&mut self, world: &World<'_>, constraints: &[Option<Constraint>]) -> Vec<Name> {
        let hosts = &world.request.inventory.hosts;
        let group = constraints.iter().flatten().find_map(|it| match (&it.subject, it.operator) {
            (Subject::Label(label), Operator::Is) => Some((label, it.value.to_ascii_lowercase())),
            _ => None,
        });
        let Some((label, value)) = group else { return hosts.keys().cloned().collect() };
        let groups = self.0.entry(label.clone()).or_insert_with(|| {
            let mut groups: BTreeMap<String, Vec<Name>> = BTreeMap::new();
            for (name, host) in hosts {
                let Some(value) = host.labels.get(label) else { continue };
                groups.entry(value.to_ascii_lowercase()).or_default().push(name.clone());
            }
            groups
        });
        groups.get(&value).cloned().unwrap_or_default()
    }
}

/// One more replica, and what of its service is where.
#[derive(Clone, Copy)]
pub(super) struct Ask<'q> {
    pub(super) slot: Slot,
    /// Replicas that stay or have been placed.
    pub(super) taken: &'q BTreeMap<HostName, u32>,
    /// Containers that go only when the new ones serve.
    pub(super) leaving: &'q BTreeMap<HostName, usize>,
}

impl Eligible {
    fn new(world: &World<'_>, wanted: &Wanted<'_>, groups: &mut Groups) -> Self {
        let constraints = constraints(wanted);
        let [mut answered, mut drained, mut silent] = [const { BTreeSet::new() }; 3];
        for name in groups.candidates(world, &constraints) {
            let settings = &world.request.inventory.hosts[&name];
            let host = HostName::from(name);
            let state = world.hosts.get(&host);
            if !allow(&constraints, settings, state.map(|state| &state.engine)) {
                continue;
            }
            match state {
                None => silent.insert(host),
                Some(state) if state.drained.is_some() => drained.insert(host),
                Some(_) => answered.insert(host),
            };
        }
        Self { answered: Rc::new(answered), drained, silent }
    }
}

/// Whether a host that does not answer may have a service.
pub(super) fn may_be_on(world: &World<'_>, wanted: &Wanted<'_>, host: &HostName) -> bool {
    let settings = world.settings(host).filter(|_| !world.hosts.contains_key(host));
    settings.is_some_and(|settings| allow(&constraints(wanted), settings, None))
}

/// Whether a service's replicas may stay where all of them are, whatever becomes of others.
pub(super) fn may_stay(world: &World<'_>, wanted: &Wanted<'_>, all: &[Sighting<'_>]) -> bool {
    let (constraints, volumes) = (constraints(wanted), wanted.volumes(world));
    let limit = limit(wanted);
    let may_have = |it: &Sighting<'_>, count: usize| {
        let Sighting { state, settings, .. } = *it;
        let has = |it: &UsedVolume| state.volumes.contains_key(&it.name);
        state.drained.is_none()
            && u32::try_from(count).is_ok_and(|count| count <= limit)
            && settings.is_some_and(|settings| allow(&constraints, settings, Some(&state.engine)))
            && volumes.iter().all(has)
    };
    let mut hosts = all.chunk_by(|one, other| std::ptr::eq(one.state, other.state));
    hosts.all(|here| may_have(&here[0], here.len()))
}

/// A service's constraints; one that cannot be read holds nowhere.
fn constraints(wanted: &Wanted<'_>) -> Vec<Option<Constraint>> {
    let texts = wanted.target.placement.constraints.iter();
    texts.map(|text| Constraint::parse(text).ok()).collect()
}

fn allow(constraints: &[Option<Constraint>], settings: &Host, engine: Option<&EngineInfo>) -> bool {
    let holds = |it: &Option<Constraint>| it.as_ref().is_some_and(|it| holds(it, settings, engine));
    constraints.iter().all(holds)
}

/// Whether placement constraints allow a host; `engine` is what its engine says, if it does.
pub fn is_allowed(constraints: &[String], host: &Host, engine: Option<&EngineInfo>) -> bool {
    constraints.iter().all(|text| {
        let Ok(constraint) = Constraint::parse(text) else { return false };
        holds(&constraint, host, engine)
    })
}

/// What only a silent engine could tell counts as true: the host may be one that is allowed.
fn holds(constraint: &Constraint, host: &Host, engine: Option<&EngineInfo>) -> bool {
    let ask = |platform: Option<&Platform>| {
        let engine = engine.map(|it| &it.labels);
        constraint.holds(Facts { name: &host.name, labels: &host.labels, engine, platform })
    };
    let Some(engine) = engine else { return ask(None).unwrap_or(true) };
    let platform = engine.platform.as_str();
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
        let (eligible, groups) = (BTreeMap::new(), Groups::default());
        Self { eligible, groups, homes, load, ledger: Ledger::new(world) }
    }

    /// The hosts that a service's constraints allow.
    pub(super) fn eligible(&mut self, world: &World<'_>, wanted: &Wanted<'_>) -> Rc<Eligible> {
        let constraints = &wanted.target.placement.constraints;
        if let Some(known) = self.eligible.get(constraints) {
            return Rc::clone(known);
        }
        let eligible = Rc::new(Eligible::new(world, wanted, &mut self.groups));
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
        let Eligible { answered, drained, silent } = eligible;
        if answered.is_empty() && drained.is_empty() && silent.is_empty() {
            let message = format!("{}: no host fulfils its constraints", wanted.path());
            return Err(
                Problem::invalid(message).hint("hosts and their labels are in the inventory")
            );
        }
        if wanted.target.replicas == Count::Global {
            return Ok(Rc::clone(answered));
        }
        let mut allowed = match drained.is_empty() {
            true => Rc::clone(answered),
            false => Rc::new(answered.union(drained).cloned().collect()),
        };
        for volume in wanted.volumes(world) {
            let Some(homes) = self.homes.get(&volume.name) else { continue };
            let left = homes.iter().filter(|host| allowed.contains(*host)).cloned();
            allowed = Rc::new(left.collect());
            if allowed.is_empty() && silent.is_empty() {
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
        if drained.is_empty() {
            return Ok(allowed);
        }
        let undrained = allowed.iter().filter(|host| answered.contains(*host)).cloned();
        let undrained: BTreeSet<HostName> = undrained.collect();
        if !undrained.is_empty() {
            return Ok(Rc::new(undrained));
        }
        // Nowhere else to go: what is there stays, unless the drain is forced.
        let own = world.of_service(wanted.stack, wanted.service);
        let stays = allowed.iter().filter(|host| {
            let is_forced = world.hosts[*host].drained.as_ref().is_some_and(|it| it.is_forced);
            !is_forced && own.iter().any(|it| it.host == *host)
        });
        Ok(Rc::new(stays.cloned().collect()))
    }

    /// Whether a service is stopped, because all hosts that could have it are drained by force.
    pub(super) fn is_stopped(
        &self,
        world: &World<'_>,
        wanted: &Wanted<'_>,
        eligible: &Eligible,
    ) -> bool {
        if wanted.target.replicas == Count::Global || eligible.drained.is_empty() {
            return false;
        }
        let volumes = wanted.volumes(world);
        let homes: Vec<_> = volumes.iter().filter_map(|it| self.homes.get(&it.name)).collect();
        let is_home = |host: &&HostName| homes.iter().all(|homes| homes.contains(*host));
        let is_forced =
            |host: &HostName| world.hosts[host].drained.as_ref().is_some_and(|it| it.is_forced);
        let mut drained = eligible.drained.iter().filter(is_home).peekable();
        !eligible.answered.iter().any(|host| is_home(&host))
            && eligible.silent.is_empty()
            && drained.peek().is_some()
            && drained.all(is_forced)
    }

    /// Notes that a replica is on a host.
    pub(super) fn settle(&mut self, world: &World<'_>, wanted: &Wanted<'_>, host: &HostName) {
        for volume in wanted.volumes(world) {
            let homes = self.homes.entry(volume.name).or_default();
            if !homes.contains(host) {
                homes.insert(host.clone());
            }
        }
        self.ledger.promise(wanted, host, 1);
    }

    /// The best host for one more replica, and why it is the best.
    pub(super) fn choose(
        &mut self,
        world: &World<'_>,
        wanted: &Wanted<'_>,
        allowed: &BTreeSet<HostName>,
        ask: Ask<'_>,
    ) -> Result<(HostName, String), Problem> {
        let open = allowed.iter().filter(|host| self.full(world, wanted, host, ask).is_none());
        let packs = wanted.target.placement.strategy == Packing::Binpack;
        let best = open.min_by_key(|host| {
            let shares = wanted.target.placement.spread.iter();
            let spread: Vec<u32> =
                shares.map(|label| shared(world, label, host, ask.taken)).collect();
            let load = self.load.get(*host).copied().unwrap_or_default();
            let (full, own) = match packs {
                true => (Reverse(self.ledger.fullness(world, wanted, host)), 0),
                false => (Reverse(0), ask.taken.get(*host).copied().unwrap_or_default()),
            };
            let load = if packs { Err(Reverse(load)) } else { Ok(load) };
            (spread, full, own, load, *host)
        });
        let Some(best) = best.cloned() else { return Err(self.no_room(world, wanted, ask)) };
        let why = self.praise(world, wanted, &best, ask);
        *self.load.entry(best.clone()).or_default() += 1;
        Ok((best, why))
    }

    /// Why a host was the best, in words.
    fn praise(
        &self,
        world: &World<'_>,
        wanted: &Wanted<'_>,
        host: &HostName,
        ask: Ask<'_>,
    ) -> String {
        let placement = &wanted.target.placement;
        let mut words = Vec::new();
        for label in &placement.spread {
            let count = shared(world, label, host, ask.taken);
            words.push(format!("replicas of it where {label} is the same: {count}"));
        }
        let load = self.load.get(host).copied().unwrap_or_default();
        match placement.strategy {
            Packing::Binpack => {
                let tenths = self.ledger.fullness(world, wanted, host) / 20_000;
                words.push(format!("it is the fullest that has room, {tenths} % with it"));
            }
            Packing::Spread => {
                let own = ask.taken.get(host).copied().unwrap_or_default();
                words.push(format!("replicas of it there: {own}, containers: {load}"));
            }
        }
        words.join("; ")
    }

    /// Why a replica cannot go to a host; `None` when it can.
    pub(super) fn barred(
        &self,
        world: &World<'_>,
        wanted: &Wanted<'_>,
        host: &HostName,
        ask: Ask<'_>,
    ) -> Option<String> {
        self.excluded(world, wanted, host).or_else(|| self.full(world, wanted, host, ask))
    }

    /// Why a host that may have a service has no room for one more of it.
    pub(super) fn full(
        &self,
        world: &World<'_>,
        wanted: &Wanted<'_>,
        host: &HostName,
        ask: Ask<'_>,
    ) -> Option<String> {
        let own = ask.taken.get(host).copied().unwrap_or_default();
        if own >= limit(wanted) {
            return Some(limited(wanted));
        }
        let holder = self.ledger.holder(world, wanted, host);
        let leaving = ask.leaving.get(host).copied().unwrap_or_default();
        let beside = beside(wanted, leaving);
        holder.or_else(|| self.ledger.lacks(world, wanted, host, beside))
    }

    /// Why no replica of a service may ever be on a host, as things stand.
    fn excluded(&self, world: &World<'_>, wanted: &Wanted<'_>, host: &HostName) -> Option<String> {
        let settings = world.settings(host)?;
        let state = world.hosts.get(host).copied();
        let texts = wanted.target.placement.constraints.iter().zip(constraints(wanted));
        for (text, constraint) in texts {
            if !constraint.is_some_and(|it| holds(&it, settings, state.map(|it| &it.engine))) {
                return Some(format!("`{text}` does not hold"));
            }
        }
        let Some(state) = state else { return Some("it did not answer".to_owned()) };
        if wanted.target.replicas != Count::Global {
            for volume in wanted.volumes(world) {
                let Some(homes) = self.homes.get(&volume.name) else { continue };
                if !homes.contains(host) {
                    let homes: Vec<&str> = homes.iter().map(HostName::as_str).collect();
                    return Some(format!("the volume {} is on {}", volume.name, homes.join(", ")));
                }
            }
        }
        let drained = state.drained.as_ref()?;
        let own = world.of_service(wanted.stack, wanted.service);
        let is_pinned = !drained.is_forced && own.iter().any(|it| it.host == host);
        (!is_pinned).then(|| format!("it is drained by {}", drained.by))
    }

    /// Every host that a replica cannot go to, by the reason.
    pub(super) fn bars(
        &self,
        world: &World<'_>,
        wanted: &Wanted<'_>,
        ask: Ask<'_>,
    ) -> BTreeMap<String, BTreeSet<HostName>> {
        let mut bars: BTreeMap<String, BTreeSet<HostName>> = BTreeMap::new();
        for name in world.request.inventory.hosts.keys() {
            let host = HostName::from(name.clone());
            if let Some(why) = self.barred(world, wanted, &host, ask) {
                bars.entry(why).or_default().insert(host);
            }
        }
        bars
    }

    /// What is missing where, host by host.
    fn no_room(&self, world: &World<'_>, wanted: &Wanted<'_>, ask: Ask<'_>) -> Problem {
        let lines: Vec<String> = self
            .bars(world, wanted, ask)
            .into_iter()
            .map(|(why, hosts)| format!("{}: {why}", named(&hosts)))
            .collect();
        let problem = Problem::invalid(format!(
            "{}: replica {} fits on no host ({})",
            wanted.path(),
            ask.slot,
            lines.join("; ")
        ));
        if ask.leaving.values().any(|count| beside(wanted, *count) > 0) {
            return problem.hint(
                "`update_config: {order: stop-first}` needs no room beside the old replicas, and \
                 `rollout: {strategy: rolling}` less",
            );
        }
        problem.hint(
            "`gitdeploy hosts` says what hosts have; `capacity:` of the inventory, what \
                      replicas may use",
        )
    }
}

/// How many old replicas of a host run beside a new one, until requests have moved.
pub(super) fn beside(wanted: &Wanted<'_>, leaving: usize) -> usize {
    if super::manner::must_stop_first(wanted) || wanted.order.order == Some(UpdateOrder::StopFirst)
    {
        return 0;
    }
    match super::manner::batch_of(wanted) {
        Batch::All | Batch::Hosts(_) => leaving,
        Batch::Replicas(batch) => leaving.min(batch),
    }
}

fn named(hosts: &BTreeSet<HostName>) -> String {
    let mut names: Vec<&str> = hosts.iter().map(HostName::as_str).take(NAMED_MAX).collect();
    let more = hosts.len().saturating_sub(NAMED_MAX);
    let rest = format!("{more} more");
    if more > 0 {
        names.push(&rest);
    }
    names.join(", ")
}

/// The most replicas of a service on one host.
pub(super) fn limit(wanted: &Wanted<'_>) -> u32 {
    let most = wanted.target.placement.max_replicas_per_node.unwrap_or(u32::MAX);
    let is_alone =
        !wanted.fixed_ports().is_empty() || wanted.target.container.container_name.is_some();
    if is_alone { 1 } else { most }
}

/// Why a host takes no more of a service.
fn limited(wanted: &Wanted<'_>) -> String {
    if let Some(port) = wanted.fixed_ports().first() {
        return format!("another replica has the fixed host port {port}");
    }
    if let Some(name) = &wanted.target.container.container_name {
        return format!("another replica is called {name}");
    }
    format!("`max_replicas_per_node` is {}", limit(wanted))
}

/// How many replicas are on hosts with the same value of a label.
fn shared(world: &World<'_>, label: &str, host: &HostName, taken: &BTreeMap<HostName, u32>) -> u32 {
    let value = |host: &HostName| {
        if let Some(label) = label.strip_prefix("engine.labels.") {
            return world.hosts.get(host).and_then(|it| it.engine.labels.get(label));
        }
        let label = label.strip_prefix("node.labels.").unwrap_or(label);
        world.settings(host).and_then(|it| it.labels.get(label))
    };
    let own = value(host);
    taken.iter().filter(|(other, _)| value(other) == own).map(|(_, count)| count).sum()
}
