//! The facts that a plan rests on. When one of them changes, the plan is not the same any more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::draft::Draft;
use super::id::{canonical, hex};
use super::reach::Reach;
use super::world::World;
use crate::model::{Fact, Health, HostName, HostState, LiveContainer, StackName};

pub(super) fn basis(
    world: &World<'_>,
    reach: &Reach<'_>,
    draft: &Draft<'_, '_>,
) -> BTreeMap<Fact, String> {
    let mut basis = BTreeMap::new();
    let mut configs = Configs::default();
    let mut add = |host: &HostName, what: String, value: String| {
        basis.insert(Fact { host: host.clone(), what }, value);
    };
    for sighting in world.containers() {
        if reach.has(&sighting.live.identity.stack) {
            add(
                sighting.host,
                format!("container {}", sighting.live.name),
                container(sighting.live, &mut configs),
            );
        }
    }
    for place in draft.routes.switched() {
        let Some(state) = world.proxies.get(place) else { continue };
        let file = state.file.as_deref().map_or_else(|| "none".to_owned(), digest);
        let value = format!("{file} serving {:?}", state.serving);
        add(&place.host, format!("file of proxy {}", place.proxy), value);
    }
    for (host, state) in &world.hosts {
        if let Some(drained) = &state.drained {
            // Who has said so is nothing that a plan rests on.
            let how = if drained.is_forced { "by force" } else { "asked for" };
            add(host, "drain".to_owned(), how.to_owned());
        }
    }
    let mut reached: BTreeMap<&StackName, BTreeSet<&HostName>> = BTreeMap::new();
    for step in &draft.graph.steps {
        reached.entry(&step.stack).or_default().insert(&step.host);
    }
    let in_scope = world.request.desired.stacks.iter().filter(|(name, _)| reach.has(name));
    for (stack, target) in in_scope {
        // What a stack neither has nor gets anything of is no matter to it.
        let mut hosts: BTreeMap<&HostName, &HostState> = world.hosts_of(stack).collect();
        let reached = reached.get(stack).into_iter().flatten();
        hosts.extend(reached.filter_map(|host| Some((*host, *world.hosts.get(host)?))));
        for (host, state) in hosts {
            for service in target.services.values() {
                let reference = &service.container.image;
                let Some(Ok(image)) = state.images.get(reference) else { continue };
                let id = image.id.as_deref().unwrap_or("none");
                let digest = image.digest.as_deref().unwrap_or("none");
                add(
                    host,
                    format!("image {reference}"),
                    format!("{id} {digest} {}", image.needs_pull),
                );
            }
            for network in target.networks.values() {
                let live = state.networks.get(&network.name);
                let value = live.map_or("none", |live| live.id.as_str()).to_owned();
                add(host, format!("network {}", network.name), value);
            }
            for volume in target.volumes.values() {
                let live = state.volumes.get(&volume.name);
                let value = live.map_or("none", |live| live.driver.as_str()).to_owned();
                add(host, format!("volume {}", volume.name), value);
            }
            if let Some(release) = state.releases.get(stack) {
                add(host, format!("release of {stack}"), release.generation.to_string());
            }
        }
    }
    basis
}

/// Digests of configurations by where they are: many containers share one.
type Configs = BTreeMap<*const Value, String>;

fn container(live: &LiveContainer, configs: &mut Configs) -> String {
    let health = match &live.state.health {
        Some(Health::Unhealthy(_)) => " unhealthy",
        Some(Health::Starting | Health::Healthy) | None => "",
    };
    let at: *const Value = &raw const *live.config;
    let config = configs.entry(at).or_insert_with(|| digest(&canonical(&live.config)));
    format!("{} {:?}{health} {config}", live.id, live.state.status)
}

fn digest(text: &str) -> String {
    hex(&Sha256::digest(text))[..16].to_owned()
}
