//! Networks that reach over hosts: Docker's own overlays.
//!
//! An overlay is one network for all nodes of a swarm. It is made, seen and removed on a manager; a
//! host that is none has it only while one of its containers is in it. So every question about such
//! a network is asked of its keeper, and all hosts that use it wait for the keeper's steps.

use super::Problem;
use super::world::World;
use crate::model::{HostName, HostState, NetworkSpec, Swarm};

/// The host that keeps a network that `host` uses: itself, unless it is an overlay.
pub(super) fn keeper<'a>(
    world: &World<'a>,
    spec: &NetworkSpec,
    host: &'a HostName,
) -> Result<&'a HostName, Problem> {
    if !spec.is_overlay() {
        return Ok(host);
    }
    let swarm = world.hosts.get(host).and_then(|state| state.engine.swarm.as_ref());
    let Some(swarm) = swarm else { return Err(outside(&spec.name, host)) };
    let managers = world.hosts.iter().filter(|(_, state)| manages(state, swarm));
    let has = |state: &HostState| state.networks.contains_key(&spec.name);
    let keeper = managers.min_by_key(|(_, state)| !has(state));
    keeper.map(|(name, _)| *name).ok_or_else(|| headless(&spec.name, host))
}

/// The hosts to look at for what became of a network: those that keep it.
pub(super) fn is_kept_at(world: &World<'_>, driver: &str, host: &HostName, name: &str) -> bool {
    if driver != "overlay" {
        return true;
    }
    let spec = NetworkSpec {
        name: name.to_owned(),
        driver: Some(driver.to_owned()),
        ..NetworkSpec::default()
    };
    let host = world.hosts.get_key_value(host).map(|(name, _)| *name);
    host.is_some_and(|host| keeper(world, &spec, host).is_ok_and(|keeper| keeper == host))
}

/// Says when hosts that share an overlay cannot reach each other through it.
pub(super) fn check(world: &World<'_>, name: &str, hosts: &[&HostName]) -> Result<(), Problem> {
    let swarm = |host: &&HostName| world.hosts.get(*host)?.engine.swarm.as_ref();
    let Some((first, rest)) = hosts.split_first() else { return Ok(()) };
    let Some(one) = swarm(first) else { return Ok(()) };
    let apart = rest.iter().find(|host| swarm(host).is_some_and(|it| !it.is_one_with(one)));
    apart.map_or(Ok(()), |other| {
        Err(Problem::invalid(format!(
            "the network {name} is an overlay, and {first} and {other} are nodes of different \
             swarms"
        ))
        .hint(format!("take one of them out of its swarm: docker swarm leave (on {other})")))
    })
}

fn manages(state: &HostState, swarm: &Swarm) -> bool {
    state.engine.swarm.as_ref().is_some_and(|own| own.is_manager && own.is_one_with(swarm))
}

fn outside(name: &str, host: &HostName) -> Problem {
    Problem::invalid(format!(
        "the network {name} is an overlay, which reaches over the nodes of a swarm, and {host} is \
         in none"
    ))
    .hint("gitdeploy hosts --init-overlay")
}

fn headless(name: &str, host: &HostName) -> Problem {
    Problem::invalid(format!(
        "the network {name} is an overlay, and no manager of {host}'s swarm was seen"
    ))
    .hint("bring a manager of the swarm back, or put it into the inventory: gitdeploy hosts")
}
