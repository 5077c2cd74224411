//! The proxies' tables as the steps so far will have left them, and the steps that change them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::Problem;
use super::graph::{Graph, Lane};
use super::world::{Sighting, World};
use crate::model::{
    Backend, BackendChange, BackendKey, Cause, Endpoint, Nanos, Op, ProxyPlace, RouteChange,
    RoutingTable, Rule, StackName, StepId,
};
use crate::proxy::{Managed, read};

/// Backends of one place, by key.
pub(super) type Backends = BTreeMap<BackendKey, Backend>;

/// Servers as a drain names them.
pub(super) type Servers = BTreeMap<BackendKey, BTreeMap<String, Endpoint>>;

/// The tables while a plan is made.
pub(super) struct Routes<'a> {
    /// What no step has changed yet is as it was seen.
    now: BTreeMap<ProxyPlace, Cow<'a, Backends>>,
    /// The places that steps have given backends of a stack.
    given: BTreeMap<StackName, BTreeSet<ProxyPlace>>,
    /// The last switch that changed a backend: the next one comes after it.
    last: BTreeMap<(ProxyPlace, BackendKey), StepId>,
    /// The switch after which a place does not send to a container any more.
    let_go: BTreeMap<(ProxyPlace, String), StepId>,
    /// The switch that makes a place follow its file again.
    again: BTreeMap<ProxyPlace, StepId>,
    /// The switch that writes down what a place serves from memory for several services.
    restored: BTreeMap<ProxyPlace, StepId>,
    /// Stacks whose backends may be changed, in the order of their names.
    scope: &'a [&'a StackName],
    /// Places that a switch was planned for.
    switched: BTreeSet<ProxyPlace>,
    /// Stacks with backends that were changed.
    changed: BTreeSet<StackName>,
    pub(super) problems: BTreeSet<Problem>,
}

/// A change of one place's backends.
pub(super) struct Turn<'t> {
    pub(super) lane: &'t Lane,
    pub(super) place: &'t ProxyPlace,
    /// Backends as they shall be; `None` for absent.
    pub(super) set: BTreeMap<BackendKey, Option<Backend>>,
    pub(super) needs: BTreeSet<StepId>,
    pub(super) cause: &'t Cause,
}

impl<'a> Routes<'a> {
    pub(super) fn new(world: &World<'a>, scope: &'a [&'a StackName]) -> Self {
        let tables = world.tables();
        let borrowed = |(place, table): (&ProxyPlace, &'a RoutingTable)| {
            (place.clone(), Cow::Borrowed(&table.backends))
        };
        let now = tables.map(borrowed).collect();
        Self {
            now,
            given: BTreeMap::new(),
            last: BTreeMap::new(),
            let_go: BTreeMap::new(),
            again: BTreeMap::new(),
            restored: BTreeMap::new(),
            scope,
            switched: BTreeSet::new(),
            changed: BTreeSet::new(),
            problems: BTreeSet::new(),
        }
    }

    /// Whether a backend of a stack was changed.
    pub(super) fn has_changed(&self, stack: &StackName) -> bool {
        self.changed.contains(stack)
    }

    /// The backends of a place, as they are after the steps so far.
    pub(super) fn at(&self, place: &ProxyPlace) -> &Backends {
        static NONE: Backends = BTreeMap::new();
        self.now.get(place).map_or(&NONE, Cow::as_ref)
    }

    /// The places that have backends of a stack, or had some.
    pub(super) fn places_of(&self, world: &World<'_>, stack: &StackName) -> BTreeSet<ProxyPlace> {
        let given = self.given.get(stack).into_iter().flatten();
        world.places_of(stack).chain(given).cloned().collect()
    }

    /// Lays down the switch that a change needs; `None` when it changes nothing.
    pub(super) fn turn(
        &mut self,
        world: &World<'_>,
        graph: &mut Graph,
        turn: Turn<'_>,
    ) -> Option<StepId> {
        let Turn { lane, place, mut set, mut needs, cause } = turn;
        self.take_over(place, &mut set);
        let now = self.at(place);
        let mut change = RouteChange::default();
        for (key, to) in set {
            let from = now.get(&key);
            if from != to.as_ref() {
                let from = from.cloned();
                change.set.insert(key, BackendChange { from, to });
            }
        }
        if change.set.is_empty() {
            return None;
        }
        self.check_obstacles(world, place);
        needs.extend(self.again.get(place));
        needs.extend(self.agains_that_name(world, place, &change));
        for key in change.set.keys() {
            needs.extend(self.last.get(&(place.clone(), key.clone())));
        }
        let op = Op::Switch { place: place.clone(), change: change.clone() };
        let step = graph.add(lane, &place.host, op, needs, cause);
        self.keep(place, &change, step);
        Some(step)
    }

    /// The switches that make other places follow files which name somebody whom a change lets go
    /// of: whoever has been let go of is not sent to again.
    fn agains_that_name(
        &self,
        world: &World<'_>,
        place: &ProxyPlace,
        change: &RouteChange,
    ) -> impl Iterator<Item = StepId> {
        let others = self.again.iter().filter(move |(other, _)| *other != place);
        others.filter_map(move |(other, step)| {
            let table = world.proxies.get(other)?.table.as_ref()?;
            let mut gone = change.set.values().flat_map(BackendChange::gone);
            let is_named = |name| table.backends.values().any(|it| it.servers.contains_key(name));
            gone.any(is_named).then_some(*step)
        })
    }

    /// Lays down the switch that writes down what a place serves from memory, for several services:
    /// every other one comes after it.
    pub(super) fn restore(&mut self, world: &World<'_>, graph: &mut Graph, turn: Turn<'_>) {
        let place = turn.place;
        if let Some(step) = self.turn(world, graph, turn) {
            self.again.insert(place.clone(), step);
            self.restored.insert(place.clone(), step);
        }
    }

    /// The switch that has written down what a place serves from memory.
    pub(super) fn restored(&self, place: &ProxyPlace) -> Option<StepId> {
        self.restored.get(place).copied()
    }

    /// Lays down a switch that changes nothing and makes the place follow its file.
    pub(super) fn again(
        &mut self,
        world: &World<'_>,
        graph: &mut Graph,
        lane: &Lane,
        place: &ProxyPlace,
        cause: &Cause,
    ) {
        self.check_obstacles(world, place);
        let op = Op::Switch { place: place.clone(), change: RouteChange::default() };
        let step = graph.add(lane, &place.host, op, [], cause);
        self.again.insert(place.clone(), step);
        self.switched.insert(place.clone());
    }

    /// A name and path belong to one backend: who gets them takes them from who has them, in one
    /// change, so that no request falls between.
    fn take_over(&mut self, place: &ProxyPlace, set: &mut BTreeMap<BackendKey, Option<Backend>>) {
        let rules: BTreeSet<Rule> =
            set.values().flatten().flat_map(|backend| backend.rules.iter().cloned()).collect();
        let Some(now) = self.now.get(place).filter(|_| !rules.is_empty()) else { return };
        for (key, backend) in
            now.iter().filter(|(key, _)| !set.contains_key(*key)).collect::<Vec<_>>()
        {
            let Some(rule) = backend.rules.intersection(&rules).next() else { continue };
            if self.scope.binary_search(&&key.stack).is_err() {
                self.problems.insert(
                    Problem::invalid(format!(
                        "the proxy {} on {} sends {}{} to the stack {} already",
                        place.proxy, place.host, rule.host, rule.path, key.stack
                    ))
                    .hint(format!(
                        "plan {} together with it, or change one of the routes",
                        key.stack
                    )),
                );
                continue;
            }
            let mut left = backend.clone();
            left.rules.retain(|rule| !rules.contains(rule));
            let left = Some(left).filter(|left| !left.rules.is_empty());
            set.insert(key.clone(), left);
        }
    }

    fn check_obstacles(&mut self, world: &World<'_>, place: &ProxyPlace) {
        self.switched.insert(place.clone());
        let Some(state) = world.proxies.get(place) else { return };
        if let Managed::Foreign { why } = read(world.request.owner, state.file.as_deref()) {
            self.problems.insert(
                Problem::invalid(format!(
                    "the proxy {} on {} cannot be changed: the file {why}",
                    place.proxy, place.host
                ))
                .hint("move that file away, or name another one in the inventory"),
            );
            // Whoever looked has noted the same as an obstacle.
            return;
        }
        for obstacle in &state.obstacles {
            self.problems.insert(
                Problem::invalid(format!(
                    "the proxy {} on {} cannot be changed safely: {obstacle}",
                    place.proxy, place.host
                ))
                .hint("`gitdeploy status` looks at it again"),
            );
        }
    }

    fn keep(&mut self, place: &ProxyPlace, change: &RouteChange, step: StepId) {
        let now = self.now.entry(place.clone()).or_default().to_mut();
        let mut gone = BTreeSet::new();
        for (key, BackendChange { from, to }) in &change.set {
            self.last.insert((place.clone(), key.clone()), step);
            self.changed.insert(key.stack.clone());
            self.given.entry(key.stack.clone()).or_default().insert(place.clone());
            gone.extend(from.iter().flat_map(|backend| backend.servers.keys().cloned()));
            match to {
                Some(backend) => drop(now.insert(key.clone(), backend.clone())),
                None => drop(now.remove(key)),
            }
        }
        gone.retain(|name| !now.values().any(|backend| backend.servers.contains_key(name)));
        for name in gone {
            self.let_go.insert((place.clone(), name), step);
        }
    }

    /// Lays down the waits until every place has let go of `olds`: for each container the steps
    /// after which it may end.
    pub(super) fn drain(
        &self,
        world: &World<'_>,
        graph: &mut Graph,
        lane: &Lane,
        olds: &[Sighting<'_>],
        drain: Drain<'_>,
    ) -> BTreeMap<String, BTreeSet<StepId>> {
        let mut places: BTreeMap<&ProxyPlace, Servers> = BTreeMap::new();
        for old in olds {
            for (place, servers) in busy(world, *old) {
                for (key, named) in servers {
                    places.entry(place).or_default().entry(key).or_default().extend(named);
                }
            }
        }
        let mut after: BTreeMap<String, BTreeSet<StepId>> = BTreeMap::new();
        for (place, servers) in places {
            let names: BTreeSet<String> =
                servers.values().flat_map(|named| named.keys().cloned()).collect();
            let switches =
                names.iter().filter_map(|name| self.let_go.get(&(place.clone(), name.clone())));
            // A place that serves from memory lets go of all of it with its first switch.
            let memory = servers.keys().filter(|_| world.serves_from_memory(place));
            let last = memory.filter_map(|key| self.last.get(&(place.clone(), key.clone())));
            let needs = switches.chain(last).chain(self.again.get(place));
            let needs: BTreeSet<StepId> = needs.copied().collect();
            let op = Op::AwaitDrained { place: place.clone(), servers, within: drain.within };
            let step = graph.add(lane, &place.host, op, needs, drain.cause);
            for name in names {
                after.entry(name).or_default().insert(step);
            }
        }
        after
    }

    /// The places that a switch was planned for.
    pub(super) fn switched(&self) -> &BTreeSet<ProxyPlace> {
        &self.switched
    }
}

/// How long a drain may take, and why there is one.
#[derive(Clone, Copy)]
pub(super) struct Drain<'d> {
    pub(super) within: Nanos,
    pub(super) cause: &'d Cause,
}

/// The places that send to a container, or may still be finishing requests to it.
fn busy<'a>(world: &World<'a>, old: Sighting<'a>) -> BTreeMap<&'a ProxyPlace, Servers> {
    let mut found: BTreeMap<&ProxyPlace, Servers> = BTreeMap::new();
    let name = &old.live.name;
    for server in world.servers(name) {
        let named = BTreeMap::from([(name.clone(), server.at.clone())]);
        found.entry(server.place).or_default().insert(server.key.clone(), named);
    }
    if !old.live.state.is_running() {
        return found;
    }
    let sending: BTreeSet<&ProxyPlace> = found.keys().copied().collect();
    for binding in old.live.config.bindings() {
        let left = world.may_send(&binding.at).filter(|place| !sending.contains(place));
        let left = left.filter(|place| {
            world.address(place, old.host).is_ok_and(|address| address == binding.at.address)
        });
        for place in left {
            let identity = &old.live.identity;
            let key = BackendKey {
                stack: identity.stack.clone(),
                service: identity.service.clone(),
                port: binding.container_port,
            };
            let named = BTreeMap::from([(name.clone(), binding.at.clone())]);
            found.entry(place).or_default().insert(key, named);
        }
    }
    found
}
