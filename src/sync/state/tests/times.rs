//! When sources are asked and hosts looked at; clocks that jump; rules that change.

use super::*;

#[test]
fn a_source_is_asked_at_its_interval_and_a_little_later() {
    let mut case = Case::synced(StackRules::default());
    let next = case.state.next().expect("a time");
    let after = next - case.now;
    assert!((2 * MINUTE..=2 * MINUTE + 12 * SECOND).contains(&after), "{after}");
    case.tick(after - 1);
    assert_eq!(case.fetches(), 0);
    case.tick(1);
    assert_eq!(case.fetches(), 1);
    case.tick(60 * MINUTE);
    assert_eq!(case.fetches(), 0, "the first answer has not come yet");
}

#[test]
fn a_source_that_cannot_be_asked_is_asked_less_and_less_often() {
    let mut case = Case::with(StackRules::default());
    let mut pauses = Vec::new();
    for _ in 0..8 {
        let message = "could not fetch it".to_owned();
        case.wake(Wake::NotFetched { source: name("shop"), message, is_unsigned: false });
        let next = case.state.next().expect("a time");
        pauses.push((next - case.now) / MINUTE);
        case.now = next;
        case.tick(0);
    }
    assert!(pauses[..4].is_sorted() && pauses[0] <= 2, "{pauses:?}");
    assert!(pauses[4..].iter().all(|pause| (15..17).contains(pause)), "{pauses:?}");
    let told = case.told();
    assert_eq!(told.len(), 1, "the same trouble is told once: {told:?}");
}

#[test]
fn trouble_is_shown_and_its_end_is_told() {
    let mut case = Case::synced(StackRules::default());
    let message = "could not fetch it".to_owned();
    case.wake(Wake::NotFetched { source: name("shop"), message, is_unsigned: false });
    let trouble = case.state.picture(case.now).trouble;
    assert_eq!(trouble, Some("shop: could not fetch it".to_owned()));
    case.fetched();
    assert_eq!(case.state.picture(case.now).trouble, None);
    assert!(case.told().contains(&NoticeKind::Recovered));
}

#[test]
fn while_a_source_cannot_be_asked_what_runs_is_healed() {
    let mut case = Case::synced(StackRules::default());
    let message = "could not fetch it".to_owned();
    case.wake(Wake::NotFetched { source: name("shop"), message, is_unsigned: false });
    case.stirred("web");
    case.looked(&[("web", seen(differs("p", "a", "web.replicas: it has ended")))]);
    assert_eq!(case.begun_for(), Some("a".to_owned()));
}

#[test]
fn a_clock_that_is_set_back_does_not_make_anything_wait_longer() {
    let mut case = Case::synced(StackRules::default());
    let due = case.state.next().expect("a time") - case.now;
    case.now -= 24 * 60 * MINUTE;
    case.tick(0);
    assert_eq!(case.state.next().expect("a time") - case.now, due);
}

#[test]
fn a_clock_that_is_set_ahead_has_everything_done_once() {
    let mut case = Case::synced(StackRules::default());
    case.tick(365 * 24 * 60 * MINUTE);
    assert_eq!(case.fetches(), 1);
    let (_, stacks, _) = case.look().expect("a look");
    assert_eq!(stacks, None);
}

#[test]
fn other_rules_leave_what_is_known_and_what_runs() {
    let mut case = Case::synced(StackRules::default());
    case.upgrading("b", 2);
    let mut other = source();
    other.interval = minutes(10);
    case.state.reload(Rules::of(name("shop"), other), case.now);
    case.tick(0);
    assert_eq!(case.state.running(), 1);
    assert_eq!(case.view("web").synced, Some(commit("a")));
}

#[test]
fn a_source_that_is_taken_out_of_the_rules_is_forgotten() {
    let mut case = Case::synced(StackRules::default());
    case.state.reload(Rules::of(name("blog"), source()), case.now);
    case.tick(0);
    let names: Vec<Name> = case.state.picture(case.now).sources.into_keys().collect();
    assert_eq!(names, [name("blog")]);
}

#[test]
fn a_round_of_a_source_that_is_taken_out_is_waited_for_and_told_of() {
    let mut case = Case::synced(StackRules::default());
    case.upgrading("b", 2);
    case.forget();
    case.state.reload(Rules::of(name("blog"), source()), case.now);
    case.tick(0);
    assert_eq!(case.state.running(), 1);
    case.ended(RoundEnd::Synced);
    assert_eq!(case.state.running(), 0);
    assert!(matches!(case.told()[..], [NoticeKind::Ended { end: RoundEnd::Synced, .. }]));
}

#[test]
fn a_source_that_comes_back_does_not_take_the_end_of_an_older_round_for_its_own() {
    let mut case = Case::synced(StackRules::default());
    case.upgrading("b", 2);
    case.state.reload(Rules::of(name("blog"), source()), case.now);
    case.state.reload(Rules::of(name("shop"), source()), case.now);
    case.tick(0);
    case.ended(RoundEnd::Failed);
    assert_eq!(case.state.running(), 0);
    let picture = case.state.picture(case.now);
    assert!(picture.sources[&name("shop")].stacks.is_empty(), "nothing is known of it yet");
}

#[test]
fn how_often_and_how_long_a_source_was_asked_is_measured() {
    let mut case = Case::with(StackRules::default());
    for (op, is_done, took) in [
        (GitOp::Fetch, true, 300),
        (GitOp::List, true, 20),
        (GitOp::List, true, 30),
        (GitOp::List, false, 200),
    ] {
        case.wake(Wake::Asked { source: name("shop"), op, is_done, took });
    }
    let measured = case.state.picture(case.now).sources[&name("shop")].measured;
    assert_eq!(measured.fetches.done, Times { count: 1, sum: 300 });
    assert_eq!(measured.lists.done, Times { count: 2, sum: 50 });
    assert_eq!(measured.lists.failed, Times { count: 1, sum: 200 });
    assert_eq!(measured.opens, Asked::default());
}

#[test]
fn a_look_that_came_to_nothing_is_made_again_in_its_time() {
    let mut case = Case::with(StackRules::default());
    case.fetched();
    let (number, ..) = case.look().expect("a look");
    case.answer(number, false, &[]);
    case.forget();
    case.tick(6 * MINUTE);
    assert!(matches!(case.look(), Some((_, None, _))));
}

#[test]
fn ten_thousand_rounds_leave_nothing_behind() {
    let mut case = Case::quiet(StackRules::default());
    let size = |case: &Case| format!("{:?}", case.state).len();
    let mut sizes = BTreeSet::new();
    for number in 2..10_000 {
        case.tick(SECOND);
        let head = format!("{number:08}");
        assert!(case.upgrading(&head, number).is_some());
        case.ends(RoundEnd::Synced, Finding::Same);
        case.forget();
        if number > 9_000 {
            sizes.insert(size(&case) / 500);
        }
    }
    assert!(sizes.len() <= 2, "{sizes:?}");
}
