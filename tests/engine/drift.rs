//! What people change by hand: a plan names it, `status` shows it, `apply` takes it back, and then
//! nothing is left to do.

use super::rig::{Kind, Load, Runs, Variant, World, alone, docker, try_docker};
use super::rollout::stack;

/// What clients ask for.
const HOST: &str = "shop.example.com";

/// Three replicas behind a proxy, beside a service with a volume.
fn deployed(name: &str, kind: Kind) -> World {
    let mut world = World::new(name).with_proxy(kind, Runs::OnHost);
    let image = world.tag("one", Variant::V1);
    let web = stack(
        &world,
        &image,
        3,
        "    mem_limit: 128m\n    restart: always\n    networks: [default, zone]\n",
    );
    let db = format!(
        "  db:\n    image: {image}\n    volumes: ['data:/data']\n    stop_grace_period: 1s\n    \
         x-gitdeploy: {{health: {{tcp: 8080, interval: 100ms}}}}\n\
         networks: {{zone: {{}}}}\nvolumes: {{data: {{}}}}\n"
    );
    world.write("stacks/shop/compose.yaml", web + &db);
    world.commit("first");
    world.run(&["apply", "-y"]).succeeded();
    world.run(&["plan", "--detailed-exitcode"]).succeeded();
    world
}

/// The containers of a service, in the order of their slots.
fn replicas(world: &World, service: &str) -> Vec<String> {
    let project = format!("label=gitdeploy.project={}", world.project);
    let service = format!("label=gitdeploy.service={service}");
    let list = ["ps", "-a", "--filter", &project, "--filter", &service, "--format", "{{.Names}}"];
    let mut names: Vec<String> = docker(&list).lines().map(str::to_owned).collect();
    names.sort();
    names
}

/// The network whose loss cuts nothing. An engine carries a container's published ports through the
/// first of its networks by name, which is `…_default`; taking that one away by hand ends the
/// connections that run over it, whatever is done afterwards.
fn beside(world: &World) -> String {
    let project = format!("label=gitdeploy.project={}", world.project);
    let names = docker(&["network", "ls", "--filter", &project, "--format", "{{.Name}}"]);
    names.lines().find(|name| name.ends_with("_zone")).expect("a network").to_owned()
}

/// The plan names the change with all `words`, `status` does not call it well, and after `apply`
/// nothing is left.
fn repaired(world: &World, what: &str, words: &[&str]) {
    let plan = world.run(&["plan", "--detailed-exitcode"]);
    assert_eq!(plan.code, 2, "{what}: {}{}", plan.stdout, plan.stderr);
    for word in words {
        assert!(plan.stdout.contains(word), "{what}: no `{word}` in\n{}", plan.stdout);
    }
    let status = world.run(&["status"]);
    let said = status.stdout.lines().last().unwrap_or_default();
    assert!(
        !said.ends_with("as the commit wants it."),
        "{what}: {}\n{}",
        status.stdout,
        plan.stdout
    );
    let applied = world.run(&["apply", "-y"]);
    assert_eq!(applied.code, 0, "{what}: {}{}", applied.stdout, applied.stderr);
    let after = world.run(&["plan", "--detailed-exitcode"]);
    assert_eq!(after.code, 0, "{what}: is not repaired: {}{}", after.stdout, after.stderr);
}

#[test]
fn changed_settings_of_containers_are_found_and_taken_back_without_loss() {
    let _alone = alone();
    let world = deployed("drift-set", Kind::Nginx);
    // Several of what lasts, so that some of it is on the replica that goes.
    let load = Load { streams: 4, sockets: 2, ..Load::light(world.proxies[0].address, HOST) };
    let load = load.start();
    let one = |service: &str| replicas(&world, service)[0].clone();
    docker(&["update", "--memory", "256m", "--memory-swap", "256m", &one("web")]);
    assert!(!world.run(&["plan"]).stdout.contains("edited by hand"), "the file was not");
    repaired(&world, "memory", &["memory", "256MiB", "128MiB", "1 of 3 replicas"]);
    docker(&["update", "--cpus", "0.5", &one("web")]);
    repaired(&world, "cpus", &["cpus", "0.5"]);
    docker(&["update", "--restart", "no", &one("web")]);
    repaired(&world, "restart", &["restart", "always"]);
    docker(&["rename", &one("web"), &format!("{}-renamed", world.project)]);
    repaired(&world, "name", &["-renamed"]);
    docker(&["network", "disconnect", &beside(&world), &one("web")]);
    repaired(&world, "disconnected", &["networks.", "_zone"]);
    docker(&["network", "connect", "bridge", &one("db")]);
    repaired(&world, "connected", &["networks.bridge"]);
    load.finish().assert_nothing_lost();
}

#[test]
fn containers_that_do_not_run_are_found_and_run_again() {
    let world = deployed("drift-run", Kind::Haproxy);
    let one = |service: &str| replicas(&world, service)[0].clone();
    docker(&["stop", "-t", "1", &one("web")]);
    repaired(&world, "stopped", &["web", "it has ended"]);
    docker(&["update", "--restart", "no", &one("web")]);
    docker(&["kill", &one("web")]);
    repaired(&world, "killed", &["web"]);
    docker(&["pause", &one("web")]);
    repaired(&world, "paused", &["web", "2 → 3 replicas"]);
    docker(&["rm", "-f", &one("web")]);
    repaired(&world, "removed", &["web", "missing"]);
    let all = replicas(&world, "web");
    docker(&[&["rm", "-f"][..], &all.iter().map(String::as_str).collect::<Vec<_>>()].concat());
    repaired(&world, "all removed", &["web", "3 replicas"]);
    docker(&["rm", "-f", &one("db")]);
    let volumes = docker(&[
        "volume",
        "ls",
        "-q",
        "--filter",
        &format!("label=gitdeploy.project={}", world.project),
    ]);
    let data = volumes.lines().find(|name| name.ends_with("_data")).expect("a volume");
    docker(&["volume", "rm", data]);
    repaired(&world, "volume", &["volume data"]);
    assert_eq!(replicas(&world, "web").len(), 3);
}

#[test]
fn what_is_too_many_is_found_and_removed() {
    let world = deployed("drift-extra", Kind::Nginx);
    let one = replicas(&world, "web")[0].clone();
    let format = "{{range $key, $value := .Config.Labels}}--label={{$key}}={{$value}}\n{{end}}";
    let labels = docker(&["inspect", "-f", format, &one]);
    let copy = format!("{}-copy", world.project);
    let mut run = vec!["run", "-d", "--name", &copy];
    run.extend(labels.lines());
    run.extend(["gitdeploy-test/app:v1"]);
    docker(&run);
    repaired(&world, "copy", &[&copy]);
    assert!(try_docker(&["inspect", &copy], Vec::new()).is_err());
    let left = format!("{}-left", world.project);
    let others: Vec<String> =
        labels.lines().map(|it| it.replace("service=web", "service=gone")).collect();
    let mut run = vec!["run", "-d", "--name", &left];
    run.extend(others.iter().map(String::as_str));
    run.extend(["gitdeploy-test/app:v1"]);
    docker(&run);
    repaired(&world, "left over", &["gone"]);
    assert!(try_docker(&["inspect", &left], Vec::new()).is_err());
}

#[test]
fn a_tag_that_moved_is_a_difference() {
    let mut world = deployed("drift-tag", Kind::Nginx);
    world.tag("one", Variant::V2);
    repaired(&world, "tag", &["web", "image"]);
    let (_, body) = super::rig::get(world.proxies[0].address, HOST, "/").expect("an answer");
    assert!(body.starts_with("v2 "), "{body}");
}

/// Edits and deletes the managed file under load.
fn edited(kind: Kind) {
    let _alone = alone();
    let world = deployed("drift-file", kind);
    let proxy = &world.proxies[0];
    let text = proxy.managed().expect("a file");
    let load = Load::light(proxy.address, HOST).start();
    proxy.edit(&format!("{text}\n# by hand\n"));
    repaired(&world, "edited", &["edited by hand"]);
    assert_eq!(proxy.managed().expect("a file").matches("by hand").count(), 0);
    // Deleted, and not yet read again: the proxy still serves what it has.
    std::fs::remove_file(proxy.managed_path()).expect("a file");
    repaired(&world, "deleted", &[&proxy.name]);
    load.finish().assert_nothing_lost();
}

#[test]
fn an_edited_or_deleted_file_of_nginx_is_written_again() {
    edited(Kind::Nginx);
}

#[test]
fn an_edited_or_deleted_file_of_haproxy_is_written_again() {
    edited(Kind::Haproxy);
}

#[test]
fn a_server_that_haproxy_was_told_to_leave_out_is_let_in_again() {
    let world = deployed("drift-maint", Kind::Haproxy);
    let stats = world.proxies[0].command("show servers state");
    let line = stats.lines().find(|line| line.contains("-web-1-")).expect("a server");
    let words: Vec<&str> = line.split(' ').collect();
    let server = format!("{}/{}", words[1], words[3]);
    world.proxies[0].command(&format!("set server {server} state maint"));
    repaired(&world, "maint", &["serves something else than its file says"]);
    let stats = world.proxies[0].command("show servers state");
    let line = stats.lines().find(|line| line.contains("-web-1-")).expect("a server");
    assert_eq!(line.split(' ').nth(6), Some("0"), "it is not let in: {stats}");
}
