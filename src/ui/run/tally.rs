//! What a run has come to so far: counts of steps, and the state of every service.

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::printable_name;
use crate::model::{Event, Op, Outcome, Plan, StackName, StepEvent, StepId, Verdict};
use crate::ui::words::{counted, took};

/// A service of a stack; without one, the stack's own networks, volumes and record.
pub(super) type Key = (String, Option<String>);

/// Everything that is counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    services: BTreeMap<Key, ServiceTally>,
    /// Steps that bring a replica into service, or take one out where none comes.
    milestones: BTreeSet<StepId>,
    counts: Counts,
    is_rollback: bool,
}

/// One service.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ServiceTally {
    /// Milestones reached.
    pub(super) done: usize,
    /// Milestones there are.
    pub(super) total: usize,
    /// Steps that have not ended.
    pub(super) left: usize,
    /// What goes on now.
    pub(super) now: String,
    /// Why it failed; the first reason stays.
    pub(super) failure: Option<String>,
    running: BTreeMap<StepId, String>,
}

#[derive(Debug, Default)]
struct Counts {
    applied: usize,
    failed: usize,
    tolerated: usize,
    skipped: usize,
}

impl Tally {
    /// Everything of the plan still to be done.
    pub(super) fn of(plan: &Plan) -> Self {
        let mut tally = Self::default();
        let is_ready = |op: &Op| matches!(op, Op::AwaitReady { .. } | Op::AwaitCompleted { .. });
        let with_ready: BTreeSet<Key> = plan
            .steps
            .iter()
            .filter(|step| is_ready(&step.op))
            .map(|step| key(&step.stack, step.service.as_ref().map(|it| it.as_str())))
            .collect();
        for step in &plan.steps {
            let key = key(&step.stack, step.service.as_ref().map(|it| it.as_str()));
            let is_milestone = match &step.op {
                Op::AwaitReady { .. } | Op::AwaitCompleted { .. } => true,
                Op::Remove { .. } => !with_ready.contains(&key),
                _ => false,
            };
            let service = tally.services.entry(key).or_default();
            service.left += 1;
            if is_milestone {
                service.total += 1;
                tally.milestones.insert(step.id);
            }
        }
        tally
    }

    /// The services there are, in the order of their names.
    pub(super) fn services(&self) -> impl Iterator<Item = (&Key, &ServiceTally)> {
        self.services.iter()
    }

    /// Takes in what happened; the service whose line changes.
    pub(super) fn event(&mut self, event: &Event) -> Option<Key> {
        match event {
            Event::Started(step) => {
                let service = self.services.entry(of(step)).or_default();
                service.running.insert(step.id, step.words.clone());
                service.now = service.doing();
                Some(of(step))
            }
            Event::Progress { step, message } => {
                let service = self.services.entry(of(step)).or_default();
                service.now = format!("{}: {message}", step.words);
                Some(of(step))
            }
            Event::Ended { step, outcome, .. } => {
                self.ended(step, outcome);
                Some(of(step))
            }
            Event::RollingBack { stack, reason } => {
                self.roll_back(stack, reason);
                None
            }
            Event::Began { .. }
            | Event::Warned { .. }
            | Event::Interrupted { .. }
            | Event::Finished { .. } => None,
        }
    }

    /// One sentence on all of it.
    pub(super) fn sentence(&self, verdict: &Verdict, time: u64) -> String {
        let verdict = match verdict {
            Verdict::Done => "Done",
            Verdict::RolledBack => "Failed, and brought back to what it was",
            Verdict::Failed => "Failed before anything was changed",
            Verdict::Partly => "Done in part; the next plan says what is left",
            Verdict::Interrupted => "Interrupted; the next plan says what is left",
        };
        let Counts { applied, failed, tolerated, skipped } = self.counts;
        let mut words = vec![format!("{} done", counted(applied, "step"))];
        for (count, word) in [(failed, "failed"), (tolerated, "tolerated"), (skipped, "not begun")]
        {
            if count > 0 {
                words.push(format!("{count} {word}"));
            }
        }
        format!("{verdict}: {} in {}.", words.join(", "), took(time))
    }

    fn ended(&mut self, step: &StepEvent, outcome: &Outcome) {
        let is_milestone = !self.is_rollback && self.milestones.contains(&step.id);
        let service = self.services.entry(of(step)).or_default();
        service.running.remove(&step.id);
        service.left = service.left.saturating_sub(1);
        service.now = service.doing();
        match outcome {
            Outcome::Applied | Outcome::AlreadyTrue => {
                self.counts.applied += 1;
                service.done += usize::from(is_milestone);
            }
            Outcome::Tolerated(_) => self.counts.tolerated += 1,
            Outcome::Failed(reason) | Outcome::Superseded(reason) | Outcome::Unknown(reason) => {
                self.counts.failed += 1;
                service.failure.get_or_insert_with(|| format!("{}: {reason}", step.words));
            }
            Outcome::Skipped => self.counts.skipped += 1,
        }
    }

    /// From here on, steps are those of another plan.
    fn roll_back(&mut self, stack: &StackName, reason: &str) {
        self.is_rollback = true;
        for ((of, _), service) in &mut self.services {
            if of == stack.as_str() {
                service.failure.get_or_insert_with(|| reason.to_owned());
                service.total = 0;
            }
        }
    }
}

impl ServiceTally {
    /// The step that began first and still runs.
    fn doing(&self) -> String {
        self.running.values().next().cloned().unwrap_or_default()
    }
}

/// `shop web.1`, `shop web`, `shop`.
pub(super) fn name(step: &StepEvent) -> String {
    let service = match (&step.service, step.slot) {
        (Some(service), Some(slot)) => format!(" {service}.{slot}"),
        (Some(service), None) => format!(" {service}"),
        (None, _) => String::new(),
    };
    printable_name(&format!("{}{service}", step.stack))
}

fn of(step: &StepEvent) -> Key {
    key(&step.stack, step.service.as_ref().map(|it| it.as_str()))
}

fn key(stack: &StackName, service: Option<&str>) -> Key {
    (stack.to_string(), service.map(str::to_owned))
}
