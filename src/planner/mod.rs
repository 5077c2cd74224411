//! From what is wanted and what was seen to a plan. Pure: the same inputs give the same plan,
//! byte for byte, whatever order they came in.
//!
//! The order of the work: `world` answers questions about what was seen, `reach` says what may
//! be touched, `rest` which stacks are left as they are, `decide` what becomes of each replica of
//! the others (with `judge` for one container and `place` for hosts), `member` chooses names and ports, `rollout` lays down the steps, and
//! `assemble` puts the plan together. [`check()`] looks at a finished plan without any of this.

mod alike;
mod assemble;
mod basis;
mod changes;
pub mod check;
mod decide;
mod draft;
mod files;
#[cfg(test)]
mod fixture;
mod graph;
mod id;
mod judge;
mod judged;
#[cfg(test)]
mod laws;
mod ledger;
mod manner;
mod member;
mod overlay;
mod parts;
mod place;
mod ports;
mod prereqs;
mod probing;
mod reach;
mod readiness;
mod replica;
mod request;
mod rest;
mod rollout;
mod routes;
mod strays;
mod subnets;
mod swarm;
#[cfg(test)]
mod tests;
mod wanted;
mod world;

use crate::model::{Action, Cause, Plan, ResourceKind};

pub use check::{Violation, check};
pub use graph::without;
pub use place::is_allowed;
pub use request::{Problem, ProblemKind, Request, Scope, Selector};
pub use swarm::joinings;
pub use wanted::inputs_digest;

/// The plan that ends all differences in scope; or everything that stands in its way.
pub fn plan(request: &Request<'_>) -> Result<Plan, Vec<Problem>> {
    plan_by(request, judged::Look::First)
}

/// The same plan for each way to look.
fn plan_by(request: &Request<'_>, look: judged::Look) -> Result<Plan, Vec<Problem>> {
    let world = world::World::new(request);
    let reach = reach::Reach::new(&world)?;
    let mut plan = assemble::assemble(&world, &reach, look);
    if let Err(problems) = &mut plan {
        problems.sort();
        problems.dedup();
    }
    plan
}

/// How many containers, networks and volumes go without a successor; what a run that did not end
/// has left over is not counted, and neither is a network that its stack has elsewhere.
pub fn deletions(plan: &Plan) -> usize {
    let changes = plan.stacks.values().flat_map(|stack| &stack.changes);
    changes
        .map(|change| match change.kind {
            ResourceKind::Service => {
                let goes = |it: &&crate::model::ReplicaChange| {
                    it.action == Action::Remove && it.cause != Cause::LeftOver
                };
                change.replicas.iter().filter(goes).count()
            }
            ResourceKind::Network | ResourceKind::Volume => {
                let is_gone = change.causes.contains(&Cause::Gone);
                usize::from(change.action == Action::Remove && is_gone)
            }
        })
        .sum()
}
