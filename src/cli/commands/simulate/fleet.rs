//! A simulated fleet: made of an inventory, all hosts empty, or of what was seen on the real hosts.

use std::time::Duration;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::model::{
    Action, Condition, Downtime, Health, HostName, HostState, Image, LiveContainer, LiveNetwork,
    LiveVolume, Millis, Observed, Op, Plan, ProxyPlace, ProxyState, ResourceKind, RoutingTable,
};
use crate::pipeline::{Wish, wanted};
use crate::settings::Inventory;
use crate::sim::{App, Fault, SimContainer, SimImage, SimProxy, World};

/// The version of every proxy that nobody has asked: recent enough for all that is asked of it.
const PROXY_VERSION: &str = "1.28.0";

/// How long ago everything was started that ran before.
const BEFORE: Duration = Duration::from_secs(3_600);

/// Every proxy on each of its hosts.
pub(super) fn places(inventory: &Inventory) -> Vec<ProxyPlace> {
    let proxies = inventory.proxies.iter();
    let of = proxies.flat_map(|(name, proxy)| {
        let place = |host: &crate::model::Name| ProxyPlace {
            proxy: name.clone().into(),
            host: host.clone().into(),
        };
        proxy.hosts.iter().map(place).collect::<Vec<_>>()
    });
    of.collect()
}

/// Every host.
pub(super) fn hosts(inventory: &Inventory) -> Vec<HostName> {
    inventory.hosts.keys().map(|host| HostName::from(host.clone())).collect()
}

/// Hosts and proxies of an inventory, with what these wishes take for granted.
pub(super) fn world<'a>(
    inventory: &Inventory,
    wishes: impl Iterator<Item = &'a Wish>,
    app: App,
) -> World {
    let world = World::default();
    hosts(inventory).iter().for_each(|host| world.host(host));
    // Overlay networks need one; real hosts are asked whether they are.
    world.join_swarm();
    for place in places(inventory) {
        let version = PROXY_VERSION.to_owned();
        world.proxy(&place, SimProxy { version, ..SimProxy::default() });
    }
    for wish in wishes {
        provide(&world, inventory, wish, app);
    }
    world
}

/// A copy of what was seen. What `wish` needs and could not be seen is there as well.
pub(super) async fn copy(
    inventory: &Inventory,
    observed: &Observed,
    wish: &Wish,
    app: App,
) -> World {
    let world = world(inventory, std::iter::once(wish), app);
    // There is a past: what has run for long is not as if it had just been started.
    tokio::time::sleep(BEFORE).await;
    for (name, state) in &observed.hosts {
        if let Ok(state) = state {
            copy_host(&world, name, state, app);
        }
    }
    for (place, state) in &observed.proxies {
        if let Ok(state) = state {
            copy_proxy(&world, place, state).await;
        }
    }
    world
}

fn copy_host(world: &World, name: &HostName, state: &HostState, app: App) {
    let HostState { engine, containers, networks, volumes, images, foreign, releases, drained } =
        state;
    let long_ago = world.now() - millis(BEFORE) + 1;
    let jobs = world.jobs();
    world.with_host(name, |host| {
        host.engine = Some(engine.clone());
        host.networks.clone_from(networks);
        host.volumes.clone_from(volumes);
        host.foreign.clone_from(foreign);
        host.releases.clone_from(releases);
        host.drained.clone_from(drained);
        for (reference, image) in images {
            let Ok(image) = image else { continue };
            if let Some(id) = &image.id {
                let digest = image.digests_of(reference).next().map(str::to_owned);
                host.images.insert(reference.clone(), copied(image, id, digest, app));
            } else {
                host.images.remove(reference);
            }
        }
        // What runs can be run again: the release before must find its images.
        for container in containers.values() {
            let reference = container.config.get("Image").and_then(Value::as_str);
            let image = images.get(&*container.image).and_then(|image| image.as_ref().ok());
            if let (Some(reference), Some(image)) = (reference, image) {
                let digest = image.digests_of(reference).next().map(str::to_owned);
                let copy = copied(image, &container.image, digest, app);
                host.images.entry(reference.to_owned()).or_insert(copy);
            }
        }
        for (name, container) in containers {
            let identity = &container.identity;
            let is_job = jobs.contains(&(identity.stack.clone(), identity.service.clone()));
            let app = if is_job || identity.slot == 0 { App::JOB } else { app };
            host.containers.insert(name.clone(), live(container, app, long_ago));
        }
    });
    world.with_registry(|registry| {
        for (reference, image) in images {
            let Ok(image) = image else { continue };
            let id = match &image.id {
                Some(id) if !image.needs_pull => id.clone(),
                _ => format!("sha256:pulled {reference}"),
            };
            if image.digest.is_some() {
                registry.insert(reference.clone(), copied(image, &id, image.digest.clone(), app));
            }
        }
    });
}

fn copied(image: &Image, id: &str, digest: Option<String>, app: App) -> SimImage {
    let config = if image.config.is_null() { json!({}) } else { image.config.clone().into() };
    SimImage { id: id.to_owned(), digest, config, app }
}

fn live(container: &LiveContainer, app: App, long_ago: Millis) -> SimContainer {
    let LiveContainer { id, identity, state, image, config, addresses, .. } = container;
    let is_ill = matches!(state.health, Some(Health::Unhealthy(_)));
    let app = if is_ill { App { ready_after: None, ..app } } else { app };
    let nowhere = std::net::IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);
    SimContainer {
        id: id.clone(),
        identity: identity.clone(),
        status: state.status,
        started_at: if state.started_at == 0 { 0 } else { long_ago },
        exit_code: state.exit_code,
        image: image.to_string(),
        app,
        published: SimContainer::bindings(config),
        config: (**config).clone(),
        address: addresses.first().unwrap_or(nowhere),
        ends_at: None,
        restarts: state.restarts,
        flaps_until: 0,
        told: String::new(),
    }
}

async fn copy_proxy(world: &World, place: &ProxyPlace, state: &ProxyState) {
    let ProxyState { version, file, serving, replicas_at, .. } = state;
    world.with_proxy(place, |proxy| {
        proxy.version.clone_from(version);
        proxy.file.clone_from(file);
        proxy.replicas_at = *replicas_at;
    });
    // One that serves none of our generations has yet to read its file.
    let port = world.run(Fault::None).ports().proxies.get(place).cloned();
    if let (Some(port), Some(_)) = (port, serving) {
        // A simulated call without a fault cannot fail.
        drop(port.activate(&RoutingTable::default()).await);
    }
}

/// Images, things that are somebody else's, and who does his work and ends.
fn provide(world: &World, inventory: &Inventory, wish: &Wish, app: App) {
    let wanted = wanted(&wish.desired);
    for (reference, _) in &wanted.images {
        world.image(reference, image(reference, app));
    }
    let stacks = || wish.desired.stacks.values();
    let networks = || stacks().flat_map(|stack| stack.networks.values());
    let volumes = || stacks().flat_map(|stack| stack.volumes.values());
    for host in hosts(inventory) {
        world.with_host(&host, |host| {
            for network in networks().filter(|network| network.external == Some(true)) {
                let live = LiveNetwork { id: network.name.clone(), ..LiveNetwork::default() };
                host.networks.insert(network.name.clone(), live);
            }
            for volume in volumes().filter(|volume| volume.external == Some(true)) {
                host.volumes.insert(volume.name.clone(), LiveVolume::default());
            }
        });
    }
    for (stack, target) in &wish.desired.stacks {
        let dependencies = target.services.values().flat_map(|service| &service.depends_on);
        for (service, dependency) in dependencies {
            if dependency.condition == Condition::CompletedSuccessfully {
                world.job(stack, service);
            }
        }
    }
}

fn image(reference: &str, app: App) -> SimImage {
    // As a hash, so that it can be cut for people without a part of the reference in it.
    let hash: String = Sha256::digest(reference).iter().map(|byte| format!("{byte:02x}")).collect();
    let digest = Some(format!("sha256:{hash}"));
    SimImage {
        id: format!("sha256:{hash}"),
        digest,
        config: Value::Object([].into_iter().collect()),
        app,
    }
}

/// What a plan says will be away is no loss.
pub(super) fn announce(world: &World, plan: &Plan) {
    let switches = plan.steps.iter().filter_map(|step| match &step.op {
        Op::Switch { change, .. } => Some(change),
        _ => None,
    });
    for key in switches.flat_map(|change| change.set.keys()) {
        let changes = plan.stacks.get(&key.stack).into_iter().flat_map(|stack| &stack.changes);
        let mut own = changes.filter(|change| {
            change.kind == ResourceKind::Service && change.name == key.service.as_str()
        });
        let is_away =
            own.any(|change| change.action == Action::Remove || change.downtime != Downtime::None);
        if is_away {
            world.allow_downtime(&key.to_string());
        }
    }
}

pub(super) fn millis(time: Duration) -> Millis {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
