//! Daemons: killed at every call and followed by one that knows nothing, with every answer lost, two
//! at a time, with new commits in the middle; and idle when there is nothing to do.
//!
//! It is the real loop over a real repository. A daemon that is killed leaves one of the worlds that
//! there were while it worked and nothing else, so one life shows them all.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use gitdeploy::daemon::Store;
use gitdeploy::model::{CommitId, HostName};
use gitdeploy::sim::{Fault, Moment, World};
use gitdeploy::sync::{Mode, OrderKind, Refusal, RoundEnd, Source, StackRules, Trigger};
use tokio::task::LocalSet;

use super::commit::name;
use super::process::{LOOK, Process, is_given_up, is_look, is_synced, source};
use super::repository::Repository;
use super::rounds::{left, settle, steps};
use super::scenario::{Scenario, all, web, world};

/// So many times must a daemon have looked that is said to be idle.
const IDLE: u64 = 3;

/// Seconds after which a lease of somebody dead has expired.
const EXPIRED: u64 = 35;

/// A scenario with its commits in a repository.
struct Case {
    scenario: Scenario,
    repository: Repository,
    before: CommitId,
    after: CommitId,
}

impl Case {
    /// The commit that is wanted then is the newest one.
    fn new(scenario: Scenario) -> Self {
        let repository = Repository::new(scenario.fleet);
        let before = repository.commit("before", &scenario.before);
        let after = match scenario.damage {
            None => repository.commit("after", &scenario.after),
            Some(_) => before.clone(),
        };
        repository.push(&after);
        Self { scenario, repository, before, after }
    }

    fn named(name: &str) -> Self {
        Self::new(all().into_iter().find(|it| it.name == name).expect("a scenario"))
    }

    /// Two replicas of one image that become two of another one.
    fn start_first() -> Self {
        Self::named("start-first")
    }

    /// The same, and the new ones never get ready.
    fn bad() -> Self {
        let shop = |image| vec![("shop", web(image, 2, &["edge"], ""))];
        let scenario = Scenario::new("bad", shop("app:1"), shop("bad:1"));
        Self::new(Scenario { is_bad: true, ..scenario })
    }

    /// What shall be in the end.
    fn goal(&self) -> &CommitId {
        if self.scenario.is_bad { &self.before } else { &self.after }
    }

    /// One more commit of the stack `shop`.
    fn push(&self, world: &World, summary: &str, shop: String) -> CommitId {
        let commit = self.repository.commit(summary, &[("shop", shop)]);
        world.expect(&self.repository.wish(&commit).desired);
        self.repository.push(&commit);
        commit
    }

    /// The world in which the commit before runs.
    async fn deployed(&self) -> World {
        let inventory = self.scenario.inventory();
        let world = world(&inventory);
        for backend in self.scenario.away {
            world.allow_downtime(backend);
        }
        if !self.scenario.before.is_empty() {
            settle(&world, &inventory, &self.repository.wish(&self.before), 2).await;
        }
        world.expect(&self.repository.wish(&self.after).desired);
        if let Some(damage) = self.scenario.damage {
            damage(&world);
        }
        world
    }

    /// A daemon from nothing.
    fn start(&self, world: &World, fault: Fault) -> Process {
        Process::start(&world.run(fault), source(&self.repository))
    }

    /// A daemon that finds what an earlier one has left in a file.
    fn start_after(&self, world: &World, file: &Path) -> Process {
        let store = Store::at(file.to_owned());
        Process::start_with(&world.run(Fault::None), source(&self.repository), store)
    }

    fn start_as(&self, world: &World, every: StackRules) -> Process {
        let source = Source { every, ..source(&self.repository) };
        Process::start(&world.run(Fault::None), source)
    }

    /// The daemon brings it to the goal, and starts nothing more.
    async fn is_brought_about(&self, world: &World, daemon: &mut Process) {
        let name = self.scenario.name;
        let is_quiet = daemon.quiet(&self.after).await;
        assert!(is_quiet, "{name}: {:#?}\n{}", daemon.view(), world.log().join("\n"));
        self.is_left_alone(world, daemon).await;
        self.is_done(world).await;
    }

    /// The daemon looks, and does nothing.
    async fn is_left_alone(&self, world: &World, daemon: &Process) {
        let (began, done) = (daemon.began(), world.log().len());
        tokio::time::sleep(Duration::from_secs(IDLE * LOOK)).await;
        let log = world.log();
        let more: Vec<&String> = log[done..].iter().filter(|line| !is_look(line)).collect();
        let (name, view) = (self.scenario.name, daemon.view());
        assert!(daemon.began() == began && more.is_empty(), "{name}: {more:#?} {view:#?}");
    }

    /// All is as it shall be in the end, and nothing was broken.
    async fn is_done(&self, world: &World) {
        let (name, inventory) = (self.scenario.name, self.scenario.inventory());
        let plan = left(world, &inventory, &self.repository.wish(self.goal())).await;
        assert!(plan.is_empty(), "{name}: left{}\n{}", steps(&plan), world.log().join("\n"));
        assert_eq!(world.violations(), [], "{name}:\n{}", world.log().join("\n"));
    }
}

/// Plays a test in simulated time.
fn played(test: impl AsyncFnOnce()) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().expect("a runtime");
    LocalSet::new().block_on(&runtime, test());
}

fn local() -> HostName {
    name("local").into()
}

/// The name of the first replica.
fn first_replica(world: &World) -> String {
    world.with_host(&local(), |host| host.containers.keys().next().cloned().expect("a replica"))
}

/// Every third scenario. A rollback by command is no matter of a daemon.
async fn killed_anywhere(first: usize) {
    let all = all().into_iter().filter(|it| it.detour.is_none());
    for (nth, scenario) in all.enumerate().skip(first).step_by(3) {
        let case = Case::new(scenario);
        let world = case.deployed().await;
        world.keep_all();
        let mut daemon = case.start(&world, Fault::None);
        case.is_brought_about(&world, &mut daemon).await;
        daemon.kill().await;
        for left in world.kept() {
            let world = left.thaw();
            // Some of those who follow find the leases of the dead one, and wait until they expire.
            if nth % 5 > 0 {
                tokio::time::sleep(Duration::from_secs(EXPIRED)).await;
            }
            let mut daemon = case.start(&world, Fault::None);
            case.is_brought_about(&world, &mut daemon).await;
        }
    }
}

#[test]
fn a_daemon_that_is_killed_anywhere_is_followed_by_one_that_ends_it() {
    played(async || killed_anywhere(0).await);
}

#[test]
fn a_daemon_that_is_killed_in_other_scenarios_is_followed_by_one_that_ends_it() {
    played(async || killed_anywhere(1).await);
}

#[test]
fn a_daemon_that_is_killed_in_the_last_scenarios_is_followed_by_one_that_ends_it() {
    played(async || killed_anywhere(2).await);
}

/// What the tests above rely on.
#[test]
fn a_killed_daemon_leaves_a_world_that_was_kept() {
    played(async || {
        let case = Case::start_first();
        let before = case.deployed().await.freeze();
        let world = before.thaw();
        world.keep_all();
        let run = world.run(Fault::None);
        let mut daemon = Process::start(&run, source(&case.repository));
        assert!(daemon.quiet(&case.after).await);
        let kept: BTreeSet<String> = world.kept().iter().map(|it| it.thaw().shape()).collect();
        for at in (0..run.calls()).step_by(11) {
            for moment in [Moment::Before, Moment::After] {
                let world = before.thaw();
                let mut daemon = case.start(&world, Fault::Kill(at, moment));
                assert!(daemon.ended().await);
                assert!(kept.contains(&world.shape()), "{moment:?} {at}:\n{}", world.shape());
            }
        }
    });
}

#[test]
fn an_answer_lost_anywhere_is_made_good_by_the_daemon_itself() {
    played(async || {
        for scenario in ["start-first", "drift of a container"] {
            let case = Case::named(scenario);
            let before = case.deployed().await.freeze();
            let run = before.thaw().run(Fault::None);
            let mut daemon = Process::start(&run, source(&case.repository));
            assert!(daemon.quiet(&case.after).await);
            for at in 0..run.calls() {
                for moment in [Moment::Before, Moment::After] {
                    let world = before.thaw();
                    let mut daemon = case.start(&world, Fault::Lose(at, moment));
                    assert!(daemon.quiet(&case.after).await, "{moment:?} {at}");
                    if daemon.shop().is_some_and(|it| is_given_up(&it)) {
                        // It was taken back; whoever reads why has it tried again.
                        let again = daemon.order(OrderKind::Sync(name("shop").into())).await;
                        assert_eq!(again, Ok(()));
                    }
                    case.is_brought_about(&world, &mut daemon).await;
                }
            }
        }
    });
}

#[test]
fn of_two_daemons_one_goes_on_wherever_the_other_is_killed() {
    played(async || {
        let case = Case::start_first();
        let before = case.deployed().await.freeze();
        let run = before.thaw().run(Fault::None);
        let mut daemon = Process::start(&run, source(&case.repository));
        assert!(daemon.quiet(&case.after).await);
        for at in (0..run.calls()).step_by(5) {
            for moment in [Moment::Before, Moment::After] {
                let world = before.thaw();
                let _killed = case.start(&world, Fault::Kill(at, moment));
                let mut other = case.start(&world, Fault::None);
                case.is_brought_about(&world, &mut other).await;
            }
        }
    });
}

#[test]
fn of_two_daemons_that_live_one_does_it_and_both_know() {
    played(async || {
        let case = Case::start_first();
        let world = case.deployed().await;
        let mut both = [case.start(&world, Fault::None), case.start(&world, Fault::None)];
        for daemon in &mut both {
            assert!(daemon.synced(&case.after).await, "{:#?}", daemon.view());
        }
        for daemon in &both {
            case.is_left_alone(&world, daemon).await;
        }
        case.is_done(&world).await;
        let ends = both.iter().filter_map(Process::shop).flat_map(|it| it.history);
        let done = ends.filter(|round| round.end == Some(RoundEnd::Synced) && round.of > 0);
        assert_eq!(done.count(), 1);
    });
}

#[test]
fn a_new_commit_in_the_middle_of_a_round_is_what_comes_out() {
    played(async || {
        let case = Case::start_first();
        let before = case.deployed().await.freeze();
        for after in (0..9_000).step_by(450) {
            case.repository.push(&case.after);
            let world = before.thaw();
            let mut daemon = case.start(&world, Fault::None);
            tokio::time::sleep(Duration::from_millis(after)).await;
            let third = case.push(&world, "third", web("app:1", 3, &["edge"], ""));
            drop(daemon.order(OrderKind::Fetch).await);
            assert!(daemon.synced(&third).await, "after {after} ms: {:#?}", daemon.view());
            case.is_left_alone(&world, &daemon).await;
            assert_eq!(world.violations(), [], "after {after} ms:\n{}", world.log().join("\n"));
        }
    });
}

#[test]
fn what_breaks_again_and_again_is_healed_within_its_budget_and_then_left() {
    played(async || {
        let case = Case::named("first deployment");
        let world = case.deployed().await;
        let mut daemon = case.start(&world, Fault::None);
        assert!(daemon.synced(&case.after).await);
        let (began, since) = (daemon.began(), world.now());
        while world.now() < since + 590_000 {
            world.crash(&local(), &first_replica(&world));
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
        assert_eq!(daemon.began() - began, 5);
        let reason = daemon.shop().and_then(|it| it.waiting).expect("it waits").reason;
        assert!(reason.contains("something keeps breaking it"), "{reason}");
        // Nothing breaks it any more: it is healed once more when the budget allows it.
        case.is_brought_about(&world, &mut daemon).await;
        let triggers = daemon.shop().expect("a stack").history;
        assert_eq!(triggers.first().map(|round| round.trigger), Some(Trigger::Drift));
    });
}

#[test]
fn a_commit_that_was_well_before_is_not_given_up_when_its_healing_is_disturbed() {
    played(async || {
        let case = Case::named("first deployment");
        let world = case.deployed().await;
        let mut daemon = case.start(&world, Fault::None);
        assert!(daemon.synced(&case.after).await);
        let (began, replica) = (daemon.began(), first_replica(&world));
        world.crash(&local(), &replica);
        while daemon.began() == began {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // It is started again, and watched until it is ready.
        tokio::time::sleep(Duration::from_millis(500)).await;
        world.crash(&local(), &replica);
        let has_ended = |it: &gitdeploy::sync::SourceView| {
            let first = it.stacks.values().find_map(|it| it.history.first());
            first.is_some_and(|round| round.end == Some(RoundEnd::Failed))
        };
        assert!(daemon.until(has_ended).await, "{:#?}", daemon.view());
        assert!(!is_given_up(&daemon.shop().expect("a stack")), "{:#?}", daemon.view());
        case.is_brought_about(&world, &mut daemon).await;
    });
}

#[test]
fn a_bad_commit_is_not_tried_again_and_the_one_before_is_kept_until_another_comes() {
    played(async || {
        let case = Case::bad();
        let world = case.deployed().await;
        let mut daemon = case.start(&world, Fault::None);
        case.is_brought_about(&world, &mut daemon).await;
        assert_eq!(daemon.began(), 1);
        world.take_away(&local(), &first_replica(&world));
        let healed = |it: &gitdeploy::sync::SourceView| {
            it.stacks.values().all(|it| it.history.len() == 2 && is_given_up(it))
        };
        assert!(daemon.until(healed).await, "{:#?}", daemon.view());
        case.is_left_alone(&world, &daemon).await;
        case.is_done(&world).await;
        let history = daemon.shop().expect("a stack").history;
        assert_eq!((&history[0].commit, history[0].trigger), (&case.before, Trigger::Drift));
        let third = case.push(&world, "third", web("app:2", 2, &["edge"], ""));
        assert!(daemon.synced(&third).await, "{:#?}", daemon.view());
        assert_eq!(world.violations(), []);
    });
}

#[test]
fn a_daemon_that_is_killed_leaves_its_quarantine_to_those_that_follow() {
    played(async || {
        let case = Case::bad();
        let world = case.deployed().await;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("it.json");
        let mut daemon = case.start_after(&world, &file);
        case.is_brought_about(&world, &mut daemon).await;
        for _ in 0..2 {
            daemon.kill().await;
            daemon = case.start_after(&world, &file);
            case.is_brought_about(&world, &mut daemon).await;
            assert_eq!(daemon.began(), 0);
            assert!(is_given_up(&daemon.shop().expect("a stack")), "{:#?}", daemon.view());
        }
        // What runs is kept as it was before the bad commit, also by one that has not seen it fail.
        world.take_away(&local(), &first_replica(&world));
        let is_healed = |it: &gitdeploy::sync::SourceView| {
            it.stacks.values().all(|it| it.history.len() == 1 && is_given_up(it))
        };
        assert!(daemon.until(is_healed).await, "{:#?}", daemon.view());
        case.is_done(&world).await;
        let third = case.push(&world, "third", web("app:2", 2, &["edge"], ""));
        assert!(daemon.synced(&third).await, "{:#?}", daemon.view());
        assert_eq!(world.violations(), []);
    });
}

#[test]
fn a_daemon_that_is_killed_leaves_its_pauses_to_those_that_follow() {
    played(async || {
        let case = Case::start_first();
        let world = case.deployed().await;
        case.repository.push(&case.before);
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("it.json");
        let mut daemon = case.start_after(&world, &file);
        assert!(daemon.synced(&case.before).await);
        let shop = || name("shop").into();
        let pause = OrderKind::Pause { stack: shop(), until: None, reason: "audit".to_owned() };
        assert_eq!(daemon.order(pause).await, Ok(()));
        daemon.kill().await;
        case.repository.push(&case.after);
        world.crash(&local(), &first_replica(&world));
        let waits = |it: &gitdeploy::sync::SourceView| {
            let is_newest = it.head.as_ref() == Some(&case.after);
            is_newest && it.stacks.values().all(|it| it.waiting.is_some())
        };
        for _ in 0..2 {
            daemon = case.start_after(&world, &file);
            assert!(daemon.until(waits).await, "{:#?}", daemon.view());
            case.is_left_alone(&world, &daemon).await;
            assert_eq!(daemon.began(), 0);
            daemon.kill().await;
        }
        daemon = case.start_after(&world, &file);
        assert!(daemon.until(waits).await, "{:#?}", daemon.view());
        assert_eq!(daemon.order(OrderKind::Resume(shop())).await, Ok(()));
        case.is_brought_about(&world, &mut daemon).await;
    });
}

#[test]
fn a_daemon_that_cannot_know_what_was_held_deploys_nothing_by_itself() {
    played(async || {
        let case = Case::start_first();
        let world = case.deployed().await;
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("it.json");
        std::fs::write(&file, "{\"version\": 1, \"sour").expect("a file");
        let daemon = case.start_after(&world, &file);
        tokio::time::sleep(Duration::from_secs(3 * LOOK)).await;
        case.is_left_alone(&world, &daemon).await;
        assert_eq!(daemon.began(), 0);
        let pause =
            OrderKind::Pause { stack: name("shop").into(), until: None, reason: "x".into() };
        assert!(matches!(daemon.order(pause).await, Err(Refusal::Unkept(_))));
        assert_eq!(std::fs::read_to_string(&file).expect("text"), "{\"version\": 1, \"sour");
    });
}

#[test]
fn a_stack_that_is_paused_is_left_as_it_is_until_it_is_resumed() {
    played(async || {
        let case = Case::start_first();
        let world = case.deployed().await;
        case.repository.push(&case.before);
        let folder = tempfile::tempdir().expect("a folder");
        let mut daemon = case.start_after(&world, &folder.path().join("it.json"));
        assert!(daemon.synced(&case.before).await);
        let shop = || name("shop").into();
        let pause = OrderKind::Pause { stack: shop(), until: None, reason: "audit".to_owned() };
        assert_eq!(daemon.order(pause).await, Ok(()));
        case.repository.push(&case.after);
        world.crash(&local(), &first_replica(&world));
        let waits = |it: &gitdeploy::sync::SourceView| {
            let is_newest = it.head.as_ref() == Some(&case.after);
            is_newest && it.stacks.values().all(|it| it.waiting.is_some())
        };
        assert!(daemon.until(waits).await, "{:#?}", daemon.view());
        case.is_left_alone(&world, &daemon).await;
        assert_eq!(daemon.began(), 0);
        assert_eq!(daemon.order(OrderKind::Resume(shop())).await, Ok(()));
        case.is_brought_about(&world, &mut daemon).await;
    });
}

#[test]
fn a_plan_waits_to_be_approved_by_whichever_daemon_is_there() {
    played(async || {
        let case = Case::start_first();
        let world = case.deployed().await;
        let rules = StackRules { mode: Mode::PlanOnly, ..StackRules::default() };
        let waits = |it: &gitdeploy::sync::SourceView| {
            let is_so = |waiting: &gitdeploy::sync::Waiting| waiting.reason.contains("approved");
            it.stacks.values().all(|it| it.waiting.as_ref().is_some_and(is_so))
        };
        let mut plans = Vec::new();
        for _ in 0..2 {
            let mut daemon = case.start_as(&world, rules.clone());
            assert!(daemon.until(waits).await, "{:#?}", daemon.view());
            case.is_left_alone(&world, &daemon).await;
            plans.extend(daemon.shop().and_then(|it| it.plan).map(|plan| plan.id.clone()));
            daemon.kill().await;
        }
        assert_eq!(plans[0], plans[1]);
        let mut daemon = case.start_as(&world, rules);
        assert!(daemon.until(waits).await, "{:#?}", daemon.view());
        let approve = OrderKind::Approve(name("shop").into(), plans.remove(0));
        assert_eq!(daemon.order(approve).await, Ok(()));
        assert!(daemon.until(|it| is_synced(it, &case.after)).await, "{:#?}", daemon.view());
        case.is_left_alone(&world, &daemon).await;
        case.is_done(&world).await;
    });
}
