use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::exec::fixture::{Fake, Fault, chain, endpoint, place, switch};
use crate::model::{Cause, Nanos, Op, Outcome, Plan, ProxyFile, Status};
use crate::ports::{Applied, LeaseKey, Leases, Taken};

const OLD: &[(&str, u16)] = &[("old", 1)];
const NEW: &[(&str, u16)] = &[("new", 2)];

fn to_new() -> Plan {
    chain(vec![switch(Some(OLD), NEW)])
}

fn names(of: &[(&str, u16)]) -> BTreeSet<String> {
    of.iter().map(|(name, _)| (*name).to_owned()).collect()
}

fn world() -> Fake {
    let fake = Fake::new();
    fake.route(7, OLD);
    fake
}

async fn outcome(fake: &Fake, plan: &Plan) -> Outcome {
    fake.run(plan).await.report.outcomes.remove(0)
}

#[tokio::test(start_paused = true)]
async fn a_switch_is_in_the_file_and_served_and_done_once() {
    let fake = world();
    assert_eq!(outcome(&fake, &to_new()).await, Outcome::Applied);
    assert_eq!(fake.servers(), (names(NEW), names(NEW)));
    let before = fake.state().file.clone();
    assert_eq!(outcome(&fake, &to_new()).await, Outcome::AlreadyTrue);
    assert_eq!(fake.state().file, before);
}

#[tokio::test(start_paused = true)]
async fn the_first_switch_makes_the_file() {
    let fake = Fake::new();
    assert_eq!(outcome(&fake, &chain(vec![switch(None, NEW)])).await, Outcome::Applied);
    assert_eq!(fake.servers(), (names(NEW), names(NEW)));
}

/// Both kinds of faults at every call that a run makes.
async fn everywhere(faults: [Fault; 2]) -> Vec<(usize, Fault, Fake)> {
    let whole = world();
    whole.run(&to_new()).await;
    let calls = whole.state().calls;
    assert!(calls > 8, "{calls}");
    let mut worlds = Vec::new();
    for at in 0..calls {
        for fault in faults {
            let fake = world();
            fake.state().fault = Some((at, fault));
            worlds.push((at, fault, fake));
        }
    }
    worlds
}

#[tokio::test(start_paused = true)]
async fn a_switch_survives_an_answer_lost_at_any_call() {
    for (at, fault, fake) in everywhere([Fault::LoseBefore, Fault::LoseAfter]).await {
        let outcome = outcome(&fake, &to_new()).await;
        assert_eq!(outcome, Outcome::Applied, "{fault:?} at {at}: {:?}", fake.state().log);
        assert_eq!(fake.servers(), (names(NEW), names(NEW)), "{fault:?} at {at}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_switch_is_finished_by_the_next_run_when_the_process_dies_at_any_call() {
    for (at, fault, fake) in everywhere([Fault::KillBefore, Fault::KillAfter]).await {
        assert!(fake.run_killed(&to_new()).await, "{fault:?} at {at}");
        let served = fake.servers().1;
        assert!(served == names(OLD) || served == names(NEW), "{fault:?} at {at}");
        fake.revive();
        // The lease of the dead must run out first.
        tokio::time::sleep(Duration::from_secs(61)).await;
        let outcome = outcome(&fake, &to_new()).await;
        assert!(outcome.unblocks(), "{fault:?} at {at}: {outcome:?}");
        assert_eq!(fake.servers(), (names(NEW), names(NEW)), "{fault:?} at {at}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_the_proxy_refuses_is_not_put_in_place() {
    let fake = world();
    fake.state().refuses.insert("test", "unknown directive".into());
    let outcome = outcome(&fake, &to_new()).await;
    insta::assert_snapshot!(words(outcome), @"failed: the proxy's own check says: unknown directive");
    assert_eq!(fake.servers(), (names(OLD), names(OLD)));
    assert!(!fake.state().log.contains(&"swap".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_does_not_follow_gets_its_old_file_back() {
    let fake = world();
    let before = fake.state().file.clone();
    fake.state().ignores_reload = true;
    let outcome = outcome(&fake, &to_new()).await;
    insta::assert_snapshot!(words(outcome), @"failed: the new file did not serve within 10s; the proxy is as it was before");
    assert_eq!(fake.state().file, before);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_reaches_somebody_else_brings_the_old_file_back() {
    let fake = world();
    fake.state().proves = Some(endpoint(99));
    let outcome = outcome(&fake, &to_new()).await;
    insta::assert_snapshot!(words(outcome), @"failed: a request for shop.example.com/ of a.web.8080 was answered by 127.0.0.1:99; the proxy is as it was before");
    assert_eq!(fake.servers(), (names(OLD), names(OLD)));
}

#[tokio::test(start_paused = true)]
async fn a_table_that_somebody_changed_supersedes_the_plan() {
    let fake = Fake::new();
    fake.route(8, &[("theirs", 5)]);
    let outcome = outcome(&fake, &to_new()).await;
    assert!(matches!(outcome, Outcome::Superseded(_)), "{outcome:?}");
    assert_eq!(fake.servers().1, names(&[("theirs", 5)]));
}

#[tokio::test(start_paused = true)]
async fn a_file_of_somebody_else_is_never_touched() {
    let fake = Fake::new();
    fake.state().file = Some("server { listen 80; }\n".into());
    let outcome = outcome(&fake, &chain(vec![switch(None, NEW)])).await;
    assert!(matches!(outcome, Outcome::Superseded(_)), "{outcome:?}");
    assert_eq!(fake.state().file.as_deref(), Some("server { listen 80; }\n"));
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_edited_is_written_again_as_a_generation_of_its_own() {
    let fake = Fake::new();
    fake.route(7, NEW);
    let text = fake.state().file.clone().expect("a file") + "# by hand\n";
    fake.state().file = Some(text);
    assert_eq!(outcome(&fake, &to_new()).await, Outcome::Applied);
    let text = fake.state().running.clone().expect("a file");
    assert!(text.contains("generation 8") && !text.contains("by hand"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_others_keep_for_themselves_is_waited_for_and_not_for_ever() {
    let fake = world();
    let key = LeaseKey::Proxy(place().proxy);
    let theirs = fake.take(&key, "anna", "beef", Duration::from_secs(100_000));
    drop(theirs.await.unwrap());
    let outcome = outcome(&fake, &to_new()).await;
    insta::assert_snapshot!(words(outcome), @"failed: anna has held edge for beef all the time");
    assert_eq!(fake.servers().1, names(OLD));
}

#[tokio::test(start_paused = true)]
async fn an_empty_change_of_a_file_that_is_not_there_is_true_already() {
    let op = Op::Switch { place: place(), change: Default::default() };
    assert_eq!(outcome(&Fake::new(), &chain(vec![op])).await, Outcome::AlreadyTrue);
}

fn words(outcome: Outcome) -> String {
    match outcome {
        Outcome::Failed(why) => format!("failed: {why}"),
        other => format!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_a_proxy_is_kept_as_long_as_its_switch_takes() {
    let fake = world();
    let (key, time) = (LeaseKey::Proxy(place().proxy), Duration::from_secs(60));
    let Taken::Ours(held) = fake.take(&key, "me", "beef", time).await.unwrap() else {
        panic!("nobody else wants it")
    };
    let leases = Arc::clone(&fake.ports().leases[&place().host]);
    let hold = super::Hold::new(place().host, leases, held, tokio::time::Instant::now(), time);
    let long = async {
        tokio::time::sleep(Duration::from_secs(1_000)).await;
        Ok(Applied::Changed)
    };
    assert_eq!(super::kept(&hold, long).await, Ok(Applied::Changed));
    let taken = fake.take(&key, "anna", "beef", time).await.unwrap();
    assert!(matches!(taken, Taken::Theirs(lease) if lease.holder == "me"));
}

#[tokio::test(start_paused = true)]
async fn a_switch_goes_neither_on_nor_back_after_its_lease_has_run_out() {
    let whole = world();
    whole.run(&to_new()).await;
    let changes =
        |log: &[String]| log.iter().filter(|it| matches!(it.as_str(), "swap" | "activate")).count();
    let calls = whole.state().calls;
    for at in whole.first("test")..calls {
        let fake = world();
        let until = tokio::time::Instant::now() + Duration::from_secs(600);
        fake.state().silence = Some((at, until));
        fake.run(&to_new()).await;
        tokio::time::sleep(Duration::from_secs(600)).await;
        let log = fake.state().log.clone();
        assert_eq!(changes(&log[at..]), 0, "{at}: {log:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_somebody_removes_during_the_switch_is_brought_back_at_once() {
    let whole = world();
    whole.run(&to_new()).await;
    let fake = world();
    let before = fake.state().file.clone();
    fake.state().file_goes_at = Some(whole.first("activate"));
    let outcome = outcome(&fake, &to_new()).await;
    insta::assert_snapshot!(words(outcome), @"failed: somebody has removed the file since; the proxy is as it was before");
    assert_eq!(fake.state().running, before);
    let asked = fake.state().log.iter().filter(|it| *it == "confirm").count();
    // The proxy that is at rest again is asked, too.
    assert!(asked < super::FILE_FIRST as usize + 4, "{asked}");
}

#[tokio::test(start_paused = true)]
async fn a_file_that_was_there_when_the_plan_was_made_is_not_written_as_the_first_one() {
    let fake = world();
    let old = fake.state().file.take();
    let mut plan = chain(vec![switch(None, NEW)]);
    plan.files.push(ProxyFile {
        place: place(),
        path: String::new(),
        kind: "nginx".into(),
        old,
        new: String::new(),
        servers: 0,
        cause: Cause::Changed,
    });
    let outcome = outcome(&fake, &plan).await;
    assert_eq!(outcome, Outcome::Superseded("somebody has removed the file since".into()));
    assert_eq!(fake.servers(), (names(&[]), names(OLD)));
}

#[tokio::test(start_paused = true)]
async fn what_a_proxy_serves_from_memory_is_not_taken_from_it_on_the_way_back() {
    let fake = world();
    fake.state().file = None;
    fake.state().refuses.insert("activate", "the machine is out of memory".into());
    let outcome = outcome(&fake, &chain(vec![switch(None, NEW)])).await;
    insta::assert_snapshot!(words(outcome), @"failed: the machine is out of memory; its file is away again, as it was before");
    assert_eq!(fake.servers(), (names(&[]), names(OLD)));
    assert_eq!(fake.state().log.iter().filter(|it| *it == "activate").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_ended_after_the_file_that_let_go_of_it_is_gone() {
    let stop = || Op::Stop { container: "old".into(), id: None, grace: Nanos(0) };
    let whole = world();
    whole.add("old", Status::Running);
    let plan = chain(vec![switch(Some(OLD), NEW), stop()]);
    assert_eq!(whole.run(&plan).await.report.outcomes[1], Outcome::Applied);
    let inspected = whole.first("inspect");

    let fake = world();
    fake.add("old", Status::Running);
    fake.state().file_goes_at = Some(inspected);
    let outcome = fake.run(&plan).await.report.outcomes.remove(1);
    let why = "the file of edge on h1 is gone; it may send to old";
    assert_eq!(outcome, Outcome::Superseded(why.into()));
    assert_eq!(fake.status("old"), Some(Status::Running));
}
