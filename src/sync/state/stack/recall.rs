//! What is kept of one stack, and how it is taken up again.
//!
//! What failed is bound to what a commit wants. Numbers of versions mean nothing to another daemon,
//! so that is kept as the commit and a mark, and compared once the newest commit is known.

use super::limits::{Failed, headline};
use super::{HEALS, StackState};
use crate::model::{CommitId, Millis};
use crate::sync::{Approval, Failure, Kept, Mode, Pause, RoundEnd, StackRules};

/// The longest line that is kept of a failure, in characters.
const MESSAGE_MAX: usize = 500;

/// Failures of an earlier daemon, until it is known what is wanted now.
#[derive(Debug, Default)]
pub(super) struct Recalled {
    failed: Option<Failure>,
    unhealed: Option<Failure>,
}

impl StackState {
    /// What must outlive the daemon.
    pub(in crate::sync::state) fn kept(&self, rules: &StackRules, now: Millis) -> Kept {
        let pause = match &self.paused {
            Some(Mode::Paused { until, reason }) => {
                Some(Pause { until: *until, reason: reason.clone() })
            }
            _ => None,
        };
        let approved = self.approved.as_ref();
        let within = u64::try_from(rules.heal.within.as_millis()).unwrap_or(Millis::MAX / 2);
        let healed = self.heals.iter().copied();
        Kept {
            pause,
            approved: approved.map(|(plan, by)| Approval { plan: plan.clone(), by: by.clone() }),
            failed: self.failure(self.failed.as_ref()).or_else(|| self.recalled.failed.clone()),
            unhealed: self
                .failure(self.heal_failed.as_ref())
                .or_else(|| self.recalled.unhealed.clone()),
            healed: healed.filter(|at| at + within > now).collect(),
        }
    }

    fn failure(&self, failed: Option<&Failed>) -> Option<Failure> {
        let failed = failed.filter(|it| it.version == self.version())?;
        if failed.end == RoundEnd::Locked && failed.attempts == 0 {
            return None;
        }
        let target = self.target.as_ref();
        Some(Failure {
            commit: failed.commit.clone(),
            mark: target.map(|it| it.mark.clone()),
            end: failed.end,
            attempts: failed.attempts,
            until: failed.until,
            message: headline(&failed.message).chars().take(MESSAGE_MAX).collect(),
        })
    }

    /// Takes up what was kept. What is known already, and what is over by now, stays as it is.
    pub(in crate::sync::state) fn recall(
        &mut self,
        kept: &Kept,
        rules: &StackRules,
        head: Option<&CommitId>,
        now: Millis,
    ) {
        let Kept { pause, approved, failed, unhealed, healed } = kept.clone();
        if let Some(Pause { until, reason }) = pause
            && until.is_none_or(|until| until > now)
            && self.paused.is_none()
        {
            self.paused = Some(Mode::Paused { until, reason });
        }
        if let Some(Approval { plan, by }) = approved {
            self.approved.get_or_insert((plan, by));
        }
        if self.heals.is_empty() {
            let past = healed.into_iter().filter(|at| *at <= now);
            self.heals = past.take(HEALS).collect();
        }
        // By a clock that was set back meanwhile, it would wait for ever.
        let longest = u64::try_from(rules.retry.max.as_millis()).unwrap_or(Millis::MAX / 2);
        let soon = |failure: Failure| Failure {
            until: failure.until.map(|until| until.min(now + longest)),
            ..failure
        };
        self.recalled = Recalled { failed: failed.map(soon), unhealed: unhealed.map(soon) };
        if let Some(head) = head {
            self.settle(head);
        }
    }

    /// What was recalled holds if the newest commit wants what failed then.
    pub(super) fn settle(&mut self, head: &CommitId) {
        let Recalled { failed, unhealed } = std::mem::take(&mut self.recalled);
        let (version, mark) = (self.version(), self.target.as_ref().map(|it| it.mark.clone()));
        let again = |failure: Failure| {
            let is_same = failure.commit == *head || failure.mark == mark;
            let Failure { commit, mark: _, end, attempts, until, message } = failure;
            is_same.then_some(Failed { version, commit, attempts, end, until, message })
        };
        if self.failed.is_none() {
            self.failed = failed.and_then(again);
        }
        if self.heal_failed.is_none() {
            self.heal_failed = unhealed.and_then(again);
        }
    }
}
