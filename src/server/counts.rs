//! What is counted over the life of the process: rounds and deliveries.
//!
//! It grows with stacks and kinds of outcome, never with commits, rounds or time.

use std::collections::BTreeMap;

use crate::model::{Millis, Name, StackName};
use crate::sync::{Carried, Notice, NoticeKind, RoundEnd, Setback};

/// The upper ends of the buckets of how long rounds took, in seconds.
pub(super) const BUCKETS: [f64; 10] = [0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0];

/// Rounds that are under way at most; those that never end are forgotten.
const BEGUN_MAX: usize = 10_000;

/// How many, and how long.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Ended rounds by source, stack and end.
    pub(super) rounds: BTreeMap<(Name, StackName, RoundEnd), u64>,
    /// How long rounds took, by source.
    pub(super) durations: BTreeMap<Name, Histogram>,
    /// Rounds that carried out a plan, by how they ended.
    pub(super) applies: BTreeMap<(Name, StackName, RoundEnd), u64>,
    /// How long that took, by source.
    pub(super) apply_durations: BTreeMap<Name, Histogram>,
    /// Rounds that went back, by what had failed.
    pub(super) rollbacks: BTreeMap<(Name, StackName, Setback), u64>,
    /// Times that drift was found.
    pub(super) drifts: BTreeMap<(Name, StackName), u64>,
    /// New commits.
    pub(super) fetches: BTreeMap<Name, u64>,
    /// Times that a whole source came into trouble.
    pub(super) troubles: BTreeMap<Name, u64>,
    /// Deliveries by webhook and outcome.
    pub(super) deliveries: BTreeMap<(Name, &'static str), u64>,
    /// Notices that came faster than they could be counted.
    pub(super) missed: u64,
    begun: BTreeMap<u64, Millis>,
}

/// How many of what length.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    /// How many fitted each bucket and none before.
    pub(super) counts: [u64; BUCKETS.len()],
    /// All of them.
    pub(super) count: u64,
    /// Their lengths together, in milliseconds.
    pub(super) sum: Millis,
}

impl Histogram {
    fn add(&mut self, took: Millis) {
        let seconds = std::time::Duration::from_millis(took).as_secs_f64();
        if let Some(bucket) = BUCKETS.iter().position(|end| seconds <= *end) {
            self.counts[bucket] += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(took);
    }
}

impl Counts {
    /// Something happened.
    pub(super) fn happened(&mut self, notice: &Notice) {
        let source = || notice.source.clone();
        let stack = || notice.stack.clone();
        match &notice.kind {
            NoticeKind::Fetched { .. } => *self.fetches.entry(source()).or_default() += 1,
            NoticeKind::Began { round, .. } => {
                if self.begun.len() >= BEGUN_MAX {
                    self.begun.pop_first();
                }
                self.begun.insert(*round, notice.at);
            }
            NoticeKind::Ended { round, end, carried, .. } => {
                if let Some(began) = self.begun.remove(round) {
                    let took = notice.at.saturating_sub(began);
                    self.durations.entry(source()).or_default().add(took);
                }
                if let Some(stack) = stack() {
                    *self.rounds.entry((source(), stack.clone(), *end)).or_default() += 1;
                    if let Some(carried) = carried {
                        self.carried((source(), stack), *end, *carried);
                    }
                }
            }
            NoticeKind::Drifted { .. } => {
                if let Some(stack) = stack() {
                    *self.drifts.entry((source(), stack)).or_default() += 1;
                }
            }
            NoticeKind::Troubled { .. } => *self.troubles.entry(source()).or_default() += 1,
            NoticeKind::Progress { .. } | NoticeKind::Waits { .. } | NoticeKind::Recovered => {}
        }
    }

    /// A plan was carried out, as far as that went.
    fn carried(&mut self, of: (Name, StackName), end: RoundEnd, carried: Carried) {
        let (source, stack) = of;
        self.apply_durations.entry(source.clone()).or_default().add(carried.took);
        *self.applies.entry((source.clone(), stack.clone(), end)).or_default() += 1;
        if let Some(setback) = carried.setback {
            *self.rollbacks.entry((source, stack, setback)).or_default() += 1;
        }
    }

    /// Notices were lost on the way.
    pub(super) fn missed(&mut self, count: u64) {
        self.missed = self.missed.saturating_add(count);
    }

    /// A delivery at a webhook that exists.
    pub(super) fn delivery(&mut self, hook: &Name, outcome: &'static str) {
        *self.deliveries.entry((hook.clone(), outcome)).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CommitId;

    fn name(text: &str) -> Name {
        Name::parse(text).expect("a name")
    }

    fn notice(at: Millis, kind: NoticeKind) -> Notice {
        Notice { number: 1, at, source: name("shop"), stack: Some(name("web").into()), kind }
    }

    #[test]
    fn a_round_is_counted_by_its_end_and_its_length() {
        let mut counts = Counts::default();
        let commit = CommitId::new("abc");
        counts.happened(&notice(1000, NoticeKind::Began { round: 7, commit: commit.clone() }));
        let end = RoundEnd::RolledBack;
        let ended =
            NoticeKind::Ended { round: 7, commit, end, message: String::new(), carried: None };
        counts.happened(&notice(4000, ended.clone()));
        // It was begun before anybody listened.
        counts.happened(&notice(5000, ended));
        assert_eq!(counts.rounds[&(name("shop"), name("web").into(), end)], 2);
        let durations = &counts.durations[&name("shop")];
        assert_eq!((durations.count, durations.sum), (1, 3000));
        assert_eq!(durations.counts[3], 1, "3 s are at most 5 s");
        assert!(counts.begun.is_empty());
    }

    #[test]
    fn rounds_that_never_end_are_forgotten() {
        let mut counts = Counts::default();
        for round in 0..20_000 {
            let commit = CommitId::new("abc");
            counts.happened(&notice(0, NoticeKind::Began { round, commit }));
        }
        assert_eq!(counts.begun.len(), BEGUN_MAX);
    }
}
