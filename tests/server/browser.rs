//! The page in headless Chromium: with JavaScript and without, in the light and in the dark.
//!
//! `UPDATE_DOCS=1` keeps the screenshot for the guide.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{fs, thread};

use tempfile::TempDir;

use crate::fleet::fleet;
use crate::rig::{Rig, TOKEN};

/// A browser that takes longer is stuck.
const PATIENCE: Duration = Duration::from_secs(120);

/// How long one question may take: a browser that has just started may forget one.
const ANSWER: Duration = Duration::from_secs(5);

struct Browser {
    profile: TempDir,
}

impl Browser {
    fn new() -> Self {
        Self { profile: tempfile::tempdir().expect("a folder") }
    }

    /// One whose user has switched JavaScript off.
    fn without_script() -> Self {
        let browser = Self::new();
        let folder = browser.profile.path().join("profile/Default");
        fs::create_dir_all(&folder).expect("a folder");
        let off = r#"{"profile":{"default_content_setting_values":{"javascript":2}}}"#;
        fs::write(folder.join("Preferences"), off).expect("a file");
        browser
    }

    /// Runs it once; gives what it printed.
    fn run(&self, arguments: &[&str], address: &str) -> String {
        let out = self.profile.path().join("out");
        let mut open =
            self.open(arguments, address, fs::File::create(&out).expect("a file").into());
        until("chromium ends", || open.0.try_wait().expect("a state"));
        fs::read_to_string(&out).expect("text")
    }

    fn open(&self, arguments: &[&str], address: &str, out: Stdio) -> Open {
        let profile = format!("--user-data-dir={}", self.profile.path().join("profile").display());
        let mut command = Command::new("chromium");
        command
            .args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
            .args(["--no-first-run", "--disable-extensions", "--hide-scrollbars"])
            .args(["--disable-background-networking", "--disable-component-update"])
            .arg(profile)
            .args(arguments)
            .arg(address)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(Stdio::null());
        Open(command.spawn().expect("chromium is installed: .ci/setup does it"))
    }

    /// The titles of the pages that are open.
    fn titles(&self) -> Option<String> {
        let port =
            fs::read_to_string(self.profile.path().join("profile/DevToolsActivePort")).ok()?;
        let mut stream = TcpStream::connect(format!("127.0.0.1:{}", port.lines().next()?)).ok()?;
        stream.set_read_timeout(Some(ANSWER)).ok()?;
        let ask = b"GET /json/list HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
        stream.write_all(ask).ok()?;
        answer(&mut stream)
    }
}

/// One answer, by its own length: the browser may leave the connection open behind it.
fn answer(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length:"))?;
            if body.len() >= length.trim().parse().ok()? {
                return Some(body.to_owned());
            }
        }
        let mut piece = [0; 4096];
        match stream.read(&mut piece).ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&piece[..count]),
        }
    }
}

/// A browser that ends with the test, however it ends.
struct Open(Child);

impl Drop for Open {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Looks again and again.
fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begin.elapsed() < PATIENCE, "it never happens that {what}");
        thread::sleep(Duration::from_millis(20));
    }
}

/// The page with the login in its address, as a browser's user would give it when asked.
fn address(rig: &Rig, path: &str) -> String {
    let token = TOKEN.replace(' ', "%20");
    format!("http://anybody:{token}@{}{path}", rig.address)
}

#[test]
fn the_page_is_whole_without_javascript() {
    let rig = Rig::new(fleet());
    let page = Browser::without_script().run(&["--dump-dom"], &address(&rig, "/"));
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
    let browser = Browser::new();
    let arguments = ["--remote-debugging-port=0"];
    let _open = browser.open(&arguments, &address(&rig, "/"), Stdio::null());
    let shows = |words: &str| browser.titles().filter(|titles| titles.contains(words)).map(drop);
    until("the page is open", || shows("shop 4 of 9"));
    for done in 5..8 {
        let mut next = fleet();
        let source = next.sources.values_mut().next().expect("a source");
        let shop = source.stacks.values_mut().find_map(|it| it.running.as_mut());
        shop.expect("a round").done = done;
        rig.picture.send_replace(Arc::new(next));
        until("the page follows", || shows(&format!("shop {done} of 9")));
    }
}

#[test]
fn a_stack_has_a_page_of_its_own() {
    let rig = Rig::new(fleet());
    let path = "/stacks/production/shop";
    let page = Browser::without_script().run(&["--dump-dom"], &address(&rig, path));
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
