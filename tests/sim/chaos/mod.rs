//! Many things at once, by seed: the same seed is the same world to the last millisecond.
//!
//! A seed throws a schedule of events (`dice`), which are played (`play`). One that goes wrong is
//! shortened (`shrink`) and written down, one event a line (`event`): whatever is in
//! `fixtures/sim/` is played by the tests for ever.

mod daemons;
mod dice;
mod event;
mod play;
mod shrink;

use std::path::{Path, PathBuf};

pub(crate) use dice::{schedule, watched};
pub(crate) use event::Schedule;
pub(crate) use play::play;

/// What a seed throws.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// People who apply.
    Runs,
    /// Daemons, and people beside them.
    Daemons,
}

/// Plays a seed twice. `Err` says what was wrong, in the shortest schedule that was found, and
/// where that was written down.
pub(crate) fn try_seed(kind: Kind, seed: u64) -> Result<(), String> {
    let (schedule, name) = match kind {
        Kind::Runs => (schedule(seed), "seed"),
        Kind::Daemons => (watched(seed), "daemons"),
    };
    let (once, again) = (play(&schedule), play(&schedule));
    if once != again {
        let at = once.log.iter().zip(&again.log).take_while(|(one, other)| one == other).count();
        let (one, other) = (once.log.get(at), again.log.get(at));
        return Err(format!("{name} {seed} is not the same twice: {one:?} and {other:?}"));
    }
    let Some(wrong) = once.wrong else { return Ok(()) };
    let short = shrink::shrink(&schedule);
    let file = folder().join(format!("{name}-{seed}.txt"));
    let lines: String = wrong.lines().map(|line| format!("# {line}\n")).collect();
    let written = std::fs::write(&file, format!("# {name} {seed}\n{lines}{short}"));
    let place = match written {
        Ok(()) => format!("written to {}", file.display()),
        Err(error) => format!("{} cannot be written: {error}", file.display()),
    };
    let log = play(&short).log.join("\n");
    Err(format!("{name} {seed}: {wrong}\n{short}{place}\n{log}"))
}

/// Where schedules are kept that went wrong once.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/sim")
}
