//! A simulated fleet made of an inventory: all hosts empty, all images there.

use serde_json::json;

use crate::model::{
    Action, Condition, Downtime, HostName, LiveNetwork, LiveVolume, Op, Plan, ProxyPlace,
    ResourceKind,
};
use crate::pipeline::{Wish, wanted};
use crate::settings::Inventory;
use crate::sim::{App, SimImage, SimProxy, World};

/// The version of every simulated proxy: recent enough for all that is asked of it.
const PROXY_VERSION: &str = "1.28.0";

/// Hosts and proxies of an inventory, with what these wishes take for granted.
pub(super) fn world<'a>(inventory: &Inventory, wishes: impl Iterator<Item = &'a Wish>) -> World {
    let world = World::default();
    for host in inventory.hosts.keys() {
        world.host(&HostName::from(host.clone()));
    }
    for (name, proxy) in &inventory.proxies {
        for host in &proxy.hosts {
            let place = ProxyPlace { proxy: name.clone().into(), host: host.clone().into() };
            let version = PROXY_VERSION.to_owned();
            world.proxy(&place, SimProxy { version, ..SimProxy::default() });
        }
    }
    for wish in wishes {
        provide(&world, inventory, wish);
    }
    world
}

/// Images, things that are somebody else's, and who does his work and ends.
fn provide(world: &World, inventory: &Inventory, wish: &Wish) {
    let wanted = wanted(&wish.desired);
    for (reference, _, _) in &wanted.images {
        world.image(reference, image(reference, App::default()));
    }
    let stacks = || wish.desired.stacks.values();
    let networks = || stacks().flat_map(|stack| stack.networks.values());
    let volumes = || stacks().flat_map(|stack| stack.volumes.values());
    for host in inventory.hosts.keys() {
        world.with_host(&HostName::from(host.clone()), |host| {
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
    let digest = Some(format!("sha256:{reference}"));
    SimImage { id: format!("sha256:{reference}"), digest, config: json!({}), app }
}

/// Replicas that are made from now on never become ready.
pub(super) fn never_ready(world: &World, inventory: &Inventory, wish: &Wish) {
    let app = App { ready_after: None, ..App::default() };
    for (reference, _, _) in &wanted(&wish.desired).images {
        world.image(reference, image(reference, app));
    }
    for host in inventory.hosts.keys() {
        world.with_host(&HostName::from(host.clone()), |host| {
            host.images.values_mut().for_each(|image| image.app = app);
        });
    }
}

pub(super) fn each_proxy(world: &World, inventory: &Inventory, change: impl Fn(&mut SimProxy)) {
    for (name, proxy) in &inventory.proxies {
        for host in &proxy.hosts {
            let place = ProxyPlace { proxy: name.clone().into(), host: host.clone().into() };
            world.with_proxy(&place, &change);
        }
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
