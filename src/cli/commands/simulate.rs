//! `simulate`: the same plan and the same executor, in a fleet that exists in memory only.
//!
//! Time is held still, so a rollout of minutes takes no time. The real hosts are looked at for what
//! to begin with, if at all; nothing is ever changed on them.

mod fleet;
mod load;
mod mishap;
mod play;
mod setting;
mod what_if;

use std::time::Duration;

use super::Run;
use super::plan::{choice, scope};
use crate::cli::args::{Narrowing, PlanFormat, SimulateArgs, SimulationFormat};
use crate::cli::live::{Session, Source, block_on, heading, no_plan};
use crate::cli::{Exit, Failure};
use crate::model::{CommitId, Observed, Plan, Verdict};
use crate::pipeline::Wish;
use crate::sim::{App, Frozen};
use crate::ui;
use crate::ui::simulate::Simulation;

pub(crate) use mishap::Mishap;
use play::{Stage, Tried};
pub(crate) use setting::Set;

/// How long somebody who only wants to see a picture waits for hosts before the repository is taken
/// for what runs.
const LOOK: Duration = Duration::from_secs(10);

/// What a rollout begins with.
enum Before {
    /// Hosts that have nothing.
    Nothing,
    /// What a commit wants.
    Commit(Box<Wish>, String),
    /// What was seen on the hosts.
    Seen(Box<Observed>),
}

pub(super) fn run(run: &Run<'_>, args: &SimulateArgs) -> Result<Exit, Failure> {
    let session = Session::open(run, Source::Options, choice(run, &args.inputs))?;
    let mut wish = session.wish()?;
    setting::apply(&mut wish.desired, &args.settings)?;
    let before = before(run, &session, &wish, args)?;
    let narrowing = Narrowing {
        targets: args.targets.clone(),
        replace: args.replace.clone(),
        ..Narrowing::default()
    };
    let inventory = &session.snapshot.inventory;
    let stage = Stage {
        scope: scope(&args.stacks, &narrowing)?,
        hosts: fleet::hosts(inventory),
        proxies: fleet::places(inventory),
        session: &session,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| Failure::because("could not start", &error))?;
    let bar = crate::cli::repository::progress(run.screen, "simulating");
    let shown = runtime.block_on(show(&stage, &mut wish, &before, args))?;
    bar.finish_and_clear();
    let (simulation, plan, exit) = shown;
    if args.plan && args.format == SimulationFormat::Text {
        let page = super::plan::page(run, &heading(&session.snapshot), &plan, PlanFormat::Text);
        run.screen.result(&format!("{page}\n"))?;
    }
    let page = match args.format {
        SimulationFormat::Text if !run.screen.wants_events() => {
            ui::simulate::text(&simulation, run.screen.color() && args.out.is_none())
        }
        SimulationFormat::Svg => ui::simulate::svg(&simulation),
        SimulationFormat::Text | SimulationFormat::Json => {
            format!("{:#}\n", ui::simulate::json(&simulation))
        }
    };
    match &args.out {
        None => run.screen.result(&page)?,
        Some(path) => std::fs::write(run.world.folder.join(path), page).map_err(|error| {
            Failure::because(&format!("could not write {}", path.display()), &error)
        })?,
    }
    Ok(exit)
}

/// The plan that `wish` would have on a fleet where `earlier` runs, without asking any host.
pub(super) fn plan_after(
    session: &Session<'_>,
    earlier: Option<Wish>,
    wish: &Wish,
    scope: crate::planner::Scope,
) -> Result<Result<Plan, crate::pipeline::PlanError>, Failure> {
    let inventory = &session.snapshot.inventory;
    let (hosts, proxies) = (fleet::hosts(inventory), fleet::places(inventory));
    let stage = Stage { scope, hosts, proxies, session };
    let before = match earlier {
        Some(earlier) => Before::Commit(Box::new(earlier), String::new()),
        None => Before::Nothing,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| Failure::because("could not start", &error))?;
    runtime.block_on(async {
        let from = begin(&stage, wish, &before, App::default()).await?;
        Ok(stage.plan(&from.thaw(), wish).await)
    })
}

async fn show(
    stage: &Stage<'_>,
    wish: &mut Wish,
    before: &Before,
    args: &SimulateArgs,
) -> Result<(Simulation, Plan, Exit), Failure> {
    let app = App {
        ready_after: Some(fleet::millis(args.ready_after)),
        longest_request: fleet::millis(args.request),
        ..App::default()
    };
    let from = begin(stage, wish, before, app).await?;
    let planned = stage.plan(&from.thaw(), wish).await;
    let plan = planned.map_err(|error| no_plan("simulate", error))?;
    let mut simulation = Simulation {
        from: before.words(),
        to: wish.commit.as_ref().map_or_else(|| "nothing".into(), |it| it.short().to_owned()),
        assumed: assumed(app, before),
        ..Simulation::default()
    };
    let mut mishaps = args.faults.clone();
    let is_plain = mishaps.is_empty() && args.seed.is_none() && !args.brief;
    let longest = Some(app.longest_request);
    let plain = stage.play_under(&from, wish, &[], longest).await;
    if is_plain && !plan.is_empty() {
        simulation.what_if = what_if::what_if(stage, &from, wish, &plan, &plain).await;
        simulation.settings = setting::compare(stage, &from, wish, &plan, &plain).await;
    }
    let dice = |seed| Mishap::of(seed, &plan, plain.calls, plain.timeline.took);
    mishaps.extend(args.seed.and_then(dice));
    let played = match mishaps.is_empty() {
        true => plain,
        false => stage.play_under(&from, wish, &mishaps, longest).await,
    };
    simulation.faults = mishaps.iter().map(ToString::to_string).collect();
    let exit = played.exit();
    simulation.timeline = played.timeline;
    Ok((simulation, plan, exit))
}

/// The world before the rollout.
async fn begin(
    stage: &Stage<'_>,
    wish: &Wish,
    before: &Before,
    app: App,
) -> Result<Frozen, Failure> {
    let inventory = &stage.session.snapshot.inventory;
    let earlier = match before {
        Before::Seen(observed) => {
            return Ok(fleet::copy(inventory, observed, wish, app).await.freeze());
        }
        Before::Commit(earlier, _) => Some(&**earlier),
        Before::Nothing => None,
    };
    let world = fleet::world(inventory, [Some(wish), earlier].into_iter().flatten(), app);
    let Some(earlier) = earlier.filter(|it| !it.desired.stacks.is_empty()) else {
        return Ok(world.freeze());
    };
    let whole = Stage {
        session: stage.session,
        scope: crate::planner::Scope::default(),
        hosts: stage.hosts.clone(),
        proxies: stage.proxies.clone(),
    };
    match whole.deploy(&world, earlier).await {
        Tried::Ended(Verdict::Done) | Tried::Nothing => Ok(world.freeze()),
        other => Err(Failure::new(format!(
            "could not simulate: what runs before could not be deployed: {}",
            other.words()
        ))
        .hint("--from REV names another commit to begin with, --from nothing an empty fleet")),
    }
}

/// What runs before: what `--from` says; else what the hosts have, if they all answer; else the
/// commit before.
fn before(
    run: &Run<'_>,
    session: &Session<'_>,
    wish: &Wish,
    args: &SimulateArgs,
) -> Result<Before, Failure> {
    match args.from.as_deref() {
        Some("nothing") => Ok(Before::Nothing),
        Some("live") => match seen(session, wish) {
            Ok(observed) => Ok(Before::Seen(Box::new(observed))),
            Err(why) => Err(Failure::new(format!("could not look at the hosts: {why}"))
                .exit(Exit::Unreachable)
                .hint("--from HEAD~1 takes the commit before for what runs")),
        },
        Some(revision) => {
            let choice = choice(run, &args.inputs);
            let wish = Session::open(run, Source::Revision(revision), choice)?.wish()?;
            Ok(Before::Commit(Box::new(wish), revision.to_owned()))
        }
        None => match seen(session, wish) {
            Ok(observed) => Ok(Before::Seen(Box::new(observed))),
            Err(why) => {
                run.screen.note(&format!("no look at the hosts ({why}): taking the commit before"));
                let head = run.cli.global.rev.as_deref().unwrap_or("HEAD");
                // The first commit has none before it.
                let earlier = session.wish_at(&CommitId::new(format!("{head}~1")));
                Ok(earlier.map_or(Before::Nothing, |wish| {
                    Before::Commit(Box::new(wish), format!("{head}~1"))
                }))
            }
        },
    }
}

/// What all hosts and proxies have, or why it is not known.
pub(super) fn seen(session: &Session<'_>, wish: &Wish) -> Result<Observed, String> {
    let fleet = session.fleet().map_err(|failure| failure.message)?;
    let look = block_on(async { tokio::time::timeout(LOOK, fleet.look(wish)).await });
    let observed = look.map_err(|failure| failure.message)?;
    let observed = observed.map_err(|_| format!("no answer within {} s", LOOK.as_secs()))?;
    let hosts = observed.hosts.iter().filter_map(|(name, host)| {
        host.as_ref().err().map(|fault| format!("{name}: {}", fault.message))
    });
    let proxies = observed.proxies.iter().filter_map(|(place, proxy)| {
        let fault = proxy.as_ref().err()?;
        Some(format!("{} on {}: {}", place.proxy, place.host, fault.message))
    });
    let silent = hosts.chain(proxies).next();
    silent.map_or(Ok(observed), Err)
}

impl Before {
    fn words(&self) -> String {
        match self {
            Self::Nothing => "an empty fleet".to_owned(),
            Self::Seen(_) => "the hosts as they are now".to_owned(),
            Self::Commit(wish, revision) => {
                let commit = wish.commit.as_ref().map_or("", CommitId::short);
                format!("{commit} ({revision})")
            }
        }
    }
}

/// What is taken for granted about this simulation.
fn assumed(app: App, before: &Before) -> String {
    let seconds = |time: u64| format!("{} s", time_words(time));
    let hosts = match before {
        Before::Seen(_) => "The hosts were looked at, and nothing was changed on them.",
        Before::Nothing | Before::Commit(..) => {
            "No host was asked: all are as the inventory says, with every image within reach, and one swarm."
        }
    };
    format!(
        "{hosts} A replica is ready {} after its start (--ready-after), the longest request takes \
         {} (--request).",
        seconds(app.ready_after.unwrap_or(0)),
        seconds(app.longest_request)
    )
}

fn time_words(millis: u64) -> String {
    match millis % 1_000 {
        0 => format!("{}", millis / 1_000),
        part => format!("{}.{:03}", millis / 1_000, part).trim_end_matches('0').to_owned(),
    }
}
