//! How often something is tried and healed, and what is left alone. Pure.

use std::collections::VecDeque;

use crate::model::{CommitId, Millis};
use crate::sync::{Budget, Retry, RoundEnd, Waiting};

/// How long a stack is left alone that another run holds; each time half as long again, since who
/// has not ended soon may take long, and every attempt looks at the hosts.
const HELD: Millis = 2_000;

/// The longest it is left alone.
const HELD_MAX: Millis = 10_000;

/// The pause after the first of several healings in a row; each later one is twice as long.
const HEAL_PAUSE: Millis = 1_000;

/// A round that did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failed {
    pub(super) version: Option<u64>,
    pub(super) commit: CommitId,
    pub(super) attempts: u32,
    /// How it ended.
    pub(super) end: RoundEnd,
    /// When it is tried again; `None`: when something changes.
    pub(super) until: Option<Millis>,
    pub(super) message: String,
}

impl Failed {
    /// Whether it may be tried again by now.
    pub(super) fn waits(&self, now: Millis) -> Result<(), Waiting> {
        match self.until {
            Some(until) if until <= now => Ok(()),
            Some(until) => Err(Waiting {
                reason: format!("{}; it is tried again", headline(&self.message)),
                until: Some(until),
            }),
            None => Err(Waiting {
                reason: format!(
                    "{} failed: {}; it is tried again when something changes",
                    self.commit.short(),
                    headline(&self.message)
                ),
                until: None,
            }),
        }
    }
}

/// The first line of what a container or a proxy may have said at length.
pub(super) fn headline(message: &str) -> &str {
    message.lines().next().unwrap_or_default().trim_end_matches([':', ' '])
}

/// What an end leaves to be tried again, and when. `before`: how often it has failed, and how often
/// in a row another run held the stack, this time among them.
pub(super) fn failed(
    end: RoundEnd,
    (before, held): (u32, u32),
    retry: Retry,
    now: Millis,
    record: impl FnOnce() -> Failed,
) -> Option<Failed> {
    let (attempts, until) = match end {
        RoundEnd::Synced | RoundEnd::Interrupted => return None,
        RoundEnd::Locked => (before, Some(now + held_for(held))),
        RoundEnd::RolledBack => (before + 1, None),
        RoundEnd::Failed | RoundEnd::Partly | RoundEnd::Refused => {
            let until = (before < retry.limit).then(|| now + pause(retry, before));
            (before + 1, until)
        }
    };
    Some(Failed { attempts, until, ..record() })
}

/// The pause after another run held the stack so many times in a row.
fn held_for(times: u32) -> Millis {
    let longer = |pause: Millis, _| (pause + pause / 2).min(HELD_MAX);
    (1..times.min(10)).fold(HELD, longer)
}

/// The pause after so many attempts that failed before this one.
fn pause(retry: Retry, before: u32) -> Millis {
    let pause = retry.pause.saturating_mul(1_u32.checked_shl(before).unwrap_or(u32::MAX));
    u64::try_from(pause.min(retry.max).as_millis()).unwrap_or(Millis::MAX / 2)
}

/// When the next healing may begin: at once, a while after the last one, or when the budget has
/// room again.
pub(super) fn heals_at(heals: &VecDeque<Millis>, budget: Budget, now: Millis) -> Millis {
    let within = u64::try_from(budget.within.as_millis()).unwrap_or(Millis::MAX / 2);
    if budget.rounds == 0 {
        return Millis::MAX;
    }
    let recent: Vec<Millis> = heals.iter().copied().filter(|at| at + within > now).collect();
    let most = usize::try_from(budget.rounds).unwrap_or(usize::MAX);
    if recent.len() >= most {
        let leaves = recent.get(recent.len() - most).copied().unwrap_or(now);
        return leaves + within;
    }
    match recent.last() {
        None => now,
        Some(last) => last + (HEAL_PAUSE << (recent.len() - 1).min(20)),
    }
}

/// Whether a line of drift is one that is left alone: `web.image` by `web.image`, `web.*`, `web`.
pub(in crate::sync::state) fn is_ignored(what: &str, patterns: &[String]) -> bool {
    let path = what.split([' ', ':']).next().unwrap_or(what);
    patterns.iter().any(|pattern| is_match(pattern, path))
}

/// Part by part; a star stands for one part, and what lies below a pattern is meant too.
fn is_match(pattern: &str, path: &str) -> bool {
    let mut parts = path.split('.');
    pattern
        .split('.')
        .all(|wanted| parts.next().is_some_and(|part| wanted == "*" || wanted == part))
}
