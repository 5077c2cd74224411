//! Stacks on a host over SSH: the plan is carried out, and then there is nothing left to do.

use super::super::rig::{FOREIGN_PAGE, Kind, Runs, Sshd, Variant, World, get};
use super::super::rollout::stack;
use super::{know, over_ssh, plain};

const HOST: &str = "shop.example.com";

/// Deploys a stack behind a proxy of the host, twice, and looks for what is left to do.
fn is_deployed(world: World, kind: Kind, runs: Runs) -> World {
    let mut world = world.with_proxy(kind, runs);
    let (first, second) = (world.tag("one", Variant::V1), world.tag("two", Variant::V2));
    for (image, version) in [(first, "v1"), (second, "v2")] {
        world.write("stacks/shop/compose.yaml", stack(&world, &image, 2, ""));
        world.commit("a release");
        world.run(&["apply", "-y"]).succeeded();
        world.run(&["plan", "--detailed-exitcode"]).succeeded();
        let (_, page) = get(world.proxies[0].address, HOST, "/").expect("an answer");
        assert!(page.contains(version), "{page}");
    }
    let (_, page) = get(world.proxies[0].foreign, "owner", "/").expect("an answer");
    assert!(page.contains(FOREIGN_PAGE.trim_end()), "{page}");
    world
}

#[test]
fn a_stack_behind_nginx_of_the_host_is_deployed() {
    let (world, _server) = over_ssh("ssh-nginx", "");
    is_deployed(world, Kind::Nginx, Runs::OnHost);
}

#[test]
fn a_stack_behind_haproxy_of_the_host_is_deployed() {
    let (world, _server) = over_ssh("ssh-haproxy", "");
    is_deployed(world, Kind::Haproxy, Runs::OnHost);
}

#[test]
fn a_stack_behind_proxies_in_containers_is_deployed() {
    for (name, kind) in [("ssh-nginx-in", Kind::Nginx), ("ssh-haproxy-in", Kind::Haproxy)] {
        let (world, _server) = over_ssh(name, "");
        is_deployed(world, kind, Runs::InContainer);
    }
}

#[test]
fn a_host_behind_two_others_is_reached() {
    let mut world = World::new("ssh-jump");
    let servers = ["a", "b", "c"].map(|name| Sshd::start(&world.home().join(name), ""));
    let [first, second, last] = &servers;
    know(&world, &servers.iter().map(Sshd::line).collect::<String>());
    let block = |name: &str, server: &Sshd, more: String| {
        let (port, user) = (server.port, &server.user);
        let key = server.guest().display().to_string();
        format!(
            "Host {name}\n  HostName 127.0.0.1\n  Port {port}\n  User {user}\n  \
             IdentityFile {key}\n{more}\n"
        )
    };
    let config = block("first", first, String::new())
        + &block("second", second, String::new())
        + &block("last", last, "  ProxyJump first,second".into());
    std::fs::write(world.home().join(".ssh/config"), config).expect("a file");
    world.reach("docker: ssh://last");
    let image = world.tag("one", Variant::V1);
    world.write("stacks/s/compose.yaml", plain(&image));
    world.commit("one");
    world.run(&["apply", "-y"]).succeeded();
    world.run(&["plan", "--detailed-exitcode"]).succeeded();
    for server in &servers {
        assert!(server.log().contains("Accepted publickey"), "{}", server.log());
    }
}

#[test]
fn the_inventory_names_a_key_and_a_machine_to_go_through() {
    let mut world = World::new("ssh-inventory");
    let servers = ["a", "b"].map(|name| Sshd::start(&world.home().join(name), ""));
    let [jump, host] = &servers;
    let known = world.home().join("hosts");
    std::fs::write(&known, servers.iter().map(Sshd::line).collect::<String>()).expect("a file");
    // The jump takes the usual key, and the host the one that is named.
    std::fs::create_dir_all(world.home().join(".ssh")).expect("a folder");
    std::fs::copy(jump.guest(), world.home().join(".ssh/id_ed25519")).expect("a key");
    know(&world, &jump.line());
    world.reach(&format!(
        "docker: ssh://{}/var/run/docker.sock\nssh:\n  identity: {}\n  known_hosts: {}\n  \
         jump: ssh://{}",
        host.authority(),
        host.guest().display(),
        known.display(),
        jump.authority()
    ));
    world.write("stacks/s/compose.yaml", plain("none"));
    world.commit("one");
    world.run(&["locks"]).succeeded();
}

#[test]
fn keys_are_exchanged_anew_while_it_works() {
    let (world, server) = over_ssh("ssh-rekey", "RekeyLimit 32K");
    let _world = is_deployed(world, Kind::Nginx, Runs::OnHost);
    assert!(server.log().matches("rekey").count() > 3, "{}", server.log());
}

#[test]
fn few_sessions_of_the_server_are_enough() {
    let (world, _server) = over_ssh("ssh-few", "MaxSessions 2");
    is_deployed(world, Kind::Haproxy, Runs::OnHost);
}
