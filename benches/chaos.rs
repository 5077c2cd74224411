//! Seeds of chaos in the simulated world: as many as one likes, and how many there are in a second.
//!
//! `cargo bench --bench chaos -- --seeds 10000 --from 500`, with `--daemons` for those with daemons.
//! A seed that goes wrong is shown, its schedule is shortened and written to `fixtures/sim/`, and
//! the next one is tried. `--file fixtures/sim/seed-13.txt` plays that one and shows all that was
//! done.

#![expect(clippy::disallowed_types, reason = "a benchmark measures time")]
#![expect(clippy::disallowed_methods, reason = "it reads the file that a person names")]
#![expect(clippy::print_stdout, reason = "a benchmark says what it found")]

#[path = "../tests/sim/chaos/mod.rs"]
#[expect(unused_imports, reason = "the tests use more of it")]
mod chaos;
#[path = "../tests/sim/commit.rs"]
mod commit;
#[path = "../tests/sim/process.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod process;
#[path = "../tests/sim/repository.rs"]
mod repository;
#[path = "../tests/sim/rounds.rs"]
#[expect(dead_code, unused_imports, reason = "the tests use more of it")]
mod rounds;
#[path = "../tests/sim/scenario.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod scenario;

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Seeds when nothing is said.
const SEEDS: u64 = 2_000;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let said = |name: &str| {
        let at = words.iter().position(|word| word == name)?;
        words.get(at + 1)?.parse::<u64>().ok()
    };
    if let Some(at) = words.iter().position(|word| word == "--file") {
        return show(words.get(at + 1).map_or("", String::as_str));
    }
    let from = said("--from").unwrap_or(0);
    let to = from + said("--seeds").unwrap_or(SEEDS);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let kind = match words.iter().any(|word| word == "--daemons") {
        true => chaos::Kind::Daemons,
        false => chaos::Kind::Runs,
    };
    let (next, wrong) = (AtomicU64::new(from), AtomicU64::new(0));
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= to {
                        return;
                    }
                    if let Err(why) = chaos::try_seed(kind, seed) {
                        wrong.fetch_add(1, Ordering::Relaxed);
                        println!("{why}\n");
                    }
                }
            });
        }
    });
    let (took, count) = (began.elapsed().as_secs_f64(), to - from);
    let wrong = wrong.into_inner();
    println!(
        "{count} seeds, each played twice, in {took:.1} s on {threads} threads: {:.0} a second; \
         {wrong} went wrong",
        count as f64 / took
    );
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Plays one schedule that was written down.
fn show(file: &str) -> ExitCode {
    let text = std::fs::read_to_string(file).unwrap_or_else(|why| panic!("{file}: {why}"));
    let played = chaos::play(&text.parse().unwrap_or_else(|why| panic!("{file}: {why}")));
    println!("{}", played.log.join("\n"));
    match played.wrong {
        None => ExitCode::SUCCESS,
        Some(wrong) => {
            println!("{wrong}");
            ExitCode::FAILURE
        }
    }
}
