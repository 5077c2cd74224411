//! A web service behind a proxy, deployed once: where the tests of what goes wrong begin.

use std::time::{Duration, Instant};

use super::rig::{Ended, Kind, Load, Runs, Variant, World, docker};
use super::rollout::stack;

/// What clients ask for.
pub(crate) const HOST: &str = "shop.example.com";

/// Load ends by itself after this time.
const LOAD_MAX: Duration = Duration::from_secs(900);

/// Its stack, in the repository.
pub(crate) const FILE: &str = "stacks/shop/compose.yaml";

/// A world with the stack `shop`, deployed.
pub(crate) struct Shop {
    pub(crate) world: World,
    /// The image that runs.
    pub(crate) image: String,
    pub(crate) replicas: u32,
    /// The commit that is deployed.
    pub(crate) commit: String,
    /// Its containers, by name.
    pub(crate) containers: Vec<String>,
    /// How long a replica may take to become ready. More than one that does takes on a machine that
    /// has little time for us: short where one shall fail.
    pub(crate) within: &'static str,
}

impl Shop {
    /// Two replicas behind a proxy of this machine.
    pub(crate) fn open(name: &str, kind: Kind) -> Self {
        Self::with_replicas(name, kind, 2)
    }

    pub(crate) fn with_replicas(name: &str, kind: Kind, replicas: u32) -> Self {
        Self::behind(name, kind, Runs::OnHost, replicas)
    }

    pub(crate) fn behind(name: &str, kind: Kind, runs: Runs, replicas: u32) -> Self {
        let mut world = World::new(name).with_proxy(kind, runs);
        let image = world.tag("one", Variant::V1);
        let (commit, containers) = (String::new(), Vec::new());
        let mut shop = Self { world, image, replicas, commit, containers, within: "60s" };
        shop.commit = shop.release(&shop.image, "");
        shop.world.run(&["apply", "-y"]).succeeded();
        shop.containers = shop.all();
        shop
    }

    /// Commits a release of another image; `deploy` goes beside the number of replicas.
    pub(crate) fn release(&self, image: &str, deploy: &str) -> String {
        self.world.write(FILE, self.text(image, deploy));
        self.world.commit("a release")
    }

    /// The stack with another image.
    pub(crate) fn text(&self, image: &str, deploy: &str) -> String {
        let replicas = format!("replicas: {}", self.replicas);
        stack(&self.world, image, self.replicas, "")
            .replace("READY_AFTER_MS: '700'", "READY_AFTER_MS: '300'")
            .replace("within: 30s", &format!("within: {}", self.within))
            .replace("drain: {timeout: 10s}", "drain: {timeout: 4s}")
            .replace(&replicas, &format!("{replicas}{deploy}"))
    }

    /// All containers of the owner, whether they run or not, in alphabetical order.
    pub(crate) fn all(&self) -> Vec<String> {
        containers(&self.world)
    }

    /// Load that is over soon when it is told to end.
    pub(crate) fn load(&self) -> Load {
        let load = Load::light(self.world.proxies[0].address, HOST);
        Load {
            rate: 200,
            kept: 8,
            fresh: 8,
            slow: 1,
            streams: 0,
            sockets: 1,
            uploads: 0,
            limit: LOAD_MAX,
            ..load
        }
    }

    /// The managed file.
    pub(crate) fn managed(&self) -> Option<String> {
        self.world.proxies[0].managed()
    }

    /// Fails the test unless all is as it was deployed, and nothing else is there.
    pub(crate) fn assert_untouched(&self) {
        assert_eq!(self.all(), self.containers);
        assert_eq!(self.world.running(Some("shop")), self.containers);
        self.assert_settled(&self.commit);
    }

    /// Fails the test unless there is nothing to do to be at a commit.
    pub(crate) fn assert_settled(&self, commit: &str) {
        let plan = self.world.run(&["--rev", commit, "plan", "--detailed-exitcode"]);
        plan.succeeded();
    }

    /// Takes all leases away, whoever holds them.
    pub(crate) fn unlock(&self) {
        for (id, _) in leases(&self.world) {
            let ended = self.world.run(&["unlock", &id, "-y"]);
            // The engine may still have had to take it away for a run that was killed meanwhile.
            let is_gone = || leases(&self.world).iter().all(|(left, _)| *left != id);
            assert!(ended.code == 0 || is_gone(), "{}", ended.stderr);
        }
    }
}

/// All containers of a world's owner, whether they run or not, in alphabetical order.
pub(crate) fn containers(world: &World) -> Vec<String> {
    let project = format!("label=gitdeploy.project={}", world.project);
    let listed = docker(&["ps", "-a", "--filter", &project, "--format", "{{.Names}}"]);
    let mut names: Vec<String> = listed.lines().map(str::to_owned).collect();
    names.sort();
    names
}

/// The leases of a world's stacks and proxies: their ids, and whether they are expired.
pub(crate) fn leases(world: &World) -> Vec<(String, bool)> {
    let listed = world.run(&["locks", "--format", "json"]);
    let listed: serde_json::Value = serde_json::from_str(&listed.succeeded().stdout).expect("JSON");
    let all = listed["locks"].as_array().expect("a list");
    let ours = all.iter().filter(|lock| {
        let what = lock["what"].as_str().expect("words");
        what.starts_with("stack ") || what.contains(&world.project)
    });
    let read = |lock: &serde_json::Value| {
        let id = lock["id"].as_str().expect("an id").to_owned();
        (id, lock["expired"].as_bool().expect("a truth value"))
    };
    ours.map(read).collect()
}

/// Longer than anything takes on a machine that has little time for us.
const WAIT_MAX: Duration = Duration::from_secs(240);

/// Waits until something is so; fails the test when that takes too long.
pub(crate) fn until(what: &str, is_so: impl Fn() -> bool) {
    let since = Instant::now();
    while !is_so() {
        assert!(since.elapsed() < WAIT_MAX, "{what}: not within {WAIT_MAX:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Everything a run printed.
pub(crate) fn printed(ended: &Ended) -> String {
    format!("{}\n{}", ended.stdout, ended.stderr)
}
