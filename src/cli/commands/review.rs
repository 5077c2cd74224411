//! `review`: what a pull request would do, for those who decide on it.
//!
//! The head is somebody's wish: settings, inventory and protections are those of the base, nothing
//! of the head is run, and what the process passes to templates is not shown. What is planned is the
//! head merged into the base. Whether the review could be posted changes no exit code.

mod compared;
mod post;

use std::collections::BTreeSet;

use super::plan::{choice, scope};
use super::{Run, simulate};
use crate::cli::args::{Against, Narrowing, PlanFormat, ReviewArgs};
use crate::cli::live::{Session, Source, block_on, heading, no_plan};
use crate::cli::picture::Given;
use crate::cli::{Exit, Failure};
use crate::diff::{Differences, diff, is_sensitive_name};
use crate::files::Report;
use crate::model::{Observed, Plan};
use crate::pipeline::{Beside, Cache, Outcome, PlanError, Snapshot, Wish, assume_inputs};
use crate::planner::deletions;
use crate::ui;

use compared::Compared;
use post::Post;

/// The most that is kept of a page for a terminal or a file.
const NO_LIMIT: usize = usize::MAX;

/// What a CI takes of a summary, with room for more than one.
const SUMMARY_MAX: usize = 300_000;

/// A value shorter than this is no secret that could be told from a part of a word.
const SECRET_MIN: usize = 4;

/// What is planned for hosts when the head could not be merged.
const BEHIND: &str =
    "What the base has changed since the head was begun shows in the plan as undone.";

/// What came of base and head, owned.
#[derive(Default)]
struct Found {
    differences: Option<Differences>,
    plan: Option<Plan>,
    against: String,
    notes: Vec<String>,
    errors: Vec<String>,
    exit: Option<Exit>,
}

pub(super) fn run(run: &Run<'_>, args: &ReviewArgs) -> Result<Exit, Failure> {
    let post = Post::new(run, &args.post, args.head.is_none())?;
    let base = base_of(run, args, &post)?;
    let pull = args.post.number.or_else(|| post.number());
    let session = Session::open(run, Source::Base(&base, pull), choice(run, &args.inputs))?;
    let head = args.head.clone().or_else(|| post.head());
    let head = head.map_or_else(|| head_of(run, &session, pull), Ok)?;
    let compared = Compared::of(&session, &head)?;
    let (label, commit) = (compared.head.label().to_owned(), compared.head.commit().cloned());
    let given = args.snapshot.as_deref();
    let given = given.map(|file| Given::read(run, file, &args.keys, &session)).transpose()?;
    let found = found(run, args, &session, compared, given.as_ref())?;
    let hash = |commit: Option<&crate::git::Commit>| commit.map(|it| it.id.to_string());
    let base_tree = session.snapshot.tree();
    let mut review = ui::review::Review {
        heading: ui::diff::Heading {
            project: session.snapshot.project.to_string(),
            environment: session.snapshot.environment.name.to_string(),
            base: base_tree.label().to_owned(),
            head: label,
        },
        subject: commit.as_ref().map(|it| it.summary.clone()).unwrap_or_default(),
        differences: found.differences.as_ref(),
        plan: found.plan.as_ref(),
        against: found.against,
        notes: found.notes,
        errors: found.errors,
        stale: None,
        url: post.url(),
    };
    let secrets = secrets(&session.snapshot);
    let hide = |page: String| hidden(page, &secrets);
    let page = match args.format {
        PlanFormat::Text if !run.screen.wants_events() => {
            let style = ui::plan::Style {
                color: run.screen.color(),
                width: run.screen.width(),
                all_steps: run.screen.is_verbose(),
            };
            ui::review::text(&review, style)
        }
        PlanFormat::Text | PlanFormat::Json => format!("{:#}\n", ui::review::json(&review)),
        PlanFormat::Markdown => ui::review::markdown(&review, NO_LIMIT),
    };
    let value = || {
        let json = ui::review::json(&review).to_string();
        serde_json::from_str(&hide(json)).unwrap_or_default()
    };
    run.screen.result_as(&hide(page), value)?;
    for error in &review.errors {
        run.screen.reports().failure(error, None);
    }
    if let Some(plan) = review.plan {
        super::plan::report(run, &session.snapshot, &heading(&session.snapshot), plan);
    }
    run.screen.reports().summary(&hide(ui::review::markdown(&review, SUMMARY_MAX)));
    if let Some(head) = hash(commit.as_ref()) {
        let reviewed = post::Reviewed { head, base: hash(base_tree.commit()).unwrap_or_default() };
        post.send(run, &mut review, &reviewed, &hide);
    }
    let has_changes = review.plan.is_some_and(|plan| !plan.is_empty());
    Ok(match found.exit {
        Some(exit) => exit,
        None if args.detailed_exitcode && has_changes => Exit::Changes,
        None => Exit::Done,
    })
}

/// What the change would be merged into.
fn base_of(run: &Run<'_>, args: &ReviewArgs, post: &Post) -> Result<String, Failure> {
    let base = args.base.clone().or_else(|| post.base()).ok_or_else(|| {
        Failure::new("could not review: it is not said what the change would be merged into")
            .hint(run.cli.global.next_command("review --base main"))
    })?;
    // A mirror has the branches themselves.
    Ok(match base.strip_prefix("refs/remotes/origin/") {
        Some(branch) if run.cli.global.repo.is_some() => format!("refs/heads/{branch}"),
        Some(_) | None => base,
    })
}

/// The change, when nobody says which: a mirror has no commit that is checked out.
fn head_of(run: &Run<'_>, session: &Session<'_>, pull: Option<u64>) -> Result<String, Failure> {
    match pull.filter(|_| run.cli.global.repo.is_some()) {
        Some(pull) => session.head_of(pull),
        None => Ok("HEAD".to_owned()),
    }
}

/// Everything that can be told of base and head.
fn found(
    run: &Run<'_>,
    args: &ReviewArgs,
    session: &Session<'_>,
    compared: Compared,
    given: Option<&Given>,
) -> Result<Found, Failure> {
    let mut found = Found { notes: moved_rules(session, &compared)?, ..Found::default() };
    let Compared { head, ancestor, note } = compared;
    found.notes.splice(0..0, note);
    let snapshot = match session.under_tree(head) {
        Ok(snapshot) => snapshot,
        Err(report) => {
            run.screen.findings(&report.diagnostics, &report.sources);
            found.refuse(lines(&report), Exit::Failed);
            return Ok(found);
        }
    };
    let mut cache = Cache::default();
    let ancestor = ancestor.map(|tree| session.under_tree(tree));
    let base = match &ancestor {
        None => Some(&session.snapshot),
        Some(ancestor) => ancestor.as_ref().ok(),
    };
    let base = base.map(|snapshot| (snapshot, snapshot.resolve(&mut cache)));
    let base = base.filter(|(_, outcome)| !outcome.has_errors());
    let outcome = snapshot.resolve(&mut cache);
    let errors = errors(run, &outcome);
    if !errors.is_empty() {
        found.refuse(errors, Exit::Failed);
        return Ok(found);
    }
    match &base {
        Some((_, base)) => {
            let mut differences = diff(&base.desired, &outcome.desired);
            if let Some(named) = Session::named(&args.stacks)? {
                differences.stacks.retain(|stack| named.contains(&stack.name));
            }
            found.differences = Some(differences);
        }
        None => {
            found.notes.push("The base has errors, so it could not be compared with.".to_owned());
        }
    }
    let failed = |why: String| Failure::new(format!("could not review: {why}"));
    let (wish, missing) = Wish::without_secrets(&snapshot, outcome.desired).map_err(failed)?;
    let earlier = base.and_then(|(snapshot, base)| {
        Wish::without_secrets(snapshot, base.desired).ok().map(|(wish, _)| wish)
    });
    let is_apart = ancestor.is_some();
    let is_live = args.against == Some(Against::Live) || args.skip_unreachable;
    if is_apart && (given.is_some() || is_live) {
        found.notes.push(BEHIND.to_owned());
    }
    match given {
        Some(given) => {
            pictured(args, session, &wish, earlier.as_ref(), &missing, given, &mut found)?;
        }
        None => {
            let sides = Sides { wish: &wish, earlier, missing: &missing, is_apart };
            planned(run, args, session, sides, &mut found)?;
        }
    }
    Ok(found)
}

/// What is wrong with the head; shown in its places, too.
fn errors(run: &Run<'_>, outcome: &Outcome) -> Vec<String> {
    let bad = outcome.stacks.iter().filter(|stack| stack.target.is_none());
    let mut errors: Vec<String> = bad.flat_map(|stack| lines(&stack.report)).collect();
    for stack in &outcome.stacks {
        run.screen.findings(&stack.report.diagnostics, &stack.report.sources);
    }
    let clashes = &outcome.conflicts.report;
    run.screen.findings(&clashes.diagnostics, &clashes.sources);
    errors.extend(lines(clashes));
    errors
}

/// What is planned, and what it is planned after.
struct Sides<'a> {
    wish: &'a Wish,
    earlier: Option<Wish>,
    missing: &'a BTreeSet<String>,
    /// Whether `earlier` is not what the base wants, but a commit that base and head come from.
    is_apart: bool,
}

/// The plan, against what was asked for or can be had.
fn planned(
    run: &Run<'_>,
    args: &ReviewArgs,
    session: &Session<'_>,
    sides: Sides<'_>,
    found: &mut Found,
) -> Result<(), Failure> {
    let Sides { wish, earlier, missing, is_apart } = sides;
    let mut scope = scope(&args.stacks, &Narrowing::default())?;
    scope.skip_unreachable = session.skips_unreachable(args.skip_unreachable);
    let against = args.against.or(args.skip_unreachable.then_some(Against::Live));
    let seen = match against {
        Some(Against::Base) => None,
        Some(Against::Live) => {
            let fleet = session.fleet()?;
            Some(block_on(fleet.look(wish))?)
        }
        // On the hosts is what the base has changed since, too.
        None if is_apart => None,
        None => match simulate::seen(session, wish) {
            Ok(observed) => Some(observed),
            Err(why) => {
                run.screen.note(&format!("no look at the hosts ({why}): taking the base for them"));
                None
            }
        },
    };
    let planned = match seen {
        Some(mut observed) => {
            found.against = against_live(&observed);
            let assumed = assume_inputs(&mut observed, &wish.desired, &wish.variables, missing);
            found.notes.extend(unknown(missing, &assumed));
            let fleet = session.fleet()?;
            fleet.plan_on(wish, &scope, observed).map(|planned| planned.plan)
        }
        None => {
            let whose = if is_apart { "the commit that both come from" } else { "the base" };
            found.against = format!(
                "No host was asked: planned for hosts that have what {whose} wants, with every image \
                 within reach."
            );
            simulate::plan_after(session, earlier, wish, scope)?
        }
    };
    found.settle(session, planned, args.allow_deletes);
    Ok(())
}

/// The same against a snapshot.
fn pictured(
    args: &ReviewArgs,
    session: &Session<'_>,
    wish: &Wish,
    earlier: Option<&Wish>,
    missing: &BTreeSet<String>,
    given: &Given,
    found: &mut Found,
) -> Result<(), Failure> {
    let mut scope = scope(&args.stacks, &Narrowing::default())?;
    scope.skip_unreachable = args.skip_unreachable;
    found.against = given.words();
    let earlier = earlier.map(|wish| &wish.desired);
    let beside = Beside { wish, missing, earlier, key: given.key.as_ref() };
    let planned = given.plan(session, &beside, &scope);
    found.settle(session, planned, args.allow_deletes);
    Ok(())
}

impl Found {
    fn settle(
        &mut self,
        session: &Session<'_>,
        planned: Result<Plan, PlanError>,
        allowed: Option<u32>,
    ) {
        match planned {
            Ok(plan) => {
                self.protect(session, &plan, allowed);
                self.plan = Some(plan);
            }
            Err(error) => {
                let failure = no_plan("plan", error);
                let exit = failure.exit.unwrap_or(Exit::Failed);
                self.refuse(failure.message.lines().map(str::to_owned).collect(), exit);
            }
        }
    }

    fn refuse(&mut self, errors: Vec<String>, exit: Exit) {
        self.errors = errors;
        self.exit = Some(exit);
    }

    /// `protect.max_deletes` of the base, unless the run allows more.
    fn protect(&mut self, session: &Session<'_>, plan: &Plan, allowed: Option<u32>) {
        let limit = session.snapshot.settings.protect.max_deletes.as_ref();
        let Some(limit) = allowed.or(limit.map(|limit| limit.value)) else { return };
        let count = deletions(plan);
        if u32::try_from(count).is_ok_and(|count| count <= limit) {
            return;
        }
        self.errors.push(format!(
            "it removes {count} containers, networks and volumes for good; at most {limit} are allowed"
        ));
        self.exit = Some(Exit::Refused);
    }
}

fn against_live(observed: &Observed) -> String {
    let answered = observed.hosts.values().filter(|host| host.is_ok()).count();
    format!(
        "Planned for the hosts as they are now; {answered} of {} answered.",
        observed.hosts.len()
    )
}

fn unknown(missing: &BTreeSet<String>, services: &BTreeSet<String>) -> Option<String> {
    let list = |names: &BTreeSet<String>| names.iter().cloned().collect::<Vec<_>>().join(", ");
    (!services.is_empty()).then(|| {
        format!(
            "Not known here: {}. Secrets of {} that come from it are taken to be unchanged.",
            list(missing),
            list(services)
        )
    })
}

/// What the head says of settings and inventory is not followed; people must know that.
fn moved_rules(session: &Session<'_>, compared: &Compared) -> Result<Vec<String>, Failure> {
    let unreadable =
        |error: crate::pipeline::TreeError| Failure::because("could not read the files", &error);
    let base = compared.ancestor.as_ref().unwrap_or(session.snapshot.tree());
    let (base, head) = (base.files(), compared.head.files());
    let (base, head) = (base.map_err(unreadable)?, head.map_err(unreadable)?);
    let inventory = session.snapshot.environment.inventory.as_ref();
    let usual = ["gitdeploy.yaml", "gitdeploy.yml", "inventory.yaml", "inventory.yml"];
    let mut paths: BTreeSet<&str> = usual.into();
    paths.extend(inventory.map(|path| path.value.as_str()));
    let differs = |path: &&str| {
        let print = |files: &dyn crate::files::Files| files.fingerprint(path).ok().flatten();
        print(base) != print(head)
    };
    let note = |path: &str| {
        format!(
            "{path} changes. Settings and inventory are those of the base, so what that changes is \
             not shown here."
        )
    };
    Ok(paths.into_iter().filter(differs).map(note).collect())
}

/// The errors among findings, a line each.
pub(super) fn lines(report: &Report) -> Vec<String> {
    let errors = report.diagnostics.iter().filter(|finding| finding.is_error());
    let line = |finding: &crate::diag::Diagnostic| {
        let place = finding.primary.as_ref().map_or_else(String::new, |label| {
            let at = report.sources.locate(label.span);
            format!("{}:{}:{}: ", at.source.name, at.line, at.column)
        });
        format!("{place}{} [{}]", finding.message, finding.rule)
    };
    errors.map(line).collect()
}

/// Values that flow into templates and must not be in any comment: a head could print them.
fn secrets(base: &Snapshot) -> BTreeSet<String> {
    let passed = base.passed_variables().into_iter();
    let secret = passed.filter(|(name, _)| is_sensitive_name(name));
    let lines = secret.flat_map(|(_, value)| {
        let lines: Vec<String> = value.lines().map(str::trim).map(str::to_owned).collect();
        lines
    });
    lines.filter(|line| line.len() >= SECRET_MIN).collect()
}

fn hidden(page: String, secrets: &BTreeSet<String>) -> String {
    // Also as JSON and Markdown write them.
    let forms = secrets.iter().flat_map(|secret| {
        let json = serde_json::Value::from(secret.as_str()).to_string();
        let json = json.trim_matches('"').to_owned();
        [secret.clone(), json, secret.replace('|', "\\|")]
    });
    let mut forms: Vec<String> = forms.collect();
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.iter().fold(page, |page, form| page.replace(form, "***"))
}
