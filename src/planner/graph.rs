//! Steps as they are laid down: ids are dense and in an order in which the steps could run.

use std::collections::BTreeSet;

use crate::model::{Cause, HostName, Op, Plan, ServiceName, Slot, StackName, Step, StepId};

/// Whose a step is.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    pub(super) stack: StackName,
    pub(super) service: Option<ServiceName>,
    pub(super) slot: Option<Slot>,
}

/// The steps so far.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) steps: Vec<Step>,
}

impl Lane {
    pub(super) fn stack(stack: &StackName) -> Self {
        Self { stack: stack.clone(), service: None, slot: None }
    }

    pub(super) fn service(stack: &StackName, service: &ServiceName) -> Self {
        Self { stack: stack.clone(), service: Some(service.clone()), slot: None }
    }

    pub(super) fn slot(&self, slot: Slot) -> Self {
        Self { slot: Some(slot), ..self.clone() }
    }
}

impl Graph {
    /// Lays down a step. What it needs is there already, so the order holds by itself.
    pub(super) fn add(
        &mut self,
        lane: &Lane,
        host: &HostName,
        op: Op,
        needs: impl IntoIterator<Item = StepId>,
        cause: &Cause,
    ) -> StepId {
        let id = StepId(self.steps.len());
        self.steps.push(Step {
            id,
            stack: lane.stack.clone(),
            service: lane.service.clone(),
            slot: lane.slot,
            host: host.clone(),
            op,
            needs: needs.into_iter().collect(),
            cause: cause.clone(),
        });
        id
    }

    /// Leaves only needs that no other need implies.
    pub(super) fn reduce(&mut self) {
        let mut above: Vec<BTreeSet<StepId>> = Vec::with_capacity(self.steps.len());
        for step in &mut self.steps {
            let mut implied: BTreeSet<StepId> = BTreeSet::new();
            for need in &step.needs {
                implied.extend(&above[need.0]);
            }
            step.needs.retain(|need| !implied.contains(need));
            implied.extend(&step.needs);
            above.push(implied);
        }
    }
}

/// Drops steps of a plan. What needed a dropped step needs what that one needed; ids stay dense.
pub fn without(plan: &mut Plan, is_left: impl Fn(&Op) -> bool) {
    let mut stands_for: Vec<BTreeSet<StepId>> = Vec::with_capacity(plan.steps.len());
    let mut kept: Vec<Step> = Vec::new();
    for mut step in std::mem::take(&mut plan.steps) {
        let needs: BTreeSet<StepId> =
            step.needs.iter().flat_map(|need| stands_for[need.0].iter().copied()).collect();
        if is_left(&step.op) {
            stands_for.push(needs);
            continue;
        }
        step.id = StepId(kept.len());
        step.needs = needs;
        stands_for.push(BTreeSet::from([step.id]));
        kept.push(step);
    }
    plan.steps = kept;
    plan.id = super::id::plan_id(plan);
}
