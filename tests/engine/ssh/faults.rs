//! Servers that die, hang and refuse: every call ends, and says what is known.

use std::thread;
use std::time::Duration;

use super::super::rig::{Ended, Kind, Runs, Variant, World, finish};
use super::super::rollout::stack;
use super::{over_ssh, plain};

/// The exit code when somebody else has the stack.
const HELD: i32 = 11;

/// What no answer may take: the longest deadline of the way over SSH, and some more.
const SECONDS: Duration = Duration::from_secs(120);

fn start(world: &World) -> thread::JoinHandle<Ended> {
    let mut command = world.command(&["apply", "-y"]);
    thread::spawn(move || finish(&mut command, Vec::new(), SECONDS))
}

/// Applies when the lease of a run that could not give it back has expired.
fn apply_when_free(world: &World) {
    loop {
        let ended = world.run(&["apply", "-y"]);
        if ended.code != HELD {
            ended.succeeded();
            return;
        }
        thread::sleep(Duration::from_secs(1));
    }
}

/// A world in which a release is under way: its new replica is waited for.
fn under_way(name: &str) -> (World, super::Sshd, thread::JoinHandle<Ended>) {
    let (world, server) = over_ssh(name, "");
    let mut world = world.with_proxy(Kind::Nginx, Runs::OnHost);
    let image = world.tag("one", Variant::V1);
    let slow =
        stack(&world, &image, 1, "").replace("READY_AFTER_MS: '700'", "READY_AFTER_MS: '5000'");
    world.write("stacks/shop/compose.yaml", slow);
    world.commit("one");
    let run = start(&world);
    while world.running(Some("shop")).is_empty() {
        assert!(!run.is_finished(), "{:?}", run.join());
        thread::sleep(Duration::from_millis(50));
    }
    (world, server, run)
}

#[test]
fn a_server_that_dies_in_the_middle_ends_the_run_and_the_next_one_goes_on() {
    let (world, mut server, run) = under_way("ssh-killed");
    server.kill();
    let ended = run.join().expect("an end");
    assert_ne!(ended.code, 0, "{}", ended.stdout);
    server.run();
    apply_when_free(&world);
    world.run(&["plan", "--detailed-exitcode"]).succeeded();
}

#[test]
fn connections_that_die_in_the_middle_are_made_again() {
    let (world, server, run) = under_way("ssh-cut");
    server.signal_connections("KILL");
    run.join().expect("an end").succeeded();
    world.run(&["plan", "--detailed-exitcode"]).succeeded();
}

#[test]
fn connections_that_hang_in_the_middle_are_given_up() {
    let (world, server, run) = under_way("ssh-hung");
    server.signal_connections("STOP");
    server.signal("STOP");
    let ended = run.join().expect("an end");
    assert_ne!(ended.code, 0, "{}", ended.stdout);
    server.signal("CONT");
    server.signal_connections("KILL");
    apply_when_free(&world);
}

#[test]
fn a_server_that_takes_connections_and_says_nothing_is_told() {
    let (world, server) = over_ssh("ssh-mute", "");
    world.write("stacks/s/compose.yaml", plain("none"));
    world.commit("one");
    server.signal("STOP");
    let ended = world.run_with(&["plan"], &[], SECONDS);
    server.signal("CONT");
    assert!(ended.stderr.contains("did not answer in SSH within 10 s"), "{}", ended.stderr);
}

#[test]
fn a_socket_that_is_not_there_is_told() {
    let (mut world, server) = over_ssh("ssh-socket", "");
    world.reach(&format!("docker: ssh://{}/run/none.sock", server.authority()));
    world.write("stacks/s/compose.yaml", plain("none"));
    world.commit("one");
    let said = world.run(&["plan"]).stderr;
    assert!(said.contains("there is no `/run/none.sock` on"), "{said}");
}

#[test]
fn a_server_that_forbids_sockets_is_told() {
    let (world, _server) = over_ssh("ssh-forbids", "AllowStreamLocalForwarding no");
    world.write("stacks/s/compose.yaml", plain("none"));
    world.commit("one");
    let said = world.run(&["plan"]).stderr;
    assert!(said.contains("AllowStreamLocalForwarding"), "{said}");
}
