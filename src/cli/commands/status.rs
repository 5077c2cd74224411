//! `status`: every stack, service and replica as it is, and whether it is as the commit wants it.
//!
//! What is there is shown in any case. A stack that cannot be compared with the commit says why, and
//! hinders no other; no secret is needed.

use std::collections::{BTreeMap, BTreeSet};

use super::Run;
use super::plan::choice;
use super::review::lines;
use crate::cli::args::{Daemon, Inputs, StatusArgs, TableFormat};
use crate::cli::live::{Session, Source, block_on};
use crate::cli::remote::Remote;
use crate::cli::repository::progress;
use crate::cli::{Exit, Failure};
use crate::files::Report;
use crate::model::{Observed, Plan, StackName};
use crate::pipeline::{Cache, Fleet, Snapshot, Wish, assume_inputs, words};
use crate::planner::Scope;
use crate::ui;
use crate::ui::status::Status;

pub(super) fn run(run: &Run<'_>, args: &StatusArgs) -> Result<Exit, Failure> {
    if args.server.is_some() {
        return remote(run, args);
    }
    let inputs = Inputs { env_files: Vec::new(), profiles: Vec::new() };
    let session = Session::open(run, Source::Options, choice(run, &inputs))?;
    let named = Session::named(&args.stacks)?;
    let is_asked_for = |stack: &StackName| named.as_ref().is_none_or(|it| it.contains(stack));
    let bar = progress(run.screen, "rendering");
    let mut wanted = Wanted::of(&session.snapshot);
    bar.finish_and_clear();
    let fleet = session.fleet()?;
    let mut observed = block_on(fleet.look(&wanted.wish))?;
    let plans = wanted.plans(&fleet, &session.snapshot, &observed, is_asked_for);
    for host in observed.hosts.values_mut().flatten() {
        host.containers.retain(|_, container| is_asked_for(&container.identity.stack));
    }
    wanted.faults.retain(|stack, _| is_asked_for(stack));
    let is_blind = observed.hosts.values().any(Result::is_err);
    let is_compared = wanted.faults.is_empty();
    let status = Status::compared(&observed, &plans, wanted.faults);
    let page = match args.format {
        TableFormat::Text if !run.screen.wants_events() => {
            ui::status::text(&status, run.screen.color())
        }
        TableFormat::Text | TableFormat::Json => format!("{:#}\n", ui::status::json(&status)),
    };
    run.screen.result(&page)?;
    if !wanted.missing.is_empty() {
        let missing: Vec<&str> = wanted.missing.iter().map(String::as_str).collect();
        let missing = missing.join(", ");
        run.screen.note(&format!(
            "not known here: {missing}; secrets that come from it are taken to be unchanged"
        ));
    }
    Ok(match (is_blind, is_compared) {
        (true, _) => Exit::Unreachable,
        (false, false) => Exit::Failed,
        (false, true) => Exit::Done,
    })
}

/// What the commit wants, as far as it can be read without secrets.
struct Wanted {
    wish: Wish,
    /// Variables that are not set: what comes from them is taken to be unchanged.
    missing: BTreeSet<String>,
    /// Why stacks cannot be compared.
    faults: BTreeMap<StackName, String>,
}

impl Wanted {
    fn of(snapshot: &Snapshot) -> Self {
        let outcome = snapshot.resolve(&mut Cache::default());
        let mut faults = BTreeMap::new();
        for stack in outcome.stacks.iter().filter(|stack| stack.target.is_none()) {
            faults.insert(stack.name.clone(), first(&stack.report));
        }
        if outcome.conflicts.has_errors() {
            let why = first(&outcome.conflicts.report);
            faults.extend(outcome.conflicts.stacks.iter().map(|it| (it.clone(), why.clone())));
        }
        let mut desired = outcome.desired;
        desired.stacks.retain(|name, _| !faults.contains_key(name));
        let (wish, missing) = match Wish::without_secrets(snapshot, desired.clone()) {
            Ok(read) => read,
            // A file of one stack cannot be read: the others are compared without it.
            Err(_) => {
                for (name, target) in std::mem::take(&mut desired.stacks) {
                    desired.stacks.insert(name.clone(), target);
                    if let Err(why) = Wish::without_secrets(snapshot, desired.clone()) {
                        desired.stacks.remove(&name);
                        faults.insert(name, why);
                    }
                }
                let read = Wish::without_secrets(snapshot, desired);
                read.unwrap_or_else(|_| (Wish::nothing(&snapshot.owner()), BTreeSet::new()))
            }
        };
        Self { wish, missing, faults }
    }

    /// One plan of all; where there is none, one for each stack that has one.
    fn plans(
        &mut self,
        fleet: &Fleet<'_>,
        snapshot: &Snapshot,
        observed: &Observed,
        is_asked_for: impl Fn(&StackName) -> bool,
    ) -> Vec<Plan> {
        let wish = &self.wish;
        let mut observed = observed.clone();
        assume_inputs(&mut observed, &wish.desired, &wish.variables, &self.missing);
        let hosts = observed.hosts.values().filter_map(|host| host.as_ref().ok());
        let there = hosts.flat_map(|host| host.containers.values().map(|it| &it.identity.stack));
        let is_in_commit = |stack: &StackName| {
            snapshot.folders.iter().any(|it| it.name.as_str() == stack.as_str())
        };
        let gone = there.filter(|stack| !is_in_commit(stack));
        let stacks = wish.desired.stacks.keys().chain(gone).filter(|stack| is_asked_for(stack));
        let stacks: BTreeSet<StackName> = stacks.cloned().collect();
        let scope =
            |stacks| Scope { stacks: Some(stacks), skip_unreachable: true, ..Scope::default() };
        if let Ok((plan, _)) = fleet.plan_from(wish, &scope(stacks.clone()), &observed) {
            return vec![plan];
        }
        let mut plans = Vec::new();
        for stack in stacks {
            let alone = scope(BTreeSet::from([stack.clone()]));
            match fleet.plan_from(&wish.of(&stack), &alone, &observed) {
                Ok((plan, _)) => plans.push(plan),
                Err(error) => {
                    self.faults.insert(stack, words(&error));
                }
            }
        }
        plans
    }
}

/// The first error, and how many more there are.
fn first(report: &Report) -> String {
    let errors = lines(report);
    match errors.as_slice() {
        [] => "it has errors".to_owned(),
        [only] => only.clone(),
        [first, more @ ..] => format!("{first}, and {} more", more.len()),
    }
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
