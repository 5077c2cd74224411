//! What people change by hand is put right by the daemon while clients ask on, and what is not ours
//! stays as it is.

use std::thread;
use std::time::{Duration, Instant};

use super::super::rig::{
    Kind, Load, PASSWORD, Registry, Runs, Variant, World, alone, docker, try_docker,
};
use super::super::rollout::stack;
use super::super::shop::{HOST, leases, until};
use super::{Daemon, rules};

/// Looks find soon what no engine tells, and several healings in a row are no crash loop here.
const SOURCE: &str = "    interval: 1h\n    look: 2s\n    heal: {rounds: 50, within: 1s}\n";

/// A round begins within this, whatever else the machine does.
const ROUND_MAX: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(20);

/// Three replicas in two networks behind a proxy, a daemon that keeps them, and a container and a
/// file of somebody else.
struct Scene {
    world: World,
    daemon: Daemon,
    /// Somebody else's.
    other: String,
}

impl Scene {
    fn new(name: &str, kind: Kind) -> Self {
        Self::with(name, kind, SOURCE)
    }

    fn with(name: &str, kind: Kind, source: &str) -> Self {
        Self::in_world(World::new(name).with_proxy(kind, Runs::OnHost), source)
    }

    /// The same in a world that has other stacks.
    fn in_world(mut world: World, source: &str) -> Self {
        let image = world.tag("one", Variant::V1);
        let more = "    mem_limit: 128m\n    restart: always\n    networks: [default, zone]\n";
        let text = stack(&world, &image, 3, more) + "networks: {zone: {}}\n";
        world.write("stacks/shop/compose.yaml", text);
        let commit = world.commit("first");
        world.run(&["apply", "-y"]).succeeded();
        let other = format!("{}-other", world.project);
        let label = format!("gitdeploy-test={}", world.project);
        docker(&["run", "-d", "--name", &other, "--label", &label, &image]);
        world.proxies[0].add_foreign("# its owner's\n");
        let daemon = Daemon::of(&world, "sync", &rules(&world, "", source));
        daemon.says(&format!("{} is new", &commit[..7]));
        Self { world, daemon, other }
    }

    /// The first replica.
    fn one(&self) -> String {
        self.world.running(Some("shop")).into_iter().next().expect("a replica")
    }

    /// What there is of a kind, `network` or `volume`, by the end of its name.
    fn thing(&self, kind: &str, end: &str) -> String {
        let project = format!("label=gitdeploy.project={}", self.world.project);
        let names = docker(&[kind, "ls", "--filter", &project, "--format", "{{.Name}}"]);
        names.lines().find(|name| name.ends_with(end)).expect(end).to_owned()
    }

    /// The network whose loss cuts nothing: published ports are carried through the first of a
    /// container's networks by name.
    fn beside(&self) -> String {
        self.thing("network", "_zone")
    }

    fn is_well(&self) -> bool {
        // The round that does it must have ended too, or it would meet what comes next.
        self.world.run(&["plan", "--detailed-exitcode"]).code == 0 && leases(&self.world).is_empty()
    }

    /// Does something by hand, and waits until it is put right.
    #[expect(clippy::print_stdout, reason = "how long it took is for people, not for the test")]
    fn heals(&self, what: &str, by_hand: impl FnOnce(&Self)) {
        let begun = || self.daemon.said().matches("brings about").count();
        let before = begun();
        let since = Instant::now();
        by_hand(self);
        let limit = since + ROUND_MAX;
        while begun() == before {
            assert!(Instant::now() < limit, "{what}: no round begins: {}", self.daemon.said());
            thread::sleep(PAUSE);
        }
        let begins = since.elapsed();
        until(&format!("{what}: its end"), || self.is_well());
        let all = since.elapsed();
        println!("{what}: begins after {begins:.1?}, is put right after {all:.1?}");
    }

    fn foreign(&self) -> (String, String) {
        let format = "{{.Id}} {{.State.StartedAt}} {{.State.Running}}";
        (docker(&["inspect", "-f", format, &self.other]), self.world.proxies[0].foreign_files())
    }

    fn load(&self) -> Load {
        Load { streams: 0, sockets: 0, ..Load::light(self.world.proxies[0].address, HOST) }
    }
}

#[test]
fn a_replica_that_is_taken_out_of_a_network_is_put_back_because_the_engine_tells() {
    let _alone = alone();
    let scene = Scene::with("sync-net", Kind::Nginx, "    interval: 1h\n    look: 1h\n");
    let foreign = scene.foreign();
    let load = scene.load().start();
    scene.heals("network", |scene| {
        docker(&["network", "disconnect", &scene.beside(), &scene.one()]);
    });
    load.finish().assert_nothing_lost();
    let begun = || scene.daemon.said().matches("brings about").count();
    assert_eq!(begun(), 1);
    // What happens to somebody else's container is no matter of ours.
    let others = format!("{}-others", scene.world.project);
    docker(&["network", "create", &others]);
    docker(&["network", "connect", &others, &scene.other]);
    docker(&["network", "disconnect", &others, &scene.other]);
    docker(&["network", "rm", &others]);
    thread::sleep(Duration::from_secs(3));
    assert_eq!(begun(), 1, "{}", scene.daemon.said());
    assert_eq!(scene.foreign(), foreign);
    scene.daemon.stop();
}

/// What leaves the container that serves as it is until another one does.
fn settings(name: &str, kind: Kind) {
    let _alone = alone();
    let scene = Scene::new(name, kind);
    let foreign = scene.foreign();
    let load = scene.load().start();
    scene.heals("memory", |scene| {
        docker(&["update", "--memory", "256m", "--memory-swap", "256m", &scene.one()]);
    });
    scene.heals("restart policy", |scene| {
        docker(&["update", "--restart", "no", &scene.one()]);
    });
    scene.heals("network", |scene| {
        docker(&["network", "disconnect", &scene.beside(), &scene.one()]);
    });
    scene.heals("file of the proxy", |scene| {
        let proxy = &scene.world.proxies[0];
        proxy.edit(&format!("{}\n# by hand\n", proxy.managed().expect("a file")));
    });
    let file = scene.world.proxies[0].managed().expect("a file");
    assert!(!file.contains("by hand"), "{file}");
    load.finish().assert_nothing_lost();
    assert_eq!(scene.foreign(), foreign);
    scene.daemon.stop();
}

#[test]
fn settings_that_are_changed_by_hand_are_put_right_behind_nginx_and_nothing_is_lost() {
    settings("sync-set-n", Kind::Nginx);
}

#[test]
fn settings_that_are_changed_by_hand_are_put_right_behind_haproxy_and_nothing_is_lost() {
    settings("sync-set-h", Kind::Haproxy);
}

#[test]
fn replicas_that_are_stopped_killed_or_removed_are_put_right_while_the_others_serve() {
    let _alone = alone();
    let scene = Scene::new("sync-gone", Kind::Nginx);
    let foreign = scene.foreign();
    let load = scene.load().start();
    scene.heals("stopped", |scene| drop(docker(&["stop", "-t", "10", &scene.one()])));
    scene.heals("killed", |scene| {
        let one = scene.one();
        // Its restart policy would be quicker.
        docker(&["update", "--restart", "no", &one]);
        drop(try_docker(&["kill", &one], Vec::new()));
    });
    scene.heals("removed", |scene| drop(docker(&["rm", "-f", &scene.one()])));
    let report = load.finish();
    // What is under way in a container that somebody takes away is lost with it: whoever asks for
    // that without the proxy's knowledge has no one left to answer. What comes after is not.
    assert!(report.failed() < 40, "{report}");
    assert_eq!(scene.world.running(Some("shop")).len(), 3);
    assert_eq!(scene.foreign(), foreign);
    scene.daemon.stop();
}

/// A stack beside, with a network and a volume of its own, of a tag that may move.
fn aside(image: &str) -> String {
    format!(
        "services:\n  app:\n    image: {image}\n    pull_policy: always\n    stop_grace_period: 1s\n    \
         networks: [lane]\n    volumes: ['data:/data']\n    x-gitdeploy: {{health: {{tcp: 8080, \
         interval: 100ms}}}}\nnetworks: {{lane: {{}}}}\nvolumes: {{data: {{}}}}\n"
    )
}

#[test]
fn what_is_deleted_added_or_moved_behind_its_back_is_put_right_and_nothing_is_lost() {
    let _alone = alone();
    let world = World::new("sync-rest").with_proxy(Kind::Haproxy, Runs::OnHost);
    let registry = Registry::start(&world);
    registry.login(&world.path().with_file_name(".docker"), PASSWORD);
    registry.push("app:1", Variant::V1);
    world.write("stacks/aside/compose.yaml", aside(&registry.name("app:1")));
    let scene = Scene::in_world(world, SOURCE);
    let (foreign, load) = (scene.foreign(), scene.load().start());
    let copy = format!("{}-copy", scene.world.project);
    scene.heals("container too many", |scene| {
        let format = "{{range $key, $value := .Config.Labels}}--label={{$key}}={{$value}}\n{{end}}";
        let labels = docker(&["inspect", "-f", format, &scene.one()]);
        let run = ["run", "-d", "--name", &copy];
        docker(
            &[&run[..], &labels.lines().collect::<Vec<_>>(), &["gitdeploy-test/app:v1"]].concat(),
        );
    });
    assert!(try_docker(&["inspect", &copy], Vec::new()).is_err(), "it is still there");
    let proxy = &scene.world.proxies[0];
    let file = proxy.managed();
    scene.heals("deleted file of the proxy", |_| {
        std::fs::remove_file(proxy.managed_path()).expect("a file");
    });
    assert!(proxy.managed().is_some() && file.is_some());
    scene.heals("state of a server", |scene| {
        let answer =
            proxy.command(&format!("set server {} state maint", server(scene, &scene.one())));
        assert_eq!(answer.trim(), "", "HAProxy has taken it");
    });
    assert!(!proxy.command("show stat").contains("MAINT"), "{}", proxy.command("show stat"));
    scene.heals("network and volume with their container", |scene| {
        let app = scene.world.running(Some("aside")).remove(0);
        let (lane, data) = (scene.thing("network", "_lane"), scene.thing("volume", "_data"));
        // It must find all of it gone.
        scene.daemon.signal("STOP");
        docker(&["rm", "-f", &app]);
        docker(&["network", "rm", &lane]);
        docker(&["volume", "rm", &data]);
        scene.daemon.signal("CONT");
    });
    scene.heals("tag that moved", |scene| {
        let app = scene.world.running(Some("aside")).remove(0);
        let held = docker(&["inspect", "-f", "{{.Image}}", &app]);
        registry.push("app:1", Variant::V2);
        docker(&["tag", &held, &registry.name("app:1")]);
    });
    let app = scene.world.running(Some("aside")).remove(0);
    let env = docker(&["inspect", "-f", "{{json .Config.Env}}", &app]);
    assert!(env.contains("=v2"), "{env}");
    load.finish().assert_nothing_lost();
    assert_eq!(scene.foreign(), foreign);
    scene.daemon.stop();
}

/// What HAProxy calls the server that is a container: `BACKEND/SERVER`.
fn server(scene: &Scene, container: &str) -> String {
    let states = scene.world.proxies[0].command("show servers state");
    let line = states.lines().find(|line| line.contains(container)).expect("a server");
    let words: Vec<&str> = line.split(' ').collect();
    format!("{}/{}", words[1], words[3])
}
