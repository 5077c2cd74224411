//! The daemon at work: how long, with how much memory, and whether either grows.
//!
//! Run with `cargo bench --bench daemon`. Measures
//!
//! * 1,000 stacks on 20 hosts of which nothing has changed, from the start of a daemon until it has
//!   read, rendered and compared all of them, and the most memory it had on the way;
//! * a commit that changes one of them, from the knock of a webhook until the first step of its
//!   round begins;
//! * 10,000 rounds, one after the other, each for a commit of its own, and the memory meanwhile;
//! * a daemon with nothing to do, 50 stacks on three hosts: its memory and its share of a processor
//!   over a while (`daemon/idle.rs`).
//!
//! The first three watch a real repository and deploy to a simulated world that answers at once and
//! whose time does not pass by itself: what is measured is the work of the daemon, not the waiting
//! for engines. Each is a process of its own, with the simulated hosts in its memory; how much of it
//! is theirs is printed beside. The last one is the real program with real engines over SSH.
//!
//! After `--`, `stacks=`, `rounds=` and `seconds=` are other numbers, and the name of a part
//! (`unchanged`, `changed`, `soak`, `idle`) is that part alone.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a benchmark reads the clock and what the kernel counts"
)]

#[path = "daemon/idle.rs"]
mod idle;
#[path = "daemon/measure.rs"]
mod measure;
#[path = "../tests/engine/rig/mod.rs"]
#[expect(dead_code, unused_imports, reason = "a part of what the tests stand on is enough here")]
mod rig;
#[path = "daemon/scene.rs"]
mod scene;
#[path = "daemon/soak.rs"]
mod soak;

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use gitdeploy::sync::{Picture, Sync};

use measure::{median, memory, millis};
use scene::Scene;

const STACKS: usize = 1000;
const ROUNDS: usize = 10_000;
const COMMITS: usize = 9;
/// How long an idle daemon is watched, unless another time is said.
const IDLE: Duration = Duration::from_secs(60);

/// Says which process this is: the one that a person has started has none of it.
const PART: &str = "GITDEPLOY_BENCH_PART";
/// Where the process finds the repository and the world that were made for it.
const SCENE: &str = "GITDEPLOY_BENCH_SCENE";

fn main() {
    let numbers = Numbers::given();
    match std::env::var(PART).as_deref() {
        Ok("unchanged") => unchanged(numbers.stacks),
        Ok("changed") => changed(numbers.stacks),
        Ok("soak") => soak::soak(numbers.rounds),
        _ => all(&numbers),
    }
}

/// What a person may choose.
struct Numbers {
    stacks: usize,
    rounds: usize,
    idle: Duration,
    only: Option<String>,
}

impl Numbers {
    fn given() -> Self {
        let words: Vec<String> = std::env::args().skip(1).collect();
        let number = |name: &str| {
            let named = words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
            named.and_then(|number| number.parse::<usize>().ok())
        };
        let seconds = number("seconds").and_then(|it| u64::try_from(it).ok());
        let parts = ["unchanged", "changed", "soak", "idle"];
        Self {
            stacks: number("stacks").unwrap_or(STACKS),
            rounds: number("rounds").unwrap_or(ROUNDS),
            idle: seconds.map_or(IDLE, Duration::from_secs),
            only: words.into_iter().find(|word| parts.contains(&word.as_str())),
        }
    }

    fn has(&self, part: &str) -> bool {
        self.only.as_deref().is_none_or(|only| only == part)
    }
}

fn all(numbers: &Numbers) {
    let folder = tempfile::tempdir().expect("a folder");
    if numbers.has("unchanged") || numbers.has("changed") {
        println!("{} stacks on {} simulated hosts\n", numbers.stacks, scene::HOSTS);
        scene::prepare(folder.path(), numbers.stacks);
    }
    for part in ["unchanged", "changed", "soak"] {
        if numbers.has(part) {
            alone(part, folder.path());
        }
    }
    if numbers.has("idle") {
        idle::idle(numbers.idle);
    }
}

/// Runs a part in a process of its own, so that its memory is its own.
fn alone(part: &str, folder: &Path) {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    command.args(std::env::args().skip(1)).env(PART, part).env(SCENE, folder);
    assert!(command.status().expect("a process").success(), "{part} failed");
}

fn scene() -> std::path::PathBuf {
    std::env::var(SCENE).expect("the folder of the scene").into()
}

/// A daemon starts where everything is as it should be.
fn unchanged(stacks: usize) {
    Scene::play(&scene(), async |scene| {
        let before = memory("VmRSS:");
        let began = Instant::now();
        let mut daemon = scene.start();
        daemon.until(|picture| are_all_synced(picture, stacks)).await;
        let took = began.elapsed();
        assert_eq!(daemon.rounds(), 0, "nothing has changed");
        row("unchanged, from the start", &format!("{:.2} s", took.as_secs_f64()), "≤ 10 s");
        let most = memory("VmHWM:");
        row("  most memory, hosts included", &format!("{most} MiB"), "≤ 150 MiB");
        row("  of it before, with the hosts", &format!("{before} MiB"), "");
        daemon.stop().await;
    });
}

/// One stack of all is changed again and again.
fn changed(stacks: usize) {
    Scene::play(&scene(), async |scene| {
        let mut daemon = scene.start();
        daemon.until(|picture| are_all_synced(picture, stacks)).await;
        let mut times = Vec::new();
        for number in 0..COMMITS {
            scene.change(number * (stacks / COMMITS).max(1) % stacks, number + 1);
            let (round, began) = (daemon.rounds(), Instant::now());
            daemon.knock().await;
            daemon.until(has_begun).await;
            times.push(began.elapsed());
            daemon.until(|picture| are_all_synced(picture, stacks)).await;
            assert_eq!(daemon.rounds(), round + 1, "one stack has changed");
        }
        let worst = times.iter().max().copied().unwrap_or_default();
        let (time, worst) = (millis(median(times)), millis(worst));
        row(
            "one changed, webhook to first step",
            &format!("{time:.0} ms, worst {worst:.0}"),
            "≤ 300 ms",
        );
        row("  most memory, hosts included", &format!("{} MiB", memory("VmHWM:")), "");
        daemon.stop().await;
    });
}

/// Whether there are so many stacks, and each is as it should be.
fn are_all_synced(picture: &Picture, stacks: usize) -> bool {
    let mut all = picture.sources.values().flat_map(|source| source.stacks.values());
    let count = picture.sources.values().map(|source| source.stacks.len()).sum::<usize>();
    count == stacks && all.all(|it| it.sync == Sync::Synced && it.running.is_none())
}

/// Whether a step of a round has begun.
fn has_begun(picture: &Picture) -> bool {
    let stacks = picture.sources.values().flat_map(|source| source.stacks.values());
    let mut rounds = stacks.filter_map(|stack| stack.running.as_ref());
    rounds.any(|round| round.steps.iter().any(|step| step.state != "waiting"))
}

fn row(what: &str, figure: &str, goal: &str) {
    println!("  {what:<36} {figure:>22}  {goal}");
}
