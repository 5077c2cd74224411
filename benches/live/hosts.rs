//! Three real hosts over SSH, with ten containers each, looked at by whole processes.
//!
//! `status` asks all of them at once; beside it, the slowest of them asked alone, what the `docker`
//! command asks of the same three through its own `ssh://`, and Ansible's module for Docker where it
//! is installed (`ansible`, with its collection `community.docker`).
//!
//! The three share the processors of one machine with us, which real hosts do not: what is added by
//! asking three is their work, one after the other. So all is asked twice, at once and through
//! relays that add the round trip of a network.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::rig::{Fleet, Relay, Variant, World};
use crate::{head, median, row};

const HOSTS: [&str; 3] = ["one", "two", "three"];
const REPLICAS: usize = 30;
const RUNS: usize = 7;
/// As between places of one country.
const ROUND_TRIP: Duration = Duration::from_millis(20);

pub(crate) fn looks() {
    println!("\n{REPLICAS} containers on three hosts over SSH; median of {RUNS}\n");
    let mut world = World::new("bench-hosts");
    let fleet = Fleet::start(&world.project, &HOSTS, world.folder());
    let image = world.tag("one", Variant::V1);
    fleet.load(&image);
    let entries = |inventory: &str| HOSTS.map(|name| only(inventory, name));
    let near = entries(&fleet.inventory(|_| String::new()));
    world.write(
        "stacks/many/compose.yaml",
        format!("services:\n  web:\n    image: {image}\n    deploy: {{replicas: {REPLICAS}}}\n"),
    );
    commit(&world, &near);
    world.run(&["apply", "-y"]).succeeded();
    let others = Others::new(&world, &fleet);
    let (mut cli, mut ansible) = (Vec::new(), Vec::new());
    let (all, slowest) = compared(&world, &near, || {
        cli.push(others.docker());
        ansible.extend(others.ansible());
    });
    let relays = HOSTS.map(|name| {
        let ssh = SocketAddr::new(fleet.host(name).address.into(), 22);
        Relay::start(ssh, ROUND_TRIP)
    });
    let far = entries(&through(&world, &fleet, &relays));
    let (far, far_slowest) = compared(&world, &far, || {});
    head();
    row("`status`, against the slowest alone", all, slowest, Some(1.3));
    let name = format!("the same, {} ms away", ROUND_TRIP.as_millis());
    row(&name, far, far_slowest, Some(1.3));
    row("near, against `docker -H ssh://`", all, median(cli), None);
    match ansible.is_empty() {
        true => println!("  Ansible is not installed here, and is not compared with"),
        false => row("near, against Ansible", all, median(ansible), None),
    }
}

fn commit(world: &World, entries: &[String]) {
    world.write("inventory.yaml", format!("hosts:\n{}", entries.concat()));
    world.commit("other hosts");
}

/// What a look at all hosts takes, and one at the slowest of them; `more` is done in turns with it,
/// so that what else the machine does meets all of them.
fn compared(world: &World, entries: &[String], mut more: impl FnMut()) -> (Duration, Duration) {
    let (mut all, mut alone) = (Vec::new(), vec![Vec::new(); entries.len()]);
    for _ in 0..RUNS {
        for (entry, times) in entries.iter().zip(&mut alone) {
            commit(world, std::slice::from_ref(entry));
            times.push(world.run(&["status"]).succeeded().took);
        }
        commit(world, entries);
        all.push(world.run(&["status"]).succeeded().took);
        more();
    }
    (median(all), alone.into_iter().map(median).max().expect("some hosts"))
}

/// The inventory of hosts that are reached through relays, and are known by their names there.
fn through(world: &World, fleet: &Fleet, relays: &[Relay]) -> String {
    let mut inventory = fleet.inventory(|_| String::new());
    let known = world.folder().join("known_hosts");
    let mut keys = fs::read_to_string(&known).expect("a file");
    for (name, relay) in HOSTS.iter().zip(relays) {
        let (old, port) = (fleet.host(name).address.to_string(), relay.address.port());
        inventory = inventory.replace(&format!("@{old}\n"), &format!("@127.0.0.1:{port}\n"));
        let key = keys.lines().find_map(|line| line.strip_prefix(&format!("{old} ")));
        let line = format!("[127.0.0.1]:{port} {}\n", key.expect("a key"));
        keys.push_str(&line);
    }
    fs::write(known, keys).expect("a file");
    inventory
}

/// The entry of one host.
fn only(entries: &str, name: &str) -> String {
    let begin = entries.find(&format!("  {name}:\n")).expect("an entry");
    let rest = &entries[begin..];
    let next = rest.match_indices("\n  ").map(|(at, _)| at + 1);
    let end = next.into_iter().find(|at| !rest[*at..].starts_with("   ")).unwrap_or(rest.len());
    rest[..end].to_owned()
}

/// Other programs, and how they get to the same hosts.
struct Others {
    /// Holds an `ssh` that knows the key and the hosts.
    programs: PathBuf,
    addresses: Vec<String>,
}

impl Others {
    fn new(world: &World, fleet: &Fleet) -> Self {
        let folder = world.folder();
        let programs = folder.join("programs");
        fs::create_dir_all(&programs).expect("a folder");
        let ssh = programs.join("ssh");
        let real = real_ssh();
        let at = folder.display();
        let text = format!(
            "#!/bin/sh\nexec {} -i {at}/key -o UserKnownHostsFile={at}/known_hosts \"$@\"\n",
            real.display()
        );
        fs::write(&ssh, text).expect("a program");
        fs::set_permissions(&ssh, fs::Permissions::from_mode(0o755)).expect("a program");
        let addresses = HOSTS.map(|name| fleet.host(name).address.to_string());
        Self { programs, addresses: addresses.into() }
    }

    fn command(&self, program: &str) -> Command {
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new(program);
        command.env("PATH", format!("{}:{path}", self.programs.display()));
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// All containers of all hosts in detail, the hosts at once.
    fn docker(&self) -> Duration {
        let begin = Instant::now();
        let running = self.addresses.iter().map(|address| {
            let script = "docker inspect $(docker ps -aq)";
            let mut command = self.command("sh");
            command.args(["-c", script]).env("DOCKER_HOST", format!("ssh://root@{address}"));
            command.spawn().expect("a shell")
        });
        for mut child in running.collect::<Vec<_>>() {
            assert!(child.wait().expect("an end").success(), "the docker command failed");
        }
        begin.elapsed()
    }

    /// The list of containers of all hosts, the hosts at once; `None` where there is no Ansible.
    fn ansible(&self) -> Option<Duration> {
        let hosts: Vec<String> = self.addresses.iter().map(|it| format!("{it},")).collect();
        let begin = Instant::now();
        let mut command = self.command("ansible");
        command.args(["all", "-c", "local", "-i", &hosts.concat()]);
        command.args(["-e", "ansible_python_interpreter=auto_silent"]);
        command.args(["-m", "community.docker.docker_host_info", "-a"]);
        command.arg(
            "docker_host=ssh://root@{{inventory_hostname}} use_ssh_client=true containers=true \
             networks=true volumes=true verbose_output=true",
        );
        let ended = command.status().ok()?;
        assert!(ended.success(), "Ansible failed");
        Some(begin.elapsed())
    }
}

fn real_ssh() -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    let found = path.split(':').map(|folder| Path::new(folder).join("ssh"));
    found.into_iter().find(|file| file.is_file()).expect("ssh is installed")
}
