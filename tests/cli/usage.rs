//! Wrong usage, help, completions, manual pages, schemas.

use crate::environment::{COMPOSE, Repo, run_in};

#[test]
fn an_empty_id_unlocks_nothing() {
    let run = Repo::with(&[]).run(&["unlock", "", "-y"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("a value is required for '<ID>'"), "{}", run.stderr);
}

#[test]
fn only_an_option_that_is_typed_is_in_the_way_of_another() {
    let repo = Repo::new();
    let asked = [&["sync", "--config", "no.yaml"][..], &["status", "--server", "http://[::1]:1"]];
    for arguments in asked {
        for value in ["", "production"] {
            let run = repo.run_with(arguments, &[("GITDEPLOY_ENV", value)]);
            assert!(!run.stderr.contains("cannot be used with"), "{}", run.stderr);
            assert!(!run.stderr.contains("Usage:"), "{}", run.stderr);
        }
        let typed = [arguments, &["--env", "production"]].concat();
        let run = repo.run(&typed);
        assert!(run.stderr.contains("cannot be used with"), "{}", run.stderr);
    }
}

#[test]
fn the_variable_says_the_environment_unless_the_option_does() {
    let repo = Repo::with(&[
        ("gitdeploy.yaml", "environments: {staging: {}, production: {}}\n"),
        ("stacks/shop/compose.yaml", COMPOSE),
    ]);
    let asked = |arguments: &[&str]| repo.run_with(arguments, &[("GITDEPLOY_ENV", "nowhere")]);
    assert!(asked(&["validate"]).stderr.contains("nowhere"));
    let run = asked(&["validate", "--env", "staging"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
}

#[test]
fn status_asks_a_daemon_only_when_that_is_typed() {
    let repo = Repo::new();
    let variables = [("GITDEPLOY_SERVER", "http://[::1]:1"), ("GITDEPLOY_TOKEN", "x")];
    let run = repo.run_with(&["status"], &variables);
    assert!(!run.stderr.contains("daemon"), "{}", run.stderr);
    let run = repo.run_with(&["retry", "shop"], &variables);
    assert!(run.stderr.contains("could not ask the daemon at http://[::1]:1"), "{}", run.stderr);
}

#[test]
fn wrong_usage_is_exit_code_1() {
    let repo = Repo::new();
    // For `diff`, 1 says that there are differences.
    for (arguments, code) in [
        (&["frobnicate"][..], 1),
        (&["validate", "--nope"], 1),
        (&["diff", "HEAD"], 2),
        (&["diff", "--nope"], 2),
        (&[], 1),
    ] {
        let run = repo.run(arguments);
        assert_eq!(run.code, code, "{arguments:?}");
        assert_eq!(run.stdout, "", "{arguments:?}");
        assert!(run.stderr.contains("Usage:"), "{}", run.stderr);
    }
}

#[test]
fn help_and_version_are_results() {
    let repo = Repo::new();
    let help = repo.run(&["--help"]);
    assert_eq!((help.code, help.stderr.as_str()), (0, ""));
    assert!(help.stdout.contains("validate"));
    let version = repo.run(&["--version"]);
    assert_eq!(version.stdout, format!("gitdeploy {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn shells_and_manuals_are_served() {
    let repo = Repo::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(repo.run(&["completions", shell]).stdout.contains("gitdeploy"), "{shell}");
    }
    assert!(repo.run(&["man"]).stdout.contains(".TH gitdeploy 1"));
    assert_eq!(repo.run(&["man", "--out", "pages"]).code, 0);
    assert!(repo.path().join("pages/gitdeploy-render.1").is_file());
}

#[test]
fn every_schema_is_json() {
    let repo = Repo::new();
    for file in ["gitdeploy", "inventory", "extension", "compose"] {
        let run = repo.run(&["schema", file]);
        let schema: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
        assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#", "{file}");
        let root = schema["$ref"].as_str().expect("a root").trim_start_matches("#/definitions/");
        assert!(schema["definitions"][root]["properties"].is_object(), "{file}");
    }
    let run = repo.run(&["schema", "compose"]);
    let schema: serde_json::Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert!(schema["definitions"]["service"]["properties"]["x-gitdeploy"].is_object());
}

#[test]
fn a_fresh_repository_works() {
    let repo = Repo::new();
    let init = repo.run(&["init", "shop"]);
    assert_eq!((init.code, init.stdout.as_str()), (0, ""), "{}", init.stderr);
    assert!(init.stderr.contains("cd shop && git add -A"));
    let run = run_in(&repo.path(), &["validate", "--worktree"], &[], "");
    assert_eq!(run.code, 1, "the repository above has no stack of its own");
    let alone = Repo::new();
    assert_eq!(alone.run(&["init"]).code, 0);
    assert!(alone.run(&["validate"]).stderr.contains("has none yet"), "nothing is committed yet");
    alone.commit(&[]);
    let run = alone.run(&["validate"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(run.stdout.starts_with("Valid: 1 stack, 1 service, environment production, "));
}

#[test]
fn init_overwrites_nothing() {
    let repo = Repo::with(&[("inventory.yaml", "mine: yes\n"), ("compose.yaml", COMPOSE)]);
    let run = repo.run(&["init"]);
    assert_eq!(run.code, 1);
    insta::assert_snapshot!(run.stderr, @r"
    error: could not start a repository in `.`: `inventory.yaml` is there already; nothing was written
    hint: gitdeploy init NEW_FOLDER
    ");
    assert!(!repo.path().join("gitdeploy.yaml").exists());
}

#[test]
fn with_json_every_line_is_json() {
    let repo = Repo::with(&[("compose.yaml", COMPOSE)]);
    for arguments in [
        &["validate", "--json"][..],
        &["render", "--json"],
        &["render", "--json", "--format", "json"],
        &["diff", "HEAD", "HEAD", "--json", "--format", "json"],
        &["schema", "inventory", "--json"],
        &["completions", "bash", "--json"],
        &["validate", "--json", "--nope"],
        &["validate", "--json", "--rev", "nope"],
    ] {
        let run = repo.run(arguments);
        assert_eq!(run.stderr, "", "{arguments:?}");
        for line in run.stdout.lines() {
            let event: serde_json::Value = serde_json::from_str(line).expect("JSON");
            assert!(event["type"].is_string(), "{arguments:?}: {line}");
        }
    }
    let run = repo.run(&["render", "--json", "--format", "json"]);
    let last = run.stdout.lines().last().expect("a result");
    let event: serde_json::Value = serde_json::from_str(last).expect("JSON");
    assert_eq!(event["result"]["services"]["web"]["image"], "nginx:1.27");
}
