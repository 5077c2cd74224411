//! `render`: stacks of a repository, and plain files as Compose would show them.

use std::fs;

use crate::environment::{COMPOSE, Repo, run_in};

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

#[test]
fn plain_files_are_rendered_outside_any_repository() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name);
    fs::write(path("a.yaml"), "services: {web: {image: 'nginx:${TAG}', volumes: ['./x:/x']}}\n")
        .expect("a file");
    fs::write(
        path("b.yaml"),
        "services: {web: {command: serve all}, dbg: {image: x, profiles: [debug]}}\n",
    )
    .expect("a file");
    fs::write(path(".env"), "TAG=from-file\n").expect("a file");
    let run = |arguments: &[&str], variables: &[(&str, &str)]| {
        let run = run_in(folder.path(), arguments, variables, "");
        assert_eq!(run.code, 0, "{}", run.stderr);
        json(&run.stdout)
    };
    let both = ["render", "-f", "a.yaml", "-f", "b.yaml", "--format", "json"];
    let model = run(&both, &[]);
    assert_eq!(model["services"]["web"]["image"], "nginx:from-file");
    assert_eq!(model["services"]["web"]["command"], serde_json::json!(["serve", "all"]));
    assert_eq!(model["services"]["web"]["volumes"][0]["source"], path("x").to_str().expect("text"));
    assert!(model["services"]["dbg"].is_null());
    let model = run(&both, &[("TAG", "from-process")]);
    assert_eq!(model["services"]["web"]["image"], "nginx:from-process");
    let model = run(&[&both[..], &["--profile", "debug"]].concat(), &[]);
    assert_eq!(model["services"]["dbg"]["image"], "x");
    fs::write(path("other.env"), "TAG=other\n").expect("a file");
    let model = run(&[&both[..], &["--env-file", "other.env", "-p", "named"]].concat(), &[]);
    assert_eq!(model["services"]["web"]["image"], "nginx:other");
    assert_eq!(model["name"], "named");
}

#[test]
fn standard_input_is_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = run_in(folder.path(), &["render", "-f", "-", "--format", "json"], &[], COMPOSE);
    assert_eq!(json(&run.stdout)["services"]["web"]["image"], "nginx:1.27", "{}", run.stderr);
}

#[test]
fn what_is_rendered_can_be_rendered_again() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let text = "services: {web: {image: x, command: ['echo', '$$HOME', '$${X}'], environment: {A: 'a$$b'}, ports: ['8080-8081:80-81'], labels: [x=y]}}\n";
    let first = run_in(folder.path(), &["render", "-f", "-"], &[], text);
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert!(first.stdout.contains("$$HOME"));
    let second = run_in(folder.path(), &["render", "-f", "-"], &[], &first.stdout);
    assert_eq!(second.stdout, first.stdout, "{}", second.stderr);
}

#[test]
fn warnings_do_not_mix_with_results() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = run_in(
        folder.path(),
        &["render", "-f", "-"],
        &[],
        "services: {web: {image: 'x:${NOPE}'}}\n",
    );
    assert_eq!(run.code, 0);
    assert!(run.stderr.contains("NOPE"), "{}", run.stderr);
    assert!(!run.stdout.contains("NOPE"));
    let quiet = run_in(
        folder.path(),
        &["render", "-q", "-f", "-"],
        &[],
        "services: {web: {image: 'x:${NOPE}'}}\n",
    );
    assert_eq!(quiet.stderr, "");
}

#[test]
fn stacks_are_rendered_with_their_templates() {
    let repo = Repo::with(&[
        (
            "gitdeploy.yaml",
            "environments: {production: {values: [v.yaml], inventory: hosts.yaml}}\npass_env: [RELEASE]\n",
        ),
        (
            "hosts.yaml",
            "hosts:\n  web-1: {docker: \"ssh://deploy@10.0.0.11\", labels: {role: web}}\n",
        ),
        ("v.yaml", "tag: '1.2'\n"),
        (
            "stacks/shop/compose.yaml.j2",
            "services:\n  web:\n    image: shop:{{ values.tag }}-${RELEASE:-none}-${USER:-nobody}\n    environment:\n      STACK: {{ stack }}\n      ENVIRONMENT: {{ environment }}\n      HOSTS: {{ hosts | map(attribute='address') | join(',') }}\n      SECRET: ${SECRET:-unset}\n    volumes: ['./conf:/conf', '/srv:/srv']\n",
        ),
        ("stacks/shop/.env", "USER=from-env-file\n"),
        ("stacks/shop/conf/x", "y"),
    ]);
    let run = repo.run_with(
        &["render", "shop", "--format", "json"],
        &[("RELEASE", "r7"), ("SECRET", "leaked")],
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    let web = &json(&run.stdout)["services"]["web"];
    assert_eq!(web["image"], "shop:1.2-r7-from-env-file");
    assert_eq!(web["environment"]["HOSTS"], "10.0.0.11");
    assert_eq!(web["environment"]["SECRET"], "unset", "only names under pass_env come in");
    assert_eq!(web["environment"]["ENVIRONMENT"], "production");
    assert_eq!(web["volumes"][0]["source"], "./stacks/shop/conf");
    assert_eq!(web["volumes"][1]["source"], "/srv");
}

#[test]
fn a_repository_is_not_left() {
    let repo = Repo::with(&[(
        "stacks/a/compose.yaml",
        "services: {web: {image: x, volumes: ['../../../etc:/etc'], env_file: ../../../secret}}\n",
    )]);
    let run = repo.run(&["render"]);
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    assert!(run.stderr.contains("stacks/a/compose.yaml:1"), "{}", run.stderr);
}

#[test]
fn the_next_command_looks_at_the_same_files() {
    let repo = Repo::with(&[("compose.yaml", COMPOSE)]);
    repo.write("compose.yaml", "services: {web: {imag: x}}\n");
    assert!(
        repo.run(&["render", "--worktree"]).stderr.contains("hint: gitdeploy validate --worktree")
    );
}
