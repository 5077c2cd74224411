//! The demo where there is no engine.

use std::path::Path;
use std::process::Command;

#[test]
fn without_an_engine_the_demo_plays_the_same_story() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new(root.join("fixtures/demo/run"))
        .env("GITDEPLOY", env!("CARGO_BIN_EXE_gitdeploy"))
        .env("GITDEPLOY_DEMO_ENGINE", "none")
        .output()
        .expect("bash");
    let text = String::from_utf8(output.stdout).expect("text");
    let errors = String::from_utf8(output.stderr).expect("text");
    assert!(output.status.success(), "{text}\n{errors}");
    for part in [
        "Plan: 5 to create, 2 to change, 5 to remove. Downtime: store/db about",
        "What if, at any moment",
        "gitdeploy-demo/shop:1.1 never gets ready",
        "\nrolled back, ",
        "\nkilled, then done, ",
    ] {
        assert!(text.contains(part), "no `{part}` in {text}\n{errors}");
    }
    let sent: Vec<&str> = text.lines().filter(|line| line.contains(" requests sent, ")).collect();
    assert!(sent.len() >= 4, "{text}");
    assert!(sent.iter().all(|line| line.ends_with(" requests sent, 0 failed.")), "{sent:?}");
}
