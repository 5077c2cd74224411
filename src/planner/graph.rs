//! Steps as they are laid down: ids are dense and in an order in which the steps could run.

use std::collections::{BTreeMap, BTreeSet};

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
    of_stack: BTreeMap<StackName, Vec<StepId>>,
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
        match self.of_stack.get_mut(&lane.stack) {
            Some(steps) => steps.push(id),
            None => drop(self.of_stack.insert(lane.stack.clone(), vec![id])),
        }
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

    /// The steps of a stack so far.
    pub(super) fn of_stack(&self, stack: &StackName) -> impl Iterator<Item = StepId> + '_ {
        self.of_stack.get(stack).into_iter().flatten().copied()
    }

    /// The steps of a stack that no other step of it needs so far: who needs these needs all.
    pub(super) fn ends_of(&self, stack: &StackName) -> BTreeSet<StepId> {
        let needed: BTreeSet<StepId> =
            self.of_stack(stack).flat_map(|step| &self.steps[step.0].needs).copied().collect();
        self.of_stack(stack).filter(|step| !needed.contains(step)).collect()
    }

    /// Leaves only needs that no other need implies.
    ///
    /// From each need the walk goes up over what is reduced already, and never further than the
    /// first of the needs: what all steps have above them would be too much to keep.
    pub(super) fn reduce(&mut self) {
        // The step that came by last, for each step.
        let mut met_by: Vec<usize> = vec![usize::MAX; self.steps.len()];
        let mut open: Vec<StepId> = Vec::new();
        for position in 0..self.steps.len() {
            let needs = &self.steps[position].needs;
            let Some(first) = needs.first().filter(|_| needs.len() > 1).copied() else { continue };
            open.extend(needs);
            while let Some(step) = open.pop() {
                for above in self.steps[step.0].needs.range(first..) {
                    if met_by[above.0] != position {
                        met_by[above.0] = position;
                        open.push(*above);
                    }
                }
            }
            self.steps[position].needs.retain(|need| met_by[need.0] != position);
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
