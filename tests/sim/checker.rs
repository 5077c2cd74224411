//! The eye on the world sees what is wrong: each test does by hand what a faulty run would do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gitdeploy::model::{BackendKey, Endpoint, HostName, Name, Status};
use gitdeploy::ports::{LeaseKey, Taken};
use gitdeploy::sim::{Fault, Rule, Run, World};

use super::commit::{SECRET, name, owner};
use super::rounds::deployed;
use super::scenario::{all, edge, one_host};

/// Two replicas behind a proxy.
pub(super) async fn served() -> World {
    let world = deployed(&all()[1], &one_host()).await;
    assert_eq!(world.violations(), []);
    world
}

fn words(world: &World) -> String {
    world.violations().into_iter().map(|it| it.what + "\n").collect()
}

pub(super) fn local() -> Name {
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
        proxy.running.backends.values_mut().for_each(BTreeSet::clear);
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

/// The words of what broke one rule.
pub(super) fn broken(world: &World, rule: Rule) -> String {
    let wrong = world.violations().into_iter().filter(|it| it.rule == rule);
    wrong.map(|it| it.what + "\n").collect()
}

/// The name of a replica of ours.
pub(super) fn replica(world: &World) -> String {
    world.with_host(&local().into(), |host| {
        let ours = host.containers.iter().find(|(_, it)| it.identity.owner == owner());
        ours.map(|(name, _)| name.clone()).expect("a replica")
    })
}

/// A run takes the lease of the stack for some seconds.
pub(super) async fn takes(run: &Run, holder: &str, seconds: u64) {
    let key = LeaseKey::Stack(owner(), name("shop").into());
    let leases = run.ports().leases[&HostName::from(local())].clone();
    let taken = leases.take(&key, holder, "a test", Duration::from_secs(seconds)).await;
    assert!(matches!(taken, Ok(Taken::Ours(_))), "{taken:?}");
}

pub(super) async fn stops(run: &Run, name: &str) {
    let engine = run.ports().engines[&HostName::from(local())].clone();
    engine.stop(name, None, Duration::from_secs(10)).await.expect("it runs");
}

/// The proxy reads another file, or none; says which one it had.
pub(super) fn reads(world: &World, file: Option<String>) -> Option<String> {
    let before = world.with_proxy(&edge(), |proxy| std::mem::replace(&mut proxy.file, file));
    world.reload(&edge());
    before
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_is_cut_before_its_drain_has_ended_is_seen() {
    let world = served().await;
    let run = world.run(Fault::None);
    takes(&run, "anna", 30).await;
    reads(&world, None);
    stops(&run, &replica(&world)).await;
    let words = broken(&world, Rule::LetGoFirst);
    assert!(words.contains("a connection of edge to acme-shop-web-1"), "{words}");
    assert!(words.contains("ms after the switch"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_change_of_what_is_somebody_elses_is_seen() {
    let world = served().await;
    let run = world.run(Fault::None);
    takes(&run, "anna", 30).await;
    stops(&run, "acme-staging-shop-web-1").await;
    let words = broken(&world, Rule::OnlyOurs);
    assert!(words.contains("did `stop acme-staging-shop-web-1` on local"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_told_is_seen_and_not_repeated() {
    let world = served().await;
    world.run(Fault::None).hear(&format!("it said TOKEN={SECRET}"));
    let words = broken(&world, Rule::NoSecret);
    assert!(words.contains("it said TOKEN=***"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_acts_without_a_lease_is_seen() {
    let world = served().await;
    let name = replica(&world);
    stops(&world.run(Fault::None), &name).await;
    let words = broken(&world, Rule::OneAtATime);
    assert!(words.contains("without having taken its lease"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_acts_while_somebody_else_holds_the_lease_is_seen() {
    let world = served().await;
    let (late, other) = (world.run(Fault::None), world.run(Fault::None));
    takes(&late, "anna", 1).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    takes(&other, "bert", 30).await;
    stops(&late, &replica(&world)).await;
    let words = broken(&world, Rule::OneAtATime);
    assert!(words.contains("while bert holds its lease"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_run_that_acts_long_after_it_asked_for_its_lease_is_seen() {
    let world = served().await;
    let run = world.run(Fault::None);
    takes(&run, "anna", 30).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    stops(&run, &replica(&world)).await;
    let words = broken(&world, Rule::OneAtATime);
    assert!(words.contains("had not asked for its lease"), "{words}");
}

#[tokio::test(start_paused = true)]
async fn a_drained_replica_that_is_routed_again_is_seen() {
    let world = served().await;
    let servers = world.with_proxy(&edge(), |proxy| proxy.running.backends.clone());
    let named = |all: BTreeSet<Endpoint>| -> BTreeMap<String, Endpoint> {
        all.into_iter().map(|at| (at.to_string(), at)).collect()
    };
    let servers: BTreeMap<BackendKey, BTreeMap<String, Endpoint>> = servers
        .into_iter()
        .map(|(key, all)| (key.parse().expect("a backend"), named(all)))
        .collect();
    let file = reads(&world, None);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let port = world.run(Fault::None).ports().proxies[&edge()].clone();
    let draining = port.draining(&servers).await.expect("it answers");
    assert_eq!((draining.in_flight, draining.old_processes), (0, 0));
    reads(&world, file);
    let words = broken(&world, Rule::NeverAgain);
    assert!(words.contains("edge on local sends again to web.1"), "{words}");
}
