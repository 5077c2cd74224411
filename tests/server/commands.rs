//! The commands that ask a daemon, as a user runs them.

use std::process::Command;

use gitdeploy::model::PlanId;
use gitdeploy::sync::{OrderKind, Refusal};

use crate::fleet::{PLAN, fleet};
use crate::rig::{Rig, TOKEN, name};

/// Runs the program with the token in its environment; gives exit code and both streams.
fn run(rig: &Rig, arguments: &[&str]) -> (i32, String, String) {
    run_with(rig, arguments, TOKEN)
}

fn run_with(rig: &Rig, arguments: &[&str], token: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gitdeploy"));
    let output = command
        .env_clear()
        .env("GITDEPLOY_TOKEN", token)
        .env("USER", "anna")
        .args(arguments)
        .args(["--server", &format!("http://{}", rig.address)])
        .output()
        .expect("the program runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

#[test]
fn status_shows_what_the_daemon_knows() {
    let rig = Rig::new(fleet());
    let (code, out, err) = run(&rig, &["status"]);
    assert_eq!(code, 0, "{err}");
    for words in ["4 of 9 steps done", "outside the window", "host web-3 is away", "4 stacks."] {
        assert!(out.contains(words), "{words}\n{out}");
    }
    let (_, out, _) = run(&rig, &["status", "--format", "json"]);
    let picture: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(picture["is_ready"], true);
}

#[test]
fn approve_approves_the_plan_that_was_seen() {
    let rig = Rig::new(fleet());
    let (code, out, err) = run(&rig, &["approve", "shop", "-y"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("+/- web"), "the plan is shown: {out}");
    let order = rig.orders().pop().expect("an order");
    assert_eq!((order.source, order.by.as_str()), (name("production"), "anna"));
    assert_eq!(order.kind, OrderKind::Approve(name("shop").into(), PlanId(PLAN.to_owned())));
}

#[test]
fn without_a_terminal_nothing_is_approved_unasked() {
    let rig = Rig::new(fleet());
    let (code, _, err) = run(&rig, &["approve", "shop"]);
    assert_eq!(code, 1);
    assert!(err.contains("--auto-approve"), "{err}");
    assert!(rig.orders().is_empty());
    let (code, _, err) = run(&rig, &["approve", "production/shop", PLAN]);
    assert_eq!(code, 0, "who names the plan has seen it: {err}");
}

#[test]
fn pause_resume_and_retry_reach_the_daemon() {
    let rig = Rig::new(fleet());
    let until = ["pause", "shop", "--reason", "a look", "--until", "2099-01-01T00:00:00Z"];
    for arguments in [&until[..], &["resume", "shop"], &["retry", "production/shop"]] {
        let (code, _, err) = run(&rig, arguments);
        assert_eq!(code, 0, "{err}");
    }
    let kinds: Vec<OrderKind> = rig.orders().into_iter().map(|order| order.kind).collect();
    let stack = || name("shop").into();
    let (until, reason) = (Some(4_070_908_800_000), "a look".to_owned());
    let pause = OrderKind::Pause { stack: stack(), until, reason };
    assert_eq!(kinds, [pause, OrderKind::Resume(stack()), OrderKind::Sync(stack())]);
}

#[test]
fn what_the_daemon_refuses_is_said_in_its_words() {
    let rig = Rig::new(fleet());
    let (code, _, err) = run(&rig, &["resume", "nowhere"]);
    assert_eq!(code, 1);
    assert!(err.contains("the daemon has no stack `nowhere`"), "{err}");
    rig.refuse(Refusal::Conflict("another plan waits".to_owned()));
    let (code, _, err) = run(&rig, &["approve", "shop", "9d1c"]);
    assert_eq!(code, 10, "{err}");
    assert!(err.contains("the daemon refuses: another plan waits"), "{err}");
}

#[test]
fn a_wrong_token_opens_nothing_and_is_not_said_back() {
    let rig = Rig::new(fleet());
    let (code, _, err) = run_with(&rig, &["status"], "a wrong token that is long enough");
    assert_eq!(code, 12, "{err}");
    assert!(err.contains("does not know the token") && !err.contains("long enough"), "{err}");
    let (code, _, err) = run_with(&rig, &["status"], "");
    assert_eq!(code, 1);
    assert!(err.contains("--token-file"), "{err}");
}

#[test]
fn a_daemon_that_is_away_is_said_to_be() {
    let rig = Rig::new(fleet());
    let mut command = Command::new(env!("CARGO_BIN_EXE_gitdeploy"));
    let arguments = ["status", "--server", "http://127.0.0.1:1"];
    let output = command.env_clear().env("GITDEPLOY_TOKEN", TOKEN).args(arguments).output();
    let output = output.expect("the program runs");
    assert_eq!(output.status.code(), Some(15));
    drop(rig);
}
