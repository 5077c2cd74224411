//! What outlives a daemon, and what does not.

use super::*;
use crate::sync::{Mode, Retry};

/// The commit `b` was taken back.
fn quarantined() -> Case {
    let mut case = Case::synced(StackRules::default());
    case.upgrading("b", 2);
    case.ends(RoundEnd::RolledBack, differs("p", "b", "web.image"));
    case
}

fn pause(until: Option<Millis>) -> OrderKind {
    OrderKind::Pause { stack: stack("web"), until, reason: "audit".to_owned() }
}

/// The repository is read and everything is looked at, as after every start.
fn found(case: &mut Case, web: Finding) {
    case.fetched();
    case.looked(&[("web", seen(web))]);
}

#[test]
fn a_daemon_to_which_nothing_has_happened_leaves_nothing() {
    let case = Case::synced(StackRules::default());
    assert_eq!(case.state.memory(case.now), Memory::default());
}

#[test]
fn a_commit_that_was_taken_back_stays_in_quarantine() {
    let mut case = quarantined().restarted().restarted();
    found(&mut case, differs("p", "b", "web.image"));
    case.tick(10 * MINUTE);
    assert_eq!(case.begun(), Vec::new());
    assert!(case.waits("web").starts_with("b failed: it says why"), "{}", case.waits("web"));
}

#[test]
fn a_commit_that_came_meanwhile_and_changes_the_stack_is_deployed() {
    let mut case = quarantined().restarted();
    case.news = news("c", &[("web", 3)]);
    found(&mut case, differs("p", "c", "web.image"));
    assert_eq!(case.begun_for(), Some("c".to_owned()));
}

#[test]
fn a_commit_that_came_meanwhile_and_wants_the_same_of_the_stack_is_not() {
    let mut case = quarantined().restarted();
    // Another daemon counts from the beginning.
    let same = Target { version: 1, fault: None, mark: "wants 2".to_owned() };
    case.news = News { stacks: BTreeMap::from([(stack("web"), same)]), ..news("c", &[]) };
    found(&mut case, differs("p", "c", "web.image"));
    assert_eq!(case.begun(), Vec::new());
}

#[test]
fn whoever_asks_lifts_a_quarantine_for_the_next_daemon_too() {
    let mut case = quarantined();
    case.order(OrderKind::Sync(stack("web"))).expect("it is there");
    let mut case = case.restarted();
    found(&mut case, differs("p", "b", "web.image"));
    assert_eq!(case.begun_for(), Some("b".to_owned()));
}

#[test]
fn what_waits_to_be_tried_again_does_so_at_its_time_and_no_more_often() {
    let retry = Retry { limit: 2, ..Retry::default() };
    let mut case = Case::synced(StackRules { retry, ..StackRules::default() });
    case.upgrading("b", 2);
    case.ends(RoundEnd::Failed, differs("p", "b", "web.image"));
    for _ in 0..2 {
        case = case.restarted();
        found(&mut case, differs("p", "b", "web.image"));
        assert_eq!(case.begun(), Vec::new());
        case.tick(MINUTE);
        assert_eq!(case.begun_for(), Some("b".to_owned()));
        case.ends(RoundEnd::Failed, differs("p", "b", "web.image"));
    }
    let mut case = case.restarted();
    found(&mut case, differs("p", "b", "web.image"));
    case.tick(60 * MINUTE);
    assert_eq!(case.begun(), Vec::new(), "it was tried twice again");
}

#[test]
fn a_clock_that_was_set_back_meanwhile_keeps_nothing_waiting() {
    let mut case = Case::synced(StackRules::default());
    case.upgrading("b", 2);
    case.ends(RoundEnd::Failed, differs("p", "b", "web.image"));
    let text = case.state.memory(case.now).text();
    case.now -= 24 * 60 * MINUTE;
    let mut state = State::new(case.state.rules.clone(), case.now);
    state.recall(case.now, &Memory::read(&text).expect("our own text"));
    case.state = state;
    case.decided.clear();
    case.tick(0);
    found(&mut case, differs("p", "b", "web.image"));
    case.tick(60 * MINUTE);
    assert_eq!(case.begun_for(), Some("b".to_owned()));
}

#[test]
fn a_pause_outlives_every_daemon_until_it_is_over() {
    let mut case = Case::synced(StackRules::default());
    let until = case.now + 60 * MINUTE;
    case.order(pause(Some(until))).expect("it is there");
    let mut case = case.restarted();
    case.news = news("b", &[("web", 2)]);
    found(&mut case, differs("p", "b", "web.image"));
    case.tick(30 * MINUTE);
    assert_eq!(case.begun(), Vec::new());
    assert_eq!(case.waits("web"), "paused: audit");
    let reason = "audit".to_owned();
    assert_eq!(case.view("web").mode, Mode::Paused { until: Some(until), reason });
    let mut case = case.restarted();
    case.tick(31 * MINUTE);
    found(&mut case, differs("p", "b", "web.image"));
    assert_eq!(case.begun_for(), Some("b".to_owned()));
}

#[test]
fn a_pause_that_was_over_while_no_daemon_lived_is_not_taken_up() {
    let mut case = Case::synced(StackRules::default());
    case.order(pause(Some(case.now + MINUTE))).expect("it is there");
    let text = case.state.memory(case.now).text();
    let mut next = Case::with(StackRules::default());
    next.now = case.now + 2 * MINUTE;
    next.state.recall(next.now, &Memory::read(&text).expect("our own text"));
    assert_eq!(next.state.memory(next.now), Memory::default());
}

#[test]
fn a_stack_can_be_resumed_before_its_repository_could_be_read() {
    let mut case = Case::synced(StackRules::default());
    case.order(pause(None)).expect("it is there");
    let mut case = case.restarted();
    assert_eq!(case.order(OrderKind::Resume(stack("web"))), Ok(()));
    assert_eq!(case.state.memory(case.now), Memory::default());
}

#[test]
fn an_approval_holds_for_its_plan_with_the_next_daemon_too() {
    let mut case = Case::synced(StackRules { mode: Mode::PlanOnly, ..StackRules::default() });
    case.pushed("b", &[("web", 2)]);
    case.looked(&[("web", seen(differs("p", "b", "web.image")))]);
    let approve = OrderKind::Approve(stack("web"), PlanId("p".into()));
    // Killed before the round could begin.
    case.state
        .order(case.now, Order { source: name("shop"), by: "anna".into(), kind: approve })
        .expect("it waits");
    let mut other = case.restarted();
    found(&mut other, differs("q", "b", "web.image"));
    assert_eq!(other.begun(), Vec::new(), "another plan came out");
    let mut same = other.restarted();
    found(&mut same, differs("p", "b", "web.image"));
    let begun = same.begun();
    assert_eq!(begun.first().and_then(|it| it.only.clone()), Some(PlanId("p".into())));
}

#[test]
fn a_crash_loop_has_one_budget_over_all_daemons() {
    let mut case = Case::quiet(StackRules::default());
    let mut rounds = 0;
    for _ in 0..50 {
        case = case.restarted();
        let drifted =
            Seen { released: Some(commit("a")), ..seen(differs("p", "a", "web.replicas")) };
        case.fetched();
        case.looked(&[("web", drifted)]);
        case.tick(10 * SECOND);
        if !case.begun().is_empty() {
            rounds += 1;
            case.ends(RoundEnd::Synced, Finding::Same);
        }
    }
    assert_eq!(rounds, 5);
}

#[test]
fn a_stack_that_is_gone_is_forgotten_once_that_is_seen() {
    let mut case = quarantined();
    case.order(pause(None)).expect("it is there");
    let mut case = case.restarted();
    case.news = news("c", &[("db", 1)]);
    case.fetched();
    assert!(!case.state.memory(case.now).sources.is_empty(), "nobody has looked yet");
    case.looked(&[("db", seen(Finding::Same))]);
    assert_eq!(case.state.memory(case.now), Memory::default());
}

#[test]
fn what_was_left_for_a_source_that_is_not_watched_any_more_is_dropped() {
    let text = quarantined().state.memory(NOON).text();
    let mut state = State::new(Rules::of(name("blog"), source()), NOON);
    state.recall(NOON, &Memory::read(&text).expect("our own text"));
    assert_eq!(state.memory(NOON), Memory::default());
}

#[test]
fn a_pause_holds_where_the_rules_lead_the_source_to_another_branch() {
    let mut case = Case::synced(StackRules::default());
    case.order(pause(None)).expect("it is there");
    let moved = Source { branch: Some("next".to_owned()), ..source() };
    case.state.reload(Rules::of(name("shop"), moved), case.now);
    case.forget();
    case.tick(0);
    found(&mut case, differs("p", "b", "web.image"));
    assert_eq!((case.begun(), case.waits("web")), (Vec::new(), "paused: audit".to_owned()));
}

#[test]
fn while_nobody_knows_what_was_held_every_plan_waits_to_be_approved() {
    let mut case = Case::with(StackRules::default());
    let told = case.state.hold(case.now, "it is damaged".to_owned());
    assert_eq!(told.len(), 1);
    assert_eq!(case.state.hold(case.now, "it is damaged".to_owned()), Vec::new(), "told once");
    case.news = news("b", &[("web", 2)]);
    let held = Seen { released: Some(commit("a")), ..seen(differs("p", "b", "web.image")) };
    case.fetched();
    case.looked(&[("web", held)]);
    case.tick(10 * MINUTE);
    assert_eq!(case.begun(), Vec::new());
    let why = "plan p waits to be approved: what was held before cannot be read";
    assert_eq!(case.waits("web"), why);
    let picture = case.state.picture(case.now);
    assert_eq!((picture.is_ready, picture.trouble.as_deref()), (false, Some("it is damaged")));
    case.order(OrderKind::Approve(stack("web"), PlanId("p".into()))).expect("it waits");
    assert_eq!(case.begun_for(), Some("b".to_owned()));
}

#[test]
fn once_it_can_be_read_everything_goes_on_as_it_says() {
    let mut case = Case::with(StackRules::default());
    case.state.hold(case.now, "it is damaged".to_owned());
    found(&mut case, differs("p", "a", "web.image"));
    assert_eq!(case.begun(), Vec::new());
    case.state.recall(case.now, &Memory::default());
    case.tick(0);
    assert_eq!(case.begun_for(), Some("a".to_owned()));
    assert!(case.state.picture(case.now).is_ready);
}

#[test]
fn what_was_held_is_taken_up_also_after_everything_was_read() {
    let text = quarantined().state.memory(NOON).text();
    let mut case = Case::with(StackRules::default());
    case.state.hold(case.now, "it is damaged".to_owned());
    case.news = news("b", &[("web", 2)]);
    found(&mut case, differs("p", "b", "web.image"));
    case.state.recall(case.now, &Memory::read(&text).expect("our own text"));
    case.tick(0);
    assert_eq!(case.begun(), Vec::new());
    assert!(case.waits("web").starts_with("b failed"), "{}", case.waits("web"));
}

#[test]
fn that_nothing_can_be_kept_is_told_once_and_stops_nothing() {
    let mut case = Case::synced(StackRules::default());
    let full = || Err("the disk is full".to_owned());
    assert_eq!(case.state.note_kept(case.now, full()).len(), 1);
    assert_eq!(case.state.note_kept(case.now, full()), Vec::new());
    assert_eq!(case.state.picture(case.now).trouble.as_deref(), Some("the disk is full"));
    assert_eq!(case.upgrading("b", 2), Some("b".to_owned()));
    assert_eq!(case.state.note_kept(case.now, Ok(())).len(), 1, "it is over");
    assert_eq!(case.state.picture(case.now).trouble, None);
}
