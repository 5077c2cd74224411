//! What people and webhooks ask for.

use super::State;
use crate::model::{Millis, PlanId, StackName};
use crate::sync::{Order, OrderKind, Refusal};

use super::source::SourceState;
use super::stack::StackState;

impl State {
    /// Takes an order. What follows from it is said at the next tick, which is due at once.
    pub fn order(&mut self, now: Millis, order: Order) -> Result<(), Refusal> {
        if self.is_ending {
            return Err(Refusal::Busy("the daemon is ending".to_owned()));
        }
        let source = self.sources.get_mut(&order.source);
        let source =
            source.ok_or_else(|| Refusal::Unknown(format!("source `{}`", order.source)))?;
        source.order(now, order)
    }
}

impl SourceState {
    fn order(&mut self, now: Millis, order: Order) -> Result<(), Refusal> {
        let Order { by, kind, .. } = order;
        match kind {
            OrderKind::Fetch => self.fetch_now(now),
            OrderKind::Sync(stack) => {
                self.stack(&stack)?.order_sync(by);
                self.fetch_now(now);
            }
            OrderKind::Approve(stack, plan) => self.approve(&stack, &plan, by)?,
            OrderKind::Pause { stack, until, reason } => {
                if until.is_some_and(|until| until <= now) {
                    let why = "the pause would be over already".to_owned();
                    return Err(Refusal::Conflict(why));
                }
                self.stack(&stack)?.order_pause(until, reason);
            }
            OrderKind::Resume(stack) => self.stack(&stack)?.order_resume(),
        }
        Ok(())
    }

    fn approve(&mut self, stack: &StackName, plan: &PlanId, by: String) -> Result<(), Refusal> {
        let state = self.stack(stack)?;
        if state.running.is_some() {
            return Err(Refusal::Conflict(format!("a round of {stack} runs already")));
        }
        state.order_approve(plan, by).map_err(Refusal::Conflict)
    }

    fn stack(&mut self, stack: &StackName) -> Result<&mut StackState, Refusal> {
        let name = &self.name;
        let unknown = || Refusal::Unknown(format!("stack `{stack}` in `{name}`"));
        self.stacks.get_mut(stack).ok_or_else(unknown)
    }
}
