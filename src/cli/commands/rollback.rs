//! `rollback`: a stack as an earlier commit wanted it. It is a plan like any other, for another
//! commit, on the hosts that there are today and under today's protections.

use std::collections::{BTreeMap, BTreeSet};

use super::Run;
use super::apply::Job;
use super::plan::{choice, refuse_deletions};
use crate::cli::args::{Inputs, RollbackArgs};
use crate::cli::live::{Session, Source, block_on};
use crate::cli::past::Bygone;
use crate::cli::{Exit, Failure};
use crate::model::{CommitId, Course, Release, StackName};
use crate::pipeline::Fleet;
use crate::planner::Scope;

pub(super) fn run(run: &Run<'_>, args: &RollbackArgs) -> Result<Exit, Failure> {
    let inputs = Inputs { env_files: Vec::new(), profiles: Vec::new() };
    let session = Session::open(run, Source::Options, choice(run, &inputs))?;
    let stack = stack(&session, args)?;
    let revision = match &args.to {
        Some(revision) => revision.clone(),
        None => before(&session, &stack)?.to_string(),
    };
    run.screen.note(&format!("back to {}", revision.get(..12).unwrap_or(&revision)));
    // A name that is wrong is an error of its own.
    session.tree(&revision)?;
    let bygone = Bygone::at(run, &session, BTreeMap::from([(stack.clone(), revision)]))?;
    if let Some(why) = bygone.faults.get(&stack) {
        return Err(Failure::new(format!(
            "could not roll {stack} back: {why}; nothing was changed"
        ))
        .hint(format!("gitdeploy rollback {stack} --to COMMIT")));
    }
    let scope = Scope {
        stacks: Some(BTreeSet::from([stack])),
        skip_unreachable: session.skips_unreachable(args.leave.skip_unreachable),
        course: Course::Rollback,
        ..Scope::default()
    };
    let job = Job::new(run, &session, &args.execution, "roll back").headed(bygone.heading);
    let planned = job.plan(&bygone.wish, &scope)?;
    refuse_deletions(&session.snapshot, &planned.plan, args.leave.allow_deletes)?;
    job.carry_out(&bygone.wish, &planned.plan, &scope)
}

fn stack(session: &Session<'_>, args: &RollbackArgs) -> Result<StackName, Failure> {
    if let Some(name) = &args.stack {
        let named = Session::named(std::slice::from_ref(name))?;
        return named
            .and_then(|mut named| named.pop_first())
            .ok_or_else(|| Failure::new("could not roll back: no stack was named"));
    }
    let mut folders = session.snapshot.folders.iter();
    match (folders.next(), folders.next()) {
        (Some(only), None) => Ok(StackName::from(only.name.clone())),
        _ => Err(Failure::new("could not roll back: which stack is meant?")
            .hint("gitdeploy rollback STACK")),
    }
}

/// The release before the last one, as the hosts remember it.
fn before(session: &Session<'_>, stack: &StackName) -> Result<CommitId, Failure> {
    let fleet: Fleet<'_> = session.fleet()?;
    let nothing = crate::pipeline::Wish::nothing(&session.owner);
    let observed = block_on(fleet.look(&nothing))?;
    let mut releases: Vec<&Release> = observed
        .hosts
        .values()
        .filter_map(|host| host.as_ref().ok()?.releases.get(stack))
        .collect();
    releases.sort_by_key(|release| release.generation);
    releases.last().and_then(|release| release.commits.get(1)).cloned().ok_or_else(|| {
        let is_blind = observed.hosts.values().any(Result::is_err);
        let who = if is_blind { "hosts that answered remember" } else { "hosts remember" };
        let failure = Failure::new(format!(
            "could not roll back: the {who} no release of {stack} before the last one; nothing \
             was changed"
        ))
        .hint(format!("gitdeploy rollback {stack} --to COMMIT"));
        if is_blind { failure.exit(Exit::Unreachable) } else { failure }
    })
}
