//! A real `sshd` on a free port of this machine, and a home folder to visit it from.
//!
//! Everything is in one temporary folder; the server ends with the value.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use crate::environment::{COMPOSE, Repo, Run, run_in};

/// A server with one repository, and a visitor's home folder.
pub(super) struct SshServer {
    folder: TempDir,
    pub(super) repo: Repo,
    port: u16,
    child: Child,
}

impl Drop for SshServer {
    fn drop(&mut self) {
        self.end();
    }
}

impl SshServer {
    /// A server with host keys of these kinds that lets the key of [`SshServer::make_key`] in.
    pub(super) fn start(kinds: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir_all(folder.path().join("home/.ssh")).expect("a folder");
        for kind in kinds {
            keygen(&folder.path().join(format!("host_{kind}")), kind, "");
        }
        keygen(&folder.path().join("guest"), "ed25519", "");
        let (port, child) = run_sshd(folder.path(), kinds);
        Self { folder, repo: Repo::with(&[("compose.yaml", COMPOSE)]), port, child }
    }

    /// The same, with its `ed25519` key known and the right key in `~/.ssh`.
    pub(super) fn trusted() -> Self {
        let server = Self::start(&["ed25519"]);
        server.know(&server.line("ed25519"));
        server.give_key("id_ed25519");
        server
    }

    pub(super) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Puts the key that is let in under this name into `~/.ssh`.
    pub(super) fn give_key(&self, name: &str) -> PathBuf {
        let file = self.home().join(".ssh").join(name);
        fs::copy(self.folder.path().join("guest"), &file).expect("a key");
        file
    }

    /// Makes `~/.ssh/known_hosts`.
    pub(super) fn know(&self, text: &str) {
        fs::write(self.known_hosts(), text).expect("a file");
    }

    pub(super) fn known_hosts(&self) -> PathBuf {
        self.home().join(".ssh/known_hosts")
    }

    /// The host's public key of this kind: `ssh-ed25519 AAAA…`.
    pub(super) fn key(&self, kind: &str) -> String {
        let file = self.folder.path().join(format!("host_{kind}.pub"));
        let bytes = fs::read(file).expect("a public key");
        let text = String::from_utf8(bytes).expect("text");
        text.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    /// The name of the host at its port, as `known_hosts` has it.
    pub(super) fn name(&self) -> String {
        format!("[127.0.0.1]:{}", self.port)
    }

    /// The line for `known_hosts`.
    pub(super) fn line(&self, kind: &str) -> String {
        format!("{} {}\n", self.name(), self.key(kind))
    }

    /// The fingerprint as OpenSSH prints it.
    pub(super) fn fingerprint(&self, kind: &str) -> String {
        let file = self.folder.path().join(format!("host_{kind}.pub"));
        let output = output(tool("ssh-keygen").arg("-lf").arg(file));
        output.split(' ').nth(1).expect("a fingerprint").to_owned()
    }

    pub(super) fn url(&self, path: &Path) -> String {
        let user = output(tool("id").arg("-un"));
        format!("ssh://{}@127.0.0.1:{}{}", user.trim(), self.port, path.display())
    }

    pub(super) fn fetch(&self) -> Run {
        self.fetch_with(&[])
    }

    pub(super) fn fetch_with(&self, variables: &[(&str, &str)]) -> Run {
        self.fetch_path(&self.repo.path(), variables)
    }

    pub(super) fn fetch_path(&self, path: &Path, variables: &[(&str, &str)]) -> Run {
        run_in(&self.home(), &["render", "--repo", &self.url(path)], variables, "")
    }

    /// The number of objects in each pack of the mirror.
    pub(super) fn received(&self) -> Vec<u32> {
        let repos = fs::read_dir(self.home().join(".cache/gitdeploy/repos")).expect("a folder");
        let packs = repos.flatten().map(|entry| entry.path().join("objects/pack"));
        let files = packs.flat_map(fs::read_dir).flat_map(Iterator::flatten);
        files
            .map(|entry| entry.path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "idx"))
            .map(|path| objects(&path))
            .collect()
    }

    /// Ends the server.
    pub(super) fn end(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Makes the server silent: connections stand, and nobody speaks.
    pub(super) fn stop(&self) {
        output(tool("kill").args(["-STOP", &self.child.id().to_string()]));
    }
}

/// The number of objects in a pack, as its index says: the last entry of the fan-out table.
fn objects(index: &Path) -> u32 {
    let bytes = fs::read(index).expect("an index");
    let last = bytes.get(1028..1032).expect("a table").try_into().expect("four bytes");
    u32::from_be_bytes(last)
}

/// Makes a key pair.
pub(super) fn keygen(file: &Path, kind: &str, passphrase: &str) {
    output(tool("ssh-keygen").args(["-q", "-t", kind, "-N", passphrase, "-f"]).arg(file));
}

fn run_sshd(folder: &Path, kinds: &[&str]) -> (u16, Child) {
    let program = ["/usr/sbin/sshd", "/usr/bin/sshd", "/usr/local/sbin/sshd"]
        .into_iter()
        .find(|path| Path::new(path).exists())
        .expect("this test needs sshd: run `.ci/setup`");
    // The system's package makes it when the service starts; only root needs it.
    fs::create_dir_all("/run/sshd").ok();
    let shown = folder.display();
    let keys: String = kinds.iter().map(|kind| format!("HostKey {shown}/host_{kind}\n")).collect();
    let path = std::env::var_os("PATH").expect("a PATH").into_string().expect("text");
    for _ in 0..5 {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\n{keys}PidFile {shown}/pid\nUsePAM no\n\
             StrictModes no\nAuthorizedKeysFile {shown}/guest.pub\nPermitRootLogin yes\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nSetEnv PATH={path}\n"
        );
        fs::write(folder.join("config"), config).expect("a file");
        let log = fs::File::create(folder.join("log")).expect("a file");
        let mut child = Command::new(program)
            .args(["-D", "-e", "-f"])
            .arg(folder.join("config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("sshd starts");
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return (port, child);
            }
            if child.try_wait().expect("a status").is_some() {
                break;
            }
            thread::sleep(Duration::from_millis(10));
        }
        child.kill().ok();
        child.wait().ok();
    }
    let log = fs::read(folder.join("log")).unwrap_or_default();
    panic!("sshd did not start: {}", String::from_utf8_lossy(&log));
}

/// A program that `.ci/setup` installs.
pub(super) fn tool(name: &str) -> Command {
    Command::new(name)
}

/// What a program prints; it must succeed.
pub(super) fn output(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| {
        panic!("{command:?} does not run: {error}; run `.ci/setup`");
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).expect("text")
}
