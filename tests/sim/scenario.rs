//! Scenarios: what runs, what is wanted next, and the world they happen in.

use gitdeploy::model::{Name, ProxyPlace};
use gitdeploy::pipeline::Wish;
use gitdeploy::settings::Inventory;
use gitdeploy::sim::{App, SimImage, SimProxy, World};
use serde_json::json;

use super::commit::{inventory, name, wish};

/// One host with an nginx and an HAProxy on it.
pub(crate) const ONE_HOST: &str = "
hosts:
  local: {docker: 'unix:///var/run/docker.sock'}
proxies:
  edge: {kind: nginx, hosts: [local], config: /etc/nginx/conf.d/gitdeploy.conf, listen: [80]}
  inner: {kind: haproxy, hosts: [local], config: /etc/haproxy/gitdeploy.cfg, listen: [8080]}
";

/// What happens.
pub(crate) struct Scenario {
    /// Its name.
    pub(crate) name: &'static str,
    /// Stacks that run before; none for a first deployment.
    pub(crate) before: Vec<(&'static str, String)>,
    /// Stacks that are wanted then.
    pub(crate) after: Vec<(&'static str, String)>,
    /// Backends that the plan says are away for a while.
    pub(crate) away: &'static [&'static str],
}

impl Scenario {
    /// What runs before.
    pub(crate) fn earlier(&self, inventory: &Inventory) -> Wish {
        wish("1111111111111111111111111111111111111111", inventory, &self.before)
    }

    /// What is wanted then.
    pub(crate) fn later(&self, inventory: &Inventory) -> Wish {
        wish("2222222222222222222222222222222222222222", inventory, &self.after)
    }
}

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

fn with_config(image: &str, content: &str) -> String {
    let uses = "    configs: [{source: c, target: /etc/c}]\n";
    format!("{}configs: {{c: {{content: {content}}}}}\n", web(image, 2, &["edge"], uses))
}

fn stop_first(image: &str, replicas: u32) -> String {
    rolling(image, replicas, 1).replace("parallelism: 1", "parallelism: 1, order: stop-first")
}

fn blog(image: &str) -> String {
    web(image, 2, &["edge"], "").replace("shop.example.com", "blog.example.com")
}

/// Scenarios that came later.
fn further() -> Vec<Scenario> {
    let shop = |text: String| vec![("shop", text)];
    let edge: &[&str] = &["edge"];
    let scenario = |name, before, after| Scenario { name, before, after, away: &[] };
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
    ]
}

/// All scenarios.
pub(crate) fn all() -> Vec<Scenario> {
    first().into_iter().chain(further()).collect()
}

/// The kinds of change there are.
fn first() -> Vec<Scenario> {
    let shop = |text: String| vec![("shop", text)];
    let edge: &[&str] = &["edge"];
    let scenario = |name, before, after| Scenario { name, before, after, away: &[] };
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
    for host in inventory.hosts.keys() {
        world.host(&host.clone().into());
    }
    for (name, proxy) in &inventory.proxies {
        for host in &proxy.hosts {
            let place = ProxyPlace { proxy: name.clone().into(), host: host.clone().into() };
            let kind = format!("{:?}", proxy.kind).to_lowercase();
            let version = "1.28.0".to_owned();
            world.proxy(&place, SimProxy { kind, version, ..SimProxy::default() });
        }
    }
    let job = App { ready_after: None, ends_after: Some((500, 0)), longest_request: 0 };
    let bad = App { ready_after: None, ..App::default() };
    for (reference, app) in
        [("app:1", App::default()), ("app:2", App::default()), ("job:1", job), ("bad:1", bad)]
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

/// The inventory of most tests.
pub(crate) fn one_host() -> Inventory {
    inventory(ONE_HOST)
}

/// The proxy `edge` on the one host.
pub(crate) fn edge() -> ProxyPlace {
    let part = |text: &str| -> Name { name(text) };
    ProxyPlace { proxy: part("edge").into(), host: part("local").into() }
}
