//! `apply`: makes the hosts what the commit wants.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::Run;
use super::plan::{choice, page, refuse_deletions, report, scope};
use crate::cli::args::{ApplyArgs, Execution, Inputs, Narrowing, PlanFormat};
use crate::cli::live::{Session, Source, block_on, heading, no_plan, signals};
use crate::cli::{Exit, Failure};
use crate::exec::{Options, Stop};
use crate::model::{Event, Plan, Verdict};
use crate::pipeline::{ApplyError, Fleet, Moved, Orders, Planned, SavedPlan, Wish, moved};
use crate::planner::Scope;
use crate::ports::{Lease, LeaseKey, PortError};
use crate::ui::plan::Heading;
use crate::ui::run::Progress;

/// How long a lease lasts without being renewed: a run that was killed keeps others away so long.
const LEASE: Duration = Duration::from_secs(30);

/// Steps on one host at the same time. Creating and starting eight containers keeps a usual engine
/// busy without making it slow for what it serves.
const STEPS_PER_HOST: usize = 8;

/// How often a run that waits for others plans anew after they have changed the hosts.
const PLANS_AGAIN: u32 = 3;

pub(super) fn run(run: &Run<'_>, args: &ApplyArgs) -> Result<Exit, Failure> {
    if let [only] = args.stacks.as_slice() {
        let path = run.world.folder.join(only);
        if path.is_file() {
            return saved(run, args, &path);
        }
    }
    let session = Session::open(run, Source::Options, choice(run, &args.inputs))?;
    let mut scope = scope(&args.stacks, &args.narrowing)?;
    scope.skip_unreachable = session.skips_unreachable(args.narrowing.skip_unreachable);
    let job = Job::new(run, &session, &args.execution, "apply").formed(args.format);
    let wish = session.wish()?;
    let mut again = if args.execution.lock_timeout > 0 { PLANS_AGAIN } else { 0 };
    loop {
        let planned = job.plan(&wish, &scope)?;
        refuse_deletions(&session.snapshot, &planned.plan, args.narrowing.allow_deletes)?;
        let exit = match job.carry_out(&wish, &planned.plan, &scope) {
            Err(failure) if again > 0 && failure.exit == Some(Exit::Stale) => {
                again -= 1;
                run.screen.note("another run has changed the hosts meanwhile; planning again");
                continue;
            }
            ended => ended?,
        };
        return Ok(match exit {
            Exit::Done if args.detailed_exitcode && !planned.plan.is_empty() => Exit::Changes,
            exit => exit,
        });
    }
}

/// Applies a saved plan, if the same plan still comes out.
fn saved(run: &Run<'_>, args: &ApplyArgs, path: &std::path::Path) -> Result<Exit, Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::because(&format!("could not use the plan {}", path.display()), error)
            .hint(run.cli.global.next_command("plan --out FILE"))
    };
    #[expect(clippy::disallowed_methods, reason = "a plan file is named by the user")]
    let text = std::fs::read_to_string(path).map_err(|error| failed(&error))?;
    let saved = SavedPlan::read(&text).map_err(|error| failed(&error))?;
    let inputs =
        Inputs { env_files: saved.asked.env_files.clone(), profiles: saved.asked.profiles.clone() };
    let narrowing = Narrowing {
        targets: saved.asked.targets.clone(),
        excludes: saved.asked.excludes.clone(),
        replace: saved.asked.replace.clone(),
        skip_unreachable: saved.asked.skip_unreachable,
        allow_deletes: saved.asked.allow_deletes,
    };
    let mut choice = choice(run, &inputs);
    choice.environment = Some(saved.environment.clone());
    let session = Session::open(run, Source::Revision(&saved.commit), choice)?;
    let mut scope = scope(&saved.asked.stacks, &narrowing)?;
    scope.skip_unreachable = session.skips_unreachable(narrowing.skip_unreachable);
    let job = Job::new(run, &session, &args.execution, "apply").formed(args.format);
    let wish = session.wish()?;
    let planned = job.look(&wish, &scope)?;
    if planned.plan.id != saved.id() {
        return Err(stale(&moved(&saved.basis, &planned.plan.basis)));
    }
    refuse_deletions(&session.snapshot, &planned.plan, narrowing.allow_deletes)?;
    job.show(&planned.plan)?;
    // Whoever saved the plan has read it.
    let exit = job.execute(&wish, &planned.plan, &scope)?;
    Ok(match exit {
        Exit::Done if args.detailed_exitcode && !planned.plan.is_empty() => Exit::Changes,
        exit => exit,
    })
}

/// One plan on its way to the hosts.
pub(super) struct Job<'a> {
    run: &'a Run<'a>,
    session: &'a Session<'a>,
    execution: &'a Execution,
    verb: &'static str,
    heading: Heading,
    format: PlanFormat,
    /// The connections that the plan was made over.
    fleet: Cell<Option<Fleet<'a>>>,
}

impl<'a> Job<'a> {
    pub(super) fn new(
        run: &'a Run<'a>,
        session: &'a Session<'a>,
        execution: &'a Execution,
        verb: &'static str,
    ) -> Self {
        let (heading, format) = (heading(&session.snapshot), PlanFormat::Text);
        Self { run, session, execution, verb, heading, format, fleet: Cell::new(None) }
    }

    /// The same for a plan that is not of the session's commit.
    pub(super) fn headed(self, heading: Heading) -> Self {
        Self { heading, ..self }
    }

    /// The same with the plan in another form.
    fn formed(self, format: PlanFormat) -> Self {
        Self { format, ..self }
    }

    /// Looks at the hosts, plans and shows the plan.
    pub(super) fn plan(&self, wish: &Wish, scope: &Scope) -> Result<Planned, Failure> {
        let bar = crate::cli::repository::progress(self.run.screen, "looking at the hosts");
        let planned = self.look(wish, scope);
        bar.finish_and_clear();
        let planned = planned?;
        self.show(&planned.plan)?;
        Ok(planned)
    }

    fn look(&self, wish: &Wish, scope: &Scope) -> Result<Planned, Failure> {
        let fleet = self.session.fleet()?;
        let planned = block_on(fleet.plan(wish, scope))?;
        self.fleet.set(Some(fleet));
        planned.map_err(|error| no_plan(self.verb, error))
    }

    pub(super) fn show(&self, plan: &Plan) -> Result<(), Failure> {
        self.run.screen.planned(plan);
        report(self.run, &self.session.snapshot, &self.heading, plan);
        let page = page(self.run, &self.heading, plan, self.format);
        self.run.screen.result_as(&page, || crate::ui::plan::json(plan, &self.heading))
    }

    /// Asks, and carries the plan out.
    pub(super) fn carry_out(
        &self,
        wish: &Wish,
        plan: &Plan,
        scope: &Scope,
    ) -> Result<Exit, Failure> {
        if plan.is_empty() {
            return Ok(Exit::Done);
        }
        if !self.execution.auto_approve && !self.is_approved(plan)? {
            self.run.screen.note("nothing was changed");
            return Ok(Exit::Failed);
        }
        self.execute(wish, plan, scope)
    }

    /// Carries the plan out.
    pub(super) fn execute(&self, wish: &Wish, plan: &Plan, scope: &Scope) -> Result<Exit, Failure> {
        if plan.is_empty() {
            return Ok(Exit::Done);
        }
        let fleet = self.fleet.take().map_or_else(|| self.session.fleet(), Ok)?;
        let result = block_on(self.with_events(&fleet, wish, plan, scope))?;
        let verdict = result.map_err(|error| self.not_applied(error))?;
        Ok(match verdict {
            Verdict::Done => Exit::Done,
            Verdict::Failed => Exit::Failed,
            Verdict::RolledBack => Exit::RolledBack,
            Verdict::Partly => Exit::Partly,
            Verdict::Interrupted => Exit::Interrupted,
        })
    }

    async fn with_events(
        &self,
        fleet: &Fleet<'_>,
        wish: &Wish,
        plan: &Plan,
        scope: &Scope,
    ) -> Result<Verdict, ApplyError> {
        let (events, mut received) = mpsc::unbounded_channel::<Event>();
        let (stop_sender, stop) = watch::channel(Stop::None);
        let stop_sender = Arc::new(stop_sender);
        let watcher = tokio::spawn(signals(Arc::clone(&stop_sender), events.clone()));
        let options = Options {
            keep_failed: self.execution.keep_failed,
            per_host: STEPS_PER_HOST,
            holder: holder(self.run),
            purpose: plan
                .commit
                .as_ref()
                .map_or_else(|| self.verb.to_owned(), |commit| commit.short().to_owned()),
            lease: LEASE,
            lease_wait: Duration::from_secs(self.execution.lock_timeout),
        };
        let earlier = |commit: &crate::model::CommitId| self.session.wish_at(commit);
        let orders = Orders { scope, options: &options, events: &events, stop, earlier: &earlier };
        let mut progress = Progress::new(self.run.screen.progress_style(), plan);
        let work = fleet.apply(wish, plan, &orders);
        tokio::pin!(work);
        let result = loop {
            tokio::select! {
                biased;
                Some(event) = received.recv() => self.tell(&mut progress, &event),
                result = &mut work => break result,
            }
        };
        while let Ok(event) = received.try_recv() {
            self.tell(&mut progress, &event);
        }
        watcher.abort();
        result
    }

    fn tell(&self, progress: &mut Progress, event: &Event) {
        let lines = progress.event(event);
        self.run.screen.happened(event, &lines);
    }

    /// Whether the person at the terminal agrees. Nobody looks after the connections meanwhile, so
    /// new ones are made afterwards.
    pub(super) fn is_approved(&self, plan: &Plan) -> Result<bool, Failure> {
        self.fleet.take();
        let totals = plan.totals();
        let question = format!(
            "\nDo this to {} ({} to create, {} to change, {} to remove)?",
            self.session.owner.environment, totals.create, totals.change, totals.remove
        );
        is_yes(self.run, self.verb, &question)
    }

    fn not_applied(&self, error: ApplyError) -> Failure {
        match error {
            ApplyError::Locked(lease) => locked(&lease),
            ApplyError::Lease(error) => {
                let exit = match error {
                    PortError::Unreachable(_) | PortError::Unknown(_) => Exit::Unreachable,
                    PortError::Refused(_) | PortError::NotFound(_) | PortError::Moved(_) => {
                        Exit::Failed
                    }
                };
                Failure::because("could not take the lease; nothing was changed", &error).exit(exit)
            }
            ApplyError::Stale(moved) => stale(&moved),
            ApplyError::Plan(error) => no_plan(self.verb, error),
        }
    }
}

/// Whether the person at the terminal says yes; an error when there is none.
pub(super) fn is_yes(run: &Run<'_>, verb: &str, question: &str) -> Result<bool, Failure> {
    if !std::io::stdin().is_terminal() || run.screen.wants_events() {
        return Err(Failure::new(format!(
            "could not {verb}: nobody can be asked, as this is no terminal; nothing was changed"
        ))
        .hint("once you have read the plan, add --auto-approve"));
    }
    let mut err = std::io::stderr().lock();
    let question = format!("{question} Only `yes` will do: ");
    // A terminal that cannot be written to gives no answer either.
    drop(err.write_all(question.as_bytes()).and_then(|()| err.flush()));
    let mut answer = String::new();
    std::io::stdin()
        .read_line(&mut answer)
        .map_err(|error| Failure::because("could not read the answer", &error))?;
    Ok(answer.trim() == "yes")
}

/// Who we are, for others who want to know who holds a lease.
pub(super) fn holder(run: &Run<'_>) -> String {
    let variable = |name: &str| run.world.variable(name).map(str::to_owned);
    if let (Some(server), Some(repository), Some(id)) =
        (variable("GITHUB_SERVER_URL"), variable("GITHUB_REPOSITORY"), variable("GITHUB_RUN_ID"))
    {
        return format!("{server}/{repository}/actions/runs/{id}");
    }
    if let Some(url) = variable("CI_JOB_URL") {
        return url;
    }
    let user = variable("USER").or_else(|| variable("LOGNAME")).unwrap_or_else(|| "someone".into());
    let machine = variable("HOSTNAME").unwrap_or_else(hostname);
    format!("{user}@{machine}, process {}", std::process::id())
}

/// Linux keeps the machine's name here.
fn hostname() -> String {
    #[expect(clippy::disallowed_methods, reason = "a fact of this machine, shown to people only")]
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map_or_else(|_| "this machine".to_owned(), |name| name.trim().to_owned())
}

fn locked(lease: &Lease) -> Failure {
    let what = match &lease.key {
        LeaseKey::Stack(_, stack) => format!("stack {stack}"),
        LeaseKey::Proxy(proxy) => format!("proxy {proxy}"),
    };
    let time = |millis| crate::cli::screen::moment(millis);
    Failure::new(format!(
        "could not apply: {what} is being changed by {} ({}) since {}; its lease ends at {} unless \
         it is renewed; nothing was changed",
        lease.holder,
        lease.purpose,
        time(lease.since),
        time(lease.until)
    ))
    .exit(Exit::Locked)
    .hint(format!("if that run is dead: gitdeploy unlock {}", lease.id))
}

fn stale(moved: &BTreeSet<Moved>) -> Failure {
    let lines: Vec<String> = moved.iter().map(|moved| format!("\n  {moved}")).collect();
    let lines = if lines.is_empty() {
        "\n  another plan comes out of the same facts".to_owned()
    } else {
        lines.concat()
    };
    Failure::new(format!(
        "could not apply: the hosts are not as the plan saw them; nothing was changed{lines}"
    ))
    .exit(Exit::Stale)
    .hint("gitdeploy plan")
}
