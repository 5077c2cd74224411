//! From Compose text to the desired state, through the real loader.

use std::collections::BTreeMap;

use super::*;
use crate::compose::{self, Options, ProjectName, Request};
use crate::diag::Sources;
use crate::files::Memory;
use crate::model::{
    Bytes, Count, FailureAction, NanoCpus, Nanos, Probe, ServiceTarget, UpdateOrder,
};

pub(super) struct Resolved {
    target: StackTarget,
    pub(super) findings: Vec<String>,
}

impl Resolved {
    fn service(&self, name: &str) -> &ServiceTarget {
        &self.target.services[&ServiceName::new(name)]
    }
}

pub(super) fn resolve_in(files: Memory, text: &str) -> Resolved {
    let files = files.with("stacks/shop/compose.yaml", text);
    let sources = Sources::default();
    let mut problems = Vec::new();
    let settings = Settings::load(&files, &sources, &mut problems);
    let inventory = Inventory::load(&files, &sources, None, &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    let project = compose::load(&Request {
        files: &files,
        sources: &sources,
        compose_files: &["stacks/shop/compose.yaml".to_owned()],
        project_dir: "stacks/shop",
        name: ProjectName::Fallback("shop"),
        variables: &BTreeMap::new(),
        home: None,
        profiles: &[],
        services: &[],
        options: Options::default(),
    });
    let project = match project {
        Ok(project) => project,
        Err(problems) => panic!("{problems:?}"),
    };
    let surroundings = Surroundings {
        files: &files,
        sources: &sources,
        settings: &settings,
        inventory: &inventory,
    };
    let (target, problems) = resolve(&project, &surroundings);
    let findings = problems
        .iter()
        .map(|problem| {
            let at = problem.primary.as_ref().map(|label| sources.locate(label.span).to_string());
            format!("{}: {}", at.unwrap_or_default(), problem.message)
        })
        .collect();
    Resolved { target, findings }
}

fn resolved(text: &str) -> Resolved {
    resolve_in(Memory::new(), text)
}

fn hash(text: &str) -> String {
    resolved(text).service("web").spec_hash.to_string()
}

const INVENTORY: &str = "\
hosts: {local: {docker: \"unix:///run/docker.sock\", address: 127.0.0.1}}
proxies: {edge: {kind: nginx, hosts: [local], runs: host, config: /etc/nginx/conf.d/gitdeploy.conf, listen: [80]}}
";

#[test]
fn the_hash_ignores_what_does_not_change_behaviour() {
    let plain = hash("services: {web: {image: nginx, environment: {A: '1', B: '2'}}}");
    for same in [
        "services: {web: {environment: [B=2, A=1], image: nginx}}",
        "services:\n  web:\n    image: nginx\n    environment: {B: 2, A: 1}\n    deploy: {replicas: 5}\n",
        "services: {web: {image: nginx, environment: {A: 1, B: 2}, scale: 3, pull_policy: always}}",
        "services: {web: {image: nginx, environment: {A: 1, B: 2}, x-note: hello}, db: {image: x}}",
        "x-a: &a {A: '1', B: '2'}\nservices: {web: {image: nginx, environment: *a}}",
    ] {
        assert_eq!(hash(same), plain, "{same}");
    }
}

#[test]
fn the_hash_follows_what_changes_behaviour() {
    let plain = hash("services: {web: {image: nginx}}");
    for other in [
        "services: {web: {image: 'nginx:2'}}",
        "services: {web: {image: nginx, command: []}}",
        "services: {web: {image: nginx, init: false}}",
        "services: {web: {image: nginx, mem_limit: 1m}}",
        "services: {web: {image: nginx, stop_grace_period: 5s}}",
        "services: {web: {image: nginx, labels: {a: b}}}",
        "services: {web: {image: nginx, networks: [back]}}\nnetworks: {back: {}}",
        "services: {web: {image: nginx, ports: ['80:80']}}",
        "services: {web: {image: nginx, tmpfs: /tmp}}",
        "services: {web: {image: nginx, healthcheck: {test: 'true'}}}",
    ] {
        assert_ne!(hash(other), plain, "{other}");
    }
}

#[test]
fn the_content_of_files_is_part_of_the_hash() {
    let text = "\
services:
  web:
    image: nginx
    env_file: app.env
    configs: [site]
    volumes: ['./conf:/etc/app']
configs: {site: {file: ./site.conf}}
";
    let files = Memory::new()
        .with("stacks/shop/app.env", "A=1")
        .with("stacks/shop/site.conf", "one")
        .with("stacks/shop/conf/x", "one");
    let of = |files: Memory| resolve_in(files, text).service("web").spec_hash.clone();
    let plain = of(files.clone());
    assert_eq!(of(files.clone().with("stacks/shop/other", "x")), plain);
    assert_ne!(of(files.clone().with("stacks/shop/app.env", "A=2")), plain);
    assert_ne!(of(files.clone().with("stacks/shop/site.conf", "two")), plain);
    assert_ne!(of(files.clone().with("stacks/shop/conf/x", "two")), plain);
    assert_ne!(of(files.with("stacks/shop/conf/y", "new")), plain);
}

#[test]
fn deploy_says_how_many_where_and_how() {
    let inventory = "hosts: {a: {docker: 'ssh://a', labels: {role: web}}, b: {docker: 'ssh://b', labels: {role: web}}}\n";
    let resolved = resolve_in(
        Memory::new().with("inventory.yaml", inventory),
        "\
services:
  web:
    image: nginx
    stop_grace_period: 1m30s
    deploy:
      replicas: 3
      update_config: {parallelism: 2, delay: 5s, failure_action: rollback, order: start-first, monitor: 10s, max_failure_ratio: 0.2}
      placement: {constraints: [node.labels.role == web], preferences: [{spread: node.labels.zone}], max_replicas_per_node: 2}
      resources: {limits: {cpus: '0.5', memory: 50M, pids: 10}, reservations: {cpus: '0.25', memory: 20M}}
      restart_policy: {condition: on-failure, max_attempts: 3}
  agent: {image: agent, deploy: {mode: global}}
",
    );
    assert_eq!(resolved.findings, Vec::<String>::new());
    let web = resolved.service("web");
    assert_eq!(web.replicas, Count::Replicas(3));
    assert_eq!(web.container.stop_grace_period, Some(Nanos(90_000_000_000)));
    assert_eq!(web.rollout.update.parallelism, Some(2));
    assert_eq!(web.rollout.update.delay, Some(Nanos(5_000_000_000)));
    assert_eq!(web.rollout.update.failure_action, Some(FailureAction::Rollback));
    assert_eq!(web.rollout.update.order, Some(UpdateOrder::StartFirst));
    assert_eq!(web.placement.constraints, ["node.labels.role == web"]);
    assert_eq!(web.placement.spread, ["node.labels.zone"]);
    assert_eq!(web.placement.max_replicas_per_node, Some(2));
    assert_eq!(web.container.limits.cpus, Some(NanoCpus(500_000_000)));
    assert_eq!(web.container.limits.memory, Some(Bytes(50 << 20)));
    assert_eq!(web.container.limits.pids, Some(10));
    assert_eq!(web.reservations.cpus, Some(NanoCpus(250_000_000)));
    assert_eq!(web.reservations.memory, Some(Bytes(20 << 20)));
    let restart = web.container.restart.as_ref().expect("a policy");
    assert_eq!((restart.condition.as_str(), restart.max_attempts), ("on-failure", Some(3)));
    assert_eq!(resolved.service("agent").replicas, Count::Global);
}

#[test]
fn limits_mean_the_same_in_both_of_their_places() {
    let short = resolved("services: {web: {image: x, cpus: 0.5, mem_limit: 50m, pids_limit: 10}}");
    let long = resolved(
        "services: {web: {image: x, deploy: {resources: {limits: {cpus: '0.5', memory: 50m, pids: 10}}}}}",
    );
    assert_eq!(short.service("web").spec_hash, long.service("web").spec_hash);
}

#[test]
fn the_extension_becomes_routes_and_a_gate() {
    let files = Memory::new().with("inventory.yaml", INVENTORY);
    let resolved = resolve_in(
        files,
        "\
services:
  web:
    image: nginx
    x-gitdeploy:
      routes: [{host: shop.example.com, port: 8080}]
      health: {http: /healthz, within: 30s}
      drain: {timeout: 5s}
",
    );
    assert_eq!(resolved.findings, Vec::<String>::new());
    let web = resolved.service("web");
    assert_eq!(web.routes.len(), 1);
    assert_eq!((web.routes[0].path.as_str(), web.routes[0].proxy.as_str()), ("/", "edge"));
    let gate = web.health.as_ref().expect("a gate");
    assert!(matches!(&gate.probe, Probe::Http(probe) if probe.port == 8080));
    assert_eq!(gate.within, Nanos(30_000_000_000));
    assert_eq!(web.rollout.drain_timeout, Nanos(5_000_000_000));
}

#[test]
fn what_cannot_be_deployed_is_refused_by_name() {
    let resolved = resolved(
        "\
services:
  a: {build: .}
  b: {image: x, build: ., develop: {watch: [{path: ., action: rebuild}]}}
  c: {provider: {type: model}}
  d: {image: x, deploy: {placement: {constraints: [nonsense]}}}
  e: {image: x, x-gitdeploy: {routes: [{host: a.example.com, port: 80, proxy: nope}], heelth: {}}}
",
    );
    insta::assert_snapshot!(resolved.findings.join("\n"), @r"
    stacks/shop/compose.yaml:2:7: service `a` has `build:` but no `image:`; images are built elsewhere and deployed by name
    stacks/shop/compose.yaml:3:17: service `b`: `build:` is not run; `image:` is deployed
    stacks/shop/compose.yaml:3:27: service `b`: `develop:` has no effect in a deployment
    stacks/shop/compose.yaml:4:7: service `c` has `provider:`, which runs a program on the machine that deploys; it is not supported
    stacks/shop/compose.yaml:5:52: `nonsense` is no placement constraint: it has neither `==` nor `!=`
    stacks/shop/compose.yaml:6:87: `heelth` is no key of x-gitdeploy (`services.e.x-gitdeploy`)
    stacks/shop/compose.yaml:6:79: the inventory has no proxy `nope`
    ");
    assert_eq!(resolved.target.services.len(), 1);
}

#[test]
fn resolving_twice_gives_the_same_bytes() {
    let text =
        "services: {b: {image: x, environment: {Z: 1, A: 2}}, a: {image: y}}\nvolumes: {v: {}}";
    let bytes = || serde_json::to_string(&resolved(text).target).expect("plain data");
    assert_eq!(bytes(), bytes());
}

#[test]
fn an_image_that_cannot_be_is_refused_at_its_place() {
    let resolved = resolved(
        "\
services:
  a: {image: 'x:${UNSET}'}
  b: {image: nginx, pre_start: [{image: 'Bad Image:', command: ['true']}]}
  c: {image: Team/App}
",
    );
    insta::assert_snapshot!(resolved.findings.join("\n"), @r"
    stacks/shop/compose.yaml:2:14: `x:` is no image: nothing stands behind the `:`, where the tag belongs
    stacks/shop/compose.yaml:3:41: `Bad Image:` is no image: it has a space
    stacks/shop/compose.yaml:4:14: `Team/App` is no image: `App` has the capital letter `A`; names are written in lowercase
    ");
}

#[test]
fn the_extension_misspelt_or_misplaced_is_odd() {
    let resolved = resolved(
        "\
x-gitdeploy: {}
x-deploy: {}
services:
  a: {image: x, x-gitdeply: {}, x-github: {}}
",
    );
    insta::assert_snapshot!(resolved.findings.join("\n"), @r"
    stacks/shop/compose.yaml:1:1: `x-gitdeploy` has no effect here
    stacks/shop/compose.yaml:4:17: `x-gitdeply` of service `a` has no effect
    ");
    assert_eq!(resolved.target.services.len(), 1);
}
