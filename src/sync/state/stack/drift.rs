//! What runs otherwise than the last synced commit wants, without any commit having asked for it.

use super::StackState;
use super::limits::is_ignored;
use crate::sync::wake::Deviation;
use crate::sync::{Finding, NoticeKind, StackRules};

impl StackState {
    /// What a look found that is worth telling, once.
    pub(in crate::sync::state) fn news(&mut self, rules: &StackRules) -> Option<NoticeKind> {
        let drift = self.drift(rules);
        if drift == self.told_drift {
            return None;
        }
        self.told_drift.clone_from(&drift);
        (!drift.is_empty()).then_some(NoticeKind::Drifted { what: drift })
    }

    /// What differs without any commit having asked for it.
    pub(in crate::sync::state) fn drift(&self, rules: &StackRules) -> Vec<String> {
        self.deviations(rules).map(|it| it.line.clone()).collect()
    }

    /// The same, with where it is.
    pub(in crate::sync::state) fn deviations(
        &self,
        rules: &StackRules,
    ) -> impl Iterator<Item = &Deviation> {
        let finding = self.fresh().and_then(|seen| match self.is_drift() {
            true => Some(&seen.head),
            false => seen.held.as_ref(),
        });
        let what = finding.and_then(Finding::difference).map(|it| it.what.as_slice());
        let what = what.unwrap_or_default().iter();
        what.filter(|it| !is_ignored(&it.line, &rules.ignore))
    }

    /// Whether a difference from the newest commit is drift: it was brought about before, or the
    /// hosts say so.
    pub(super) fn is_drift(&self) -> bool {
        match self.synced_version {
            Some(version) => version == self.version(),
            None => {
                let released = self.seen.as_ref().and_then(|seen| seen.released.as_ref());
                let wanted = self.seen.as_ref().and_then(|seen| seen.head.difference());
                let wanted = wanted.and_then(|it| it.plan.commit.as_ref());
                released.is_some() && released == wanted
            }
        }
    }
}
