//! What `plan`, `apply` and their kin share: the repository opened, its stacks resolved, the fleet
//! connected, a runtime for the calls.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, OnceLock};

use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::UnboundedSender;
use tokio::sync::watch;

use super::commands::Run;
use super::repository::{self, Opened};
use super::{Exit, Failure, stage, wire};
use crate::exec::Stop;
use crate::files::Report;
use crate::git::{Commit, Merge, Repository};
use crate::model::{CommitId, Desired, Event, Name, Owner, StackName};
use crate::pipeline::{Answers, Cache, Choice, Fleet, PlanError, Snapshot, Tree, Wish};
use crate::planner::{Problem, ProblemKind};
use crate::settings::Unreachable;
use crate::ui;

/// A repository at a commit, and the hosts it is for.
pub(super) struct Session<'a> {
    run: &'a Run<'a>,
    opened: Opened,
    choice: Choice,
    pub(super) snapshot: Snapshot,
    pub(super) owner: Owner,
}

/// Which tree is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Source<'a> {
    /// What the options say.
    Options,
    /// The uncommitted files.
    Worktree,
    /// One revision, whatever the options say.
    Revision(&'a str),
    /// The same, and the head of a pull request is within reach.
    Base(&'a str, Option<u64>),
}

impl<'a> Session<'a> {
    /// Opens the repository; no host is talked to.
    pub(super) fn open(
        run: &'a Run<'a>,
        source: Source<'_>,
        choice: Choice,
    ) -> Result<Self, Failure> {
        let (global, world, screen) = (&run.cli.global, run.world, run.screen);
        let (opened, snapshot) = match source {
            Source::Options | Source::Worktree => {
                let is_worktree = source == Source::Worktree;
                repository::opened(global, world, screen, is_worktree, choice.clone())?
            }
            Source::Revision(revision) | Source::Base(revision, _) => {
                let pull = if let Source::Base(_, pull) = source { pull } else { None };
                let opened = Opened::with(global, world, screen, pull)?;
                let tree = opened.tree(revision)?;
                let snapshot = repository::open(tree, choice.clone(), screen)?;
                (opened, snapshot)
            }
        };
        let owner = snapshot.owner();
        Ok(Self { run, opened, choice, snapshot, owner })
    }

    /// What the commit wants. A stack with an error ends it: what is missing would read as removed.
    pub(super) fn wish(&self) -> Result<Wish, Failure> {
        let desired = resolve(self.run, &self.snapshot, "plan")?;
        Wish::new(&self.snapshot, desired)
            .map_err(|why| Failure::new(format!("could not plan: {why}")))
    }

    /// What another commit wants of these stacks.
    pub(super) fn wish_at(&self, commit: &CommitId) -> Result<Wish, String> {
        let failed = |failure: Failure| match failure.message.is_empty() {
            true => "has errors".to_owned(),
            false => failure.message,
        };
        let tree = self.opened.tree(commit.as_str()).map_err(failed)?;
        let snapshot = Snapshot::open(tree, self.choice.clone()).map_err(|_| "has errors")?;
        let outcome = snapshot.resolve(&mut Cache::default());
        if outcome.has_errors() {
            return Err("has errors".to_owned());
        }
        Wish::new(&snapshot, outcome.desired)
    }

    /// Another commit of the same repository, under the settings and the inventory of this one.
    /// The inner result has what is wrong with it.
    pub(super) fn under(&self, revision: &str) -> Result<Result<Snapshot, Report>, Failure> {
        Ok(self.under_tree(self.opened.tree(revision)?))
    }

    /// The same for other files; what is wrong with them otherwise.
    pub(super) fn under_tree(&self, tree: Tree) -> Result<Snapshot, Report> {
        Snapshot::open_under(tree, self.snapshot.tree(), self.choice.clone())
    }

    /// What comes of merging one commit into another.
    pub(super) fn merge(&self, base: &Commit, head: &Commit) -> Result<Merge, Failure> {
        self.opened.merge(base, head)
    }

    /// The files of a commit that a repository of its own has.
    pub(super) fn tree_in(&self, repository: Repository, commit: Commit) -> Tree {
        self.opened.tree_in(repository, commit)
    }

    /// What names the head of a pull request that was brought with the repository.
    pub(super) fn head_of(&self, pull: u64) -> Result<String, Failure> {
        self.opened.head_of(pull)
    }

    /// The files of another commit.
    pub(super) fn tree(&self, revision: &str) -> Result<Tree, Failure> {
        self.opened.tree(revision)
    }

    /// The hosts and proxies.
    pub(super) fn fleet(&self) -> Result<Fleet<'_>, Failure> {
        let files = self.snapshot.tree().files();
        let files = files.map_err(|error| Failure::because("could not read the files", &error))?;
        let (inventory, run) = (&self.snapshot.inventory, self.run);
        let sessions = wire::Sessions::default();
        Ok(Fleet {
            owner: self.owner.clone(),
            inventory,
            ports: wire::connect(inventory, files, run.world, run.screen, &sessions)?,
            absent: BTreeMap::new(),
            answers: Answers::default(),
        })
    }

    /// Whether a plan goes on without hosts that do not answer.
    pub(super) fn skips_unreachable(&self, is_asked: bool) -> bool {
        is_asked || self.snapshot.inventory.unreachable == Unreachable::Skip
    }

    /// The stacks that were named; `None` for all. A name that the repository does not have may be
    /// that of a stack that runs and is gone from it.
    pub(super) fn named(names: &[String]) -> Result<Option<BTreeSet<StackName>>, Failure> {
        if names.is_empty() {
            return Ok(None);
        }
        let parsed = names.iter().map(|name| match Name::parse(name) {
            Ok(name) => Ok(StackName::from(name)),
            Err(why) => Err(Failure::new(format!("could not use `{name}` as a stack: {why}"))),
        });
        parsed.collect::<Result<_, _>>().map(Some)
    }
}

/// Resolves all stacks of a snapshot; errors are shown in place.
pub(super) fn resolve(run: &Run<'_>, snapshot: &Snapshot, verb: &str) -> Result<Desired, Failure> {
    let bar = repository::progress(run.screen, "rendering");
    let outcome = snapshot.resolve(&mut Cache::default());
    bar.finish_and_clear();
    let mut bad = BTreeMap::new();
    for stack in &outcome.stacks {
        run.screen.findings(&stack.report.diagnostics, &stack.report.sources);
        if stack.target.is_none() {
            bad.insert(stack.name.clone(), ());
        }
    }
    let clashes = &outcome.conflicts;
    run.screen.findings(&clashes.report.diagnostics, &clashes.report.sources);
    if clashes.has_errors() {
        bad.extend(clashes.stacks.iter().map(|name| (name.clone(), ())));
    }
    if bad.is_empty() {
        return Ok(outcome.desired);
    }
    let names: Vec<String> = bad.keys().map(|name| format!("`{name}`")).collect();
    let message = format!("could not {verb}: {} has errors; nothing was changed", names.join(", "));
    Err(Failure::new(message).hint(run.cli.global.next_command("validate")))
}

/// How a plan of this commit is headed.
pub(super) fn heading(snapshot: &Snapshot) -> ui::plan::Heading {
    let commit = snapshot.tree().commit();
    ui::plan::Heading {
        project: snapshot.project.to_string(),
        environment: snapshot.environment.name.as_str().to_owned(),
        commit: snapshot.tree().label().to_owned(),
        subject: commit.map(|commit| commit.summary.clone()).unwrap_or_default(),
    }
}

/// What the calls to hosts run on. One for the process: connections live on from one call to the next.
static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// Runs the calls to the hosts.
pub(super) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    if let Some(stage) = stage::current() {
        return stage.block_on(work);
    }
    let runtime = match RUNTIME.get() {
        Some(runtime) => runtime,
        None => {
            let made = Builder::new_current_thread().enable_all().build();
            let made = made.map_err(|error| Failure::because("could not start", &error))?;
            RUNTIME.get_or_init(|| made)
        }
    };
    Ok(runtime.block_on(work))
}

/// A plan that cannot be, as an error with its exit code.
pub(super) fn no_plan(verb: &str, error: PlanError) -> Failure {
    let problems = match error {
        PlanError::Problems(problems) => problems,
        PlanError::Unsafe(violations) => {
            let list: Vec<String> = violations.iter().map(|it| format!("\n  {it}")).collect();
            return Failure::new(format!(
                "could not {verb}: the plan would not be safe; nothing was changed{}",
                list.concat()
            ))
            .exit(Exit::Refused)
            .hint("this is a fault of gitdeploy: please report the lines above");
        }
    };
    let worst = problems.iter().map(|problem| problem.kind).max_by_key(|kind| match kind {
        ProblemKind::Invalid => 0,
        ProblemKind::Policy => 1,
        ProblemKind::Unreachable => 2,
    });
    let exit = match worst {
        Some(ProblemKind::Policy) => Exit::Refused,
        Some(ProblemKind::Unreachable) => Exit::Unreachable,
        Some(ProblemKind::Invalid) | None => Exit::Failed,
    };
    let hint = problems.iter().find_map(|problem| problem.hint.clone());
    let failure = Failure::new(format!("could not {verb}; nothing was changed{}", list(&problems)))
        .exit(exit);
    match hint {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn list(problems: &[Problem]) -> String {
    match problems {
        [only] => format!(": {}", only.message),
        several => {
            let lines: Vec<String> =
                several.iter().map(|it| format!("\n  {}", it.message)).collect();
            format!(":{}", lines.concat())
        }
    }
}

/// Turns signals into orders: the first one lets what runs end and starts nothing new, the second
/// gives up waiting, the third ends the program at once. Each is safe: the next plan says what is
/// left to do.
pub(super) async fn signals(stop: Arc<watch::Sender<Stop>>, events: UnboundedSender<Event>) {
    let streams = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    // Without them the signals simply end the program, as anywhere else.
    let (Ok(mut interrupt), Ok(mut terminate)) = streams else { return };
    let orders = [
        (Stop::Finish, "nothing new is started; what runs is finished (again: give up waiting)"),
        (Stop::Abandon, "waiting is given up; what is under way is finished (again: end at once)"),
    ];
    for (order, message) in orders {
        tokio::select! {
            biased;
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        stop.send_replace(order);
        // Whoever listened may have gone.
        drop(events.send(Event::Interrupted { message: message.to_owned() }));
    }
    tokio::select! {
        biased;
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    #[expect(clippy::exit, reason = "the third signal means: now")]
    std::process::exit(i32::from(Exit::Interrupted.code()));
}
