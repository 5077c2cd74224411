//! `validate`: everything that can be checked without a host.

use serde_json::json;

use super::Run;
use crate::cli::args::Validate;
use crate::cli::{Exit, Failure, repository};
use crate::pipeline::{Cache, Choice, Clashes, Outcome, Snapshot};

pub(super) fn run(run: &Run<'_>, args: &Validate) -> Result<Exit, Failure> {
    let global = &run.cli.global;
    let choice = Choice {
        environment: global.environment(),
        variables: run.world.variables.clone(),
        env_files: args.inputs.env_files.clone(),
        profiles: args.inputs.profiles.clone(),
        stacks: args.stacks.clone(),
    };
    let snapshot = repository::snapshot(global, run.world, run.screen, args.worktree, choice)?;
    let what = format!("checking {}", plural(snapshot.folders.len(), "stack"));
    let bar = repository::progress(run.screen, &what);
    let outcome = snapshot.resolve(&mut Cache::default());
    bar.finish_and_clear();
    for stack in &outcome.stacks {
        let services = stack.target.as_ref().map_or(0, |target| target.services.len());
        run.screen.detail(&format!("stack {}: {}", stack.name, plural(services, "service")));
        run.screen.findings(&stack.report.diagnostics, &stack.report.sources);
    }
    let clashes = &outcome.conflicts.report;
    run.screen.findings(&clashes.diagnostics, &clashes.sources);
    summary(run, &snapshot, &outcome, args.worktree)?;
    Ok(if outcome.has_errors() { Exit::Failed } else { Exit::Done })
}

fn summary(
    run: &Run<'_>,
    snapshot: &Snapshot,
    outcome: &Outcome,
    is_worktree: bool,
) -> Result<(), Failure> {
    let bad = outcome.stacks.iter().filter(|stack| stack.target.is_none()).count();
    let services: usize = outcome.desired.stacks.values().map(|stack| stack.services.len()).sum();
    let stacks = outcome.stacks.len();
    let line = if outcome.has_errors() {
        let bad =
            (bad > 0).then(|| format!("{bad} of {} {}", plural(stacks, "stack"), has_errors(bad)));
        let parts: Vec<String> = bad.into_iter().chain(clash(&outcome.conflicts)).collect();
        format!("Invalid: {}, {}.", parts.join(", and "), snapshot.tree().label())
    } else {
        format!(
            "Valid: {}, {}, environment {}, {}.",
            plural(stacks, "stack"),
            plural(services, "service"),
            snapshot.environment.name.as_str(),
            snapshot.tree().label()
        )
    };
    if run.screen.wants_events() {
        let more = json!({"valid": !outcome.has_errors(), "stacks": stacks, "services": services});
        run.screen.event("info", &line, "validate_summary", &more);
        return Ok(());
    }
    run.screen.result(&format!("{line}\n"))?;
    if outcome.has_errors() && !is_worktree && run.cli.global.repo.is_none() {
        let next = run.cli.global.next_command("validate --worktree");
        run.screen.hint(&format!("mend the files, then: {next}"));
    }
    Ok(())
}

/// The clashes in a few words.
fn clash(clashes: &Clashes) -> Option<String> {
    let errors = clashes.report.diagnostics.iter().filter(|problem| problem.is_error());
    let mut rules: Vec<&str> = errors.map(|problem| problem.rule).collect();
    let count = rules.len();
    rules.dedup();
    let thing = match rules.as_slice() {
        [] => return None,
        ["routes/conflict"] => "route",
        ["ports/conflict"] => "host port",
        ["names/conflict"] => "container name",
        _ => "thing",
    };
    let plural_s = if count == 1 { "" } else { "s" };
    Some(match clashes.stacks.len() {
        1 => format!("services of 1 stack claim the same {thing}{plural_s}"),
        stacks => format!("{stacks} stacks claim the same {thing}{plural_s}"),
    })
}

fn has_errors(bad: usize) -> &'static str {
    match bad {
        1 => "has errors",
        _ => "have errors",
    }
}

fn plural(count: usize, word: &str) -> String {
    if count == 1 { format!("1 {word}") } else { format!("{count} {word}s") }
}
