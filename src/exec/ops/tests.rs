use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::exec::fixture::{Fake, Fault, Told, chain, endpoint, key, place, replica, switch};
use crate::model::{
    CommitId, Event, Health, Hook, HookMoment, HttpProbe, Nanos, Op, Outcome, OutsideProbe, Plan,
    Probe, Readiness, Release, Room, Status,
};

const SECOND: u64 = 1_000_000_000;

/// What must be there before an op has something to do.
type Prepare = fn(&Fake);

fn readiness() -> Readiness {
    Readiness {
        has_check: false,
        probe: None,
        within: Nanos(10 * SECOND),
        stable_for: Nanos(2 * SECOND),
        may_fail: 0,
        goes_on: false,
    }
}

fn asked() -> Readiness {
    let probe = Probe::Http(HttpProbe { path: "/".into(), port: 8080 });
    let probe = OutsideProbe {
        probe,
        endpoint: Some(endpoint(1)),
        interval: Nanos(SECOND),
        timeout: Nanos(SECOND),
    };
    Readiness { probe: Some(probe), ..readiness() }
}

fn ready(readiness: Readiness) -> Plan {
    chain(vec![Op::AwaitReady { container: "w1".into(), readiness }])
}

fn stop() -> Op {
    Op::Stop { container: "old".into(), id: Some("id-old".into()), grace: Nanos(SECOND) }
}

fn remove() -> Op {
    Op::Remove { container: "old".into(), id: Some("id-old".into()) }
}

fn drain(within: u64) -> Op {
    let servers = BTreeMap::from([("old".to_owned(), endpoint(1))]);
    let servers = BTreeMap::from([(key(), servers)]);
    Op::AwaitDrained { place: place(), servers, within: Nanos(within * SECOND) }
}

fn hook(moment: HookMoment) -> Op {
    Op::RunHook { container: "w1".into(), hook: Hook::default(), moment }
}

fn has_n(fake: &Fake) {
    fake.state().things.insert("n".into());
}

async fn first(fake: &Fake, plan: &Plan) -> Outcome {
    fake.run(plan).await.report.outcomes.remove(0)
}

fn failed(told: &Told) -> &str {
    match &told.report.outcomes[0] {
        Outcome::Failed(why) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_makes_something_so_does_it_once() {
    let name = || "n".to_owned();
    let ops: Vec<(Op, Prepare)> = vec![
        (Op::Pull { reference: name(), digest: None, platform: None }, |_| {}),
        (Op::CreateNetwork { name: name(), body: Value::Null }, |_| {}),
        (Op::CreateVolume { name: name(), body: Value::Null }, |_| {}),
        (Op::RemoveNetwork { name: name() }, has_n),
        (Op::RemoveVolume { name: name() }, has_n),
        (Op::Record { release: Release::default() }, |_| {}),
        (Op::Start { container: "w1".into() }, |fake| fake.add("w1", Status::Created)),
        (switch(None, &[("w1", 1)]), |_| {}),
        (stop(), |fake| fake.add("old", Status::Running)),
        (remove(), |fake| fake.add("old", Status::Exited)),
    ];
    for (op, prepare) in ops {
        for fault in [None, Some(Fault::LoseBefore), Some(Fault::LoseAfter)] {
            let fake = Fake::new();
            prepare(&fake);
            let words = format!("{} with {fault:?}", op.words());
            // The first call takes the stack's lease, the second one begins the step.
            fake.state().fault = fault.map(|fault| (1, fault));
            let plan = chain(vec![op.clone()]);
            let done = first(&fake, &plan).await;
            assert!(matches!(done, Outcome::Applied | Outcome::AlreadyTrue), "{words}: {done:?}");
            assert!(fault.is_some() || done == Outcome::Applied, "{words}");
            assert_eq!(first(&fake, &plan).await, Outcome::AlreadyTrue, "{words}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_act_whose_answer_was_lost_is_looked_for_and_not_repeated() {
    let fake = Fake::new();
    fake.add("w1", Status::Created);
    // Lease, two looks, the start.
    fake.state().fault = Some((3, Fault::LoseAfter));
    let plan = chain(vec![Op::Start { container: "w1".into() }]);
    assert_eq!(first(&fake, &plan).await, Outcome::Applied);
    assert_eq!(fake.state().log.iter().filter(|call| *call == "start").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_container_is_made_once_and_made_ready_again_until_it_was_started() {
    let fake = Fake::new();
    let plan = chain(vec![Op::Create { replica: Arc::new(replica("w1")) }]);
    assert_eq!(first(&fake, &plan).await, Outcome::Applied);
    assert_eq!(first(&fake, &plan).await, Outcome::AlreadyTrue);
    assert_eq!(fake.state().log.iter().filter(|call| *call == "create").count(), 2);
    fake.add("w1", Status::Running);
    assert_eq!(first(&fake, &plan).await, Outcome::AlreadyTrue);
    assert_eq!(fake.state().log.iter().filter(|call| *call == "create").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn no_image_is_brought_to_a_disk_that_is_full() {
    let fake = Fake::new();
    let plan = chain(vec![Op::Pull { reference: "app:2".into(), digest: None, platform: None }]);
    fake.state().room = Some(Room { free: 9 << 20, total: 40 << 30 });
    insta::assert_snapshot!(failed(&fake.run(&plan).await), @"the disk of the engine on h1 is full: 9 of 40960 MiB are free; make room there, `docker system df` says what takes it");
    assert!(fake.state().things.is_empty());
    fake.state().room = Some(Room { free: 9 << 30, total: 40 << 30 });
    assert_eq!(first(&fake, &plan).await, Outcome::Applied);
}

#[tokio::test(start_paused = true)]
async fn another_container_of_that_name_supersedes_the_plan() {
    let fake = Fake::new();
    fake.add("w1", Status::Created);
    let mut replica = replica("w1");
    replica.identity.generation = 99;
    let plan = chain(vec![Op::Create { replica: Arc::new(replica) }]);
    let outcome = first(&fake, &plan).await;
    assert_eq!(outcome, Outcome::Superseded("another container is called w1 now".into()));
}

#[tokio::test(start_paused = true)]
async fn what_a_proxy_sends_to_is_neither_stopped_nor_removed() {
    for (op, status) in [(stop(), Status::Running), (remove(), Status::Exited)] {
        let fake = Fake::new();
        fake.add("old", status);
        fake.route(3, &[("old", 1)]);
        let outcome = first(&fake, &chain(vec![op])).await;
        let why = Outcome::Superseded("edge on h1 sends to old again".into());
        assert_eq!(outcome, why);
        assert_eq!(fake.status("old"), Some(status));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_stopped_while_a_proxy_cannot_say_what_it_uses() {
    let fake = Fake::new();
    fake.add("old", Status::Running);
    fake.state().refuses.insert("read", "permission denied".into());
    let told = fake.run(&chain(vec![stop()])).await;
    assert_eq!(failed(&told), "edge cannot say whether it uses it: permission denied");
    assert_eq!(fake.status("old"), Some(Status::Running));
}

#[tokio::test(start_paused = true)]
async fn another_container_under_the_old_name_is_left_alone() {
    let fake = Fake::new();
    fake.add("old", Status::Running);
    let other = |op| match op {
        Op::Stop { container, grace, .. } => {
            Op::Stop { container, id: Some("id-gone".into()), grace }
        }
        Op::Remove { container, .. } => Op::Remove { container, id: Some("id-gone".into()) },
        op => op,
    };
    for op in [stop(), remove()].map(other) {
        assert_eq!(first(&fake, &chain(vec![op])).await, Outcome::AlreadyTrue);
    }
    assert_eq!(fake.status("old"), Some(Status::Running));
}

#[tokio::test(start_paused = true)]
async fn servers_without_connections_are_forgotten_before_the_stop() {
    let fake = Fake::new();
    fake.add("old", Status::Running);
    let told = fake.run(&chain(vec![drain(30), stop()])).await;
    assert_eq!(told.report.outcomes, [Outcome::AlreadyTrue, Outcome::Applied]);
    let log = fake.state().log.clone();
    let at = |what: &str| log.iter().position(|call| call == what);
    assert!(at("forget") < at("stop"), "{log:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_left_at_the_drain_limit_is_told_and_forgotten_after_the_stop() {
    let fake = Fake::new();
    fake.add("old", Status::Running);
    fake.state().in_flight = 3;
    let began = tokio::time::Instant::now();
    let told = fake.run(&chain(vec![drain(30), stop()])).await;
    assert!(began.elapsed() >= Duration::from_secs(30));
    assert_eq!(told.report.outcomes, [Outcome::Applied, Outcome::Applied]);
    assert_eq!(told.warnings(), ["3 connections to old were cut after 30s"]);
    let log = fake.state().log.clone();
    let at = |what: &str| log.iter().position(|call| call == what);
    assert!(at("stop") < at("forget"), "{log:?}");
    assert!(fake.state().forgotten.contains("old"));
}

#[tokio::test(start_paused = true)]
async fn draining_ends_with_the_last_request() {
    let fake = Fake::new();
    fake.state().in_flight = 1;
    let last = async {
        tokio::time::sleep(Duration::from_secs(4)).await;
        fake.state().in_flight = 0;
    };
    let began = tokio::time::Instant::now();
    let plan = chain(vec![drain(30)]);
    let told = tokio::join!(fake.run(&plan), last).0;
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(told.report.outcomes, [Outcome::Applied]);
    assert!(told.warnings().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_replica_without_a_check_must_run_for_a_while() {
    let fake = Fake::new();
    fake.add("w1", Status::Running);
    let began = tokio::time::Instant::now();
    assert_eq!(first(&fake, &ready(readiness())).await, Outcome::Applied);
    assert!(began.elapsed() >= Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_ends_fails_at_once_with_its_last_words() {
    let fake = Fake::new();
    fake.add("w1", Status::Running);
    fake.state().output = (0..30).map(|line| format!("line {line}")).collect();
    fake.state().output.push("cannot log in with hunter2hunter2".into());
    let end = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let mut state = fake.state();
        let live = state.containers.get_mut("w1").expect("a container");
        live.state.status = Status::Exited;
        live.state.exit_code = 3;
    };
    let began = tokio::time::Instant::now();
    let plan = ready(asked());
    let told = tokio::join!(fake.run(&plan), end).0;
    assert!(began.elapsed() < Duration::from_secs(4));
    let why = failed(&told);
    assert!(why.starts_with("its process ended with 3\n  line 11\n"), "{why}");
    assert!(why.ends_with("\n  cannot log in with ***"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn secret_files_that_an_earlier_run_gave_it_are_covered_too() {
    let fake = Fake::new();
    fake.add("w1", Status::Exited);
    fake.state().output.push("cannot log in with of-an-earlier-run".into());
    let told = fake.run(&ready(asked())).await;
    let why = failed(&told);
    assert!(why.ends_with("\n  cannot log in with ***"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn what_another_commit_gave_it_is_unknown_and_so_nothing_is_quoted() {
    let fake = Fake::new();
    fake.add("w1", Status::Exited);
    fake.state().output.push("cannot log in with nobody-knows-this-one".into());
    let plan = Plan { commit: Some(CommitId::new("beef")), ..ready(asked()) };
    let told = fake.run(&plan).await;
    let why = failed(&told);
    assert_eq!(why, "its process ended with 0; `gitdeploy logs` shows its output");
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_is_restarted_while_it_is_watched_has_failed() {
    let fake = Fake::new();
    fake.add("w1", Status::Running);
    let restart = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        fake.state().containers.get_mut("w1").expect("a container").state.restarts = 1;
    };
    let plan = ready(readiness());
    let told = tokio::join!(fake.run(&plan), restart).0;
    assert_eq!(failed(&told), "its process ended and was started again");
}

#[tokio::test(start_paused = true)]
async fn a_check_that_never_says_healthy_is_quoted() {
    let fake = Fake::new();
    fake.add("w1", Status::Running);
    let health = Health::Unhealthy("connection\n  refused\n".into());
    fake.state().containers.get_mut("w1").expect("a container").state.health = Some(health);
    let told = fake.run(&ready(Readiness { has_check: true, ..readiness() })).await;
    let said = "it was not ready within 10s: its check says: connection refused";
    assert_eq!(failed(&told), said);
}

#[tokio::test(start_paused = true)]
async fn a_question_must_be_answered_twice_in_a_row() {
    let fake = Fake::new();
    fake.add("w1", Status::Running);
    let plan = ready(Readiness { stable_for: Nanos(0), ..asked() });
    assert_eq!(first(&fake, &plan).await, Outcome::Applied);
    assert_eq!(fake.state().log.iter().filter(|call| *call == "ask").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_does_not_answer_fails_with_what_came_instead() {
    let fake = Fake::new();
    fake.add("w1", Status::Running);
    fake.state().no_answer = Some("503 Service Unavailable".into());
    let told = fake.run(&ready(asked())).await;
    assert_eq!(failed(&told), "it was not ready within 10s: 503 Service Unavailable");
}

#[tokio::test(start_paused = true)]
async fn a_one_shot_container_must_end_well() {
    for (code, is_well) in [(0, true), (1, false)] {
        let fake = Fake::new();
        fake.add("job", Status::Exited);
        fake.state().containers.get_mut("job").expect("a container").state.exit_code = code;
        let op = Op::AwaitCompleted { container: "job".into(), within: Nanos(SECOND) };
        assert_eq!(first(&fake, &chain(vec![op])).await.unblocks(), is_well, "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_one_shot_container_may_take_only_so_long() {
    let fake = Fake::new();
    fake.add("job", Status::Running);
    let op = Op::AwaitCompleted { container: "job".into(), within: Nanos(60 * SECOND) };
    let told = fake.run(&chain(vec![op])).await;
    assert_eq!(failed(&told), "it has not ended within 1m");
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_fails_after_the_start_fails_the_step() {
    let fake = Fake::new();
    fake.add("w1", Status::Running);
    fake.state().hook_code = 2;
    let told = fake.run(&chain(vec![hook(HookMoment::PostStart)])).await;
    assert_eq!(failed(&told), "the command ended with 2:\nsaid ***");
}

#[tokio::test(start_paused = true)]
async fn a_hook_that_fails_before_the_stop_is_only_told() {
    let fake = Fake::new();
    fake.add("w1", Status::Running);
    fake.state().hook_code = 2;
    let told = fake.run(&chain(vec![hook(HookMoment::PreStop)])).await;
    assert_eq!(told.report.outcomes, [Outcome::Applied]);
    assert_eq!(told.warnings().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hook_whose_answer_was_lost_is_not_run_again() {
    let fake = Fake::new();
    fake.add("w1", Status::Running);
    // Lease, look, hook.
    fake.state().fault = Some((2, Fault::LoseAfter));
    let outcome = first(&fake, &chain(vec![hook(HookMoment::PostStart)])).await;
    assert_eq!(outcome, Outcome::Unknown("h1: closed".into()));
    assert_eq!(fake.state().log.iter().filter(|call| *call == "run_hook").count(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_cannot_be_reached_is_asked_three_times() {
    let error = crate::ports::PortError::Unreachable("no route".into());
    let count = std::cell::Cell::new(0);
    let call = || async {
        count.set(count.get() + 1);
        Err::<(), _>(error.clone())
    };
    assert_eq!(crate::exec::repeat::repeated(call).await, Err(error.clone()));
    assert_eq!(count.get(), 3);
}

/// What a run does that holds a lease of 60 s, and whose host says nothing for `silence` seconds from
/// its first call of `what` on.
async fn in_silence(what: &str, plan: &Plan, prepare: Prepare, silence: u64) -> (Fake, Outcome) {
    let whole = Fake::new();
    prepare(&whole);
    whole.run(plan).await;
    let fake = Fake::new();
    prepare(&fake);
    let until = tokio::time::Instant::now() + Duration::from_secs(silence);
    fake.state().silence = Some((whole.first(what), until));
    let outcome = fake.run(plan).await.report.outcomes.remove(0);
    (fake, outcome)
}

#[tokio::test(start_paused = true)]
async fn no_call_comes_through_after_the_lease_has_run_out() {
    let running: Prepare = |fake| fake.add("old", Status::Running);
    let ended: Prepare = |fake| fake.add("old", Status::Exited);
    let made: Prepare = |fake| fake.add("w1", Status::Created);
    let start = Op::Start { container: "w1".into() };
    let create = Op::Create { replica: Arc::new(replica("w1")) };
    let record = Op::Record { release: Release::default() };
    let cases: [(&str, Op, Prepare); 5] = [
        ("stop", stop(), running),
        ("remove", remove(), ended),
        ("start", start, made),
        ("create", create, |_| {}),
        ("record", record, |_| {}),
    ];
    for (what, op, prepare) in cases {
        let (fake, outcome) = in_silence(what, &chain(vec![op]), prepare, 600).await;
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert!(!fake.state().log.contains(&what.to_owned()), "{what}: {:?}", fake.state().log);
        let is_known = matches!(outcome, Outcome::Applied | Outcome::AlreadyTrue);
        assert!(!is_known, "{what}: {outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_waits_for_a_silent_host_as_long_as_the_lease_lasts() {
    let running: Prepare = |fake| fake.add("old", Status::Running);
    let (fake, outcome) = in_silence("stop", &chain(vec![stop()]), running, 50).await;
    assert_eq!(outcome, Outcome::Applied);
    assert_eq!(fake.status("old"), Some(Status::Exited));
}

/// A replica that becomes ready, and the switch to it.
async fn switched_when_ready() -> Fake {
    let fake = Fake::new();
    fake.route(7, &[("old", 1)]);
    fake.add("w1", Status::Running);
    let wait = Op::AwaitReady { container: "w1".into(), readiness: readiness() };
    let told = fake.run(&chain(vec![wait, switch(Some(&[("old", 1)]), &[("w1", 2)])])).await;
    assert_eq!(told.report.outcomes, [Outcome::Applied, Outcome::Applied]);
    fake
}

#[tokio::test(start_paused = true)]
async fn the_file_that_is_checked_ahead_is_the_one_that_is_put_in_place() {
    let fake = switched_when_ready().await;
    let state = fake.state();
    assert_eq!(state.ahead, state.tested);
    assert_eq!(state.ahead.first(), state.file.as_ref());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_checked_ahead_for_a_proxy_without_a_file() {
    let fake = Fake::new();
    fake.add("w1", Status::Running);
    let wait = Op::AwaitReady { container: "w1".into(), readiness: readiness() };
    fake.run(&chain(vec![wait, switch(None, &[("w1", 2)])])).await;
    let state = fake.state();
    assert_eq!((state.ahead.len(), state.tested.len()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_switch_does_not_wait_for_the_lease_of_the_one_before() {
    let fake = Fake::new();
    fake.route(7, &[("w1", 1)]);
    let (to, on) =
        (switch(Some(&[("w1", 1)]), &[("w2", 2)]), switch(Some(&[("w2", 2)]), &[("w3", 3)]));
    let told = fake.run(&chain(vec![to, on])).await;
    assert_eq!(told.report.outcomes, [Outcome::Applied, Outcome::Applied]);
    let waits = |event: &Event| matches!(event, Event::Progress { message, .. } if message.starts_with("waits for"));
    assert!(!told.events.iter().any(waits), "{:?}", told.events);
    assert!(fake.state().leases.is_empty(), "given back");
}
