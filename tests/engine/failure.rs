//! Releases that fail: clients notice nothing, and the old release serves on.

use std::thread;
use std::time::Duration;

use super::rig::{Kind, Load, Runs, Variant, World, docker, get, try_docker};
use super::rollout::stack;
use super::shop::{FILE, HOST, Shop, containers, printed};

/// Enough for a replica that is never ready.
const SOON: &str = "4s";

/// A release whose replicas never become ready, under load.
fn fails(kind: Kind, variant: Variant, says: &[&str]) {
    let _alone = super::rig::alone();
    let mut shop = Shop::open("bad", kind);
    let (file, image) = (shop.managed(), shop.world.tag("two", variant));
    shop.within = SOON;
    let running = shop.load().start();
    shop.release(&image, "");
    let ended = shop.world.run(&["apply", "-y"]);
    ended.ended_with(13);
    for words in says {
        assert!(ended.stderr.contains(words), "`{words}` is missing:\n{}", ended.stderr);
    }
    let report = running.finish();
    report.assert_nothing_lost();
    assert_eq!(shop.managed(), file);
    shop.assert_untouched();
}

const ILL: [&str; 2] = ["version bad listens on 8080", "/health answered 503"];
const CRASHED: [&str; 2] = ["version crash listens on 8080", "its process ended"];

#[test]
fn a_release_that_is_never_healthy_leaves_nothing_behind_nginx() {
    fails(Kind::Nginx, Variant::Bad, &ILL);
}

#[test]
fn a_release_that_is_never_healthy_leaves_nothing_behind_haproxy() {
    fails(Kind::Haproxy, Variant::Bad, &ILL);
}

#[test]
fn a_release_that_crashes_leaves_nothing_behind_nginx() {
    fails(Kind::Nginx, Variant::Crash, &CRASHED);
}

#[test]
fn a_release_that_crashes_leaves_nothing_behind_haproxy() {
    fails(Kind::Haproxy, Variant::Crash, &CRASHED);
}

#[test]
fn failed_containers_stay_when_they_are_asked_for_until_the_next_run() {
    let mut shop = Shop::open("keep", Kind::Nginx);
    let image = shop.world.tag("two", Variant::Bad);
    shop.within = SOON;
    shop.release(&image, "");
    shop.world.run(&["apply", "-y", "--keep-failed"]).ended_with(13);
    let kept = shop.all();
    assert_eq!(kept.len(), 4, "{kept:?}");
    assert!(shop.containers.iter().all(|name| kept.contains(name)), "{kept:?}");
    shop.world.run(&["--rev", &shop.commit, "apply", "-y"]).succeeded();
    shop.assert_untouched();
}

/// Ends the `nth` new container as soon as it runs.
fn spoil(shop: &Shop, nth: usize) -> thread::JoinHandle<()> {
    let (project, mut seen) = (shop.world.project.clone(), shop.containers.clone());
    let enough = seen.len() + nth;
    let filter = format!("label=gitdeploy.project={project}");
    thread::spawn(move || {
        // The run itself ends within the test's time, and the machine's containers with it.
        for _ in 0..3000 {
            let listed = docker(&["ps", "--filter", &filter, "--format", "{{.Names}}"]);
            for name in
                listed.lines().filter(|name| !seen.iter().any(|it| it == name)).collect::<Vec<_>>()
            {
                seen.push(name.to_owned());
                if seen.len() == enough {
                    drop(try_docker(&["kill", name], Vec::new()));
                    return;
                }
            }
            thread::sleep(Duration::from_millis(10));
        }
    })
}

const ROLLING: &str = ", update_config: {parallelism: 1}";

fn second_batch(kind: Kind) {
    let _alone = super::rig::alone();
    let mut shop = Shop::with_replicas("batch", kind, 3);
    let image = shop.world.tag("two", Variant::V2);
    // A WebSocket would have the drain of every batch last to its limit.
    let running = Load { sockets: 0, ..shop.load() }.start();
    shop.release(&image, ROLLING);
    let spoiler = spoil(&shop, 2);
    let ended = shop.world.run(&["apply", "-y"]);
    ended.ended_with(13);
    spoiler.join().expect("a spoiled batch");
    assert!(ended.stderr.contains("its process ended"), "{}", ended.stderr);
    let report = running.finish();
    report.assert_nothing_lost();
    assert!(report.versions.contains_key("v2"), "the first batch has served: {report}");
    let images = docker(&[
        "ps",
        "--filter",
        &format!("label=gitdeploy.project={}", shop.world.project),
        "--format",
        "{{.Image}}",
    ]);
    assert_eq!(images.lines().count(), 3, "{images}");
    assert!(!images.contains(&image), "{images}");
    assert_eq!(shop.all().len(), 3);
    shop.assert_settled(&shop.commit);
}

#[test]
fn a_failed_second_batch_brings_all_back_behind_nginx() {
    second_batch(Kind::Nginx);
}

#[test]
fn a_failed_second_batch_brings_all_back_behind_haproxy() {
    second_batch(Kind::Haproxy);
}

/// A failed update that is not to be rolled back: it stays, beside the old release that serves.
fn stays(action: &str) {
    let _alone = super::rig::alone();
    let mut shop = Shop::open(action, Kind::Nginx);
    let image = shop.world.tag("two", Variant::Bad);
    shop.within = SOON;
    let running = shop.load().start();
    shop.release(&image, &format!(", update_config: {{failure_action: {action}}}"));
    shop.world.run(&["apply", "-y"]).ended_with(14);
    running.finish().assert_nothing_lost();
    assert_eq!(shop.all().len(), 4, "{:?}", shop.all());
    assert_eq!(get(shop.world.proxies[0].address, HOST, "/").map(|it| it.0), Ok(200));
    shop.world.run(&["--rev", &shop.commit, "apply", "-y"]).succeeded();
    shop.assert_untouched();
}

#[test]
fn a_failed_update_stays_when_it_shall_pause() {
    stays("pause");
}

#[test]
fn an_update_that_shall_continue_stays_when_nothing_of_it_is_ready() {
    stays("continue");
}

#[test]
fn an_update_that_shall_continue_goes_on_without_the_replica_that_fails() {
    let _alone = super::rig::alone();
    let mut shop = Shop::with_replicas("goes-on", Kind::Nginx, 3);
    let image = shop.world.tag("two", Variant::V2);
    let running = Load { sockets: 0, ..shop.load() }.start();
    shop.release(&image, ", update_config: {parallelism: 1, failure_action: continue}");
    let spoiler = spoil(&shop, 2);
    let ended = shop.world.run(&["apply", "-y"]);
    ended.ended_with(14);
    spoiler.join().expect("a spoiled batch");
    assert!(ended.stderr.contains("failed, and may: its process ended"), "{}", ended.stderr);
    running.finish().assert_nothing_lost();
    let serving = shop.world.running(Some("shop"));
    assert_eq!(serving.len(), 2, "{serving:?}");
    assert!(serving.iter().all(|name| !shop.containers.contains(name)), "{serving:?}");
    shop.world.run(&["apply", "-y"]).succeeded();
    assert_eq!(shop.world.running(Some("shop")).len(), 3);
    shop.world.run(&["plan", "--detailed-exitcode"]).succeeded();
}

#[test]
fn an_image_that_is_not_to_be_had_changes_nothing() {
    let shop = Shop::open("image", Kind::Nginx);
    // The address of nobody: no name has to be looked up.
    shop.release("127.0.0.1:1/nobody/has:it", "");
    let ended = shop.world.run(&["apply", "-y"]);
    ended.ended_with(1);
    assert!(ended.stderr.contains("127.0.0.1:1/nobody/has:it"), "{}", ended.stderr);
    shop.assert_untouched();
}

#[test]
fn a_proxy_that_does_not_run_keeps_a_release_from_beginning() {
    let mut shop = Shop::open("down", Kind::Haproxy);
    let image = shop.world.tag("two", Variant::V2);
    shop.release(&image, "");
    shop.world.proxies[0].signal("KILL");
    thread::sleep(Duration::from_millis(500));
    let ended = shop.world.run(&["apply", "-y"]);
    assert!([1, 13, 15].contains(&ended.code), "{}: {}", ended.code, printed(&ended));
    assert!(ended.stderr.contains(&shop.world.proxies[0].name), "{}", ended.stderr);
    assert_eq!(shop.world.running(None), shop.containers);
}

/// A release that the proxy cannot serve: `spoil` makes it so.
fn proxy_refuses(kind: Kind, spoil: impl FnOnce(&Shop)) {
    let _alone = super::rig::alone();
    let mut shop = Shop::open("refuses", kind);
    let (file, image) = (shop.managed(), shop.world.tag("two", Variant::V2));
    let running = shop.load().start();
    shop.world.write(FILE, shop.text(&image, ""));
    spoil(&shop);
    shop.world.commit("what the proxy refuses");
    let ended = shop.world.run(&["apply", "-y"]);
    assert!([1, 13].contains(&ended.code), "{}: {}", ended.code, printed(&ended));
    assert!(ended.stderr.contains("nonsense"), "what it says is missing:\n{}", ended.stderr);
    running.finish().assert_nothing_lost();
    assert_eq!(shop.managed(), file);
    assert_eq!(shop.all(), shop.containers);
    assert_eq!(shop.world.running(None), shop.containers);
}

/// Has the proxy's file made of a template of the repository from now on.
fn with_template(shop: &Shop, text: &str) {
    let path = shop.world.path().join("inventory.yaml");
    let inventory = std::fs::read_to_string(&path).expect("the inventory");
    shop.world.write("inventory.yaml", inventory + "    template: ./edge.j2\n");
    shop.world.write("edge.j2", text);
}

#[test]
fn a_template_that_nginx_refuses_changes_nothing() {
    proxy_refuses(Kind::Nginx, |shop| with_template(shop, "nonsense {\n"));
}

#[test]
fn a_template_that_haproxy_refuses_changes_nothing() {
    proxy_refuses(Kind::Haproxy, |shop| with_template(shop, "nonsense\n"));
}

#[test]
fn a_template_that_cannot_be_rendered_changes_nothing() {
    proxy_refuses(Kind::Nginx, |shop| with_template(shop, "{{ nonsense.of.it }}\n"));
}

#[test]
fn a_mistake_of_the_owner_of_nginx_changes_nothing() {
    proxy_refuses(Kind::Nginx, |shop| shop.world.proxies[0].add_foreign("nonsense on;\n"));
}

#[test]
fn a_mistake_of_the_owner_of_haproxy_changes_nothing() {
    proxy_refuses(Kind::Haproxy, |shop| shop.world.proxies[0].add_foreign("nonsense\n  on\n"));
}

#[test]
fn a_first_deployment_that_fails_leaves_no_container() {
    let mut world = World::new("first").with_proxy(Kind::Nginx, Runs::OnHost);
    let image = world.tag("one", Variant::Bad);
    world.write(FILE, stack(&world, &image, 2, "").replace("within: 30s", "within: 3s"));
    world.commit("first");
    let ended = world.run(&["apply", "-y"]);
    ended.ended_with(13);
    assert_eq!(containers(&world), Vec::<String>::new());
    let file = world.proxies[0].managed().unwrap_or_default();
    assert!(!file.contains("upstream"), "{file}");
    let volumes = docker(&[
        "volume",
        "ls",
        "-q",
        "--filter",
        &format!("label=gitdeploy.project={}", world.project),
    ]);
    assert_eq!(volumes, "", "no release is remembered");
}

#[test]
fn a_stack_that_fails_does_not_keep_another_from_its_release() {
    let mut world = World::new("beside");
    let (good, bad) = (world.tag("one", Variant::V1), world.tag("two", Variant::Bad));
    for (name, image) in [("good", &good), ("bad", &bad)] {
        let text = stack(&world, image, 1, "").replace("within: 30s", "within: 3s");
        world.write(&format!("stacks/{name}/compose.yaml"), text.replace("      routes:\n", ""));
    }
    world.commit("first");
    world.run(&["apply", "-y"]).ended_with(14);
    assert_eq!(world.running(Some("good")).len(), 1);
    assert_eq!(world.running(Some("bad")).len(), 0);
    assert_eq!(containers(&world).len(), 1);
}
