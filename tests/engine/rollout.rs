//! Releases under load: v1 → v2 → v1, and more replicas and fewer, with no request lost.

use std::time::Duration;

use super::rig::{Kind, Load, Relay, Report, Runs, Variant, World, alone};

/// What clients ask for.
const HOST: &str = "shop.example.com";

/// The round trip between client and proxy at which a careless reload loses requests.
const FAR: Duration = Duration::from_millis(40);

/// A web service behind all proxies of a world.
pub(crate) fn stack(world: &World, image: &str, replicas: u32, more: &str) -> String {
    let route = |name: &str| format!("        - {{host: {HOST}, port: 8080, proxy: {name}}}\n");
    let routes: String = world.proxies.iter().map(|proxy| route(&proxy.name)).collect();
    format!(
        "services:\n  web:\n    image: {image}\n    environment: {{START_DELAY_MS: '300', \
         READY_AFTER_MS: '700'}}\n    stop_grace_period: 15s\n{more}    deploy: {{replicas: \
         {replicas}}}\n    x-gitdeploy:\n      health: {{http: /health, port: 8080, interval: \
         200ms, timeout: 1s, within: 30s}}\n      drain: {{timeout: 3s}}\n      routes:\n{routes}"
    )
}

/// Deploys, releases twice under load, and gives what the clients saw.
fn releases(kind: Kind, runs: Runs, load: impl FnOnce(&World) -> (Load, Option<Relay>)) -> Report {
    releases_in(|| World::new("rollout").with_proxy(kind, runs), load)
}

fn releases_in(
    world: impl FnOnce() -> World,
    load: impl FnOnce(&World) -> (Load, Option<Relay>),
) -> Report {
    let _alone = alone();
    let mut world = world();
    let (first, second) = (world.tag("one", Variant::V1), world.tag("two", Variant::V2));
    world.write("stacks/shop/compose.yaml", stack(&world, &first, 3, ""));
    world.commit("first");
    world.run(&["apply", "-y"]).succeeded();
    let (load, _relay) = load(&world);
    let running = load.start();
    std::thread::sleep(Duration::from_secs(1));
    for image in [&second, &first] {
        world.write("stacks/shop/compose.yaml", stack(&world, image, 3, ""));
        world.commit("another release");
        world.run(&["apply", "-y"]).succeeded();
        std::thread::sleep(Duration::from_millis(500));
        let plan = world.run(&["plan", "--detailed-exitcode"]);
        plan.succeeded();
    }
    let report = running.finish();
    assert!(report.versions.len() > 1, "both releases must have answered: {:?}", report.versions);
    report
}

fn near(world: &World) -> (Load, Option<Relay>) {
    (Load::heavy(world.proxies[0].address, HOST), None)
}

fn encrypted(world: &World) -> (Load, Option<Relay>) {
    let relay = Relay::encrypting(world.proxies[0].address);
    (Load::heavy(relay.address, HOST), Some(relay))
}

fn far(world: &World) -> (Load, Option<Relay>) {
    let relay = Relay::start(world.proxies[0].address, FAR);
    (Load::heavy(relay.address, HOST), Some(relay))
}

#[test]
fn nginx_on_the_host_loses_no_request() {
    releases(Kind::Nginx, Runs::OnHost, near).assert_nothing_lost();
}

#[test]
fn nginx_on_the_host_loses_no_request_of_clients_far_away() {
    releases(Kind::Nginx, Runs::OnHost, far).assert_nothing_lost();
}

#[test]
fn nginx_in_a_container_loses_no_request_of_clients_far_away() {
    releases(Kind::Nginx, Runs::InContainer, far).assert_nothing_lost();
}

#[test]
fn haproxy_on_the_host_loses_no_request() {
    releases(Kind::Haproxy, Runs::OnHost, near).assert_nothing_lost();
}

#[test]
fn haproxy_on_the_host_loses_no_request_of_clients_far_away() {
    releases(Kind::Haproxy, Runs::OnHost, far).assert_nothing_lost();
}

#[test]
fn haproxy_in_a_container_loses_no_request_of_clients_far_away() {
    releases(Kind::Haproxy, Runs::InContainer, far).assert_nothing_lost();
}

#[test]
fn nginx_with_a_certificate_loses_no_request() {
    let world = || World::new("tls").with_tls_proxy(Kind::Nginx);
    releases_in(world, encrypted).assert_nothing_lost();
}

#[test]
fn haproxy_with_a_certificate_loses_no_request() {
    let world = || World::new("tls").with_tls_proxy(Kind::Haproxy);
    releases_in(world, encrypted).assert_nothing_lost();
}

#[test]
fn more_replicas_and_fewer_lose_no_request() {
    let _alone = alone();
    let mut world = World::new("scale").with_proxy(Kind::Nginx, Runs::OnHost);
    let image = world.tag("one", Variant::V1);
    world.write("stacks/shop/compose.yaml", stack(&world, &image, 1, ""));
    world.commit("one");
    world.run(&["apply", "-y"]).succeeded();
    let relay = Relay::start(world.proxies[0].address, FAR);
    let running = Load::heavy(relay.address, HOST).start();
    for replicas in [5, 2] {
        world.write("stacks/shop/compose.yaml", stack(&world, &image, replicas, ""));
        world.commit("another number");
        world.run(&["apply", "-y"]).succeeded();
        let count = usize::try_from(replicas).expect("a small number");
        assert_eq!(world.running(Some("shop")).len(), count);
    }
    running.finish().assert_nothing_lost();
}
