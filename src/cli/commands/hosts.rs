//! `hosts`: whether every host and proxy could be deployed to; `--init-overlay` makes the hosts
//! nodes of one swarm.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Run;
use super::apply::is_yes;
use super::plan::choice;
use crate::cli::args::{HostsArgs, Inputs, TableFormat};
use crate::cli::live::{Session, Source, block_on, no_plan};
use crate::cli::{Exit, Failure};
use crate::model::{HostName, HostState, Inspection, Joining};
use crate::pipeline::{Fleet, PlanError, inspect};
use crate::planner::joinings;
use crate::ports::{Engine, PortError};
use crate::ui;

pub(super) fn run(run: &Run<'_>, args: &HostsArgs) -> Result<Exit, Failure> {
    let inputs = Inputs { env_files: Vec::new(), profiles: Vec::new() };
    let session = Session::open(run, Source::Options, choice(run, &inputs))?;
    let fleet = session.fleet()?;
    let mut found = block_on(inspect(&fleet.ports, &fleet.owner))?;
    if args.init_overlay {
        init_overlay(run, args, &fleet, &found)?;
        found = block_on(inspect(&fleet.ports, &fleet.owner))?;
    }
    let page = match args.format {
        TableFormat::Text if !run.screen.wants_events() => {
            ui::hosts::text(&found, run.screen.color())
        }
        TableFormat::Text | TableFormat::Json => format!("{:#}\n", ui::hosts::json(&found)),
    };
    run.screen.result(&page)?;
    let is_blind = found.hosts.iter().any(|host| host.seen.is_err())
        || found.proxies.iter().any(|proxy| proxy.seen.is_err());
    Ok(match (is_blind, ui::hosts::is_well(&found)) {
        (true, _) => Exit::Unreachable,
        (false, false) => Exit::Failed,
        (false, true) => Exit::Done,
    })
}

fn init_overlay(
    run: &Run<'_>,
    args: &HostsArgs,
    fleet: &Fleet<'_>,
    found: &Inspection,
) -> Result<(), Failure> {
    let mut hosts = BTreeMap::<HostName, HostState>::new();
    for host in &found.hosts {
        let state = host.seen.clone().map_err(|fault| {
            Failure::new(format!(
                "could not make a swarm: {} does not answer ({}); nothing was changed",
                host.host, fault.message
            ))
            .exit(Exit::Unreachable)
            .hint(run.cli.global.next_command("hosts"))
        })?;
        hosts.insert(host.host.clone(), state);
    }
    let plan = joinings(&hosts, fleet.inventory)
        .map_err(|problems| no_plan("make a swarm", PlanError::Problems(problems)))?;
    if plan.is_empty() {
        run.screen.note("all hosts are nodes of one swarm already");
        return Ok(());
    }
    for line in ui::hosts::joinings(&plan).lines() {
        run.screen.note(line);
    }
    if !args.auto_approve && !is_yes(run, "make a swarm", "\nDo this?")? {
        return Err(Failure::new("nothing was changed").exit(Exit::Failed));
    }
    for joining in &plan {
        block_on(join(fleet, joining))?.map_err(|error| {
            Failure::because(
                &format!("could not make {} a node; those before it are", joining.host),
                &error,
            )
            .hint(run.cli.global.next_command("hosts --init-overlay"))
        })?;
        run.screen.note(&format!("{} is a node", joining.host));
    }
    Ok(())
}

async fn join(fleet: &Fleet<'_>, joining: &Joining) -> Result<(), PortError> {
    let engine = |host: &HostName| -> Result<Arc<dyn Engine>, PortError> {
        let known = fleet.ports.engines.get(host).cloned();
        known.ok_or_else(|| PortError::NotFound(format!("no host {host}")))
    };
    let own = engine(&joining.host)?;
    match &joining.by {
        None => own.init_swarm(joining.address).await.map(drop),
        Some(by) => {
            let invitation = engine(by)?.invitation(joining.as_manager).await?;
            own.join_swarm(&invitation, joining.address).await.map(drop)
        }
    }
}
