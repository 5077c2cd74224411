//! The end of a round: what is remembered of it, and what it means for the next one.

use std::sync::Arc;

use super::limits::{Failed, failed};
use super::{HISTORY, StackState};
use crate::model::Millis;
use crate::sync::{NoticeKind, Round, RoundEnd, StackRules};

impl StackState {
    /// Takes in how the round ended. `looks` is the number of the last look that began.
    pub(in crate::sync::state) fn ended(
        &mut self,
        now: Millis,
        looks: u64,
        end: RoundEnd,
        message: String,
        rules: &StackRules,
    ) -> Vec<NoticeKind> {
        // A stack that somebody else is at is asked for again and again; that is told once.
        let is_untold = self.is_silent && end == RoundEnd::Locked;
        let mut told: Vec<NoticeKind> = Vec::new();
        if !is_untold {
            told.extend(self.begins_at_last());
        }
        let Some(mut round) = self.running.take() else { return Vec::new() };
        self.locked = if end == RoundEnd::Locked { self.locked.saturating_add(1) } else { 0 };
        let carried = self.carried.take();
        let version = self.running_version.take().flatten();
        let is_heal = self.running_is_heal;
        self.fresh_from = looks;
        self.is_stale = true;
        (round.ended, round.end) = (Some(now), Some(end));
        round.message.clone_from(&message);
        told.extend((!is_untold).then(|| NoticeKind::Ended {
            round: round.number,
            commit: round.commit.clone(),
            end,
            message: message.clone(),
            carried,
        }));
        let before = if is_heal { self.heal_failed.take() } else { self.failed.take() };
        let attempts = before.filter(|it| it.version == version).map_or(0, |it| it.attempts);
        let failed = failed(end, (attempts, self.locked), rules.retry, now, || Failed {
            version,
            commit: round.commit.clone(),
            attempts,
            end,
            until: None,
            message,
        });
        *(if is_heal { &mut self.heal_failed } else { &mut self.failed }) = failed;
        if end == RoundEnd::Synced && self.running_is_head {
            self.synced_version = Some(version);
            self.synced = Some(round.commit.clone());
            self.synced_at = Some(now);
        }
        self.remember(round);
        told
    }

    /// How long another run kept this one waiting, once it does not any more.
    pub(in crate::sync::state) fn unlocked(&mut self) -> Option<Millis> {
        let last = self.history.front()?;
        if last.end == Some(RoundEnd::Locked) {
            self.locked_since.get_or_insert(last.began);
            return None;
        }
        Some(last.began.saturating_sub(self.locked_since.take()?))
    }

    fn remember(&mut self, round: Round) {
        if let Some(last) = self.history.front_mut() {
            Arc::make_mut(last).steps = Vec::new();
        }
        // A lease that somebody holds is asked for every few seconds; the list would be full of it.
        let is_again = round.end == Some(RoundEnd::Locked)
            && self.history.front().is_some_and(|last| last.end == Some(RoundEnd::Locked));
        if is_again {
            self.history.pop_front();
        }
        self.history.push_front(Arc::new(round));
        self.history.truncate(HISTORY);
    }
}
