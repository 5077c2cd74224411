//! Scenarios: what runs, what is wanted next, and the world they happen in.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use gitdeploy::model::{
    CommitId, Drained, Endpoint, Identity, Name, Owner, ProxyPlace, ServiceName, SpecHash, Status,
};
use gitdeploy::pipeline::Wish;
use gitdeploy::settings::{Address, Inventory};
use gitdeploy::sim::{App, SimContainer, SimHost, SimImage, SimProxy, World};
use serde_json::json;

use super::commit::{SECRET, inventory, name, owner, wish};

/// One host with an nginx and an HAProxy on it.
pub(crate) const ONE_HOST: &str = "
hosts:
  local: {docker: 'unix:///var/run/docker.sock'}
proxies:
  edge: {kind: nginx, hosts: [local], config: /etc/nginx/conf.d/gitdeploy.conf, listen: [80]}
  inner: {kind: haproxy, hosts: [local], config: /etc/haproxy/gitdeploy.cfg, listen: [8080]}
";

/// Three hosts: an nginx on the first two, an HAProxy on the third, all of which send everywhere.
pub(crate) const THREE_HOSTS: &str = "
hosts:
  a: {docker: 'ssh://a', address: 10.0.0.1}
  b: {docker: 'ssh://b', address: 10.0.0.2}
  c: {docker: 'ssh://c', address: 10.0.0.3}
proxies:
  edge: {kind: nginx, hosts: [a, b], config: /etc/nginx/conf.d/gitdeploy.conf, listen: [80]}
  inner: {kind: haproxy, hosts: [c], config: /etc/haproxy/gitdeploy.cfg, listen: [8080]}
";

/// What happens.
#[derive(Clone)]
pub(crate) struct Scenario {
    /// Its name.
    pub(crate) name: &'static str,
    /// Stacks that run before; none for a first deployment.
    pub(crate) before: Vec<(&'static str, String)>,
    /// Stacks that are wanted then.
    pub(crate) after: Vec<(&'static str, String)>,
    /// Backends that the plan says are away for a while.
    pub(crate) away: &'static [&'static str],
    /// Where.
    pub(crate) fleet: &'static str,
    /// What is done by hand before the run.
    pub(crate) damage: Option<fn(&World)>,
    /// What ran between: `after` is then the commit before it.
    pub(crate) detour: Option<Vec<(&'static str, String)>>,
    /// The release never works: what shall be in the end is what was before.
    pub(crate) is_bad: bool,
}

impl Scenario {
    /// What runs before.
    pub(crate) fn earlier(&self, inventory: &Inventory) -> Wish {
        wish("1111111111111111111111111111111111111111", inventory, &self.before)
    }

    /// What is wanted then.
    pub(crate) fn later(&self, inventory: &Inventory) -> Wish {
        match (&self.detour, self.damage) {
            (None, None) => {
                wish("2222222222222222222222222222222222222222", inventory, &self.after)
            }
            _ => self.earlier(inventory),
        }
    }

    /// What shall be in the end.
    pub(crate) fn goal(&self, inventory: &Inventory) -> Wish {
        if self.is_bad { self.earlier(inventory) } else { self.later(inventory) }
    }

    /// Where it happens.
    pub(crate) fn inventory(&self) -> Inventory {
        inventory(self.fleet)
    }

    pub(crate) fn new(name: &'static str, before: Stacks, after: Stacks) -> Self {
        Self {
            name,
            before,
            after,
            away: &[],
            fleet: ONE_HOST,
            damage: None,
            detour: None,
            is_bad: false,
        }
    }

    fn on(self, fleet: &'static str) -> Self {
        Self { fleet, ..self }
    }

    /// The same stacks, and something happens to them.
    fn damaged(name: &'static str, stacks: Stacks, damage: fn(&World)) -> Self {
        Self { damage: Some(damage), ..Self::new(name, stacks.clone(), stacks) }
    }

    fn bad(self) -> Self {
        Self { is_bad: true, ..self }
    }
}

/// Compose files by stack.
type Stacks = Vec<(&'static str, String)>;

/// A web service behind the proxies named.
pub(crate) fn web(image: &str, replicas: u32, proxies: &[&str], more: &str) -> String {
    let route = |proxy: &&str| {
        format!("        - {{host: shop.example.com, port: 8080, proxy: {proxy}}}\n")
    };
    let routes: String = proxies.iter().map(route).collect();
    let routes = if routes.is_empty() { String::new() } else { format!("      routes:\n{routes}") };
    format!(
        "services:\n  web:\n    image: {image}\n{more}    deploy:\n      replicas: {replicas}\n    \
         x-gitdeploy:\n      health: {{http: /health, port: 8080, interval: 200ms, within: 10s}}\n      \
         drain: {{timeout: 5s}}\n{routes}"
    )
}

/// The same with an `update_config`.
pub(crate) fn rolling(image: &str, replicas: u32, parallelism: u32) -> String {
    web(image, replicas, &["edge"], "").replace(
        &format!("      replicas: {replicas}\n"),
        &format!(
            "      replicas: {replicas}\n      update_config: {{parallelism: {parallelism}}}\n"
        ),
    )
}

pub(crate) fn with_config(image: &str, content: &str) -> String {
    let uses = "    configs: [{source: c, target: /etc/c}]\n";
    format!("{}configs: {{c: {{content: {content}}}}}\n", web(image, 2, &["edge"], uses))
}

pub(crate) fn stop_first(image: &str, replicas: u32) -> String {
    rolling(image, replicas, 1).replace("parallelism: 1", "parallelism: 1, order: stop-first")
}

fn blog(image: &str) -> String {
    web(image, 2, &["edge"], "").replace("shop.example.com", "blog.example.com")
}

/// Scenarios that came later.
fn further() -> Vec<Scenario> {
    let shop = |text: String| vec![("shop", text)];
    let edge: &[&str] = &["edge"];
    let scenario = Scenario::new;
    vec![
        scenario(
            "a config alone",
            shop(with_config("app:1", "one")),
            shop(with_config("app:1", "two")),
        ),
        scenario(
            "stop-first of several",
            shop(stop_first("app:1", 3)),
            shop(stop_first("app:2", 3)),
        ),
        scenario(
            "two stacks at once",
            vec![("shop", web("app:1", 2, edge, "")), ("blog", blog("app:1"))],
            vec![("shop", web("app:2", 2, edge, "")), ("blog", blog("app:2"))],
        ),
        Scenario {
            detour: Some(shop(web("app:2", 2, edge, ""))),
            ..scenario("rollback by command", shop(web("app:1", 2, edge, "")), vec![])
        },
        scenario(
            "rollback before the flip",
            shop(web("app:1", 2, edge, "")),
            shop(with_secret(&web("bad:1", 2, edge, ""))),
        )
        .bad(),
        scenario("rollback after the flip", shop(followed("app:1")), shop(followed("bad:1"))).bad(),
        scenario(
            "a secret",
            shop(with_secret(&web("app:1", 1, edge, ""))),
            shop(with_secret(&web("app:2", 1, edge, ""))),
        ),
        Scenario::damaged("drift of a container", shop(web("app:1", 2, edge, "")), |world| {
            world.with_host(&name("local").into(), |host| {
                let first = host.containers.values_mut().next().expect("a replica");
                first.config["HostConfig"]["Memory"] = json!(64 << 20);
            });
        }),
        Scenario::damaged("drift of a file", shop(web("app:1", 2, edge, "")), |world| {
            world.with_proxy(&super::scenario::edge(), |proxy| {
                proxy.file.as_mut().expect("a file").push_str("# by hand\n");
            });
        }),
        Scenario::damaged("a replica is lost", shop(web("app:1", 3, edge, "")), |world| {
            let local = name("local").into();
            let first = world.with_host(&local, |host| host.containers.keys().next().cloned());
            world.take_away(&local, &first.expect("a replica"));
        }),
    ]
}

/// The same on several hosts, with proxies on several of them.
fn spread() -> Vec<Scenario> {
    let shop = |text: String| vec![("shop", text)];
    let edge: &[&str] = &["edge"];
    let both: &[&str] = &["edge", "inner"];
    let all = [
        ("three hosts, first", vec![], shop(web("app:1", 3, both, ""))),
        ("three hosts", shop(web("app:1", 3, both, "")), shop(web("app:2", 3, both, ""))),
        ("three hosts, rolling", shop(rolling("app:1", 3, 1)), shop(rolling("app:2", 3, 1))),
        (
            "three hosts, more and fewer",
            vec![("shop", web("app:1", 2, edge, "")), ("blog", blog("app:1"))],
            vec![("shop", web("app:1", 4, edge, "")), ("blog", blog("app:1").replace('2', "1"))],
        ),
        (
            "three hosts, a stack goes",
            vec![("shop", web("app:1", 2, both, "")), ("blog", blog("app:1"))],
            vec![("blog", blog("app:1"))],
        ),
    ];
    let host_by_host = |image: &str| {
        web(image, 4, edge, "")
            .replace("      drain:", "      rollout: {strategy: host-by-host}\n      drain:")
    };
    let placed = [
        Scenario::new(
            "three hosts, host by host",
            shop(host_by_host("app:1")),
            shop(host_by_host("app:2")),
        ),
        Scenario::damaged("three hosts, one drained", shop(web("app:1", 3, edge, "")), |world| {
            let mark = Drained { by: "ann".into(), is_forced: false };
            world.with_host(&name("b").into(), |host| host.drained = Some(mark));
        }),
    ];
    let all = all.into_iter().map(|(name, before, after)| Scenario::new(name, before, after));
    all.chain(placed).map(|scenario| scenario.on(THREE_HOSTS)).collect()
}

/// The release is served first, and something after it does not work.
fn followed(image: &str) -> String {
    let app = if image == "bad:1" { "app:2" } else { image };
    format!(
        "{}  worker:\n    image: {image}\n    depends_on: {{web: {{condition: service_healthy}}}}\n    \
         x-gitdeploy: {{health: {{http: /health, port: 8080, interval: 200ms, within: 5s}}}}\n",
        web(app, 2, &["edge"], "")
    )
}

/// The same with a secret in it.
pub(crate) fn with_secret(text: &str) -> String {
    let uses = "    deploy:\n";
    format!(
        "{}secrets: {{token: {{environment: TOKEN}}}}\n",
        text.replacen(uses, &format!("    secrets: [token]\n{uses}"), 1)
    )
}

/// All scenarios.
pub(crate) fn all() -> Vec<Scenario> {
    first().into_iter().chain(further()).chain(spread()).collect()
}

/// The kinds of change there are.
fn first() -> Vec<Scenario> {
    let shop = |text: String| vec![("shop", text)];
    let edge: &[&str] = &["edge"];
    let scenario = Scenario::new;
    let dependent = |image: &str| {
        format!(
            "{}  db:\n    image: {image}\n    x-gitdeploy: {{health: {{http: /health, port: 8080, interval: 200ms}}}}\n",
            web(image, 1, edge, "    depends_on: {db: {condition: service_healthy}}\n")
        )
    };
    let job = |image: &str| {
        format!(
            "{}  migrate:\n    image: job:1\n    environment: {{FOR: '{image}'}}\n",
            web(
                image,
                1,
                edge,
                "    depends_on: {migrate: {condition: service_completed_successfully}}\n"
            )
        )
    };
    let stateful = |image: &str| {
        format!("{}volumes: {{data: {{}}}}\n", web(image, 1, edge, "    volumes: ['data:/data']\n"))
    };
    vec![
        scenario("first deployment", vec![], shop(web("app:1", 2, edge, ""))),
        scenario("start-first", shop(web("app:1", 2, edge, "")), shop(web("app:2", 2, edge, ""))),
        scenario("rolling by one", shop(rolling("app:1", 3, 1)), shop(rolling("app:2", 3, 1))),
        scenario("rolling by two", shop(rolling("app:1", 4, 2)), shop(rolling("app:2", 4, 2))),
        scenario("scale up", shop(web("app:1", 1, edge, "")), shop(web("app:1", 3, edge, ""))),
        scenario("scale down", shop(web("app:1", 3, edge, "")), shop(web("app:1", 1, edge, ""))),
        scenario("no proxy", shop(web("app:1", 2, &[], "")), shop(web("app:2", 2, &[], ""))),
        scenario(
            "two proxies",
            shop(web("app:1", 2, &["edge", "inner"], "")),
            shop(web("app:2", 2, &["edge", "inner"], "")),
        ),
        scenario(
            "a route moves to another proxy",
            shop(web("app:1", 1, &["edge"], "")),
            shop(web("app:1", 1, &["inner"], "")),
        ),
        scenario(
            "an environment variable",
            shop(web("app:1", 1, edge, "    environment: {A: '1'}\n")),
            shop(web("app:1", 1, edge, "    environment: {A: '2'}\n")),
        ),
        scenario("dependency", shop(dependent("app:1")), shop(dependent("app:2"))),
        scenario("one-shot job", shop(job("app:1")), shop(job("app:2"))),
        scenario(
            "a stack goes",
            vec![("shop", web("app:1", 1, edge, "")), ("blog", web("app:1", 1, &[], ""))],
            vec![("blog", web("app:1", 1, &[], ""))],
        ),
        Scenario {
            away: &["shop.web.8080"],
            ..scenario("stop-first", shop(stateful("app:1")), shop(stateful("app:2")))
        },
    ]
}

/// A world with what the scenarios need.
pub(crate) fn world(inventory: &Inventory) -> World {
    let world = World::default();
    for (name, settings) in &inventory.hosts {
        let address = match settings.address {
            Address::Ip(ip) if !ip.is_loopback() => Some(ip),
            Address::Ip(_) | Address::Name(_) => None,
        };
        world.with_host(&name.clone().into(), |host| host.address = address);
    }
    for (name, proxy) in &inventory.proxies {
        for host in &proxy.hosts {
            let place = ProxyPlace { proxy: name.clone().into(), host: host.clone().into() };
            let kind = format!("{:?}", proxy.kind).to_lowercase();
            let version = "1.28.0".to_owned();
            world.proxy(&place, SimProxy { kind, version, ..SimProxy::default() });
        }
    }
    for host in inventory.hosts.keys() {
        world.with_host(&host.clone().into(), others);
    }
    world.secret(SECRET);
    // Some of its connections last longer than a drain.
    let app = App { long_connection: 2_500, ..App::default() };
    let second = App { long_connection: 20_000, ..app };
    let bad = App { ready_after: None, ..app };
    for (reference, app) in [("app:1", app), ("app:2", second), ("job:1", App::JOB), ("bad:1", bad)]
    {
        let image = SimImage {
            id: format!("sha256:{}", reference.replace(':', "").repeat(4)),
            digest: Some(format!("sha256:{reference}")),
            config: json!({}),
            app,
        };
        world.image(reference, image);
    }
    world
}

/// What runs there for another environment of the same project: its container has the first port
/// and looks much like ours.
fn others(host: &mut SimHost) {
    let port = Endpoint { address: Ipv4Addr::UNSPECIFIED.into(), port: 20_000 };
    let owner = Owner { environment: name("staging").into(), ..owner() };
    let container = SimContainer {
        id: "f".repeat(64),
        identity: Identity {
            owner,
            stack: name("shop").into(),
            service: ServiceName::new("web"),
            slot: 1,
            spec: SpecHash::new("0"),
            inputs: String::new(),
            generation: 1,
            commit: CommitId::new("0"),
        },
        status: Status::Running,
        started_at: 0,
        exit_code: 0,
        image: "sha256:other".to_owned(),
        app: App::default(),
        config: json!({"HostConfig": {}}),
        address: Ipv4Addr::new(172, 18, 9, 9).into(),
        published: BTreeSet::from([port]),
        ends_at: None,
        restarts: 0,
        flaps_until: 0,
        told: String::new(),
    };
    host.containers.insert("acme-staging-shop-web-1".to_owned(), container);
}

/// The inventory of most tests.
pub(crate) fn one_host() -> Inventory {
    inventory(ONE_HOST)
}

/// The proxy `edge` on the one host.
pub(crate) fn edge() -> ProxyPlace {
    let part = |text: &str| -> Name { name(text) };
    ProxyPlace { proxy: part("edge").into(), host: part("local").into() }
}
