//! `simulate`: a rollout without any host.

use super::environment::Repo;

const INVENTORY: &str = "hosts:\n  local: {docker: 'unix:///nowhere.sock'}\nproxies:\n  \
    edge: {kind: nginx, hosts: [local], config: /etc/nginx/conf.d/gitdeploy.conf, listen: [80]}\n";

fn web(image: &str) -> String {
    format!(
        "services:\n  web:\n    image: {image}\n    deploy: {{replicas: 2}}\n    x-gitdeploy:\n      \
         health: {{http: /health, port: 8080, interval: 200ms, within: 10s}}\n      \
         drain: {{timeout: 5s}}\n      routes: [{{host: shop.example.com, port: 8080, proxy: edge}}]\n"
    )
}

/// One commit with `app:1`, one with `app:2`.
fn shop() -> Repo {
    let repo = Repo::with(&[
        ("gitdeploy.yaml", "project: acme\nenvironments: {production: {branch: main}}\n"),
        ("inventory.yaml", INVENTORY),
        ("stacks/shop/compose.yaml", &web("app:1")),
    ]);
    repo.commit(&[("stacks/shop/compose.yaml", &web("app:2"))]);
    repo
}

#[test]
fn a_rollout_is_shown_moment_by_moment_and_loses_nothing() {
    let run = shop().run(&["simulate"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("at least 2 routed at any time"), "{}", run.stdout);
    assert!(run.stdout.contains("No request was lost.\ndone, "), "{}", run.stdout);
    assert!(run.stdout.contains("Not modelled"), "{}", run.stdout);
}

#[test]
fn a_release_that_never_gets_ready_is_rolled_back() {
    let run = shop().run(&["simulate", "--fault", "never-ready"]);
    assert_eq!(run.code, 13, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("No request was lost.\nrolled back, "), "{}", run.stdout);
}

#[test]
fn a_killed_run_is_ended_by_the_next_one() {
    let run = shop().run(&["simulate", "--fault", "kill@30", "--format", "json"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let page: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(page["runs"][0], "killed", "{page}");
    assert_eq!(page["violations"], serde_json::json!([]));
    assert_eq!(page["services"][0]["least"], 2);
}

#[test]
fn an_unknown_fault_is_wrong_usage() {
    let run = shop().run(&["simulate", "--fault", "fire"]);
    assert!(run.stderr.contains("one of kill@N, lose@N"), "{}", run.stderr);
}
