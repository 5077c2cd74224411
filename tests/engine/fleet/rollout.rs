//! Releases over hosts under load.

use super::{HOSTS, Town};
use crate::rig::{Variant, alone};

#[test]
fn a_release_over_three_hosts_and_two_proxies_loses_no_request() {
    let _alone = alone();
    let (mut town, first) = Town::deployed("town");
    let second = town.image("two", Variant::V2);
    for host in HOSTS {
        assert!(!town.containers(host).is_empty(), "no replica on {host}");
    }
    let running = town.loads().map(|load| load.start());
    for image in [&second, &first] {
        town.release(image);
        town.world.run(&["apply", "-y"]).succeeded();
        town.assert_settled();
    }
    for report in running.map(crate::rig::Running::finish) {
        assert!(report.versions.len() > 1, "both must have answered: {:?}", report.versions);
        report.assert_nothing_lost();
    }
}

#[test]
fn a_release_host_by_host_ends_one_host_before_the_next_begins() {
    let _alone = alone();
    let (mut town, _) = Town::deployed("by-host");
    let second = town.image("two", Variant::V2);
    let running = town.loads().map(|load| load.start());
    town.release_as(&second, "      rollout: {strategy: host-by-host}\n");
    let run = town.world.run(&["apply", "-y"]);
    run.succeeded();
    town.assert_settled();
    // Every line of a container belongs to the host that it runs on.
    let names = HOSTS.map(|host| (host, town.containers(host)));
    let host_of = |line: &str| {
        let mut hosts = names.iter();
        hosts.find(|(_, all)| all.iter().any(|it| line.contains(it.as_str()))).map(|(it, _)| *it)
    };
    let mut order: Vec<&str> = Vec::new();
    for line in run.stderr.lines().filter(|line| line.contains("done")) {
        if line.contains("  switch ") {
            order.push("switch");
        } else if line.contains("  start ") {
            order.extend(host_of(line));
        }
    }
    order.dedup();
    let hosts: Vec<&str> = order.iter().copied().filter(|it| *it != "switch").collect();
    assert_eq!(hosts.len(), HOSTS.len(), "each host once: {order:?}\n{}", run.stderr);
    let between = order.windows(2).filter(|pair| pair[1] != "switch");
    assert!(between.clone().count() > 1, "{order:?}");
    assert!(between.clone().all(|pair| pair[0] == "switch"), "{order:?}\n{}", run.stderr);
    for report in running.map(crate::rig::Running::finish) {
        report.assert_nothing_lost();
    }
}

#[test]
fn a_range_of_addresses_that_one_host_has_is_refused_before_anything_starts() {
    let (town, _) = Town::deployed("range");
    let three = town.fleet.host("three");
    three.docker(&["network", "create", "--subnet", "10.123.4.0/24", "strangers"]);
    let commit = |subnet: &str| {
        let path = town.world.path().join("stacks/shop/compose.yaml");
        let text = std::fs::read_to_string(path).expect("the release");
        let text = text.split("networks:").next().unwrap_or_default();
        let pool = format!("{{ipam: {{config: [{{subnet: {subnet}}}]}}}}");
        town.world
            .write("stacks/shop/compose.yaml", format!("{text}networks:\n  default: {pool}\n"));
        town.world.commit("a range");
    };
    let before = HOSTS.map(|host| town.containers(host));
    commit("10.123.0.0/16");
    let refused = town.world.run(&["apply", "-y"]);
    assert_eq!(refused.code, 1, "{}{}", refused.stdout, refused.stderr);
    for word in ["strangers", "three", "10.123.4.0/24"] {
        assert!(refused.stderr.contains(word), "{}", refused.stderr);
    }
    assert_eq!(HOSTS.map(|host| town.containers(host)), before);
    commit("10.124.0.0/16");
    town.world.run(&["apply", "-y"]).succeeded();
    town.assert_settled();
}
