//! The eye on the world sees what is wrong: each test does by hand what a faulty run would do.

use gitdeploy::model::{Name, Status};
use gitdeploy::sim::World;

use super::commit::name;
use super::rounds::deployed;
use super::scenario::{all, edge, one_host};

/// Two replicas behind a proxy.
async fn served() -> World {
    let world = deployed(&all()[1], &one_host()).await;
    assert_eq!(world.violations(), []);
    world
}

fn words(world: &World) -> String {
    world.violations().into_iter().map(|it| it.what + "\n").collect()
}

fn local() -> Name {
    name("local")
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_the_switch_is_seen() {
    let world = served().await;
    world.with_host(&local().into(), |host| {
        let first = host.containers.values_mut().next().expect("a replica");
        first.status = Status::Exited;
    });
    assert!(words(&world).contains("where nothing runs any more"), "{}", words(&world));
}

#[tokio::test(start_paused = true)]
async fn a_crash_is_nobodys_mistake() {
    let world = served().await;
    let first = world.with_host(&local().into(), |host| host.containers.keys().next().cloned());
    world.crash(&local().into(), &first.expect("a replica"));
    assert_eq!(words(&world), "");
}

#[tokio::test(start_paused = true)]
async fn a_route_to_a_replica_that_is_not_ready_is_seen() {
    let world = served().await;
    let now = world.now();
    world.with_host(&local().into(), |host| {
        host.containers.values_mut().next().expect("a replica").started_at = now;
    });
    assert!(words(&world).contains("which is not ready"), "{}", words(&world));
}

#[tokio::test(start_paused = true)]
async fn a_backend_without_servers_is_seen() {
    let world = served().await;
    world.with_proxy(&edge(), |proxy| {
        proxy.running.backends.values_mut().for_each(std::collections::BTreeSet::clear);
    });
    assert!(words(&world).contains("nowhere"), "{}", words(&world));
}

#[tokio::test(start_paused = true)]
async fn a_stop_before_the_drain_has_ended_is_seen() {
    let world = served().await;
    let until = world.now() + 500;
    world.with_proxy(&edge(), |proxy| {
        let old = proxy.running.clone();
        let servers = proxy.running.backends.values_mut().next().expect("a backend");
        servers.pop_first();
        proxy.old.push((old, until));
    });
    assert_eq!(words(&world), "");
    let gone = world.with_proxy(&edge(), |proxy| {
        let old = &proxy.old.last().expect("an old generation").0.backends;
        old.values().next().and_then(|it| it.first().cloned()).expect("a server")
    });
    world.with_host(&local().into(), |host| {
        host.containers.retain(|_, it| !it.published.contains(&gone));
    });
    assert!(words(&world).contains("old generation"), "{}", words(&world));
}
