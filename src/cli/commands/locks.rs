//! `locks` and `unlock`: who holds what since when, and how to take it away from the dead.

use super::Run;
use super::plan::choice;
use crate::cli::args::{Inputs, LocksArgs, TableFormat, UnlockArgs};
use crate::cli::live::{Session, Source, block_on};
use crate::cli::screen::moment;
use crate::cli::{Exit, Failure};
use crate::model::HostName;
use crate::pipeline::{self, Fleet};
use crate::ports::{Lease, LeaseKey};
use crate::ui::status::{LockLine, locks_json, locks_text};

pub(super) fn list(run: &Run<'_>, args: &LocksArgs) -> Result<Exit, Failure> {
    let session = open(run)?;
    let fleet = session.fleet()?;
    let Kept { leases, silent } = Kept::on(&fleet)?;
    let lines: Vec<LockLine> = leases.iter().map(|(host, lease)| line(host, lease)).collect();
    let page = match args.format {
        TableFormat::Text if !run.screen.wants_events() => locks_text(&lines, &silent),
        TableFormat::Text | TableFormat::Json => {
            format!("{:#}\n", locks_json(&lines, &silent))
        }
    };
    run.screen.result(&page)?;
    Ok(if silent.is_empty() { Exit::Done } else { Exit::Unreachable })
}

pub(super) fn unlock(run: &Run<'_>, args: &UnlockArgs) -> Result<Exit, Failure> {
    let session = open(run)?;
    let fleet = session.fleet()?;
    let kept = Kept::on(&fleet)?;
    let (host, lease) = kept.meant(run, &args.id)?;
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

/// The leases of the hosts that answered, and who did not.
struct Kept {
    leases: Vec<(HostName, Lease)>,
    /// Hosts, with what came instead of an answer.
    silent: Vec<(String, String)>,
}

impl Kept {
    fn on(fleet: &Fleet<'_>) -> Result<Self, Failure> {
        let (mut leases, mut silent) = (Vec::new(), Vec::new());
        for (host, answer) in block_on(pipeline::leases(&fleet.ports, &fleet.owner))? {
            match answer {
                Ok(kept) => leases.extend(kept.into_iter().map(|lease| (host.clone(), lease))),
                Err(fault) => silent.push((host.to_string(), fault.message)),
            }
        }
        Ok(Self { leases, silent })
    }

    /// The one lease whose id begins so. One that is found counts, whoever else is silent: a host
    /// that is lost is when leases are left behind.
    fn meant(&self, run: &Run<'_>, id: &str) -> Result<&(HostName, Lease), Failure> {
        let mut meant = self.leases.iter().filter(|(_, lease)| lease.id.starts_with(id));
        let next = run.cli.global.next_command("locks");
        match (meant.next(), meant.next()) {
            (Some(only), None) => Ok(only),
            (Some(_), Some(_)) => {
                Err(Failure::new(format!("could not unlock: `{id}` fits several")).hint(next))
            }
            (None, _) if self.silent.is_empty() => {
                Err(Failure::new(format!("could not unlock: there is no lease `{id}`")).hint(next))
            }
            (None, _) => {
                let silent = self.silent.iter().map(|(host, why)| format!("{host} ({why})"));
                let silent: Vec<String> = silent.collect();
                let message = format!(
                    "could not unlock: no host that answered keeps a lease `{id}`; not seen: {}",
                    silent.join(", ")
                );
                Err(Failure::new(message).exit(Exit::Unreachable).hint(next))
            }
        }
    }
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
