//! Rounds of a run: plan, apply, and what became of it.

use std::time::Duration;

use gitdeploy::exec::{Options, Stop};
use gitdeploy::model::{CommitId, Plan, Verdict};
use gitdeploy::pipeline::{Answers, ApplyError, Fleet, Orders, PlanError, Wish};
use gitdeploy::planner::Scope;
use gitdeploy::settings::Inventory;
use gitdeploy::sim::{Fault, Run, World};
use tokio::sync::{mpsc, watch};

use super::commit::owner;
use super::scenario::{Scenario, edge, one_host, rolling, web, world};

/// How a round ended.
#[derive(Debug)]
pub(crate) enum Round {
    /// It came to a verdict.
    Ended(Verdict),
    /// There was nothing to do.
    Nothing,
    /// Its run was killed.
    Killed,
    /// Its run did not end.
    Hangs,
    /// There was no plan, or it was not begun.
    #[expect(dead_code, reason = "it is printed when a test fails")]
    NotBegun(String),
}

/// Plans and applies once. `earlier` is what the commit before wanted.
pub(crate) async fn round(
    run: &Run,
    inventory: &Inventory,
    wish: &Wish,
    earlier: &dyn Fn(&CommitId) -> Result<Wish, String>,
) -> Round {
    round_of(run, inventory, wish, &Scope::default(), earlier).await
}

/// The same for a part of what there is.
pub(crate) async fn round_of(
    run: &Run,
    inventory: &Inventory,
    wish: &Wish,
    scope: &Scope,
    earlier: &dyn Fn(&CommitId) -> Result<Wish, String>,
) -> Round {
    round_with(run, inventory, wish, scope, earlier, &Manner::default()).await
}

/// How a person goes about it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Manner {
    /// How long they look at the plan before they agree.
    pub(crate) thinks: Duration,
    /// When they press Ctrl-C, once or twice.
    pub(crate) stops: Option<(Duration, Stop)>,
}

/// The same, as somebody goes about it.
pub(crate) async fn round_with(
    run: &Run,
    inventory: &Inventory,
    wish: &Wish,
    scope: &Scope,
    earlier: &dyn Fn(&CommitId) -> Result<Wish, String>,
    manner: &Manner,
) -> Round {
    let fleet = Fleet {
        owner: owner(),
        inventory,
        ports: run.ports(),
        absent: std::collections::BTreeMap::new(),
        answers: Answers::default(),
    };
    run.world().expect(&wish.desired);
    let earlier = |commit: &CommitId| {
        let wish = earlier(commit)?;
        run.world().expect(&wish.desired);
        Ok(wish)
    };
    let (events, mut received) = mpsc::unbounded_channel();
    let (stopper, stop) = watch::channel(Stop::None);
    let work = async {
        let planned = match fleet.plan(wish, scope).await {
            Ok(planned) => planned,
            Err(error) => return Round::NotBegun(words(&error)),
        };
        if planned.plan.is_empty() {
            return Round::Nothing;
        }
        run.hear(&format!("{:?}", planned.plan));
        tokio::time::sleep(manner.thinks).await;
        let options = Options {
            keep_failed: false,
            per_host: 8,
            holder: format!("run {}", run.number()),
            purpose: "test".into(),
            lease: Duration::from_secs(30),
            lease_wait: Duration::from_secs(60),
        };
        let stop = stop.clone();
        let orders = Orders { scope, options: &options, events: &events, stop, earlier: &earlier };
        match fleet.apply(wish, &planned.plan, &orders).await {
            Ok(verdict) => Round::Ended(verdict),
            Err(ApplyError::Stale(facts)) => Round::NotBegun(format!("stale: {facts:?}")),
            Err(ApplyError::Locked(lease)) => Round::NotBegun(format!("locked: {lease:?}")),
            Err(ApplyError::Lease(error)) => Round::NotBegun(error.to_string()),
            Err(ApplyError::Plan(error)) => Round::NotBegun(words(&error)),
        }
    };
    let interrupt = async {
        if let Some((after, rung)) = &manner.stops {
            tokio::time::sleep(*after).await;
            stopper.send_replace(*rung);
        }
        std::future::pending::<Round>().await
    };
    let round = tokio::select! {
        biased;
        () = run.killed() => Round::Killed,
        round = work => round,
        round = interrupt => round,
        () = tokio::time::sleep(PATIENCE) => Round::Hangs,
    };
    while let Ok(event) = received.try_recv() {
        run.hear(&format!("{event:?}"));
    }
    round
}

/// The longest that a run may take, whatever happens to it.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

/// What is left to do.
pub(crate) async fn left(world: &World, inventory: &Inventory, wish: &Wish) -> Plan {
    let run = world.run(Fault::None);
    let fleet = Fleet {
        owner: owner(),
        inventory,
        ports: run.ports(),
        absent: std::collections::BTreeMap::new(),
        answers: Answers::default(),
    };
    match fleet.plan(wish, &Scope::default()).await {
        Ok(planned) => planned.plan,
        Err(error) => panic!("{}", words(&error)),
    }
}

/// Nobody knows an earlier commit.
pub(crate) fn no_earlier(_commit: &CommitId) -> Result<Wish, String> {
    Err("is not known".into())
}

/// Rounds until nothing is left to do; at most `most`.
pub(crate) async fn settle(world: &World, inventory: &Inventory, wish: &Wish, most: usize) {
    let mut rounds = Vec::new();
    for _ in 0..=most {
        match round(&world.run(Fault::None), inventory, wish, &no_earlier).await {
            Round::Nothing => return world.settled(&wish.desired),
            round => rounds.push(round),
        }
    }
    let plan = left(world, inventory, wish).await;
    let (steps, log) = (steps(&plan), world.log().join("\n"));
    panic!("not settled after {most} rounds ({rounds:?}): {steps}\n{log}");
}

/// The steps of a plan, one a line.
pub(crate) fn steps(plan: &Plan) -> String {
    let line = |step: &gitdeploy::model::Step| {
        let needs: Vec<usize> = step.needs.iter().map(|id| id.0).collect();
        format!("\n{needs:?} -> #{} {} ({})", step.id.0, step.op.words(), step.cause)
    };
    plan.steps.iter().map(line).collect()
}

fn words(error: &PlanError) -> String {
    gitdeploy::pipeline::words(error)
}

/// The world before a scenario's change.
pub(crate) async fn deployed(scenario: &Scenario, inventory: &Inventory) -> World {
    let world = world(inventory);
    for backend in scenario.away {
        world.allow_downtime(backend);
    }
    if !scenario.before.is_empty() {
        settle(&world, inventory, &scenario.earlier(inventory), 2).await;
    }
    if let Some(detour) = &scenario.detour {
        let between = super::commit::wish(&"9".repeat(40), inventory, detour);
        settle(&world, inventory, &between, 2).await;
    }
    if let Some(damage) = scenario.damage {
        damage(&world);
    }
    world
}

#[tokio::test(start_paused = true)]
async fn every_scenario_ends_in_one_round_and_breaks_nothing() {
    for scenario in super::scenario::all() {
        let inventory = scenario.inventory();
        let world = deployed(&scenario, &inventory).await;
        let wish = scenario.later(&inventory);
        let plan = left(&world, &inventory, &wish).await;
        let earlier = |_: &CommitId| Ok(scenario.earlier(&inventory));
        let ended = round(&world.run(Fault::None), &inventory, &wish, &earlier).await;
        let verdict = if scenario.is_bad { Verdict::RolledBack } else { Verdict::Done };
        assert!(
            matches!(&ended, Round::Ended(it) if *it == verdict),
            "{}: {ended:?}{}\n{}",
            scenario.name,
            steps(&plan),
            world.log().join("\n")
        );
        let left = left(&world, &inventory, &scenario.goal(&inventory)).await;
        assert!(left.is_empty(), "{}: left{}", scenario.name, steps(&left));
        let log = world.log().join("\n");
        assert_eq!(world.violations(), [], "{}:{}\n{log}", scenario.name, steps(&plan));
    }
}

#[tokio::test(start_paused = true)]
async fn a_release_that_never_gets_ready_is_taken_back() {
    let inventory = one_host();
    let shop = |text: String| vec![("shop", text)];
    for after in [web("bad:1", 2, &["edge"], ""), rolling("bad:1", 2, 1)] {
        let before = shop(web("app:1", 2, &["edge"], ""));
        let scenario = Scenario::new("bad release", before, shop(after));
        let world = deployed(&scenario, &inventory).await;
        let before = world.with_proxy(&edge(), |proxy| proxy.running.backends.clone());
        let earlier = |_: &CommitId| Ok(scenario.earlier(&inventory));
        let later = scenario.later(&inventory);
        let ended = round(&world.run(Fault::None), &inventory, &later, &earlier).await;
        assert!(matches!(ended, Round::Ended(Verdict::RolledBack)), "{ended:?}");
        assert_eq!(world.with_proxy(&edge(), |proxy| proxy.running.backends.clone()), before);
        assert!(left(&world, &inventory, &scenario.earlier(&inventory)).await.is_empty());
        assert_eq!(world.violations(), []);
    }
}

#[tokio::test(start_paused = true)]
async fn a_proxy_that_rejects_the_new_file_leaves_everything_as_it_was() {
    let inventory = one_host();
    let scenario = &super::scenario::all()[1];
    let world = deployed(scenario, &inventory).await;
    let before = world.with_proxy(&edge(), |proxy| {
        proxy.rejects = true;
        (proxy.file.clone(), proxy.running.clone())
    });
    let earlier = |_: &CommitId| Ok(scenario.earlier(&inventory));
    let later = scenario.later(&inventory);
    let ended = round(&world.run(Fault::None), &inventory, &later, &earlier).await;
    assert!(matches!(ended, Round::Ended(Verdict::RolledBack)), "{ended:?}");
    let after = world.with_proxy(&edge(), |proxy| (proxy.file.clone(), proxy.running.clone()));
    assert_eq!(after, before);
    assert_eq!(world.violations(), []);
}
