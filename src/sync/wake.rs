//! What comes to the state, and what it decides.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Carried, GitOp, HostView, PlanView, RoundEnd, StepView, Trigger};
use crate::model::{CommitId, Health, HostName, Millis, Name, PlanId, StackName};

/// Something that happened and may need a decision.
#[derive(Debug, Clone, PartialEq)]
pub enum Wake {
    /// Time passed.
    Tick,
    /// A source was asked, and its newest commit is known.
    Fetched {
        /// Which.
        source: Name,
        /// What it has.
        news: Box<News>,
    },
    /// A source could not be asked, or its newest commit cannot be used.
    NotFetched {
        /// Which.
        source: Name,
        /// Why, in one sentence.
        message: String,
        /// Whether it is because nobody who may has signed it.
        is_unsigned: bool,
    },
    /// A repository was asked, however what it has is used.
    Asked {
        /// Of which source.
        source: Name,
        /// For what.
        op: GitOp,
        /// Whether it answered.
        is_done: bool,
        /// How long that took, in milliseconds.
        took: Millis,
    },
    /// A look is over.
    Looked {
        /// Of which source.
        source: Name,
        /// The number that [`Decision::Look`] gave it.
        number: u64,
        /// What was seen.
        sight: Box<Sight>,
    },
    /// Something happened on a host.
    Stirred {
        /// Of which source.
        source: Name,
        /// To which stack; `None`: nobody knows, events may have been missed.
        stack: Option<StackName>,
    },
    /// A round says how far it is.
    Progressed {
        /// Of which source.
        source: Name,
        /// Of which stack.
        stack: StackName,
        /// How far.
        progress: Progress,
    },
    /// A round is over.
    Ended {
        /// Of which source.
        source: Name,
        /// Of which stack.
        stack: StackName,
        /// How it ended.
        end: RoundEnd,
        /// One sentence.
        message: String,
    },
    /// The daemon is to end: nothing new begins.
    Ending,
}

/// How far a round is.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// These are its steps.
    Steps(Vec<StepView>),
    /// A step is in another state.
    Step {
        /// Its position.
        index: usize,
        /// The state's name, as in [`StepView::state`].
        state: &'static str,
        /// What it says of itself.
        message: Option<String>,
    },
    /// A line as a terminal would show it.
    Line(String),
    /// A proxy has let go of servers, after so many milliseconds.
    Drained(Millis),
    /// Its plan was carried out, as far as that went.
    Carried(Carried),
}

/// The newest commit of a source.
#[derive(Debug, Clone, PartialEq)]
pub struct News {
    /// The commit.
    pub head: CommitId,
    /// Its first line.
    pub summary: String,
    /// The branch that it is the head of.
    pub branch: String,
    /// The environment's name.
    pub environment: String,
    /// The stacks that it has.
    pub stacks: BTreeMap<StackName, Target>,
    /// The hosts of its inventory.
    pub hosts: BTreeSet<HostName>,
    /// Counts up when something changes that all stacks rest on: the inventory, the settings.
    pub ground: u64,
    /// How many things one round may remove, as the repository says.
    pub max_deletes: Option<usize>,
}

/// What a commit wants of one stack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Counts up when the commit wants something else of it.
    pub version: u64,
    /// Why nobody can know what it wants.
    pub fault: Option<String>,
    /// Names what it wants, and where, to daemons that count otherwise. Equal ones are equal.
    pub mark: String,
}

/// What one look at the hosts came to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sight {
    /// The commit it was compared with.
    pub head: Option<CommitId>,
    /// The hosts.
    pub hosts: BTreeMap<HostName, HostView>,
    /// The stacks that were looked at. One that is neither wanted nor there is left out.
    pub stacks: BTreeMap<StackName, Seen>,
    /// Whether all stacks were looked at.
    pub is_whole: bool,
}

/// What was seen of one stack.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// Against the newest commit.
    pub head: Finding,
    /// Against the commit it is held at, when that was asked for.
    pub held: Option<Finding>,
    /// The commit whose release the hosts remember.
    pub released: Option<CommitId>,
    /// How its replicas are.
    pub health: super::Health,
    /// The rows of `status`.
    pub replicas: Arc<Vec<serde_json::Value>>,
}

/// What comparing a commit with the hosts came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// There is nothing to do.
    Same,
    /// There is.
    Differs(Box<Difference>),
    /// There is no plan.
    NoPlan {
        /// Why, in one sentence.
        message: String,
        /// Whether it is because somebody does not answer.
        is_unreachable: bool,
    },
}

/// A plan that has something to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The plan.
    pub plan: Arc<PlanView>,
    /// What differs.
    pub what: Vec<Deviation>,
    /// Things that go for good.
    pub deletes: usize,
}

/// Something that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deviation {
    /// What: `web.image`.
    pub line: String,
    /// Where.
    pub hosts: BTreeSet<HostName>,
}

/// What is to be done now. All of it may be done at the same time.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// Ask a source for its newest commit.
    Fetch {
        /// Which.
        source: Name,
    },
    /// Look at the hosts.
    Look {
        /// Of which source.
        source: Name,
        /// Names the look.
        number: u64,
        /// At which stacks; `None`: all.
        stacks: Option<BTreeSet<StackName>>,
        /// Stacks that are compared with an earlier commit too.
        held: BTreeMap<StackName, CommitId>,
    },
    /// Begin a round.
    Begin(Box<Begin>),
    /// Tell something.
    Tell(super::Notice),
}

/// A round that begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Begin {
    /// Of which source.
    pub source: Name,
    /// The stack.
    pub stack: StackName,
    /// Its number.
    pub number: u64,
    /// The commit it brings about.
    pub commit: CommitId,
    /// Whether that is the newest one.
    pub is_head: bool,
    /// Why.
    pub trigger: Trigger,
    /// The only plan it may carry out; `None`: whatever comes out.
    pub only: Option<PlanId>,
    /// How many things it may remove.
    pub max_deletes: Option<usize>,
    /// When it began.
    pub at: Millis,
}

impl Finding {
    /// The difference, where there is one.
    pub fn difference(&self) -> Option<&Difference> {
        match self {
            Self::Differs(difference) => Some(difference),
            Self::Same | Self::NoPlan { .. } => None,
        }
    }
}

impl super::Health {
    /// How a replica with this state counts.
    pub fn of(is_running: bool, health: Option<&Health>) -> Self {
        match (is_running, health) {
            (false, _) => Self::Missing,
            (true, Some(Health::Unhealthy(_))) => Self::Degraded,
            (true, Some(Health::Starting)) => Self::Progressing,
            (true, Some(Health::Healthy) | None) => Self::Healthy,
        }
    }
}
