//! One look at the hosts, compared with what is wanted, stack by stack.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::Inner;
use super::absences::note;
use super::place::{Place, Standing};
use crate::model::{
    Change, CommitId, Desired, HostName, Millis, Name, Observed, Op, Plan, ResourceKind, StackName,
    Step,
};
use crate::pipeline::{
    Answers, Fleet, Past, PlanError, Wish, observe_but, release_of, settle_images, wanted, words,
};
use crate::planner::{ProblemKind, Scope, deletions};
use crate::ports::Wanted;
use crate::settings::{Endpoint, Inventory};
use crate::sync::{
    Deviation, Difference, Finding, Health, HostView, PlanView, Seen, Sight, Transport,
};
use crate::ui;
use crate::ui::status::Status;

/// Lines that tell what differs; nobody reads the hundredth.
const WHAT_MAX: usize = 50;

/// What is looked at.
pub(super) struct Glance {
    pub(super) source: Name,
    pub(super) standing: Arc<Standing>,
    pub(super) place: Place,
    pub(super) stacks: Option<BTreeSet<StackName>>,
    pub(super) held: BTreeMap<StackName, CommitId>,
    /// Where it is told that a host is back.
    pub(super) inner: mpsc::Sender<Inner>,
}

/// Looks at all hosts; CPU work is done elsewhere than on the thread of the loop.
pub(super) async fn look(glance: Glance) -> Sight {
    let (standing, aside) = (Arc::clone(&glance.standing), glance.place.aside());
    let (place, commits) = (glance.place.clone(), glance.held.clone());
    let held = aside.done(move || earlier(&place, commits)).await;
    // Everything that any of the commits names must be looked for.
    let mut all = vec![narrowed(&standing.wish.desired, glance.stacks.as_ref())];
    for (stack, wish) in &held {
        all.extend(wish.as_ref().ok().map(|wish| wish.of(stack).desired));
    }
    let absent = standing.absences.faults();
    let mut observed = observe_but(&standing.ports, &standing.owner, &named(&all), &absent).await;
    note(&standing, &observed, &glance.source, &glance.inner);
    for desired in &all {
        // Tags may move from one look to the next.
        let asked = Answers::default();
        settle_images(&standing.ports, &standing.inventory, desired, &mut observed, &asked).await;
    }
    aside.done(move || compare(&glance, &held, &observed)).await
}

/// What stacks are held at, or why that cannot be read.
type Held = BTreeMap<StackName, Result<Arc<Wish>, String>>;

fn earlier(place: &Place, commits: BTreeMap<StackName, CommitId>) -> Held {
    let mut by_commit = BTreeMap::<CommitId, BTreeSet<StackName>>::new();
    for (stack, commit) in commits {
        by_commit.entry(commit).or_default().insert(stack);
    }
    let read = by_commit.into_iter().flat_map(|(commit, stacks)| {
        let wish = place.earlier(&commit, &stacks);
        stacks.into_iter().map(move |stack| (stack, wish.clone()))
    });
    read.collect()
}

fn named(all: &[Desired]) -> Wanted {
    let mut named = Wanted::default();
    for Wanted { images, networks, volumes } in all.iter().map(wanted) {
        named.images.extend(images);
        named.networks.extend(networks);
        named.volumes.extend(volumes);
    }
    named
}

fn narrowed(desired: &Desired, stacks: Option<&BTreeSet<StackName>>) -> Desired {
    let Some(stacks) = stacks else { return desired.clone() };
    let all = &desired.stacks;
    Desired {
        project: desired.project.clone(),
        environment: desired.environment.clone(),
        stacks: stacks
            .iter()
            .filter_map(|name| Some((name.clone(), all.get(name)?.clone())))
            .collect(),
    }
}

fn compare(glance: &Glance, held: &Held, observed: &Observed) -> Sight {
    let Glance { standing, stacks, .. } = glance;
    let fleet = fleet(standing);
    let names = match stacks {
        Some(stacks) => stacks.clone(),
        None => all(standing, observed),
    };
    let mut judge = Judge { standing, fleet: &fleet, observed };
    let mut same = BTreeSet::new();
    if stacks.is_none() {
        same = judge.unchanged(&names);
    }
    let mut found = BTreeMap::new();
    for name in &names {
        let head = match standing.faults.get(name) {
            Some(fault) => Finding::NoPlan { message: fault.clone(), is_unreachable: false },
            None if same.contains(name) => Finding::Same,
            None => judge.against(&standing.wish, name),
        };
        let held = held.get(name).map(|wish| match wish {
            Ok(wish) => judge.against(wish, name),
            Err(message) => Finding::NoPlan { message: message.clone(), is_unreachable: false },
        });
        found.insert(name.clone(), (head, held));
    }
    let mut status = rows(observed, &names);
    let mut seen = BTreeMap::new();
    for (name, (head, held)) in found {
        let rows = status.remove(name.as_str()).unwrap_or_default();
        let released = match release_of(observed, &name) {
            Past::At(commit) => Some(commit),
            Past::Nothing | Past::Unknown => None,
        };
        let is_nothing = head == Finding::Same && rows.is_empty();
        if is_nothing && !standing.wish.desired.stacks.contains_key(&name) {
            continue;
        }
        let health = health(&rows, &head);
        let replicas = Arc::new(rows.into_iter().map(|(row, _)| row).collect());
        seen.insert(name, Seen { head, held, released, health, replicas });
    }
    let head = standing.wish.commit.clone();
    Sight {
        head,
        hosts: hosts(observed, &standing.inventory),
        stacks: seen,
        is_whole: stacks.is_none(),
    }
}

/// The hosts of a commit, as whom we are to them.
pub(super) fn fleet(standing: &Standing) -> Fleet<'_> {
    Fleet {
        owner: standing.owner.clone(),
        inventory: &standing.inventory,
        ports: standing.ports.clone(),
        absent: standing.absences.faults(),
        answers: Answers::default(),
    }
}

/// One stack alone.
pub(super) fn scope(standing: &Standing, stack: &StackName) -> Scope {
    Scope {
        stacks: Some(BTreeSet::from([stack.clone()])),
        skip_unreachable: standing.skips_unreachable(),
        ..Scope::default()
    }
}

/// The stacks that are wanted, and those that are there.
fn all(standing: &Standing, observed: &Observed) -> BTreeSet<StackName> {
    let wanted = standing.wish.desired.stacks.keys().chain(standing.faults.keys()).cloned();
    let hosts = observed.hosts.values().filter_map(|host| host.as_ref().ok());
    let there = hosts.flat_map(|host| {
        let containers = host.containers.values().map(|it| it.identity.stack.clone());
        containers.chain(host.releases.keys().cloned())
    });
    wanted.chain(there).collect()
}

/// Compares what was seen with commits.
struct Judge<'a> {
    standing: &'a Standing,
    fleet: &'a Fleet<'a>,
    observed: &'a Observed,
}

impl Judge<'_> {
    /// Stacks for which one plan of all says that there is nothing to do.
    fn unchanged(&mut self, names: &BTreeSet<StackName>) -> BTreeSet<StackName> {
        let faults = &self.standing.faults;
        let good: BTreeSet<StackName> =
            names.iter().filter(|name| !faults.contains_key(*name)).cloned().collect();
        let scope = Scope {
            stacks: Some(good.clone()),
            skip_unreachable: self.standing.skips_unreachable(),
            ..Scope::default()
        };
        let planned = self.fleet.plan_from(&self.standing.wish, &scope, self.observed);
        let Ok((plan, _)) = planned else { return BTreeSet::new() };
        let touched: BTreeSet<&StackName> = plan.steps.iter().map(|step| &step.stack).collect();
        good.into_iter().filter(|name| !touched.contains(name)).collect()
    }

    fn against(&mut self, wish: &Wish, stack: &StackName) -> Finding {
        let scope = scope(self.standing, stack);
        match self.fleet.plan_from(&wish.of(stack), &scope, self.observed) {
            Ok((plan, _)) if plan.is_empty() => Finding::Same,
            Ok((plan, _)) => {
                let at = self.observed.at;
                Finding::Differs(Box::new(difference(&plan, stack, &self.standing.heading, at)))
            }
            Err(error) => no_plan(&error),
        }
    }
}

/// Why there is no plan, in one line.
pub(super) fn no_plan(error: &PlanError) -> Finding {
    let is_unreachable = match error {
        PlanError::Problems(problems) => {
            problems.iter().any(|problem| problem.kind == ProblemKind::Unreachable)
        }
        PlanError::Unsafe(_) => false,
    };
    Finding::NoPlan { message: words(error), is_unreachable }
}

fn difference(
    plan: &Plan,
    stack: &StackName,
    heading: &ui::plan::Heading,
    at: Millis,
) -> Difference {
    let totals = plan.totals();
    let mut heading = heading.clone();
    if let Some(commit) = plan.commit.as_ref().filter(|it| it.short() != heading.commit) {
        (heading.commit, heading.subject) = (commit.short().to_owned(), String::new());
    }
    let text = ui::plan::text(plan, &heading, ui::plan::Style::default());
    let summary = text.trim_end().lines().last().unwrap_or_default().to_owned();
    let mut what = deviations(plan, stack);
    what.truncate(WHAT_MAX);
    Difference {
        plan: Arc::new(PlanView {
            id: plan.id.clone(),
            commit: plan.commit.clone(),
            at,
            text,
            summary,
            totals: (totals.create, totals.change, totals.remove),
        }),
        what,
        deletes: deletions(plan),
    }
}

/// What differs of a stack: of its things, else of its proxies' files, else of what is remembered.
fn deviations(plan: &Plan, stack: &StackName) -> Vec<Deviation> {
    let changes = plan.stacks.get(stack).map(|it| it.changes.as_slice()).unwrap_or_default();
    let mut what: Vec<Deviation> = Vec::new();
    for change in changes {
        let hosts = places(plan, change);
        what.extend(lines(change).map(|line| Deviation { line, hosts: hosts.clone() }));
    }
    if what.is_empty() {
        what.extend(plan.files.iter().map(|it| Deviation {
            line: format!("proxy.{}: {}", it.place.proxy, it.cause),
            hosts: BTreeSet::from([it.place.host.clone()]),
        }));
    }
    if what.is_empty() {
        what.push(Deviation {
            line: "stack: a step of an earlier round is left to do".to_owned(),
            hosts: plan.steps.iter().map(|step| step.host.clone()).collect(),
        });
    }
    what
}

/// `web.image`, or `web.replicas: it has ended`.
fn lines(change: &Change) -> impl Iterator<Item = String> {
    let fields = change.fields.iter().map(|it| format!("{}.{}", change.name, it.path));
    let is_whole = change.fields.is_empty();
    let causes = change.causes.iter().filter(move |_| is_whole);
    fields.chain(causes.map(|cause| format!("{}.replicas: {cause}", change.name)))
}

/// Where it is that a thing differs.
fn places(plan: &Plan, change: &Change) -> BTreeSet<HostName> {
    let replicas = change.replicas.iter().map(|it| it.host.clone());
    let is_about = |step: &&Step| match (&change.kind, &step.op) {
        (ResourceKind::Service, _) => {
            step.service.as_ref().is_some_and(|it| it.as_str() == change.name)
        }
        (ResourceKind::Network, op) => {
            matches!(op, Op::CreateNetwork { .. } | Op::RemoveNetwork { .. })
        }
        (ResourceKind::Volume, op) => {
            matches!(op, Op::CreateVolume { .. } | Op::RemoveVolume { .. })
        }
    };
    let hosts: BTreeSet<HostName> = match change.replicas.is_empty() {
        true => plan.steps.iter().filter(is_about).map(|step| step.host.clone()).collect(),
        false => replicas.collect(),
    };
    hosts
}

/// The rows of `status` by stack, each with whether it is well.
fn rows(
    observed: &Observed,
    stacks: &BTreeSet<StackName>,
) -> BTreeMap<String, Vec<(serde_json::Value, bool)>> {
    let status = Status::of_stacks(observed, |stack| stacks.contains(stack));
    let mut by_stack = BTreeMap::<String, Vec<_>>::new();
    let mut json = ui::status::json(&status);
    let rows = json.get_mut("replicas").and_then(serde_json::Value::as_array_mut);
    let rows = rows.map(std::mem::take).unwrap_or_default();
    for (replica, row) in status.replicas.into_iter().zip(rows) {
        by_stack.entry(replica.stack).or_default().push((row, replica.is_well));
    }
    by_stack
}

fn health(rows: &[(serde_json::Value, bool)], head: &Finding) -> Health {
    let is_starting = |row: &serde_json::Value| {
        let state = row.get("state").and_then(serde_json::Value::as_str).unwrap_or_default();
        state.contains("starting") || state == "created"
    };
    let worst = rows.iter().map(|(row, is_well)| match (is_well, is_starting(row)) {
        (true, _) => Health::Healthy,
        (false, true) => Health::Progressing,
        (false, false) => Health::Degraded,
    });
    let is_missing = head.difference().is_some_and(|it| it.plan.totals.0 > it.plan.totals.2);
    match (worst.max(), head) {
        (None, Finding::Same) => Health::Healthy,
        (None, Finding::NoPlan { is_unreachable: true, .. }) => Health::Unknown,
        (None, _) => Health::Missing,
        (Some(Health::Healthy), _) if is_missing => Health::Missing,
        (Some(worst), _) => worst,
    }
}

fn hosts(observed: &Observed, inventory: &Inventory) -> BTreeMap<HostName, HostView> {
    let view = |name: &HostName, seen: &Result<_, crate::model::Fault>| HostView {
        is_up: seen.is_ok(),
        trouble: seen.as_ref().err().map(|fault| fault.message.clone()),
        seen: seen.is_ok().then_some(observed.at),
        took: observed.took.get(name).copied(),
        transport: inventory
            .hosts
            .get(name.as_str())
            .map_or(Transport::Unix, |host| transport(&host.endpoint)),
    };
    observed.hosts.iter().map(|(name, seen)| (name.clone(), view(name, seen))).collect()
}

fn transport(endpoint: &Endpoint) -> Transport {
    match endpoint {
        Endpoint::Unix { .. } => Transport::Unix,
        Endpoint::Ssh { .. } => Transport::Ssh,
        Endpoint::Tcp { tls: Some(_), .. } => Transport::Tls,
        Endpoint::Tcp { tls: None, .. } => Transport::Tcp,
    }
}
