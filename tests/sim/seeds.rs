//! Seeds and schedules as tests.
//!
//! `GITDEPLOY_SEEDS=1000` tries more of them, `GITDEPLOY_SEED=7` one. `cargo bench --bench chaos`
//! tries as many as one likes, and says how many there were in a second.

use std::fs;

use crate::chaos::{Kind, Schedule, folder, play, schedule, try_seed, watched};

/// Seeds of an ordinary test run.
const SEEDS: u64 = 500;

/// And of those with daemons.
const WATCHED: u64 = 40;

/// How many that go wrong are shown.
const WRONG_MAX: usize = 8;

fn number(variable: &str) -> Option<u64> {
    #[expect(clippy::disallowed_methods, reason = "how much is tried is said to the test itself")]
    let text = std::env::var(variable).ok()?;
    text.parse().ok()
}

fn seeds(kind: Kind, first: u64) {
    let usual = match kind {
        Kind::Runs => SEEDS,
        Kind::Daemons => WATCHED,
    };
    let wanted = match (number("GITDEPLOY_SEED"), number("GITDEPLOY_SEEDS").unwrap_or(usual)) {
        (Some(seed), _) => seed..seed + 1,
        (None, most) => 0..most,
    };
    // Every second one, so that two threads share them.
    let tried = wanted.filter(|seed| seed % 2 == first).map(|seed| try_seed(kind, seed));
    let wrong: Vec<String> = tried.filter_map(Result::err).take(WRONG_MAX).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn whatever_happens_no_request_is_lost_and_the_next_runs_end_it() {
    seeds(Kind::Runs, 0);
}

#[test]
fn whatever_else_happens_no_request_is_lost_either() {
    seeds(Kind::Runs, 1);
}

#[test]
fn whatever_happens_to_daemons_no_request_is_lost_and_they_end_what_was_begun() {
    seeds(Kind::Daemons, 0);
}

#[test]
fn whatever_else_happens_to_daemons_no_request_is_lost_either() {
    seeds(Kind::Daemons, 1);
}

#[test]
fn what_went_wrong_once_does_not_go_wrong_again() {
    let mut files: Vec<_> =
        fs::read_dir(folder()).expect("a folder").map(|it| it.expect("an entry").path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = fs::read_to_string(&file).expect("text");
        let schedule: Schedule = text.parse().unwrap_or_else(|why| panic!("{file:?}: {why}"));
        let played = play(&schedule);
        assert_eq!(played, play(&schedule), "{file:?}");
        assert_eq!(played.wrong, None, "{}:\n{}", file.display(), played.log.join("\n"));
    }
}

#[test]
fn a_schedule_can_be_written_down_and_read_again() {
    for seed in 0..200 {
        for schedule in [schedule(seed), watched(seed)] {
            assert_eq!(schedule.to_string().parse(), Ok(schedule));
        }
    }
}
