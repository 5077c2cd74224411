//! The steps of a stack, told shortly: the same step over replicas, hosts and proxies is one line.
//!
//! Steps of one line stand on the same level of the graph, so reading from top to bottom is an order
//! in which they could run. Among what could come next, the service of the line before goes on.

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::printable_name;
use crate::model::{Op, Plan, ServiceName, StackName, Step, StepId};
use crate::ui::words::{counted, duration};

/// One line: a service, and what is done for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The service; empty for the stack itself.
    pub(super) service: String,
    /// What is done: a verb and its objects.
    pub(super) words: String,
}

/// Steps that are told as one.
struct Group<'a> {
    service: Option<&'a ServiceName>,
    steps: Vec<&'a Step>,
    needs: BTreeSet<usize>,
}

/// The stacks that have steps, in the order of their first one.
pub(super) fn stacks(plan: &Plan) -> Vec<&StackName> {
    let mut stacks: Vec<&StackName> = Vec::new();
    for step in &plan.steps {
        if !stacks.contains(&&step.stack) {
            stacks.push(&step.stack);
        }
    }
    stacks
}

/// The lines of a stack.
pub(super) fn folded(plan: &Plan, stack: &StackName) -> Vec<Line> {
    let groups = grouped(plan, stack);
    ordered(&groups)
        .into_iter()
        .map(|group| Line {
            service: group.service.map(|it| printable_name(it.as_str())).unwrap_or_default(),
            words: words(&group.steps),
        })
        .collect()
}

/// The name of an effect, as JSON has it.
pub(super) fn operation(op: &Op) -> &'static str {
    match op {
        Op::Pull { .. } => "pull",
        Op::CreateNetwork { .. } => "create_network",
        Op::CreateVolume { .. } => "create_volume",
        Op::Create { .. } => "create",
        Op::Start { .. } => "start",
        Op::RunHook { .. } => "run_hook",
        Op::AwaitReady { .. } => "await_ready",
        Op::AwaitCompleted { .. } => "await_completed",
        Op::Switch { .. } => "switch",
        Op::AwaitDrained { .. } => "await_drained",
        Op::Stop { .. } => "stop",
        Op::Remove { .. } => "remove",
        Op::RemoveNetwork { .. } => "remove_network",
        Op::RemoveVolume { .. } => "remove_volume",
        Op::Pause { .. } => "pause",
        Op::Record { .. } => "record",
    }
}

fn grouped<'a>(plan: &'a Plan, stack: &StackName) -> Vec<Group<'a>> {
    let mut levels: BTreeMap<StepId, usize> = BTreeMap::new();
    let mut places: BTreeMap<StepId, usize> = BTreeMap::new();
    let mut numbers = BTreeMap::new();
    let mut groups: Vec<Group<'a>> = Vec::new();
    for step in plan.steps.iter().filter(|step| step.stack == *stack) {
        let level = step.needs.iter().filter_map(|id| levels.get(id)).max().map_or(0, |it| it + 1);
        levels.insert(step.id, level);
        let key = (level, step.service.as_ref(), operation(&step.op), sameness(&step.op));
        let number = *numbers.entry(key).or_insert_with(|| {
            groups.push(Group {
                service: step.service.as_ref(),
                steps: Vec::new(),
                needs: BTreeSet::new(),
            });
            groups.len() - 1
        });
        places.insert(step.id, number);
        groups[number].steps.push(step);
        groups[number].needs.extend(step.needs.iter().filter_map(|id| places.get(id)));
    }
    groups
}

/// What steps of one line must share, beside the operation.
fn sameness(op: &Op) -> String {
    match op {
        Op::Pull { reference, .. } => reference.clone(),
        Op::CreateNetwork { name, .. }
        | Op::CreateVolume { name, .. }
        | Op::RemoveNetwork { name }
        | Op::RemoveVolume { name } => name.clone(),
        Op::RunHook { moment, .. } => format!("{moment:?}"),
        Op::Pause { time } => time.to_string(),
        Op::Switch { place, .. } | Op::AwaitDrained { place, .. } => place.proxy.to_string(),
        Op::Create { .. }
        | Op::Start { .. }
        | Op::AwaitReady { .. }
        | Op::AwaitCompleted { .. }
        | Op::Stop { .. }
        | Op::Remove { .. }
        | Op::Record { .. } => String::new(),
    }
}

/// Groups after all they need; those of the service that is being told first.
fn ordered<'a, 'b>(groups: &'b [Group<'a>]) -> Vec<&'b Group<'a>> {
    let mut told: BTreeSet<usize> = BTreeSet::new();
    let mut order: Vec<&Group<'a>> = Vec::new();
    while order.len() < groups.len() {
        let is_ready = |number: &usize| {
            !told.contains(number) && groups[*number].needs.iter().all(|need| told.contains(need))
        };
        let ready: Vec<usize> = (0..groups.len()).filter(is_ready).collect();
        let last = order.last().map(|group| group.service);
        let same = ready.iter().find(|number| Some(groups[**number].service) == last);
        // Levels never form a circle, so something is always ready.
        let Some(&next) = same.or(ready.first()) else { break };
        told.insert(next);
        order.push(&groups[next]);
    }
    order
}

fn words(steps: &[&Step]) -> String {
    let Some(first) = steps.first() else { return String::new() };
    match &first.op {
        Op::Pull { .. }
        | Op::CreateNetwork { .. }
        | Op::CreateVolume { .. }
        | Op::RemoveNetwork { .. }
        | Op::RemoveVolume { .. }
        | Op::Record { .. } => {
            format!("{} on {}", printable_name(&first.op.words()), hosts(steps))
        }
        Op::Pause { .. } => printable_name(&first.op.words()),
        Op::Create { .. } => several(steps, "create"),
        Op::Start { .. } => several(steps, "start"),
        Op::RunHook { moment, .. } => {
            let moment = match moment {
                crate::model::HookMoment::PostStart => "post_start",
                crate::model::HookMoment::PreStop => "pre_stop",
            };
            several(steps, &format!("run {moment} in"))
        }
        Op::AwaitReady { readiness, .. } => {
            let within = duration(readiness.within);
            let are = if steps.len() == 1 { "is" } else { "are" };
            format!("{} {are} ready, at most {within}", several(steps, "wait until"))
        }
        Op::AwaitCompleted { within, .. } => {
            let has = if steps.len() == 1 { "has" } else { "have" };
            format!("{} {has} ended, at most {}", several(steps, "wait until"), duration(*within))
        }
        Op::Switch { .. } => switch(steps),
        Op::AwaitDrained { place, within, .. } => {
            let proxy = printable_name(place.proxy.as_str());
            let servers = counted(drained(steps), "server");
            format!("wait until {proxy} has let go of {servers}, at most {}", duration(*within))
        }
        Op::Stop { .. } => several(steps, "stop"),
        Op::Remove { .. } => several(steps, "remove"),
    }
}

/// `create acme-shop-db-1-ab12`, `create 4 containers on web-1, web-2`.
fn several(steps: &[&Step], verb: &str) -> String {
    match steps {
        [only] => format!("{verb} {}", printable_name(container(&only.op))),
        _ => format!("{verb} {} on {}", counted(steps.len(), "container"), hosts(steps)),
    }
}

fn container(op: &Op) -> &str {
    match op {
        Op::Create { replica } => &replica.name,
        Op::Start { container }
        | Op::RunHook { container, .. }
        | Op::AwaitReady { container, .. }
        | Op::AwaitCompleted { container, .. }
        | Op::Stop { container, .. }
        | Op::Remove { container, .. } => container,
        Op::Pull { .. }
        | Op::CreateNetwork { .. }
        | Op::CreateVolume { .. }
        | Op::Switch { .. }
        | Op::AwaitDrained { .. }
        | Op::RemoveNetwork { .. }
        | Op::RemoveVolume { .. }
        | Op::Pause { .. }
        | Op::Record { .. } => "",
    }
}

fn hosts(steps: &[&Step]) -> String {
    let hosts: BTreeSet<&str> = steps.iter().map(|step| step.host.as_str()).collect();
    hosts.into_iter().collect::<Vec<_>>().join(", ")
}

/// `switch edge on edge-1: 4 servers come, 4 go`.
fn switch(steps: &[&Step]) -> String {
    let (mut come, mut go, mut places) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut proxy = "";
    for step in steps {
        let Op::Switch { place, change } = &step.op else { continue };
        proxy = place.proxy.as_str();
        places.insert(place.host.as_str());
        for (key, backend) in &change.set {
            let servers = |side: &Option<crate::model::Backend>| -> BTreeSet<_> {
                side.iter().flat_map(|it| it.servers.clone()).map(|it| (key, it)).collect()
            };
            let (from, to) = (servers(&backend.from), servers(&backend.to));
            come.extend(to.difference(&from).cloned());
            go.extend(from.difference(&to).cloned());
        }
    }
    let what = match (come.len(), go.len()) {
        (0, 0) => "routes change".to_owned(),
        (come, 0) => format!("{} {}", counted(come, "server"), verb(come, "come")),
        (0, go) => format!("{} {}", counted(go, "server"), verb(go, "go")),
        (come, go) => {
            format!("{} {}, {go} {}", counted(come, "server"), verb(come, "come"), verb(go, "go"))
        }
    };
    let places = places.into_iter().collect::<Vec<_>>().join(", ");
    format!("switch {} on {places}: {what}", printable_name(proxy))
}

fn verb(count: usize, verb: &str) -> String {
    match (count, verb) {
        (1, "go") => "goes".into(),
        (1, verb) => format!("{verb}s"),
        (_, verb) => verb.into(),
    }
}

fn drained(steps: &[&Step]) -> usize {
    let names: BTreeSet<&str> = steps
        .iter()
        .filter_map(|step| match &step.op {
            Op::AwaitDrained { servers, .. } => Some(servers),
            _ => None,
        })
        .flat_map(|servers| servers.values())
        .flat_map(|servers| servers.keys().map(String::as_str))
        .collect();
    names.len()
}
