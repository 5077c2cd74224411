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

const COMMIT_BEFORE: &[&str] = &["--from", "HEAD~1"];

fn simulate(repo: &Repo, more: &[&str]) -> super::environment::Run {
    repo.run(&[&["simulate"], COMMIT_BEFORE, more].concat())
}

fn page(run: &super::environment::Run) -> serde_json::Value {
    serde_json::from_str(&run.stdout).expect("JSON")
}

#[test]
fn a_rollout_is_shown_moment_by_moment_and_loses_nothing() {
    let run = simulate(&shop(), &[]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("at least 2 routed at any time"), "{}", run.stdout);
    assert!(run.stdout.contains("\ndone, "), "{}", run.stdout);
    assert!(run.stdout.contains("Not modelled"), "{}", run.stdout);
}

#[test]
fn replicas_on_another_host_than_the_proxy_are_counted_as_routed() {
    let inventory = "hosts:\n  one: {docker: 'ssh://deploy@10.0.0.1'}\n  \
        two: {docker: 'ssh://deploy@10.0.0.2'}\nproxies:\n  \
        edge: {kind: nginx, hosts: [one], config: /etc/nginx/conf.d/gitdeploy.conf, listen: [80]}\n";
    let repo = shop();
    repo.commit(&[("inventory.yaml", inventory)]);
    let run = repo.run(&["simulate", "--from", "nothing", "--format", "json"]);
    let timeline = page(&run)["services"][0]["timeline"].clone();
    let last = timeline.as_array().and_then(|all| all.last()).expect("a moment");
    assert_eq!((&last["ready"], &last["routed"]), (&2.into(), &2.into()), "{timeline}");
}

#[test]
fn requests_are_sent_all_the_time_and_fail_only_with_a_process_that_dies() {
    let repo = shop();
    let requests = |fault: &str| {
        let run = simulate(&repo, &["--fault", fault, "--format", "json"]);
        let requests = page(&run)["requests"].clone();
        let number = |key: &str| requests[key].as_u64().unwrap_or_else(|| panic!("{}", run.stdout));
        (number("sent"), number("failed"))
    };
    let (sent, failed) = requests("lose@30");
    assert!(sent > 150 && failed == 0, "{failed} of {sent}");
    let (sent, failed) = requests("dies=shop/web/1@600ms");
    assert!(failed > 0 && failed * 10 < sent, "{failed} of {sent}");
}

#[test]
fn every_fault_that_can_meet_the_plan_is_tried_and_none_loses_a_request() {
    let run = simulate(&shop(), &["--format", "json"]);
    let page = page(&run);
    let rows = page["what_if"].as_array().expect("rows");
    let row = |what: &str| {
        let mut all = rows.iter();
        all.find(|row| row["what"] == what).unwrap_or_else(|| panic!("{what}: {page:#}"))
    };
    for what in ["the run is killed", "an answer is lost"] {
        assert!(row(what)["tried"].as_u64() > Some(20), "{page:#}");
        assert_eq!(row(what)["least"], serde_json::json!({}), "{page:#}");
    }
    for what in ["app:2 never gets ready", "the proxy rejects its new file"] {
        assert_eq!(row(what)["ends"], serde_json::json!(["rolled back"]), "{page:#}");
    }
    assert_eq!(row("shop/web/1 dies")["least"]["shop/web"], 1, "{page:#}");
    for what in ["local cannot be reached for 20 s", "local goes down for 20 s"] {
        assert!(row(what)["tried"].as_u64() > Some(3), "{page:#}");
    }
    assert!(rows.iter().all(|row| row["lost"].is_null()), "{page:#}");
}

#[test]
fn other_settings_are_compared() {
    let page = page(&simulate(&shop(), &["--format", "json"]));
    let rows = page["settings"].as_array().expect("rows");
    let least = |set: &str| {
        let row = rows.iter().find(|row| row["set"].as_str().is_some_and(|it| it.contains(set)));
        row.map(|row| (row["least"].as_u64(), row["most_running"].as_u64()))
    };
    assert_eq!(rows[0]["most_running"], 4);
    assert_eq!(least("strategy=rolling parallelism=1"), Some((Some(2), Some(3))), "{page:#}");
    assert_eq!(least("order=stop-first"), Some((Some(1), Some(2))), "{page:#}");
}

#[test]
fn a_setting_can_be_tried_without_a_commit() {
    let run = simulate(&shop(), &["--set", "shop/web.order=stop-first", "--format", "json"]);
    assert_eq!(page(&run)["services"][0]["least"], 1, "{}{}", run.stdout, run.stderr);
    let run = simulate(&shop(), &["--set", "shop/wbe.order=stop-first"]);
    assert!(run.stderr.contains("there is no service shop/wbe"), "{}", run.stderr);
}

#[test]
fn a_release_that_never_gets_ready_is_rolled_back() {
    let run = simulate(&shop(), &["--fault", "never-ready"]);
    assert_eq!(run.code, 13, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("\nrolled back, "), "{}", run.stdout);
}

#[test]
fn a_killed_run_is_ended_by_the_next_one() {
    let run = simulate(&shop(), &["--fault", "kill@30", "--format", "json"]);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    let page = page(&run);
    assert_eq!(page["runs"][0], "killed", "{page}");
    assert_eq!(page["violations"], serde_json::json!([]));
    assert_eq!(page["services"][0]["least"], 2);
}

#[test]
fn the_same_seed_is_the_same_rollout_byte_for_byte() {
    let repo = shop();
    for seed in ["1", "2", "3"] {
        let runs = [0, 1].map(|_| simulate(&repo, &["--seed", seed]));
        assert!(runs[0].stdout.contains("It goes wrong: "), "{}", runs[0].stdout);
        assert_eq!(runs[0].stdout, runs[1].stdout, "seed {seed}");
    }
}

#[test]
fn without_a_host_at_hand_the_commit_before_is_what_runs() {
    let run = shop().run(&["simulate", "--fault", "proxy-rejects"]);
    assert_eq!(run.code, 13, "{}{}", run.stdout, run.stderr);
    assert!(run.stderr.contains("taking the commit before"), "{}", run.stderr);
    let run = shop().run(&["simulate", "--from", "live"]);
    assert_eq!(run.code, 15, "{}{}", run.stdout, run.stderr);
}

#[test]
fn an_empty_fleet_gets_its_first_replicas() {
    let run = shop().run(&["simulate", "--from", "nothing", "--format", "json"]);
    assert_eq!(page(&run)["services"][0]["timeline"][0]["running"], 0, "{}", run.stderr);
}

#[test]
fn a_picture_is_written_to_a_file() {
    let repo = shop();
    let run = simulate(&repo, &["--fault", "kill@30", "--format", "svg", "--out", "a.svg"]);
    assert_eq!((run.code, run.stdout.as_str()), (0, ""), "{}", run.stderr);
    let picture = std::fs::read_to_string(repo.path().join("a.svg")).expect("a picture");
    assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"), "{picture}");
    assert!(picture.contains("shop/web: at least 2 routed at any time"), "{picture}");
}

#[test]
fn an_unknown_fault_is_wrong_usage() {
    let run = shop().run(&["simulate", "--fault", "fire"]);
    assert!(run.stderr.contains("one of kill@N, lose@N"), "{}", run.stderr);
}

/// The repository that the tests also deploy to six real hosts.
#[test]
fn eighteen_applications_on_six_hosts_are_released_without_a_lost_request() {
    let fixture = |path: &str| {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/six-hosts");
        std::fs::read_to_string(root.join(path)).expect("a fixture")
    };
    let paths = [
        "gitdeploy.yaml",
        "inventory.yaml",
        "values.yaml",
        "stacks/apps/compose.yaml.j2",
        "stacks/orders/compose.yaml.j2",
        "stacks/orders/database.sh",
        "stacks/orders/orders.sh",
    ];
    let texts: Vec<(&str, String)> = paths.iter().map(|path| (*path, fixture(path))).collect();
    let files: Vec<(&str, &str)> =
        texts.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let repo = Repo::with(&files);
    repo.commit(&[("values.yaml", &fixture("values.yaml").replace("app:1.0", "app:1.1"))]);
    let password = [("DATABASE_PASSWORD", "correct-horse")];
    let all = [&["simulate"], COMMIT_BEFORE, &["--format", "json", "--brief"]].concat();
    let run = repo.run_with(&all, &password);
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(!run.stdout.contains("correct-horse"), "a secret is shown");
    let requests = page(&run)["requests"].clone();
    assert!(requests["sent"].as_u64() > Some(500), "{requests}");
    assert_eq!(requests["failed"], 0, "{requests}");
}
