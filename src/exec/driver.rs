//! Runs what the machine lets begin, until nothing runs and nothing can begin.
//!
//! A running step is never dropped: its function ends by itself, since each of its calls and waits
//! has a deadline. Signals and a lost lease only change what may begin and which waits are given up.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::model::{
    Cause, Event, HookMoment, Millis, Op, Outcome, Readiness, ServiceName, StackName, Step,
    StepEvent, StepId,
};
use crate::ports::{Applied, PortError};

use super::context::{Absent, Context, Task};
use super::lease::Guard;
use super::machine::{Machine, is_wait};
use super::ops;
use super::repeat::{Done, Trouble};
use super::{Failure, Report, Stop, Work};

/// Carries out the plan of `work`. Ends when all of it is done or cannot be done any more; a signal
/// in `stop` ends it earlier. Must not be dropped before: what runs would be left half done.
pub async fn run(work: &Work<'_>, guard: &Guard, stop: watch::Receiver<Stop>) -> Report {
    let (raise, rung) = watch::channel(Stop::None);
    let context = Context::new(work, guard, rung);
    let driver = Driver {
        context: &context,
        machine: Machine::new(work.plan, work.options.per_host),
        raise,
        tolerated: BTreeMap::new(),
        absent: Absent::default(),
        failed: BTreeMap::new(),
        lost: None,
    };
    let report = driver.run(guard, stop).await;
    context.settle_all().await;
    context.all_given_back().await;
    report
}

/// What a run knows beside the machine.
struct Driver<'a> {
    context: &'a Context<'a>,
    machine: Machine,
    raise: watch::Sender<Stop>,
    /// How many replicas of a service did not become ready and were allowed to.
    tolerated: BTreeMap<(StackName, Option<ServiceName>), u32>,
    /// Their containers, and others that no proxy is to be pointed at.
    absent: Absent,
    /// What each stack failed with.
    failed: BTreeMap<StackName, First>,
    lost: Option<String>,
}

/// The failure that a stack's run is judged by: the first one that ended it, else the first one that
/// it went on after.
struct First {
    reason: String,
    service: Option<ServiceName>,
    ends_stack: bool,
}

/// A step that has ended.
struct Ended {
    id: StepId,
    event: StepEvent,
    done: Done,
    took: Millis,
}

impl Driver<'_> {
    async fn run(mut self, guard: &Guard, stop: watch::Receiver<Stop>) -> Report {
        let context = self.context;
        let plan = context.work.plan;
        context.tell(Event::Began { plan: plan.id.clone(), steps: plan.steps.len() });
        self.raise_to(*stop.borrow());
        let mut running = FuturesUnordered::new();
        loop {
            // Whoever found it out, and before anything begins: a way back is a run of its own under
            // leases that were taken for the way there.
            if let (None, Some(why)) = (&self.lost, guard.loss()) {
                self.lose(why);
            }
            for id in self.launch() {
                let step = &plan.steps[id.0];
                self.spare(step);
                running.push(perform(context, step, Arc::new(self.absent.clone())));
            }
            if running.is_empty() {
                return self.report();
            }
            tokio::select! {
                biased;
                // Cancel-safe: a step that has ended stays until it is taken.
                Some(ended) = running.next() => self.end(ended),
                // Cancel-safe: it only looks.
                rung = raised(stop.clone(), *self.raise.borrow()) => self.raise_to(rung),
                // Cancel-safe: it only looks.
                why = guard.lost(), if self.lost.is_none() => self.lose(why),
            }
        }
    }

    /// What may begin now. A release is not recorded of a stack that went on without replicas it
    /// should have: it is where the next rollback would lead.
    fn launch(&mut self) -> Vec<StepId> {
        let mut begun = Vec::new();
        loop {
            let steps = &self.context.work.plan.steps;
            let is_unearned = |id: &StepId| {
                let step = &steps[id.0];
                matches!(step.op, Op::Record { .. }) && self.failed.contains_key(&step.stack)
            };
            let (skipped, rest): (Vec<_>, Vec<_>) =
                self.machine.launch().into_iter().partition(is_unearned);
            begun.extend(rest);
            if skipped.is_empty() {
                return begun;
            }
            for id in skipped {
                let ended = self.machine.finish(id, Outcome::Skipped);
                ended.expect("a step ends once, after it was launched");
            }
        }
    }

    /// Of replicas in one place, an older one need not answer where a younger one does.
    fn spare(&mut self, step: &Step) {
        let (Cause::Standby(younger), Some(container)) = (&step.cause, comes(&step.op)) else {
            return;
        };
        if !younger.iter().all(|name| self.absent.has(name)) {
            self.absent.unproved.insert(container.to_owned());
        }
    }

    fn end(&mut self, ended: Ended) {
        let Ended { id, event, done, took } = ended;
        let step = &self.context.work.plan.steps[id.0];
        if let (Ok(_), Op::AwaitReady { container, .. }, false) = (&done, &step.op, only_asks(step))
        {
            self.absent.unproved.remove(container);
        }
        let outcome = match done {
            Ok(Applied::Changed) => Outcome::Applied,
            Ok(Applied::AlreadyTrue) => Outcome::AlreadyTrue,
            Err(trouble) => self.judge(step, trouble),
        };
        self.context.tell(Event::Ended { step: event, outcome: outcome.clone(), took });
        self.machine.finish(id, outcome).expect("a step ends once, after it was launched");
    }

    fn judge(&mut self, step: &Step, trouble: Trouble) -> Outcome {
        if let Some(outcome) = self.tolerate(step, &trouble) {
            return outcome;
        }
        let is_failure = trouble != Trouble::Abandoned;
        let outcome = trouble.clone().outcome();
        if is_failure {
            self.note(step, trouble, true);
        }
        outcome
    }

    /// A replica that does not come is left out where its service allows for that; so are the rest
    /// of its own steps.
    fn tolerate(&mut self, step: &Step, trouble: &Trouble) -> Option<Outcome> {
        let container = comes(&step.op)?;
        if self.absent.failed.contains(container) {
            return Some(Outcome::Tolerated(trouble.clone().words()));
        }
        if only_asks(step) && trouble.is_of_replica() {
            self.absent.unproved.insert(container.to_owned());
            return Some(Outcome::Tolerated(trouble.clone().words()));
        }
        let readiness = readiness(&self.context.work.plan.steps, step, container)?;
        if !trouble.is_of_replica() {
            return None;
        }
        let of = (step.stack.clone(), step.service.clone());
        let count = self.tolerated.entry(of).or_default();
        let is_within = *count < readiness.may_fail;
        if !is_within && !readiness.goes_on {
            return None;
        }
        *count += 1;
        self.absent.failed.insert(container.to_owned());
        if !is_within {
            self.note(step, trouble.clone(), false);
        }
        Some(Outcome::Tolerated(trouble.clone().words()))
    }

    fn note(&mut self, step: &Step, trouble: Trouble, ends_stack: bool) {
        let (words, place) = (step.op.words(), format!(" on {}", step.host));
        let place = if words.ends_with(&place) { "" } else { place.as_str() };
        let reason = format!("{words}{place}: {}", trouble.words());
        let first = First { reason, service: step.service.clone(), ends_stack };
        match self.failed.get(&step.stack) {
            Some(known) if known.ends_stack || !ends_stack => {}
            Some(_) | None => drop(self.failed.insert(step.stack.clone(), first)),
        }
    }

    fn raise_to(&mut self, rung: Stop) {
        let message = match rung {
            Stop::None => return,
            Stop::Finish => "nothing new begins; what runs is finished",
            Stop::Abandon => "waits are given up; what has begun to change is finished",
        };
        self.machine.stop();
        self.raise.send_replace(rung);
        self.context.tell(Event::Interrupted { message: message.to_owned() });
    }

    /// Waits lead nowhere when nothing can follow, so they are given up at once.
    fn lose(&mut self, why: String) {
        self.machine.stop();
        self.raise.send_replace(Stop::Abandon);
        let message = format!("{why}; nothing new begins, since somebody else may act now");
        self.context.tell(Event::Interrupted { message });
        self.lost = Some(why);
    }

    fn report(self) -> Report {
        let steps = &self.context.work.plan.steps;
        let outcomes = self.machine.outcomes();
        // An effect that nobody knows about counts as one; and what the plan has to make was not
        // there when it was made, so this run has made it, even where the answer to a call that was
        // carried twice says that it was there.
        let has_effect = |step: &Step, it: &Outcome| match it {
            Outcome::Applied | Outcome::Unknown(_) => true,
            Outcome::AlreadyTrue => matches!(step.op, Op::Create { .. } | Op::Start { .. }),
            _ => false,
        };
        let failure = |(stack, first): (StackName, First)| {
            let First { reason, service, ends_stack: _ } = first;
            let own = || {
                let all = steps.iter().zip(&outcomes);
                all.filter(|(step, it)| step.stack == stack && has_effect(step, it))
            };
            let switched = own().any(|(step, _)| matches!(step.op, Op::Switch { .. }));
            // A container that does not start is in the way of the next run, whoever made it.
            let is_stuck = |(step, it): (&Step, &Outcome)| {
                step.stack == stack
                    && matches!(step.op, Op::Start { .. })
                    && matches!(it, Outcome::Failed(_) | Outcome::Superseded(_))
            };
            let changed = own().any(|(step, _)| changes(&step.op))
                || steps.iter().zip(&outcomes).any(is_stuck);
            (stack.clone(), Failure { reason, service, switched, changed })
        };
        let failed = self.failed.into_iter().map(failure).collect();
        let is_whole = outcomes.iter().all(Outcome::unblocks);
        let interrupted = self.machine.is_stopping() && !is_whole;
        Report { outcomes, failed, interrupted, lost: self.lost }
    }
}

/// Whether a step leaves something changed behind it; a wait does not, and an image harms nobody.
fn changes(op: &Op) -> bool {
    !matches!(
        op,
        Op::Pull { .. }
            | Op::AwaitReady { .. }
            | Op::AwaitCompleted { .. }
            | Op::AwaitDrained { .. }
            | Op::Pause { .. }
    )
}

/// The container that a step brings on its way to being trusted.
fn comes(op: &Op) -> Option<&str> {
    match op {
        Op::Create { replica } => Some(&replica.name),
        Op::Start { container }
        | Op::RunHook { container, moment: HookMoment::PostStart, .. }
        | Op::AwaitReady { container, .. } => Some(container),
        Op::RunHook { moment: HookMoment::PreStop, .. }
        | Op::Pull { .. }
        | Op::CreateNetwork { .. }
        | Op::CreateVolume { .. }
        | Op::AwaitCompleted { .. }
        | Op::Switch { .. }
        | Op::AwaitDrained { .. }
        | Op::Stop { .. }
        | Op::Remove { .. }
        | Op::RemoveNetwork { .. }
        | Op::RemoveVolume { .. }
        | Op::Pause { .. }
        | Op::Record { .. } => None,
    }
}

/// Whether a step only finds out whom a proxy may go on with that serves from memory.
fn only_asks(step: &Step) -> bool {
    let is_for_proxy = matches!(step.cause, Cause::NotServed | Cause::Standby(_));
    is_for_proxy && matches!(step.op, Op::AwaitReady { .. })
}

/// When a container that comes is trusted, as the wait for it says.
fn readiness<'a>(steps: &'a [Step], step: &Step, name: &str) -> Option<&'a Readiness> {
    let is_own = |it: &&Step| it.stack == step.stack && it.host == step.host && !only_asks(it);
    let mut own = steps.iter().filter(is_own);
    own.find_map(|it| match &it.op {
        Op::AwaitReady { container, readiness } if container == name => Some(readiness),
        _ => None,
    })
}

async fn perform<'a>(context: &'a Context<'a>, step: &'a Step, absent: Arc<Absent>) -> Ended {
    let event = StepEvent {
        id: step.id,
        stack: step.stack.clone(),
        service: step.service.clone(),
        slot: step.slot,
        host: step.host.clone(),
        words: step.op.words(),
    };
    context.tell(Event::Started(event.clone()));
    let began = Instant::now();
    let deadline = began + ops::limit(&step.op);
    let task = Task { context, step, event: event.clone(), deadline, absent };
    let is_in = |names: &BTreeSet<String>| comes(&step.op).is_some_and(|it| names.contains(it));
    let done = match only_asks(step) {
        _ if is_in(&task.absent.failed) => {
            Err(Trouble::NotReady("its replica has failed before".to_owned()))
        }
        true if is_in(&task.absent.unproved) => Ok(Applied::AlreadyTrue),
        _ => performed(&task).await,
    };
    let took = Millis::try_from(began.elapsed().as_millis()).unwrap_or(Millis::MAX);
    Ended { id: step.id, event, done, took }
}

async fn performed(task: &Task<'_>) -> Done {
    if !is_wait(&task.step.op) {
        task.still_held().await?;
    }
    // An address says little to whoever knows hosts by their names.
    let named = |trouble: Trouble| match &trouble {
        Trouble::Unknown(_) | Trouble::Port(PortError::Unreachable(_) | PortError::Unknown(_)) => {
            trouble.map(|why| format!("{}: {why}", task.step.host))
        }
        _ => trouble,
    };
    ops::perform(task).await.map_err(named)
}

/// Ends when a higher rung than `current` is asked for; never when nobody can ask any more.
async fn raised(mut stop: watch::Receiver<Stop>, current: Stop) -> Stop {
    let rung = stop.wait_for(|rung| *rung > current).await.map(|rung| *rung);
    match rung {
        Ok(rung) => rung,
        Err(_) => std::future::pending().await,
    }
}
