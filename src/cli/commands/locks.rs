//! `locks` and `unlock`: who holds what since when, and how to take it away from the dead.

use super::Run;
use super::plan::choice;
use crate::cli::args::{Inputs, LocksArgs, TableFormat, UnlockArgs};
use crate::cli::live::{Session, Source, block_on};
use crate::cli::screen::moment;
use crate::cli::{Exit, Failure};
use crate::model::HostName;
use crate::ports::{Lease, LeaseKey, PortError};
use crate::ui::status::{LockLine, locks_json, locks_text};

pub(super) fn list(run: &Run<'_>, args: &LocksArgs) -> Result<Exit, Failure> {
    let session = open(run)?;
    let found = leases(&session)?;
    let lines: Vec<LockLine> = found.iter().map(|(host, lease)| line(host, lease)).collect();
    let page = match args.format {
        TableFormat::Text if !run.screen.wants_events() => locks_text(&lines),
        TableFormat::Text | TableFormat::Json => format!("{:#}\n", locks_json(&lines)),
    };
    run.screen.result(&page)?;
    Ok(Exit::Done)
}

pub(super) fn unlock(run: &Run<'_>, args: &UnlockArgs) -> Result<Exit, Failure> {
    let session = open(run)?;
    let found = leases(&session)?;
    let is_meant = |lease: &Lease| lease.id.starts_with(&args.id);
    let mut meant = found.iter().filter(|(_, lease)| is_meant(lease));
    let (host, lease) = match (meant.next(), meant.next()) {
        (Some(only), None) => only,
        (Some(_), Some(_)) => {
            return Err(Failure::new(format!("could not unlock: `{}` fits several", args.id))
                .hint(run.cli.global.next_command("locks")));
        }
        (None, _) => {
            return Err(Failure::new(format!("could not unlock: there is no lease `{}`", args.id))
                .hint(run.cli.global.next_command("locks")));
        }
    };
    if !lease.is_expired && !args.auto_approve {
        return Err(Failure::new(format!(
            "could not unlock: {} holds it, and has renewed it lately; two runs at once can lose \
             requests",
            lease.holder
        ))
        .exit(Exit::Refused)
        .hint(format!(
            "if you know that it is dead: gitdeploy unlock {} --auto-approve",
            args.id
        )));
    }
    let fleet = session.fleet()?;
    let Some(port) = fleet.ports.leases.get(host) else { return Ok(Exit::Done) };
    block_on(port.break_up(&lease.id))?
        .map_err(|error| Failure::because("could not unlock", &error))?;
    run.screen.note(&format!("the lease of {} is taken away", lease.holder));
    Ok(Exit::Done)
}

fn open<'a>(run: &'a Run<'a>) -> Result<Session<'a>, Failure> {
    let inputs = Inputs { env_files: Vec::new(), profiles: Vec::new() };
    Session::open(run, Source::Options, choice(run, &inputs))
}

fn leases(session: &Session<'_>) -> Result<Vec<(HostName, Lease)>, Failure> {
    let fleet = session.fleet()?;
    let all = async {
        let mut found = Vec::new();
        for (host, port) in &fleet.ports.leases {
            let leases = port.list(&fleet.owner).await.map_err(|error| (host.clone(), error))?;
            found.extend(leases.into_iter().map(|lease| (host.clone(), lease)));
        }
        Ok::<_, (HostName, PortError)>(found)
    };
    block_on(all)?.map_err(|(host, error)| {
        Failure::because(&format!("could not read the leases of {host}"), &error)
            .exit(Exit::Unreachable)
    })
}

fn line(host: &HostName, lease: &Lease) -> LockLine {
    LockLine {
        id: lease.id.get(..12).unwrap_or(&lease.id).to_owned(),
        what: match &lease.key {
            LeaseKey::Stack(_, stack) => format!("stack {stack}"),
            LeaseKey::Proxy(proxy) => format!("proxy {proxy}"),
        },
        holder: lease.holder.clone(),
        purpose: lease.purpose.clone(),
        since: moment(lease.since),
        until: moment(lease.until),
        is_expired: lease.is_expired,
        host: host.to_string(),
    }
}
