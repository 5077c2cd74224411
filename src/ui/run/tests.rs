use super::*;
use crate::model::{HostName, Outcome, PlanId, StepEvent, StepId, Verdict};
use crate::ui::plan::sample::{SECRET, name, nothing, usual};

/// The events of a step of the usual plan.
fn step(number: usize) -> StepEvent {
    let plan = usual();
    let step = &plan.steps[number];
    StepEvent {
        id: step.id,
        stack: step.stack.clone(),
        service: step.service.clone(),
        slot: step.slot,
        host: step.host.clone(),
        words: step.op.words(),
    }
}

fn ended(number: usize, outcome: Outcome) -> Event {
    Event::Ended { step: step(number), outcome, took: 300 }
}

fn waiting(message: &str) -> Event {
    Event::Progress { step: step(14), message: message.into() }
}

fn finished(verdict: Verdict) -> Event {
    Event::Finished { verdict, took: 14_200 }
}

/// A run in which most can happen that can happen.
fn eventful() -> Vec<Event> {
    vec![
        Event::Began { plan: PlanId("00aa".into()), steps: 33 },
        Event::Started(step(0)),
        ended(0, Outcome::AlreadyTrue),
        Event::Started(step(1)),
        ended(1, Outcome::Applied),
        ended(6, Outcome::Tolerated("it ended with 1".into())),
        waiting("2 requests in flight"),
        ended(3, Outcome::Failed("it answered 500\u{1b}[2J".into())),
        ended(13, Outcome::Superseded("the file changed".into())),
        ended(15, Outcome::Unknown("no answer".into())),
        ended(16, Outcome::Skipped),
        Event::RollingBack { stack: name("shop"), reason: "web is not ready".into() },
        Event::Warned { message: "3 connections were cut".into() },
        Event::Interrupted { message: "steps that run are finished".into() },
        finished(Verdict::Partly),
    ]
}

fn lines(events: &[Event], color: bool) -> String {
    let mut progress = Progress::new(ProgressStyle::Lines { color }, &usual());
    let lines: Vec<String> = events.iter().flat_map(|event| progress.event(event)).collect();
    progress.finish();
    lines.join("\n")
}

#[test]
fn a_log_has_a_line_for_everything_that_ended() {
    insta::assert_snapshot!(lines(&eventful(), false), @r"
    plan 00aa: 33 steps
    shop web    pull registry/shop:1.4.2  was so already
    shop web.1  create acme-shop-web-1-new  done 0.3 s
    shop web.2  wait until acme-shop-web-2-new is ready  failed, and may: it ended with 1 (0.3 s)
    shop web    wait until edge has let go of acme-shop-web-1-old, acme-shop-web-2-old, acme-shop-web-3-old, acme-shop-web-4-o…  … 2 requests in flight
    shop web.1  wait until acme-shop-web-1-new is ready  failed: it answered 500\u{1b}[2J (0.3 s)
    shop web    switch edge on edge-1  stopped: the file changed
    shop web.1  run pre_stop in acme-shop-web-1-old  nobody knows whether it was done: no answer (0.3 s)
    shop  rolling back: web is not ready
    warning: 3 connections were cut
    warning: steps that run are finished
    Done in part; the next plan says what is left: 2 steps done, 3 failed, 1 tolerated, 1 not begun in 14 s.
    ");
}

#[test]
fn what_a_container_said_stands_below_its_step_line_by_line() {
    let reason = "it was not ready within 3s: answered 503\n  version 2 listens\n  \u{1b}[2Jill";
    let events = [
        ended(3, Outcome::Failed(reason.into())),
        Event::RollingBack { stack: name("shop"), reason: format!("wait: {reason}") },
    ];
    insta::assert_snapshot!(lines(&events, false), @r"
    shop web.1  wait until acme-shop-web-1-new is ready  failed: it was not ready within 3s: answered 503 (0.3 s)
          version 2 listens
          \u{1b}[2Jill
    shop  rolling back: wait: it was not ready within 3s: answered 503
    ");
}

#[test]
fn a_wait_that_lasts_fills_no_log() {
    let mut events: Vec<Event> = (0..100).map(|it| waiting(&format!("{it} requests"))).collect();
    events.extend((0..100).map(|_| waiting("99 requests")));
    assert_eq!(lines(&events, false).lines().count(), 7);
}

#[test]
fn a_step_of_many_servers_takes_one_line_of_usual_length() {
    let mut event = step(0);
    event.words = "é".repeat(1_000);
    let event = Event::Ended { step: event, outcome: Outcome::Applied, took: 0 };
    let line = lines(&[event], false);
    assert!(line.ends_with("é…  done 0 s"), "{line}");
    assert_eq!(line.matches('é').count(), 110);
}

#[test]
fn only_coloured_lines_have_colours() {
    assert!(lines(&eventful(), true).contains("\u{1b}[31m"));
    assert!(!lines(&eventful(), false).contains('\u{1b}'));
}

#[test]
fn a_quiet_run_says_nothing() {
    let mut progress = Progress::new(ProgressStyle::Quiet, &usual());
    assert!(eventful().iter().all(|event| progress.event(event).is_empty()));
}

#[test]
fn a_service_counts_replicas_that_are_ready() {
    let mut tally = tally::Tally::of(&usual());
    let line = |tally: &tally::Tally, of: &str| {
        let service = tally.services().find(|((_, service), _)| service.as_deref() == Some(of));
        bars::line(service.expect("a service").1, false)
    };
    assert_eq!(line(&tally, "web"), "0/4  waiting");
    tally.event(&Event::Started(step(3)));
    assert_eq!(line(&tally, "web"), "0/4  wait until acme-shop-web-1-new is ready");
    tally.event(&ended(3, Outcome::Applied));
    tally.event(&ended(6, Outcome::Failed("it answered 500".into())));
    tally.event(&ended(9, Outcome::Failed("another".into())));
    assert_eq!(
        line(&tally, "web"),
        "1/4  failed: wait until acme-shop-web-2-new is ready: it answered 500"
    );
    (27..32).for_each(|number| drop(tally.event(&ended(number, Outcome::Applied))));
    assert_eq!(line(&tally, "db"), "1/1  done");
}

#[test]
fn steps_of_a_rollback_count_for_no_replica_of_the_plan() {
    let mut tally = tally::Tally::of(&usual());
    let reason = "web is not ready".to_owned();
    tally.event(&Event::RollingBack { stack: name("shop"), reason });
    tally.event(&ended(3, Outcome::Applied));
    let web = tally.services().find(|((_, service), _)| service.as_deref() == Some("web"));
    assert_eq!(bars::line(web.expect("web").1, false), "failed: web is not ready");
}

#[test]
fn bars_end_with_a_summary() {
    let mut progress = Progress::new(ProgressStyle::Bars { color: false }, &usual());
    assert!(progress.event(&ended(0, Outcome::Applied)).is_empty());
    let last = progress.event(&finished(Verdict::Done));
    assert_eq!(last, ["Done: 1 step done in 14 s."]);
    progress.finish();
}

#[test]
fn events_have_the_names_of_opentofu() {
    let events: Vec<String> = eventful()
        .iter()
        .filter_map(json)
        .map(|it| format!("{:5} {}: {}", it.level, it.kind, it.message.escape_debug()))
        .collect();
    insta::assert_snapshot!(events.join("\n"), @r"
    info  run_start: plan 00aa: 33 steps
    info  apply_start: shop web: pull registry/shop:1.4.2: begun
    info  apply_complete: shop web: pull registry/shop:1.4.2: already true
    info  apply_start: shop web.1: create acme-shop-web-1-new: begun
    info  apply_complete: shop web.1: create acme-shop-web-1-new: applied
    warn  apply_errored: shop web.2: wait until acme-shop-web-2-new is ready: tolerated: it ended with 1
    info  apply_progress: shop web: wait until edge has let go of acme-shop-web-1-old, acme-shop-web-2-old, acme-shop-web-3-old, acme-shop-web-4-old: 2 requests in flight
    error apply_errored: shop web.1: wait until acme-shop-web-1-new is ready: failed: it answered 500\u{1b}[2J
    error apply_errored: shop web: switch edge on edge-1: superseded: the file changed
    error apply_errored: shop web.1: run pre_stop in acme-shop-web-1-old: unknown: no answer
    info  apply_skipped: shop web.1: stop acme-shop-web-1-old: skipped
    error rollback_start: shop: rolling back: web is not ready
    warn  diagnostic: 3 connections were cut
    warn  interrupted: steps that run are finished
    error run_complete: partly after 14 s
    ");
}

#[test]
fn an_event_of_a_step_names_the_resource() {
    let event = json(&ended(3, Outcome::Failed("500".into()))).expect("an event");
    insta::assert_snapshot!(event.more, @r#"
    {"hook":{"resource":{"addr":"shop/service/web","resource_type":"service","resource_name":"web"},"step":3,"stack":"shop","service":"web","slot":1,"host":"web-1","action":"wait until acme-shop-web-1-new is ready","outcome":"failed","elapsed_seconds":0.3,"error":"500"}}
    "#);
}

#[test]
fn a_plan_is_told_before_it_is_carried_out() {
    let kinds: Vec<&str> = planned(&usual()).iter().map(|event| event.kind).collect();
    assert_eq!(kinds, ["planned_change", "planned_change", "change_summary"]);
    let summary = &planned(&usual())[2].more["changes"];
    assert_eq!(summary["add"], 5);
    assert_eq!(planned(&nothing()).len(), 1);
}

#[test]
fn no_event_shows_what_a_step_carries() {
    let plan = usual();
    for number in 0..plan.steps.len() {
        for event in [Event::Started(step(number)), ended(number, Outcome::Applied)] {
            let event = json(&event).expect("an event");
            assert!(!format!("{event:?}").contains(SECRET));
        }
    }
    assert!(!format!("{:?}", planned(&plan)).contains(SECRET));
}

#[test]
fn a_step_the_plan_does_not_know_is_shown_too() {
    let host: HostName = name("web-9");
    let step = StepEvent { id: StepId(99), service: None, slot: None, host, ..step(0) };
    let event = Event::Ended { step, outcome: Outcome::Applied, took: 0 };
    let mut progress = Progress::new(ProgressStyle::Lines { color: false }, &nothing());
    assert_eq!(progress.event(&event), ["shop  pull registry/shop:1.4.2  done 0 s"]);
}
