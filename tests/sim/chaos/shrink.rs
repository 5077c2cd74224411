//! From a long schedule that goes wrong to a short one that goes wrong in the same way.

use super::event::{Event, Schedule};
use super::play::play;

/// The shortest schedule that is found by leaving things out: Zeller's delta debugging over the
/// events, then over what each run meets.
pub(crate) fn shrink(schedule: &Schedule) -> Schedule {
    let kind = |schedule: &Schedule| {
        let wrong = play(schedule).wrong?;
        wrong.split_whitespace().next().map(str::to_owned)
    };
    let wanted = kind(schedule);
    let is_same = |other: &Schedule| kind(other) == wanted;
    let mut best = schedule.clone();
    loop {
        let before = best.clone();
        best = without_events(best, &is_same);
        best = without_faults(best, &is_same);
        if best == before {
            return best;
        }
    }
}

fn without_events(mut best: Schedule, is_same: &impl Fn(&Schedule) -> bool) -> Schedule {
    let mut size = best.events.len().div_ceil(2).max(1);
    loop {
        let mut at = 0;
        while at < best.events.len() {
            let mut other = best.clone();
            other.events.drain(at..(at + size).min(best.events.len()));
            match is_same(&other) {
                true => best = other,
                false => at += size,
            }
        }
        if size == 1 {
            return best;
        }
        size = size.div_ceil(2);
    }
}

/// Runs without one of their faults, their haste, their clock.
fn without_faults(mut best: Schedule, is_same: &impl Fn(&Schedule) -> bool) -> Schedule {
    for at in 0..best.events.len() {
        let (Event::Run(attempt) | Event::Daemon(attempt)) = &best.events[at].event else {
            continue;
        };
        let event = match &best.events[at].event {
            Event::Daemon(_) => Event::Daemon,
            _ => Event::Run,
        };
        let mut others = Vec::new();
        for fault in 0..attempt.faults.len() {
            let mut other = attempt.clone();
            other.faults.remove(fault);
            others.push(other);
        }
        let mut calm = attempt.clone();
        (calm.thinks, calm.stops, calm.clock) = (0, None, 0);
        others.push(calm);
        for other in others {
            let mut candidate = best.clone();
            candidate.events[at].event = event(other);
            if candidate != best && is_same(&candidate) {
                best = candidate;
                break;
            }
        }
    }
    best
}
