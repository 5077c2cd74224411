//! Images, networks and volumes: what must be on a host before its containers can be made, what
//! must be made anew, and what goes with its last user.

use std::collections::{BTreeMap, BTreeSet};

use super::Problem;
use super::draft::{Draft, Service, Thing};
use super::graph::Lane;
use super::judge::image_named;
use super::overlay;
use super::world::World;
use crate::model::{
    Action, Cause, Change, Downtime, FieldDifference, HostName, HostState, LiveNetwork, LiveVolume,
    NetworkSpec, Op, ResourceKind, StackName, StackTarget, StepId, VolumeSpec,
};
use crate::spec;

/// Networks of a stack that are not as the commit wants them, by host.
#[derive(Default)]
pub(super) struct Remade {
    pub(super) by_host: BTreeMap<HostName, BTreeSet<String>>,
    /// What differs, by name.
    pub(super) fields: BTreeMap<String, Vec<FieldDifference>>,
}

impl Remade {
    pub(super) fn new(
        world: &World<'_>,
        stack: &StackName,
        target: &StackTarget,
    ) -> Result<Self, Vec<Problem>> {
        let mut remade = Self::default();
        let mut problems = Vec::new();
        for spec in target.networks.values().filter(|spec| spec.external != Some(true)) {
            // On most hosts it is as on the one before: it is compared once.
            let mut right: Option<&LiveNetwork> = None;
            for (host, state) in world.hosts_of(stack) {
                let Some(live) = state.networks.get(&spec.name) else { continue };
                if right.is_some_and(|right| is_as_good(spec, right, live)) {
                    continue;
                }
                let is_kept = overlay::is_kept_at(world, &live.driver, host, &spec.name);
                if live.stack.as_ref() != Some(stack) || !is_kept {
                    continue;
                }
                let fields = spec::network_differences(spec, live);
                if fields.is_empty() {
                    right = Some(live);
                    continue;
                }
                if !live.others.is_empty() {
                    let others: Vec<&str> = live.others.iter().map(String::as_str).collect();
                    problems.push(
                        Problem::policy(format!(
                            "the network {} on {host} must be made anew, and containers that are \
                             not ours are in it: {}",
                            spec.name,
                            others.join(", ")
                        ))
                        .hint("take them out of it, or give the network another name"),
                    );
                }
                // All containers that are in an overlay must leave it, wherever they are.
                let everywhere = world.hosts.keys().copied().filter(|_| live.driver == "overlay");
                for host in everywhere.chain([host]) {
                    remade.by_host.entry(host.clone()).or_default().insert(spec.name.clone());
                }
                remade.fields.insert(spec.name.clone(), fields);
            }
        }
        if problems.is_empty() { Ok(remade) } else { Err(problems) }
    }
}

/// Whether a network is as the commit wants it because another one is.
fn is_as_good(spec: &NetworkSpec, right: &LiveNetwork, live: &LiveNetwork) -> bool {
    live.driver == right.driver
        && live.internal == right.internal
        && live.attachable == right.attachable
        && live.options == right.options
        && live.labels == right.labels
        && (spec.ipam.is_none() || live.subnets == right.subnets)
}

/// Lays down what brings a stack's images to the hosts where its replicas come.
pub(super) fn bring(draft: &mut Draft<'_, '_>, services: &[Service<'_>]) -> Vec<Problem> {
    let mut problems = Vec::new();
    for service in services {
        for member in service.members.iter().filter(|it| it.does.is_fresh()) {
            let own = member.replica.iter().map(|_| &service.wanted.target.container.image);
            let hooks = service.wanted.target.pre_start.iter().filter_map(|it| it.image.as_ref());
            for image in own.chain(hooks.filter(|_| !member.helpers.is_empty())) {
                problems.extend(pull(draft, service, &member.host, image).err());
            }
        }
    }
    problems
}

/// Lets everything else of a stack wait until all its images are everywhere: a registry that is
/// away or a disk that is full then finds everything as it was.
pub(super) fn bring_first(draft: &mut Draft<'_, '_>) {
    let mut pulls: BTreeMap<StackName, BTreeSet<StepId>> = BTreeMap::new();
    for step in &draft.graph.steps {
        if matches!(step.op, Op::Pull { .. }) {
            pulls.entry(step.stack.clone()).or_default().insert(step.id);
        }
    }
    for step in &mut draft.graph.steps {
        if !matches!(step.op, Op::Pull { .. }) {
            step.needs.extend(pulls.get(&step.stack).into_iter().flatten());
        }
    }
}

/// Lays down what makes a stack's networks and volumes ready where its replicas come.
pub(super) fn prepare<'a>(
    draft: &mut Draft<'_, 'a>,
    stack: &StackName,
    target: &StackTarget,
    services: &[Service<'a>],
    remade: &Remade,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut networks: BTreeSet<(HostName, String)> = BTreeSet::new();
    let mut volumes: BTreeSet<(HostName, String, Option<String>)> = BTreeSet::new();
    for service in services {
        for member in service.members.iter().filter(|it| it.does.is_fresh()) {
            let host = &member.host;
            let names = service.wanted.networks().into_iter();
            networks.extend(names.map(|name| (host.clone(), name.to_owned())));
            let used = service.wanted.volumes(draft.world).into_iter();
            volumes.extend(used.map(|it| (host.clone(), it.name, it.key)));
        }
    }
    let lane = Lane::stack(stack);
    for spec in target.networks.values() {
        let users = networks.iter().filter(|(_, name)| *name == spec.name).map(|(host, _)| host);
        let users: Vec<&HostName> = users.collect();
        if spec.is_overlay() {
            problems.extend(overlay::check(draft.world, &spec.name, &users).err());
        }
        for host in users {
            problems.extend(network(draft, &lane, host, spec, remade).err());
        }
    }
    for (host, name, key) in volumes {
        let spec = key.and_then(|key| target.volumes.get(&key)).cloned();
        let spec = spec.unwrap_or(VolumeSpec { name, ..VolumeSpec::default() });
        problems.extend(volume(draft, &lane, &host, &spec).err());
    }
    problems
}

fn pull(
    draft: &mut Draft<'_, '_>,
    service: &Service<'_>,
    host: &HostName,
    reference: &str,
) -> Result<(), Problem> {
    let wanted = &service.wanted;
    let image = image_named(wanted, draft.world.hosts[host], reference)?;
    let thing = Thing::Image(reference.to_owned());
    if !image.needs_pull || draft.maker(wanted.stack, host, &thing).is_some() {
        return Ok(());
    }
    let op = Op::Pull {
        reference: reference.to_owned(),
        digest: image.digest.clone(),
        platform: wanted.target.container.platform.clone(),
    };
    let lane = super::draft::lane_of(wanted);
    let cause = service.members.iter().find(|it| it.replica.is_some());
    let cause = cause.map_or(Cause::Changed, |it| it.decision.cause.clone());
    let step = draft.graph.add(&lane, host, op, [], &cause);
    draft.makes(wanted.stack, host, thing, step);
    Ok(())
}

fn network(
    draft: &mut Draft<'_, '_>,
    lane: &Lane,
    user: &HostName,
    spec: &NetworkSpec,
    remade: &Remade,
) -> Result<(), Problem> {
    let name = &spec.name;
    let user = draft.world.hosts.get_key_value(user).map_or(user, |(known, _)| known);
    let host = overlay::keeper(draft.world, spec, user)?;
    let thing = Thing::Network(name.clone());
    if let Some(step) = draft.maker(&lane.stack, host, &thing) {
        draft.makes(&lane.stack, user, thing, step);
        return Ok(());
    }
    let live = draft.world.hosts[host].networks.get(name);
    let again = remade.by_host.get(host).is_some_and(|names| names.contains(name));
    let mut needs: BTreeSet<StepId> = BTreeSet::new();
    match live {
        _ if spec.external == Some(true) => {
            return live.map(drop).ok_or_else(|| missing("network", name, host));
        }
        Some(live) if live.stack.as_ref() != Some(&lane.stack) => {
            return Err(foreign("network", name, host));
        }
        Some(_) if !again => return Ok(()),
        Some(_) => {
            let users = removals(draft, &lane.stack, host, spec.driver.as_deref());
            let op = Op::RemoveNetwork { name: name.clone() };
            needs.insert(draft.graph.add(lane, host, op, users, &Cause::Changed));
        }
        None => {}
    }
    let is_here = |state: &HostState| {
        state.networks.get(name).is_some_and(|live| live.stack.as_ref() == Some(&lane.stack))
    };
    let cause = if again { Cause::Changed } else { why_made(draft, &lane.stack, is_here) };
    let body = spec::network_body(draft.world.request.owner, &lane.stack, spec);
    let op = Op::CreateNetwork { name: name.clone(), body };
    let step = draft.graph.add(lane, host, op, needs, &cause);
    draft.makes(&lane.stack, host, thing.clone(), step);
    draft.makes(&lane.stack, user, thing, step);
    Ok(())
}

/// What must have gone before a network can be removed from its host.
fn removals(
    draft: &Draft<'_, '_>,
    stack: &StackName,
    host: &HostName,
    driver: Option<&str>,
) -> BTreeSet<StepId> {
    if driver != Some("overlay") {
        return draft.removed.get(&(stack.clone(), host.clone())).cloned().unwrap_or_default();
    }
    let all = draft.removed.iter().filter(|((of, _), _)| of == stack);
    all.flat_map(|(_, steps)| steps).copied().collect()
}

fn volume(
    draft: &mut Draft<'_, '_>,
    lane: &Lane,
    host: &HostName,
    spec: &VolumeSpec,
) -> Result<(), Problem> {
    let name = &spec.name;
    let live = draft.world.hosts[host].volumes.get(name);
    match live {
        _ if spec.external == Some(true) => {
            return live.map(drop).ok_or_else(|| missing("volume", name, host));
        }
        Some(live) if live.stack.as_ref() != Some(&lane.stack) => {
            return Err(foreign("volume", name, host));
        }
        Some(_) => return Ok(()),
        None => {}
    }
    let body = spec::volume_body(draft.world.request.owner, &lane.stack, spec);
    let op = Op::CreateVolume { name: name.clone(), body };
    let is_here = |state: &HostState| {
        state.volumes.get(name).is_some_and(|live| live.stack.as_ref() == Some(&lane.stack))
    };
    let cause = why_made(draft, &lane.stack, is_here);
    let step = draft.graph.add(lane, host, op, [], &cause);
    draft.makes(&lane.stack, host, Thing::Volume(name.clone()), step);
    Ok(())
}

/// What other hosts have of the stack is not new in the commit.
fn why_made(
    draft: &Draft<'_, '_>,
    stack: &StackName,
    is_here: impl Fn(&HostState) -> bool,
) -> Cause {
    let mut hosts = draft.world.hosts_of(stack);
    if hosts.any(|(_, state)| is_here(state)) { Cause::Placed } else { Cause::Added }
}

fn missing(what: &str, name: &str, host: &HostName) -> Problem {
    Problem::invalid(format!("the {what} {name} is `external`, and {host} does not have it"))
        .hint(format!("make it with `docker {what} create {name}` on {host}"))
}

fn foreign(what: &str, name: &str, host: &HostName) -> Problem {
    Problem::invalid(format!("the {what} {name} on {host} is not this stack's"))
        .hint("say `external: true` to use it as it is, or give it another name")
}

/// Volumes that are not as the commit wants them: they hold data, so they are never made anew.
pub(super) fn check_volumes(
    world: &World<'_>,
    stack: &StackName,
    target: &StackTarget,
) -> Vec<Problem> {
    let mut problems = Vec::new();
    for spec in target.volumes.values().filter(|spec| spec.external != Some(true)) {
        let mut right: Option<&LiveVolume> = None;
        for (host, state) in world.hosts_of(stack) {
            let Some(live) = state.volumes.get(&spec.name) else { continue };
            if live.stack.as_ref() != Some(stack) || right == Some(live) {
                continue;
            }
            let fields = spec::volume_differences(spec, live);
            let fields: Vec<&str> = fields.iter().map(|field| field.path.as_str()).collect();
            if fields.is_empty() {
                right = Some(live);
            } else {
                problems.push(
                    Problem::policy(format!(
                        "the volume {} on {host} is not as {stack} wants it ({}), and a volume \
                         cannot be changed without losing its data",
                        spec.name,
                        fields.join(", ")
                    ))
                    .hint("give it another name and move the data, or take the change back"),
                );
            }
        }
    }
    problems
}

/// Lays down the removal of networks that have lost their last user, and of volumes where that was
/// asked for; with what that means for people.
pub(super) fn clear(
    draft: &mut Draft<'_, '_>,
    stack: &StackName,
    target: Option<&StackTarget>,
    used: &BTreeMap<&HostName, BTreeSet<&str>>,
) -> Vec<Change> {
    let world = draft.world;
    let lane = Lane::stack(stack);
    let mut gone: BTreeMap<(ResourceKind, String), BTreeSet<Cause>> = BTreeMap::new();
    for (host, state) in world.hosts_of(stack) {
        let own = |live: &LiveNetwork| live.stack.as_ref() == Some(stack);
        for (name, live) in state.networks.iter().filter(|(_, live)| own(live)) {
            let is_overlay = live.driver == "overlay";
            let uses = |names: &BTreeSet<&str>| names.contains(name.as_str());
            let is_used = match is_overlay {
                true => used.values().any(uses),
                false => used.get(host).is_some_and(uses),
            };
            let is_unused = live.others.is_empty()
                && !is_used
                && overlay::is_kept_at(world, &live.driver, host, name);
            if is_unused {
                let users = removals(draft, stack, host, Some(&live.driver));
                let op = Op::RemoveNetwork { name: name.clone() };
                let key = target.and_then(|target| key_of(target, name));
                let cause = match key {
                    None => Cause::Gone,
                    Some(_) if state.drained.is_some() => Cause::Drained,
                    Some(_) => Cause::Unused,
                };
                draft.graph.add(&lane, host, op, users.iter().copied(), &cause);
                let name = key.unwrap_or(name).clone();
                gone.entry((ResourceKind::Network, name)).or_default().insert(cause);
            }
        }
        if target.is_some() || !world.request.scope.removes_volumes {
            continue;
        }
        let users = draft.removed.get(&(stack.clone(), host.clone())).cloned().unwrap_or_default();
        for (name, live) in &state.volumes {
            if live.stack.as_ref() == Some(stack) {
                let op = Op::RemoveVolume { name: name.clone() };
                draft.graph.add(&lane, host, op, users.iter().copied(), &Cause::Gone);
                gone.entry((ResourceKind::Volume, name.clone())).or_default().insert(Cause::Gone);
            }
        }
    }
    gone.into_iter()
        .map(|((kind, name), causes)| change(kind, name, Action::Remove, causes, Vec::new()))
        .collect()
}

/// What a stack calls a network.
fn key_of<'t>(target: &'t StackTarget, name: &str) -> Option<&'t String> {
    target.networks.iter().find(|(_, spec)| spec.name == name).map(|(key, _)| key)
}

/// What happens to a network or volume, for people.
pub(super) fn change(
    kind: ResourceKind,
    name: String,
    action: Action,
    causes: impl IntoIterator<Item = Cause>,
    fields: Vec<FieldDifference>,
) -> Change {
    Change {
        kind,
        name,
        action,
        causes: causes.into_iter().collect(),
        fields,
        replicas: Vec::new(),
        count: (0, 0),
        downtime: Downtime::None,
    }
}
