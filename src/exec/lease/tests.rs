use super::hold::BELIEVED;
use super::*;
use crate::exec::fixture::{Fake, options, plan, step};
use crate::model::{Nanos, Op};

fn two_stacks() -> Plan {
    let pause = || Op::Pause { time: Nanos(1) };
    plan(vec![step("a", pause(), &[]), step("b", pause(), &[]), step("a", pause(), &[])])
}

#[tokio::test(start_paused = true)]
async fn every_stack_with_steps_is_held_once() {
    let fake = Fake::new();
    let guard = fake.guard(&two_stacks(), "me").await.unwrap();
    assert_eq!(fake.state().leases.len(), 2);
    guard.release().await;
    assert!(fake.state().leases.is_empty());
}

#[tokio::test(start_paused = true)]
async fn who_comes_second_is_told_who_is_at_work_and_holds_nothing() {
    let fake = Fake::new();
    let only_b = plan(vec![step("b", Op::Pause { time: Nanos(1) }, &[])]);
    let first = fake.guard(&only_b, "anna@laptop").await.unwrap();
    let refused = fake.guard(&two_stacks(), "me").await.err().expect("a refusal");
    insta::assert_snapshot!(refused, @"b of production is held by anna@laptop for c0ffee");
    assert_eq!(fake.state().leases.len(), 1);
    first.release().await;
}

#[tokio::test(start_paused = true)]
async fn the_lease_of_a_process_that_died_runs_out() {
    let fake = Fake::new();
    drop(fake.guard(&two_stacks(), "dead").await.unwrap());
    assert!(fake.guard(&two_stacks(), "me").await.is_err());
    tokio::time::sleep(Duration::from_secs(61)).await;
    fake.guard(&two_stacks(), "me").await.unwrap().release().await;
}

#[tokio::test(start_paused = true)]
async fn a_lease_whose_answer_was_lost_is_known_as_ours() {
    use crate::exec::fixture::Fault;
    for fault in [Fault::LoseBefore, Fault::LoseAfter] {
        let fake = Fake::new();
        fake.state().fault = Some((0, fault));
        fake.guard(&two_stacks(), "me").await.unwrap().release().await;
        assert!(fake.state().leases.is_empty(), "{fault:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_renewal_that_is_not_answered_once_loses_nothing() {
    use crate::exec::fixture::Fault;
    let fake = Fake::new();
    let guard = fake.guard(&two_stacks(), "me").await.unwrap();
    let calls = fake.state().calls;
    fake.state().fault = Some((calls, Fault::LoseBefore));
    let lost = tokio::time::timeout(Duration::from_secs(600), guard.lost()).await;
    assert!(lost.is_err());
    guard.release().await;
}

#[tokio::test(start_paused = true)]
async fn who_may_wait_takes_over_when_the_other_one_is_done() {
    let fake = Fake::new();
    let first = fake.guard(&two_stacks(), "anna@laptop").await.unwrap();
    let (plan, ports) = (two_stacks(), fake.ports());
    let patient = Options { lease_wait: Duration::from_secs(300), ..options("me") };
    let leave = async {
        sleep(Duration::from_secs(90)).await;
        first.release().await;
    };
    let (second, ()) = tokio::join!(Guard::take(&plan, &ports, &patient), leave);
    second.unwrap().release().await;
    assert!(fake.state().leases.is_empty());
}

fn stack(name: &str) -> StackName {
    crate::exec::fixture::name(name)
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_taken_away_is_missed_a_second_later() {
    let fake = Fake::new();
    let guard = fake.guard(&two_stacks(), "me").await.unwrap();
    let host = crate::exec::fixture::name("h1");
    fake.state()
        .leases
        .retain(|key, _| !matches!(key, LeaseKey::Stack(_, name) if *name == stack("a")));
    sleep(BELIEVED).await;
    let why = guard.confirm(&host, &stack("a")).await.unwrap_err();
    insta::assert_snapshot!(why, @"the lease of a of production on h1: it is not ours any more");
    assert_eq!(guard.loss(), Some(why));
    assert_eq!(guard.confirm(&host, &stack("b")).await, Ok(()));
    guard.release().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_never_taken_is_not_held() {
    let fake = Fake::new();
    let guard = fake.guard(&two_stacks(), "me").await.unwrap();
    let host = crate::exec::fixture::name("h1");
    assert!(guard.confirm(&host, &stack("c")).await.is_err());
    guard.release().await;
}

#[tokio::test(start_paused = true)]
async fn silence_when_a_lease_is_asked_for_is_no_loss() {
    use crate::exec::fixture::Fault;
    let fake = Fake::new();
    let guard = fake.guard(&two_stacks(), "me").await.unwrap();
    sleep(BELIEVED).await;
    let calls = fake.state().calls;
    fake.state().fault = Some((calls, Fault::LoseBefore));
    let host = crate::exec::fixture::name("h1");
    assert_eq!(guard.confirm(&host, &stack("a")).await, Ok(()));
    guard.release().await;
}

#[tokio::test(start_paused = true)]
async fn a_plan_that_needs_more_takes_what_is_missing_and_says_so() {
    let fake = Fake::new();
    let (both, ports, options) = (two_stacks(), fake.ports(), options("me"));
    let only_b = plan(vec![step("b", Op::Pause { time: Nanos(1) }, &[])]);
    let mut guard = fake.guard(&only_b, "me").await.unwrap();
    assert!(guard.extend(&both, &ports, &options).await.unwrap());
    assert!(!guard.extend(&both, &ports, &options).await.unwrap());
    assert_eq!(fake.state().leases.len(), 2);
    guard.release().await;
    assert!(fake.state().leases.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_nobody_answers_for_is_lost_when_its_time_is_over() {
    let fake = Fake::new();
    let began = Instant::now();
    let guard = fake.guard(&two_stacks(), "me").await.unwrap();
    fake.state().silence = Some((0, began + Duration::from_secs(1_000)));
    guard.lost().await;
    assert_eq!(began.elapsed().as_secs(), 60);
    let host = crate::exec::fixture::name("h1");
    let why = guard.confirm(&host, &stack("a")).await.unwrap_err();
    insta::assert_snapshot!(why, @"the lease of a of production on h1: no answer came within 5s");
    let why = guard.run_out(&host, &stack("a")).await;
    insta::assert_snapshot!(why, @"the lease of a of production ran out: h1 did not answer for 60s");
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_was_taken_away_lets_what_has_begun_go_on() {
    let fake = Fake::new();
    let guard = fake.guard(&two_stacks(), "me").await.unwrap();
    fake.state().leases.clear();
    guard.lost().await;
    let host = crate::exec::fixture::name("h1");
    let (of_a, long) = (stack("a"), Duration::from_secs(600));
    assert!(tokio::time::timeout(long, guard.run_out(&host, &of_a)).await.is_err());
}
