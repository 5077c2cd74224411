//! What keeps a commit from being deployed: failures, quarantine, modes, windows, budgets.

use super::*;
use crate::sync::{Mode, Progress, Retry, Window, WindowKind};

fn none_again() -> StackRules {
    StackRules { retry: Retry { limit: 0, ..Retry::default() }, ..StackRules::default() }
}

fn window(kind: WindowKind, schedule: &str, hours: u64) -> StackRules {
    let window = Window {
        name: "office".to_owned(),
        kind,
        schedule: schedule.to_owned(),
        duration: minutes(60 * hours),
        zone: "UTC".to_owned(),
        allows_orders: false,
    };
    StackRules { windows: vec![window], ..StackRules::default() }
}

#[test]
fn a_commit_that_was_taken_back_is_not_tried_again() {
    let mut case = Case::synced(StackRules::default());
    case.upgrading("b", 2);
    case.ends(RoundEnd::RolledBack, differs("p", "b", "web.image"));
    for _ in 0..100 {
        case.tick(10 * MINUTE);
        if case.look().is_some() {
            case.looked(&[("web", seen(differs("p", "b", "web.image")))]);
        }
    }
    assert_eq!(case.begun(), Vec::new());
    assert!(case.waits("web").starts_with("b failed: it says why"), "{}", case.waits("web"));
}

#[test]
fn a_commit_that_changes_the_stack_ends_its_quarantine() {
    let mut case = Case::synced(StackRules::default());
    case.upgrading("b", 2);
    case.ends(RoundEnd::RolledBack, differs("p", "b", "web.image"));
    assert_eq!(case.upgrading("c", 3), Some("c".to_owned()));
}

#[test]
fn a_commit_that_does_not_change_the_stack_leaves_it_in_quarantine() {
    let mut case = Case::synced(StackRules::default());
    case.upgrading("b", 2);
    case.ends(RoundEnd::RolledBack, differs("p", "b", "web.image"));
    case.pushed("c", &[("web", 2), ("db", 1)]);
    case.looked(&[("db", seen(differs("q", "c", "db.image")))]);
    case.tick(10 * MINUTE);
    let begun: Vec<StackName> = case.begun().into_iter().map(|begin| begin.stack).collect();
    assert_eq!(begun, [stack("db")]);
}

#[test]
fn another_inventory_ends_a_quarantine() {
    let mut case = Case::synced(StackRules::default());
    case.upgrading("b", 2);
    case.ends(RoundEnd::RolledBack, differs("p", "b", "web.image"));
    case.news.ground += 1;
    case.news.head = commit("c");
    case.fetched();
    case.looked(&[("web", seen(differs("p", "c", "web.image")))]);
    assert_eq!(case.begun_for(), Some("c".to_owned()));
}

#[test]
fn a_round_that_failed_is_tried_again_with_growing_pauses_and_then_no_more() {
    let rules = StackRules {
        retry: Retry { limit: 3, pause: minutes(1), max: minutes(3) },
        ..StackRules::default()
    };
    let mut case = Case::quiet(rules);
    assert!(case.upgrading("b", 2).is_some());
    let mut pauses = Vec::new();
    for _ in 0..3 {
        case.ends(RoundEnd::Failed, differs("p", "b", "web.image"));
        let until = case.view("web").waiting.and_then(|waiting| waiting.until).expect("a time");
        pauses.push((until - case.now) / MINUTE);
        case.tick(until - case.now - 1);
        assert_eq!(case.begun(), Vec::new(), "not before its time");
        case.tick(1);
        let begun = case.begun();
        assert_eq!(begun.len(), 1);
        assert_eq!(begun[0].trigger, crate::sync::Trigger::Retry);
    }
    assert_eq!(pauses, [1, 2, 3]);
    case.ends(RoundEnd::Failed, differs("p", "b", "web.image"));
    assert!(case.waits("web").ends_with("when something changes"), "{}", case.waits("web"));
    assert_eq!(case.view("web").waiting.and_then(|it| it.until), None);
}

#[test]
fn a_stack_that_another_run_holds_is_tried_again_soon_and_has_not_failed() {
    let mut case = Case::quiet(none_again());
    case.upgrading("b", 2);
    for pause in [2_000, 3_000, 4_500, 6_750].into_iter().chain([10_000; 40]) {
        case.ends(RoundEnd::Locked, differs("p", "b", "web.image"));
        case.tick(pause - 1);
        assert_eq!(case.begun(), Vec::new(), "it looks at the hosts each time");
        case.tick(1);
        assert_eq!(case.begun_for(), Some("b".to_owned()));
    }
    assert_eq!(case.view("web").history.len(), 1, "one line says it");
}

#[test]
fn that_another_run_holds_a_stack_is_told_once_and_the_round_that_gets_it_as_any_other() {
    let mut case = Case::quiet(StackRules::default());
    case.upgrading("b", 2);
    for _ in 0..50 {
        case.ends(RoundEnd::Locked, differs("p", "b", "web.image"));
        case.tick(10 * SECOND);
        assert_eq!(case.begun_for(), Some("b".to_owned()));
    }
    let rounds = |told: Vec<NoticeKind>| -> Vec<(u64, Option<RoundEnd>)> {
        let round = |kind: NoticeKind| match kind {
            NoticeKind::Began { round, .. } => Some((round, None)),
            NoticeKind::Ended { round, end, .. } => Some((round, Some(end))),
            _ => None,
        };
        told.into_iter().filter_map(round).collect()
    };
    assert_eq!(rounds(case.told()), [(1, None), (1, Some(RoundEnd::Locked))]);
    let (source, stack) = (name("shop"), stack("web"));
    let progress = Progress::Line("it is at work".to_owned());
    case.wake(Wake::Progressed { source, stack, progress });
    assert_eq!(rounds(case.told()), [(51, None)]);
    case.ends(RoundEnd::Synced, Finding::Same);
    assert_eq!(rounds(case.told()), [(51, Some(RoundEnd::Synced))]);
}

#[test]
fn how_long_another_run_kept_a_round_waiting_is_measured_once() {
    let mut case = Case::synced(StackRules::default());
    case.upgrading("b", 2);
    for _ in 0..2 {
        case.ends(RoundEnd::Locked, differs("p", "b", "web.image"));
        case.tick(5 * SECOND);
        assert_eq!(case.begun_for().as_deref(), Some("b"));
    }
    case.ends(RoundEnd::Synced, Finding::Same);
    let locks = case.state.picture(case.now).sources[&name("shop")].measured.locks;
    assert_eq!((locks.count, locks.sum), (1, 10 * SECOND));
}

#[test]
fn in_plan_only_a_commit_waits_for_its_plan_to_be_approved() {
    let mut case = Case::synced(StackRules { mode: Mode::PlanOnly, ..StackRules::default() });
    assert_eq!(case.upgrading("b", 2), None);
    assert_eq!(case.waits("web"), "plan p waits to be approved");
    let waits = case.told().into_iter().filter(|it| matches!(it, NoticeKind::Waits { .. })).count();
    assert_eq!(waits, 1);
    case.order(OrderKind::Approve(stack("web"), PlanId("p".into()))).expect("it waits");
    let begun = case.begun();
    assert_eq!(begun[0].only, Some(PlanId("p".into())));
    assert_eq!(case.view("web").running.and_then(|round| round.by), Some("anna".to_owned()));
}

#[test]
fn in_plan_only_drift_waits_too() {
    let mut case = Case::synced(StackRules { mode: Mode::PlanOnly, ..StackRules::default() });
    case.stirred("web");
    case.looked(&[("web", seen(differs("p", "a", "web.replicas: it has ended")))]);
    assert_eq!(case.begun(), Vec::new());
    assert_eq!(case.waits("web"), "plan p waits to be approved");
}

#[test]
fn a_paused_stack_is_left_alone_until_its_time() {
    let mut case = Case::synced(StackRules::default());
    let until = Some(case.now + 10 * MINUTE);
    let (web, reason) = (stack("web"), "a migration".to_owned());
    case.order(OrderKind::Pause { stack: web, until, reason }).expect("it is there");
    assert_eq!(case.upgrading("b", 2), None);
    assert_eq!(case.waits("web"), "paused: a migration");
    assert!(case.state.next().is_some_and(|next| next <= case.now + 10 * MINUTE));
    case.tick(10 * MINUTE);
    assert_eq!(case.begun_for(), Some("b".to_owned()));
}

#[test]
fn a_pause_of_the_rules_ends_at_its_time() {
    let mode = Mode::Paused { until: Some(NOON + MINUTE), reason: "moving".to_owned() };
    let mut case = Case::with(StackRules { mode, ..StackRules::default() });
    case.fetched();
    case.looked(&[("web", seen(differs("p", "a", "web.image")))]);
    assert_eq!(case.begun(), Vec::new());
    case.tick(MINUTE);
    assert_eq!(case.begun_for(), Some("a".to_owned()));
}

#[test]
fn outside_its_window_a_commit_waits_and_begins_when_it_opens() {
    let mut case = Case::synced(window(WindowKind::Allow, "0 14 * * *", 1));
    assert_eq!(case.upgrading("b", 2), None);
    assert_eq!(case.waits("web"), "outside the window `office`");
    let opens = case.view("web").waiting.and_then(|waiting| waiting.until);
    assert_eq!(opens, Some(NOON + 120 * MINUTE));
    case.tick(120 * MINUTE);
    assert_eq!(case.begun_for(), Some("b".to_owned()));
}

#[test]
fn inside_a_window_that_denies_a_commit_waits() {
    let mut case = Case::synced(window(WindowKind::Deny, "0 12 * * *", 1));
    assert_eq!(case.upgrading("b", 2), None);
    assert_eq!(case.waits("web"), "inside the window `office`");
    case.tick(60 * MINUTE);
    assert_eq!(case.begun_for(), Some("b".to_owned()));
}

#[test]
fn a_window_does_not_keep_what_runs_from_being_healed() {
    let mut case = Case::synced(window(WindowKind::Deny, "0 12 * * *", 1));
    case.stirred("web");
    case.looked(&[("web", seen(differs("p", "a", "web.replicas: it has ended")))]);
    assert_eq!(case.begun_for(), Some("a".to_owned()));
}

#[test]
fn a_plan_that_removes_too_much_waits_until_somebody_has_read_it() {
    let mut case = Case::synced(StackRules { max_deletes: Some(1), ..StackRules::default() });
    let mut much = differs("p", "b", "web.replicas: it is gone");
    if let Finding::Differs(difference) = &mut much {
        difference.deletes = 2;
    }
    case.pushed("b", &[("web", 2)]);
    case.looked(&[("web", seen(much))]);
    assert_eq!(case.begun(), Vec::new());
    assert!(case.waits("web").starts_with("the plan removes 2 "), "{}", case.waits("web"));
    case.order(OrderKind::Approve(stack("web"), PlanId("p".into()))).expect("it waits");
    assert_eq!(case.begun_for(), Some("b".to_owned()));
}

#[test]
fn what_the_repository_allows_to_remove_holds_when_the_rules_are_silent() {
    let mut case = Case::synced(StackRules::default());
    case.news.max_deletes = Some(0);
    let mut much = differs("p", "b", "web.replicas: it is gone");
    if let Finding::Differs(difference) = &mut much {
        difference.deletes = 1;
    }
    case.news = News { max_deletes: Some(0), ..news("b", &[("web", 2)]) };
    case.fetched();
    case.looked(&[("web", seen(much))]);
    assert_eq!(case.begun(), Vec::new());
}

#[test]
fn without_a_plan_the_reason_is_said_and_the_next_look_decides() {
    let mut case = Case::synced(StackRules::default());
    case.pushed("b", &[("web", 2)]);
    let message = "host web-1 does not answer".to_owned();
    case.looked(&[(
        "web",
        seen(Finding::NoPlan { message: message.clone(), is_unreachable: true }),
    )]);
    assert_eq!(case.waits("web"), message);
    case.stirred("web");
    case.looked(&[("web", seen(differs("p", "b", "web.image")))]);
    assert_eq!(case.begun_for(), Some("b".to_owned()));
}
