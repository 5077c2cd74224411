//! `sync`: the daemon. Arguments, signals and lines; what is done is decided in `sync` and
//! `daemon`.

use std::sync::Arc;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{broadcast, mpsc};
use tokio::task::LocalSet;

use super::Run;
use super::apply::holder;
use crate::adapters::System;
use crate::cli::args::SyncArgs;
use crate::cli::front::Front;
use crate::cli::{Exit, Failure, World, repository, screen, stage, wire};
use crate::daemon::{self, Aside, Command, Hub, Reading, Setup, Store, hub};
use crate::diag::Sources;
use crate::exec::Stop;
use crate::files::{Disk, Report};
use crate::model::Name;
use crate::server::{Supervisor, Word};
use crate::settings::load_daemon;
use crate::sync::{Notice, NoticeKind, Picture, RoundEnd, Rules, Source};

/// What the one source is called when its repository's name makes no name.
const USUAL_NAME: &str = "default";

/// How often nobody is told that the loop goes round.
const NO_PULSE: Duration = Duration::from_secs(3600);

/// How long what is blocking may go on after the end: a fetch from a host that is silent.
const LAST_WORDS: Duration = Duration::from_secs(2);

pub(super) fn run(run: &Run<'_>, args: &SyncArgs) -> Result<Exit, Failure> {
    let rules = rules(run, args)?;
    let clock = match stage::current() {
        Some(stage) => stage.clock(),
        None => Arc::new(System),
    };
    let setup = Setup {
        store: store(run, args, &rules),
        rules,
        reading: reading(run)?,
        clock,
        holder: holder(run),
        is_once: args.once,
    };
    let (hub, host) = hub();
    let (commands, taken) = mpsc::channel(4);
    let local = LocalSet::new();
    let work = local.run_until(async {
        // One pass is over before anybody could ask.
        let mut front = match args.once {
            true => None,
            false => {
                let clock = Arc::clone(&setup.clock);
                Some(Front::open(&setup.rules, &hub, clock, run.world).await?)
            }
        };
        let supervisor =
            front.as_ref().map(|front| Arc::clone(&front.supervisor)).unwrap_or_default();
        let listening =
            tokio::task::spawn_local(signals(commands.clone(), Arc::clone(&supervisor)));
        let mut notices = hub.notices.resubscribe();
        let working = daemon::run(setup, host, taken);
        tokio::pin!(working);
        supervisor.say(&Word::Ready);
        let ended = tokio::select! {
            biased;
            ended = &mut working => ended,
            () = print(run, args, &hub, &mut notices, &commands, &mut front) => working.await,
        };
        while let Ok(notice) = notices.try_recv() {
            tell(run, &notice);
        }
        listening.abort();
        if let Some(front) = front {
            front.close().await;
        }
        Ok::<_, Failure>(ended)
    });
    let ended = match stage::current() {
        Some(stage) => stage.block_on(work)??,
        None => {
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .build()
                .map_err(|error| Failure::because("could not start", &error))?;
            let ended = runtime.block_on(work);
            runtime.shutdown_timeout(LAST_WORDS);
            ended?
        }
    };
    Ok(match (args.once, ended.has_unsigned) {
        (false, _) => Exit::Done,
        (true, true) => Exit::Unverified,
        (true, false) => outcome(run, &ended.picture),
    })
}

/// What the file says, or what the options do.
fn rules(run: &Run<'_>, args: &SyncArgs) -> Result<Rules, Failure> {
    if let Some(file) = &args.config {
        let (sources, mut problems) = (Sources::default(), Vec::new());
        let path = run.world.folder.join(file).display().to_string();
        let rules = load_daemon(&Disk, &sources, &path, &mut problems);
        let report = Report::new(problems, sources);
        return rules.ok_or_else(|| Failure::from(report));
    }
    let global = &run.cli.global;
    let repository = match &global.repo {
        Some(url) => url.clone(),
        None => run.world.folder.join(&global.directory).display().to_string(),
    };
    let environment = match global.environment() {
        Some(name) => Some(Name::parse(&name).map_err(|why| {
            Failure::new(format!("could not use `{name}` as an environment: {why}"))
        })?),
        None => None,
    };
    let folder = repository.trim_end_matches(['/', '.']).rsplit('/').next().unwrap_or_default();
    let folder = folder.strip_suffix(".git").unwrap_or(folder);
    let name = Name::from_folder(folder)
        .or_else(|| Name::parse(USUAL_NAME).ok())
        .expect("the usual name is a name");
    // As with every command, a folder is read at what is checked out there.
    let is_folder = global.repo.is_none();
    let branch = global.rev.clone().or_else(|| is_folder.then(|| "HEAD".to_owned()));
    let source = Source { branch, environment, ..Source::of(repository) };
    Ok(Rules::of(name, source))
}

/// A file for each daemon, by what it was told to watch. One pass is told nothing and keeps nothing.
fn store(run: &Run<'_>, args: &SyncArgs, rules: &Rules) -> Store {
    if args.once {
        return Store::Nowhere("one pass keeps nothing");
    }
    let Some(folder) = run.world.state_folder() else {
        run.screen.note(
            "what is paused and in quarantine will be forgotten when the daemon is started anew: \
             set STATE_DIRECTORY, XDG_STATE_HOME or HOME",
        );
        return Store::Nowhere("neither STATE_DIRECTORY nor XDG_STATE_HOME nor HOME is set");
    };
    let (name, watched) = match &args.config {
        Some(file) => {
            let path = run.world.folder.join(file);
            let name = file.file_stem().and_then(|stem| stem.to_str()).and_then(Name::from_folder);
            (name, std::fs::canonicalize(&path).unwrap_or(path).display().to_string())
        }
        None => {
            let source = rules.sources.iter().next();
            let place =
                |it: &Source| format!("{}\n{:?}\n{:?}", it.repository, it.branch, it.environment);
            (source.map(|(name, _)| name.clone()), source.map(|it| place(it.1)).unwrap_or_default())
        }
    };
    let digest: String =
        Sha256::digest(watched.as_bytes()).iter().take(4).map(|it| format!("{it:02x}")).collect();
    let name = name.as_ref().map_or(USUAL_NAME, Name::as_str);
    Store::at(folder.join(format!("{name}-{digest}.json")))
}

fn reading(run: &Run<'_>) -> Result<Reading, Failure> {
    let world: World = run.world.clone();
    let global = run.cli.global.clone();
    let sessions = wire::Sessions::default();
    Ok(Reading {
        access: repository::access(run.world)?,
        mirrors: repository::mirrors(run.world).ok(),
        folder: run.world.folder.clone(),
        variables: run.world.variables.clone(),
        connect: Arc::new(move |inventory, files| {
            let screen = screen::Screen::new(&global, &world);
            let ports = wire::connect(inventory, files, &world, &screen, &sessions);
            ports.map_err(|failure| failure.message)
        }),
        aside: Aside::Threads,
    })
}

/// The first signal lets running steps end, the second gives up waiting for them.
async fn signals(commands: mpsc::Sender<Command>, supervisor: Arc<Supervisor>) {
    let streams = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    // Without them the signals simply end the program, as anywhere else.
    let (Ok(mut interrupt), Ok(mut terminate)) = streams else { return };
    for order in [Stop::Finish, Stop::Abandon] {
        tokio::select! {
            biased;
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        supervisor.say(&Word::Stopping);
        // A daemon that has ended already needs no order.
        drop(commands.send(Command::Stop(order)).await);
    }
}

/// The rules as they are now, with their secrets taken over.
fn reloaded(run: &Run<'_>, args: &SyncArgs, front: Option<&mut Front>) -> Result<Rules, Failure> {
    let rules = rules(run, args)?;
    if let Some(front) = front
        && let Some(words) = front.reload(&rules, run.world)?
    {
        run.screen.note(&words);
    }
    Ok(rules)
}

/// Prints what happens, a line each, and reads the rules again at `SIGHUP`. It never ends before the
/// daemon does.
async fn print(
    run: &Run<'_>,
    args: &SyncArgs,
    hub: &Hub,
    notices: &mut broadcast::Receiver<Notice>,
    commands: &mpsc::Sender<Command>,
    front: &mut Option<Front>,
) {
    let Ok(mut hangup) = signal(SignalKind::hangup()) else { return };
    let supervisor = front.as_ref().map(|front| Arc::clone(&front.supervisor)).unwrap_or_default();
    let mut heart = hub.heart();
    // On the thread of the loop: where that stands still, so does this.
    let mut pulse = tokio::time::interval(supervisor.pulse().unwrap_or(NO_PULSE));
    loop {
        tokio::select! {
            biased;
            notice = notices.recv() => match notice {
                Ok(notice) => tell(run, &notice),
                Err(RecvError::Lagged(missed)) => {
                    run.screen.note(&format!("{missed} lines are left out"));
                }
                Err(RecvError::Closed) => return,
            },
            _ = hangup.recv() => {
                supervisor.say(&Word::Reloading);
                match reloaded(run, args, front.as_mut()) {
                    Ok(rules) => {
                        // A daemon that has ended needs no rules.
                        drop(commands.send(Command::Reload(Box::new(rules))).await);
                        run.screen.note("the rules were read again, and hold from now on");
                    }
                    Err(failure) => {
                        run.screen.failure(&failure);
                        run.screen.note("the rules are as they were before");
                    }
                }
                supervisor.say(&Word::Ready);
            },
            _ = pulse.tick() => if heart.beats() {
                supervisor.say(&Word::Alive);
            },
        }
    }
}

fn tell(run: &Run<'_>, notice: &Notice) {
    let (level, words) = words(&notice.kind);
    let of = match &notice.stack {
        // These lines name the stack themselves.
        Some(_) if matches!(notice.kind, NoticeKind::Progress { .. }) => notice.source.to_string(),
        Some(stack) => format!("{}/{stack}", notice.source),
        None => notice.source.to_string(),
    };
    if run.screen.wants_events() {
        let more = serde_json::json!({ "notice": notice });
        run.screen.event(level, &format!("{of}: {words}"), "notice", &more);
    } else {
        run.screen.note(&format!("{} {of}: {words}", screen::moment(notice.at)));
    }
}

/// A notice as a line of a log, and how loud it is.
fn words(kind: &NoticeKind) -> (&'static str, String) {
    match kind {
        NoticeKind::Fetched { commit } => ("info", format!("{} is new", commit.short())),
        NoticeKind::Began { round, commit } => {
            ("info", format!("round {round} brings about {}", commit.short()))
        }
        NoticeKind::Progress { line, .. } => ("info", line.clone()),
        NoticeKind::Ended { round, commit, end, message, .. } => {
            let (level, how) = ending(*end);
            (level, format!("round {round} for {} {how}: {message}", commit.short()))
        }
        NoticeKind::Drifted { what } => ("warn", format!("drifted: {}", what.join(", "))),
        NoticeKind::Waits { reason } => ("warn", format!("waits: {reason}")),
        NoticeKind::Troubled { message } => ("error", message.clone()),
        NoticeKind::Recovered => ("info", "is well again".to_owned()),
    }
}

fn ending(end: RoundEnd) -> (&'static str, &'static str) {
    match end {
        RoundEnd::Synced => ("info", "is done"),
        RoundEnd::RolledBack => ("error", "failed and was taken back"),
        RoundEnd::Failed => ("error", "failed, and the stack is as it was"),
        RoundEnd::Partly => ("error", "was done in part"),
        RoundEnd::Interrupted => ("warn", "was interrupted"),
        RoundEnd::Locked => ("info", "waits for another run"),
        RoundEnd::Refused => ("warn", "was refused"),
    }
}

/// With `--once`: the worst that has happened.
fn outcome(run: &Run<'_>, picture: &Picture) -> Exit {
    let mut worst = Exit::Done;
    let mut note = |exit: Exit| {
        if weight(exit) > weight(worst) {
            worst = exit;
        }
    };
    for source in picture.sources.values() {
        if source.trouble.is_some() {
            note(Exit::Failed);
        }
        for (name, stack) in &source.stacks {
            if let Some(waiting) = &stack.waiting {
                run.screen.note(&format!("{name} waits: {}", waiting.reason));
                note(Exit::Refused);
            }
            let last = stack.history.first().and_then(|round| round.end);
            note(match last {
                None | Some(RoundEnd::Synced) => Exit::Done,
                Some(RoundEnd::RolledBack) => Exit::RolledBack,
                Some(RoundEnd::Failed) => Exit::Failed,
                Some(RoundEnd::Partly) => Exit::Partly,
                Some(RoundEnd::Interrupted) => Exit::Interrupted,
                Some(RoundEnd::Locked) => Exit::Locked,
                Some(RoundEnd::Refused) => Exit::Refused,
            });
        }
        if source.hosts.values().any(|host| !host.is_up) {
            note(Exit::Unreachable);
        }
    }
    worst
}

/// Which of several codes is given.
fn weight(exit: Exit) -> u8 {
    match exit {
        Exit::Done | Exit::Changes => 0,
        Exit::Refused | Exit::Stale => 1,
        Exit::Locked => 2,
        Exit::Unreachable => 3,
        Exit::Failed | Exit::Trouble | Exit::Command(_) => 4,
        Exit::RolledBack => 5,
        Exit::Partly => 6,
        Exit::Unverified => 7,
        Exit::Interrupted => 8,
    }
}
