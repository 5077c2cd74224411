//! Planning for a large fleet: how long, with how much memory, and how both grow.
//!
//! Run with `cargo bench --bench fleet`. Makes the desired and the seen state of 5,000 hosts with
//! 300,000 containers in memory (pools of ten hosts behind a proxy each, ten stacks a pool, six
//! services a stack, ten replicas a service), and of a tenth of them, and measures
//!
//! * a plan when nothing has changed, when 1 % of the containers have, and when all have, with the
//!   look of the linter at it: from what was seen and what is wanted, both in memory, to a plan that
//!   may be shown. To render the stacks, to ask the hosts and to print the plan is no part of it,
//! * gathering from the smaller fleet, whose 500 hosts answer 20 ms after they are asked.
//!
//! Each size and kind of change has a process of its own. Its first plan is made by one that knows
//! nothing, as `gitdeploy plan` is; the later ones by one that has planned before, as a daemon has,
//! and remembers proxies' files and what it has compared.
//!
//! Memory is the most that the process ever had, what is looked at included.

#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a benchmark reads the clock and what the kernel counts"
)]

#[path = "fleet/gather.rs"]
mod gather;
#[path = "fleet/pool.rs"]
mod pool;
#[path = "fleet/stack.rs"]
mod stack;

use std::time::{Duration, Instant};

use gitdeploy::pipeline::observe;
use gitdeploy::planner::{Scope, check, plan};
use gitdeploy::ports::Wanted;

use pool::Fleet;
use stack::Release;

const POOLS: usize = 500;
const RUNS: usize = 3;

const FIRST: &str = "a process's first plan";
const LATER: &str = "each later one, median of 3";
const LINTER: &str = "the linter";

fn main() {
    // A number after `--` is a number of pools, and a word a kind of change: those alone, here.
    let given = std::env::args().find_map(|word| word.parse().ok());
    let kinds: Vec<Release> = std::env::args().filter_map(|word| Release::named(&word)).collect();
    let kinds = if kinds.is_empty() { Release::EACH.to_vec() } else { kinds };
    if let Some(pools) = given {
        let mut fleet = Fleet::of(pools);
        kinds.iter().for_each(|release| measure(&mut fleet, *release));
        return;
    }
    look(POOLS / 10);
    for release in kinds {
        let part = apart(POOLS / 10, release);
        let all = apart(POOLS, release);
        println!("\nten times the fleet, {}, with the linter's look", release.words());
        for what in [FIRST, LATER] {
            let [part, all] = [&part, &all].map(|said| figure(said, what) + figure(said, LINTER));
            println!("  {what:<40} {:>9.1} times", all / part);
        }
    }
}

/// Measures one kind of change in a process of its own; what it said.
fn apart(pools: usize, release: Release) -> String {
    let own = std::env::current_exe().expect("a program");
    let done = std::process::Command::new(own)
        .args(["--bench", &pools.to_string(), release.word()])
        .stderr(std::process::Stdio::inherit())
        .output()
        .expect("it runs");
    assert!(done.status.success(), "{}", done.status);
    let said = String::from_utf8(done.stdout).expect("words");
    print!("{said}");
    said
}

/// One of the figures that a process has said.
fn figure(said: &str, what: &str) -> f64 {
    let line = said.lines().find_map(|line| line.trim_start().strip_prefix(what));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no {what} in {said}"))
}

/// How long a look at all hosts takes that answer 20 ms after they are asked.
fn look(pools: usize) {
    let fleet = Fleet::of(pools);
    let ports = gather::ports(&fleet);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let before = memory("VmRSS:");
    forget_peak();
    let owner = fleet.request(Scope::default()).owner;
    let mut times = Vec::new();
    for _ in 0..RUNS {
        let begin = Instant::now();
        let observed = runtime.block_on(observe(&ports, owner, &Wanted::default()));
        times.push(begin.elapsed());
        assert_eq!(observed.hosts.values().flatten().count(), fleet.hosts());
    }
    println!("{} hosts, 20 ms away each; median of {RUNS}", fleet.hosts());
    println!("  {:<40} {:>9.0} ms", "gathering", millis(median(times)));
    println!("  {:<40} {:>9} MiB", "most memory for it", memory("VmHWM:").saturating_sub(before));
}

fn measure(fleet: &mut Fleet, release: Release) {
    fleet.want(release);
    println!("\n{} hosts, {} containers, {}", fleet.hosts(), fleet.containers(), release.words());
    println!("  {:<40} {:>9} MiB", "what is looked at", memory("VmRSS:"));
    forget_peak();
    let (mut plans, mut works) = (Vec::new(), Vec::new());
    let mut checks = Vec::new();
    let mut steps = 0;
    for _ in 0..=RUNS {
        let (begin, before) = (Instant::now(), work());
        let plan = plan(&fleet.request(Scope::default()));
        plans.push(begin.elapsed());
        works.push(work() - before);
        let plan = plan.unwrap_or_else(|problems| panic!("{:?}", problems.first()));
        steps = plan.steps.len();
        let begin = Instant::now();
        let violations = check(&plan, &fleet.observed);
        checks.push(begin.elapsed());
        assert!(violations.is_empty(), "{:?}", violations.first());
    }
    println!("  {:<40} {steps:>9}", "steps");
    let (first, first_work) = (plans.remove(0), works.remove(0));
    for (what, time, work) in [(FIRST, first, first_work), (LATER, median(plans), median(works))] {
        println!("  {what:<40} {:>9.1} ms, {:.0} ms of processors", millis(time), millis(work));
    }
    println!("  {LINTER:<40} {:>9.1} ms", millis(median(checks)));
    println!("  {:<40} {:>9} MiB", "most memory", memory("VmHWM:"));
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// The time that processors have worked for this process, in steps of 10 ms; on a machine that
/// others use too it says more than a clock. Zero where the kernel does not tell.
fn work() -> Duration {
    const TICK: Duration = Duration::from_millis(10);
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // What follows the name, which may have spaces: the 12th and 13th are the ticks.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    TICK * fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<u32>().ok()).sum()
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Makes the kernel count the most memory anew.
fn forget_peak() {
    // Where it cannot, the figure is that of the whole process, and too high.
    drop(std::fs::write("/proc/self/clear_refs", "5"));
}

/// Mebibytes, as the kernel counts them; 0 where it does not tell.
fn memory(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
