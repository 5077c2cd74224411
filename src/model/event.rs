//! Everything that a run can say. Progress on a terminal, lines in a log, events in JSON and
//! comments in reviews are made of the same stream.

use super::{HostName, Millis, PlanId, ServiceName, Slot, StackName, StepId};

/// Something that happened. No event holds a secret.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The run began.
    Began {
        /// The plan.
        plan: PlanId,
        /// How many steps it has.
        steps: usize,
    },
    /// A step began.
    Started(StepEvent),
    /// A step says how far it is: "2 requests in flight".
    Progress {
        /// The step.
        step: StepEvent,
        /// In a few words.
        message: String,
    },
    /// A step ended.
    Ended {
        /// The step.
        step: StepEvent,
        /// How.
        outcome: Outcome,
        /// How long it took, in milliseconds.
        took: Millis,
    },
    /// A stack's update failed, and it is being brought back.
    RollingBack {
        /// The stack.
        stack: StackName,
        /// Why.
        reason: String,
    },
    /// Something worth knowing that stops nothing: connections that were cut at the drain timeout.
    Warned {
        /// One sentence.
        message: String,
    },
    /// A signal was taken.
    Interrupted {
        /// What that means now, in one sentence.
        message: String,
    },
    /// The run ended.
    Finished {
        /// How.
        verdict: Verdict,
        /// How long it took, in milliseconds.
        took: Millis,
    },
}

/// A step as events name it.
#[derive(Debug, Clone, PartialEq)]
pub struct StepEvent {
    /// Its position in the plan.
    pub id: StepId,
    /// Its stack.
    pub stack: StackName,
    /// Its service.
    pub service: Option<ServiceName>,
    /// Its replica.
    pub slot: Option<Slot>,
    /// Its host.
    pub host: HostName,
    /// What it does: `start acme-shop-web-1-ab12`.
    pub words: String,
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect.
    Applied,
    /// There was nothing to do: what it makes was there.
    AlreadyTrue,
    /// It did not take effect, and the service's settings allow for that: what follows goes on
    /// without this replica.
    Tolerated(String),
    /// It did not take effect.
    Failed(String),
    /// The world is not as the plan saw it; the stack's plan ends here.
    Superseded(String),
    /// It was asked to, and nobody knows whether it did: only looking again can tell.
    Unknown(String),
    /// It never began: something before it failed, or the run was interrupted.
    Skipped,
}

impl Outcome {
    /// Whether steps that need it may start.
    pub fn unblocks(&self) -> bool {
        matches!(self, Self::Applied | Self::AlreadyTrue | Self::Tolerated(_))
    }
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything was done.
    Done,
    /// Something failed, and nothing was changed by it, or what was changed was undone where it
    /// could be.
    RolledBack,
    /// Something failed before anything was changed.
    Failed,
    /// Some stacks or steps were done, others not; the next plan says what is left.
    Partly,
    /// A signal ended it; the next plan says what is left.
    Interrupted,
}
