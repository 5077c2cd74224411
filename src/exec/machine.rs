//! The only owner of the steps' status: what may begin, and what the end of a step means for others.
//!
//! No effect, no time. A step begins when all it needs has succeeded and its host has room. What
//! fails takes the rest of its stack with it, and whatever needs that; other stacks go on.
//!
//! Each end looks at the steps that follow it and at no others, so a plan costs as much as it has
//! steps and needs, however many of them wait.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{HostName, Op, Outcome, Plan, StackName, StepId};

/// The steps of a plan and how far they are.
#[derive(Debug, Clone)]
pub struct Machine {
    nodes: Vec<Node>,
    /// The steps of stacks that have not failed.
    stacks: BTreeMap<StackName, Vec<StepId>>,
    /// Steps that have what they need and were not looked at since.
    open: BTreeSet<StepId>,
    hosts: BTreeMap<HostName, Room>,
    /// Hosts that have had more room since.
    freed: BTreeSet<HostName>,
    per_host: usize,
    is_stopping: bool,
}

#[derive(Debug, Clone)]
struct Node {
    stack: StackName,
    host: HostName,
    /// Who needs it.
    followers: Vec<StepId>,
    /// How many of its needs have not succeeded.
    missing: usize,
    takes_room: bool,
    status: Status,
}

/// A host that steps work on.
#[derive(Debug, Clone, Default)]
struct Room {
    in_use: usize,
    /// Steps that have what they need but room.
    waiting: BTreeSet<StepId>,
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
            followers: Vec::new(),
            missing: step.needs.len(),
            takes_room: !is_wait(&step.op),
            status: Status::Pending,
        };
        let mut nodes: Vec<Node> = plan.steps.iter().map(node).collect();
        let mut stacks: BTreeMap<StackName, Vec<StepId>> = BTreeMap::new();
        let mut open = BTreeSet::new();
        for (at, step) in plan.steps.iter().enumerate() {
            for need in &step.needs {
                if let Some(node) = nodes.get_mut(need.0) {
                    node.followers.push(StepId(at));
                }
            }
            match stacks.get_mut(&step.stack) {
                Some(steps) => steps.push(StepId(at)),
                None => drop(stacks.insert(step.stack.clone(), vec![StepId(at)])),
            }
            if step.needs.is_empty() {
                open.insert(StepId(at));
            }
        }
        Self {
            nodes,
            stacks,
            open,
            hosts: BTreeMap::new(),
            freed: BTreeSet::new(),
            per_host: per_host.max(1),
            is_stopping: false,
        }
    }

    /// Marks what may begin as running, in the order of the plan.
    pub fn launch(&mut self) -> Vec<StepId> {
        if self.is_stopping {
            return Vec::new();
        }
        self.admit();
        let mut launched = Vec::new();
        for id in std::mem::take(&mut self.open) {
            let node = &mut self.nodes[id.0];
            if node.status != Status::Pending {
                continue;
            }
            if node.takes_room {
                let room = self.hosts.entry(node.host.clone()).or_default();
                if room.in_use >= self.per_host {
                    room.waiting.insert(id);
                    continue;
                }
                room.in_use += 1;
            }
            node.status = Status::Running;
            launched.push(id);
        }
        launched
    }

    /// Notes the end of a running step, and skips what cannot begin any more because of it.
    pub fn finish(&mut self, id: StepId, outcome: Outcome) -> Result<(), IllegalTransition> {
        let node = self.nodes.get_mut(id.0).filter(|node| node.status == Status::Running);
        let node = node.ok_or(IllegalTransition(id))?;
        let unblocks = outcome.unblocks();
        node.status = Status::Done(outcome);
        if node.takes_room
            && let Some(room) = self.hosts.get_mut(&node.host)
        {
            room.in_use -= 1;
            self.freed.insert(node.host.clone());
        }
        match unblocks {
            true => self.unblock(id),
            false => self.fail(id),
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

    /// Looks again at as many of those that wait for room as there is room for now.
    fn admit(&mut self) {
        for host in std::mem::take(&mut self.freed) {
            let Some(room) = self.hosts.get_mut(&host) else { continue };
            let mut free = self.per_host - room.in_use;
            while free > 0
                && let Some(next) = room.waiting.pop_first()
            {
                if self.nodes[next.0].status == Status::Pending {
                    self.open.insert(next);
                    free -= 1;
                }
            }
        }
    }

    fn unblock(&mut self, id: StepId) {
        for follower in std::mem::take(&mut self.nodes[id.0].followers) {
            let node = &mut self.nodes[follower.0];
            node.missing -= 1;
            if node.missing == 0 && node.status == Status::Pending {
                self.open.insert(follower);
            }
        }
    }

    /// Skips the rest of a step's stack, and all that needs any of it.
    fn fail(&mut self, id: StepId) {
        let mut ended = vec![id];
        let rest = self.stacks.remove(&self.nodes[id.0].stack).unwrap_or_default();
        ended.extend(rest.into_iter().filter(|it| self.skip(*it)));
        while let Some(id) = ended.pop() {
            for follower in std::mem::take(&mut self.nodes[id.0].followers) {
                if self.skip(follower) {
                    ended.push(follower);
                }
            }
        }
    }

    /// Whether a step was still to begin; it never does now.
    fn skip(&mut self, id: StepId) -> bool {
        let node = &mut self.nodes[id.0];
        let is_pending = node.status == Status::Pending;
        if is_pending {
            node.status = Status::Done(Outcome::Skipped);
        }
        is_pending
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
