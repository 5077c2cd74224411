//! One round: plan, carry out, say how it ended. The same road that `apply` walks.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::Inner;
use super::absences::note;
use super::look::{fleet, no_plan, scope};
use super::place::{Place, Standing};
use crate::diag::words;
use crate::exec::{Options, Stop};
use crate::model::{CommitId, Event, Millis, Op, Outcome, Plan, Verdict};
use crate::pipeline::{ApplyError, Orders, Past, Wish, release_of};
use crate::planner::{Scope, deletions};
use crate::sync::{Begin, Carried, Finding, Progress, RoundEnd, Setback, StepView, Wake};
use crate::ui;

/// How long a lease lasts when it is not renewed: as long as those of `apply`.
const LEASE: Duration = Duration::from_secs(30);

/// Steps that may work on one host at the same time, as with `apply`.
const STEPS_PER_HOST: usize = 8;

/// How often it is planned anew when the hosts change under the plan, or another round was faster.
const PLANS: usize = 5;

/// What a round works with.
pub(super) struct Job {
    pub(super) begin: Begin,
    pub(super) standing: Arc<Standing>,
    pub(super) place: Place,
    pub(super) holder: String,
    pub(super) stop: watch::Receiver<Stop>,
    pub(super) inner: mpsc::Sender<Inner>,
}

/// How it ended, and one sentence about it.
type End = (RoundEnd, String);

impl Job {
    /// Brings the stack to the commit of the round.
    pub(super) async fn run(self) -> End {
        let (place, commit) = (self.place.clone(), self.begin.commit.clone());
        let stack = self.begin.stack.clone();
        let wish = match self.place.aside().done(move || place.wish(&commit, &stack)).await {
            Ok(wish) => wish,
            Err(why) => {
                return (RoundEnd::Failed, format!("{} {why}", self.begin.commit.short()));
            }
        };
        let mut last = (RoundEnd::Failed, "the hosts do not hold still".to_owned());
        for _ in 0..PLANS {
            match self.attempt(&wish).await {
                Ok(end) => return end,
                Err(stale) => last.1 = stale,
            }
        }
        last
    }

    /// Plans and carries out; `Err` when the hosts have changed between the two.
    async fn attempt(&self, wish: &Wish) -> Result<End, String> {
        let scope = scope(&self.standing, &self.begin.stack);
        let scope = Scope { taken: self.place.claims().taken(), ..scope };
        let before = fleet(&self.standing);
        let observed = before.look(wish).await;
        note(&self.standing, &observed, &self.begin.source, &self.inner);
        let was_here = Past::At(self.begin.commit.clone());
        let was_here = release_of(&observed, &self.begin.stack) == was_here;
        // Who has just not answered is not asked again under the lease.
        let fleet = fleet(&self.standing);
        let plan = match fleet.plan_on(wish, &scope, observed) {
            Ok(planned) => planned.plan,
            Err(error) => {
                let Finding::NoPlan { message, .. } = no_plan(&error) else {
                    return Ok((RoundEnd::Refused, String::new()));
                };
                return Ok((RoundEnd::Refused, message));
            }
        };
        if plan.is_empty() {
            return Ok((RoundEnd::Synced, "there is nothing to do".to_owned()));
        }
        if let Some(refused) = self.refuse(&plan) {
            return Ok(refused);
        }
        let Some(_claim) = self.place.claims().claim(&plan) else {
            return Err("other rounds open ports on the same hosts".to_owned());
        };
        self.tell(Progress::Steps(steps(&plan))).await;
        let (events, mut received) = mpsc::unbounded_channel::<Event>();
        let options = self.options();
        let earlier = |commit: &CommitId| self.place.wish(commit, &self.begin.stack);
        let orders = Orders {
            scope: &scope,
            options: &options,
            events: &events,
            stop: self.stop.clone(),
            earlier: &earlier,
        };
        let mut narrator = Narrator::new(&plan);
        let began = tokio::time::Instant::now();
        let work = fleet.apply(wish, &plan, &orders);
        tokio::pin!(work);
        let result = loop {
            tokio::select! {
                biased;
                Some(event) = received.recv() => self.narrate(&mut narrator, &event).await,
                result = &mut work => break result,
            }
        };
        while let Ok(event) = received.try_recv() {
            self.narrate(&mut narrator, &event).await;
        }
        if let Ok(verdict) = &result {
            let took = Millis::try_from(began.elapsed().as_millis()).unwrap_or(Millis::MAX);
            let setback = (*verdict == Verdict::RolledBack).then(|| narrator.setback());
            self.tell(Progress::Carried(Carried { took, setback })).await;
        }
        match result {
            Ok(verdict) => Ok(self.verdict(&verdict, &plan, &narrator, was_here)),
            Err(ApplyError::Stale(moved)) if self.begin.only.is_none() => {
                let first = moved.first().map(|moved| format!(": {moved}"));
                Err(format!("the hosts change under the plan{}", first.unwrap_or_default()))
            }
            Err(error) => Ok(not_applied(error)),
        }
    }

    /// What a person has agreed to, and what may be removed.
    fn refuse(&self, plan: &Plan) -> Option<End> {
        if let Some(only) = self.begin.only.as_ref().filter(|only| **only != plan.id) {
            let message = format!("plan {only} is not what is to be done any more; read it again");
            return Some((RoundEnd::Refused, message));
        }
        let count = deletions(plan);
        let limit = self.begin.max_deletes.filter(|limit| count > *limit)?;
        let message = format!("the plan removes {count} things for good; {limit} are allowed");
        Some((RoundEnd::Refused, message))
    }

    fn options(&self) -> Options {
        Options {
            keep_failed: false,
            per_host: STEPS_PER_HOST,
            holder: self.holder.clone(),
            purpose: self.begin.commit.short().to_owned(),
            lease: LEASE,
            lease_wait: Duration::ZERO,
        }
    }

    async fn narrate(&self, narrator: &mut Narrator, event: &Event) {
        for progress in narrator.event(event) {
            self.tell(progress).await;
        }
    }

    async fn tell(&self, progress: Progress) {
        let (source, stack) = (self.begin.source.clone(), self.begin.stack.clone());
        let wake = Wake::Progressed { source, stack, progress };
        // The loop that listens outlives its rounds.
        drop(self.inner.send(Inner::Wake(wake)).await);
    }

    /// `was_here`: the stack has been at this commit before, and well.
    fn verdict(&self, verdict: &Verdict, plan: &Plan, narrator: &Narrator, was_here: bool) -> End {
        let totals = plan.totals();
        let why = || narrator.reason.clone().unwrap_or_else(|| "a step failed".to_owned());
        match verdict {
            Verdict::Done => (
                RoundEnd::Synced,
                format!(
                    "{} created, {} changed, {} removed{}",
                    totals.create,
                    totals.change,
                    totals.remove,
                    left_out(plan)
                ),
            ),
            // The stack is as it was, and it was not the commit that failed: it may be tried again.
            Verdict::RolledBack if narrator.is_superseded || was_here => (RoundEnd::Failed, why()),
            Verdict::RolledBack => (RoundEnd::RolledBack, why()),
            Verdict::Failed => (RoundEnd::Failed, why()),
            Verdict::Partly => (RoundEnd::Partly, why()),
            Verdict::Interrupted => {
                (RoundEnd::Interrupted, "it was stopped; what is left is done next time".to_owned())
            }
        }
    }
}

/// Whom the plan was made without.
fn left_out(plan: &Plan) -> String {
    let names: Vec<&str> = plan.blind.iter().map(|blind| blind.what.as_str()).collect();
    match names.is_empty() {
        true => String::new(),
        false => format!("; {} was not seen and is left as it is", names.join(", ")),
    }
}

fn steps(plan: &Plan) -> Vec<StepView> {
    let view = |step: &crate::model::Step| {
        let (words, place) = (step.op.words(), format!(" on {}", step.host));
        let place = if words.ends_with(&place) { "" } else { place.as_str() };
        StepView { words: format!("{words}{place}"), state: "waiting", message: None }
    };
    plan.steps.iter().map(view).collect()
}

/// Turns events of a run into what is shown of it.
struct Narrator {
    lines: ui::run::Progress,
    /// What it means when one fails.
    steps: Vec<Setback>,
    is_going_back: bool,
    reason: Option<String>,
    /// What the first step of the plan was that failed.
    failed: Option<Setback>,
    /// Whether what failed first did so because the hosts were not as the plan saw them.
    is_superseded: bool,
}

impl Narrator {
    fn new(plan: &Plan) -> Self {
        let style = ui::run::ProgressStyle::Lines { color: false };
        let lines = ui::run::Progress::new(style, plan);
        Self {
            lines,
            steps: plan.steps.iter().map(|step| setback(&step.op)).collect(),
            failed: None,
            is_going_back: false,
            reason: None,
            is_superseded: false,
        }
    }

    fn event(&mut self, event: &Event) -> Vec<Progress> {
        let mut told: Vec<Progress> =
            self.lines.event(event).into_iter().map(Progress::Line).collect();
        let step = |index: usize, state, message| Progress::Step { index, state, message };
        match event {
            // The way back has steps of its own, which are not those of the plan.
            Event::RollingBack { reason, .. } => {
                self.is_going_back = true;
                self.reason.get_or_insert_with(|| reason.clone());
            }
            Event::Started(it) if self.is_of_plan(it.id.0) => {
                told.push(step(it.id.0, "running", None));
            }
            Event::Progress { step: it, message } if self.is_of_plan(it.id.0) => {
                told.push(step(it.id.0, "running", Some(message.clone())));
            }
            Event::Ended { step: it, outcome, took } => {
                let has_waited = matches!(outcome, Outcome::Applied | Outcome::Tolerated(_));
                if self.kind(it.id.0) == Some(Setback::Drain) && has_waited {
                    told.push(Progress::Drained(*took));
                }
                let (state, message) = ended(outcome);
                if state == "failed" && !self.is_going_back {
                    let is_first = self.reason.is_none();
                    self.is_superseded |= is_first && matches!(outcome, Outcome::Superseded(_));
                    self.failed = self.failed.or(self.kind(it.id.0));
                    let why = message.clone().unwrap_or_default();
                    self.reason.get_or_insert_with(|| format!("{}: {why}", it.words));
                }
                if self.is_of_plan(it.id.0) {
                    told.push(step(it.id.0, state, message));
                }
            }
            Event::Warned { message } if self.is_going_back => {
                self.reason = Some(message.clone());
            }
            _ => {}
        }
        told
    }

    fn is_of_plan(&self, index: usize) -> bool {
        self.kind(index).is_some()
    }

    /// What kind of step it is, if it is one of the plan.
    fn kind(&self, index: usize) -> Option<Setback> {
        self.steps.get(index).copied().filter(|_| !self.is_going_back)
    }

    /// Why it went back.
    fn setback(&self) -> Setback {
        match self.is_superseded {
            true => Setback::Superseded,
            false => self.failed.unwrap_or(Setback::Other),
        }
    }
}

/// What it is called when a step fails.
fn setback(op: &Op) -> Setback {
    match op {
        Op::Pull { .. } => Setback::Image,
        Op::Create { .. } | Op::CreateNetwork { .. } | Op::CreateVolume { .. } => Setback::Create,
        Op::Start { .. } => Setback::Start,
        Op::RunHook { .. } => Setback::Hook,
        Op::AwaitReady { .. } => Setback::Readiness,
        Op::AwaitCompleted { .. } => Setback::Completion,
        Op::Switch { .. } => Setback::Proxy,
        Op::AwaitDrained { .. } => Setback::Drain,
        Op::Stop { .. }
        | Op::Remove { .. }
        | Op::RemoveNetwork { .. }
        | Op::RemoveVolume { .. } => Setback::Removal,
        Op::Record { .. } => Setback::Record,
        Op::Pause { .. } => Setback::Other,
    }
}

fn ended(outcome: &Outcome) -> (&'static str, Option<String>) {
    match outcome {
        Outcome::Applied | Outcome::AlreadyTrue => ("done", None),
        Outcome::Tolerated(why) => ("done", Some(why.clone())),
        Outcome::Failed(why) | Outcome::Superseded(why) | Outcome::Unknown(why) => {
            ("failed", Some(why.clone()))
        }
        Outcome::Skipped => ("skipped", None),
    }
}

fn not_applied(error: ApplyError) -> End {
    match error {
        ApplyError::Locked(lease) => {
            let message = format!("{} is at it for {}", lease.holder, lease.purpose);
            (RoundEnd::Locked, message)
        }
        ApplyError::Lease(error) => {
            (RoundEnd::Failed, format!("could not take the lease: {}", words(&error)))
        }
        ApplyError::Stale(_) => {
            (RoundEnd::Refused, "the hosts are not as the plan saw them; read it again".to_owned())
        }
        ApplyError::Plan(error) => (RoundEnd::Refused, crate::pipeline::words(&error)),
    }
}
