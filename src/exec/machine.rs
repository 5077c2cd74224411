//! The only owner of the steps' status: what may begin, and what the end of a step means for others.
//!
//! No effect, no time. A step begins when all it needs has succeeded and its host has room. What
//! fails takes the rest of its stack with it, and whatever needs that; other stacks go on.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{HostName, Op, Outcome, Plan, StackName, StepId};

/// The steps of a plan and how far they are.
#[derive(Debug, Clone)]
pub struct Machine {
    nodes: Vec<Node>,
    per_host: usize,
    is_stopping: bool,
}

#[derive(Debug, Clone)]
struct Node {
    stack: StackName,
    host: HostName,
    needs: BTreeSet<StepId>,
    takes_room: bool,
    status: Status,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Status {
    Pending,
    Running,
    Done(Outcome),
}

/// A step was said to have ended that was not running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("step {} does not run and cannot end", .0.0)]
pub struct IllegalTransition(pub StepId);

impl Machine {
    /// All steps of a plan, none begun. At least one step runs per host.
    pub fn new(plan: &Plan, per_host: usize) -> Self {
        let node = |step: &crate::model::Step| Node {
            stack: step.stack.clone(),
            host: step.host.clone(),
            needs: step.needs.clone(),
            takes_room: !is_wait(&step.op),
            status: Status::Pending,
        };
        let nodes = plan.steps.iter().map(node).collect();
        Self { nodes, per_host: per_host.max(1), is_stopping: false }
    }

    /// Marks what may begin as running, in the order of the plan.
    pub fn launch(&mut self) -> Vec<StepId> {
        if self.is_stopping {
            return Vec::new();
        }
        let mut busy = self.busy();
        let mut launched = Vec::new();
        for at in 0..self.nodes.len() {
            let node = &self.nodes[at];
            let is_ready = node.status == Status::Pending && self.has_needs(node);
            if !is_ready {
                continue;
            }
            if node.takes_room {
                let in_use = busy.entry(node.host.clone()).or_default();
                if *in_use >= self.per_host {
                    continue;
                }
                *in_use += 1;
            }
            self.nodes[at].status = Status::Running;
            launched.push(StepId(at));
        }
        launched
    }

    /// Notes the end of a running step, and skips what cannot begin any more because of it.
    pub fn finish(&mut self, id: StepId, outcome: Outcome) -> Result<(), IllegalTransition> {
        let node = self.nodes.get_mut(id.0).filter(|node| node.status == Status::Running);
        let node = node.ok_or(IllegalTransition(id))?;
        let unblocks = outcome.unblocks();
        let stack = node.stack.clone();
        node.status = Status::Done(outcome);
        if !unblocks {
            self.skip(|node| node.stack == stack);
            self.skip_downstream();
        }
        Ok(())
    }

    /// Lets nothing begin from now on.
    pub fn stop(&mut self) {
        self.is_stopping = true;
    }

    /// Whether nothing begins any more.
    pub fn is_stopping(&self) -> bool {
        self.is_stopping
    }

    /// How each step ended. What never began, or still runs, counts as skipped.
    pub fn outcomes(&self) -> Vec<Outcome> {
        let outcome = |node: &Node| match &node.status {
            Status::Done(outcome) => outcome.clone(),
            Status::Pending | Status::Running => Outcome::Skipped,
        };
        self.nodes.iter().map(outcome).collect()
    }

    fn busy(&self) -> BTreeMap<HostName, usize> {
        let mut busy = BTreeMap::new();
        for node in &self.nodes {
            if node.takes_room && node.status == Status::Running {
                *busy.entry(node.host.clone()).or_default() += 1;
            }
        }
        busy
    }

    fn has_needs(&self, node: &Node) -> bool {
        let has = |id: &StepId| match self.nodes.get(id.0).map(|node| &node.status) {
            Some(Status::Done(outcome)) => outcome.unblocks(),
            Some(Status::Pending | Status::Running) | None => false,
        };
        node.needs.iter().all(has)
    }

    fn skip(&mut self, is_left: impl Fn(&Node) -> bool) {
        for node in &mut self.nodes {
            if node.status == Status::Pending && is_left(node) {
                node.status = Status::Done(Outcome::Skipped);
            }
        }
    }

    /// Needs point backwards only, so one pass in the order of the plan reaches all.
    fn skip_downstream(&mut self) {
        for at in 0..self.nodes.len() {
            let ended_badly = |id: &StepId| {
                let status = self.nodes.get(id.0).map(|node| &node.status);
                matches!(status, Some(Status::Done(outcome)) if !outcome.unblocks())
            };
            let node = &self.nodes[at];
            if node.status == Status::Pending && node.needs.iter().any(ended_badly) {
                self.nodes[at].status = Status::Done(Outcome::Skipped);
            }
        }
    }
}

/// Waits ask little of a host; counting them would let thirty seconds of draining hold up a start.
pub(super) fn is_wait(op: &Op) -> bool {
    match op {
        Op::AwaitReady { .. }
        | Op::AwaitCompleted { .. }
        | Op::AwaitDrained { .. }
        | Op::Pause { .. } => true,
        Op::Pull { .. }
        | Op::CreateNetwork { .. }
        | Op::CreateVolume { .. }
        | Op::Create { .. }
        | Op::Start { .. }
        | Op::RunHook { .. }
        | Op::Switch { .. }
        | Op::Stop { .. }
        | Op::Remove { .. }
        | Op::RemoveNetwork { .. }
        | Op::RemoveVolume { .. }
        | Op::Record { .. } => false,
    }
}

#[cfg(test)]
mod tests;
