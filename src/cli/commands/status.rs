//! `status`: every stack, service and replica as it is, and whether it is as the commit wants it.

use super::Run;
use super::plan::choice;
use crate::cli::args::{Daemon, Inputs, StatusArgs, TableFormat};
use crate::cli::live::{Session, Source, block_on};
use crate::cli::remote::Remote;
use crate::cli::{Exit, Failure};
use crate::planner::Scope;
use crate::ui;
use crate::ui::status::Status;

pub(super) fn run(run: &Run<'_>, args: &StatusArgs) -> Result<Exit, Failure> {
    if args.server.is_some() {
        return remote(run, args);
    }
    let inputs = Inputs { env_files: Vec::new(), profiles: Vec::new() };
    let session = Session::open(run, Source::Options, choice(run, &inputs))?;
    let wish = session.wish()?;
    let fleet = session.fleet()?;
    let stacks = Session::named(&args.stacks)?;
    let scope = Scope { stacks: stacks.clone(), skip_unreachable: true, ..Scope::default() };
    let mut observed = block_on(fleet.look(&wish))?;
    // Drift is told where a plan can be made; what is there is shown in any case.
    let plan = fleet.plan_on(&wish, &scope, observed.clone()).ok().map(|planned| planned.plan);
    if let Some(stacks) = &stacks {
        for host in observed.hosts.values_mut().flatten() {
            host.containers.retain(|_, container| stacks.contains(&container.identity.stack));
        }
    }
    let is_blind = observed.hosts.values().any(Result::is_err);
    let status = Status::of(&observed, plan.as_ref());
    let page = match args.format {
        TableFormat::Text if !run.screen.wants_events() => {
            ui::status::text(&status, run.screen.color())
        }
        TableFormat::Text | TableFormat::Json => format!("{:#}\n", ui::status::json(&status)),
    };
    run.screen.result(&page)?;
    Ok(if is_blind { Exit::Unreachable } else { Exit::Done })
}

/// What a daemon knows.
fn remote(run: &Run<'_>, args: &StatusArgs) -> Result<Exit, Failure> {
    let daemon = Daemon { server: args.server.clone(), token_file: args.token_file.clone() };
    let picture = Remote::new(run, &daemon)?.get(&["picture"])?;
    let page = match args.format {
        TableFormat::Text if !run.screen.wants_events() => {
            ui::status::daemon_text(&picture, &args.stacks, run.screen.color())
        }
        TableFormat::Text | TableFormat::Json => format!("{picture:#}\n"),
    };
    run.screen.result(&page)?;
    Ok(Exit::Done)
}
