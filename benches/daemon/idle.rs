//! The real program with nothing to do: 50 stacks on three hosts with engines of their own, over SSH.
//!
//! It asks its repository and its hosts as often as when nothing is said, listens to their events,
//! and answers HTTP; nobody pushes and nothing dies.

use std::net::{SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use crate::measure::{memory_of, work_of};
use crate::rig::{Background, Fleet, Variant, World, get};
use crate::row;

const HOSTS: [&str; 3] = ["one", "two", "three"];
const STACKS: usize = 50;
const READY_MAX: Duration = Duration::from_secs(60);
const END_MAX: Duration = Duration::from_secs(60);

/// Measures a daemon for a while.
pub(crate) fn idle(time: Duration) {
    println!("\n{STACKS} stacks on three hosts over SSH, idle for {} s\n", time.as_secs());
    let mut world = World::new("bench-idle");
    let fleet = Fleet::start(&world.project, &HOSTS, world.folder());
    let image = world.tag("one", Variant::V1);
    fleet.load(&image);
    let hosts = fleet.inventory(|_| String::new());
    world.write("inventory.yaml", format!("hosts:\n{hosts}"));
    for number in 0..STACKS {
        let host = HOSTS[number % HOSTS.len()];
        let text = format!(
            "services:\n  web:\n    image: {image}\n    deploy: {{placement: {{constraints: \
             [node.hostname == {host}]}}}}\n"
        );
        world.write(&format!("stacks/s{number}/compose.yaml"), text);
    }
    world.commit("many");
    world.run(&["apply", "-y"]).succeeded();
    let (daemon, address) = start(&world);
    wait(address);
    let (process, began) = (daemon.id().to_string(), Instant::now());
    let before = work_of(&process);
    // What a start needs is not what it needs from then on.
    std::thread::sleep(time);
    let share = (work_of(&process) - before).as_secs_f64() / began.elapsed().as_secs_f64();
    let mib = |what: &str| memory_of(&process, what).div_ceil(1024);
    let (now, most) = (mib("VmRSS:"), mib("VmHWM:"));
    row("memory", &format!("{now} MiB, most {most}"), "≤ 30 MiB");
    row("share of a processor", &format!("{:.3} %", share * 1e2), "≤ 0.1 %");
    stop(daemon);
}

fn start(world: &World) -> (Background, SocketAddr) {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr());
    let address = free.expect("a free port");
    let file = world.folder().join("sync.yaml");
    let repository = world.path();
    let text = format!(
        "listen: {address}\nsources:\n  bench:\n    repository: {}\n",
        repository.display()
    );
    std::fs::write(&file, text).expect("a file");
    let mut command = world.command(&["sync", "--config"]);
    // As the ready-made unit and image have it.
    command.arg(&file).env("MALLOC_ARENA_MAX", "1");
    (Background::start(&mut command, &world.folder().join("sync.log")), address)
}

/// Waits until everything was looked at once.
fn wait(address: SocketAddr) {
    let since = Instant::now();
    while !get(address, "localhost", "/readyz").is_ok_and(|(status, _)| status == 200) {
        assert!(since.elapsed() < READY_MAX, "the daemon does not get ready");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn stop(mut daemon: Background) {
    daemon.signal("TERM");
    assert_eq!(daemon.wait(END_MAX), Some(0), "it does not end well");
}
