//! One rollout in a simulated world, with what goes wrong in it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::mishap::{AWAY, Mishap, happen};
use super::{fleet, load};
use crate::cli::Exit;
use crate::cli::live::{Session, no_plan};
use crate::exec::{Options, Stop};
use crate::model::{CommitId, Count, HostName, Millis, Plan, ProxyPlace, Verdict};
use crate::pipeline::{Answers, ApplyError, Fleet, Orders, PlanError, Planned, Wish};
use crate::planner::Scope;
use crate::sim::{Fault, Frozen, Sample, ServiceId, World};
use crate::ui::simulate::{Line, Lost, Moment, Requests, Timeline};

/// Runs after one that was killed or came to nothing.
const RUNS_MAX: usize = 5;

/// A stage: the repository, and the part of it that is played.
pub(super) struct Stage<'a> {
    pub(super) session: &'a Session<'a>,
    pub(super) scope: Scope,
    pub(super) hosts: Vec<HostName>,
    pub(super) proxies: Vec<ProxyPlace>,
}

/// What came of one rollout.
pub(super) struct Played {
    pub(super) timeline: Timeline,
    pub(super) tried: Vec<Tried>,
    /// Calls of the first run that can meet a fault.
    pub(super) calls: usize,
    /// Whether every mishap met something.
    pub(super) has_happened: bool,
}

/// How one run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tried {
    /// With a verdict.
    Ended(Verdict),
    /// There was nothing to do.
    Nothing,
    /// It was killed.
    Killed,
    /// It was not begun.
    NotBegun(String),
}

impl Stage<'_> {
    /// The plan in a world, as it is before anything has gone wrong.
    pub(super) async fn plan(&self, world: &World, wish: &Wish) -> Result<Plan, PlanError> {
        let run = world.run(Fault::None);
        let Planned { plan, .. } = self.fleet(run.ports()).plan(wish, &self.scope).await?;
        Ok(plan)
    }

    /// Brings about what runs before.
    pub(super) async fn deploy(&self, world: &World, wish: &Wish) -> Tried {
        self.once(world, &world.run(Fault::None), wish).await
    }

    /// A rollout from this world on; further ones while it has left something.
    pub(super) async fn play(&self, from: &Frozen, wish: &Wish, mishaps: &[Mishap]) -> Played {
        self.play_under(from, wish, mishaps, None).await
    }

    /// The same under load, when it is said how long the longest request takes.
    pub(super) async fn play_under(
        &self,
        from: &Frozen,
        wish: &Wish,
        mishaps: &[Mishap],
        load: Option<Millis>,
    ) -> Played {
        let world = from.thaw();
        world.begin_anew();
        let began = world.now();
        let has_happened = Cell::new(0);
        let calls = Cell::new(0);
        let happenings = mishaps.iter().map(|mishap| async {
            let strikes = || has_happened.set(has_happened.get() + 1);
            happen(&world, &self.hosts, &self.proxies, mishap, began, strikes).await;
        });
        let happenings = futures_util::future::join_all(happenings);
        let runs = self.runs(&world, wish, mishaps, &calls);
        tokio::pin!(runs);
        let story = async {
            tokio::select! {
                // What holds from the beginning holds before the first run looks.
                biased;
                _ = happenings => runs.await,
                tried = &mut runs => tried,
            }
        };
        let requests = Cell::new(Requests::default());
        let tried = match load {
            None => story.await,
            Some(longest) => tokio::select! {
                biased;
                tried = story => tried,
                () = load::send(&world, &self.hosts, &self.proxies, longest, &requests) => Vec::new(),
            },
        };
        Played {
            timeline: Timeline {
                requests: load.map(|_| requests.get()).filter(|it| it.sent > 0),
                ..timeline(&world, began, wish, &tried)
            },
            tried,
            calls: calls.get(),
            has_happened: has_happened.get() == mishaps.len(),
        }
    }

    async fn runs(
        &self,
        world: &World,
        wish: &Wish,
        mishaps: &[Mishap],
        calls: &Cell<usize>,
    ) -> Vec<Tried> {
        let mut faults: Vec<Fault> = mishaps.iter().filter_map(Mishap::of_call).collect();
        let mut tried = Vec::new();
        for number in 0..RUNS_MAX {
            let run = world.run_with(std::mem::take(&mut faults));
            let now = self.once(world, &run, wish).await;
            if number == 0 {
                calls.set(run.calls());
            }
            let is_over = matches!(now, Tried::Ended(_) | Tried::Nothing);
            tried.push(now);
            if is_over {
                break;
            }
            tokio::time::sleep(AWAY / 4).await;
        }
        tried
    }

    async fn once(&self, world: &World, run: &crate::sim::Run, wish: &Wish) -> Tried {
        let fleet = self.fleet(run.ports());
        tokio::select! {
            biased;
            () = run.killed() => Tried::Killed,
            tried = self.carried_out(world, &fleet, wish) => tried,
        }
    }

    fn fleet(&self, ports: crate::ports::Ports) -> Fleet<'_> {
        let owner = self.session.owner.clone();
        Fleet {
            owner,
            inventory: &self.session.snapshot.inventory,
            ports,
            absent: BTreeMap::new(),
            answers: Answers::default(),
        }
    }

    async fn carried_out(&self, world: &World, fleet: &Fleet<'_>, wish: &Wish) -> Tried {
        let planned = match fleet.plan(wish, &self.scope).await {
            Ok(planned) => planned,
            Err(error) => return Tried::NotBegun(no_plan("plan", error).message),
        };
        if planned.plan.is_empty() {
            return Tried::Nothing;
        }
        fleet::announce(world, &planned.plan);
        let (events, _received) = mpsc::unbounded_channel();
        let (_keep, stop) = watch::channel(Stop::None);
        let options = options(&planned.plan);
        let earlier = |commit: &CommitId| self.session.wish_at(commit);
        let scope = &self.scope;
        let orders = Orders { scope, options: &options, events: &events, stop, earlier: &earlier };
        match fleet.apply(wish, &planned.plan, &orders).await {
            Ok(verdict) => Tried::Ended(verdict),
            Err(ApplyError::Plan(error)) => Tried::NotBegun(no_plan("apply", error).message),
            Err(ApplyError::Stale(_)) => Tried::NotBegun("the plan was stale".to_owned()),
            Err(ApplyError::Locked(lease)) => Tried::NotBegun(format!("{} is held", lease.id)),
            Err(ApplyError::Lease(error)) => Tried::NotBegun(error.to_string()),
        }
    }
}

impl Played {
    /// The exit code of the last run.
    pub(super) fn exit(&self) -> Exit {
        if !self.timeline.lost.is_empty() {
            return Exit::Failed;
        }
        match self.tried.last() {
            Some(Tried::Nothing | Tried::Ended(Verdict::Done)) => Exit::Done,
            Some(Tried::Ended(Verdict::RolledBack)) => Exit::RolledBack,
            Some(Tried::Ended(Verdict::Partly)) => Exit::Partly,
            _ => Exit::Failed,
        }
    }

    /// How it ended, in a few words: what came before only where it says more.
    pub(super) fn end(&self) -> String {
        let short = |tried: &Tried| match tried {
            Tried::NotBegun(_) => "not begun".to_owned(),
            other => other.words(),
        };
        match self.tried.as_slice() {
            [] => String::new(),
            [only] => short(only),
            [first, .., last] => format!("{}, then {}", short(first), short(last)),
        }
    }
}

impl Tried {
    pub(super) fn words(&self) -> String {
        match self {
            Self::Ended(Verdict::Done) => "done".to_owned(),
            Self::Ended(Verdict::RolledBack) => "rolled back".to_owned(),
            Self::Ended(Verdict::Failed) => "failed before any change".to_owned(),
            Self::Ended(Verdict::Partly) => "done in part".to_owned(),
            Self::Ended(Verdict::Interrupted) => "interrupted".to_owned(),
            Self::Nothing => "nothing to do".to_owned(),
            Self::Killed => "killed".to_owned(),
            Self::NotBegun(why) => why.clone(),
        }
    }
}

fn timeline(world: &World, began: Millis, wish: &Wish, tried: &[Tried]) -> Timeline {
    let since = |at: Millis| at.saturating_sub(began);
    let lost = world.violations().into_iter();
    Timeline {
        services: lines(&world.samples(), wish, since),
        lost: lost.map(|it| Lost { at: since(it.at), what: it.what }).collect(),
        runs: tried.iter().map(Tried::words).collect(),
        took: since(world.now()),
        requests: None,
    }
}

fn lines(samples: &[Sample], wish: &Wish, since: impl Fn(Millis) -> Millis) -> Vec<Line> {
    let mut services = BTreeMap::<ServiceId, Vec<Moment>>::new();
    for id in samples.iter().flat_map(|sample| sample.services.keys()) {
        services.entry(id.clone()).or_default();
    }
    for sample in samples {
        for (id, moments) in &mut services {
            let counts = sample.services.get(id).copied().unwrap_or_default();
            let (running, ready, routed, draining) =
                (counts.running, counts.ready, counts.routed, counts.draining);
            let moment = Moment { at: 0, running, ready, routed, draining };
            if moments.last().is_none_or(|last| Moment { at: 0, ..*last } != moment) {
                moments.push(Moment { at: since(sample.at), ..moment });
            }
        }
    }
    let line = |((stack, service), moments): (ServiceId, Vec<Moment>)| {
        let target = wish.desired.stacks.get(&stack).and_then(|it| it.services.get(&service));
        let wanted = match target.map(|target| target.replicas) {
            None => Some(0),
            Some(Count::Replicas(count)) => Some(count),
            Some(Count::Global) => None,
        };
        Line { stack, service, wanted, moments }
    };
    services.into_iter().map(line).collect()
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
