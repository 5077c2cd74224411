//! A plan put together: each stack's decisions, then its steps, then what people read of it.

use std::collections::{BTreeMap, BTreeSet};

use super::changes::{service_change, stack_notes};
use super::decide::{Before, Decision, Going, decide};
use super::draft::{Draft, Service};
use super::graph::Lane;
use super::judged::{self, Look, Outlook, judge, judge_all};
use super::manner::Manner;
use super::member::Casting;
use super::parts::both;
use super::place::Placer;
use super::prereqs::{self, Remade};
use super::reach::Reach;
use super::replica;
use super::rollout;
use super::routes::{Routes, Turn};
use super::strays::strays;
use super::world::{Sighting, World};
use super::{Problem, basis, files, id};
use crate::model::{
    Cause, Change, Generation, HostName, Note, Op, Plan, PlanId, ProxyPlace, Release, ResourceKind,
    Seating, ServiceName, StackName, StackPlan, StackTarget, StepId, UpdateOrder,
};

/// A stack with everything decided, and no step laid down.
struct StackDraft<'a> {
    stack: &'a StackName,
    /// `None` when it goes.
    target: Option<&'a StackTarget>,
    generation: Generation,
    /// In the order in which they depend on each other.
    services: Vec<Service<'a>>,
    /// Services that are not in the commit any more, with all their containers.
    gone: BTreeMap<&'a ServiceName, Vec<Going<'a>>>,
    remade: Remade,
    seatings: Vec<Seating>,
    /// Whether it is as it shall be: nothing was decided.
    rests: bool,
    /// What stands in its way.
    problems: Vec<Problem>,
    plan: StackPlan,
}

impl<'a> StackDraft<'a> {
    fn new(stack: &'a StackName, target: Option<&'a StackTarget>, generation: Generation) -> Self {
        Self {
            stack,
            target,
            generation,
            services: Vec::new(),
            gone: BTreeMap::new(),
            remade: Remade::default(),
            seatings: Vec::new(),
            rests: false,
            problems: Vec::new(),
            plan: StackPlan::default(),
        }
    }

    /// A stack of which there is nothing but what people should know.
    fn resting(stack: &'a StackName, notes: Vec<Note>) -> Self {
        let plan = StackPlan { notes, ..StackPlan::default() };
        Self { rests: true, plan, ..Self::new(stack, None, 0) }
    }
}

/// Makes the plan of everything in scope.
pub(super) fn assemble(
    world: &World<'_>,
    reach: &Reach<'_>,
    look: Look,
) -> Result<Plan, Vec<Problem>> {
    let ((mut placer, mut casting), outlooks) =
        both(|| (Placer::new(world), Casting::new(world)), || judge_all(world, reach, look));
    let (stacks, (behind, strays)) = both(
        || decide_all(world, reach, outlooks, &mut placer, &mut casting),
        || (files::behind(world), strays(world, reach)),
    );
    let mut stacks = stacks?;
    let mut problems = Vec::new();
    let mut draft = Draft::new(world, Routes::new(world, &reach.stacks));
    for stack in &stacks {
        problems.extend(prereqs::bring(&mut draft, &stack.services));
    }
    let stale = files::follow_again(&mut draft, reach, behind);
    let services: Vec<&Service<'_>> = stacks.iter().flat_map(|it| &it.services).collect();
    rollout::restore_shared(&mut draft, &services);
    let wanted_ports = wanted_ports(&stacks);
    for stack in &mut stacks {
        make_room(&mut draft, stack, &wanted_ports);
    }
    problems.extend(lay_all_down(&mut draft, reach, &mut stacks, &mut placer, &mut casting));
    problems.extend(draft.routes.problems.iter().cloned());
    problems.extend(super::subnets::check(&draft));
    if !problems.is_empty() {
        return Err(problems);
    }
    let proxy_files = files::files(&draft, &stale)?;
    prereqs::bring_first(&mut draft);
    draft.graph.reduce();
    let request = world.request;
    let mut plan = Plan {
        id: PlanId(String::new()),
        owner: request.owner.clone(),
        commit: request.commit.clone(),
        commits: request.commits.clone(),
        basis: basis::basis(world, reach, &draft),
        stacks: stacks
            .iter_mut()
            .map(|it| (it.stack.clone(), std::mem::take(&mut it.plan)))
            .collect(),
        files: proxy_files,
        steps: std::mem::take(&mut draft.graph.steps),
        blind: reach.blind.clone(),
        strays,
    };
    let seatings: Vec<_> =
        stacks.iter_mut().map(|it| (it.stack, std::mem::take(&mut it.seatings))).collect();
    // What a fleet's plan was made with takes a while to be given back.
    let used = (stacks, draft, placer, casting);
    let ((), id) = both(|| drop(used), || id::plan_id(&plan));
    plan.id = id;
    // Whether somebody wants to know why makes no other plan of it.
    for (stack, seatings) in seatings {
        if let Some(plan) = plan.stacks.get_mut(stack) {
            plan.seatings = seatings;
        }
    }
    Ok(plan)
}

/// Decides on all stacks but those that rest.
fn decide_all<'a>(
    world: &World<'a>,
    reach: &Reach<'a>,
    outlooks: Vec<Outlook<'a>>,
    placer: &mut Placer,
    casting: &mut Casting<'_, 'a>,
) -> Result<Vec<StackDraft<'a>>, Vec<Problem>> {
    let mut stacks = Vec::new();
    for (stack, outlook) in reach.stacks.iter().zip(outlooks) {
        let judged = match outlook {
            Outlook::Rests(notes) => {
                stacks.push(StackDraft::resting(stack, notes));
                continue;
            }
            Outlook::Goes => None,
            Outlook::Open(judged) => Some(judged),
        };
        stacks.push(decide_stack(world, reach, stack, judged, placer, casting));
    }
    let problems = make_replicas(world, &mut stacks);
    if problems.is_empty() { Ok(stacks) } else { Err(problems) }
}

/// Makes what was decided on; everything that stands in the way.
fn make_replicas<'a>(world: &World<'a>, stacks: &mut [StackDraft<'a>]) -> Vec<Problem> {
    let services = stacks.iter_mut().flat_map(|stack| &mut stack.services);
    let mut problems = replica::make(world, services.flat_map(|it| &mut it.members));
    problems.extend(stacks.iter_mut().flat_map(|stack| std::mem::take(&mut stack.problems)));
    problems
}

/// The steps of all stacks. One that rests is decided on after all when somebody else has done
/// something to it.
fn lay_all_down<'a>(
    draft: &mut Draft<'_, 'a>,
    reach: &Reach<'a>,
    stacks: &mut [StackDraft<'a>],
    placer: &mut Placer,
    casting: &mut Casting<'_, 'a>,
) -> Vec<Problem> {
    let (world, mut problems) = (draft.world, Vec::new());
    for stack in stacks {
        if stack.rests {
            if !draft.has_to_do_with(stack.stack) {
                continue;
            }
            let judged = judge(world, reach, stack.stack);
            *stack = decide_stack(world, reach, stack.stack, judged, placer, casting);
            let found = make_replicas(world, std::slice::from_mut(stack));
            if !found.is_empty() {
                problems.extend(found);
                continue;
            }
        }
        problems.extend(lay_down(draft, reach, stack));
    }
    problems
}

fn decide_stack<'a>(
    world: &World<'a>,
    reach: &Reach<'a>,
    stack: &'a StackName,
    judged: Option<judged::Stack<'a>>,
    placer: &mut Placer,
    casting: &mut Casting<'_, 'a>,
) -> StackDraft<'a> {
    let target = judged.as_ref().map(|it| it.target);
    let generation = world.next_generation(stack);
    let mut draft = StackDraft::new(stack, target, generation);
    draft.gone = gone(world, reach, stack, target);
    let Some(judged) = judged else { return draft };
    let judged::Stack { target, mut services, remade, volumes: mut problems } = judged;
    match remade {
        Ok(remade) => draft.remade = remade,
        Err(found) => problems.extend(found),
    }
    let mut generations: BTreeMap<ServiceName, Generation> = BTreeMap::new();
    for name in in_order(target) {
        let Some(judged) = services.remove(name) else {
            // It may not be touched.
            generations.extend(seen_generation(world, stack, name).map(|it| (name.clone(), it)));
            continue;
        };
        let before = Before { generations: &generations, remade: &draft.remade.by_host };
        let service = judged.and_then(|judged| decide(world, judged, placer, &before));
        let cast = service.and_then(|mut decision| {
            let lowest = decision.slots.iter().map(|slot| {
                slot.does.current().map_or(generation, |it| it.live.identity.generation)
            });
            if let Some(lowest) = lowest.min() {
                generations.insert(name.clone(), lowest);
            }
            let members = casting.members(&mut decision, generation)?;
            Ok((decision, members))
        });
        match cast {
            Ok((decision, members)) => {
                let Decision { wanted, going, waiting, remade, seatings, slots: _ } = decision;
                draft.seatings.extend(seatings);
                draft.plan.notes.extend(super::changes::waiting_note(&wanted, &waiting, reach));
                let manner = Manner::new(world, &wanted, &members, remade.first());
                draft.services.push(Service { wanted, members, going, manner, remade });
            }
            Err(found) => problems.extend(found),
        }
    }
    draft.problems = problems;
    draft
}

/// The lowest generation among the containers that a service has.
fn seen_generation(
    world: &World<'_>,
    stack: &StackName,
    service: &ServiceName,
) -> Option<Generation> {
    let seen = world.of_service(stack, service);
    seen.iter().map(|it| it.live.identity.generation).min()
}

/// Services of which there are containers, and that the commit does not have.
fn gone<'a>(
    world: &World<'a>,
    reach: &Reach<'a>,
    stack: &StackName,
    target: Option<&StackTarget>,
) -> BTreeMap<&'a ServiceName, Vec<Going<'a>>> {
    let mut gone = BTreeMap::new();
    for service in world.services(stack) {
        let is_wanted = target.is_some_and(|target| target.services.contains_key(service));
        if is_wanted || !reach.may_touch(stack, service) {
            continue;
        }
        let scope = &world.request.scope;
        let selected = |it: &Sighting<'a>| {
            let slot = it.live.identity.slot;
            slot == 0 || scope.selects(stack, service, slot)
        };
        let cause = |it: &Sighting<'a>| match it.live.identity.slot {
            0 => Cause::LeftOver,
            _ => Cause::Gone,
        };
        let sightings = world.of_service(stack, service).iter().filter(|it| selected(it));
        let going = sightings.map(|it| Going { cause: cause(it), sighting: *it }).collect();
        gone.insert(service, going);
    }
    gone
}

/// Services so that each comes after those it depends on.
fn in_order(target: &StackTarget) -> Vec<&ServiceName> {
    let mut order: Vec<&ServiceName> = Vec::new();
    let mut done: BTreeSet<&ServiceName> = BTreeSet::new();
    while done.len() < target.services.len() {
        let is_ready = |name: &ServiceName| {
            let needs = target.services[name].depends_on.keys();
            needs.into_iter().all(|need| done.contains(need) || !target.services.contains_key(need))
        };
        let open = || target.services.keys().filter(|name| !done.contains(name));
        // Compose refuses a circle; should there be one, it is broken at its first name.
        let Some(next) = open().find(|name| is_ready(name)).or_else(|| open().next()) else {
            break;
        };
        done.insert(next);
        order.push(next);
    }
    order
}

/// Ports of hosts that new containers fix, by host.
fn wanted_ports(stacks: &[StackDraft<'_>]) -> BTreeSet<(HostName, u16)> {
    let mut ports = BTreeSet::new();
    for service in stacks.iter().flat_map(|stack| &stack.services) {
        for member in service.members.iter().filter(|it| it.does.is_fresh()) {
            let fixed = service.wanted.fixed_ports().into_iter();
            ports.extend(fixed.map(|port| (member.host.clone(), port)));
        }
    }
    ports
}

/// Lets services go first that have a port which a new container fixes.
fn make_room<'a>(
    draft: &mut Draft<'_, 'a>,
    stack: &mut StackDraft<'a>,
    wanted: &BTreeSet<(HostName, u16)>,
) {
    let holds = |going: &Going<'a>| {
        let it = &going.sighting;
        let mut ports = it.live.config.bindings().iter().map(|binding| binding.at.port);
        ports.any(|port| wanted.contains(&(it.host.clone(), port)))
    };
    let early: Vec<_> = stack
        .gone
        .iter()
        .filter(|(_, going)| going.iter().any(holds))
        .map(|(name, _)| *name)
        .collect();
    for name in early {
        if let Some(going) = stack.gone.remove(name) {
            leave(draft, stack, name, &going);
        }
    }
}

/// Takes a service that is gone out of every proxy, and its containers away.
fn leave<'a>(
    draft: &mut Draft<'_, 'a>,
    stack: &mut StackDraft<'a>,
    name: &ServiceName,
    going: &[Going<'a>],
) {
    let lane = Lane::service(stack.stack, name);
    let after = unroute(draft, &lane, stack.stack, name);
    rollout::remove(draft, &lane, None, going, &after);
    stack.plan.changes.push(super::changes::gone_change(name, going));
}

fn unroute(
    draft: &mut Draft<'_, '_>,
    lane: &Lane,
    stack: &StackName,
    name: &ServiceName,
) -> BTreeSet<StepId> {
    let places = draft.routes.places_of(draft.world, stack);
    let mut after = BTreeSet::new();
    for place in &places {
        let now = draft.routes.at(place);
        let own = now.keys().filter(|key| key.stack == *stack && key.service == *name);
        let set = own.map(|key| (key.clone(), None)).collect();
        let turn = Turn { lane, place, set, needs: BTreeSet::new(), cause: &Cause::Gone };
        after.extend(draft.routes.turn(draft.world, &mut draft.graph, turn));
    }
    after
}

/// The steps of a stack.
fn lay_down<'a>(
    draft: &mut Draft<'_, 'a>,
    reach: &Reach<'a>,
    stack: &mut StackDraft<'a>,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(target) = stack.target {
        for service in stack.services.iter().filter(|it| !it.remade.is_empty()) {
            rollout::leave_all(draft, service);
        }
        let before = draft.graph.steps.len();
        problems = prereqs::prepare(draft, stack.stack, target, &stack.services, &stack.remade);
        stack.plan.changes.extend(made_changes(draft, before, target, &stack.remade));
        for service in &stack.services {
            let before = draft.graph.steps.len();
            match service.manner.order {
                UpdateOrder::StartFirst => rollout::start_first(draft, service),
                UpdateOrder::StopFirst => rollout::stop_first(draft, service),
            }
            let touched = draft.graph.steps.len() > before;
            stack.plan.changes.extend(service_change(draft.world, service, touched));
        }
    }
    for (name, going) in std::mem::take(&mut stack.gone) {
        leave(draft, stack, name, &going);
    }
    unroute_unknown(draft, reach, stack);
    if !draft.world.request.scope.is_partial() {
        let used = used_networks(draft.world, stack);
        stack.plan.changes.extend(prereqs::clear(draft, stack.stack, stack.target, &used));
    }
    stack.plan.notes.extend(stack_notes(draft.world, &stack.services));
    stack.plan.notes.sort();
    stack.plan.notes.dedup();
    stack.plan.changes.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    record(draft, stack);
    problems
}

/// Backends of services of which nothing else is left.
fn unroute_unknown(draft: &mut Draft<'_, '_>, reach: &Reach<'_>, stack: &StackDraft<'_>) {
    let mut names = BTreeSet::new();
    for place in &draft.routes.places_of(draft.world, stack.stack) {
        let keys = draft.routes.at(place).keys().filter(|key| key.stack == *stack.stack);
        names.extend(keys.map(|key| key.service.clone()));
    }
    for name in names {
        let is_wanted = stack.target.is_some_and(|target| target.services.contains_key(&name));
        if !is_wanted && reach.may_touch(stack.stack, &name) {
            unroute(draft, &Lane::service(stack.stack, &name), stack.stack, &name);
        }
    }
}

/// Networks that containers of the stack will be in, by host.
fn used_networks<'s>(
    world: &World<'s>,
    stack: &'s StackDraft<'_>,
) -> BTreeMap<&'s HostName, BTreeSet<&'s str>> {
    let mut used: BTreeMap<&HostName, BTreeSet<&str>> = BTreeMap::new();
    for service in &stack.services {
        let names = service.wanted.networks();
        for member in &service.members {
            used.entry(&member.host).or_default().extend(&names);
        }
    }
    // What is not touched stays in its networks.
    let planned: BTreeSet<_> = stack.services.iter().map(|it| it.wanted.service).collect();
    let target = stack.target.map(|target| &target.services);
    for (name, service) in target.into_iter().flatten().filter(|(name, _)| !planned.contains(name))
    {
        for sighting in world.of_service(stack.stack, name) {
            let networks = stack.target.map(|target| &target.networks);
            let keys = service.container.networks.keys();
            let names = keys.filter_map(|key| Some(networks?.get(key)?.name.as_str()));
            used.entry(sighting.host).or_default().extend(names);
        }
    }
    used
}

/// What happens to networks and volumes, from the steps that were laid down for them.
fn made_changes(
    draft: &Draft<'_, '_>,
    from: usize,
    target: &StackTarget,
    remade: &Remade,
) -> Vec<Change> {
    use crate::model::Action;
    let mut made: BTreeMap<(ResourceKind, String), Cause> = BTreeMap::new();
    for step in &draft.graph.steps[from..] {
        match &step.op {
            Op::CreateNetwork { name, .. } => {
                made.insert((ResourceKind::Network, name.clone()), step.cause.clone());
            }
            Op::CreateVolume { name, .. } => {
                made.insert((ResourceKind::Volume, name.clone()), step.cause.clone());
            }
            _ => {}
        }
    }
    let key = |kind: ResourceKind, name: &String| {
        let networks = target
            .networks
            .iter()
            .filter(|(_, it)| kind == ResourceKind::Network && it.name == *name);
        let volumes = target
            .volumes
            .iter()
            .filter(|(_, it)| kind == ResourceKind::Volume && it.name == *name);
        let key = networks.map(|(key, _)| key).chain(volumes.map(|(key, _)| key)).next();
        key.unwrap_or(name).clone()
    };
    let change = |((kind, name), cause): ((ResourceKind, String), Cause)| {
        let action =
            if cause == Cause::Changed { Action::ReplaceStopFirst } else { Action::Create };
        let fields = remade.fields.get(&name).cloned().unwrap_or_default();
        prereqs::change(kind, key(kind, &name), action, [cause], fields)
    };
    made.into_iter().map(change).collect()
}

/// Remembers the release on each host that has something of the stack, or a record of it.
fn record(draft: &mut Draft<'_, '_>, stack: &StackDraft<'_>) {
    let world = draft.world;
    let mut needs = draft.graph.ends_of(stack.stack);
    if !needs.is_empty() {
        // One that was laid down for several stacks is a step of the first of them.
        let places = draft.routes.places_of(draft.world, stack.stack);
        needs.extend(places.iter().filter_map(|place| draft.routes.restored(place)));
    }
    let is_unrecorded =
        world.born(stack.stack) > world.released(stack.stack) && stack.target.is_some();
    let recorded =
        world.hosts_of(stack.stack).filter(|(_, state)| state.releases.contains_key(stack.stack));
    let mut hosts: BTreeSet<HostName> = recorded.map(|(host, _)| host.clone()).collect();
    if world.request.scope.is_partial()
        || (needs.is_empty() && !is_unrecorded && (stack.target.is_some() || hosts.is_empty()))
    {
        return;
    }
    let members = stack.services.iter().flat_map(|it| &it.members);
    hosts.extend(members.filter(|_| stack.target.is_some()).map(|it| it.host.clone()));
    let commits = match (stack.target, world.request.commit_of(stack.stack)) {
        (Some(_), Some(commit)) => {
            let hosts = world.hosts_of(stack.stack);
            let releases = hosts.filter_map(|(_, state)| state.releases.get(stack.stack));
            let last = releases.max_by_key(|release| release.generation);
            let before = last.into_iter().flat_map(|release| &release.commits);
            let before = before.filter(|it| *it != commit).cloned();
            std::iter::once(commit.clone()).chain(before).take(Release::KEPT).collect()
        }
        (Some(_), None) => return,
        (None, _) => Vec::new(),
    };
    let cause = if stack.target.is_some() { Cause::Changed } else { Cause::Gone };
    let sends =
        |place: &ProxyPlace| draft.routes.at(place).keys().any(|key| key.stack == *stack.stack);
    let send = draft.routes.places_of(draft.world, stack.stack).into_iter().filter(sends).collect();
    let proxies = super::strays::remembered(world, stack.stack, send);
    let release = Release { generation: stack.generation, commits, proxies };
    for host in hosts {
        let op = Op::Record { release: release.clone() };
        draft.graph.add(&Lane::stack(stack.stack), &host, op, needs.iter().copied(), &cause);
    }
}
