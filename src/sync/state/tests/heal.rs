//! What runs is kept as it should be, and not more often than is good.

use super::*;
use crate::sync::{Budget, Trigger};

fn died(commit: &str) -> Finding {
    differs("heal", commit, "web.replicas: it has ended")
}

#[test]
fn a_replica_that_died_is_replaced_at_once() {
    let mut case = Case::synced(StackRules::default());
    case.stirred("web");
    let (_, stacks, _) = case.look().expect("a look at once");
    assert_eq!(stacks, Some(BTreeSet::from([stack("web")])));
    case.looked(&[("web", seen(died("a")))]);
    let begun = case.begun();
    assert_eq!(begun[0].trigger, Trigger::Drift);
    assert_eq!(begun[0].commit, commit("a"));
}

#[test]
fn drift_is_told_once_until_it_is_another_one() {
    let mut case = Case::synced(StackRules {
        heal: Budget { rounds: 0, within: minutes(10) },
        ..StackRules::default()
    });
    let drifts = |case: &mut Case| {
        case.told().iter().filter(|kind| matches!(kind, NoticeKind::Drifted { .. })).count()
    };
    for expected in [1, 0, 0] {
        case.stirred("web");
        case.looked(&[("web", seen(died("a")))]);
        assert_eq!(drifts(&mut case), expected);
    }
    case.stirred("web");
    case.looked(&[("web", seen(differs("p", "a", "web.memory")))]);
    assert_eq!(drifts(&mut case), 1);
}

#[test]
fn a_look_finds_what_no_event_has_told() {
    let mut case = Case::synced(StackRules::default());
    case.tick(6 * MINUTE);
    let (_, stacks, _) = case.look().expect("the regular look");
    assert_eq!(stacks, None);
    case.looked(&[("web", seen(died("a")))]);
    assert_eq!(case.begun_for(), Some("a".to_owned()));
}

#[test]
fn a_crash_loop_does_not_become_a_deploy_loop() {
    let mut case = Case::synced(StackRules::default());
    let mut began = Vec::new();
    let end = case.now + 60 * MINUTE;
    while case.now < end {
        case.stirred("web");
        if case.look().is_some() {
            case.looked(&[("web", seen(died("a")))]);
        }
        if case.begun_for().is_some() {
            began.push(case.now);
            case.ended(RoundEnd::Synced);
        }
        case.tick(SECOND / 2);
    }
    let within =
        |from: Millis| began.iter().filter(|at| (from..from + 10 * MINUTE).contains(at)).count();
    assert!(began.iter().all(|from| within(*from) <= 5), "{began:?}");
    assert!(began.len() >= 20, "it is still healed: {}", began.len());
}

#[test]
fn each_of_several_healings_waits_longer_than_the_one_before() {
    let mut case = Case::synced(StackRules::default());
    let mut began = Vec::new();
    while began.len() < 5 {
        case.stirred("web");
        if case.look().is_some() {
            case.looked(&[("web", seen(died("a")))]);
        }
        if case.begun_for().is_some() {
            began.push(case.now);
            case.ended(RoundEnd::Synced);
        }
        case.tick(SECOND / 10);
    }
    let pauses: Vec<Millis> = began.windows(2).map(|two| (two[1] - two[0]) / SECOND).collect();
    assert_eq!(pauses, [1, 2, 4, 8]);
}

#[test]
fn while_a_commit_is_in_quarantine_the_one_before_is_kept_as_it_should_be() {
    let mut case = Case::synced(StackRules::default());
    case.upgrading("b", 2);
    case.ended(RoundEnd::RolledBack);
    let (_, _, held) = case.look().expect("a look");
    assert_eq!(held, BTreeMap::from([(stack("web"), commit("a"))]));
    case.looked(&[("web", Seen { held: Some(died("a")), ..seen(differs("p", "b", "web.image")) })]);
    let begun = case.begun();
    assert_eq!((begun[0].commit.clone(), begun[0].is_head), (commit("a"), false));
    case.ended(RoundEnd::Synced);
    case.looked(&[(
        "web",
        Seen { held: Some(Finding::Same), ..seen(differs("p", "b", "web.image")) },
    )]);
    assert_eq!(case.begun(), Vec::new());
    assert_eq!(case.view("web").synced, Some(commit("a")), "the new one was never brought about");
    assert!(case.waits("web").starts_with("b failed"), "{}", case.waits("web"));
}

#[test]
fn a_stack_with_errors_in_the_newest_commit_is_kept_as_the_one_before_wanted_it() {
    let mut case = Case::synced(StackRules::default());
    case.news = news("b", &[("web", 2)]);
    let fault = Some("compose.yaml:1:1: unknown key".to_owned());
    case.news.stacks.insert(stack("web"), Target { version: 2, fault, mark: String::new() });
    case.fetched();
    let no_plan = Finding::NoPlan { message: "has errors".into(), is_unreachable: false };
    case.looked(&[("web", Seen { held: Some(died("a")), ..seen(no_plan) })]);
    assert_eq!(case.begun_for(), Some("a".to_owned()));
}

#[test]
fn after_a_start_what_the_hosts_remember_tells_drift_from_a_new_commit() {
    for (released, trigger) in [("a", Trigger::Drift), ("0", Trigger::Commit)] {
        let mut case = Case::with(StackRules::default());
        case.fetched();
        let released = Some(commit(released));
        case.looked(&[("web", Seen { released, ..seen(died("a")) })]);
        assert_eq!(case.begun()[0].trigger, trigger);
    }
}

#[test]
fn drift_that_is_to_be_left_alone_is_and_is_not_told() {
    let rules = StackRules { ignore: vec!["web.image".to_owned()], ..StackRules::default() };
    let mut case = Case::synced(rules);
    case.stirred("web");
    case.looked(&[("web", seen(differs("p", "a", "web.image")))]);
    assert_eq!((case.begun(), case.told()), (Vec::new(), Vec::new()));
    assert_eq!(case.view("web").drift, Vec::<String>::new());
}

#[test]
fn drift_is_counted_on_each_host_and_what_is_left_alone_is_not() {
    let rules = StackRules { ignore: vec!["web.env.*".to_owned()], ..StackRules::default() };
    let mut case = Case::synced(rules);
    case.stirred("web");
    let on = |line: &str, hosts: &[&str]| Deviation {
        line: line.to_owned(),
        hosts: hosts.iter().map(|host| HostName::from(name(host))).collect(),
    };
    let mut found = differs("p", "a", "web.image");
    if let Finding::Differs(difference) = &mut found {
        difference.what.push(on("web.memory", &["web-1", "web-2"]));
        difference.what.push(on("web.env.A", &["web-3"]));
    }
    case.looked(&[("web", seen(found))]);
    let drifted = case.view("web").drifted;
    let drifted: Vec<_> = drifted.iter().map(|(host, count)| (host.as_str(), *count)).collect();
    assert_eq!(drifted, [("web-1", 2), ("web-2", 1)]);
}

#[test]
fn a_new_commit_is_deployed_whatever_drift_is_left_alone() {
    let rules = StackRules { ignore: vec!["web".to_owned()], ..StackRules::default() };
    let mut case = Case::synced(rules);
    assert_eq!(case.upgrading("b", 2), Some("b".to_owned()));
}

#[test]
fn patterns_mean_whole_parts() {
    use crate::sync::state::stack::limits::is_ignored;
    for (pattern, what, is_meant) in [
        ("web.image", "web.image", true),
        ("web.image", "web.image_digest", false),
        ("web", "web.replicas: it has ended", true),
        ("*.labels", "web.labels.a", true),
        ("*.labels", "web.env.labels", false),
        ("web.*.a", "web.env.a", true),
        ("web.env.a", "web.env", false),
    ] {
        assert_eq!(is_ignored(what, &[pattern.to_owned()]), is_meant, "{pattern} {what}");
    }
}

#[test]
fn a_host_that_comes_back_is_caught_up_with() {
    let mut case = Case::synced(StackRules::default());
    let host = HostName::from(name("web-1"));
    for (is_up, head) in [
        (false, Finding::NoPlan { message: "silent".into(), is_unreachable: true }),
        (true, died("a")),
    ] {
        case.wake(Wake::Stirred { source: name("shop"), stack: None });
        let (number, ..) = case.look().expect("a look at everything");
        case.forget();
        let sight = Sight {
            head: Some(commit("a")),
            hosts: BTreeMap::from([(host.clone(), HostView { is_up, ..up() })]),
            stacks: BTreeMap::from([(stack("web"), seen(head))]),
            is_whole: true,
        };
        let (source, sight) = (name("shop"), Box::new(sight));
        case.wake(Wake::Looked { source, number, sight });
    }
    assert_eq!(case.begun()[0].trigger, Trigger::Return);
}

#[test]
fn what_failed_while_a_host_was_away_is_tried_again_when_it_is_back() {
    for (end, is_tried) in [(RoundEnd::Failed, true), (RoundEnd::RolledBack, false)] {
        let retry = crate::sync::Retry { limit: 0, ..crate::sync::Retry::default() };
        let mut case = Case::quiet(StackRules { retry, ..StackRules::default() });
        case.upgrading("b", 2);
        case.ends(end, differs("p", "b", "web.image"));
        for is_up in [false, true] {
            case.wake(Wake::Stirred { source: name("shop"), stack: None });
            let (number, ..) = case.look().expect("a look at everything");
            case.forget();
            let host = (HostName::from(name("web-1")), HostView { is_up, ..up() });
            let sight = Sight {
                head: Some(commit("b")),
                hosts: BTreeMap::from([host]),
                stacks: BTreeMap::from([(stack("web"), seen(differs("p", "b", "web.image")))]),
                is_whole: true,
            };
            let (source, sight) = (name("shop"), Box::new(sight));
            case.wake(Wake::Looked { source, number, sight });
        }
        assert_eq!(case.begun_for().is_some(), is_tried, "{end:?}");
    }
}

#[test]
fn a_healing_that_fails_does_not_put_the_commit_into_quarantine() {
    let mut case = Case::synced(StackRules::default());
    case.stirred("web");
    case.looked(&[("web", seen(died("a")))]);
    assert!(case.begun_for().is_some());
    case.ends(RoundEnd::RolledBack, died("a"));
    assert_eq!(case.upgrading("b", 2), Some("b".to_owned()));
}
