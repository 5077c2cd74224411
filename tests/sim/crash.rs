//! Killed at every call, before and after its effect; every answer lost once. Not sampled: all.

use gitdeploy::sim::{Fault, Moment};

use super::rounds::{Round, no_earlier, prepared, round, settle};
use super::scenario::{all, one_host};

/// Rounds after which everything must be as wanted, whatever happened in the first one.
const ROUNDS: usize = 4;

#[tokio::test(start_paused = true)]
async fn killed_anywhere_the_next_runs_end_it_and_nothing_is_lost() {
    let inventory = one_host();
    for scenario in all() {
        let wish = scenario.later(&inventory);
        let calls = {
            let world = prepared(&scenario, &inventory).await;
            let run = world.run(Fault::None);
            round(&run, &inventory, &wish, &no_earlier).await;
            run.calls()
        };
        for at in 0..calls {
            for moment in [Moment::Before, Moment::After] {
                let world = prepared(&scenario, &inventory).await;
                let run = world.run(Fault::Kill(at, moment));
                let ended = round(&run, &inventory, &wish, &no_earlier).await;
                assert!(matches!(ended, Round::Killed), "{}, call {at}: {ended:?}", scenario.name);
                settle(&world, &inventory, &wish, ROUNDS).await;
                assert_eq!(
                    world.violations(),
                    [],
                    "{}, killed {moment:?} call {at}:\n{}",
                    scenario.name,
                    world.log().join("\n")
                );
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_lost_anywhere_loses_no_request() {
    let inventory = one_host();
    for scenario in all() {
        let wish = scenario.later(&inventory);
        let calls = {
            let world = prepared(&scenario, &inventory).await;
            let run = world.run(Fault::None);
            round(&run, &inventory, &wish, &no_earlier).await;
            run.calls()
        };
        let earlier = |_: &gitdeploy::model::CommitId| Ok(scenario.earlier(&inventory));
        for at in 0..calls {
            for moment in [Moment::Before, Moment::After] {
                let world = prepared(&scenario, &inventory).await;
                let run = world.run(Fault::Lose(at, moment));
                round(&run, &inventory, &wish, &earlier).await;
                settle(&world, &inventory, &wish, ROUNDS).await;
                assert_eq!(
                    world.violations(),
                    [],
                    "{}, lost {moment:?} call {at}:\n{}",
                    scenario.name,
                    world.log().join("\n")
                );
            }
        }
    }
}
