//! The page in headless Chromium: with JavaScript and without, in the light and in the dark.
//!
//! `UPDATE_DOCS=1` keeps the screenshot for the guide.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use tempfile::TempDir;

use crate::fleet::fleet;
use crate::rig::{Rig, TOKEN};

/// A browser that takes longer is stuck.
const PATIENCE: Duration = Duration::from_secs(120);

struct Browser {
    profile: TempDir,
}

impl Browser {
    fn new() -> Self {
        Self { profile: tempfile::tempdir().expect("a folder") }
    }

    /// Runs it once; gives what it printed.
    fn run(&self, arguments: &[&str], address: &str) -> String {
        let out = self.profile.path().join("out");
        let mut command = Command::new("chromium");
        command
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-extensions", "--hide-scrollbars"])
            .args(["--disable-background-networking", "--disable-component-update"])
            .arg(format!("--user-data-dir={}", self.profile.path().join("profile").display()))
            .args(arguments)
            .arg(address)
            .stdin(Stdio::null())
            .stdout(fs::File::create(&out).expect("a file"))
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("chromium is installed: .ci/setup does it");
        let begin = Instant::now();
        while child.try_wait().expect("a state").is_none() {
            if begin.elapsed() > PATIENCE {
                child.kill().expect("it can be ended");
                panic!("chromium does not end");
            }
            thread::sleep(Duration::from_millis(50));
        }
        fs::read_to_string(&out).expect("text")
    }
}

/// The page with the login in its address, as a browser's user would give it when asked.
fn address(rig: &Rig, path: &str) -> String {
    let token = TOKEN.replace(' ', "%20");
    format!("http://anybody:{token}@{}{path}", rig.address)
}

const WITHOUT_SCRIPT: &str = "--blink-settings=scriptEnabled=false";

#[test]
fn the_page_is_whole_without_javascript() {
    let rig = Rig::new(fleet());
    let page = Browser::new().run(&["--dump-dom", WITHOUT_SCRIPT], &address(&rig, "/"));
    for words in [
        "web-3",
        "it did not answer within 5 s",
        "OutOfSync",
        "4 of 9 steps",
        "wait until acme-shop-web-1-7c1d is ready",
        "outside the window `office hours`",
        "web slot 2 on web-2: exited (137)",
        "the month is being closed",
        "rolled-back",
    ] {
        assert!(page.contains(words), "{words}\n{page}");
    }
    assert!(page.contains("http-equiv=\"refresh\""), "it loads itself anew");
}

#[test]
fn with_javascript_the_page_follows_without_being_loaded_anew() {
    let rig = Rig::new(fleet());
    let picture = rig.picture.clone();
    // As long as the browser is there, the rollout goes on.
    let ticking = rig.runtime().spawn(async move {
        for done in 5.. {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let mut next = fleet();
            let source = next.sources.values_mut().next().expect("a source");
            let shop = source.stacks.get_mut("shop").expect("a stack");
            let round = shop.running.as_mut().expect("a round");
            round.done = done;
            round.of = 1000;
            picture.send_replace(Arc::new(next));
        }
    });
    let wait = ["--dump-dom", "--timeout=8000"];
    let page = Browser::new().run(&wait, &address(&rig, "/"));
    ticking.abort();
    assert!(page.contains(">Live</p>"), "{page}");
    assert!(page.contains("of 1000 steps"), "{page}");
}

#[test]
fn a_stack_has_a_page_of_its_own() {
    let rig = Rig::new(fleet());
    let path = "/stacks/production/shop";
    let page = Browser::new().run(&["--dump-dom", WITHOUT_SCRIPT], &address(&rig, path));
    for words in ["Bigger cache", "4 replicas replaced, nothing lost.", "running (healthy)"] {
        assert!(page.contains(words), "{words}\n{page}");
    }
}

#[test]
fn it_is_drawn_with_its_style_in_the_light_and_in_the_dark() {
    let rig = Rig::new(fleet());
    let browser = Browser::new();
    let folder = tempfile::tempdir().expect("a folder");
    let mut pictures = Vec::new();
    for (name, mode) in [("light", "--window-size=1280,1180"), ("dark", "--force-dark-mode")] {
        let file = folder.path().join(format!("{name}.png"));
        let screenshot = format!("--screenshot={}", file.display());
        let arguments = [screenshot.as_str(), "--window-size=1280,1180", mode, "--timeout=3000"];
        browser.run(&arguments, &address(&rig, "/"));
        pictures.push(fs::read(&file).expect("a picture"));
    }
    assert!(pictures.iter().all(|picture| picture.starts_with(b"\x89PNG")));
    assert_ne!(pictures[0], pictures[1], "the two look alike");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let images = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images");
        fs::create_dir_all(&images).expect("a folder");
        fs::write(images.join("page.png"), &pictures[0]).expect("a file");
    }
}

#[test]
fn the_picture_in_the_guide_is_small() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/images/page.png");
    let length = fs::metadata(file).expect("the picture is there").len();
    assert!((10_000..300_000).contains(&length), "{length}");
}
