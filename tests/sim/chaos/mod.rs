//! Many things at once, by seed: the same seed is the same world to the last millisecond.
//!
//! A seed throws a schedule of events (`dice`), which are played (`play`). One that goes wrong is
//! shortened (`shrink`) and written down, one event a line (`event`): whatever is in
//! `fixtures/sim/` is played by the tests for ever.

mod dice;
mod event;
mod play;
mod shrink;

use std::path::{Path, PathBuf};

pub(crate) use dice::schedule;
pub(crate) use event::Schedule;
pub(crate) use play::play;

/// Plays a seed twice. `Err` says what was wrong, in the shortest schedule that was found, and
/// where that was written down.
pub(crate) fn try_seed(seed: u64) -> Result<(), String> {
    let schedule = schedule(seed);
    let (once, again) = (play(&schedule), play(&schedule));
    if once != again {
        let at = once.log.iter().zip(&again.log).take_while(|(one, other)| one == other).count();
        let (one, other) = (once.log.get(at), again.log.get(at));
        return Err(format!("seed {seed} is not the same twice: {one:?} and {other:?}"));
    }
    let Some(wrong) = once.wrong else { return Ok(()) };
    let short = shrink::shrink(&schedule);
    let file = folder().join(format!("seed-{seed}.txt"));
    let lines: String = wrong.lines().map(|line| format!("# {line}\n")).collect();
    let written = std::fs::write(&file, format!("# seed {seed}\n{lines}{short}"));
    let place = match written {
        Ok(()) => format!("written to {}", file.display()),
        Err(error) => format!("{} cannot be written: {error}", file.display()),
    };
    let log = play(&short).log.join("\n");
    Err(format!("seed {seed}: {wrong}\n{short}{place}\n{log}"))
}

/// Where schedules are kept that went wrong once.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sim")
}
