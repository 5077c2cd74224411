//! Which commit a round begins for, and when.

use super::*;

#[test]
fn at_first_every_source_is_asked() {
    let mut case = Case::with(StackRules::default());
    assert_eq!(case.fetches(), 1);
    assert_eq!(case.look(), None, "nothing is known to look for");
}

#[test]
fn the_first_commit_has_everything_looked_at() {
    let mut case = Case::with(StackRules::default());
    case.fetched();
    let (_, stacks, held) = case.look().expect("a look");
    assert_eq!((stacks, held), (None, BTreeMap::new()));
    assert!(!case.state.picture(case.now).is_ready);
}

#[test]
fn what_is_as_it_is_wanted_needs_no_round() {
    let mut case = Case::synced(StackRules::default());
    assert_eq!(case.begun(), Vec::new());
    assert_eq!(case.view("web").synced, Some(commit("a")));
    assert!(case.state.picture(case.now).is_ready);
    assert!(case.state.is_settled());
}

#[test]
fn a_new_commit_has_only_the_stacks_looked_at_that_it_changes() {
    let mut case = Case::with(StackRules::default());
    case.news = news("a", &[("db", 1), ("web", 1)]);
    case.fetched();
    case.looked(&[("db", seen(Finding::Same)), ("web", seen(Finding::Same))]);
    case.forget();
    case.pushed("b", &[("db", 1), ("web", 2)]);
    let (_, stacks, _) = case.look().expect("a look");
    assert_eq!(stacks, Some(BTreeSet::from([stack("web")])));
    assert_eq!(case.view("db").synced, Some(commit("b")), "it wants the same as before");
}

#[test]
fn a_difference_begins_a_round() {
    let mut case = Case::synced(StackRules::default());
    assert_eq!(case.upgrading("b", 2), Some("b".to_owned()));
    case.ends(RoundEnd::Synced, Finding::Same);
    assert_eq!(case.view("web").synced, Some(commit("b")));
    assert_eq!(case.begun(), Vec::new());
}

#[test]
fn a_stack_has_one_round_at_a_time_and_the_newest_commit_wins() {
    let mut case = Case::synced(StackRules::default());
    case.upgrading("b", 2);
    case.pushed("c", &[("web", 3)]);
    case.pushed("d", &[("web", 4)]);
    assert_eq!(case.look(), None, "it is looked at when the round is over");
    case.ended(RoundEnd::Synced);
    case.looked(&[("web", seen(differs("q", "d", "web.image")))]);
    assert_eq!(case.begun_for(), Some("d".to_owned()));
}

#[test]
fn many_wakes_become_one_look() {
    let mut case = Case::synced(StackRules::default());
    case.stirred("web");
    for _ in 0..100 {
        case.stirred("web");
    }
    let looks =
        |case: &Case| case.decided.iter().filter(|it| matches!(it, Decision::Look { .. })).count();
    assert_eq!(looks(&case), 1);
    case.looked(&[("web", seen(Finding::Same))]);
    assert_eq!(looks(&case), 1, "what came during the look needs one more");
}

#[test]
fn a_look_that_began_before_a_round_ended_says_nothing_about_it() {
    let mut case = Case::synced(StackRules::default());
    case.tick(6 * MINUTE);
    let (whole, stacks, _) = case.look().expect("the regular look");
    assert_eq!(stacks, None);
    case.decided.retain(|it| !matches!(it, Decision::Look { .. }));
    assert_eq!(case.upgrading("b", 2), Some("b".to_owned()));
    case.ended(RoundEnd::Synced);
    case.answer(whole, true, &[("web", seen(differs("old", "b", "web.image")))]);
    assert_eq!(case.begun(), Vec::new());
}

#[test]
fn a_look_at_an_older_commit_is_made_again() {
    let mut case = Case::synced(StackRules::default());
    case.stirred("web");
    let (number, ..) = case.look().expect("a look");
    let sight = Sight {
        head: Some(commit("a")),
        stacks: BTreeMap::from([(stack("web"), seen(differs("p", "a", "web.image")))]),
        ..Sight::default()
    };
    case.pushed("b", &[("web", 2)]);
    case.forget();
    let (source, sight) = (name("shop"), Box::new(sight));
    case.wake(Wake::Looked { source, number, sight });
    assert_eq!(case.begun(), Vec::new());
    assert!(case.look().is_some());
}

#[test]
fn no_more_rounds_run_than_are_allowed_and_the_next_begins_when_one_ends() {
    let mut case = Case::with(StackRules::default());
    let names: Vec<String> = (0..6).map(|number| format!("s{number}")).collect();
    let stacks: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    case.news = news("a", &stacks);
    case.fetched();
    let all: Vec<(&str, Seen)> =
        names.iter().map(|name| (name.as_str(), seen(differs("p", "a", "x.image")))).collect();
    case.looked(&all);
    assert_eq!(case.begun().len(), Rules::ROUNDS);
    assert!(!case.state.is_settled());
    case.ended_of("s0", RoundEnd::Synced);
    assert_eq!(case.begun().len(), 1);
}

#[test]
fn a_stack_that_has_left_the_repository_is_removed_by_a_round_and_then_forgotten() {
    let mut case = Case::synced(StackRules::default());
    case.pushed("b", &[]);
    case.looked(&[("web", seen(differs("p", "b", "web.replicas: it is gone")))]);
    assert_eq!(case.begun_for(), Some("b".to_owned()));
    case.ends(RoundEnd::Synced, Finding::Same);
    case.tick(6 * MINUTE);
    case.looked(&[]);
    assert!(case.state.picture(case.now).sources[&name("shop")].stacks.is_empty());
}

#[test]
fn a_stack_with_errors_waits_and_hinders_no_other() {
    let mut case = Case::with(StackRules::default());
    case.news = news("a", &[("bad", 1), ("web", 1)]);
    let fault = Some("stacks/bad/compose.yaml:1:1: unknown key".to_owned());
    case.news.stacks.insert(stack("bad"), Target { version: 1, fault, mark: String::new() });
    case.fetched();
    let no_plan = Finding::NoPlan { message: "has errors".into(), is_unreachable: false };
    case.looked(&[("bad", seen(no_plan)), ("web", seen(differs("p", "a", "web.image")))]);
    assert_eq!(case.begun_for(), Some("a".to_owned()));
    assert_eq!(case.waits("bad"), "a has errors: stacks/bad/compose.yaml:1:1: unknown key");
}

#[test]
fn nothing_begins_once_the_daemon_is_to_end() {
    let mut case = Case::synced(StackRules::default());
    case.wake(Wake::Ending);
    case.stirred("web");
    case.tick(10 * MINUTE);
    assert_eq!((case.look(), case.fetches()), (None, 0));
    assert!(case.order(OrderKind::Fetch).is_err());
}

#[test]
fn the_history_of_a_stack_is_bounded() {
    let mut case = Case::synced(StackRules::default());
    for number in 2..100 {
        let head = format!("c{number}");
        assert_eq!(case.upgrading(&head, number), Some(head));
        case.ends(RoundEnd::Synced, Finding::Same);
    }
    let history = case.view("web").history;
    assert_eq!(history.len(), 20);
    assert_eq!(history[0].commit, commit("c99"));
}

#[test]
fn what_is_told_of_a_good_round_is_told_once() {
    let mut case = Case::synced(StackRules::default());
    case.upgrading("b", 2);
    case.ends(RoundEnd::Synced, Finding::Same);
    let told: Vec<&str> = case
        .told()
        .iter()
        .map(|kind| match kind {
            NoticeKind::Fetched { .. } => "fetched",
            NoticeKind::Began { .. } => "began",
            NoticeKind::Ended { .. } => "ended",
            _ => "something else",
        })
        .collect();
    assert_eq!(told, ["fetched", "began", "ended"]);
}
