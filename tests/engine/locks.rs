//! Two runs at once: one works, the other is told who does.

use std::process::{Child, Stdio};

use super::rig::{Variant, World, docker};
use super::rollout::stack;
use super::shop::{FILE, containers, leases, until};

/// A world whose first deployment takes some seconds; gives the short hash of its commit.
fn slow(name: &str) -> (World, String) {
    slower(name, 6000)
}

/// The same, with the time until its replicas are ready, in milliseconds.
fn slower(name: &str, ready_after: u32) -> (World, String) {
    let mut world = World::new(name);
    let image = world.tag("one", Variant::V1);
    let text = stack(&world, &image, 2, "").replace("      routes:\n", "");
    world.write(FILE, text.replace("'700'", &format!("'{ready_after}'")));
    let commit = world.commit("takes its time");
    (world, commit)
}

fn start(world: &World) -> Child {
    let mut command = world.command(&["apply", "-y"]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().expect("the program starts");
    until("a lease", || !leases(world).is_empty());
    child
}

/// As if the run had died and its lease had run out.
fn expire(id: &str) {
    docker(&["update", "--restart", "on-failure:1", id]);
}

#[test]
fn the_second_of_two_runs_is_told_who_is_at_work_and_changes_nothing() {
    let (world, commit) = slow("two");
    let mut first = start(&world);
    until("containers", || containers(&world).len() == 2);
    let before = containers(&world);
    let second = world.run(&["apply", "-y"]);
    second.ended_with(11);
    let holder = format!("process {}", first.id());
    for words in [holder.as_str(), &commit[..7], "since 20", "ends at 20", "gitdeploy unlock "] {
        assert!(second.stderr.contains(words), "`{words}` is missing:\n{}", second.stderr);
    }
    assert_eq!(containers(&world), before);
    assert!(first.wait().expect("it ends").success());
    assert_eq!(containers(&world), before);
    assert_eq!(leases(&world), Vec::new());
}

#[test]
fn a_run_waits_for_another_as_long_as_it_was_told() {
    let (world, _) = slow("patience");
    let mut first = start(&world);
    let second = world.run(&["apply", "-y", "--lock-timeout", "60"]);
    assert!(first.wait().expect("it ends").success());
    // The plan it had made is not what is left to do then, so it makes another one.
    second.succeeded();
    assert!(second.stderr.contains("planning again"), "{}", second.stderr);
    world.run(&["plan", "--detailed-exitcode"]).succeeded();
}

#[test]
fn the_list_says_who_holds_what() {
    let (world, commit) = slow("list");
    let mut first = start(&world);
    let listed = world.run(&["locks"]);
    let listed = &listed.succeeded().stdout;
    for words in ["stack shop", &format!("process {}", first.id()), &commit[..7]] {
        assert!(listed.contains(words), "`{words}` is missing:\n{listed}");
    }
    first.wait().expect("it ends");
}

#[test]
fn the_lease_of_a_run_that_lives_is_not_taken_away() {
    let (world, _) = slow("alive");
    let mut first = start(&world);
    let (id, is_expired) = leases(&world).remove(0);
    assert!(!is_expired);
    let refused = world.run(&["unlock", &id]);
    refused.ended_with(12);
    assert_eq!(leases(&world), [(id, false)]);
    assert!(first.wait().expect("it ends").success());
}

#[test]
fn the_lease_of_a_dead_run_is_taken_away() {
    let (world, _) = slow("dead");
    let mut first = start(&world);
    first.kill().expect("a child can be killed");
    first.wait().expect("it ends");
    let (id, _) = leases(&world).remove(0);
    world.run(&["unlock", &id]).ended_with(12);
    expire(&id);
    assert_eq!(leases(&world), [(id.clone(), true)]);
    world.run(&["unlock", &id]).succeeded();
    assert_eq!(leases(&world), Vec::new());
    world.run(&["unlock", &id]).ended_with(1);
    world.run(&["apply", "-y"]).succeeded();
}

#[test]
fn a_run_whose_lease_was_taken_away_begins_nothing_more() {
    // Longer than it takes a run to renew its lease, which is when it sees that it is gone.
    let (world, _) = slower("robbed", 15_000);
    let mut first = start(&world);
    until("containers", || containers(&world).len() == 2);
    for (id, _) in leases(&world) {
        world.run(&["unlock", &id, "-y"]).succeeded();
    }
    let status = first.wait().expect("it ends");
    assert!(!status.success(), "{status}");
    world.run(&["apply", "-y"]).succeeded();
    world.run(&["plan", "--detailed-exitcode"]).succeeded();
}
