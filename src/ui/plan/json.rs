//! A plan for programs, with the names of OpenTofu's plan where the meaning is the same.
//!
//! What is not named here is not in it: no request to an engine, no hook, no content of a file.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Heading, file, phrase, steps};
use crate::model::{
    Action, Cause, Change, Downtime, FieldDifference, Plan, ProxyFile, ReplicaChange, Seating,
    Seen, StackName, Step,
};

/// The version of this form. The first number changes when a reader could break.
const FORMAT_VERSION: &str = "1.0";

/// The whole plan.
pub fn json(plan: &Plan, heading: &Heading) -> Value {
    let changes = plan.stacks.iter().flat_map(|(stack, it)| {
        it.changes.iter().map(move |change| resource_change(stack, change))
    });
    let notes = plan.stacks.iter().flat_map(|(stack, it)| {
        it.notes.iter().map(move |note| {
            json!({"stack": stack, "service": optional(&note.service), "message": note.message})
        })
    });
    let totals = plan.totals();
    json!({
        "format_version": FORMAT_VERSION,
        "id": plan.id.0,
        "project": heading.project,
        "environment": heading.environment,
        "commit": plan.commit,
        "commit_label": heading.commit,
        "commit_subject": heading.subject,
        "applyable": !plan.is_empty(),
        "complete": plan.blind.is_empty(),
        "stacks": plan.stacks.keys().collect::<Vec<_>>(),
        "resource_changes": changes.collect::<Vec<_>>(),
        "proxies": plan.files.iter().map(proxy).collect::<Vec<_>>(),
        "hosts": hosts(plan),
        "steps": plan.steps.iter().map(step).collect::<Vec<_>>(),
        "downtime": downtime(plan),
        "totals": {
            "create": totals.create,
            "change": totals.change,
            "remove": totals.remove,
        },
        "notes": notes.collect::<Vec<_>>(),
        "placements": plan.stacks.iter().flat_map(|(stack, it)| {
            it.seatings.iter().map(move |seating| placement(stack, seating))
        }).collect::<Vec<_>>(),
        "errors": warnings(plan),
        "summary": phrase::summary(plan, heading),
    })
}

/// What could not be seen, and proxies that nobody knows any more.
fn warnings(plan: &Plan) -> Vec<Value> {
    let blind = plan.blind.iter().map(|blind| (blind.what.clone(), blind.message.clone()));
    let strays = plan.strays.iter().map(|(place, stacks)| phrase::stray(place, stacks));
    blind
        .chain(strays)
        .map(|(what, why)| json!({"severity": "warning", "summary": what, "detail": why}))
        .collect()
}

/// OpenTofu's words: a replacement is two actions, in their order.
pub(in crate::ui) fn actions(action: Action) -> &'static [&'static str] {
    match action {
        Action::Create => &["create"],
        Action::Remove => &["delete"],
        Action::Update => &["update"],
        Action::ReplaceStartFirst => &["create", "delete"],
        Action::ReplaceStopFirst => &["delete", "create"],
    }
}

/// OpenTofu's word for a reason where it has one, else our own.
pub(in crate::ui) fn reason(cause: &Cause) -> &'static str {
    match cause {
        Cause::Added => "added",
        Cause::Gone => "delete_because_no_resource_config",
        Cause::Scaled => "scaled",
        Cause::Changed => "replace_because_cannot_update",
        Cause::Drifted => "drifted",
        Cause::Missing => "missing",
        Cause::Stopped => "stopped",
        Cause::Paused => "paused",
        Cause::NotServed | Cause::Standby(_) => "not_served",
        Cause::Unhealthy(_) => "unhealthy",
        Cause::NotRouted => "not_routed",
        Cause::RoutesChanged => "routes_changed",
        Cause::LeftOver => "left_over",
        Cause::Dependency(_) => "dependency",
        Cause::Misplaced => "misplaced",
        Cause::Drained => "drained",
        Cause::Placed => "placed",
        Cause::Unused => "unused",
        Cause::Asked => "replace_by_request",
    }
}

/// The address of something in a stack: `shop/service/web`.
pub(in crate::ui) fn address(stack: &StackName, kind: &str, name: &str) -> String {
    format!("{stack}/{kind}/{name}")
}

fn resource_change(stack: &StackName, change: &Change) -> Value {
    let kind = phrase::kind(change.kind);
    let (before, before_sensitive) = side(change, Action::Create, |field| field.old.as_ref());
    let (after, after_sensitive) = side(change, Action::Remove, |field| field.new.as_ref());
    json!({
        "address": address(stack, kind, &change.name),
        "mode": "managed",
        "stack": stack,
        "type": kind,
        "name": change.name,
        "change": {
            "actions": actions(change.action),
            "before": before,
            "after": after,
            "before_sensitive": before_sensitive,
            "after_sensitive": after_sensitive,
        },
        "action_reason": change.causes.first().map(reason),
        "reasons": change.causes.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "replicas": change.replicas.iter().map(replica).collect::<Vec<_>>(),
        "replicas_before": change.count.0,
        "replicas_after": change.count.1,
        "downtime": seconds(&change.downtime),
    })
}

/// The fields that differ with the values of one side, and the names of those that are left out;
/// `null` where there is nothing on that side.
fn side<'a>(
    change: &'a Change,
    absent: Action,
    value: impl Fn(&'a FieldDifference) -> Option<&'a Seen>,
) -> (Value, Value) {
    let mut hidden = Map::new();
    if change.action == absent {
        return (Value::Null, Value::Object(hidden));
    }
    let mut shown = Map::new();
    for field in &change.fields {
        match value(field) {
            None => drop(shown.insert(field.path.clone(), Value::Null)),
            Some(Seen::Text(text)) if !phrase::is_hidden(field) => {
                shown.insert(field.path.clone(), text.clone().into());
            }
            Some(Seen::Text(_) | Seen::Hidden) => {
                hidden.insert(field.path.clone(), true.into());
            }
        }
    }
    (Value::Object(shown), Value::Object(hidden))
}

fn replica(replica: &ReplicaChange) -> Value {
    json!({
        "slot": replica.slot,
        "host": replica.host,
        "actions": actions(replica.action),
        "action_reason": reason(&replica.cause),
        "before": replica.old,
        "after": replica.new,
    })
}

/// Why a replica is where it is; for a plan that was asked to explain itself.
fn placement(stack: &StackName, seating: &Seating) -> Value {
    let excluded = seating.barred.iter();
    json!({
        "stack": stack,
        "service": seating.service,
        "slot": seating.slot,
        "host": seating.host,
        "reason": seating.why,
        "excluded": excluded
            .map(|(why, hosts)| json!({"hosts": hosts, "reason": why}))
            .collect::<Vec<_>>(),
    })
}

fn proxy(file: &ProxyFile) -> Value {
    json!({
        "proxy": file.place.proxy,
        "host": file.place.host,
        "kind": file.kind,
        "path": file.path,
        "actions": actions(phrase::file_action(file)),
        "action_reason": reason(&file.cause),
        "servers": file.servers,
        "diff": file::unified(file).join("\n"),
    })
}

fn step(step: &Step) -> Value {
    json!({
        "id": step.id.0,
        "stack": step.stack,
        "service": step.service,
        "slot": step.slot,
        "host": step.host,
        "operation": steps::operation(&step.op),
        "words": step.op.words(),
        "needs": step.needs.iter().map(|id| id.0).collect::<Vec<_>>(),
        "reason": reason(&step.cause),
    })
}

/// Every host the plan rests on, with the number of steps that take effect there.
fn hosts(plan: &Plan) -> Vec<Value> {
    let mut hosts: BTreeMap<_, usize> = plan.basis.all_hosts().map(|host| (host, 0)).collect();
    for step in &plan.steps {
        *hosts.entry(&step.host).or_default() += 1;
    }
    hosts.into_iter().map(|(host, steps)| json!({"name": host, "steps": steps})).collect()
}

fn downtime(plan: &Plan) -> Vec<Value> {
    phrase::downtimes(plan)
        .into_iter()
        .map(|(stack, change, downtime)| {
            let mut value = seconds(downtime);
            value["stack"] = stack.as_str().into();
            value["service"] = change.name.as_str().into();
            value
        })
        .collect()
}

fn seconds(downtime: &Downtime) -> Value {
    match downtime {
        Downtime::None => Value::Null,
        Downtime::About { time, reason } => {
            json!({"seconds": time.0.div_ceil(1_000_000) as f64 / 1000.0, "reason": reason})
        }
    }
}

fn optional(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
