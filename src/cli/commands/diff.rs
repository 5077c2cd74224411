//! `diff BASE HEAD`: the desired states of two commits against each other.

use super::Run;
use crate::cli::args::{Diff, DiffFormat};
use crate::cli::repository::{self, Opened};
use crate::cli::{Exit, Failure};
use crate::diff::diff;
use crate::files::Report;
use crate::pipeline::{Cache, Choice, Outcome, Snapshot};
use crate::ui;

pub(super) fn run(run: &Run<'_>, args: &Diff) -> Result<Exit, Failure> {
    let global = &run.cli.global;
    if global.rev.is_some() {
        let message = "could not compare: the revisions are BASE and HEAD, not `--rev`";
        return Err(Failure::new(message).hint(global.next_command("diff HEAD~1 HEAD")));
    }
    let opened = Opened::new(global, run.world, run.screen)?;
    let choice = Choice {
        environment: global.environment(),
        variables: run.world.variables.clone(),
        env_files: args.inputs.env_files.clone(),
        profiles: args.inputs.profiles.clone(),
        stacks: Vec::new(),
    };
    let mut base = repository::open(opened.tree(&args.base)?, choice.clone(), run.screen)?;
    let mut head = repository::open(opened.tree(&args.head)?, choice, run.screen)?;
    refuse_unknown(&args.stacks, &base, &head)?;
    // A stack may be new or gone, so the ones asked for are picked only now.
    let is_wanted = |name: &str| args.stacks.is_empty() || args.stacks.iter().any(|s| s == name);
    for snapshot in [&mut base, &mut head] {
        snapshot.folders.retain(|folder| is_wanted(folder.name.as_str()));
    }
    let mut cache = Cache::default();
    let old = resolve(run, &base, &args.base, &mut cache)?;
    let new = resolve(run, &head, &args.head, &mut cache)?;
    refuse_clashes(run, &new, &args.head)?;
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

/// A head whose stacks clash can never be deployed. A base may: the head is what mends it.
fn refuse_clashes(run: &Run<'_>, outcome: &Outcome, revision: &str) -> Result<(), Failure> {
    let clashes = &outcome.conflicts;
    if !clashes.has_errors() {
        return Ok(());
    }
    run.screen.findings(&clashes.report.diagnostics, &clashes.report.sources);
    let names: Vec<String> = clashes.stacks.iter().map(|name| format!("`{name}`")).collect();
    Err(Failure::new(format!("could not compare: {} at `{revision}` clash", names.join(", ")))
        .hint(run.cli.global.next_command(&format!("validate --rev {revision}"))))
}

/// A state with errors cannot be compared: what is missing would read as removed.
fn resolve(
    run: &Run<'_>,
    snapshot: &Snapshot,
    revision: &str,
    cache: &mut Cache,
) -> Result<Outcome, Failure> {
    let bar = repository::progress(run.screen, &format!("rendering {revision}"));
    let outcome = snapshot.resolve(cache);
    bar.finish_and_clear();
    let bad: Vec<_> = outcome.stacks.iter().filter(|stack| stack.target.is_none()).collect();
    if bad.is_empty() {
        return Ok(outcome);
    }
    for stack in &bad {
        let Report { diagnostics, sources } = &stack.report;
        run.screen.findings(diagnostics, sources);
    }
    let names: Vec<String> = bad.iter().map(|stack| format!("`{}`", stack.name)).collect();
    Err(Failure::new(format!("could not compare: {} at `{revision}` has errors", names.join(", ")))
        .hint(run.cli.global.next_command(&format!("validate --rev {revision}"))))
}
