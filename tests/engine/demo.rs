//! The demo does what it says, leaves nothing behind, and prints what the documents show.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use regex::Regex;

use super::rig::{alone, docker, finish};

/// How long the demo may take.
const DEMO_MAX: Duration = Duration::from_secs(600);

/// What the demo's things on an engine are called.
const PROJECT: &str = "gitdeploy-demo";

fn demo(part: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(root.join("fixtures/demo").join(part));
    command.env("GITDEPLOY", env!("CARGO_BIN_EXE_gitdeploy")).env_remove("GITDEPLOY_DEMO_ENGINE");
    command
}

#[test]
fn the_demo_loses_no_request_and_prints_what_the_documents_show() {
    let _alone = alone();
    let live = finish(&mut demo("run"), Vec::new(), DEMO_MAX);
    live.succeeded();
    assert_nothing_left();
    let last = live.stdout.lines().last().expect("a last line");
    assert!(last.starts_with("sent ") && last.contains(", failed 0, "), "{last}");
    let simulated = finish(&mut demo("simulated"), Vec::new(), DEMO_MAX);
    simulated.succeeded();
    let printed = [live.stdout, live.stderr, simulated.stdout, simulated.stderr].join("\n");
    let printed = without_accidents(&printed);
    for page in ["README.md", "docs/guide.md"] {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let text = fs::read_to_string(root.join(page)).expect("a page");
        for picture in pictures(&text) {
            let is_there = printed.windows(picture.len()).any(|lines| lines == picture);
            assert!(is_there, "{page} shows what the demo does not print:\n{}", picture.join("\n"));
        }
    }
}

#[test]
fn an_interrupted_demo_leaves_nothing_behind() {
    let _alone = alone();
    let mut live = demo("live").stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("bash");
    let since = Instant::now();
    while docker(&["ps", "-q", "--filter", &label()]).is_empty() {
        assert!(since.elapsed() < Duration::from_secs(90), "the demo starts no container");
        thread::sleep(Duration::from_millis(50));
    }
    terminate(live.id());
    let since = Instant::now();
    while live.try_wait().expect("a child can be asked").is_none() {
        assert!(since.elapsed() < Duration::from_secs(90), "the demo does not end");
        thread::sleep(Duration::from_millis(50));
    }
    assert_nothing_left();
}

fn terminate(id: u32) {
    let mut kill = Command::new("sh");
    kill.args(["-c", "kill -s TERM \"$0\"", &id.to_string()]);
    finish(&mut kill, Vec::new(), Duration::from_secs(60)).succeeded();
}

fn label() -> String {
    format!("label=gitdeploy.project={PROJECT}")
}

fn assert_nothing_left() {
    let filter = label();
    for list in [&["ps", "-aq"][..], &["network", "ls", "-q"], &["volume", "ls", "-q"]] {
        let left = docker(&[list, &["--filter", &filter]].concat());
        assert_eq!(left, "", "{list:?}");
    }
    assert_eq!(docker(&["images", "-q", &format!("{PROJECT}/*")]), "");
}

/// The text line by line without what differs from run to run: hashes, temporary folders, ports,
/// how long something took.
fn without_accidents(text: &str) -> Vec<String> {
    let accidents = [
        (r"\b(sha256:[0-9a-f]{12}|[0-9a-f]{7}|[0-9a-f]{12}|[0-9a-f]{16})\b", "HASH"),
        (r"-[0-9a-f]{6}\b", "-HASH"),
        (r"/tmp/[^/ ]+", "FOLDER"),
        (r"\b2\d{4}\b", "PORT"),
        (r"\b\d+(\.\d+)? s\b", "TIME"),
    ];
    let accidents = accidents.map(|(it, word)| (Regex::new(it).expect("an expression"), word));
    let line = |line: &str| {
        let mut line = line.trim_end().to_owned();
        for (accident, word) in &accidents {
            line = accident.replace_all(&line, *word).into_owned();
        }
        line
    };
    text.lines().map(line).collect()
}

/// The output in the `console` blocks of a page, block by block.
fn pictures(page: &str) -> Vec<Vec<String>> {
    let blocks = page.split("```console\n").skip(1);
    let blocks = blocks.map(|rest| rest.split("```").next().unwrap_or_default());
    blocks
        .map(|block| {
            let output: Vec<&str> = block.lines().filter(|line| !line.starts_with("$ ")).collect();
            without_accidents(output.join("\n").trim())
        })
        .filter(|block| block.iter().any(|line| !line.is_empty()))
        .collect()
}
