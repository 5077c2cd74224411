//! `plan`: what differs between the commit and the hosts, and the steps that would end it.

use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt};
use std::path::Path;

use super::Run;
use crate::cli::args::{Inputs, Narrowing, PlanArgs, PlanFormat};
use crate::cli::live::{Session, Source, block_on, heading, no_plan, resolve};
use crate::cli::picture::Given;
use crate::cli::report::Written;
use crate::cli::{Exit, Failure};
use crate::model::{Plan, StackName};
use crate::pipeline::{Asked, Beside, Choice, PlanError, Planned, SavedPlan, Snapshot, Wish};
use crate::planner::{Scope, Selector, deletions};
use crate::ui;

/// What a CI takes of a summary, with room for more than one.
const SUMMARY_MAX: usize = 300_000;

pub(super) fn run(run: &Run<'_>, args: &PlanArgs) -> Result<Exit, Failure> {
    let source = if args.worktree { Source::Worktree } else { Source::Options };
    let session = Session::open(run, source, choice(run, &args.inputs))?;
    let mut scope = scope(&args.stacks, &args.narrowing)?;
    scope.skip_unreachable = session.skips_unreachable(args.narrowing.skip_unreachable);
    scope.explain = args.explain;
    let planned = match &args.snapshot {
        None => live(run, &session, &scope)?,
        Some(file) => pictured(run, args, &session, &scope, file)?,
    };
    let plan = planned.map_err(|error| no_plan("plan", error))?;
    let heading = heading(&session.snapshot);
    let page = page(run, &heading, &plan, args.format);
    run.screen.result_as(&page, || ui::plan::json(&plan, &heading))?;
    report(run, &session.snapshot, &heading, &plan);
    refuse_deletions(&session.snapshot, &plan, args.narrowing.allow_deletes)?;
    if let Some(path) = &args.out {
        save(
            &run.world.folder.join(path),
            &plan,
            asked(&args.stacks, &args.inputs, &args.narrowing),
        )?;
        run.screen.hint(&run.cli.global.next_command(&format!("apply {}", path.display())));
    }
    Ok(if args.detailed_exitcode && !plan.is_empty() { Exit::Changes } else { Exit::Done })
}

fn live(
    run: &Run<'_>,
    session: &Session<'_>,
    scope: &Scope,
) -> Result<Result<Plan, PlanError>, Failure> {
    let wish = session.wish()?;
    let fleet = session.fleet()?;
    let bar = crate::cli::repository::progress(run.screen, "looking at the hosts");
    let planned = block_on(fleet.plan(&wish, scope))?;
    bar.finish_and_clear();
    Ok(planned.map(|Planned { plan, .. }| plan))
}

/// For the hosts as a snapshot has them, without any of them and without secrets.
fn pictured(
    run: &Run<'_>,
    args: &PlanArgs,
    session: &Session<'_>,
    scope: &Scope,
    file: &Path,
) -> Result<Result<Plan, PlanError>, Failure> {
    let given = Given::read(run, file, &args.keys, session)?;
    let desired = resolve(run, &session.snapshot, "plan")?;
    let (wish, missing) = Wish::without_secrets(&session.snapshot, desired)
        .map_err(|why| Failure::new(format!("could not plan: {why}")))?;
    run.screen.note(&given.words());
    let key = given.key.as_ref();
    let beside = Beside { wish: &wish, missing: &missing, earlier: None, key };
    Ok(given.plan(session, &beside, scope))
}

/// What of the process and the options a repository is read with.
pub(super) fn choice(run: &Run<'_>, inputs: &Inputs) -> Choice {
    Choice {
        environment: run.cli.global.environment(),
        variables: run.world.variables.clone(),
        env_files: inputs.env_files.clone(),
        profiles: inputs.profiles.clone(),
        // All stacks are read: what one leaves out must not look as if it were gone.
        stacks: Vec::new(),
    }
}

/// What a plan is about.
pub(super) fn scope(stacks: &[String], narrowing: &Narrowing) -> Result<Scope, Failure> {
    let selectors = |texts: &[String]| {
        let parse = |text: &String| {
            text.parse::<Selector>().map_err(|why| {
                Failure::new(format!("could not use `{text}`: {why}"))
                    .hint("a service is written `shop/web`, a replica `shop/web/2`")
            })
        };
        texts.iter().map(parse).collect::<Result<_, _>>()
    };
    Ok(Scope {
        stacks: Session::named(stacks)?,
        targets: selectors(&narrowing.targets)?,
        excludes: selectors(&narrowing.excludes)?,
        replace: selectors(&narrowing.replace)?,
        skip_unreachable: narrowing.skip_unreachable,
        ..Scope::default()
    })
}

pub(super) fn asked(stacks: &[String], inputs: &Inputs, narrowing: &Narrowing) -> Asked {
    Asked {
        stacks: stacks.to_vec(),
        targets: narrowing.targets.clone(),
        excludes: narrowing.excludes.clone(),
        replace: narrowing.replace.clone(),
        env_files: inputs.env_files.clone(),
        profiles: inputs.profiles.clone(),
        skip_unreachable: narrowing.skip_unreachable,
        allow_deletes: narrowing.allow_deletes,
    }
}

/// The plan in the form that was asked for.
pub(super) fn page(
    run: &Run<'_>,
    heading: &ui::plan::Heading,
    plan: &Plan,
    format: PlanFormat,
) -> String {
    match format {
        PlanFormat::Text if run.screen.wants_events() => {
            format!("{:#}\n", ui::plan::json(plan, heading))
        }
        PlanFormat::Text => {
            let style = ui::plan::Style {
                color: run.screen.color(),
                width: run.screen.width(),
                all_steps: run.screen.is_verbose(),
            };
            ui::plan::text(plan, heading, style)
        }
        PlanFormat::Json => format!("{:#}\n", ui::plan::json(plan, heading)),
        PlanFormat::Markdown => ui::plan::markdown(plan, heading, None),
    }
}

/// Leaves the plan for a CI.
pub(super) fn report(run: &Run<'_>, snapshot: &Snapshot, heading: &ui::plan::Heading, plan: &Plan) {
    let summary = ui::plan::markdown(plan, heading, Some(SUMMARY_MAX));
    let sentence = ui::plan::sentence(plan, heading);
    let written = |stack: &StackName| {
        let folder = snapshot.folders.iter().find(|it| it.name.as_str() == stack.as_str());
        let file = folder.and_then(|folder| folder.compose_files.first().cloned());
        Written { file, services: snapshot.services_written(stack) }
    };
    run.screen.reports().plan(plan, &summary, &sentence, written);
}

/// `protect.max_deletes`, unless the run allows more.
pub(super) fn refuse_deletions(
    snapshot: &Snapshot,
    plan: &Plan,
    allowed: Option<u32>,
) -> Result<(), Failure> {
    let limit = snapshot.settings.protect.max_deletes.as_ref().map(|limit| limit.value);
    let Some(limit) = allowed.or(limit) else { return Ok(()) };
    let count = deletions(plan);
    if u32::try_from(count).is_ok_and(|count| count <= limit) {
        return Ok(());
    }
    Err(Failure::new(format!(
        "the plan removes {count} containers, networks and volumes for good; at most {limit} are \
         allowed, so it will not be applied"
    ))
    .exit(Exit::Refused)
    .hint(format!("once you have read it, allow it: --allow-deletes {count}")))
}

fn save(path: &Path, plan: &Plan, asked: Asked) -> Result<(), Failure> {
    let saved = SavedPlan::of(plan, asked).ok_or_else(|| {
        Failure::new("could not save the plan: uncommitted files cannot be deployed")
    })?;
    let failed = |error: std::io::Error| {
        Failure::because(&format!("could not save the plan to {}", path.display()), &error)
    };
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.is_file() {
        // One that was there already keeps its mode otherwise.
        file.set_permissions(PermissionsExt::from_mode(0o600)).map_err(failed)?;
    }
    file.write_all(saved.to_text().as_bytes()).map_err(failed)
}
