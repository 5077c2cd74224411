//! The way back: where it leads when nothing is remembered, and what it must hold to go there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use gitdeploy::model::{CommitId, HostName, Name, Verdict};
use gitdeploy::planner::Scope;
use gitdeploy::ports::LeaseKey;
use gitdeploy::settings::Inventory;
use gitdeploy::sim::{Fault, SimContainer, World};

use super::commit::{inventory, name, owner, wish};
use super::rounds::{Round, deployed, left, round, round_of};
use super::scenario::{Scenario, edge, one_host, web};

const TWO_HOSTS: &str = "
hosts:
  a: {docker: 'ssh://10.0.0.1'}
  b: {docker: 'ssh://10.0.0.2'}
";

fn host(text: &str) -> HostName {
    let name: Name = name(text);
    name.into()
}

/// One replica on each of two hosts.
fn spread(image: &str) -> String {
    let one_each = "      replicas: 2\n      placement: {max_replicas_per_node: 1}\n";
    web(image, 2, &[], "").replace("      replicas: 2\n", one_each)
}

fn two_hosts(text: &str) -> (Inventory, Scenario) {
    let before = vec![("shop", spread("app:1"))];
    let scenario = Scenario::new("spread", before, vec![("shop", spread(text))]);
    (inventory(TWO_HOSTS), scenario)
}

/// Ours on a host, by name: somebody else's is there too.
fn ours(world: &World, on: &str) -> BTreeMap<String, SimContainer> {
    let mut there = world.with_host(&host(on), |host| host.containers.clone());
    there.retain(|_, container| container.identity.owner == owner());
    there
}

fn count(world: &World, on: &str) -> usize {
    ours(world, on).len()
}

/// The replica on `a` is gone, and an update of the one on `b` alone fails: the way back must make
/// the one on `a` too, where the update had nothing to do.
async fn back_over_both(hinder: bool) -> (Round, World) {
    let (inventory, scenario) = two_hosts("bad:1");
    let world = deployed(&scenario, &inventory).await;
    let (gone, container) = ours(&world, "b").pop_first().expect("a replica");
    let slot = container.identity.slot;
    assert!(gone.contains(&format!("-{slot}-")));
    let (on_a, _) = ours(&world, "a").pop_first().expect("a replica");
    world.take_away(&host("a"), &on_a);
    if hinder {
        let key = LeaseKey::Stack(owner(), name("shop").into());
        let other = world.run(Fault::None).ports().leases[&host("a")].clone();
        let taken = other.take(&key, "anna", "x", Duration::from_secs(10_000)).await;
        taken.expect("a lease");
    }
    let scope = Scope {
        targets: BTreeSet::from([format!("shop/web/{slot}").parse().expect("a selector")]),
        ..Scope::default()
    };
    let earlier = |_: &CommitId| Ok(scenario.earlier(&inventory));
    let later = scenario.later(&inventory);
    let run = world.run(Fault::None);
    (round_of(&run, &inventory, &later, &scope, &earlier).await, world)
}

#[tokio::test(start_paused = true)]
async fn the_way_back_takes_the_leases_of_hosts_that_the_update_did_not_need() {
    let (ended, world) = back_over_both(false).await;
    assert!(matches!(ended, Round::Ended(Verdict::RolledBack)), "{ended:?}");
    assert_eq!((count(&world, "a"), count(&world, "b")), (1, 1));
    assert!(world.with_host(&host("a"), |host| host.leases.is_empty()));
}

#[tokio::test(start_paused = true)]
async fn the_way_back_leaves_a_host_alone_where_somebody_else_is_at_work() {
    let (ended, world) = back_over_both(true).await;
    assert!(matches!(ended, Round::Ended(Verdict::Partly)), "{ended:?}");
    assert_eq!(count(&world, "a"), 0);
}

/// What a run comes to that fails where no release is remembered.
async fn failed_without_memory(before: &str) -> (Round, World, Scenario) {
    let inventory = one_host();
    let after = web("bad:1", 2, &["edge"], "    environment: {A: b}\n");
    let scenario = Scenario::new(
        "forgotten",
        vec![("shop", web(before, 2, &["edge"], ""))],
        vec![("shop", after)],
    );
    let world = match before {
        "bad:1" => {
            let world = super::scenario::world(&inventory);
            let text = scenario.before[0].1.clone();
            let pause = "      replicas: 2\n      update_config: {failure_action: pause}\n";
            let text = text.replace("      replicas: 2\n", pause);
            let first =
                wish("1111111111111111111111111111111111111111", &inventory, &[("shop", text)]);
            let none = |_: &CommitId| Err("is not asked for".to_owned());
            let ended = round(&world.run(Fault::None), &inventory, &first, &none).await;
            assert!(matches!(ended, Round::Ended(Verdict::Partly)), "{ended:?}");
            world
        }
        _ => deployed(&scenario, &inventory).await,
    };
    world.with_host(&host("local"), |host| host.releases.clear());
    let earlier = |commit: &CommitId| match commit.as_str().starts_with('1') {
        true => Ok(scenario.earlier(&inventory)),
        false => Err("is not known".to_owned()),
    };
    let later = scenario.later(&inventory);
    let ended = round(&world.run(Fault::None), &inventory, &later, &earlier).await;
    (ended, world, scenario)
}

#[tokio::test(start_paused = true)]
async fn what_serves_says_where_back_is_when_nothing_is_remembered() {
    let (ended, world, scenario) = failed_without_memory("app:1").await;
    assert!(matches!(ended, Round::Ended(Verdict::RolledBack)), "{ended:?}");
    let left = left(&world, &one_host(), &scenario.earlier(&one_host())).await;
    assert!(left.is_empty());
    assert_eq!(world.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn a_commit_that_never_served_is_nothing_to_go_back_to() {
    let (ended, world, _) = failed_without_memory("bad:1").await;
    assert!(matches!(ended, Round::Ended(Verdict::Partly)), "{ended:?}");
    assert!(world.with_proxy(&edge(), |proxy| proxy.running.backends.is_empty()));
    assert!(count(&world, "local") > 0);
}
