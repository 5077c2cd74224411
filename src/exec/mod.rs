//! Carries a plan out, step by step, and tells what happened.
//!
//! `machine` decides what may begin and knows no time and no network; `driver` runs what it says;
//! `ops` has one function per effect; [`Guard`] holds the leases meanwhile. Nothing here decides
//! what shall be: whatever is not as the plan saw it ends the stack's part of the plan, and only
//! planning again goes on from there. There is no local state: a run that is killed anywhere is
//! continued by looking and planning again.

mod context;
mod driver;
mod lease;
mod machine;
mod masks;
mod ops;
mod repeat;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;

use crate::model::{ContentKey, Event, Outcome, Plan, ProxyPlace, ServiceName, StackName};
use crate::ports::Ports;
use crate::proxy::Site;

pub use driver::run;
pub use lease::{Guard, GuardError};
pub use machine::{IllegalTransition, Machine};

/// Where the contents of files are found. They are asked for when a container is made and not kept.
pub trait Contents: Send + Sync {
    /// One content; `Err` says in words why there is none.
    fn get(&self, stack: &StackName, key: &ContentKey) -> Result<Vec<u8>, String>;

    /// What nobody may see of all that the containers of a stack get, also of those that are not
    /// made now: an earlier run may have made them.
    fn hidden(&self, stack: &StackName) -> Vec<Hidden>;
}

/// The content of a file that is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Hidden {
    /// The content.
    pub content: Vec<u8>,
    /// Whether it is a secret for sure, so that a short one is hidden too.
    pub is_secret: bool,
}

/// How a plan is carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Whether containers of a failed update are left to be looked at. The pipeline heeds it when it
    /// plans the way back.
    pub keep_failed: bool,
    /// How many steps may work on one host at the same time; waits do not count.
    pub per_host: usize,
    /// Who holds the leases: user, machine and process.
    pub holder: String,
    /// What they are held for: a commit, `destroy`.
    pub purpose: String,
    /// How long a lease lasts when it is not renewed.
    pub lease: Duration,
    /// How long to wait for a lease that somebody else holds.
    pub lease_wait: Duration,
}

/// What a signal asks for. Each rung includes those before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Nothing.
    #[default]
    None,
    /// Nothing new begins; what runs is finished.
    Finish,
    /// Waits are given up too. What has an effect is still finished.
    Abandon,
}

/// All that a run needs.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    /// What is done.
    pub plan: &'a Plan,
    /// The world.
    pub ports: &'a Ports,
    /// How each proxy's file is written.
    pub sites: &'a BTreeMap<ProxyPlace, Site>,
    /// The contents of files.
    pub contents: &'a dyn Contents,
    /// How.
    pub options: &'a Options,
    /// Who is told. Nobody need listen.
    pub events: &'a UnboundedSender<Event>,
}

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// How each step ended, in the order of the plan.
    pub outcomes: Vec<Outcome>,
    /// Stacks of which a step failed. A wait that was given up is no failure.
    pub failed: BTreeMap<StackName, Failure>,
    /// Whether a signal, or the loss of a lease, has left something undone.
    pub interrupted: bool,
    /// How a lease was lost, if one was.
    pub lost: Option<String>,
}

/// Why a stack's part of the plan ended early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The first step that failed, and why.
    pub reason: String,
    /// The service of that step.
    pub service: Option<ServiceName>,
    /// Whether traffic of the stack may have been moved by this run.
    pub switched: bool,
    /// Whether anything of the stack may have been changed by this run.
    pub changed: bool,
}
