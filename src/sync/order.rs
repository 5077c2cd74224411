//! What others ask of the daemon.

use crate::model::{Millis, Name, PlanId, StackName};

/// A request to the daemon. Whoever sends it has already been found to be allowed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The source.
    pub source: Name,
    /// Who asks, for the history.
    pub by: String,
    /// What.
    pub kind: OrderKind,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderKind {
    /// Look whether the branch has moved, now. What a webhook asks; it says nothing else, and what
    /// it says is not believed.
    Fetch,
    /// Plan this stack anew now, quarantine or not.
    Sync(StackName),
    /// Carry out the plan that waits, if it is still this one.
    Approve(StackName, PlanId),
    /// Leave a stack as it is until a time, or until it is resumed.
    Pause {
        /// The stack.
        stack: StackName,
        /// Until when; `None`: until somebody resumes it.
        until: Option<Millis>,
        /// Why, for whoever wonders.
        reason: String,
    },
    /// End a pause.
    Resume(StackName),
}

impl OrderKind {
    /// Whether who orders it relies on that it outlives the daemon.
    pub fn is_to_last(&self) -> bool {
        match self {
            Self::Pause { .. } | Self::Resume(_) => true,
            Self::Fetch | Self::Sync(_) | Self::Approve(..) => false,
        }
    }
}

/// Why an order was not taken, or not for long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// There is no such source or stack.
    #[error("there is no {0}")]
    Unknown(String),
    /// It does not fit what is there: no plan waits, or another one.
    #[error("{0}")]
    Conflict(String),
    /// It holds, and it will be forgotten when the daemon is started anew.
    #[error("{0}")]
    Unkept(String),
    /// The daemon has more orders than it can take, or is ending.
    #[error("{0}")]
    Busy(String),
}
