//! The hosts themselves: looked at, joined, told apart.

use super::Town;
use crate::rig::Variant;

#[test]
fn hosts_and_proxies_are_checked_at_once() {
    let town = Town::open("check");
    town.world.write("stacks/shop/compose.yaml", "services: {a: {image: none}}\n");
    town.world.commit("first");
    let seen = town.world.run(&["hosts"]);
    assert_eq!(seen.code, 0, "{}{}", seen.stdout, seen.stderr);
    assert!(seen.stdout.contains("All is well: 3 hosts, 2 proxies."), "{}", seen.stdout);
    town.fleet.host("three").kill();
    let seen = town.world.run(&["hosts"]);
    assert_eq!(seen.code, 15, "{}{}", seen.stdout, seen.stderr);
    assert!(seen.stdout.contains("three  no answer"), "{}", seen.stdout);
    assert!(seen.stdout.contains("20.10"), "the others are told all the same: {}", seen.stdout);
}

#[test]
fn an_overlay_lets_services_of_two_hosts_find_each_other() {
    let mut town = Town::open("overlay");
    town.world.write("inventory.yaml", town.hosts());
    let image = town.image("one", Variant::V1);
    let text = format!(
        "networks: {{default: {{driver: overlay}}}}\nservices:\n  db:\n    image: {image}\n    \
         deploy: {{placement: {{constraints: [node.labels.name == two]}}}}\n  web:\n    image: \
         {image}\n    deploy: {{placement: {{constraints: [node.labels.name == three]}}}}\n"
    );
    town.world.write("stacks/shop/compose.yaml", &text);
    town.world.commit("first");
    let refused = town.world.run(&["plan"]);
    assert_eq!(refused.code, 1, "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("hosts --init-overlay"), "{}", refused.stderr);
    let joined = town.world.run(&["hosts", "--init-overlay", "-y"]);
    assert_eq!(joined.code, 0, "{}{}", joined.stdout, joined.stderr);
    assert!(!joined.stderr.contains("SWMTKN"), "a token is a secret: {}", joined.stderr);
    let again = town.world.run(&["hosts", "--init-overlay", "-y"]).succeeded().stderr.clone();
    assert!(again.contains("already"), "{again}");
    town.world.run(&["apply", "-y"]).succeeded();
    town.world.run(&["plan", "--detailed-exitcode"]).succeeded();
    let fetch = |town: &Town, host: &str| {
        let host = town.fleet.host(host);
        let name = host.docker(&["ps", "-q", "--filter", "label=gitdeploy.service=web"]);
        host.docker(&["exec", &name, "wget", "-qO-", "http://db:8080/health"])
    };
    fetch(&town, "three");
    // A service that moves keeps its name.
    town.world.write("stacks/shop/compose.yaml", text.replace("name == two", "name == one"));
    town.world.commit("the database moves");
    town.world.run(&["apply", "-y"]).succeeded();
    town.world.run(&["plan", "--detailed-exitcode"]).succeeded();
    fetch(&town, "three");
    town.world.run(&["destroy", "shop", "-y"]).succeeded();
    // Managers tell each other a moment later.
    let names = || town.fleet.host("one").docker(&["network", "ls", "--format", "{{.Name}}"]);
    crate::shop::until("the network is gone", || !names().contains("shop"));
}
