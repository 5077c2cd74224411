//! A real `sshd` on a free port of this machine, in front of the engine of this machine: a host
//! over SSH, as far as anybody can tell.

use std::fmt::Write as _;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::images::find;
use super::process::{Background, finish, signal};

const START_MAX: Duration = Duration::from_secs(60);

/// A server that runs until dropped. It lets in whoever has the key `guest` of its folder.
pub(crate) struct Sshd {
    pub(crate) port: u16,
    pub(crate) user: String,
    folder: PathBuf,
    process: Option<Background>,
}

impl Sshd {
    /// Starts one with its files in `folder`, which is made; `more` goes into its configuration.
    pub(crate) fn start(folder: &Path, more: &str) -> Self {
        fs::create_dir_all(folder).expect("a folder");
        // The system's package makes it when the service starts; only root needs it.
        fs::create_dir_all("/run/sshd").ok();
        for key in ["host", "guest"] {
            if !folder.join(key).exists() {
                keygen(&folder.join(key), "");
            }
        }
        let user = tool("id", &["-un"]).trim().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let shown = folder.display();
        let config = format!(
            "ListenAddress 127.0.0.1\nPort {port}\nHostKey {shown}/host\nPidFile none\nUsePAM no\n\
             StrictModes no\nAuthorizedKeysFile {shown}/guest.pub\nPermitRootLogin yes\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nLogLevel DEBUG\n\
             MaxStartups 100\n{more}\n"
        );
        fs::write(folder.join("config"), config).expect("a file");
        let mut server = Self { port, user, folder: folder.to_owned(), process: None };
        server.run();
        server
    }

    /// Starts it again where it was.
    pub(crate) fn run(&mut self) {
        let mut command = Command::new(find("sshd"));
        command.args(["-D", "-e", "-f"]).arg(self.folder.join("config"));
        self.process = Some(Background::start(&mut command, &self.folder.join("log")));
        let since = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(since.elapsed() < START_MAX, "sshd does not start:\n{}", self.log());
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// Ends it with all its connections.
    pub(crate) fn kill(&mut self) {
        let connections = self.connections();
        self.process = None;
        connections.into_iter().for_each(|pid| signal("KILL", pid));
    }

    /// Sends a signal to the processes of its connections, by its name without `SIG`.
    pub(crate) fn signal_connections(&self, name: &str) {
        self.connections().into_iter().for_each(|pid| signal(name, pid));
    }

    /// Sends a signal to the process that takes connections.
    pub(crate) fn signal(&self, name: &str) {
        self.process.as_ref().expect("a running server").signal(name);
    }

    /// The processes below the one that takes connections which are `sshd` too.
    pub(crate) fn connections(&self) -> Vec<u32> {
        let Some(process) = &self.process else { return Vec::new() };
        let mut found = vec![process.id()];
        let mut at = 0;
        while let Some(parent) = found.get(at).copied() {
            found.extend(children(parent));
            at += 1;
        }
        found.into_iter().skip(1).collect()
    }

    /// Gives it another host key.
    pub(crate) fn change_key(&mut self) {
        self.kill();
        fs::remove_file(self.folder.join("host")).expect("a key");
        keygen(&self.folder.join("host"), "");
        self.run();
    }

    /// `user@127.0.0.1:port`.
    pub(crate) fn authority(&self) -> String {
        format!("{}@127.0.0.1:{}", self.user, self.port)
    }

    /// Its name in `known_hosts`.
    pub(crate) fn name(&self) -> String {
        format!("[127.0.0.1]:{}", self.port)
    }

    /// Its line for `known_hosts`.
    pub(crate) fn line(&self) -> String {
        let key = fs::read_to_string(self.folder.join("host.pub")).expect("a public key");
        let key: Vec<&str> = key.split(' ').take(2).collect();
        format!("{} {}\n", self.name(), key.join(" "))
    }

    /// Its fingerprint as OpenSSH prints it.
    pub(crate) fn fingerprint(&self) -> String {
        let file = self.folder.join("host.pub").display().to_string();
        let said = tool("ssh-keygen", &["-lf", &file]);
        said.split(' ').nth(1).expect("a fingerprint").to_owned()
    }

    /// The private key that it lets in.
    pub(crate) fn guest(&self) -> PathBuf {
        self.folder.join("guest")
    }

    /// What it said.
    pub(crate) fn log(&self) -> String {
        let bytes = fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.kill();
    }
}

fn children(parent: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").expect("processes").flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        let Some((head, rest)) = stat.rsplit_once(") ") else { continue };
        let is_child = rest.split(' ').nth(1) == Some(&parent.to_string());
        if is_child && head.contains("sshd") {
            found.push(pid);
        }
    }
    found
}

/// Makes a key pair.
pub(crate) fn keygen(file: &Path, passphrase: &str) {
    let file = file.display().to_string();
    tool("ssh-keygen", &["-q", "-t", "ed25519", "-N", passphrase, "-f", &file]);
}

/// An agent with the keys of these files, until dropped.
pub(crate) struct SshAgent {
    pub(crate) socket: PathBuf,
    _process: Background,
}

impl SshAgent {
    pub(crate) fn with(folder: &Path, keys: &[PathBuf]) -> Self {
        let socket = folder.join("agent.sock");
        let mut command = Command::new(find("ssh-agent"));
        command.arg("-D").arg("-a").arg(&socket);
        let process = Background::start(&mut command, &folder.join("agent.log"));
        let since = Instant::now();
        while !socket.exists() {
            assert!(since.elapsed() < START_MAX, "ssh-agent does not start");
            thread::sleep(Duration::from_millis(10));
        }
        for key in keys {
            let mut add = Command::new(find("ssh-add"));
            add.arg("-q").arg(key).env("SSH_AUTH_SOCK", &socket);
            assert_eq!(finish(&mut add, Vec::new(), START_MAX).code, 0, "ssh-add");
        }
        Self { socket, _process: process }
    }
}

fn tool(name: &str, arguments: &[&str]) -> String {
    let ended = finish(Command::new(find(name)).args(arguments), Vec::new(), START_MAX);
    let mut words = ended.stderr.clone();
    write!(words, " ({})", ended.code).expect("text");
    assert_eq!(ended.code, 0, "{name}: {words}");
    ended.stdout
}
