//! Killed after every effect; every answer lost once; every call made twice. Not sampled: all.

use std::collections::BTreeSet;

use gitdeploy::model::{CommitId, Verdict};
use gitdeploy::sim::{Answer, Fault, Moment};

use super::rounds::{Round, deployed, no_earlier, round, settle};
use super::scenario::{Scenario, all};

/// Rounds after which everything must be as wanted, whatever happened in the first one.
const ROUNDS: usize = 4;

/// A run that is killed leaves one of the worlds that there were while it ran, and nothing else. So
/// one run shows them all.
#[tokio::test(start_paused = true)]
async fn killed_anywhere_the_next_runs_end_it_and_nothing_is_lost() {
    for scenario in all() {
        let inventory = scenario.inventory();
        let wish = scenario.later(&inventory);
        let world = deployed(&scenario, &inventory).await;
        world.keep_all();
        let earlier = |_: &CommitId| Ok(scenario.earlier(&inventory));
        round(&world.run(Fault::None), &inventory, &wish, &earlier).await;
        for left in world.kept() {
            let world = left.thaw();
            settle(&world, &inventory, &scenario.goal(&inventory), ROUNDS).await;
            let log = world.log().join("\n");
            assert_eq!(world.violations(), [], "{}:\n{log}", scenario.name);
        }
    }
}

/// What the test above relies on.
#[tokio::test(start_paused = true)]
async fn a_killed_run_leaves_a_world_that_was_kept() {
    for scenario in [&all()[1], &all()[7]] {
        let inventory = scenario.inventory();
        let wish = scenario.later(&inventory);
        let before = deployed(scenario, &inventory).await.freeze();
        let world = before.thaw();
        world.keep_all();
        let run = world.run(Fault::None);
        round(&run, &inventory, &wish, &no_earlier).await;
        let kept: BTreeSet<String> = world.kept().iter().map(|it| it.thaw().shape()).collect();
        for at in (1..run.calls()).step_by(9) {
            for moment in [Moment::Before, Moment::After] {
                let world = before.thaw();
                let run = world.run(Fault::Kill(at, moment));
                let ended = round(&run, &inventory, &wish, &no_earlier).await;
                assert!(matches!(ended, Round::Killed), "{}, {at}: {ended:?}", scenario.name);
                let shape = world.shape();
                assert!(kept.contains(&shape), "{}, {moment:?} {at}:\n{shape}", scenario.name);
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_lost_anywhere_loses_no_request() {
    lost(0).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_lost_anywhere_in_the_other_scenarios_loses_no_request() {
    lost(1).await;
}

/// Every second scenario, so that two threads share them.
async fn lost(first: usize) {
    for scenario in all().iter().skip(first).step_by(2) {
        let inventory = scenario.inventory();
        let wish = scenario.later(&inventory);
        let before = deployed(scenario, &inventory).await.freeze();
        let run = before.thaw().run(Fault::None);
        let earlier = |_: &CommitId| Ok(scenario.earlier(&inventory));
        round(&run, &inventory, &wish, &earlier).await;
        let mut settled = BTreeSet::new();
        for at in 0..run.calls() {
            for moment in [Moment::Before, Moment::After] {
                one_lost(scenario, &before.thaw(), Fault::Lose(at, moment), &mut settled).await;
            }
        }
    }
}

async fn one_lost(
    scenario: &Scenario,
    world: &gitdeploy::sim::World,
    fault: Fault,
    settled: &mut BTreeSet<String>,
) {
    let inventory = scenario.inventory();
    let wish = scenario.later(&inventory);
    let earlier = |_: &CommitId| Ok(scenario.earlier(&inventory));
    let ended = round(&world.run(fault), &inventory, &wish, &earlier).await;
    if matches!(ended, Round::Ended(Verdict::Done)) && !scenario.is_bad {
        // What was done is done, and nothing is left over.
        settle(world, &inventory, &wish, 0).await;
    }
    if settled.insert(world.shape()) {
        settle(world, &inventory, &scenario.goal(&inventory), ROUNDS).await;
    }
    let log = world.log().join("\n");
    assert_eq!(world.violations(), [], "{}, {fault:?}:\n{log}", scenario.name);
}

#[tokio::test(start_paused = true)]
async fn calls_that_arrive_twice_do_what_they_do_once() {
    doubled(Answer::First).await;
}

/// As where a connection ends under an answer, and whoever carries the call makes it again.
#[tokio::test(start_paused = true)]
async fn calls_that_are_made_again_are_answered_as_the_first_time() {
    doubled(Answer::Last).await;
}

async fn doubled(answer: Answer) {
    for scenario in all() {
        let inventory = scenario.inventory();
        let wish = scenario.later(&inventory);
        let world = deployed(&scenario, &inventory).await;
        let earlier = |_: &CommitId| Ok(scenario.earlier(&inventory));
        let ended = round(&world.run(Fault::Repeat(answer)), &inventory, &wish, &earlier).await;
        let verdict = if scenario.is_bad { Verdict::RolledBack } else { Verdict::Done };
        let is_done = matches!(&ended, Round::Ended(it) if *it == verdict);
        assert!(is_done, "{}: {ended:?}", scenario.name);
        settle(&world, &inventory, &scenario.goal(&inventory), 0).await;
        assert_eq!(world.violations(), [], "{}", scenario.name);
    }
}
