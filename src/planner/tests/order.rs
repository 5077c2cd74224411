//! How many at a time, for how long they are watched and what a failure means, there and back.

use super::WEB;
use crate::model::{Action, Course, Op};
use crate::planner::fixture::Fleet;

#[test]
fn the_share_that_may_fail_is_one_of_all_replicas_however_few_come_at_a_time() {
    let update = "{replicas: 4, update_config: {parallelism: 1, max_failure_ratio: 0.5}}";
    let mut fleet = Fleet::one();
    fleet.want("shop", &WEB.replace("{replicas: 2}", update));
    let plan = fleet.plan().expect("a plan");
    let may_fail = plan.steps.iter().filter_map(|step| match &step.op {
        Op::AwaitReady { readiness, .. } => Some(readiness.may_fail),
        _ => None,
    });
    assert_eq!(may_fail.collect::<Vec<_>>(), [2; 4]);
}

/// What the waits of a plan allow for: replicas that may fail, and whether it goes on without more.
fn allowed(plan: &crate::model::Plan) -> Vec<(u32, bool)> {
    let steps = plan.steps.iter();
    let allowed = steps.filter_map(|step| match &step.op {
        Op::AwaitReady { readiness, .. } => Some((readiness.may_fail, readiness.goes_on)),
        _ => None,
    });
    allowed.collect()
}

#[test]
fn continue_goes_on_without_what_fails_beyond_the_share_that_may() {
    let update = "{replicas: 2, update_config: {failure_action: continue, max_failure_ratio: 0.5}}";
    let mut fleet = Fleet::one();
    fleet.want("shop", &WEB.replace("{replicas: 2}", update));
    assert_eq!(allowed(&fleet.plan().expect("a plan")), [(1, true); 2]);
}

const BOTH_WAYS: &str = "{replicas: 3, update_config: {parallelism: 1, delay: 7s, monitor: 3s}, \
     rollback_config: {parallelism: 0, monitor: 9s, order: stop-first, failure_action: continue}}";

#[test]
fn a_rollback_follows_the_rollback_config() {
    let mut fleet = Fleet::one();
    let web = WEB.replace("{replicas: 2}", BOTH_WAYS);
    fleet.want("shop", &web);
    fleet.deploy();
    fleet.want("shop", &web.replace("image: shop:1", "image: shop:2"));
    let plan = |fleet: &Fleet| {
        let plan = fleet.plan().expect("a plan");
        let pauses = plan.steps.iter().filter(|it| matches!(it.op, Op::Pause { .. })).count();
        let monitor = plan.steps.iter().find_map(|step| match &step.op {
            Op::AwaitReady { readiness, .. } => Some((readiness.stable_for.0, readiness.goes_on)),
            _ => None,
        });
        let action = plan.stacks.values().flat_map(|it| &it.changes).map(|it| it.action).next();
        (action.expect("a change"), pauses, monitor.expect("a wait"))
    };
    let second = 1_000_000_000;
    let update = (Action::ReplaceStartFirst, 2, (3 * second, false));
    assert_eq!(plan(&fleet), update);
    fleet.scope.course = Course::Rollback;
    let rollback = (Action::ReplaceStopFirst, 0, (9 * second, true));
    assert_eq!(plan(&fleet), rollback);
}

#[test]
fn what_rollback_config_does_not_name_is_as_in_an_update() {
    let update = "{replicas: 3, update_config: {parallelism: 1, delay: 7s, failure_action: continue}, \
                  rollback_config: {parallelism: 2}}";
    let mut fleet = Fleet::one();
    let web = WEB.replace("{replicas: 2}", update);
    fleet.want("shop", &web);
    fleet.deploy();
    fleet.want("shop", &web.replace("image: shop:1", "image: shop:2"));
    fleet.scope.course = Course::Rollback;
    let plan = fleet.plan().expect("a plan");
    let pauses = plan.steps.iter().filter(|it| matches!(it.op, Op::Pause { .. })).count();
    assert_eq!((pauses, allowed(&plan)), (1, vec![(0, false); 3]));
}
