//! `rollback`: a stack as an earlier commit wanted it. It is a plan like any other, for another
//! commit.

use std::collections::BTreeSet;

use super::Run;
use super::apply::Job;
use super::plan::choice;
use crate::cli::args::{Inputs, RollbackArgs};
use crate::cli::live::{Session, Source, block_on};
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
    let there = Session::open(run, Source::Revision(&revision), choice(run, &inputs))?;
    let scope = Scope {
        stacks: Some(BTreeSet::from([stack])),
        skip_unreachable: there.skips_unreachable(false),
        course: Course::Rollback,
        ..Scope::default()
    };
    let job = Job::new(run, &there, &args.execution, "roll back");
    let wish = there.wish()?;
    let planned = job.plan(&wish, &scope)?;
    job.carry_out(&wish, &planned.plan, &scope)
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
        Failure::new(format!(
            "could not roll back: the hosts remember no release of {stack} before the last one"
        ))
        .hint("gitdeploy rollback STACK --to COMMIT")
    })
}
