//! Stacks as their commits had them, under the settings, the inventory and the proxies' templates of
//! today: what `rollback` goes back to, and what `drain` leaves a stack at.
//!
//! What is wrong with one stack is kept beside it and hinders no other.

use std::collections::{BTreeMap, BTreeSet};

use super::Failure;
use super::commands::Run;
use super::live::{Session, heading};
use crate::model::{CommitId, Observed, StackName};
use crate::pipeline::{Cache, Past, Snapshot, Wish, release_of};
use crate::ui::plan::Heading;

/// Stacks at commits.
pub(super) struct Bygone {
    /// What those commits want of them.
    pub(super) wish: Wish,
    /// How a plan of it is headed.
    pub(super) heading: Heading,
    /// Why others could not be read.
    pub(super) faults: BTreeMap<StackName, String>,
}

impl Bygone {
    /// Each stack at its revision.
    pub(super) fn at(
        run: &Run<'_>,
        session: &Session<'_>,
        revisions: BTreeMap<StackName, String>,
    ) -> Result<Self, Failure> {
        let rules = &session.snapshot;
        let templates = rules.proxy_templates();
        let templates = templates.map_err(|why| Failure::new(format!("could not plan: {why}")))?;
        let commit = rules.tree().commit().map(|commit| commit.id.clone());
        let wish = Wish { commit, templates, ..Wish::nothing(&session.owner) };
        let mut bygone = Self { wish, heading: heading(rules), faults: BTreeMap::new() };
        let mut by_revision = BTreeMap::<String, BTreeSet<StackName>>::new();
        for (stack, revision) in revisions {
            by_revision.entry(revision).or_default().insert(stack);
        }
        let mut opened = Vec::new();
        for (revision, stacks) in by_revision {
            match open(run, session, &revision) {
                Ok((snapshot, commit)) => opened.push((snapshot, commit, stacks)),
                Err(why) => bygone.leave(stacks, &why),
            }
        }
        if let [(only, commit, _)] = opened.as_slice() {
            bygone.wish.commit = Some(commit.clone());
            bygone.heading = heading(only);
        }
        for (snapshot, commit, stacks) in opened {
            bygone.add(run, snapshot, &commit, stacks);
        }
        Ok(bygone)
    }

    /// The stacks that are `meant`, each at the release that the hosts remember.
    pub(super) fn released(
        run: &Run<'_>,
        session: &Session<'_>,
        observed: &Observed,
        meant: BTreeSet<StackName>,
    ) -> Result<Self, Failure> {
        let (mut revisions, mut unknown) = (BTreeMap::new(), BTreeSet::new());
        for stack in meant {
            match release_of(observed, &stack) {
                Past::At(commit) => {
                    revisions.insert(stack, commit.to_string());
                }
                Past::Unknown => {
                    unknown.insert(stack);
                }
                Past::Nothing => {}
            }
        }
        let mut bygone = Self::at(run, session, revisions)?;
        bygone.leave(unknown, "nobody knows a release of it that was well");
        Ok(bygone)
    }

    fn leave(&mut self, stacks: BTreeSet<StackName>, why: &str) {
        self.faults.extend(stacks.into_iter().map(|stack| (stack, why.to_owned())));
    }

    /// Takes the stacks of one commit. What is found in them is shown in place.
    fn add(
        &mut self,
        run: &Run<'_>,
        mut snapshot: Snapshot,
        commit: &CommitId,
        stacks: BTreeSet<StackName>,
    ) {
        let short = commit.short();
        let is_meant = |name: &str| stacks.iter().any(|stack| stack.as_str() == name);
        snapshot.folders.retain(|folder| is_meant(folder.name.as_str()));
        let outcome = snapshot.resolve(&mut Cache::default());
        for stack in outcome.stacks.iter().filter(|stack| stack.target.is_none()) {
            run.screen.findings(&stack.report.diagnostics, &stack.report.sources);
        }
        let clashes = &outcome.conflicts;
        if clashes.has_errors() {
            run.screen.findings(&clashes.report.diagnostics, &clashes.report.sources);
        }
        for stack in stacks {
            let is_there =
                snapshot.folders.iter().any(|folder| folder.name.as_str() == stack.as_str());
            let clashes = clashes.has_errors() && clashes.stacks.contains(&stack);
            let taken = match outcome.desired.stacks.get(&stack) {
                None if !is_there => Err(format!("the commit {short} does not have it")),
                None => Err(format!("it has errors in the commit {short}")),
                Some(_) if clashes => Err(format!("it clashes with others in the commit {short}")),
                Some(target) => self.wish.take(&snapshot, commit, (&stack, target)),
            };
            if let Err(why) = taken {
                self.faults.insert(stack, why);
            }
        }
    }
}

/// A commit under the rules of today.
fn open(
    run: &Run<'_>,
    session: &Session<'_>,
    revision: &str,
) -> Result<(Snapshot, CommitId), String> {
    let short = revision.get(..7).unwrap_or(revision);
    let absent = |_: Failure| format!("the commit {short} is not in this clone");
    let snapshot = session.under(revision).map_err(absent)?.map_err(|report| {
        run.screen.findings(&report.diagnostics, &report.sources);
        format!("the commit {short} cannot be read with the settings of today")
    })?;
    let commit = snapshot.tree().commit().map(|commit| commit.id.clone());
    Ok((snapshot, commit.unwrap_or_else(|| CommitId::new(revision))))
}
