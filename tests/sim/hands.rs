//! What people and other runs do meanwhile.

use std::collections::BTreeSet;
use std::time::Duration;

use gitdeploy::model::{HostName, Op, Verdict};
use gitdeploy::pipeline::Wish;
use gitdeploy::planner::Scope;
use gitdeploy::sim::{Fault, World};

use super::commit::{inventory, name, owner, wish};
use super::rounds::{Round, deployed, left, no_earlier, round, round_of, settle, steps};
use super::scenario::{ONE_HOST, Scenario, all, edge, one_host, rolling, web};

fn start_first() -> Scenario {
    all().remove(1)
}

fn local() -> HostName {
    name("local").into()
}

fn third() -> Wish {
    let shop = [("shop", web("app:1", 3, &["edge"], "    environment: {A: '3'}\n"))];
    wish("3333333333333333333333333333333333333333", &one_host(), &shop)
}

fn one_by_one() -> Wish {
    let shop = [("shop", rolling("app:1", 3, 1))];
    wish("4444444444444444444444444444444444444444", &one_host(), &shop)
}

async fn first_replica(world: &World) -> String {
    world.with_host(&local(), |host| host.containers.keys().next().cloned().expect("a replica"))
}

/// One round repairs it, nothing is lost.
async fn is_repaired(world: &World) {
    let inventory = one_host();
    let earlier = start_first().earlier(&inventory);
    let plan = left(world, &inventory, &earlier).await;
    assert!(!plan.is_empty());
    settle(world, &inventory, &earlier, 1).await;
    assert_eq!(world.violations(), [], "{}\n{}", steps(&plan), world.log().join("\n"));
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_was_stopped_is_brought_back() {
    let world = deployed(&start_first(), &one_host()).await;
    world.crash(&local(), &first_replica(&world).await);
    is_repaired(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_was_taken_away_is_made_again() {
    let world = deployed(&start_first(), &one_host()).await;
    world.take_away(&local(), &first_replica(&world).await);
    is_repaired(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_edited_is_written_again() {
    let world = deployed(&start_first(), &one_host()).await;
    world.with_proxy(&edge(), |proxy| {
        proxy.file.as_mut().expect("a file").push_str("# by hand\n");
    });
    is_repaired(&world).await;
}

/// Two releases, and somebody puts a copy of the proxy's file back that names replicas of the first
/// one. The proxy goes on with what it has read.
async fn put_back() -> World {
    let (scenario, inventory) = (start_first(), one_host());
    let world = deployed(&scenario, &inventory).await;
    let copy = world.with_proxy(&edge(), |proxy| proxy.file.clone());
    settle(&world, &inventory, &scenario.later(&inventory), 1).await;
    world.with_proxy(&edge(), |proxy| proxy.file = copy);
    world
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_put_back_is_made_right_before_it_is_followed() {
    let (world, inventory) = (put_back().await, one_host());
    settle(&world, &inventory, &start_first().later(&inventory), 2).await;
    assert_eq!(world.violations(), [], "{}", world.log().join("\n"));
}

/// Two releases, and somebody takes the proxy's file away.
async fn taken_away() -> World {
    let (scenario, inventory) = (start_first(), one_host());
    let world = deployed(&scenario, &inventory).await;
    settle(&world, &inventory, &scenario.later(&inventory), 1).await;
    world.lose_file(&edge());
    world
}

/// Another release, killed anywhere, and those that end it lose nothing.
async fn is_ended_from_anywhere(world: World, next: &Wish) {
    let inventory = one_host();
    world.keep_all();
    round(&world.run(Fault::None), &inventory, next, &no_earlier).await;
    for left in world.kept() {
        let world = left.thaw();
        settle(&world, &inventory, next, 4).await;
        assert_eq!(world.violations(), [], "{}", world.log().join("\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_put_back_hides_nobody_from_the_next_release() {
    is_ended_from_anywhere(put_back().await, &third()).await;
    is_ended_from_anywhere(put_back().await, &one_by_one()).await;
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_taken_away_hides_nobody_from_the_next_release() {
    is_ended_from_anywhere(taken_away().await, &third()).await;
    is_ended_from_anywhere(taken_away().await, &one_by_one()).await;
}

/// The first of them that was written down alone took the requests of the other away.
#[tokio::test(start_paused = true)]
async fn of_several_stacks_behind_a_file_that_was_taken_away_none_is_forgotten() {
    let inventory = one_host();
    let shop = |image: &str| web(image, 2, &["edge"], "");
    let blog = |image: &str| shop(image).replace("shop.example", "blog.example");
    let both = [("blog", blog("app:1")), ("shop", shop("app:1"))];
    let first = wish("5555555555555555555555555555555555555555", &inventory, &both);
    let both = [("blog", blog("app:1")), ("shop", shop("app:2"))];
    let second = wish("6666666666666666666666666666666666666666", &inventory, &both);
    for next in [&first, &second] {
        let world = super::scenario::world(&inventory);
        settle(&world, &inventory, &first, 2).await;
        world.lose_file(&edge());
        is_ended_from_anywhere(world, next).await;
    }
}

/// The only release so far is the first generation, and the next file seems to be the same one.
#[tokio::test(start_paused = true)]
async fn a_proxy_that_does_not_read_a_new_file_is_not_taken_to_serve_it() {
    let (scenario, inventory) = (start_first(), one_host());
    let world = deployed(&scenario, &inventory).await;
    world.lose_file(&edge());
    world.with_proxy(&edge(), |proxy| proxy.ignores_reload = true);
    let later = scenario.later(&inventory);
    round(&world.run(Fault::None), &inventory, &later, &no_earlier).await;
    assert_eq!(world.violations(), [], "{}", world.log().join("\n"));
    world.with_proxy(&edge(), |proxy| proxy.ignores_reload = false);
    settle(&world, &inventory, &later, 4).await;
    assert_eq!(world.violations(), [], "{}", world.log().join("\n"));
}

#[tokio::test(start_paused = true)]
async fn another_listener_changes_the_proxy_and_no_container() {
    let world = deployed(&start_first(), &one_host()).await;
    let other = inventory(&ONE_HOST.replace("[80]", "[80, 81]"));
    let earlier = start_first().earlier(&other);
    let plan = left(&world, &other, &earlier).await;
    let is_switch = |op: &Op| matches!(op, Op::Switch { .. } | Op::Record { .. });
    assert!(!plan.is_empty() && plan.steps.iter().all(|it| is_switch(&it.op)), "{}", steps(&plan));
    settle(&world, &other, &earlier, 1).await;
    assert_eq!(world.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn another_commit_takes_over_wherever_a_run_was_killed() {
    let inventory = one_host();
    let scenario = start_first();
    let world = deployed(&scenario, &inventory).await;
    world.keep_all();
    round(&world.run(Fault::None), &inventory, &scenario.later(&inventory), &no_earlier).await;
    for left in world.kept() {
        let world = left.thaw();
        settle(&world, &inventory, &third(), 4).await;
        assert_eq!(world.violations(), [], "{}", world.log().join("\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn two_runs_at_once_come_one_after_the_other() {
    let inventory = one_host();
    let scenario = start_first();
    let world = deployed(&scenario, &inventory).await;
    let (second, third) = (scenario.later(&inventory), third());
    let (one, other) = (world.run(Fault::None), world.run(Fault::None));
    let (first, last) = tokio::join!(
        round(&one, &inventory, &second, &no_earlier),
        round(&other, &inventory, &third, &no_earlier),
    );
    // The second commit needs an image that nobody has, so its plan takes longer.
    assert!(matches!(last, Round::Ended(Verdict::Done)), "{last:?}");
    assert!(matches!(first, Round::NotBegun(_)), "it was planned on what is gone: {first:?}");
    settle(&world, &inventory, &third, 1).await;
    assert_eq!(world.violations(), []);
}

/// A tag that moves after a plan was made does not change what the plan says.
#[tokio::test(start_paused = true)]
async fn a_run_asks_a_registry_once() {
    let (scenario, inventory) = (start_first(), one_host());
    let world = deployed(&scenario, &inventory).await;
    let second = scenario.later(&inventory);
    let ended = round(&world.run(Fault::None), &inventory, &second, &no_earlier).await;
    assert!(matches!(ended, Round::Ended(Verdict::Done)), "{ended:?}");
    let log = world.log();
    let asked = log.iter().filter(|line| line.ends_with("ask for app:2")).count();
    assert_eq!(asked, 1, "{}", log.join("\n"));
}

/// The lease is taken away from a run that goes on: only the hosts themselves can stop it.
#[tokio::test(start_paused = true)]
async fn a_run_whose_lease_was_broken_harms_nobody() {
    let inventory = one_host();
    let scenario = start_first();
    let before = deployed(&scenario, &inventory).await.freeze();
    let (second, third) = (scenario.later(&inventory), third());
    for after in (20..3_000).step_by(70) {
        let world = before.thaw();
        let (one, other) = (world.run(Fault::None), world.run(Fault::None));
        let usurper = async {
            tokio::time::sleep(Duration::from_millis(after)).await;
            world.break_leases(&local());
            round(&other, &inventory, &third, &no_earlier).await
        };
        tokio::join!(round(&one, &inventory, &second, &no_earlier), usurper);
        settle(&world, &inventory, &third, 4).await;
        assert_eq!(world.violations(), [], "after {after} ms:\n{}", world.log().join("\n"));
    }
}

#[tokio::test(start_paused = true)]
async fn back_to_the_commit_before_is_a_plan_like_any_other() {
    let inventory = one_host();
    let scenario = start_first();
    let world = deployed(&scenario, &inventory).await;
    settle(&world, &inventory, &scenario.later(&inventory), 1).await;
    let scope = Scope { stacks: Some(BTreeSet::from([name("shop").into()])), ..Scope::default() };
    let run = world.run(Fault::None);
    let back = scenario.earlier(&inventory);
    let ended = round_of(&run, &inventory, &back, &scope, &no_earlier).await;
    assert!(matches!(ended, Round::Ended(Verdict::Done)), "{ended:?}");
    assert_eq!(world.violations(), []);
}

#[tokio::test(start_paused = true)]
async fn a_stack_is_removed_wherever_its_removal_was_killed() {
    let inventory = one_host();
    let world = deployed(&start_first(), &inventory).await;
    let nothing = Wish::nothing(&owner());
    let scope = Scope {
        stacks: Some(BTreeSet::from([name("shop").into()])),
        removes_volumes: true,
        ..Scope::default()
    };
    world.keep_all();
    round_of(&world.run(Fault::None), &inventory, &nothing, &scope, &no_earlier).await;
    for left in world.kept() {
        let world = left.thaw();
        for _ in 0..3 {
            round_of(&world.run(Fault::None), &inventory, &nothing, &scope, &no_earlier).await;
        }
        let rest = world.with_host(&local(), |host| host.containers.len() + host.networks.len());
        // What is somebody else's stays.
        assert_eq!(rest, 1, "{}", world.log().join("\n"));
        assert_eq!(world.violations(), [], "{}", world.log().join("\n"));
    }
}
