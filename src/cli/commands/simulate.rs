//! `simulate`: the same plan and the same executor, in a fleet that exists in memory only.
//!
//! Time is held still, so a rollout of minutes takes no time; nothing is asked of any host.

mod fleet;
mod timeline;

use std::str::FromStr;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::Run;
use super::plan::{choice, scope};
use crate::cli::args::{Narrowing, SimulateArgs, TableFormat};
use crate::cli::live::{Session, Source, no_plan};
use crate::cli::{Exit, Failure};
use crate::exec::{Options, Stop};
use crate::model::{CommitId, Plan, Verdict};
use crate::pipeline::{ApplyError, Fleet, Orders, Wish};
use crate::planner::Scope;
use crate::sim::{Fault, Moment, World};

use timeline::{Timeline, Tried};

/// Runs after one that was killed or came to nothing.
const RUNS_MAX: usize = 5;

/// When a fault of the world happens, and how long it lasts.
const AT: Duration = Duration::from_millis(500);
const LASTS: Duration = Duration::from_secs(20);

/// Something that goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mishap {
    /// The program is killed at a call.
    Kill(usize),
    /// A call takes effect and its answer is lost.
    Lose(usize),
    /// The first host does not answer for a while.
    HostDown,
    /// The proxies reject every file.
    ProxyRejects,
    /// New replicas never become ready.
    NeverReady,
}

impl FromStr for Mishap {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let call = |at: &str| at.parse().map_err(|_| format!("`{at}` is no number of a call"));
        match (text, text.split_once('@')) {
            ("host-down", _) => Ok(Self::HostDown),
            ("proxy-rejects", _) => Ok(Self::ProxyRejects),
            ("never-ready", _) => Ok(Self::NeverReady),
            (_, Some(("kill", at))) => call(at).map(Self::Kill),
            (_, Some(("lose", at))) => call(at).map(Self::Lose),
            _ => Err("one of kill@N, lose@N, host-down, proxy-rejects, never-ready".to_owned()),
        }
    }
}

impl Mishap {
    /// One by dice: Marsaglia's xorshift, once.
    fn of(seed: u64) -> Self {
        let mut dice = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let call = usize::try_from((dice >> 20) % 60).unwrap_or(0);
        match (dice >> 11) % 7 {
            0 => Self::HostDown,
            1 => Self::ProxyRejects,
            2 => Self::NeverReady,
            3 | 4 => Self::Kill(call),
            _ => Self::Lose(call),
        }
    }

    fn of_call(self) -> Option<Fault> {
        match self {
            Self::Kill(at) => Some(Fault::Kill(at, Moment::After)),
            Self::Lose(at) => Some(Fault::Lose(at, Moment::After)),
            Self::HostDown | Self::ProxyRejects | Self::NeverReady => None,
        }
    }
}

pub(super) fn run(run: &Run<'_>, args: &SimulateArgs) -> Result<Exit, Failure> {
    let session = Session::open(run, Source::Options, choice(run, &args.inputs))?;
    let wish = session.wish()?;
    let before = before(run, &session, args)?;
    let scope = scope(&args.stacks, &Narrowing::default())?;
    let mut mishaps = args.faults.clone();
    mishaps.extend(args.seed.map(Mishap::of));
    let show = Show { session: &session, scope, mishaps };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .map_err(|error| Failure::because("could not start", &error))?;
    let timeline = runtime.block_on(show.play(&wish, before.as_ref()))?;
    let page = match args.format {
        TableFormat::Text if !run.screen.wants_events() => timeline.text(),
        TableFormat::Text | TableFormat::Json => format!("{:#}\n", timeline.json()),
    };
    run.screen.result(&page)?;
    Ok(if timeline.violations.is_empty() { timeline.exit() } else { Exit::Failed })
}

/// What runs before.
fn before(
    run: &Run<'_>,
    session: &Session<'_>,
    args: &SimulateArgs,
) -> Result<Option<Wish>, Failure> {
    if let Some(revision) = &args.from {
        return Session::open(run, Source::Revision(revision), choice(run, &args.inputs))?
            .wish()
            .map(Some);
    }
    let head = run.cli.global.rev.as_deref().unwrap_or("HEAD");
    // The first commit has none before it.
    Ok(session.wish_at(&CommitId::new(format!("{head}~1"))).ok())
}

/// A simulation.
struct Show<'a> {
    session: &'a Session<'a>,
    scope: Scope,
    mishaps: Vec<Mishap>,
}

impl Show<'_> {
    async fn play(&self, wish: &Wish, before: Option<&Wish>) -> Result<Timeline, Failure> {
        let inventory = &self.session.snapshot.inventory;
        let world = fleet::world(inventory, [Some(wish), before].into_iter().flatten());
        if let Some(before) = before.filter(|it| !it.desired.stacks.is_empty()) {
            let verdict = self.once(&world, Fault::None, before, &[]).await?;
            if !matches!(verdict, Tried::Ended(Verdict::Done) | Tried::Nothing) {
                return Err(Failure::new(
                    "could not simulate: what runs before could not be deployed",
                )
                .hint("--from REV names another commit to begin with"));
            }
        }
        world.begin_anew();
        if self.mishaps.contains(&Mishap::NeverReady) {
            fleet::never_ready(&world, inventory, wish);
        }
        let began = world.now();
        let runs = self.runs(&world, wish);
        tokio::pin!(runs);
        let tried = tokio::select! {
            biased;
            tried = &mut runs => tried?,
            () = self.happen(&world) => runs.await?,
        };
        Ok(Timeline::of(&world, began, tried))
    }

    /// One run, and further ones while there is something that it has left.
    async fn runs(&self, world: &World, wish: &Wish) -> Result<Vec<Tried>, Failure> {
        let mut faults: Vec<Fault> = self.mishaps.iter().filter_map(|it| it.of_call()).collect();
        let mut tried = Vec::new();
        for _ in 0..RUNS_MAX {
            let now = self.once(world, Fault::None, wish, &std::mem::take(&mut faults)).await?;
            let is_over = matches!(now, Tried::Ended(_) | Tried::Nothing);
            tried.push(now);
            if is_over {
                break;
            }
            tokio::time::sleep(LASTS / 4).await;
        }
        Ok(tried)
    }

    async fn happen(&self, world: &World) {
        let inventory = &self.session.snapshot.inventory;
        if self.mishaps.contains(&Mishap::ProxyRejects) {
            fleet::each_proxy(world, inventory, |proxy| proxy.rejects = true);
        }
        let host = inventory.hosts.keys().next().cloned();
        let Some(host) = host.filter(|_| self.mishaps.contains(&Mishap::HostDown)) else { return };
        tokio::time::sleep(AT).await;
        world.with_host(&host.clone().into(), |host| host.is_down = true);
        tokio::time::sleep(LASTS).await;
        world.with_host(&host.into(), |host| host.is_down = false);
    }

    async fn once(
        &self,
        world: &World,
        fault: Fault,
        wish: &Wish,
        faults: &[Fault],
    ) -> Result<Tried, Failure> {
        let faults = std::iter::once(fault).chain(faults.iter().copied()).collect();
        let run = world.run_with(faults);
        let inventory = &self.session.snapshot.inventory;
        let owner = self.session.owner.clone();
        let fleet = Fleet { owner, inventory, ports: run.ports() };
        tokio::select! {
            biased;
            () = run.killed() => Ok(Tried::Killed),
            tried = self.carried_out(world, &fleet, wish) => tried,
        }
    }

    async fn carried_out(
        &self,
        world: &World,
        fleet: &Fleet<'_>,
        wish: &Wish,
    ) -> Result<Tried, Failure> {
        let planned = match fleet.plan(wish, &self.scope).await {
            Ok(planned) => planned,
            Err(error) => return Ok(Tried::NotBegun(no_plan("plan", error).message)),
        };
        if planned.plan.is_empty() {
            return Ok(Tried::Nothing);
        }
        fleet::announce(world, &planned.plan);
        let (events, _received) = mpsc::unbounded_channel();
        let (_keep, stop) = watch::channel(Stop::None);
        let options = options(&planned.plan);
        let earlier = |commit: &CommitId| self.session.wish_at(commit);
        let scope = &self.scope;
        let orders = Orders { scope, options: &options, events: &events, stop, earlier: &earlier };
        Ok(match fleet.apply(wish, &planned.plan, &orders).await {
            Ok(verdict) => Tried::Ended(verdict),
            Err(ApplyError::Plan(error)) => Tried::NotBegun(no_plan("apply", error).message),
            Err(ApplyError::Stale(_)) => Tried::NotBegun("the plan was stale".to_owned()),
            Err(ApplyError::Locked(lease)) => Tried::NotBegun(format!("{} is held", lease.id)),
            Err(ApplyError::Lease(error)) => Tried::NotBegun(error.to_string()),
        })
    }
}

fn options(plan: &Plan) -> Options {
    Options {
        keep_failed: false,
        per_host: 8,
        holder: "simulation".to_owned(),
        purpose: plan.id.0.clone(),
        lease: Duration::from_secs(30),
        lease_wait: Duration::from_secs(60),
    }
}
