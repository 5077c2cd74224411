//! `exec`: a command in a replica, wherever it runs; with `--all`, in each of a service's.
//!
//! One replica: the command has our input and output, and our terminal if we have one; it ends with
//! the command's own exit code. All of them: each line says whose it is, and the code is the first
//! that is not 0; else 15 where a host is silent that may have more of them.

mod console;

use futures_util::future::join_all;

use self::console::{Lines, Person};
use super::Run;
use super::logs::printer::{Printer, label};
use super::logs::{Found, not_all, selectors};
use super::plan::choice;
use crate::cli::args::{ExecArgs, Inputs};
use crate::cli::live::{Session, Source, block_on};
use crate::cli::{Exit, Failure};
use crate::model::{HostName, LiveContainer};
use crate::ports::{Command, PortError};

pub(super) fn run(run: &Run<'_>, args: &ExecArgs) -> Result<Exit, Failure> {
    if args.of.split('/').count() < 2 {
        return Err(Failure::new(format!("could not use `{}`: which service of it?", args.of))
            .hint(run.cli.global.next_command("status")));
    }
    let inputs = Inputs { env_files: Vec::new(), profiles: Vec::new() };
    let session = Session::open(run, Source::Options, choice(run, &inputs))?;
    let selectors = selectors(std::slice::from_ref(&args.of))?;
    let fleet = session.fleet()?;
    let found = Found::new(&session.owner, &fleet.ports, selectors);
    let color = run.screen.color();
    block_on(async {
        let seen = found.look().await;
        let is_up = |(_, container): &(HostName, LiveContainer)| container.state.is_running();
        let chosen = found.chosen(&seen);
        let unseen = found.unseen(&seen, &chosen);
        let replicas: Vec<_> = chosen.into_iter().filter(is_up).collect();
        match (replicas.as_slice(), unseen) {
            ([], None) => {
                Err(Failure::new(format!("could not run it: nothing of {} runs", args.of))
                    .hint(run.cli.global.next_command("status")))
            }
            ([], Some(who)) => {
                let what = format!("could not run it: nothing is known of {}", args.of);
                Err(not_all(&what, &who).hint(run.cli.global.next_command("hosts")))
            }
            (all, unseen) if args.all => match (in_all(&found, all, args, color).await?, unseen) {
                (Exit::Done, Some(who)) => Err(not_all("could not run it everywhere", &who)),
                (exit, _) => Ok(exit),
            },
            // One was asked for, and one there is.
            ([first, ..], _) => in_one(run, &found, first, args).await,
        }
    })?
}

fn command(args: &ExecArgs, has_terminal: bool) -> Command {
    Command {
        words: args.command.clone(),
        env: args.variables.clone(),
        user: args.user.clone(),
        working_dir: args.workdir.clone(),
        has_terminal,
    }
}

async fn in_one(
    run: &Run<'_>,
    found: &Found<'_>,
    (host, container): &(HostName, LiveContainer),
    args: &ExecArgs,
) -> Result<Exit, Failure> {
    let has_terminal = args.tty || (!args.no_tty && console::is_terminal());
    run.screen.detail(&format!("in {} on {host}", container.name));
    let mut person = Person::new(has_terminal)?;
    let Some(engine) = found.ports.engines.get(host) else { return Ok(Exit::Failed) };
    let end = engine.exec(&container.name, &command(args, has_terminal), &mut person).await;
    // The terminal must be as it was before anything is said.
    drop(person);
    end.map(exit).map_err(|error| failure(&error))
}

async fn in_all(
    found: &Found<'_>,
    replicas: &[(HostName, LiveContainer)],
    args: &ExecArgs,
    has_color: bool,
) -> Result<Exit, Failure> {
    let mut printer = Printer::new(has_color, true);
    printer.expect(replicas.iter().map(|(_, container)| container));
    let printer = std::sync::Mutex::new(printer);
    let command = command(args, false);
    let (printer, command) = (&printer, &command);
    let ends = replicas.iter().map(|(host, container)| async move {
        let mut lines = Lines::new(container, printer);
        match found.ports.engines.get(host) {
            Some(engine) => engine.exec(&container.name, command, &mut lines).await,
            None => Err(PortError::Unreachable(format!("{host} was not connected"))),
        }
    });
    let mut worst = Exit::Done;
    let mut failed = Vec::new();
    for (end, (_, container)) in join_all(ends).await.into_iter().zip(replicas) {
        match end {
            Ok(code) if worst == Exit::Done => worst = exit(code),
            Ok(_) => {}
            Err(error) => failed.push(format!("{}: {error}", label(container))),
        }
    }
    match failed.is_empty() {
        true => Ok(worst),
        false => Err(Failure::new(failed.join("; "))),
    }
}

fn exit(code: i64) -> Exit {
    match u8::try_from(code) {
        Ok(0) => Exit::Done,
        Ok(code) => Exit::Command(code),
        Err(_) => Exit::Failed,
    }
}

fn failure(error: &PortError) -> Failure {
    let exit = match error {
        PortError::Unreachable(_) | PortError::Unknown(_) => Exit::Unreachable,
        PortError::Refused(_) | PortError::NotFound(_) | PortError::Moved(_) => Exit::Failed,
    };
    Failure::new(error.to_string()).exit(exit)
}
