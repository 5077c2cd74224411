//! Hosts that vanish, come back, freeze, or are not who they were.

use std::time::Duration;

use super::{HOSTS, RUN_MAX, Town};
use crate::rig::{Load, SMALL, Variant, alone, get};

/// The next run ends what one before it began. A dead run's leases last a while, and a host that
/// has just come back may still be starting its containers.
fn finished(town: &Town) {
    let run = || town.world.run(&["apply", "-y", "--lock-timeout", "60"]);
    let last = run();
    if last.code != 0 {
        run().succeeded();
    }
}

#[test]
fn a_lost_host_is_named_and_nothing_is_moved_until_it_is_back() {
    let (town, _) = Town::deployed("lost");
    let before = town.containers("three");
    town.fleet.host("three").kill();
    let plan = town.world.run(&["plan"]);
    assert_eq!(plan.code, 15, "{}{}", plan.stdout, plan.stderr);
    assert!(plan.stderr.contains("three"), "{}", plan.stderr);
    let skipped = town.world.run(&["plan", "--skip-unreachable", "--detailed-exitcode"]);
    assert!(!skipped.stdout.contains("create"), "nothing moves: {}", skipped.stdout);
    town.fleet.host("three").revive();
    assert_eq!(town.containers("three"), before);
    let settled = || town.world.run(&["plan", "--detailed-exitcode"]).code == 0;
    crate::shop::until("all is as it was", settled);
}

/// What a release has just done when something happens to it.
const STARTED: &str = "  start ";
const READY: &str = "is ready";
const SWITCHED: &str = "switch ";
const DRAINED: &str = "has let go";

/// A release during which the host `three` is taken away after the step that does `what`; then the
/// host comes back, and the next run ends it.
fn lost_in_the_middle(name: &str, what: &str) {
    let (mut town, _) = Town::deployed(name);
    let second = town.image("two", Variant::V2);
    town.release(&second);
    let mut run = town.apply();
    run.reaches(what);
    town.fleet.host("three").kill();
    let (code, said) = run.ended();
    assert!([1, 13, 14].contains(&code), "{code}: {said}");
    assert!(said.contains("three"), "who is lost is not said: {said}");
    for host in ["one", "two"] {
        let served = || get(town.door(host), super::HOST, "/").is_ok_and(|(code, _)| code == 200);
        crate::shop::until("clients are served by those that are left", served);
    }
    town.fleet.host("three").revive();
    finished(&town);
    town.assert_settled();
    let total: usize = HOSTS.map(|host| town.containers(host).len()).iter().sum();
    assert_eq!(total, 4);
}

#[test]
fn a_host_lost_before_the_flip_is_caught_up_with() {
    lost_in_the_middle("early", STARTED);
}

#[test]
fn a_host_lost_about_the_flip_is_caught_up_with() {
    lost_in_the_middle("flip", READY);
}

#[test]
fn a_host_lost_after_the_flip_is_caught_up_with() {
    lost_in_the_middle("late", SWITCHED);
}

/// A release during which we, and nobody else, lose sight of a host after the step that does `what`.
/// It goes on serving, and so must everything that sends to it.
fn cut_off_from_us(name: &str, host: &str, what: &str) {
    let _alone = alone();
    let (mut town, _) = Town::deployed(name);
    let second = town.image("two", Variant::V2);
    let running = town.loads().map(|load| Load { limit: 3 * RUN_MAX, ..load }.start());
    town.release(&second);
    let mut run = town.apply();
    run.reaches(what);
    town.fleet.host(host).cut_ssh();
    let (code, said) = run.ended();
    if code != 0 {
        assert!([1, 13, 14].contains(&code), "{code}: {said}");
        assert!(said.contains(host), "who is lost is not said: {said}");
    }
    let status = town.world.run(&["status"]);
    assert_eq!(status.code, 15, "{}{}", status.stdout, status.stderr);
    assert!(!status.stdout.contains("as the commit wants it."), "{}", status.stdout);
    town.fleet.host(host).mend_ssh();
    finished(&town);
    town.assert_settled();
    for report in running.map(crate::rig::Running::finish) {
        report.assert_nothing_lost();
    }
}

#[test]
fn a_host_that_only_we_cannot_reach_serves_on() {
    cut_off_from_us("cut", "three", READY);
}

#[test]
fn a_host_that_we_lose_sight_of_after_the_flip_serves_on() {
    cut_off_from_us("cut-late", "three", SWITCHED);
}

#[test]
fn a_proxy_that_only_we_cannot_reach_sends_on() {
    cut_off_from_us("cut-proxy", "two", READY);
}

#[test]
fn a_proxy_that_we_lose_sight_of_while_it_drains_sends_on() {
    cut_off_from_us("cut-drain", "two", DRAINED);
}

#[test]
fn a_frozen_host_costs_its_deadline_and_hinders_nobody() {
    let (town, _) = Town::deployed("frozen");
    town.fleet.host("three").freeze();
    let status = town.world.run(&["status"]);
    assert_eq!(status.code, 15, "{}{}", status.stdout, status.stderr);
    assert!(status.stdout.contains("one"), "the others are shown: {}", status.stdout);
    assert!(status.took < Duration::from_secs(60), "{:?}", status.took);
    town.fleet.host("three").thaw();
    crate::shop::until("it answers again", || town.world.run(&["status"]).code == 0);
}

#[test]
fn an_ssh_server_that_restarts_in_the_middle_loses_no_request() {
    let _alone = alone();
    let (mut town, _) = Town::deployed("restart");
    let second = town.image("two", Variant::V2);
    let running = town.loads().map(|load| Load { limit: 3 * RUN_MAX, ..load }.start());
    town.release(&second);
    let mut run = town.apply();
    run.reaches(STARTED);
    town.fleet.host("two").restart_ssh();
    let (code, said) = run.ended();
    assert!([0, 1, 13, 14].contains(&code), "{code}: {said}");
    finished(&town);
    town.assert_settled();
    for report in running.map(crate::rig::Running::finish) {
        report.assert_nothing_lost();
    }
}

/// With its engine the containers of a host end, and with them what they were answering; which runs
/// have nothing to do with.
#[test]
fn an_engine_that_restarts_in_the_middle_is_caught_up_with() {
    let (mut town, _) = Town::deployed("engine");
    let second = town.image("two", Variant::V2);
    town.release(&second);
    let mut run = town.apply();
    run.reaches(READY);
    town.fleet.host("three").restart_engine();
    let (code, said) = run.ended();
    assert!([0, 1, 13, 14].contains(&code), "{code}: {said}");
    finished(&town);
    town.assert_settled();
    let total: usize = HOSTS.map(|host| town.containers(host).len()).iter().sum();
    assert_eq!(total, 4);
    // What a settled stack is to look like after its engine was restarted: the same.
    town.fleet.host("three").restart_engine();
    crate::shop::until("all is as it was", || {
        town.world.run(&["plan", "--detailed-exitcode"]).code == 0
    });
}

#[test]
fn two_runs_from_two_places_are_kept_apart() {
    let (mut town, _) = Town::deployed("two-places");
    let second = town.image("two", Variant::V2);
    town.release(&second);
    let run = town.apply();
    let is_held = || !crate::shop::leases(&town.world).is_empty();
    crate::shop::until("the first holds its leases", is_held);
    town.world.run(&["apply", "-y"]).ended_with(11);
    assert_eq!(run.ended().0, 0);
    town.assert_settled();
}

#[test]
fn a_changed_host_key_is_refused() {
    let (town, _) = Town::deployed("key");
    let three = town.fleet.host("three");
    three.run(&["rm", "-f", "/etc/ssh/ssh_host_ed25519_key", "/etc/ssh/ssh_host_ed25519_key.pub"]);
    three.run(&[
        "ssh-keygen",
        "-q",
        "-t",
        "ed25519",
        "-N",
        "",
        "-f",
        "/etc/ssh/ssh_host_ed25519_key",
    ]);
    three.restart_ssh();
    let plan = town.world.run(&["plan"]);
    assert_eq!(plan.code, 15, "{}{}", plan.stdout, plan.stderr);
    assert!(plan.stderr.contains("SHA256:"), "{}", plan.stderr);
}

#[test]
fn a_full_disk_changes_nothing_that_serves() {
    let _alone = alone();
    let mut town = Town::with("full", SMALL);
    let first = town.deploy();
    let second = town.image("two", Variant::V2);
    let before = town.containers(SMALL);
    town.fleet.host(SMALL).fill_disk();
    town.release(&second);
    let run = town.world.run(&["apply", "-y"]);
    assert!([1, 13].contains(&run.code), "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("no space left"), "{}", run.stderr);
    assert_eq!(town.containers(SMALL), before);
    town.fleet.host(SMALL).empty_disk();
    town.release(&first);
    town.world.run(&["apply", "-y"]).succeeded();
    town.assert_settled();
}
