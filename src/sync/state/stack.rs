//! One stack: whether a round begins for it now, and if not, why.
//!
//! The newest commit is what it is brought to; drift is healed towards the last commit that was
//! brought about whole, which is another one while the newest may not begin or has failed.

mod drift;
mod ending;
pub(super) mod limits;
mod recall;

use std::collections::VecDeque;
use std::sync::Arc;

use limits::{Failed, heals_at, is_ignored};
use recall::Recalled;

use super::{HISTORY, Turn};
use crate::model::{CommitId, Millis, Name, PlanId, StackName};
use crate::sync::wake::{Begin, Difference};
use crate::sync::window::{Gate, gate};
use crate::sync::{
    Carried, Decision, Finding, Mode, NoticeKind, PlanView, Progress, Round, RoundEnd, Seen,
    StackRules, Target, Trigger, Waiting, WindowKind,
};

/// Healings that are remembered: as many as a budget can allow.
pub(crate) const HEALS: usize = 100;

/// What all stacks of a source stand on.
pub(super) struct Ground<'a> {
    pub(super) source: &'a Name,
    pub(super) head: &'a CommitId,
    pub(super) max_deletes: Option<usize>,
    /// Nobody knows what was held before.
    pub(super) is_unread: bool,
    pub(super) now: Millis,
}

/// What is known of one stack.
#[derive(Debug, Default)]
pub(super) struct StackState {
    /// What the newest commit wants of it; `None`: nothing.
    target: Option<Target>,
    /// The version of `target` for which it was last found as wanted.
    synced_version: Option<Option<u64>>,
    pub(super) synced: Option<CommitId>,
    pub(super) synced_at: Option<Millis>,
    pub(super) seen: Option<Seen>,
    /// Whether something has happened since that it does not show.
    is_stale: bool,
    /// Looks with smaller numbers began before something that they could not see.
    fresh_from: u64,
    has_returned: bool,
    pub(super) running: Option<Round>,
    running_version: Option<Option<u64>>,
    running_is_head: bool,
    running_is_heal: bool,
    failed: Option<Failed>,
    /// When rounds that heal began; bounded by the budget.
    heals: VecDeque<Millis>,
    heal_failed: Option<Failed>,
    recalled: Recalled,
    pub(super) paused: Option<Mode>,
    ordered: Option<String>,
    approved: Option<(PlanId, String)>,
    pub(super) waiting: Option<Waiting>,
    /// The last plan, when none waits.
    pub(super) plan: Option<Arc<PlanView>>,
    told_waiting: Option<String>,
    told_drift: Vec<String>,
    /// When a round first found that another run holds the stack.
    locked_since: Option<Millis>,
    /// How many rounds in a row have found that.
    locked: u32,
    /// The round that runs is told of once it holds the stack: those before it did not.
    is_silent: bool,
    /// What the round that runs has come to.
    carried: Option<Carried>,
    is_queued: bool,
    needs_look: bool,
    pub(super) history: VecDeque<Arc<Round>>,
}

/// What there is to do.
struct Task<'a> {
    commit: CommitId,
    is_head: bool,
    is_drift: bool,
    difference: &'a Difference,
}

impl StackState {
    /// Takes what the newest commit wants; whether that has to be looked at.
    pub(super) fn aim(
        &mut self,
        target: Option<&Target>,
        head: &CommitId,
        is_ground: bool,
    ) -> bool {
        let version = |target: Option<&Target>| target.map(|it| it.version);
        let is_other = version(self.target.as_ref()) != version(target);
        let is_synced = self.synced_version == Some(version(target));
        self.target = target.cloned();
        // A plan names its commit, so one that waits is another one now.
        let has_plan = self.fresh().is_some_and(|seen| seen.head != Finding::Same);
        let needs_look = is_other || is_ground || has_plan;
        self.is_stale |= needs_look;
        if is_other || is_ground {
            self.failed = None;
            self.heal_failed = None;
        }
        if is_synced && !is_ground && self.synced.is_some() {
            // It wants the same as before, so it is as this commit wants it, too.
            self.synced = Some(head.clone());
        }
        self.settle(head);
        needs_look
    }

    /// What was seen, if nothing has happened since.
    fn fresh(&self) -> Option<&Seen> {
        self.seen.as_ref().filter(|_| !self.is_stale)
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.target.is_some()
    }

    pub(super) fn fault(&self) -> Option<&str> {
        self.target.as_ref()?.fault.as_deref()
    }

    fn version(&self) -> Option<u64> {
        self.target.as_ref().map(|it| it.version)
    }

    pub(super) fn look_begins(&mut self) {
        self.needs_look = false;
    }

    pub(super) fn wants_look(&self) -> bool {
        self.needs_look && self.running.is_none()
    }

    /// The commit whose drift is healed while it is not brought to the newest one.
    pub(super) fn held(&self) -> Option<CommitId> {
        let last = self.last()?;
        let is_behind = self.synced_version != Some(self.version()) || self.fault().is_some();
        is_behind.then(|| last.clone())
    }

    /// The last commit that was brought about whole, as far as anybody knows.
    fn last(&self) -> Option<&CommitId> {
        self.synced.as_ref().or(self.seen.as_ref().and_then(|seen| seen.released.as_ref()))
    }

    /// Takes what a look came to, unless it is older than what is known.
    pub(super) fn saw(&mut self, number: u64, seen: Seen, has_returned: bool) {
        if number <= self.fresh_from || self.running.is_some() {
            return;
        }
        self.fresh_from = number - 1;
        if let Some(difference) = seen.head.difference() {
            self.plan = Some(difference.plan.clone());
        }
        self.has_returned |= has_returned;
        let is_bad = |failed: &Failed| failed.end == RoundEnd::RolledBack;
        if has_returned && !self.failed.as_ref().is_some_and(is_bad) {
            // It may have failed because the host was away.
            self.failed = None;
        }
        self.seen = Some(seen);
        self.is_stale = false;
    }

    /// Begins a round if one may begin, or says why none does.
    pub(super) fn consider(
        &mut self,
        turn: &mut Turn<'_>,
        ground: &Ground<'_>,
        name: &StackName,
        rules: &StackRules,
    ) {
        if self.running.is_some() {
            self.waiting = None;
            return;
        }
        self.end_pause(ground.now);
        self.is_queued = false;
        let decided = self.decide(turn.free, ground, rules);
        match decided {
            Ok(None) => self.waiting = None,
            Ok(Some((begin, trigger, by))) => {
                self.waiting = None;
                turn.free -= 1;
                let round = self.begin(turn, &begin, trigger, by);
                if !self.is_silent {
                    let commit = begin.commit.clone();
                    turn.tell(ground.source, Some(name), NoticeKind::Began { round, commit });
                }
                turn.decisions.push(Decision::Begin(Box::new(Begin {
                    source: ground.source.clone(),
                    stack: name.clone(),
                    number: round,
                    commit: begin.commit,
                    is_head: begin.is_head,
                    trigger,
                    only: begin.only,
                    max_deletes: begin.max_deletes,
                    at: ground.now,
                })));
            }
            Err(waiting) => self.waits(turn, ground.source, name, waiting),
        }
    }

    fn waits(&mut self, turn: &mut Turn<'_>, source: &Name, name: &StackName, waiting: Waiting) {
        let is_new = self.told_waiting.as_ref() != Some(&waiting.reason);
        if is_new && !self.is_queued && waiting.is_told() {
            let reason = waiting.reason.clone();
            self.told_waiting = Some(reason.clone());
            turn.tell(source, Some(name), NoticeKind::Waits { reason });
        }
        self.waiting = Some(waiting);
    }

    fn end_pause(&mut self, now: Millis) {
        if let Some(Mode::Paused { until: Some(until), .. }) = self.paused
            && until <= now
        {
            self.paused = None;
            self.needs_look = true;
        }
    }

    /// The mode that holds now.
    pub(super) fn mode<'a>(
        &'a self,
        rules: &'a StackRules,
        is_unread: bool,
        now: Millis,
    ) -> &'a Mode {
        let mode = match (&self.paused, &rules.mode) {
            (Some(paused), _) => paused,
            (None, Mode::Paused { until: Some(until), .. }) if *until <= now => &Mode::Automatic,
            (None, mode) => mode,
        };
        if is_unread && *mode == Mode::Automatic { &Mode::PlanOnly } else { mode }
    }

    fn decide(
        &mut self,
        free: usize,
        ground: &Ground<'_>,
        rules: &StackRules,
    ) -> Result<Option<(Start, Trigger, Option<String>)>, Waiting> {
        self.note_synced(ground);
        let now = ground.now;
        let mode = self.mode(rules, ground.is_unread, now).clone();
        if let Mode::Paused { until, reason } = &mode {
            let reason = format!("paused: {reason}");
            return match self.has_anything_to_do() {
                true => Err(Waiting { reason, until: *until }),
                false => Ok(None),
            };
        }
        let upgrade = self.upgrade(ground, rules, &mode);
        let (task, only, by) = match upgrade {
            Ok(Some(found)) => found,
            Ok(None) => return Ok(None),
            Err(waiting) => {
                // The newest commit may not begin; what runs is still kept as it should be.
                match (mode == Mode::Automatic).then(|| self.healing(ground)).flatten() {
                    Some(task) => (task, None, None),
                    None => return Err(waiting),
                }
            }
        };
        let is_ordered = by.is_some();
        if task.is_drift && !is_ordered {
            self.may_heal(rules, now)?;
        }
        let limit = rules.max_deletes.or(ground.max_deletes);
        let is_read = only.is_some();
        let max_deletes = if is_read { None } else { limit };
        if let Some(limit) = max_deletes.filter(|limit| task.difference.deletes > *limit) {
            return Err(Waiting {
                reason: format!(
                    "the plan removes {} containers, networks and volumes for good; at most \
                     {limit} are allowed: approve it once you have read it",
                    task.difference.deletes
                ),
                until: None,
            });
        }
        if free == 0 {
            self.is_queued = true;
            return Err(Waiting { reason: "other rounds run; it is next".to_owned(), until: None });
        }
        let trigger = self.trigger(&task, is_ordered);
        let start = Start { commit: task.commit, is_head: task.is_head, only, max_deletes };
        Ok(Some((start, trigger, by)))
    }

    /// Finding nothing to do is as good as having done it.
    fn note_synced(&mut self, ground: &Ground<'_>) {
        let is_same = self.fresh().is_some_and(|seen| seen.head == Finding::Same);
        if is_same && self.fault().is_none() {
            let is_new = self.synced.as_ref() != Some(ground.head);
            self.synced_version = Some(self.version());
            self.synced = Some(ground.head.clone());
            if is_new || self.synced_at.is_none() {
                self.synced_at = Some(ground.now);
            }
            self.failed = None;
            self.heal_failed = None;
            self.ordered = None;
            self.approved = None;
            self.has_returned = false;
            self.told_waiting = None;
        }
    }

    fn has_anything_to_do(&self) -> bool {
        self.fresh().is_some_and(|seen| seen.head != Finding::Same)
    }

    /// Going to the newest commit: what there is to do, or why it does not begin.
    #[expect(clippy::type_complexity, reason = "a task, the only plan for it, and who asked")]
    fn upgrade(
        &self,
        ground: &Ground<'_>,
        rules: &StackRules,
        mode: &Mode,
    ) -> Result<Option<(Task<'_>, Option<PlanId>, Option<String>)>, Waiting> {
        if let Some(fault) = self.fault() {
            let reason = format!("{} has errors: {fault}", ground.head.short());
            return Err(Waiting { reason, until: None });
        }
        let Some(seen) = self.fresh() else { return Ok(None) };
        let difference = match &seen.head {
            Finding::Same => return Ok(None),
            Finding::NoPlan { message, .. } => {
                return Err(Waiting { reason: message.clone(), until: None });
            }
            Finding::Differs(difference) => difference,
        };
        let is_drift = self.is_drift();
        if is_drift && difference.what.iter().all(|it| is_ignored(&it.line, &rules.ignore)) {
            return Ok(None);
        }
        let approved = self.approved.as_ref().filter(|(plan, _)| *plan == difference.plan.id);
        let by = approved.map(|(_, by)| by).or(self.ordered.as_ref()).cloned();
        if *mode == Mode::PlanOnly && approved.is_none() {
            let why = match ground.is_unread {
                true => ": what was held before cannot be read",
                false => "",
            };
            let reason = format!("plan {} waits to be approved{why}", difference.plan.id);
            return Err(Waiting { reason, until: None });
        }
        if let Some(failed) = self.failed.as_ref().filter(|it| it.version == self.version())
            && by.is_none()
        {
            failed.waits(ground.now)?;
        }
        // Windows are about commits: what runs already is kept running at any time.
        if !is_drift
            && let Gate::Shut { name, kind, until } = gate(&rules.windows, ground.now, by.is_some())
        {
            let side = match kind {
                WindowKind::Allow => "outside",
                WindowKind::Deny => "inside",
            };
            return Err(Waiting { reason: format!("{side} the window `{name}`"), until });
        }
        let only = approved.map(|(plan, _)| plan.clone());
        let task = Task { commit: ground.head.clone(), is_head: true, is_drift, difference };
        Ok(Some((task, only, by)))
    }

    /// Going back to the last synced commit, when the newest one may not begin.
    fn healing(&self, ground: &Ground<'_>) -> Option<Task<'_>> {
        let commit = self.held().filter(|commit| commit != ground.head)?;
        let seen = self.fresh()?;
        let difference = seen.held.as_ref()?.difference()?;
        if difference.plan.commit.as_ref() != Some(&commit) {
            return None;
        }
        Some(Task { commit, is_head: false, is_drift: true, difference })
    }

    /// Whether the budget for healing allows one more round now.
    fn may_heal(&self, rules: &StackRules, now: Millis) -> Result<(), Waiting> {
        if let Some(failed) = &self.heal_failed {
            failed.waits(now)?;
        }
        match heals_at(&self.heals, rules.heal, now) {
            at if at <= now => Ok(()),
            at => Err(Waiting {
                reason: format!(
                    "it was healed {} times in a short while; something keeps breaking it",
                    self.heals.len()
                ),
                until: Some(at),
            }),
        }
    }

    fn trigger(&self, task: &Task<'_>, is_ordered: bool) -> Trigger {
        let has_failed = if task.is_drift { &self.heal_failed } else { &self.failed };
        match (is_ordered, has_failed.is_some(), task.is_drift) {
            (true, ..) => Trigger::Order,
            (false, true, _) => Trigger::Retry,
            (false, false, _) if self.has_returned => Trigger::Return,
            (false, false, true) => Trigger::Drift,
            (false, false, false) => Trigger::Commit,
        }
    }

    fn begin(
        &mut self,
        turn: &mut Turn<'_>,
        start: &Start,
        trigger: Trigger,
        by: Option<String>,
    ) -> u64 {
        turn.counter.rounds += 1;
        let number = turn.counter.rounds;
        let is_heal = !start.is_head || self.is_drift();
        if is_heal && by.is_none() {
            self.heals.push_back(turn.now);
            while self.heals.len() > HEALS {
                self.heals.pop_front();
            }
        }
        self.ordered = None;
        self.approved = None;
        self.has_returned = false;
        self.told_waiting = None;
        self.running_version = Some(self.version());
        self.running_is_head = start.is_head;
        self.running_is_heal = is_heal;
        self.is_silent = self.locked > 0 && by.is_none();
        self.running = Some(Round {
            number,
            trigger,
            by,
            commit: start.commit.clone(),
            began: turn.now,
            ended: None,
            end: None,
            message: String::new(),
            done: 0,
            of: 0,
            steps: Vec::new(),
        });
        number
    }

    /// Takes in how far the round is; what is worth telling of it.
    pub(super) fn progressed(&mut self, progress: Progress) -> Vec<NoticeKind> {
        let is_at_work = matches!(progress, Progress::Step { .. } | Progress::Line(_));
        let mut told = Vec::new();
        if is_at_work {
            told.extend(self.begins_at_last());
        }
        let Some(round) = self.running.as_mut() else { return told };
        match progress {
            Progress::Steps(steps) => {
                (round.done, round.of) = (0, steps.len());
                round.steps = steps;
            }
            Progress::Step { index, state, message } => {
                let Some(step) = round.steps.get_mut(index) else { return told };
                step.state = state;
                step.message = message.or(step.message.take());
                round.done = round.steps.iter().filter(|step| step.is_over()).count();
            }
            Progress::Line(line) => {
                told.push(NoticeKind::Progress { round: round.number, line });
            }
            Progress::Carried(carried) => self.carried = Some(carried),
            Progress::Drained(_) => {}
        }
        told
    }

    /// What was not told when the round began.
    fn begins_at_last(&mut self) -> Option<NoticeKind> {
        let round = self.running.as_ref()?;
        let is_silent = std::mem::take(&mut self.is_silent);
        let (round, commit) = (round.number, round.commit.clone());
        is_silent.then_some(NoticeKind::Began { round, commit })
    }

    /// Whether a round would begin if fewer others ran.
    pub(super) fn is_queued(&self) -> bool {
        self.is_queued
    }

    /// When something is due without a wake.
    pub(super) fn next(&self) -> Option<Millis> {
        let pause = match &self.paused {
            Some(Mode::Paused { until, .. }) => *until,
            _ => None,
        };
        self.waiting.as_ref().and_then(|waiting| waiting.until).into_iter().chain(pause).min()
    }

    pub(super) fn set_back(&mut self, by: Millis) {
        self.heals.iter_mut().for_each(|at| *at = at.saturating_sub(by));
        for failed in [&mut self.failed, &mut self.heal_failed].into_iter().flatten() {
            failed.until = failed.until.map(|until| until.saturating_sub(by));
        }
    }

    pub(super) fn order_sync(&mut self, by: String) {
        self.failed = None;
        self.heal_failed = None;
        self.heals.clear();
        self.ordered = Some(by);
        self.needs_look = true;
    }

    pub(super) fn order_approve(&mut self, plan: &PlanId, by: String) -> Result<(), String> {
        let waits = self.fresh().and_then(|seen| seen.head.difference());
        match waits {
            Some(waits) if waits.plan.id == *plan => {
                self.failed = None;
                self.approved = Some((plan.clone(), by));
                Ok(())
            }
            Some(waits) => Err(format!(
                "plan {plan} is not the one that waits; that is {}: read it first",
                waits.plan.id
            )),
            None => Err("no plan waits".to_owned()),
        }
    }

    pub(super) fn order_pause(&mut self, until: Option<Millis>, reason: String) {
        self.paused = Some(Mode::Paused { until, reason });
    }

    pub(super) fn order_resume(&mut self) {
        self.paused = None;
        self.needs_look = true;
    }
}

/// A round as it is about to begin.
struct Start {
    commit: CommitId,
    is_head: bool,
    only: Option<PlanId>,
    max_deletes: Option<usize>,
}

impl Waiting {
    /// Whether people want to know: a pause until the next attempt, they have been told of with the
    /// attempt.
    fn is_told(&self) -> bool {
        !self.reason.contains("tried again")
    }
}
