//! The daemon under a service manager: what it says on the socket, and the unit that starts it.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::rig::TOKEN;

/// The program, ended with the test.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn heard(socket: &UnixDatagram) -> String {
    let mut buffer = [0; 256];
    let length = socket.recv(&mut buffer).expect("a word");
    String::from_utf8_lossy(&buffer[..length]).into_owned()
}

fn git(folder: &Path, arguments: &[&str]) {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "user.name=a", "-c", "user.email=a@example.com"]);
    let output = command.args(arguments).output().expect("git runs");
    assert!(output.status.success(), "{output:?}");
}

fn signal(daemon: &Daemon, name: &str) {
    let status = Command::new("kill").args([name, &daemon.0.id().to_string()]).status();
    assert!(status.expect("kill runs").success());
}

#[test]
fn the_daemon_says_when_it_is_ready_alive_reloading_and_ending() {
    let folder = tempfile::tempdir().expect("a folder");
    let repository = folder.path().join("shop");
    fs::create_dir(&repository).expect("a folder");
    git(&repository, &["init", "-q", "-b", "main"]);
    // A host that never answers: the daemon works all the same.
    fs::write(repository.join("inventory.yaml"), "hosts: {a: {docker: unix:///nowhere}}\n")
        .expect("a file");
    fs::write(repository.join("compose.yaml"), "services: {web: {image: web}}\n").expect("a file");
    git(&repository, &["add", "-A"]);
    git(&repository, &["commit", "-q", "-m", "First"]);
    let config = folder.path().join("sync.yaml");
    let text = format!(
        "listen: 127.0.0.1:0\ntoken: {{env: TOKEN}}\nsources:\n  shop: {{repository: '{}', branch: main}}\n",
        repository.display()
    );
    fs::write(&config, &text).expect("a file");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a limit");
    let mut command = Command::new(env!("CARGO_BIN_EXE_gitdeploy"));
    command
        .env_clear()
        .env("HOME", folder.path())
        .env("TOKEN", TOKEN)
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "400000")
        .args(["sync", "--config"])
        .arg(&config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let daemon = Daemon(command.spawn().expect("the program starts"));
    assert_eq!(heard(&socket), "READY=1");
    for _ in 0..3 {
        assert_eq!(heard(&socket), "WATCHDOG=1");
    }
    signal(&daemon, "-HUP");
    let mut words = std::iter::from_fn(|| Some(heard(&socket))).filter(|it| it != "WATCHDOG=1");
    assert_eq!(words.next().as_deref(), Some("RELOADING=1"));
    assert_eq!(words.next().as_deref(), Some("READY=1"));
    signal(&daemon, "-TERM");
    assert_eq!(words.next().as_deref(), Some("STOPPING=1"));
    drop(words);
    let mut daemon = daemon;
    assert!(daemon.0.wait().expect("it ends").success());
}

#[test]
fn a_token_that_could_be_guessed_ends_the_daemon_before_it_begins() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = "listen: 127.0.0.1:0\ntoken: {env: TOKEN}\nsources: {a: {repository: ./a}}\n";
    fs::write(folder.path().join("sync.yaml"), text).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_gitdeploy"));
    command.env_clear().env("HOME", folder.path()).env("TOKEN", "guessable");
    let output = command.args(["sync", "--config", "sync.yaml"]).current_dir(folder.path());
    let output = output.output().expect("the program runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("fewer than 16 characters") && !said.contains("guessable"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

/// A folder of the project.
fn recipes() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/daemon")
}

#[test]
fn the_unit_is_one_that_systemd_understands() {
    let unit = fs::read_to_string(recipes().join("gitdeploy.service")).expect("text");
    for line in ["Type=notify", "WatchdogSec=60s", "ExecReload=/bin/kill -HUP $MAINPID"] {
        assert!(unit.lines().any(|it| it == line), "{line}");
    }
    // It looks for the program and the user, which are not here.
    let here = unit
        .replace("/usr/local/bin/gitdeploy", "/bin/true")
        .replace("User=gitdeploy\nGroup=gitdeploy\n", "");
    assert_eq!(complaints(&here), Vec::<String>::new());
    // Whoever finds nothing wrong with anything has understood nothing.
    let wrong = complaints(&here.replace("WatchdogSec=60s", "WatchdogSec=often"));
    assert!(wrong.iter().any(|line| line.contains("often")), "{wrong:#?}");
}

/// What systemd does not understand of a unit.
fn complaints(unit: &str) -> Vec<String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("gitdeploy.service");
    fs::write(&path, unit).expect("a file");
    let output = Command::new("systemd-analyze").arg("verify").arg(&path).output();
    let output = output.expect("systemd-analyze runs; `.ci/setup` installs it");
    let said = String::from_utf8_lossy(&output.stderr);
    let ours = said.lines().filter(|line| line.contains("gitdeploy.service"));
    ours.map(str::to_owned).collect()
}

#[test]
fn the_recipe_of_the_image_starts_the_daemon_as_nobody_special() {
    let recipe = fs::read_to_string(recipes().join("Dockerfile")).expect("text");
    for line in ["USER gitdeploy", "ENTRYPOINT [\"/usr/local/bin/gitdeploy\"]"] {
        assert!(recipe.lines().any(|it| it == line), "{line}");
    }
}
