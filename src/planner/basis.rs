//! The facts that a plan rests on. When one of them changes, the plan is not the same any more.
//!
//! They are those of the stacks in which something is to be done, found stack by stack, which know
//! nothing of each other.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::parts::in_parts;
use super::reach::Reach;
use super::world::World;
use crate::model::{
    Basis, Facts, Health, HostName, HostState, LiveContainer, Mark, Op, ProxyPlace, StackName,
    StackTarget, Status,
};

pub(super) fn basis(world: &World<'_>, reach: &Reach<'_>, draft: &Draft<'_, '_>) -> Basis {
    let touched: Vec<_> = touched(world, reach, draft).into_iter().collect();
    let found = in_parts(&touched, |part| {
        part.iter().map(|(stack, it)| ((*stack).clone(), of_stack(world, stack, it))).collect()
    });
    let mut basis = Basis { stacks: found.into_iter().collect(), hosts: BTreeMap::new() };
    for (host, state) in &world.hosts {
        if let Some(drained) = &state.drained {
            // Who has said so is nothing that a plan rests on.
            let how = if drained.is_forced { "by force" } else { "asked for" };
            let facts = basis.hosts.entry((*host).clone()).or_default();
            facts.insert("drain".to_owned(), mark(&[how]));
        }
    }
    basis
}

/// Where a stack in which something is to be done has anything, or gets it.
#[derive(Default)]
struct Touched<'a> {
    hosts: BTreeMap<&'a HostName, &'a HostState>,
    /// The proxies that are switched for it.
    places: BTreeSet<&'a ProxyPlace>,
}

/// The stacks in scope in which something is to be done.
fn touched<'a>(
    world: &World<'a>,
    reach: &Reach<'_>,
    draft: &'a Draft<'_, '_>,
) -> BTreeMap<&'a StackName, Touched<'a>> {
    let mut found: BTreeMap<&StackName, Touched<'_>> = BTreeMap::new();
    for step in draft.graph.steps.iter().filter(|step| reach.has(&step.stack)) {
        let Some((host, state)) = world.hosts.get_key_value(&step.host) else { continue };
        let of_stack = found.entry(&step.stack).or_default();
        of_stack.hosts.insert(host, state);
        if let Op::Switch { place, change } = &step.op {
            of_stack.places.insert(place);
            // It may be for several stacks.
            for key in change.set.keys().filter(|key| reach.has(&key.stack)) {
                found.entry(&key.stack).or_default().places.insert(place);
            }
        }
    }
    for (stack, it) in &mut found {
        it.hosts.extend(world.hosts_of(stack));
    }
    found
}

/// What there is of a stack, and what its containers need.
fn of_stack(
    world: &World<'_>,
    stack: &StackName,
    touched: &Touched<'_>,
) -> BTreeMap<HostName, Facts> {
    let mut found: BTreeMap<HostName, Facts> = BTreeMap::new();
    for service in world.services(stack) {
        for it in world.of_service(stack, service) {
            let what = format!("container {}", it.live.name);
            found.entry(it.host.clone()).or_default().insert(what, container(it.live));
        }
    }
    for place in &touched.places {
        let Some(state) = world.proxies.get(place) else { continue };
        let file = state.file.as_deref().unwrap_or("none");
        let value = mark(&[file, &format!("{:?}", state.serving)]);
        let what = format!("file of proxy {}", place.proxy);
        found.entry(place.host.clone()).or_default().insert(what, value);
    }
    let target = world.request.desired.stacks.get(stack).map(|target| &**target);
    for (host, state) in &touched.hosts {
        let facts = found.entry((*host).clone()).or_default();
        things(facts, state, stack, target);
        if facts.is_empty() {
            found.remove(*host);
        }
    }
    found
}

/// What the containers of a stack need of a host.
fn things(facts: &mut Facts, state: &HostState, stack: &StackName, target: Option<&StackTarget>) {
    let mut add = |what: String, value: &[&str]| {
        facts.insert(what, mark(value));
    };
    if let Some(release) = state.releases.get(stack) {
        add(format!("release of {stack}"), &[&release.generation.to_string()]);
    }
    let Some(target) = target else { return };
    let services = target.services.values();
    let images: BTreeSet<&str> = services.map(|it| it.container.image.as_str()).collect();
    for reference in images {
        let Some(Ok(image)) = state.images.get(reference) else { continue };
        let id = image.id.as_deref().unwrap_or("none");
        let digest = image.digest.as_deref().unwrap_or("none");
        let from = if image.needs_pull { "to be pulled" } else { "there" };
        add(format!("image {reference}"), &[id, digest, from]);
    }
    for network in target.networks.values() {
        let live = state.networks.get(&network.name);
        add(format!("network {}", network.name), &[live.map_or("none", |live| live.id.as_str())]);
    }
    for volume in target.volumes.values() {
        let live = state.volumes.get(&volume.name);
        let value = live.map_or("none", |live| live.driver.as_str());
        add(format!("volume {}", volume.name), &[value]);
    }
}

/// What a container is and does.
fn container(live: &LiveContainer) -> Mark {
    let health = match &live.state.health {
        Some(Health::Unhealthy(_)) => "unhealthy",
        Some(Health::Starting | Health::Healthy) | None => "",
    };
    let (id, status) = (live.id.as_bytes(), status(live.state.status).as_bytes());
    Mark::of([id, status, health.as_bytes(), live.config.fingerprint()])
}

fn status(status: Status) -> &'static str {
    match status {
        Status::Created => "Created",
        Status::Running => "Running",
        Status::Paused => "Paused",
        Status::Restarting => "Restarting",
        Status::Removing => "Removing",
        Status::Exited => "Exited",
        Status::Dead => "Dead",
    }
}

fn mark(parts: &[&str]) -> Mark {
    Mark::of(parts.iter().map(|part| part.as_bytes()))
}
