//! A daemon as a process of the simulated world: the real loop, killed at once with all its tasks.

use std::cell::Cell;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use gitdeploy::daemon::{Aside, Command, Hub, Reading, Setup, Store, hub, run};
use gitdeploy::exec::Stop;
use gitdeploy::git::Access;
use gitdeploy::model::CommitId;
use gitdeploy::sim::Run;
use gitdeploy::sync::{
    NoticeKind, Order, OrderKind, Picture, Refusal, Rules, Source, SourceView, StackView, Sync,
};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, LocalSet};

use super::commit::name;
use super::repository::{BRANCH, Repository};

/// How often it asks for what is new, in seconds.
const INTERVAL: u64 = 20;

/// How often it looks at everything, in seconds.
pub(crate) const LOOK: u64 = 60;

/// The longest that is waited for anything, in simulated time.
const PATIENCE: Duration = Duration::from_secs(4 * 3600);

/// A daemon that works, or has been killed.
pub(crate) struct Process {
    run: Run,
    hub: Hub,
    commands: mpsc::Sender<Command>,
    /// Rounds that it has begun.
    began: Rc<Cell<usize>>,
    is_ending: Cell<bool>,
    life: JoinHandle<()>,
}

/// The rules of a daemon that is told nothing else.
pub(crate) fn source(repository: &Repository) -> Source {
    Source {
        branch: Some(BRANCH.to_owned()),
        interval: Duration::from_secs(INTERVAL),
        look: Duration::from_secs(LOOK),
        ..Source::of(repository.path().display().to_string())
    }
}

impl Process {
    /// Starts one with nothing but its rules. It must be called inside a [`LocalSet`].
    pub(crate) fn start(run_of_it: &Run, source: Source) -> Self {
        Self::start_with(run_of_it, source, Store::Nowhere("it is a test"))
    }

    /// The same with what an earlier one has left.
    pub(crate) fn start_with(run_of_it: &Run, source: Source, store: Store) -> Self {
        let run_of_it = run_of_it.clone();
        let ports = run_of_it.clone();
        let reading = Reading {
            access: Access::default(),
            mirrors: None,
            folder: "/".into(),
            variables: Repository::variables(),
            connect: Arc::new(move |_, _| Ok(ports.ports())),
            aside: Aside::Loop,
        };
        let setup = Setup {
            rules: Rules::of(name("it"), source),
            reading,
            clock: run_of_it.ports().clock,
            holder: format!("daemon {}", run_of_it.number()),
            store,
            is_once: false,
        };
        let (hub, host) = hub();
        let (commands, taken) = mpsc::channel(4);
        let began = Rc::new(Cell::new(0));
        tokio::task::spawn_local(hear(hub.clone(), run_of_it.clone(), Rc::clone(&began)));
        let (tasks, killed) = (LocalSet::new(), run_of_it.clone());
        tasks.spawn_local(run(setup, host, taken));
        let life = tokio::task::spawn_local(async move {
            tokio::select! {
                biased;
                () = killed.killed() => {}
                () = tasks => {}
            }
        });
        Self { run: run_of_it, hub, commands, began, is_ending: Cell::new(false), life }
    }

    /// Ends it at once, wherever it is.
    pub(crate) async fn kill(&mut self) {
        self.life.abort();
        // That it was ended is what is waited for.
        drop((&mut self.life).await);
    }

    /// Waits until it has ended; `false` when it does not.
    pub(crate) async fn ended(&mut self) -> bool {
        tokio::time::timeout(PATIENCE, &mut self.life).await.is_ok()
    }

    /// Asks it to end after a while.
    pub(crate) fn stop_after(&self, time: Duration, stop: Stop) {
        self.is_ending.set(true);
        let commands = self.commands.clone();
        tokio::task::spawn_local(async move {
            tokio::time::sleep(time).await;
            // It may have been killed.
            drop(commands.send(Command::Stop(stop)).await);
        });
    }

    pub(crate) fn is_alive(&self) -> bool {
        !self.life.is_finished()
    }

    /// Whether it was asked to end.
    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.get()
    }

    /// From now on it meets no fault.
    pub(crate) fn spare(&self) {
        self.run.spare();
    }

    /// Rounds that it has begun so far.
    pub(crate) fn began(&self) -> usize {
        self.began.get()
    }

    pub(crate) async fn order(&self, kind: OrderKind) -> Result<(), Refusal> {
        self.asking(kind).await
    }

    /// The same for whoever waits for it elsewhere.
    pub(crate) fn asking(
        &self,
        kind: OrderKind,
    ) -> impl Future<Output = Result<(), Refusal>> + use<> {
        let hub = self.hub.clone();
        async move { hub.ask(Order { source: name("it"), by: "anna".to_owned(), kind }).await }
    }

    /// What it shows.
    pub(crate) fn view(&self) -> Option<SourceView> {
        view(&self.hub.picture.borrow()).cloned()
    }

    /// What it shows of the stack `shop`.
    pub(crate) fn shop(&self) -> Option<StackView> {
        self.view()?.stacks.remove("shop")
    }

    /// Waits until what it shows is so; `false` when that does not come.
    pub(crate) async fn until(&mut self, is_so: impl Fn(&SourceView) -> bool) -> bool {
        let waited = self.hub.picture.wait_for(|picture| view(picture).is_some_and(&is_so));
        tokio::time::timeout(PATIENCE, waited).await.is_ok_and(|shown| shown.is_ok())
    }

    /// Waits until everything is as a commit wants it.
    pub(crate) async fn synced(&mut self, commit: &CommitId) -> bool {
        self.until(|it| is_synced(it, commit)).await
    }

    /// Waits until it is, or until the commit is given up; `false` when neither comes.
    pub(crate) async fn quiet(&mut self, commit: &CommitId) -> bool {
        let is_so = |it: &SourceView| {
            let is_newest = it.head.as_ref() == Some(commit);
            is_synced(it, commit) || is_newest && it.stacks.values().any(is_given_up)
        };
        self.until(is_so).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.life.abort();
    }
}

/// Whether a line of the world's log says that somebody looked.
pub(crate) fn is_look(line: &str) -> bool {
    let what = line.splitn(3, ' ').nth(2).unwrap_or_default();
    ["survey", "observe", "ask for "].iter().any(|look| what.starts_with(look))
}

/// Whether everything is as a commit wants it and nothing is under way.
pub(crate) fn is_synced(view: &SourceView, commit: &CommitId) -> bool {
    let is_synced = |it: &StackView| {
        it.running.is_none() && it.sync == Sync::Synced && it.synced.as_ref() == Some(commit)
    };
    view.head.as_ref() == Some(commit) && view.stacks.values().all(is_synced)
}

/// Whether the newest commit was given up until something changes or somebody asks.
pub(crate) fn is_given_up(view: &StackView) -> bool {
    let waits = |waiting: &gitdeploy::sync::Waiting| {
        waiting.until.is_none() && waiting.reason.contains("when something changes")
    };
    view.running.is_none() && view.waiting.as_ref().is_some_and(waits)
}

/// What is shown once everything was looked at.
fn view(picture: &Picture) -> Option<&SourceView> {
    picture.sources.get(&name("it")).filter(|_| picture.is_ready)
}

/// Whatever it tells and shows may hold no secret.
async fn hear(mut hub: Hub, run: Run, began: Rc<Cell<usize>>) {
    // It tells far less at a time than a listener may be behind.
    while let Ok(notice) = hub.notices.recv().await {
        run.hear(&format!("{notice:?}"));
        match notice.kind {
            NoticeKind::Began { .. } => began.set(began.get() + 1),
            NoticeKind::Ended { .. } => {
                // Without the folder of the repository, which is another one each time.
                let shown = view(&hub.picture.borrow()).map(|it| it.stacks.clone());
                run.hear(&format!("{shown:?}"));
            }
            _ => {}
        }
    }
}
