//! `diff BASE HEAD`: the desired states of two commits against each other.

use super::Run;
use crate::cli::args::{Diff, DiffFormat};
use crate::cli::repository::{self, Opened};
use crate::cli::{Exit, Failure};
use crate::diag::Sources;
use crate::diff::diff;
use crate::files::Report;
use crate::pipeline::{Cache, Choice, Outcome, Snapshot};
use crate::ui;

pub(super) fn run(run: &Run<'_>, args: &Diff) -> Result<Exit, Failure> {
    let global = &run.cli.global;
    let opened = Opened::new(global, run.world, run.screen)?;
    let choice = |stacks: &[String]| Choice {
        environment: global.env.clone(),
        variables: run.world.variables.clone(),
        stacks: stacks.to_vec(),
        ..Choice::default()
    };
    // A stack may be new or gone: it need not be in both.
    let mut cache = Cache::default();
    let base = repository::open(opened.tree(&args.base)?, choice(&[]), run.screen)?;
    let head = repository::open(opened.tree(&args.head)?, choice(&[]), run.screen)?;
    refuse_unknown(&args.stacks, &base, &head)?;
    let mut old = resolve(run, &base, &args.base, &args.stacks, &mut cache)?;
    let mut new = resolve(run, &head, &args.head, &args.stacks, &mut cache)?;
    for outcome in [&mut old, &mut new] {
        let is_wanted =
            |name: &str| args.stacks.is_empty() || args.stacks.iter().any(|s| s == name);
        outcome.desired.stacks.retain(|name, _| is_wanted(name.as_str()));
    }
    let differences = diff(&old.desired, &new.desired);
    let heading = ui::diff::Heading {
        project: head.project.to_string(),
        environment: head.environment.name.as_str().to_owned(),
        base: base.tree().label().to_owned(),
        head: head.tree().label().to_owned(),
    };
    let page = match args.format {
        DiffFormat::Text => ui::diff::text(&differences, &heading, run.screen.color()),
        DiffFormat::Json => format!("{:#}\n", ui::diff::json(&differences, &heading)),
        DiffFormat::Markdown => ui::diff::markdown(&differences, &heading),
    };
    run.screen.result(&page)?;
    Ok(if differences.is_empty() { Exit::Done } else { Exit::Failed })
}

fn refuse_unknown(wanted: &[String], base: &Snapshot, head: &Snapshot) -> Result<(), Failure> {
    let known = |name: &String| {
        let mut folders = base.folders.iter().chain(&head.folders);
        folders.any(|folder| folder.name.as_str() == name)
    };
    match wanted.iter().find(|name| !known(name)) {
        Some(name) => {
            Err(Failure::new(format!("could not compare: neither commit has a stack `{name}`"))
                .hint("gitdeploy validate"))
        }
        None => Ok(()),
    }
}

/// A state with errors cannot be compared: what is missing would read as removed.
fn resolve(
    run: &Run<'_>,
    snapshot: &Snapshot,
    revision: &str,
    wanted: &[String],
    cache: &mut Cache,
) -> Result<Outcome, Failure> {
    let outcome = snapshot.resolve(cache);
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|stack| stack == name);
    let bad: Vec<_> = outcome
        .stacks
        .iter()
        .filter(|stack| stack.target.is_none() && is_wanted(stack.name.as_str()))
        .collect();
    if bad.is_empty() {
        return Ok(outcome);
    }
    for stack in &bad {
        let Report { diagnostics, sources } = &stack.report;
        run.screen.findings(diagnostics, sources);
    }
    run.screen.findings(&outcome.conflicts, &Sources::default());
    let names: Vec<String> = bad.iter().map(|stack| format!("`{}`", stack.name)).collect();
    Err(Failure::new(format!("could not compare: {} at `{revision}` has errors", names.join(", ")))
        .hint(format!("gitdeploy validate --rev {revision}")))
}
