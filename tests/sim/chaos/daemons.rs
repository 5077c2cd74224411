//! Daemons in a schedule: what people do to them, and how it ends when nothing happens any more.

use std::cell::RefCell;
use std::time::Duration;

use gitdeploy::model::CommitId;
use gitdeploy::sim::World;
use gitdeploy::sync::OrderKind;

use super::event::{Ask, Attempt};
use crate::commit::name;
use crate::process::{LOOK, Process, is_given_up, is_look, is_synced, source};
use crate::repository::Repository;

/// How often a person has it tried again after the last event.
const ORDERS: usize = 3;

/// Rounds of all daemons after the last event: retries and healings that are due, and those that
/// find another daemon at work.
const ROUNDS: usize = 40;

/// So many times has a daemon looked that is said to be idle.
const IDLE: u64 = 3;

/// The daemons of a schedule and the repository that they watch.
pub(super) struct Daemons {
    pub(super) repository: Repository,
    pub(super) commits: Vec<CommitId>,
    all: RefCell<Vec<Process>>,
}

impl Daemons {
    pub(super) fn new(repository: Repository, commits: Vec<CommitId>) -> Self {
        Self { repository, commits, all: RefCell::default() }
    }

    /// A commit by its number.
    pub(super) fn commit(&self, number: u64) -> &CommitId {
        let count = self.commits.len();
        &self.commits[usize::try_from(number).unwrap_or(0) % count]
    }

    /// Makes a commit the newest one.
    pub(super) fn push(&self, world: &World, number: u64) {
        let commit = self.commit(number);
        world.expect(&self.repository.wish(commit).desired);
        self.repository.push(commit);
    }

    /// Tells all daemons that there is something new.
    pub(super) async fn tell(&self) {
        self.ask(|| OrderKind::Fetch).await;
    }

    /// Starts one that watches.
    pub(super) fn start(&self, world: &World, attempt: &Attempt) {
        let run = world.run_with(attempt.faults.clone()).with_clock(attempt.clock);
        let process = Process::start(&run, source(&self.repository));
        if let Some((after, stop)) = attempt.stops {
            process.stop_after(Duration::from_millis(after), stop);
        }
        self.all.borrow_mut().push(process);
    }

    pub(super) async fn order(&self, ask: Ask) {
        let stack = || name("shop").into();
        let kind = || match ask {
            Ask::Pause => {
                OrderKind::Pause { stack: stack(), until: None, reason: "a test".to_owned() }
            }
            Ask::Resume => OrderKind::Resume(stack()),
            Ask::Sync => OrderKind::Sync(stack()),
        };
        self.ask(kind).await;
    }

    async fn ask(&self, kind: impl Fn() -> OrderKind) {
        let asked: Vec<_> = self.all.borrow().iter().map(|it| it.asking(kind())).collect();
        for asked in asked {
            // It may have been killed, or know nothing of the stack yet.
            drop(asked.await);
        }
    }

    /// Nothing happens any more: they bring the newest commit about, and start nothing more.
    pub(super) async fn end(&self, world: &World, goal: u64) -> Result<(), String> {
        self.all.borrow().iter().for_each(Process::spare);
        let mut working = Vec::new();
        for mut daemon in self.all.take().into_iter().filter(Process::is_alive) {
            match daemon.is_ending() {
                true if daemon.ended().await => {}
                true => return Err("I6 is broken: a daemon does not end".to_owned()),
                false => working.push(daemon),
            }
        }
        self.all.replace(working);
        self.push(world, goal);
        if self.all.borrow().is_empty() {
            self.start(world, &Attempt::default());
        }
        let before = began(&self.all.borrow());
        self.order(Ask::Resume).await;
        self.tell().await;
        // Nobody tells a daemon what people with `apply` have done: it finds that when it looks.
        tokio::time::sleep(Duration::from_secs(2 * LOOK)).await;
        let mut all = self.all.take();
        for daemon in &mut all {
            self.settle(daemon, goal).await?;
        }
        // The last one may have done what the first had looked at before.
        for daemon in &mut all {
            self.settle(daemon, goal).await?;
        }
        let rounds = began(&all) - before;
        if rounds > ROUNDS {
            return Err(format!("I6 is broken: {rounds} rounds for one commit"));
        }
        let (before, done) = (began(&all), world.log().len());
        tokio::time::sleep(Duration::from_secs(IDLE * LOOK)).await;
        let log = world.log();
        let more: Vec<&String> = log[done..].iter().filter(|line| !is_look(line)).collect();
        match began(&all) == before && more.is_empty() {
            true => Ok(()),
            false => Err(format!("I6 is broken: not idle: {more:#?}")),
        }
    }

    async fn settle(&self, daemon: &mut Process, goal: u64) -> Result<(), String> {
        let commit = self.commit(goal);
        for _ in 0..=ORDERS {
            if !daemon.quiet(commit).await {
                break;
            }
            let view = daemon.view();
            if view.as_ref().is_some_and(|it| is_synced(it, commit)) {
                return Ok(());
            }
            if !view.is_some_and(|it| it.stacks.values().any(is_given_up)) {
                break;
            }
            // What failed while everything did is tried again by whoever reads that it is over.
            drop(daemon.order(OrderKind::Sync(name("shop").into())).await);
        }
        let stack = daemon.shop();
        let said = stack.map(|it| (it.sync, it.synced, it.waiting, it.drift, it.history));
        Err(format!("I6 is broken: a daemon does not settle at {}: {said:#?}", commit.short()))
    }
}

fn began(all: &[Process]) -> usize {
    all.iter().map(Process::began).sum()
}
