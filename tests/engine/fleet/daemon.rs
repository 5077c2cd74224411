//! A daemon that keeps three hosts: with both proxies under load, while one of them is lost, and for
//! long.

use std::fs;
use std::net::Ipv4Addr;

use super::{HOSTS, Town};
use crate::rig::{Load, Running, Variant, alone};
use crate::shop::until;
use crate::sync::{Daemon, rules};

const SOURCE: &str = "    interval: 200ms\n    look: 1s\n";

/// Rounds after which what is not given back would be seen.
const ROUNDS: usize = 20;

/// Commits a small stack, with one replica or two.
fn tick(town: &Town, image: &str, nth: usize) -> String {
    town.world.write(
        "stacks/tick/compose.yaml",
        format!(
            "services:\n  tick:\n    image: {image}\n    deploy: {{replicas: {}}}\n    \
             stop_grace_period: 1s\n    x-gitdeploy: {{health: {{tcp: 8080, interval: 100ms}}}}\n",
            nth % 2 + 1
        ),
    );
    town.world.commit("a tick")
}

/// Connections of this machine to the SSH server of a host.
fn sessions(address: Ipv4Addr) -> usize {
    let remote = format!("{:08X}:0016", u32::from_le_bytes(address.octets()));
    let table = fs::read_to_string("/proc/net/tcp").expect("the kernel tells");
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    // `01`: it is established.
    rows.filter(|row| row.get(2) == Some(&remote.as_str()) && row.get(3) == Some(&"01")).count()
}

/// Waits until the daemon alone is connected, once to each of `hosts`.
fn assert_one_session(town: &Town, hosts: &[&str]) {
    let each = || hosts.iter().map(|host| sessions(town.fleet.host(host).address));
    until("one session for each host", || each().all(|count| count == 1));
}

fn descriptors(daemon: &Daemon) -> usize {
    fs::read_dir(format!("/proc/{}/fd", daemon.id())).expect("a process").count()
}

/// Whether each container of the stack is of the image, and there are four.
fn is_at(town: &Town, image: &str) -> bool {
    let list = ["ps", "--filter", "label=gitdeploy.service=web", "--format", "{{.Image}}"];
    let images: Vec<String> = HOSTS
        .iter()
        .flat_map(|host| {
            let images = town.fleet.host(host).docker(&list);
            images.lines().map(str::to_owned).collect::<Vec<_>>()
        })
        .collect();
    images.len() == 4 && images.iter().all(|it| it == image)
}

#[test]
fn a_daemon_keeps_three_hosts_through_the_loss_of_one_with_one_session_each() {
    let _alone = alone();
    let mut town = Town::open("daemon");
    let inventory = fs::read_to_string(town.world.path().join("inventory.yaml")).expect("a file");
    town.world.write("inventory.yaml", format!("unreachable: skip\n{inventory}"));
    let images = [town.image("one", Variant::V1), town.image("two", Variant::V2)];
    let commit = town.release(&images[0]);
    let daemon = Daemon::of(&town.world, "sync", &rules(&town.world, "", SOURCE));
    let is_done = |commit: &str| daemon.says(&format!("for {} is done", &commit[..7]));
    is_done(&commit);
    town.assert_settled();
    let load = town.loads().map(Load::start);
    is_done(&town.release(&images[1]));
    load.map(Running::finish).iter().for_each(|report| report.assert_nothing_lost());
    assert!(is_at(&town, &images[1]));

    is_done(&tick(&town, &images[0], 0));
    assert_one_session(&town, &HOSTS);
    let before = descriptors(&daemon);
    for nth in 1..=ROUNDS {
        is_done(&tick(&town, &images[0], nth));
    }
    assert_one_session(&town, &HOSTS);
    until("no descriptor is kept", || descriptors(&daemon) <= before);

    town.fleet.host("three").kill();
    let commit = town.release(&images[0]);
    is_done(&commit);
    assert!(daemon.said().contains("three was not seen and is left as it is"), "{}", daemon.said());
    assert_one_session(&town, &["one", "two"]);
    town.fleet.host("three").revive();
    until("the host that is back is caught up with", || is_at(&town, &images[0]));
    town.assert_settled();
    assert_one_session(&town, &HOSTS);
    daemon.stop();
}
