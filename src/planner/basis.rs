//! The facts that a plan rests on. When one of them changes, the plan is not the same any more.
//!
//! They are found host by host, which know nothing of each other.

use std::collections::{BTreeMap, BTreeSet};

use super::draft::Draft;
use super::parts::in_parts;
use super::reach::Reach;
use super::world::World;
use crate::model::{
    Basis, Health, HostName, HostState, LiveContainer, Mark, StackName, StackTarget, Status,
};

/// The stacks in scope that have to do with a host.
type Stacks<'a> = BTreeMap<&'a StackName, &'a StackTarget>;

pub(super) fn basis(world: &World<'_>, reach: &Reach<'_>, draft: &Draft<'_, '_>) -> Basis {
    let mut stacks = stacks(world, reach, draft);
    let hosts = world.hosts.iter().map(|(host, state)| {
        let stacks = stacks.remove(host).unwrap_or_default();
        (*host, *state, stacks)
    });
    let hosts: Vec<_> = hosts.collect();
    let found = in_parts(&hosts, |part| {
        let facts = part.iter().map(|(host, state, stacks)| {
            let mut facts = Facts::default();
            facts.containers(reach, state);
            facts.things(state, stacks);
            ((*host).clone(), facts.0.into_iter().collect::<BTreeMap<_, _>>())
        });
        facts.filter(|(_, facts)| !facts.is_empty()).collect()
    });
    let mut basis: Basis = found.into_iter().collect();
    for place in draft.routes.switched() {
        let Some(state) = world.proxies.get(place) else { continue };
        let file = state.file.as_deref().unwrap_or("none");
        let value = mark(&[file, &format!("{:?}", state.serving)]);
        let what = format!("file of proxy {}", place.proxy);
        basis.entry(place.host.clone()).or_default().insert(what, value);
    }
    basis
}

/// What a stack neither has nor gets anything of is no matter to it.
fn stacks<'a>(
    world: &World<'a>,
    reach: &Reach<'_>,
    draft: &'a Draft<'_, '_>,
) -> BTreeMap<&'a HostName, Stacks<'a>> {
    let mut found: BTreeMap<&HostName, Stacks<'a>> = BTreeMap::new();
    let desired = &world.request.desired.stacks;
    for (stack, target) in desired.iter().filter(|(name, _)| reach.has(name)) {
        for (host, _) in world.hosts_of(stack) {
            found.entry(host).or_default().insert(stack, target);
        }
    }
    for step in &draft.graph.steps {
        if let Some((stack, target)) = desired.get_key_value(&step.stack)
            && reach.has(stack)
        {
            found.entry(&step.host).or_default().insert(stack, target);
        }
    }
    found
}

/// The facts of one host, mostly in the order of their names.
#[derive(Default)]
struct Facts(Vec<(String, Mark)>);

impl Facts {
    fn add(&mut self, what: String, value: &[&str]) {
        self.0.push((what, mark(value)));
    }

    fn containers(&mut self, reach: &Reach<'_>, state: &HostState) {
        let all: Vec<&LiveContainer> = state.containers.values().collect();
        for some in all.chunk_by(|a, b| a.identity.stack == b.identity.stack) {
            if !reach.has(&some[0].identity.stack) {
                continue;
            }
            for live in some {
                self.0.push((["container ", &live.name].concat(), container(live)));
            }
        }
    }

    /// The host itself, and what the containers of its stacks need of it.
    fn things(&mut self, state: &HostState, stacks: &Stacks<'_>) {
        if let Some(drained) = &state.drained {
            // Who has said so is nothing that a plan rests on.
            let how = if drained.is_forced { "by force" } else { "asked for" };
            self.add("drain".to_owned(), &[how]);
        }
        let services = stacks.values().flat_map(|target| target.services.values());
        let images: BTreeSet<&str> = services.map(|it| it.container.image.as_str()).collect();
        for reference in images {
            let Some(Ok(image)) = state.images.get(reference) else { continue };
            let id = image.id.as_deref().unwrap_or("none");
            let digest = image.digest.as_deref().unwrap_or("none");
            let from = if image.needs_pull { "to be pulled" } else { "there" };
            self.add(["image ", reference].concat(), &[id, digest, from]);
        }
        for (stack, target) in stacks {
            for network in target.networks.values() {
                let live = state.networks.get(&network.name);
                let value = live.map_or("none", |live| live.id.as_str());
                self.add(["network ", &network.name].concat(), &[value]);
            }
            for volume in target.volumes.values() {
                let live = state.volumes.get(&volume.name);
                let value = live.map_or("none", |live| live.driver.as_str());
                self.add(["volume ", &volume.name].concat(), &[value]);
            }
            if let Some(release) = state.releases.get(*stack) {
                let value = release.generation.to_string();
                self.add(["release of ", stack.as_str()].concat(), &[&value]);
            }
        }
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
