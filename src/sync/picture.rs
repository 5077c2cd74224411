//! What the daemon knows at one moment, as it is shown: by the page, the API, the metrics.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::{CommitId, HostName, Millis, Name, PlanId, StackName};

/// Everything that can be shown. It holds no secret and no value of an environment.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Picture {
    /// When the daemon started.
    pub started: Millis,
    /// When this picture was made.
    pub at: Millis,
    /// Whether every source has been looked at once, and what was held before is known.
    pub is_ready: bool,
    /// Why it is not well; `None` when it is.
    pub trouble: Option<String>,
    /// By name.
    pub sources: BTreeMap<Name, SourceView>,
}

/// One repository deployed to one environment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceView {
    /// Its address, without a login.
    pub repository: String,
    /// The branch.
    pub branch: String,
    /// The environment.
    pub environment: String,
    /// The newest commit that was fetched.
    pub head: Option<CommitId>,
    /// Its first line.
    pub summary: Option<String>,
    /// When it was last asked for successfully.
    pub fetched: Option<Millis>,
    /// When it is asked next.
    pub next_fetch: Option<Millis>,
    /// What is wrong with all of it, in one sentence.
    pub trouble: Option<String>,
    /// The hosts of its inventory.
    pub hosts: BTreeMap<HostName, HostView>,
    /// Its stacks, also those that run and have left the repository.
    pub stacks: BTreeMap<StackName, StackView>,
    /// What was measured since it is watched.
    pub measured: Measured,
}

/// What takes time at a source, over the life of the process.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Measured {
    /// Folders were opened that are read where they are.
    pub opens: Asked,
    /// Remote repositories were asked what they have, and had nothing new.
    pub lists: Asked,
    /// They were asked, and what was new was fetched.
    pub fetches: Asked,
    /// Proxies let go of replicas.
    pub drains: Times,
    /// Rounds waited because another run held a stack.
    pub locks: Times,
}

/// Questions to a repository, by how they ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Asked {
    /// Answered.
    pub done: Times,
    /// Not answered, or only in part.
    pub failed: Times,
}

/// What a repository is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GitOp {
    /// A folder of this machine.
    Open,
    /// What it has.
    List,
    /// What is new in it.
    Fetch,
}

impl Measured {
    /// A repository was asked.
    pub fn asked(&mut self, op: GitOp, is_done: bool, took: Millis) {
        let asked = match op {
            GitOp::Open => &mut self.opens,
            GitOp::List => &mut self.lists,
            GitOp::Fetch => &mut self.fetches,
        };
        if is_done { &mut asked.done } else { &mut asked.failed }.add(took);
    }
}

/// How often, and how long all of it took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Times {
    /// How often.
    pub count: u64,
    /// All of it together, in milliseconds.
    pub sum: Millis,
}

impl Times {
    /// Once more.
    pub fn add(&mut self, took: Millis) {
        self.count += 1;
        self.sum = self.sum.saturating_add(took);
    }
}

/// One host.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HostView {
    /// Whether it answered when it was last asked.
    pub is_up: bool,
    /// What came in place of an answer.
    pub trouble: Option<String>,
    /// When it last answered.
    pub seen: Option<Millis>,
    /// How long it took to answer the last look, in milliseconds.
    pub took: Option<Millis>,
    /// How its engine is reached.
    pub transport: Transport,
}

/// How an engine is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// Through a socket of this machine.
    Unix,
    /// Through an SSH session.
    Ssh,
    /// Through a TCP connection, encrypted.
    Tls,
    /// Through a TCP connection as it is.
    Tcp,
}

/// One stack. What is large in it is shared with the pictures before: there is one for every turn of
/// the loop.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StackView {
    /// Whether what runs is what the newest commit wants.
    pub sync: Sync,
    /// How its replicas are.
    pub health: Health,
    /// Who starts its rounds.
    pub mode: Mode,
    /// The last commit that was brought about whole.
    pub synced: Option<CommitId>,
    /// When.
    pub synced_at: Option<Millis>,
    /// Why nothing happens although something is to do.
    pub waiting: Option<Waiting>,
    /// What differs from the last synced commit without any commit having asked for it.
    pub drift: Vec<String>,
    /// How many of these there are on each host; one that is on several counts on each.
    pub drifted: BTreeMap<HostName, usize>,
    /// The plan that waits, or the last one.
    pub plan: Option<Arc<PlanView>>,
    /// The round that runs.
    pub running: Option<Round>,
    /// Those that ended, the newest first; bounded.
    pub history: Vec<Arc<Round>>,
    /// The same rows that `status` prints, for the services of this stack.
    pub replicas: Arc<Vec<serde_json::Value>>,
}

/// Whether what runs is what is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Sync {
    /// It is.
    Synced,
    /// It is not.
    OutOfSync,
    /// Nobody could look.
    Unknown,
}

/// How the replicas of a stack are; the worst of them counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Health {
    /// All run, and are healthy where something asks them.
    Healthy,
    /// A round is under way, or replicas are starting.
    Progressing,
    /// Some are not there.
    Missing,
    /// Some are not healthy, or end again and again.
    Degraded,
    /// Nobody could look.
    Unknown,
}

/// Who starts a stack's rounds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "mode", rename_all = "kebab-case")]
pub enum Mode {
    /// The daemon.
    Automatic,
    /// A person, or a job: the daemon only plans.
    PlanOnly,
    /// Nobody.
    Paused {
        /// Until when; `None`: until it is resumed.
        until: Option<Millis>,
        /// Why.
        reason: String,
    },
}

/// Why nothing happens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// In one sentence: "outside the window `office hours`", "waits to be approved",
    /// "3f2a1c9 failed; it is tried again when something changes".
    pub reason: String,
    /// When it ends by itself, if it does.
    pub until: Option<Millis>,
}

/// A plan as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanView {
    /// Its hash, with which it is approved.
    pub id: PlanId,
    /// The commit it leads to.
    pub commit: Option<CommitId>,
    /// When it was made.
    pub at: Millis,
    /// What `plan` prints, without colour.
    pub text: String,
    /// Its last line.
    pub summary: String,
    /// Things created, changed, removed.
    pub totals: (usize, usize, usize),
}

/// What made a round begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trigger {
    /// A new commit.
    Commit,
    /// What runs had changed by itself.
    Drift,
    /// A round had failed and was tried again.
    Retry,
    /// A person or a job.
    Order,
    /// A host came back.
    Return,
}

/// One attempt to bring a commit about for one stack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Round {
    /// Counts up over the life of the process.
    pub number: u64,
    /// What made it begin.
    pub trigger: Trigger,
    /// Who asked for it, when somebody did.
    pub by: Option<String>,
    /// The commit.
    pub commit: CommitId,
    /// When it began.
    pub began: Millis,
    /// When it ended.
    pub ended: Option<Millis>,
    /// How it ended; `None` while it runs.
    pub end: Option<RoundEnd>,
    /// One sentence: what failed, what was done.
    pub message: String,
    /// How far it is: steps done, and all of them.
    pub done: usize,
    /// All steps.
    pub of: usize,
    /// The steps, in the order of the plan; only of the round that runs and the last one.
    pub steps: Vec<StepView>,
}

/// How a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RoundEnd {
    /// The stack is as the commit wants it.
    Synced,
    /// It failed, and the stack is as it was before.
    RolledBack,
    /// It failed before anything was changed, or was taken back by no fault of the commit.
    Failed,
    /// Some of it was done.
    Partly,
    /// It was stopped: the daemon ends.
    Interrupted,
    /// Another run holds the stack.
    Locked,
    /// A policy, a protection or a missing host forbade it.
    Refused,
}

/// What carrying out a plan came to, beside how the round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Carried {
    /// How long it took, in milliseconds.
    pub took: Millis,
    /// Why it went back, if it did.
    pub setback: Option<Setback>,
}

/// Which kind of step failed, so that a round went back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Setback {
    /// An image could not be brought to a host.
    Image,
    /// A container, network or volume could not be made.
    Create,
    /// A container could not be started.
    Start,
    /// A command in a container failed.
    Hook,
    /// A replica did not become ready.
    Readiness,
    /// A container that has to end well did not.
    Completion,
    /// A proxy could not be changed.
    Proxy,
    /// A proxy did not let go of replicas.
    Drain,
    /// Something could not be stopped or removed.
    Removal,
    /// The release could not be recorded.
    Record,
    /// The hosts were not as the plan saw them.
    Superseded,
    /// Anything else.
    Other,
}

/// A step as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StepView {
    /// What it does: `start acme-shop-web-1-ab12 on web-1`.
    pub words: String,
    /// `waiting`, `running`, `done`, `failed` or `skipped`.
    pub state: &'static str,
    /// What it says of itself.
    pub message: Option<String>,
}

impl StepView {
    /// Whether nothing more is to come of it.
    pub fn is_over(&self) -> bool {
        !matches!(self.state, "waiting" | "running")
    }
}
