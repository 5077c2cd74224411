//! A plan in the making: the steps so far, what they have made ready, and the few sequences that
//! every rollout is put together from.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::decide::{Does, Going};
use super::graph::{Graph, Lane};
use super::judge::image_of;
use super::manner::Manner;
use super::member::Member;
use super::readiness::{self, readiness};
use super::routes::{Drain, Routes, Turn};
use super::wanted::{Wanted, fixed_port};
use super::world::{Sighting, World};
use crate::model::{
    Backend, BackendKey, Cause, Condition, HookMoment, HostName, LiveContainer, Nanos, Op,
    ProxyPlace, ServiceName, StackName, Status, StepId,
};

/// How long requests of a service that nobody describes any more may take.
const DRAIN: Nanos = Nanos(30_000_000_000);

/// The grace of a container that names none, as the engine has it.
const GRACE: Nanos = Nanos(10_000_000_000);

/// A service on its way to what the commit wants.
pub(super) struct Service<'a> {
    pub(super) wanted: Wanted<'a>,
    pub(super) members: Vec<Member<'a>>,
    pub(super) going: Vec<Going<'a>>,
    pub(super) manner: Manner,
    /// Networks that its containers must leave before they are made anew.
    pub(super) remade: BTreeSet<String>,
}

/// What other services can wait for.
#[derive(Debug, Default)]
pub(super) struct Milestones {
    pub(super) started: BTreeSet<StepId>,
    pub(super) ready: BTreeSet<StepId>,
    /// The end of what runs once before the first of its replicas starts.
    helped: Option<StepId>,
}

/// A thing on a host that containers need.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Thing {
    Image(String),
    Network(String),
    Volume(String),
}

/// The plan so far.
pub(super) struct Draft<'w, 'a> {
    pub(super) world: &'w World<'a>,
    pub(super) graph: Graph,
    pub(super) routes: Routes<'a>,
    /// The steps that make things for a stack on a host.
    made: BTreeMap<(StackName, HostName), BTreeMap<Thing, StepId>>,
    pub(super) milestones: BTreeMap<(StackName, ServiceName), Milestones>,
    /// The removals on each host, by stack.
    pub(super) removed: BTreeMap<(StackName, HostName), BTreeSet<StepId>>,
    /// The steps that free a port of a host.
    freed: BTreeMap<(HostName, u16), BTreeSet<StepId>>,
}

/// What the containers that end have in common.
pub(super) struct End<'e> {
    pub(super) lane: &'e Lane,
    pub(super) wanted: Option<&'e Wanted<'e>>,
    pub(super) cause: &'e Cause,
    /// What must have succeeded before any of them may end.
    pub(super) after: BTreeSet<StepId>,
}

impl<'w, 'a> Draft<'w, 'a> {
    pub(super) fn new(world: &'w World<'a>, routes: Routes<'a>) -> Self {
        Self {
            world,
            graph: Graph::default(),
            routes,
            made: BTreeMap::new(),
            milestones: BTreeMap::new(),
            removed: BTreeMap::new(),
            freed: BTreeMap::new(),
        }
    }

    /// Whether anything was laid down that has to do with a stack.
    pub(super) fn has_to_do_with(&self, stack: &StackName) -> bool {
        self.graph.of_stack(stack).next().is_some() || self.routes.has_changed(stack)
    }

    /// Makes the container, when it is not there: what its start needs.
    pub(super) fn make(
        &mut self,
        service: &Service<'a>,
        member: &Member<'a>,
        prior: &BTreeSet<StepId>,
    ) -> BTreeSet<StepId> {
        let Some(replica) = &member.replica else { return prior.clone() };
        let (wanted, lane) = (&service.wanted, lane_of(&service.wanted).slot(member.slot));
        let mut needs = self.prerequisites(wanted, &member.host);
        needs.extend(prior);
        let op = Op::Create { replica: replica.clone() };
        BTreeSet::from([self.graph.add(&lane, &member.host, op, needs, &member.decision.cause)])
    }

    /// Starts a container that is made, and waits until it may be trusted: the last of the steps.
    pub(super) fn begin(
        &mut self,
        service: &Service<'a>,
        member: &Member<'a>,
        made: BTreeSet<StepId>,
    ) -> StepId {
        let (wanted, cause) = (&service.wanted, &member.decision.cause);
        let lane = lane_of(wanted).slot(member.slot);
        let host = &member.host;
        let container = member.name.clone();
        let mut needs = made;
        let mut last = None;
        if !matches!(member.does, Does::Prove(_)) {
            needs.extend(self.dependencies(wanted));
            needs.extend(self.ports_of(wanted, host));
            needs = self.help(service, member, needs);
            let op = Op::Start { container: container.clone() };
            let start = self.graph.add(&lane, host, op, needs, cause);
            self.milestone(wanted).started.insert(start);
            needs = BTreeSet::from([start]);
            last = Some(start);
            for hook in &wanted.target.post_start {
                let op = Op::RunHook {
                    container: container.clone(),
                    hook: hook.clone(),
                    moment: HookMoment::PostStart,
                };
                let step = self.graph.add(&lane, host, op, needs, cause);
                needs = BTreeSet::from([step]);
                last = Some(step);
            }
        }
        let op = match wanted {
            _ if wanted.is_one_shot => {
                let within =
                    wanted.target.health.as_ref().map_or(readiness::JOB, |gate| gate.within);
                Op::AwaitCompleted { container, within }
            }
            _ => {
                let image = image_of(wanted, self.world.hosts[host]).ok();
                // The share that may fail is one of the whole change, not of each batch.
                let fresh = service.members.iter().filter(|it| it.does.is_fresh()).count();
                let readiness = readiness(wanted, image, member.probe.clone(), fresh);
                Op::AwaitReady { container, readiness }
            }
        };
        let step = match last {
            // Its end is no fault, so there is nothing to wait for.
            Some(start) if readiness::may_end(wanted.target) && !wanted.is_one_shot => start,
            _ => self.graph.add(&lane, host, op, needs, cause),
        };
        self.milestone(wanted).ready.insert(step);
        step
    }

    /// Runs what comes before a start, one after the other; what the start needs then.
    fn help(
        &mut self,
        service: &Service<'a>,
        member: &Member<'a>,
        mut needs: BTreeSet<StepId>,
    ) -> BTreeSet<StepId> {
        let (host, cause) = (&member.host, &member.decision.cause);
        let lane = lane_of(&service.wanted).slot(member.slot);
        needs.extend(self.milestone(&service.wanted).helped);
        let mut last = None;
        for replica in &member.helpers {
            let container = replica.name.clone();
            needs.extend(self.prerequisites(&service.wanted, host));
            let steps = [
                Op::Create { replica: replica.clone() },
                Op::Start { container: container.clone() },
                Op::AwaitCompleted { container: container.clone(), within: readiness::JOB },
                Op::Remove { container, id: None },
            ];
            for op in steps {
                let step = self.graph.add(&lane, host, op, needs, cause);
                needs = BTreeSet::from([step]);
                last = Some(step);
            }
        }
        let helped = &mut self.milestone(&service.wanted).helped;
        *helped = helped.or(last);
        needs
    }

    fn milestone(&mut self, wanted: &Wanted<'_>) -> &mut Milestones {
        let key = (wanted.stack.clone(), wanted.service.clone());
        self.milestones.entry(key).or_default()
    }

    /// Whether a proxy sends to a container of a service, as far as anybody can tell.
    pub(super) fn may_be_sent_to(&self, service: &Service<'_>, container: &str) -> bool {
        self.world.is_routed(container)
            || service.wanted.places.iter().any(|place| self.world.serves_from_memory(place))
    }

    /// The steps of other services that a start waits for.
    fn dependencies(&self, wanted: &Wanted<'_>) -> BTreeSet<StepId> {
        let mut needs = BTreeSet::new();
        for (name, dependency) in &wanted.target.depends_on {
            let key = (wanted.stack.clone(), name.clone());
            let Some(milestones) = self.milestones.get(&key) else { continue };
            needs.extend(match dependency.condition {
                Condition::Started => &milestones.started,
                Condition::Healthy | Condition::CompletedSuccessfully => &milestones.ready,
            });
        }
        needs
    }

    /// The steps that free the host ports that a service fixes.
    fn ports_of(&self, wanted: &Wanted<'_>, host: &HostName) -> BTreeSet<StepId> {
        let ports = wanted.target.container.ports.iter().filter_map(fixed_port);
        let freed = ports.filter_map(|port| self.freed.get(&(host.clone(), port)));
        freed.flatten().copied().collect()
    }

    /// The steps that make what a service's containers need on a host.
    fn prerequisites(&self, wanted: &Wanted<'_>, host: &HostName) -> BTreeSet<StepId> {
        let Some(made) = self.made.get(&(wanted.stack.clone(), host.clone())) else {
            return BTreeSet::new();
        };
        let hooks = wanted.target.pre_start.iter().filter_map(|hook| hook.image.as_ref());
        let images = hooks.chain([&wanted.target.container.image]);
        let images = images.map(|image| Thing::Image(image.clone()));
        let networks = wanted.networks().into_iter().map(|name| Thing::Network(name.to_owned()));
        let volumes = wanted.volumes(self.world).into_iter().map(|it| Thing::Volume(it.name));
        let things = networks.chain(volumes).chain(images);
        things.filter_map(|thing| made.get(&thing)).copied().collect()
    }

    /// The step that makes a thing for a stack on a host.
    pub(super) fn maker(
        &self,
        stack: &StackName,
        host: &HostName,
        thing: &Thing,
    ) -> Option<StepId> {
        self.made.get(&(stack.clone(), host.clone()))?.get(thing).copied()
    }

    /// Notes the step that makes a thing for a stack on a host.
    pub(super) fn makes(&mut self, stack: &StackName, host: &HostName, thing: Thing, step: StepId) {
        self.made.entry((stack.clone(), host.clone())).or_default().insert(thing, step);
    }

    /// Points all places of a service at `serving`, and at those of `remaining` that they send to
    /// now: the switches that takes.
    pub(super) fn turn(
        &mut self,
        service: &Service<'a>,
        serving: &[&Member<'a>],
        remaining: &BTreeSet<String>,
        needs: &BTreeSet<StepId>,
        cause: &Cause,
    ) -> BTreeSet<StepId> {
        let wanted = &service.wanted;
        let own = |key: &BackendKey| key.stack == *wanted.stack && key.service == *wanted.service;
        let mut places: BTreeSet<ProxyPlace> = wanted.places.clone();
        let known = self.routes.places_of(self.world, wanted.stack).into_iter();
        places.extend(known.filter(|place| self.routes.at(place).keys().any(own)));
        let mut switches = BTreeSet::new();
        for place in &places {
            let now = self.routes.at(place);
            let mut set: BTreeMap<BackendKey, Option<Backend>> =
                now.keys().filter(|key| own(key)).map(|key| (key.clone(), None)).collect();
            for (key, mut backend) in wanted.backends(place) {
                let old = now.get(&key).into_iter().flat_map(|backend| &backend.servers);
                let old = old.filter(|(name, _)| remaining.contains(*name));
                backend.servers.extend(old.map(|(name, at)| (name.clone(), at.clone())));
                for member in serving {
                    let at = member.servers.get(place).and_then(|ports| ports.get(&key.port));
                    backend.servers.extend(at.map(|at| (member.name.clone(), at.clone())));
                }
                set.insert(key, Some(backend));
            }
            let lane = lane_of(wanted);
            let turn = Turn { lane: &lane, place, set, needs: needs.clone(), cause };
            switches.extend(self.routes.turn(self.world, &mut self.graph, turn));
        }
        switches
    }

    /// Waits until no place sends to `olds`, and stops them; each with its last step.
    pub(super) fn stop(
        &mut self,
        olds: &[Sighting<'a>],
        end: &End<'_>,
    ) -> Vec<(Sighting<'a>, BTreeSet<StepId>)> {
        let within = end.wanted.map_or(DRAIN, |wanted| wanted.target.rollout.drain_timeout);
        let drain = Drain { within, cause: end.cause };
        let after = self.routes.drain(self.world, &mut self.graph, end.lane, olds, drain);
        let mut stopped = Vec::new();
        for old in olds {
            let mut needs = end.after.clone();
            needs.extend(after.get(&old.live.name).into_iter().flatten());
            stopped.push((*old, self.stop_one(*old, end, needs)));
        }
        stopped
    }

    fn stop_one(
        &mut self,
        old: Sighting<'a>,
        end: &End<'_>,
        mut needs: BTreeSet<StepId>,
    ) -> BTreeSet<StepId> {
        let lane = end.lane.slot(old.live.identity.slot);
        let container = old.live.name.clone();
        if old.live.state.is_running() && old.live.identity.slot > 0 {
            for hook in end.wanted.iter().flat_map(|wanted| &wanted.target.pre_stop) {
                let op = Op::RunHook {
                    container: container.clone(),
                    hook: hook.clone(),
                    moment: HookMoment::PreStop,
                };
                needs = BTreeSet::from([self.graph.add(&lane, old.host, op, needs, end.cause)]);
            }
        }
        if holds_a_process(old.live) {
            let op = Op::Stop { container, id: Some(old.live.id.clone()), grace: grace(old.live) };
            needs = BTreeSet::from([self.graph.add(&lane, old.host, op, needs, end.cause)]);
            for binding in old.live.config.bindings() {
                let key = (old.host.clone(), binding.at.port);
                self.freed.entry(key).or_default().extend(&needs);
            }
        }
        needs
    }

    /// Removes a container that has ended.
    pub(super) fn remove(
        &mut self,
        old: Sighting<'a>,
        end: &End<'_>,
        needs: BTreeSet<StepId>,
    ) -> StepId {
        let lane = end.lane.slot(old.live.identity.slot);
        let op = Op::Remove { container: old.live.name.clone(), id: Some(old.live.id.clone()) };
        let step = self.graph.add(&lane, old.host, op, needs, end.cause);
        let key = (lane.stack, old.host.clone());
        self.removed.entry(key).or_default().insert(step);
        step
    }
}

/// The lane of a service.
pub(super) fn lane_of(wanted: &Wanted<'_>) -> Lane {
    Lane::service(wanted.stack, wanted.service)
}

/// Whether something of it would go on if it were removed.
fn holds_a_process(live: &LiveContainer) -> bool {
    match live.state.status {
        Status::Running | Status::Paused | Status::Restarting => true,
        Status::Created | Status::Removing | Status::Exited | Status::Dead => false,
    }
}

/// The time that a container has to end by itself.
pub(super) fn grace(live: &LiveContainer) -> Nanos {
    let seconds = live.config.get("StopTimeout").and_then(Value::as_u64);
    seconds.map_or(GRACE, |seconds| Nanos(seconds.saturating_mul(1_000_000_000)))
}
