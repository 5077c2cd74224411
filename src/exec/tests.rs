//! Whole runs: signals, leases, failures of one stack beside another.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::watch;

use super::Stop;
use super::fixture::{Fake, chain, endpoint, key, name, place, plan, replica, step, switch};
use crate::model::{Cause, Event, Nanos, Op, Outcome, Plan, Readiness, Release, Status, Step};
use crate::ports::LeaseKey;

const SECOND: u64 = 1_000_000_000;

fn pause(seconds: u64) -> Op {
    Op::Pause { time: Nanos(seconds * SECOND) }
}

fn start(container: &str) -> Op {
    Op::Start { container: container.to_owned() }
}

fn ready(container: &str, may_fail: u32) -> Op {
    let readiness = Readiness {
        has_check: false,
        probe: None,
        within: Nanos(30 * SECOND),
        stable_for: Nanos(SECOND),
        may_fail,
        goes_on: false,
    };
    Op::AwaitReady { container: container.to_owned(), readiness }
}

/// A run in which a signal comes after so many seconds.
async fn interrupted(fake: &Fake, plan: &Plan, after: u64, rung: Stop) -> super::fixture::Told {
    let (raise, stop) = watch::channel(Stop::None);
    let signal = async {
        tokio::time::sleep(Duration::from_secs(after)).await;
        raise.send_replace(rung);
    };
    tokio::join!(fake.run_until(plan, stop), signal).0
}

#[tokio::test(start_paused = true)]
async fn a_run_can_be_carried_by_any_thread() {
    fn sent<T: Send>(it: T) -> T {
        it
    }
    let (fake, plan) = (Fake::new(), chain(vec![pause(1)]));
    let told = sent(fake.run(&plan)).await;
    assert_eq!(told.report.outcomes, [Outcome::Applied]);
}

#[tokio::test(start_paused = true)]
async fn every_step_is_told_from_its_begin_to_its_end() {
    let told = Fake::new().run(&chain(vec![pause(1), pause(2)])).await;
    let words: Vec<String> = told.events.iter().map(short).collect();
    insta::assert_snapshot!(words.join("\n"), @r"
    began 2
    started wait 1s
    ended wait 1s Applied 1000
    started wait 2s
    ended wait 2s Applied 2000
    ");
}

fn short(event: &Event) -> String {
    match event {
        Event::Began { steps, .. } => format!("began {steps}"),
        Event::Started(step) => format!("started {}", step.words),
        Event::Ended { step, outcome, took } => format!("ended {} {outcome:?} {took}", step.words),
        Event::Interrupted { message } => format!("interrupted: {message}"),
        other => format!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn one_signal_lets_what_runs_finish_and_begins_nothing() {
    let plan = chain(vec![pause(10), pause(1)]);
    let told = interrupted(&Fake::new(), &plan, 3, Stop::Finish).await;
    assert_eq!(told.report.outcomes, [Outcome::Applied, Outcome::Skipped]);
    assert!(told.report.interrupted);
    assert!(told.report.failed.is_empty());
}

#[tokio::test(start_paused = true)]
async fn two_signals_give_up_waits_and_call_that_no_failure() {
    let plan = chain(vec![pause(1_000), pause(1)]);
    let began = tokio::time::Instant::now();
    let told = interrupted(&Fake::new(), &plan, 3, Stop::Abandon).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    let why = Outcome::Unknown("the wait was given up".into());
    assert_eq!(told.report.outcomes, [why, Outcome::Skipped]);
    assert!(told.report.interrupted);
    assert!(told.report.failed.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_signal_after_the_last_step_began_interrupts_nothing() {
    let told = interrupted(&Fake::new(), &chain(vec![pause(10)]), 3, Stop::Finish).await;
    assert_eq!(told.report.outcomes, [Outcome::Applied]);
    assert!(!told.report.interrupted);
}

#[tokio::test(start_paused = true)]
async fn a_signal_before_the_run_lets_nothing_begin() {
    let (_raise, stop) = watch::channel(Stop::Finish);
    let told = Fake::new().run_until(&chain(vec![pause(1)]), stop).await;
    assert_eq!(told.report.outcomes, [Outcome::Skipped]);
    assert!(told.report.interrupted);
}

#[tokio::test(start_paused = true)]
async fn a_lost_lease_lets_nothing_begin_and_the_run_says_so() {
    let fake = Fake::new();
    let plan = chain(vec![pause(1_000), pause(1)]);
    let thief = async {
        tokio::time::sleep(Duration::from_secs(5)).await;
        fake.state().leases.clear();
    };
    let told = tokio::join!(fake.run(&plan), thief).0;
    assert!(told.report.interrupted);
    assert_eq!(told.report.outcomes[1], Outcome::Skipped);
    let words: Vec<String> = told.events.iter().map(short).collect();
    let said = words.iter().find(|it| it.starts_with("interrupted")).expect("an event");
    insta::assert_snapshot!(said, @"interrupted: the lease of a of production on h1: it is not ours any more; nothing new begins, since somebody else may act now");
    assert!(told.report.lost.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_long_run_keeps_its_lease_and_gives_it_back() {
    let fake = Fake::new();
    let told = fake.run(&chain(vec![pause(10_000)])).await;
    assert_eq!(told.report.outcomes, [Outcome::Applied]);
    assert!(fake.state().leases.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_stack_that_fails_hinders_no_other() {
    let fake = Fake::new();
    fake.add("b1", Status::Created);
    let steps = vec![
        step("a", start("not-there"), &[]),
        step("a", pause(1), &[0]),
        step("b", start("b1"), &[]),
        step("b", pause(1), &[2]),
    ];
    let report = fake.run(&plan(steps)).await.report;
    assert_eq!(report.outcomes[1..], [Outcome::Skipped, Outcome::Applied, Outcome::Applied]);
    assert!(!report.interrupted);
    let failed: Vec<&str> = report.failed.keys().map(|stack| stack.as_str()).collect();
    assert_eq!(failed, ["a"]);
    let failure = &report.failed[&name::<crate::model::StackName>("a")];
    insta::assert_snapshot!(failure.reason, @"start not-there on h1: not-there is not there any more");
    assert_eq!((failure.changed, failure.switched), (true, false));
}

#[tokio::test(start_paused = true)]
async fn a_failure_says_whether_traffic_was_moved() {
    let fake = Fake::new();
    let ops = vec![switch(None, &[("w1", 1)]), start("not-there")];
    let report = fake.run(&chain(ops)).await.report;
    let failure = report.failed.values().next().expect("a failure");
    assert_eq!((failure.changed, failure.switched), (true, true));
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_may_fail_is_left_out_of_the_switch() {
    let fake = Fake::new();
    fake.add("good", Status::Running);
    fake.add("bad", Status::Exited);
    let both = [("bad", 1), ("good", 2)];
    let steps = vec![
        step("a", ready("bad", 1), &[]),
        step("a", ready("good", 1), &[]),
        step("a", switch(None, &both), &[0, 1]),
    ];
    let report = fake.run(&plan(steps)).await.report;
    assert!(matches!(report.outcomes[0], Outcome::Tolerated(_)));
    assert!(report.failed.is_empty());
    assert_eq!(fake.servers().1.into_iter().collect::<Vec<_>>(), ["good"]);
}

/// A replica is asked for a proxy that serves from memory: in any case, or in place of younger ones.
fn asked(container: &str, younger: &[&str], needs: &[usize]) -> Step {
    let cause = match younger {
        [] => Cause::NotServed,
        _ => Cause::Standby(younger.iter().map(ToString::to_string).collect()),
    };
    Step { cause, ..step("a", ready(container, 0), needs) }
}

/// What a proxy serves from memory is written down.
fn written(to: &[(&str, u16)], needs: &[usize]) -> Step {
    Step { cause: Cause::NotServed, ..step("a", switch(None, to), needs) }
}

fn routed(fake: &Fake) -> Vec<String> {
    fake.servers().1.into_iter().collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_ready_is_written_down_without_what_is_not() {
    let fake = Fake::new();
    fake.add("old", Status::Running);
    fake.add("bad", Status::Exited);
    let olds: &[(&str, u16)] = &[("bad", 1), ("old", 2)];
    let steps = vec![asked("bad", &[], &[]), asked("old", &[], &[]), written(olds, &[0, 1])];
    let told = fake.run(&plan(steps)).await;
    assert!(told.report.failed.is_empty(), "{:?}", told.report.failed);
    assert_eq!(routed(&fake), ["old"]);
}

#[tokio::test(start_paused = true)]
async fn where_the_younger_one_of_a_place_is_not_ready_the_older_one_is_written_down() {
    let fake = Fake::new();
    fake.add("bad", Status::Exited);
    fake.add("old", Status::Running);
    let steps = vec![
        asked("bad", &[], &[]),
        asked("old", &["bad"], &[0]),
        written(&[("bad", 1), ("old", 2)], &[0, 1]),
    ];
    fake.run(&plan(steps)).await;
    assert_eq!(routed(&fake), ["old"]);
}

#[tokio::test(start_paused = true)]
async fn where_the_younger_one_of_a_place_is_ready_the_older_one_is_not_even_asked() {
    let fake = Fake::new();
    fake.add("new", Status::Running);
    fake.add("old", Status::Exited);
    let steps = vec![
        asked("new", &[], &[]),
        asked("old", &["new"], &[0]),
        written(&[("new", 1), ("old", 2)], &[0, 1]),
    ];
    let told = fake.run(&plan(steps)).await;
    assert_eq!(told.report.outcomes[1], Outcome::AlreadyTrue);
    assert_eq!(routed(&fake), ["new"]);
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_was_not_written_down_is_switched_to_once_it_is_ready() {
    let fake = Fake::new();
    fake.add("new", Status::Running);
    fake.add("old", Status::Running);
    let both: &[(&str, u16)] = &[("new", 1), ("old", 2)];
    let steps = vec![
        asked("new", &[], &[]),
        asked("old", &["new"], &[0]),
        written(both, &[0, 1]),
        step("a", ready("old", 0), &[2]),
        step("a", switch(Some(both), &[("old", 2)]), &[3]),
    ];
    let told = fake.run(&plan(steps)).await;
    assert!(told.report.failed.is_empty(), "{:?}", told.report.failed);
    assert_eq!(routed(&fake), ["old"]);
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_one_proxy_need_not_have_proved_stays_at_another_that_sends_to_it() {
    for (status, younger) in [(Status::Running, "new"), (Status::Exited, "bad")] {
        let fake = Fake::new();
        fake.add("new", Status::Running);
        fake.add("bad", Status::Exited);
        fake.add("old", status);
        let before: &[(&str, u16)] = &[("gone", 3), ("old", 2)];
        fake.route(7, before);
        let steps = vec![
            asked(younger, &[], &[]),
            asked("old", &[younger], &[0]),
            step("a", switch(Some(before), &[("new", 1), ("old", 2)]), &[1]),
        ];
        let told = fake.run(&plan(steps)).await;
        assert!(told.report.failed.is_empty(), "{:?}", told.report.failed);
        assert_eq!(routed(&fake), ["new", "old"], "{younger}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_not_served_is_written_without_whom_it_named_and_nobody_proved() {
    let fake = Fake::new();
    fake.add("new", Status::Running);
    fake.add("old", Status::Exited);
    let both: &[(&str, u16)] = &[("new", 1), ("old", 2)];
    fake.route(7, both);
    let again = Step { cause: Cause::NotServed, ..step("a", switch(Some(both), both), &[0, 1]) };
    let steps = vec![asked("new", &[], &[]), asked("old", &["new"], &[0]), again];
    fake.run(&plan(steps)).await;
    assert_eq!(routed(&fake), ["new"]);
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_was_only_asked_for_a_proxy_may_still_fail_its_own_rollout() {
    let fake = Fake::new();
    fake.add("bad", Status::Exited);
    let steps = vec![asked("bad", &[], &[]), step("a", ready("bad", 0), &[0])];
    let report = fake.run(&plan(steps)).await.report;
    assert!(matches!(report.outcomes[0], Outcome::Tolerated(_)));
    assert!(matches!(report.outcomes[1], Outcome::Failed(_)), "{:?}", report.outcomes);
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_ready_nothing_is_written_down_and_what_follows_begins_anew() {
    let fake = Fake::new();
    fake.add("bad", Status::Exited);
    fake.add("new", Status::Running);
    let olds: &[(&str, u16)] = &[("bad", 1)];
    let steps = vec![
        asked("bad", &[], &[]),
        written(olds, &[0]),
        step("a", ready("new", 0), &[1]),
        step("a", switch(Some(olds), &[("new", 3)]), &[2]),
    ];
    let told = fake.run(&plan(steps)).await;
    assert!(told.report.failed.is_empty(), "{:?}", told.report.failed);
    assert_eq!(told.report.outcomes[1], Outcome::AlreadyTrue);
    assert_eq!(told.warnings(), ["edge goes on as it is: nobody for a.web.8080 is ready"]);
    assert_eq!(routed(&fake), ["new"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_proxy_goes_on_with_is_not_ended() {
    let fake = Fake::new();
    fake.add("bad", Status::Exited);
    fake.add("old", Status::Running);
    let servers = BTreeMap::from([("old".to_owned(), endpoint(2))]);
    let servers = BTreeMap::from([(key(), servers)]);
    let drain = Op::AwaitDrained { place: place(), servers, within: Nanos(SECOND) };
    let stop =
        Op::Stop { container: "old".into(), id: Some("id-old".into()), grace: Nanos(SECOND) };
    let steps = vec![
        asked("bad", &[], &[]),
        written(&[("bad", 1)], &[0]),
        step("a", drain, &[1]),
        step("a", stop, &[2]),
    ];
    let told = fake.run(&plan(steps)).await;
    let outcomes = &told.report.outcomes;
    insta::assert_debug_snapshot!(outcomes[2], @r#"
    Failed(
        "it goes on as it is, and may send a.web.8080 to them",
    )
    "#);
    assert_eq!(fake.status("old"), Some(Status::Running));
}

#[tokio::test(start_paused = true)]
async fn no_more_replicas_may_fail_than_the_service_allows() {
    let fake = Fake::new();
    fake.add("one", Status::Exited);
    fake.add("two", Status::Exited);
    let steps = vec![step("a", ready("one", 1), &[]), step("a", ready("two", 1), &[])];
    let report = fake.run(&plan(steps)).await.report;
    let tolerated = |it: &&Outcome| matches!(it, Outcome::Tolerated(_));
    assert_eq!(report.outcomes.iter().filter(tolerated).count(), 1);
    assert_eq!(report.failed.len(), 1);
}

/// A wait for a replica whose service goes on without it.
fn ready_or_without(container: &str) -> Op {
    match ready(container, 0) {
        Op::AwaitReady { container, readiness } => {
            Op::AwaitReady { container, readiness: Readiness { goes_on: true, ..readiness } }
        }
        other => other,
    }
}

fn record() -> Op {
    let release = Release {
        generation: 1,
        commits: vec![crate::model::CommitId::new("c")],
        ..Release::default()
    };
    Op::Record { release }
}

#[tokio::test(start_paused = true)]
async fn a_rollout_that_continues_does_the_rest_and_records_no_release() {
    let fake = Fake::new();
    fake.add("bad", Status::Exited);
    fake.add("good", Status::Running);
    let steps = vec![
        step("a", ready_or_without("bad"), &[]),
        step("a", pause(1), &[0]),
        step("a", ready_or_without("good"), &[1]),
        step("a", switch(None, &[("bad", 1), ("good", 2)]), &[2]),
        step("a", record(), &[3]),
    ];
    let report = fake.run(&plan(steps)).await.report;
    assert!(matches!(report.outcomes[0], Outcome::Tolerated(_)));
    assert_eq!(report.outcomes[3..], [Outcome::Applied, Outcome::Skipped]);
    assert_eq!(fake.servers().1.into_iter().collect::<Vec<_>>(), ["good"]);
    let failure = report.failed.values().next().expect("a failure");
    assert!(failure.reason.starts_with("wait until bad is ready on h1: its process ended"));
    assert!(!report.interrupted);
}

#[tokio::test(start_paused = true)]
async fn one_skipped_record_leaves_its_room_to_another_stack() {
    let fake = Fake::new();
    fake.add("bad", Status::Exited);
    let mut steps = vec![step("a", ready_or_without("bad"), &[])];
    // As many as a host has room for, so that the others wait for them.
    steps.extend((0..9).map(|_| step("a", record(), &[0])));
    steps.push(step("b", pause(3), &[]));
    steps.push(step("b", record(), &[10]));
    let report = fake.run(&plan(steps)).await.report;
    assert!(report.outcomes[1..10].iter().all(|it| *it == Outcome::Skipped));
    assert_eq!(report.outcomes[11], Outcome::Applied);
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_cannot_be_started_counts_as_one_that_failed() {
    for allowed in [ready("w1", 1), ready_or_without("w1")] {
        let fake = Fake::new();
        fake.add("w1", Status::Created);
        fake.add("w2", Status::Running);
        fake.state().refuses.insert("start", "no such program".to_owned());
        let steps = vec![
            step("a", start("w1"), &[]),
            step("a", allowed, &[0]),
            step("a", ready("w2", 1), &[]),
            step("a", switch(None, &[("w1", 1), ("w2", 2)]), &[1, 2]),
        ];
        let report = fake.run(&plan(steps)).await.report;
        let tolerated = |it: &Outcome| matches!(it, Outcome::Tolerated(_));
        assert!(report.outcomes[..2].iter().all(tolerated), "{report:?}");
        assert_eq!(fake.servers().1.into_iter().collect::<Vec<_>>(), ["w2"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_says_nothing_about_the_replica_is_never_tolerated() {
    let fake = Fake::new();
    let steps = vec![step("a", start("gone"), &[]), step("a", ready_or_without("gone"), &[0])];
    let report = fake.run(&plan(steps)).await.report;
    assert!(matches!(report.outcomes[0], Outcome::Superseded(_)), "{report:?}");
    assert_eq!(report.outcomes[1], Outcome::Skipped);
}

#[tokio::test(start_paused = true)]
async fn a_stack_is_judged_by_the_failure_that_ended_it() {
    let fake = Fake::new();
    fake.add("bad", Status::Exited);
    let steps = vec![step("a", ready_or_without("bad"), &[]), step("a", start("not-there"), &[0])];
    let report = fake.run(&plan(steps)).await.report;
    let failure = report.failed.values().next().expect("a failure");
    assert!(failure.reason.starts_with("start not-there"), "{}", failure.reason);
}

#[tokio::test(start_paused = true)]
async fn a_backend_is_not_switched_to_nobody() {
    let fake = Fake::new();
    fake.add("bad", Status::Exited);
    fake.route(3, &[("old", 9)]);
    let ops = vec![ready("bad", 1), switch(Some(&[("old", 9)]), &[("bad", 1)])];
    let report = fake.run(&chain(ops)).await.report;
    let why = Outcome::Failed("no replica for a.web.8080 became ready".into());
    assert_eq!(report.outcomes[1], why);
    assert_eq!(fake.servers().1.into_iter().collect::<Vec<_>>(), ["old"]);
}

#[tokio::test(start_paused = true)]
async fn no_event_holds_a_secret() {
    for refused in ["create", "start"] {
        let fake = Fake::new();
        let quoted = "invalid: PASSWORD=hunter2hunter2 and value-of-TOKEN".to_owned();
        fake.state().refuses.insert(refused, quoted);
        let create = Op::Create { replica: std::sync::Arc::new(replica("w1")) };
        let start = Op::Start { container: "w1".into() };
        let told = fake.run(&chain(vec![create, start])).await;
        let all = format!("{:?} {:?}", told.events, told.report);
        assert!(all.contains("invalid: PASSWORD=*** and ***"), "{all}");
        assert!(!all.contains("hunter2") && !all.contains("value-of"), "{all}");
    }
}

#[tokio::test(start_paused = true)]
async fn switches_of_two_stacks_on_one_proxy_both_come_about() {
    let fake = Fake::new();
    let mut other = switch(None, &[("b1", 2)]);
    if let Op::Switch { change, .. } = &mut other {
        let mut backend = change.set.remove(&key()).expect("a backend");
        let to = backend.to.as_mut().expect("a backend");
        to.rules = [crate::model::Rule { host: "b.example.com".into(), path: "/".into() }].into();
        change.set.insert("b.web.8080".parse().expect("a key"), backend);
    }
    let steps = vec![step("a", switch(None, &[("a1", 2)]), &[]), step("b", other, &[])];
    let report = fake.run(&plan(steps)).await.report;
    assert_eq!(report.outcomes, [Outcome::Applied, Outcome::Applied]);
    assert_eq!(fake.servers().1.into_iter().collect::<Vec<_>>(), ["a1", "b1"]);
    let proxy = LeaseKey::Proxy(place().proxy);
    assert!(!fake.state().leases.contains_key(&proxy));
}

#[tokio::test(start_paused = true)]
async fn nothing_has_an_effect_once_the_lease_was_taken_away() {
    let fake = Fake::new();
    fake.add("w1", Status::Created);
    let plan = chain(vec![pause(5), start("w1")]);
    let thief = async {
        // Just before the pause ends, and long before the next renewal.
        tokio::time::sleep(Duration::from_millis(4_900)).await;
        fake.state().leases.clear();
    };
    let told = tokio::join!(fake.run(&plan), thief).0;
    assert!(matches!(told.report.outcomes[1], Outcome::Superseded(_)), "{:?}", told.report);
    assert_eq!(fake.state().containers["w1"].state.status, Status::Created);
    assert!(told.report.interrupted && told.report.lost.is_some());
}
