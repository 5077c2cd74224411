//! A plan and what was seen, by what the linter looks for: a fleet has more steps and containers than
//! could be looked through for each of its steps.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    BackendKey, HostName, LiveContainer, Observed, Op, Plan, ProxyPlace, StackName, Step, StepId,
};
use crate::planner::parts::in_parts;

/// Steps that have to do with a container, by its host and name.
type OnHosts<'a> = BTreeMap<(&'a HostName, &'a str), Vec<StepId>>;

/// Steps that have to do with a backend.
pub(super) type Backends<'a> = BTreeMap<(&'a ProxyPlace, &'a BackendKey), Vec<StepId>>;

pub(super) struct Index<'a> {
    /// The steps that make a container.
    pub(super) made: OnHosts<'a>,
    /// The steps that bring a stack's images.
    pub(super) pulls: BTreeMap<&'a StackName, Vec<StepId>>,
    /// The steps that stop a container.
    pub(super) stopped: OnHosts<'a>,
    /// Containers that the plan ends.
    pub(super) ended: BTreeSet<&'a str>,
    /// The steps that prove a container, by its name.
    pub(super) proved: BTreeMap<&'a str, Vec<StepId>>,
    /// The switches of a backend.
    pub(super) switches: Backends<'a>,
    /// The steps that wait until a backend's servers are let go.
    pub(super) drains: Backends<'a>,
    /// The steps of a stack, but the record of its release.
    pub(super) of_stack: BTreeMap<&'a StackName, Vec<StepId>>,
    /// The backends that a container was seen in, by its name: those of containers that the plan
    /// sends to or ends.
    pub(super) servers: BTreeMap<&'a str, Vec<(&'a ProxyPlace, &'a BackendKey)>>,
    /// Containers of the names that are in backends which the plan changes, in the order of their
    /// hosts.
    pub(super) live: BTreeMap<&'a str, Vec<&'a LiveContainer>>,
    /// Whether some host did not answer.
    pub(super) is_blind: bool,
}

impl<'a> Index<'a> {
    pub(super) fn of(plan: &'a Plan, observed: &'a Observed) -> Self {
        let mut index = Self {
            made: BTreeMap::new(),
            pulls: BTreeMap::new(),
            stopped: BTreeMap::new(),
            ended: BTreeSet::new(),
            proved: BTreeMap::new(),
            switches: BTreeMap::new(),
            drains: BTreeMap::new(),
            of_stack: BTreeMap::new(),
            servers: BTreeMap::new(),
            live: BTreeMap::new(),
            is_blind: observed.hosts.values().any(Result::is_err),
        };
        plan.steps.iter().for_each(|step| index.step(step));
        if !plan.steps.is_empty() {
            index.look(observed);
        }
        index
    }

    /// The steps of `all` that have to do with a container on the host of `step`.
    pub(super) fn on<'i>(
        &self,
        all: &'i OnHosts<'_>,
        step: &'i Step,
        container: &'i str,
    ) -> &'i [StepId] {
        all.get(&(&step.host, container)).map_or(&[], Vec::as_slice)
    }

    fn step(&mut self, step: &'a Step) {
        if !matches!(step.op, Op::Record { .. }) {
            self.of_stack.entry(&step.stack).or_default().push(step.id);
        }
        match &step.op {
            Op::Create { replica } => {
                self.made.entry((&step.host, &replica.name)).or_default().push(step.id);
            }
            Op::Stop { container, .. } => {
                self.stopped.entry((&step.host, container)).or_default().push(step.id);
                self.servers.insert(container, Vec::new());
                self.ended.insert(container);
            }
            Op::Remove { container, .. } => {
                self.servers.insert(container, Vec::new());
                self.ended.insert(container);
            }
            Op::AwaitReady { container, .. } => {
                self.proved.entry(container).or_default().push(step.id);
            }
            Op::Switch { place, change } => {
                for (key, change) in &change.set {
                    self.switches.entry((place, key)).or_default().push(step.id);
                    for name in change.to.iter().flat_map(|backend| backend.servers.keys()) {
                        self.live.insert(name, Vec::new());
                        self.servers.insert(name, Vec::new());
                    }
                }
            }
            Op::AwaitDrained { place, servers, .. } => {
                for key in servers.keys() {
                    self.drains.entry((place, key)).or_default().push(step.id);
                }
            }
            Op::Pull { .. } => self.pulls.entry(&step.stack).or_default().push(step.id),
            Op::CreateNetwork { .. }
            | Op::CreateVolume { .. }
            | Op::Start { .. }
            | Op::RunHook { .. }
            | Op::AwaitCompleted { .. }
            | Op::RemoveNetwork { .. }
            | Op::RemoveVolume { .. }
            | Op::Pause { .. }
            | Op::Record { .. } => {}
        }
    }

    fn look(&mut self, observed: &'a Observed) {
        let proxies = observed.proxies.iter();
        let tables: Vec<_> = proxies
            .filter_map(|(at, state)| Some((at, state.as_ref().ok()?.table.as_ref()?)))
            .collect();
        let (ends, switches, servers) = (Ends::of(&self.servers), &self.switches, &self.servers);
        let found = in_parts(&tables, |part| {
            let mut found = Vec::new();
            for (place, table) in part {
                for (key, backend) in &table.backends {
                    let is_changed = switches.contains_key(&(*place, key));
                    for name in backend.servers.keys().map(String::as_str) {
                        if is_changed || ends.may_have(name) && servers.contains_key(name) {
                            found.push((name, *place, key, is_changed));
                        }
                    }
                }
            }
            found
        });
        for (name, place, key, is_changed) in found {
            if let Some(all) = self.servers.get_mut(name) {
                all.push((place, key));
            }
            if is_changed {
                self.live.entry(name).or_default();
            }
        }
        self.servers.retain(|_, all| !all.is_empty());
        if self.live.is_empty() {
            return;
        }
        let hosts: Vec<_> = observed.hosts.values().flatten().collect();
        let (ends, names) = (Ends::of(&self.live), &self.live);
        let found = in_parts(&hosts, |part| {
            let all = part.iter().flat_map(|state| &state.containers);
            let named =
                all.filter(|(name, _)| ends.may_have(name) && names.contains_key(name.as_str()));
            named.collect()
        });
        for (name, live) in found {
            self.live.entry(name).or_default().push(live);
        }
    }
}

/// How names end. Nearly all containers of a fleet have nothing to do with a plan, and most of them
/// are told by that.
struct Ends(Vec<u64>);

impl Ends {
    fn of<T>(names: &BTreeMap<&str, T>) -> Self {
        let mut ends: Vec<u64> = names.keys().map(|name| Self::end(name)).collect();
        ends.sort_unstable();
        Self(ends)
    }

    /// Whether it may be one of the names.
    fn may_have(&self, name: &str) -> bool {
        self.0.binary_search(&Self::end(name)).is_ok()
    }

    /// The last eight letters of a name, as one number.
    fn end(name: &str) -> u64 {
        let last = name.as_bytes().last_chunk();
        last.map_or(0, |last| u64::from_le_bytes(*last))
    }
}

/// What must have succeeded before a step, found by walking up from it each time: to keep it for
/// all steps would be too much.
#[derive(Default)]
pub(super) struct Above(RefCell<Marks>);

/// The walk that came by each step last.
#[derive(Default)]
struct Marks {
    met_by: Vec<usize>,
    walks: usize,
    open: Vec<StepId>,
}

impl Above {
    /// Whether one of `candidates` is above a step.
    pub(super) fn any(&self, steps: &[Step], step: &Step, candidates: &[StepId]) -> bool {
        let Some(first) = candidates.iter().min() else { return false };
        if candidates.iter().any(|id| step.needs.contains(id)) {
            return true;
        }
        let mut marks = self.0.borrow_mut();
        marks.walk(steps, step, *first);
        candidates.iter().any(|id| marks.has_met(*id))
    }

    /// Whether all of `candidates` are above a step.
    pub(super) fn all(&self, steps: &[Step], step: &Step, candidates: &[StepId]) -> bool {
        let Some(first) = candidates.iter().min() else { return true };
        let mut marks = self.0.borrow_mut();
        marks.walk(steps, step, *first);
        candidates.iter().all(|id| marks.has_met(*id))
    }
}

impl Marks {
    /// Meets all that is above a step, and not before `first`.
    fn walk(&mut self, steps: &[Step], step: &Step, first: StepId) {
        self.met_by.resize(steps.len(), 0);
        self.walks += 1;
        self.open.extend(step.needs.range(first..));
        while let Some(step) = self.open.pop() {
            if self.met_by[step.0] != self.walks {
                self.met_by[step.0] = self.walks;
                self.open.extend(steps[step.0].needs.range(first..));
            }
        }
    }

    fn has_met(&self, id: StepId) -> bool {
        self.met_by[id.0] == self.walks
    }
}
