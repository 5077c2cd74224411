//! What people and webhooks ask for.

use super::*;
use crate::sync::Mode;

#[test]
fn a_webhook_has_the_branch_asked_for_now() {
    let mut case = Case::synced(StackRules::default());
    case.order(OrderKind::Fetch).expect("the source is there");
    assert_eq!(case.fetches(), 1);
}

#[test]
fn a_flood_of_webhooks_has_it_asked_for_once_more_and_no_more() {
    let mut case = Case::synced(StackRules::default());
    for _ in 0..100 {
        case.order(OrderKind::Fetch).expect("the source is there");
    }
    assert_eq!(case.fetches(), 1, "the first answer has not come yet");
    case.fetched();
    assert!(case.fetches() <= 1);
}

#[test]
fn what_is_not_there_is_named() {
    let mut case = Case::synced(StackRules::default());
    let order = Order { source: name("blog"), by: "anna".to_owned(), kind: OrderKind::Fetch };
    let refused = case.state.order(case.now, order);
    assert_eq!(refused, Err(Refusal::Unknown("source `blog`".to_owned())));
    let refused = case.order(OrderKind::Sync(stack("db")));
    assert_eq!(refused, Err(Refusal::Unknown("stack `db` in `shop`".to_owned())));
}

#[test]
fn sync_ends_a_quarantine() {
    let mut case = Case::synced(StackRules::default());
    case.upgrading("b", 2);
    case.ends(RoundEnd::RolledBack, differs("p", "b", "web.image"));
    case.order(OrderKind::Sync(stack("web"))).expect("it is there");
    assert_eq!(case.begun_for(), Some("b".to_owned()));
}

#[test]
fn a_plan_that_does_not_wait_any_more_is_not_approved() {
    let mut case = Case::synced(StackRules { mode: Mode::PlanOnly, ..StackRules::default() });
    let approve = || OrderKind::Approve(stack("web"), PlanId("old".into()));
    assert_eq!(case.order(approve()), Err(Refusal::Conflict("no plan waits".to_owned())));
    case.upgrading("b", 2);
    let refused = case.order(approve());
    let why = "plan old is not the one that waits; that is p: read it first".to_owned();
    assert_eq!(refused, Err(Refusal::Conflict(why)));
    assert_eq!(case.begun(), Vec::new());
}

#[test]
fn an_approval_holds_for_its_plan_only() {
    let mut case = Case::synced(StackRules { mode: Mode::PlanOnly, ..StackRules::default() });
    case.upgrading("b", 2);
    case.order(OrderKind::Approve(stack("web"), PlanId("p".into()))).expect("it waits");
    assert!(case.begun_for().is_some());
    case.ends(RoundEnd::Refused, differs("other", "b", "web.image"));
    case.tick(10 * MINUTE);
    assert_eq!(case.begun(), Vec::new());
    assert_eq!(case.waits("web"), "plan other waits to be approved");
}

#[test]
fn a_round_that_runs_is_not_approved_again() {
    let mut case = Case::synced(StackRules::default());
    case.upgrading("b", 2);
    let approve = OrderKind::Approve(stack("web"), PlanId("p".into()));
    assert!(matches!(case.order(approve), Err(Refusal::Conflict(_))));
}

#[test]
fn a_pause_in_the_past_is_refused() {
    let mut case = Case::synced(StackRules::default());
    let (until, reason) = (Some(case.now), "late".to_owned());
    let pause = OrderKind::Pause { stack: stack("web"), until, reason };
    assert!(matches!(case.order(pause), Err(Refusal::Conflict(_))));
}

#[test]
fn resuming_ends_a_pause() {
    let mut case = Case::synced(StackRules::default());
    let pause = OrderKind::Pause { stack: stack("web"), until: None, reason: "moving".to_owned() };
    case.order(pause).expect("it is there");
    assert_eq!(case.upgrading("b", 2), None);
    case.order(OrderKind::Resume(stack("web"))).expect("it is there");
    assert_eq!(case.begun_for(), Some("b".to_owned()));
}
