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
//! A plan is made three times. Beside the median the first one is told: of the first kind of change
//! that is measured it is made by a process that knows nothing, as `gitdeploy plan` is; all others are
//! made by one that has planned before, as a daemon has, and remembers proxies' files and what it has
//! compared.
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

fn main() {
    // A number after `--` is another number of pools, to look at a part of the fleet alone; a word
    // is a kind of change, for that kind alone.
    let given = std::env::args().find_map(|word| word.parse().ok());
    let kinds: Vec<Release> = std::env::args().filter_map(|word| Release::named(&word)).collect();
    let kinds = if kinds.is_empty() { Release::EACH.to_vec() } else { kinds };
    if let Some(pools) = given {
        measure(pools, &kinds);
        return;
    }
    look(POOLS / 10);
    let part = measure(POOLS / 10, &kinds);
    let all = measure(POOLS, &kinds);
    println!("\nten times the fleet");
    for (part, all) in part.iter().zip(&all) {
        let times = all.time.as_secs_f64() / part.time.as_secs_f64();
        println!("  {:<40} {times:>9.1} times", all.what);
    }
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

/// What one kind of plan took, the linter's look included.
struct Figures {
    what: &'static str,
    time: Duration,
}

fn measure(pools: usize, kinds: &[Release]) -> Vec<Figures> {
    let mut fleet = Fleet::of(pools);
    println!("\n{} hosts, {} containers; median of {RUNS}", fleet.hosts(), fleet.containers());
    println!("  {:<40} {:>9} MiB", "what is looked at", memory("VmRSS:"));
    kinds.iter().map(|release| figures(&mut fleet, *release)).collect()
}

fn figures(fleet: &mut Fleet, release: Release) -> Figures {
    let what = release.words();
    fleet.want(release);
    forget_peak();
    let (mut plans, mut works) = (Vec::new(), Vec::new());
    let mut checks = Vec::new();
    let mut steps = 0;
    for _ in 0..RUNS {
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
    let first = format!("the first {:.0}, {:.0}", millis(plans[0]), millis(works[0]));
    let (plan, check) = (median(plans), median(checks));
    let work = millis(median(works));
    println!("  {what:<40} {:>9.0} ms, {work:.0} ms of processors ({first})", millis(plan));
    println!("  {:<40} {steps:>9}", "  steps");
    println!("  {:<40} {:>9.0} ms", "  the linter", millis(check));
    println!("  {:<40} {:>9} MiB", "  most memory", memory("VmHWM:"));
    Figures { what, time: plan + check }
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
