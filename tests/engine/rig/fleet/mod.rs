//! Whole hosts: each a container with an engine, an SSH server, nginx and HAProxy of its own.
//!
//! They stand in one network with fixed addresses, so that a host that was killed comes back as the
//! one it was. All of it goes with the fleet.

mod image;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::process::{docker, finish, try_docker};
use super::proxies::Kind;

/// How long a host may take until its engine and its SSH server answer.
const START_MAX: Duration = Duration::from_secs(120);
/// How long a command on a host may take.
const RUN_MAX: Duration = Duration::from_secs(60);

/// A host of this name has a disk that can be filled, and loses it with its power.
pub(crate) const SMALL: &str = "small";
/// What fills it.
const FILLER: &str = "/var/lib/docker/filler";

/// Hosts that run until dropped.
pub(crate) struct Fleet {
    /// In the order they were asked for.
    pub(crate) hosts: Vec<TestHost>,
    network: String,
    folder: PathBuf,
}

/// One host.
pub(crate) struct TestHost {
    /// Its name in the inventory.
    pub(crate) name: String,
    pub(crate) address: Ipv4Addr,
    container: String,
    network: String,
}

impl Fleet {
    /// Starts hosts of these names, in networks and containers that bear the name `project`; keys
    /// are kept in `folder`.
    pub(crate) fn start(project: &str, names: &[&str], folder: &Path) -> Self {
        let image = image::host_image();
        let (network, prefix) = make_network(project);
        keygen(&folder.join("key"));
        let public = fs::read_to_string(folder.join("key.pub")).expect("a public key");
        let mut fleet = Self { hosts: Vec::new(), network, folder: folder.to_owned() };
        for (name, last) in names.iter().zip(11..) {
            let [a, b, c] = prefix;
            fleet.hosts.push(TestHost {
                name: (*name).to_owned(),
                address: Ipv4Addr::new(a, b, c, last),
                container: format!("{project}-{name}"),
                network: fleet.network.clone(),
            });
        }
        for host in &fleet.hosts {
            host.create(project, image, &public);
        }
        fleet.hosts.iter().for_each(TestHost::wait);
        let known: String = fleet.hosts.iter().map(TestHost::known).collect();
        fs::write(folder.join("known_hosts"), known).expect("a file");
        fleet
    }

    /// The host of this name.
    pub(crate) fn host(&self, name: &str) -> &TestHost {
        self.hosts.iter().find(|host| host.name == name).expect("a host of the fleet")
    }

    /// An entry below `hosts:` of an inventory for each, with `more` lines of `name` in it.
    pub(crate) fn inventory(&self, more: impl Fn(&str) -> String) -> String {
        let folder = self.folder.display();
        let entry = |host: &TestHost| {
            let TestHost { name, address, .. } = host;
            format!(
                "  {name}:\n    docker: ssh://root@{address}\n    ssh: {{identity: {folder}/key, \
                 known_hosts: {folder}/known_hosts}}\n{}",
                more(name)
            )
        };
        self.hosts.iter().map(entry).collect()
    }

    /// Brings an image of this machine's engine to all hosts, under the same name.
    pub(crate) fn load(&self, image: &str) {
        let file = self.folder.join("image.tar");
        docker(&["save", "-o", &file.display().to_string(), image]);
        let bytes = fs::read(&file).expect("an image");
        thread::scope(|scope| {
            for host in &self.hosts {
                let bytes = bytes.clone();
                scope.spawn(move || host.load(bytes));
            }
        });
    }
}

impl TestHost {
    fn create(&self, project: &str, image: &str, key: &str) {
        let label = format!("gitdeploy-test={project}");
        let address = self.address.to_string();
        let mut run = vec!["run", "-d", "--name", &self.container, "--hostname", &self.name];
        run.extend(["--label", &label, "--network", &self.network, "--ip", &address]);
        // What an engine inside a container needs; all rights (`--privileged`) are refused where
        // the machine itself lacks one of them.
        run.extend(["--cap-add", "ALL", "--cap-drop", "SYS_RESOURCE"]);
        run.extend(["--security-opt", "seccomp=unconfined"]);
        run.extend(["--security-opt", "systempaths=unconfined", "--cgroupns", "private"]);
        let key = format!("KEY={}", key.trim_end());
        if self.name == SMALL {
            run.extend(["-e", "DISK=400m"]);
        }
        run.extend(["-e", &key, "-v", "/var/lib/docker", image]);
        docker(&run);
    }

    /// Waits until engine and SSH server answer.
    pub(crate) fn wait(&self) {
        let since = Instant::now();
        let ssh = SocketAddr::from((self.address, 22));
        loop {
            let engine = self.try_run(&["docker", "version", "-f", "{{.Server.Version}}"]);
            let reached = TcpStream::connect_timeout(&ssh, Duration::from_secs(1));
            if engine.is_ok() && reached.is_ok() {
                return;
            }
            let log = || self.try_run(&["tail", "-n", "20", "/var/log/dockerd"]);
            assert!(since.elapsed() < START_MAX, "{} does not start: {:?}", self.name, log());
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn known(&self) -> String {
        let key = self.run(&["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]);
        format!("{} {key}\n", self.address)
    }

    /// Runs a command on the host; gives its output without the last line end.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        let output = self.try_run(arguments);
        output.unwrap_or_else(|problem| panic!("{problem}")).trim_end().to_owned()
    }

    /// The same, for what may fail.
    pub(crate) fn try_run(&self, arguments: &[&str]) -> Result<String, String> {
        let all = [&["exec", &self.container][..], arguments].concat();
        try_docker(&all, Vec::new())
    }

    /// Docker's command on the host's own engine.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        self.run(&[&["docker"], arguments].concat())
    }

    fn load(&self, image: Vec<u8>) {
        let load = ["exec", "-i", &self.container, "docker", "load"];
        try_docker(&load, image).unwrap_or_else(|problem| panic!("{problem}"));
    }

    /// Starts a proxy with its owner's configuration, as a service of the host.
    pub(crate) fn start_proxy(&self, kind: Kind) {
        let name = match kind {
            Kind::Nginx => "nginx",
            Kind::Haproxy => "haproxy",
        };
        // Marked, so that it comes back when the host does.
        self.run(&["touch", &format!("/etc/{name}/enabled")]);
        self.run(&["systemctl", "start", name]);
    }

    /// Takes the host away, as a power cut would.
    pub(crate) fn kill(&self) {
        docker(&["kill", &self.container]);
    }

    /// Brings it back after [`TestHost::kill`].
    pub(crate) fn revive(&self) {
        docker(&["start", &self.container]);
        self.wait();
    }

    /// Freezes all its processes: connections stay and nothing answers.
    pub(crate) fn freeze(&self) {
        docker(&["pause", &self.container]);
    }

    /// Ends [`TestHost::freeze`].
    pub(crate) fn thaw(&self) {
        docker(&["unpause", &self.container]);
    }

    /// Leaves no room on the disk of its engine.
    pub(crate) fn fill_disk(&self) {
        assert_eq!(self.name, SMALL, "other disks are the machine's own");
        // It ends when there is no room left, which is an error to it.
        drop(self.try_run(&["dd", "if=/dev/zero", &format!("of={FILLER}"), "bs=65536"]));
    }

    /// Ends [`TestHost::fill_disk`].
    pub(crate) fn empty_disk(&self) {
        self.run(&["rm", FILLER]);
    }

    /// Lets nothing come in at its SSH server any more, also on connections that are open; all else
    /// goes on.
    pub(crate) fn cut_ssh(&self) {
        self.run(&["iptables", "-w", "-I", "INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP"]);
    }

    /// Ends [`TestHost::cut_ssh`].
    pub(crate) fn mend_ssh(&self) {
        self.run(&["iptables", "-w", "-D", "INPUT", "-p", "tcp", "--dport", "22", "-j", "DROP"]);
        self.wait();
    }

    /// Takes its cable out.
    pub(crate) fn unplug(&self) {
        docker(&["network", "disconnect", &self.network, &self.container]);
    }

    /// Puts it back in.
    pub(crate) fn plug(&self) {
        let address = self.address.to_string();
        docker(&["network", "connect", "--ip", &address, &self.network, &self.container]);
        self.wait();
    }

    /// Ends the engine and starts it again; its containers are started anew as their policies say.
    pub(crate) fn restart_engine(&self) {
        self.run(&["systemctl", "restart", "docker"]);
        self.wait();
    }

    /// Ends the SSH server with all its sessions and starts it again.
    pub(crate) fn restart_ssh(&self) {
        self.run(&["systemctl", "restart", "ssh"]);
        self.wait();
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for host in &self.hosts {
            drop(try_docker(&["rm", "-fv", &host.container], Vec::new()));
        }
        drop(try_docker(&["network", "rm", &self.network], Vec::new()));
    }
}

/// A network of this name with 256 addresses that no other network of the engine has.
fn make_network(project: &str) -> (String, [u8; 3]) {
    let name = format!("{project}-hosts");
    let start = std::process::id() % 200;
    for nth in 0..200 {
        let third = u8::try_from((start + nth) % 200).expect("a small number");
        let subnet = format!("10.213.{third}.0/24");
        let label = format!("gitdeploy-test={project}");
        let create = ["network", "create", "--label", &label, "--subnet", &subnet, &name];
        match try_docker(&create, Vec::new()) {
            Ok(_) => return (name, [10, 213, third]),
            Err(problem) => assert!(problem.contains("overlap"), "{problem}"),
        }
    }
    panic!("no free network for test hosts");
}

fn keygen(file: &Path) {
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]).arg(file);
    assert_eq!(finish(&mut command, Vec::new(), RUN_MAX).code, 0, "a key");
}
