//! Several hosts, each with an engine of its own, over SSH: replicas on all of them, proxies of both
//! kinds on two, and everything that goes wrong with hosts.

mod daemon;
mod drain;
mod faults;
mod hosts;
mod rollout;
mod six;

use std::io::{BufRead as _, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::rig::{Fleet, Kind, Load, Variant, World};

/// What clients ask for.
const HOST: &str = "shop.example.com";

/// The hosts of a town.
const HOSTS: [&str; 3] = ["one", "two", "three"];

/// A repository and the hosts it is for: `one` with nginx, `two` with HAProxy, `three` with neither.
/// The fleet goes before the folder that has its keys.
struct Town {
    fleet: Fleet,
    world: World,
}

/// Ends within this, whatever a host does in the meantime.
const RUN_MAX: Duration = Duration::from_secs(400);

/// A run of `apply` in the background.
struct Apply {
    child: Child,
    lines: Receiver<String>,
    said: String,
}

impl Apply {
    /// Waits until a step that does `what` has been done.
    fn reaches(&mut self, what: &str) {
        let since = Instant::now();
        loop {
            let line = self.lines.recv_timeout(RUN_MAX.saturating_sub(since.elapsed()));
            let Ok(line) = line else { panic!("`{what}` is not reached: {}", self.said) };
            self.said = format!("{}{line}\n", self.said);
            if line.contains(what) && line.contains("done") {
                return;
            }
        }
    }

    /// Its exit code, and what it said.
    fn ended(mut self) -> (i32, String) {
        let since = Instant::now();
        while self.child.try_wait().expect("a child can be asked").is_none() {
            assert!(since.elapsed() < RUN_MAX, "the run does not end: {}", self.said);
            thread::sleep(Duration::from_millis(20));
        }
        let status = self.child.wait().expect("a child ends");
        let said = self.lines.iter().fold(self.said, |said, line| format!("{said}{line}\n"));
        (status.code().unwrap_or(-1), said)
    }
}

impl Town {
    /// Hosts that nothing is deployed to yet.
    fn open(name: &str) -> Self {
        Self::with(name, "three")
    }

    /// The same, with another name for the third.
    fn with(name: &str, third: &str) -> Self {
        let world = World::new(name);
        let fleet = Fleet::start(&world.project, &["one", "two", third], world.folder());
        fleet.host("one").start_proxy(Kind::Nginx);
        fleet.host("two").start_proxy(Kind::Haproxy);
        let town = Self { fleet, world };
        let hosts = town.hosts();
        town.world.write(
            "inventory.yaml",
            format!(
                "{hosts}proxies:\n  front:\n    kind: nginx\n    hosts: [one]\n    \
                 config: /etc/nginx/conf.d/gitdeploy.conf\n    listen: [80]\n  back:\n    kind: \
                 haproxy\n    hosts: [two]\n    config: /etc/haproxy/conf.d/gitdeploy.cfg\n    \
                 listen: [80]\n    socket: /run/haproxy/admin.sock\n"
            ),
        );
        town
    }

    /// The hosts of an inventory.
    fn hosts(&self) -> String {
        let hosts = self.fleet.inventory(|name| format!("    labels: {{name: {name}}}\n"));
        format!("hosts:\n{hosts}")
    }

    /// An image that all hosts have.
    fn image(&mut self, name: &str, variant: Variant) -> String {
        let image = self.world.tag(name, variant);
        self.fleet.load(&image);
        image
    }

    /// Commits a release of the web service with four replicas behind both proxies.
    fn release(&self, image: &str) -> String {
        self.release_as(image, "")
    }

    /// The same with more lines of `x-gitdeploy`.
    fn release_as(&self, image: &str, more: &str) -> String {
        let route =
            |proxy: &str| format!("        - {{host: {HOST}, port: 8080, proxy: {proxy}}}\n");
        let routes: String = ["front", "back"].map(route).concat();
        self.world.write(
            "stacks/shop/compose.yaml",
            format!(
                "services:\n  web:\n    image: {image}\n    environment: {{START_DELAY_MS: '300', \
                 READY_AFTER_MS: '700'}}\n    stop_grace_period: 15s\n    restart: always\n    \
                 deploy: {{replicas: 4}}\n    x-gitdeploy:\n      health: {{http: /health, port: \
                 8080, interval: 200ms, timeout: 1s, within: 30s}}\n      drain: {{timeout: 3s}}\n\
                 {more}      routes:\n{routes}"
            ),
        );
        self.world.commit("a release")
    }

    /// Four replicas of the first release, deployed.
    fn deployed(name: &str) -> (Self, String) {
        let mut town = Self::open(name);
        let image = town.deploy();
        (town, image)
    }

    fn deploy(&mut self) -> String {
        let image = self.image("one", Variant::V1);
        self.release(&image);
        self.world.run(&["apply", "-y"]).succeeded();
        image
    }

    /// Where clients go on a host with a proxy.
    fn door(&self, host: &str) -> SocketAddr {
        SocketAddr::new(IpAddr::V4(self.fleet.host(host).address), 80)
    }

    /// Requests of every kind to both proxies.
    fn loads(&self) -> [Load; 2] {
        ["one", "two"].map(|host| Load {
            rate: 150,
            kept: 8,
            fresh: 8,
            ..Load::light(self.door(host), HOST)
        })
    }

    /// `apply`, going on in the background.
    fn apply(&self) -> Apply {
        let mut command: Command = self.world.command(&["apply", "-y"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program starts");
        let said = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, lines) = channel();
        thread::spawn(move || {
            said.lines().map_while(Result::ok).try_for_each(|it| sender.send(it))
        });
        Apply { child, lines, said: String::new() }
    }

    /// Fails the test unless nothing is left to do.
    fn assert_settled(&self) {
        self.world.run(&["plan", "--detailed-exitcode"]).succeeded();
    }

    /// Containers of the stack on a host, whether they run or not.
    fn containers(&self, host: &str) -> Vec<String> {
        let filter = "label=gitdeploy.service=web";
        let list = ["ps", "-a", "--filter", filter, "--format", "{{.Names}}"];
        self.fleet.host(host).docker(&list).lines().map(str::to_owned).collect()
    }
}
