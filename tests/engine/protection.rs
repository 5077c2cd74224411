//! What is refused, and that nothing has changed then.

use std::io::Write as _;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use super::rig::{FOREIGN_PAGE, Kind, Variant, World, docker};
use super::rollout::stack;
use super::shop::{FILE, Shop, containers, printed, until};

/// The value of a variable that no file may hold.
const SECRET: &str = "hunter2-and-more";

/// A world with one plain stack, not deployed yet.
fn plain(name: &str, replicas: u32) -> World {
    let mut world = World::new(name);
    let image = world.tag("one", Variant::V1);
    let variable = "environment: {DB_PASSWORD: hunter2-and-more, ";
    let text = stack(&world, &image, replicas, "").replace("      routes:\n", "");
    world.write(FILE, text.replace("environment: {", variable));
    world.commit("first");
    world
}

fn limit_deletes(world: &World, limit: u32) {
    let project = &world.project;
    let text = format!(
        "project: {project}\nenvironments: {{test: {{}}}}\nprotect: {{max_deletes: {limit}}}\n"
    );
    world.write("gitdeploy.yaml", text);
}

#[test]
fn more_removals_than_allowed_are_refused_unless_told() {
    let world = plain("deletes", 3);
    world.run(&["apply", "-y"]).succeeded();
    let before = containers(&world);
    assert_eq!(before.len(), 3);
    limit_deletes(&world, 1);
    let text = std::fs::read_to_string(world.path().join(FILE)).expect("a file");
    world.write(FILE, text.replace("replicas: 3", "replicas: 1"));
    world.commit("fewer");
    for arguments in [&["plan"][..], &["apply", "-y"], &["apply", "-y", "--allow-deletes", "1"]] {
        let ended = world.run(arguments);
        ended.ended_with(12);
        assert!(ended.stderr.contains("--allow-deletes 2"), "{}", ended.stderr);
    }
    assert_eq!(containers(&world), before);
    world.run(&["apply", "-y", "--allow-deletes", "2"]).succeeded();
    assert_eq!(containers(&world).len(), 1);
}

#[test]
fn an_empty_repository_removes_nothing() {
    let world = plain("empty", 1);
    world.run(&["apply", "-y"]).succeeded();
    let before = containers(&world);
    std::fs::remove_dir_all(world.path().join("stacks")).expect("a folder");
    world.commit("nothing is left");
    for arguments in [&["plan"][..], &["apply", "-y"]] {
        let ended = world.run(arguments);
        ended.ended_with(1);
        assert!(ended.stderr.contains("there is no stack"), "{}", ended.stderr);
    }
    assert_eq!(containers(&world), before);
}

#[test]
fn a_saved_plan_is_private_and_applied_as_it_was_read() {
    let world = plain("saved", 2);
    world.run(&["plan", "--out", "the.plan"]).succeeded();
    let path = world.path().join("the.plan");
    let mode = std::fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).expect("a file");
    assert!(!text.contains(SECRET), "{text}");
    world.run(&["apply", "the.plan"]).succeeded();
    assert_eq!(world.running(Some("shop")).len(), 2);
    world.run(&["plan", "--detailed-exitcode"]).succeeded();
}

#[test]
fn a_plan_that_replaces_a_public_file_is_private_too() {
    let world = plain("public", 1);
    let path = world.path().join("the.plan");
    std::fs::write(&path, "old").expect("a file");
    std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).expect("a mode");
    world.run(&["plan", "--out", "the.plan"]).succeeded();
    let mode = std::fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

/// A saved plan, then a change by hand: the plan is refused and `thing` is named.
fn stale(shop: &Shop, change: impl FnOnce(&Shop), thing: &str) {
    shop.world.run(&["plan", "--out", "the.plan"]).succeeded();
    change(shop);
    let (before, file) = (shop.all(), shop.managed());
    let ended = shop.world.run(&["apply", "the.plan"]);
    ended.ended_with(10);
    assert!(ended.stderr.contains("local: "), "{}", ended.stderr);
    assert!(ended.stderr.contains(thing), "`{thing}` is missing:\n{}", ended.stderr);
    assert_eq!((shop.all(), shop.managed()), (before, file));
}

fn with_release(name: &str) -> Shop {
    let mut shop = Shop::open(name, Kind::Nginx);
    let image = shop.world.tag("two", Variant::V2);
    shop.release(&image, "");
    shop
}

#[test]
fn a_saved_plan_is_stale_after_a_container_was_stopped() {
    let shop = with_release("stopped");
    let name = shop.containers[0].clone();
    stale(&shop, |_| drop(docker(&["stop", "-t", "0", &name])), &name);
}

#[test]
fn a_saved_plan_is_stale_after_the_proxys_file_was_edited() {
    let shop = with_release("edited");
    let edit = |shop: &Shop| {
        let text = shop.managed().expect("a file");
        shop.world.proxies[0].edit(&(text + "# by hand\n"));
    };
    stale(&shop, edit, &shop.world.proxies[0].name);
}

#[test]
fn a_saved_plan_is_stale_after_the_image_moved() {
    let mut shop = with_release("moved");
    shop.world.run(&["plan", "--out", "the.plan"]).succeeded();
    let image = shop.world.tag("two", Variant::Bad);
    let ended = shop.world.run(&["apply", "the.plan"]);
    ended.ended_with(10);
    assert!(ended.stderr.contains(&image), "{}", ended.stderr);
    assert_eq!(shop.all(), shop.containers);
}

#[test]
fn a_plan_file_of_another_format_is_refused() {
    let world = plain("format", 1);
    world.run(&["plan", "--out", "the.plan"]).succeeded();
    let path = world.path().join("the.plan");
    let text = std::fs::read_to_string(&path).expect("a file");
    let others = [
        text.replace("\"gitdeploy_plan\": 2", "\"gitdeploy_plan\": 1"),
        text.replace("\"gitdeploy_plan\"", "\"terraform_plan\""),
        text[..text.len() / 2].to_owned(),
        "{}".to_owned(),
        String::new(),
    ];
    for other in others {
        assert_ne!(other, text);
        std::fs::write(&path, &other).expect("a file");
        let ended = world.run(&["apply", "the.plan", "-y"]);
        ended.ended_with(1);
        assert!(ended.stderr.contains("the.plan"), "{other}: {}", ended.stderr);
    }
    assert_eq!(containers(&world), Vec::<String>::new());
}

#[test]
fn nothing_is_done_when_nobody_can_be_asked() {
    let world = plain("unasked", 1);
    for arguments in [&["apply"][..], &["--json", "apply"]] {
        let ended = world.run(arguments);
        ended.ended_with(1);
        assert!(printed(&ended).contains("--auto-approve"), "{}", printed(&ended));
    }
    assert_eq!(containers(&world), Vec::<String>::new());
}

#[test]
fn a_host_that_does_not_answer_is_told_by_the_exit_code() {
    let world = plain("silent", 1);
    let path = world.path().join("inventory.yaml");
    let inventory = std::fs::read_to_string(&path).expect("the inventory");
    world
        .write("inventory.yaml", inventory.replace("/var/run/docker.sock", "/nowhere/docker.sock"));
    world.commit("another engine");
    for arguments in [&["plan"][..], &["apply", "-y"], &["locks"], &["destroy", "shop", "-y"]] {
        let ended = world.run(arguments);
        ended.ended_with(15);
        assert!(printed(&ended).contains("local"), "{}", printed(&ended));
    }
}

/// A request that somebody else's client never ends keeps an old process after anybody's reload.
#[test]
fn a_strangers_client_of_an_old_haproxy_is_neither_waited_for_nor_cut() {
    let mut shop = Shop::open("stranger", Kind::Haproxy);
    let image = shop.world.tag("two", Variant::V2);
    let proxy = &shop.world.proxies[0];
    let process = || {
        let info = proxy.command("show info");
        info.lines().find(|it| it.starts_with("Pid: ")).map(str::to_owned)
    };
    let reload = || {
        let before = process();
        proxy.reload();
        until("a new process", || process() != before);
    };
    // A process that has sent nothing to the replicas keeps no idle connections to them.
    reload();
    let mut stranger = TcpStream::connect(proxy.foreign).expect("the owner's page");
    stranger.write_all(b"GET / HTTP/1.1\r\nHost: owner\r\n").expect("half a request");
    // HAProxy has taken it before it is told to read its files again.
    std::thread::sleep(Duration::from_millis(200));
    reload();
    shop.release(&image, "");
    let ended = shop.world.run(&["apply", "-y"]);
    ended.succeeded();
    let said = printed(&ended);
    assert!(!said.contains("old process"), "{said}");
    stranger.write_all(b"Connection: close\r\n\r\n").expect("its other half");
    let answer = std::io::read_to_string(stranger).expect("an answer");
    assert!(answer.ends_with(FOREIGN_PAGE), "{answer}");
}
