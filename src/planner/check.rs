//! The linter of finished plans: what must be true of any plan, said once more and without any of
//! the code that makes plans. A plan with a violation is not carried out.
//!
//! One function for each invariant; I1 to I10 are in `docs/how-it-works.md`, "What is always true".
//! They look at a plan and at what was seen, and at nothing else.

mod index;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use self::index::{Above, Backends, Index};
use super::parts::in_parts;
use crate::model::{
    Action, Backend, BackendChange, BackendKey, Health, HostName, HostState, LiveContainer, Moved,
    Observed, Op, Plan, ProxyPlace, Replica, ResourceKind, StackName, Step, StepId,
};

/// Something that must be true of any plan, and is not true of this one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// In words, with the step it was found at.
    pub message: String,
}

/// Everything that is wrong with a plan. Empty for every plan that the planner makes.
pub fn check(plan: &Plan, observed: &Observed) -> Vec<Violation> {
    let index = Index::of(plan, observed);
    let mut look = Look::new(plan, observed, &index);
    if !look.order() {
        return look.found;
    }
    look.found = in_parts(&plan.steps, |part| {
        let mut look = Look::new(plan, observed, &index);
        part.iter().for_each(|step| look.at(step));
        look.found
    });
    look.ports_differ();
    look.names_differ();
    look.switches_follow_each_other();
    look.enough_are_routed();
    look.never_sent_to_again();
    look.found
}

/// How many servers a backend has, at first and after each switch.
type Levels<'a> = Vec<(usize, Option<&'a Step>)>;

struct Look<'a> {
    plan: &'a Plan,
    observed: &'a Observed,
    index: &'a Index<'a>,
    above: Above,
    found: Vec<Violation>,
}

impl<'a> Look<'a> {
    fn new(plan: &'a Plan, observed: &'a Observed, index: &'a Index<'a>) -> Self {
        Self { plan, observed, index, above: Above::default(), found: Vec::new() }
    }

    /// What is true of each step by itself.
    fn at(&mut self, step: &Step) {
        self.reachable(step);
        self.known(step);
        self.stopped_before_removed(step);
        self.let_go_before_ended(step);
        self.ready_before_routed(step);
        self.own_things_only(step);
        self.recorded_last(step);
        self.images_first(step);
    }

    fn say(&mut self, step: &Step, what: &str) {
        let message = format!("#{} {}: {what}", step.id.0, step.op.words());
        self.found.push(Violation { message });
    }

    /// Ids are positions, and needs point back: else nothing below can be trusted.
    fn order(&mut self) -> bool {
        for (position, step) in self.plan.steps.iter().enumerate() {
            if step.id.0 != position {
                self.say(step, &format!("it stands at position {position}"));
            }
            if step.needs.iter().any(|need| need.0 >= position) {
                self.say(step, "it needs a step that does not come before it");
            }
        }
        self.found.is_empty()
    }

    /// Whether one of `candidates` must have succeeded before a step.
    fn is_above(&self, step: &Step, candidates: &[StepId]) -> bool {
        self.above.any(&self.plan.steps, step, candidates)
    }

    fn host(&self, host: &HostName) -> Option<&'a HostState> {
        self.observed.hosts.get(host).and_then(|state| state.as_ref().ok())
    }

    fn seen(&self, host: &HostName, name: &str) -> Option<&'a LiveContainer> {
        self.host(host)?.containers.get(name)
    }

    /// A backend as it was seen.
    fn backend(&self, place: &ProxyPlace, key: &BackendKey) -> Option<&'a Backend> {
        self.observed.proxies.get(place)?.as_ref().ok()?.table.as_ref()?.backends.get(key)
    }

    /// I4, I5: nothing is done to a host or a proxy that did not answer.
    fn reachable(&mut self, step: &Step) {
        if self.host(&step.host).is_none() {
            self.say(step, &format!("{} did not answer", step.host));
        }
        if let Op::Switch { place, .. } | Op::AwaitDrained { place, .. } = &step.op
            && !self.observed.proxies.get(place).is_some_and(Result::is_ok)
        {
            self.say(step, &format!("{} on {} did not answer", place.proxy, place.host));
        }
    }

    /// I4: a container is touched only when it is ours, by its id, or made by this plan before.
    fn known(&mut self, step: &Step) {
        let Some((name, id)) = touched(&step.op) else { return };
        let is_made = || self.is_above(step, self.index.on(&self.index.made, step, name));
        match (self.seen(&step.host, name), id) {
            (Some(live), Some(id)) if live.id != *id => {
                self.say(step, "the container of that name has another id");
            }
            (Some(live), _) if live.identity.owner != self.plan.owner => {
                self.say(step, "the container is not ours");
            }
            (Some(_), _) => {}
            (None, None) if is_made() => {}
            (None, _) => self.say(step, "nobody has seen that container"),
        }
    }

    /// I8: a stack is not touched before all its images are on all its hosts.
    fn images_first(&mut self, step: &Step) {
        if matches!(step.op, Op::Pull { .. }) {
            return;
        }
        let Some(pulls) = self.index.pulls.get(&step.stack) else { return };
        let is_touch = |need: &StepId| {
            let need = &self.plan.steps[need.0];
            need.stack == step.stack && !matches!(need.op, Op::Pull { .. })
        };
        // What follows a touch that was looked at follows what that one follows.
        if step.needs.iter().any(is_touch) || self.above.all(&self.plan.steps, step, pulls) {
            return;
        }
        self.say(step, "an image of its stack is brought later");
    }

    fn stopped_before_removed(&mut self, step: &Step) {
        let Op::Remove { container, .. } = &step.op else { return };
        let runs = self.seen(&step.host, container).is_some_and(|live| live.state.is_running());
        if runs && !self.is_above(step, self.index.on(&self.index.stopped, step, container)) {
            self.say(step, "it runs, and nothing stops it before");
        }
    }

    /// I1: what a proxy sends to ends only after that proxy has been switched away from it and has
    /// let go of it; for every proxy and every backend.
    fn let_go_before_ended(&mut self, step: &Step) {
        let (Op::Stop { container, .. } | Op::Remove { container, .. }) = &step.op else { return };
        let mut missing: Vec<String> = Vec::new();
        for (place, key) in self.index.servers.get(container.as_str()).into_iter().flatten() {
            let steps = |all: &Backends<'a>, is_it: &dyn Fn(&Op) -> bool| -> Vec<StepId> {
                let steps = all.get(&(*place, *key)).into_iter().flatten().copied();
                steps.filter(|id| is_it(&self.plan.steps[id.0].op)).collect()
            };
            let leaving = steps(&self.index.switches, &|op| leaves(op, place, key, container));
            let draining = steps(&self.index.drains, &|op| drains(op, place, key, container));
            if !self.is_above(step, &leaving) {
                missing.push(format!("{} on {} still sends to it", place.proxy, place.host));
            } else if !self.is_above(step, &draining) {
                missing.push(format!("{} on {} has not let go of it", place.proxy, place.host));
            }
        }
        for what in missing {
            self.say(step, &what);
        }
    }

    /// I3: a proxy is pointed only at what it sends to already, at what another proxy sends to and
    /// is well, and at what has just been proved.
    fn ready_before_routed(&mut self, step: &Step) {
        let Op::Switch { change, .. } = &step.op else { return };
        let mut wrong = Vec::new();
        for change in change.set.values() {
            let from = change.from.iter().flat_map(|backend| backend.servers.keys());
            let had: BTreeSet<&String> = from.collect();
            for name in change.to.iter().flat_map(|backend| backend.servers.keys()) {
                let proofs = self.index.proved.get(name.as_str()).map_or(&[][..], Vec::as_slice);
                if !had.contains(name) && !self.is_above(step, proofs) && !self.serves_well(name) {
                    wrong.push(format!("nobody has proved that {name} is ready"));
                }
            }
        }
        for what in wrong {
            self.say(step, &what);
        }
    }

    fn serves_well(&self, name: &str) -> bool {
        let is_routed = self.index.servers.contains_key(name);
        let live = self.index.live.get(name);
        is_routed
            && live.into_iter().flatten().any(|it| {
                it.state.is_running() && !matches!(it.state.health, Some(Health::Unhealthy(_)))
            })
    }

    /// Networks and volumes go only when they are the stack's own.
    fn own_things_only(&mut self, step: &Step) {
        let Some(host) = self.host(&step.host) else { return };
        let owner: Option<Option<&StackName>> = match &step.op {
            Op::RemoveNetwork { name } => {
                Some(host.networks.get(name).and_then(|it| it.stack.as_ref()))
            }
            Op::RemoveVolume { name } => {
                Some(host.volumes.get(name).and_then(|it| it.stack.as_ref()))
            }
            Op::Create { replica } if host.foreign.names.contains(&replica.name) => {
                self.say(step, "a container that is not ours has that name");
                None
            }
            _ => None,
        };
        if owner.is_some_and(|owner| owner != Some(&step.stack)) {
            self.say(step, "it is not the stack's");
        }
    }

    /// A release is remembered only after everything of its stack.
    fn recorded_last(&mut self, step: &Step) {
        if !matches!(step.op, Op::Record { .. }) {
            return;
        }
        let others = self.index.of_stack.get(&step.stack).map_or(&[][..], Vec::as_slice);
        if !self.above.all(&self.plan.steps, step, others) {
            self.say(step, "a step of the stack may come after it");
        }
    }

    /// A port of a host that we choose is nobody else's.
    fn ports_differ(&mut self) {
        let ports = |replica: &Replica| -> BTreeSet<u16> {
            replica.endpoints.values().map(|at| at.port).collect()
        };
        let mut chosen: BTreeMap<&HostName, BTreeSet<u16>> = BTreeMap::new();
        for step in &self.plan.steps {
            let Op::Create { replica } = &step.op else { continue };
            chosen.entry(&replica.host).or_default().extend(ports(replica));
        }
        let (chosen, observed): (Vec<_>, _) = (chosen.into_iter().collect(), self.observed);
        let taken = in_parts(&chosen, |part| {
            let mut taken = Vec::new();
            for (host, chosen) in part {
                let Some(Ok(state)) = observed.hosts.get(*host) else { continue };
                let foreign = state.foreign.ports.iter().map(|(port, whose)| (*port, &**whose));
                let ours = state.containers.values().flat_map(|live| {
                    live.config
                        .bindings()
                        .iter()
                        .map(|binding| (binding.at.port, live.name.as_str()))
                });
                let all = foreign.chain(ours).filter(|(port, _)| chosen.contains(port));
                taken.extend(all.map(|(port, whose)| ((*host, port), whose)));
            }
            taken
        });
        let mut taken: BTreeMap<(&HostName, u16), &str> = taken.into_iter().collect();
        for step in &self.plan.steps {
            let Op::Create { replica } = &step.op else { continue };
            for port in ports(replica) {
                let other = taken.insert((&replica.host, port), &replica.name);
                if let Some(other) = other.filter(|other| *other != replica.name) {
                    self.say(step, &format!("the port {port} is {other}'s"));
                }
            }
        }
    }

    /// A container is made once.
    fn names_differ(&mut self) {
        let mut made = BTreeSet::new();
        for step in &self.plan.steps {
            let Op::Create { replica } = &step.op else { continue };
            if !made.insert((&replica.host, &replica.name)) {
                self.say(step, "it is made twice");
            }
        }
    }

    /// Each switch finds what the one before it has left, whatever order the steps run in.
    fn switches_follow_each_other(&mut self) {
        let mut left: BTreeMap<(&ProxyPlace, &BackendKey), Option<&Backend>> = BTreeMap::new();
        let mut last: BTreeMap<(&ProxyPlace, &BackendKey), StepId> = BTreeMap::new();
        for step in &self.plan.steps {
            let Op::Switch { place, change } = &step.op else { continue };
            for key in change.set.keys() {
                let before = last.insert((place, key), step.id);
                if before.is_some_and(|before| !self.is_above(step, &[before])) {
                    self.say(step, &format!("another switch of {key} may come after it"));
                }
            }
            let moved = change.set.iter().find(|(key, BackendChange { from, to })| {
                let now = left.get(&(place, *key)).copied();
                let now = now.unwrap_or_else(|| self.backend(place, key));
                now != to.as_ref() && now != from.as_ref()
            });
            if let Some((key, _)) = moved {
                self.say(step, &Moved(key.clone()).to_string());
                continue;
            }
            let set = change.set.iter();
            left.extend(set.map(|(key, change)| ((place, key), change.to.as_ref())));
        }
    }

    /// I2: however far a plan is carried out, a service whose new replicas come first has no fewer
    /// servers in a backend than before or afterwards, whichever is less.
    fn enough_are_routed(&mut self) {
        let mut counts: BTreeMap<(&ProxyPlace, &BackendKey), Levels<'_>> = BTreeMap::new();
        // One that no switch changes is as it was.
        for (place, key) in self.index.switches.keys() {
            if let Some(backend) = self.backend(place, key) {
                let alive = backend.servers.keys().filter(|name| self.is_alive(name)).count();
                counts.insert((place, key), vec![(alive, None)]);
            }
        }
        for step in &self.plan.steps {
            let Op::Switch { place, change } = &step.op else { continue };
            for (key, change) in &change.set {
                let servers = change.to.as_ref().map_or(0, |backend| backend.servers.len());
                counts
                    .entry((place, key))
                    .or_insert_with(|| vec![(0, None)])
                    .push((servers, Some(step)));
            }
        }
        for ((place, key), counts) in counts {
            if self.may_be_away(key) {
                continue;
            }
            let (Some((first, _)), Some((end, _))) = (counts.first(), counts.last()) else {
                continue;
            };
            let least = *first.min(end);
            for (count, step) in &counts {
                if let (true, Some(step)) = (*count < least, step) {
                    let what = format!(
                        "{key} has {count} servers at {} on {} then, and {least} would do",
                        place.proxy, place.host
                    );
                    self.say(step, &what);
                }
            }
        }
    }

    /// I10: what the plan ends, no proxy begins to send to after another one has let go of it.
    fn never_sent_to_again(&mut self) {
        let mut begun: BTreeMap<&str, Vec<&Step>> = BTreeMap::new();
        for step in &self.plan.steps {
            let Op::Switch { place, change } = &step.op else { continue };
            let table = || self.observed.proxies.get(place)?.as_ref().ok()?.table.as_ref();
            // One without a change makes the proxy follow its file, whatever it did before.
            let file = change.set.is_empty().then(table).flatten();
            let file = file.into_iter().flat_map(|table| table.backends.values());
            let named = file.flat_map(|backend| backend.servers.keys());
            let is_ended = |name: &&String| self.index.ended.contains(name.as_str());
            // One that is made under the name of another, which is ended before, is itself new.
            let come = change.set.values().flat_map(BackendChange::come);
            let come = come.filter(is_ended).filter(|name| !self.is_made_before(step, name));
            for name in named.filter(is_ended).chain(come) {
                begun.entry(name).or_default().push(step);
            }
        }
        if begun.is_empty() {
            return;
        }
        for step in &self.plan.steps {
            let Op::Switch { place: here, change } = &step.op else { continue };
            for name in change.set.values().flat_map(BackendChange::gone) {
                for other in begun.get(name.as_str()).into_iter().flatten() {
                    let Op::Switch { place, .. } = &other.op else { continue };
                    if place != here && !self.is_above(step, &[other.id]) {
                        let (proxy, host) = (&place.proxy, &place.host);
                        let what = format!("{proxy} on {host} may begin to send to {name} later");
                        self.say(step, &what);
                    }
                }
            }
        }
    }

    fn is_made_before(&self, step: &Step, name: &str) -> bool {
        let made = self.index.made.iter().filter(|((_, made), _)| *made == name);
        made.into_iter().any(|(_, steps)| self.is_above(step, steps))
    }

    /// A container that nobody has seen may run where nobody could look.
    fn is_alive(&self, name: &str) -> bool {
        let seen = self.index.live.get(name).and_then(|all| all.first());
        seen.map_or(self.index.is_blind, |live| live.state.is_running())
    }

    /// Whether the plan says that the service is replaced old before new.
    fn may_be_away(&self, key: &BackendKey) -> bool {
        let stack = self.plan.stacks.get(&key.stack);
        let changes = stack.into_iter().flat_map(|stack| &stack.changes);
        let mut own = changes.filter(|change| {
            change.kind == ResourceKind::Service && change.name == key.service.as_str()
        });
        own.any(|change| change.action == Action::ReplaceStopFirst)
    }
}

/// The container that a step acts on, and the id it must have.
fn touched(op: &Op) -> Option<(&str, Option<&String>)> {
    match op {
        Op::Start { container }
        | Op::RunHook { container, .. }
        | Op::AwaitReady { container, .. }
        | Op::AwaitCompleted { container, .. } => Some((container, None)),
        Op::Stop { container, id, .. } | Op::Remove { container, id } => {
            Some((container, id.as_ref()))
        }
        Op::Pull { .. }
        | Op::CreateNetwork { .. }
        | Op::CreateVolume { .. }
        | Op::Create { .. }
        | Op::Switch { .. }
        | Op::AwaitDrained { .. }
        | Op::RemoveNetwork { .. }
        | Op::RemoveVolume { .. }
        | Op::Pause { .. }
        | Op::Record { .. } => None,
    }
}

/// Whether a step takes a container out of a backend.
fn leaves(op: &Op, place: &ProxyPlace, key: &BackendKey, container: &str) -> bool {
    let Op::Switch { place: there, change } = op else { return false };
    let to = change.set.get(key).map(|change| &change.to);
    there == place
        && to.is_some_and(|to| !to.as_ref().is_some_and(|it| it.servers.contains_key(container)))
}

/// Whether a step waits until a proxy has let go of a container.
fn drains(op: &Op, place: &ProxyPlace, key: &BackendKey, container: &str) -> bool {
    let Op::AwaitDrained { place: there, servers, .. } = op else { return false };
    there == place && servers.get(key).is_some_and(|named| named.contains_key(container))
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
