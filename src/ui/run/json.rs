//! A run for programs: one event a line, with OpenTofu's names where the meaning is the same. The
//! envelope around them is the screen's.

use serde_json::{Value, json as value};

use crate::model::{Event, Millis, Outcome, Plan, StepEvent, Verdict};
use crate::ui::plan::{actions, address, kind, reason};
use crate::ui::words::took;

/// One event without its envelope.
#[derive(Debug, Clone, PartialEq)]
pub struct EventJson {
    /// `info`, `warn` or `error`.
    pub level: &'static str,
    /// For people.
    pub message: String,
    /// Its type: `apply_start`.
    pub kind: &'static str,
    /// Its own fields.
    pub more: Value,
}

/// What a plan would change, before it is carried out: each change, and their number.
pub fn planned(plan: &Plan) -> Vec<EventJson> {
    let mut events = Vec::new();
    for (stack, it) in &plan.stacks {
        for change in &it.changes {
            let kind = kind(change.kind);
            let address = address(stack, kind, &change.name);
            events.push(EventJson {
                level: "info",
                message: format!("{address}: {}", change.action.symbol()),
                kind: "planned_change",
                more: value!({"change": {
                    "resource": {
                        "addr": address, "resource_type": kind, "resource_name": change.name,
                    },
                    "actions": actions(change.action),
                    "reason": change.causes.first().map(reason),
                }}),
            });
        }
    }
    let totals = plan.totals();
    events.push(EventJson {
        level: "info",
        message: format!(
            "Plan: {} to create, {} to change, {} to remove.",
            totals.create, totals.change, totals.remove
        ),
        kind: "change_summary",
        more: value!({"changes": {
            "add": totals.create,
            "change": totals.change,
            "remove": totals.remove,
            "operation": "plan",
        }}),
    });
    events
}

/// One event of a run.
pub fn json(event: &Event) -> Option<EventJson> {
    let made = |level, kind, message: String, more| EventJson { level, message, kind, more };
    Some(match event {
        Event::Began { plan, steps } => {
            let more = value!({"plan": plan.0, "steps": steps});
            made("info", "run_start", format!("plan {plan}: {steps} steps"), more)
        }
        Event::Started(step) => {
            made("info", "apply_start", format!("{}: begun", said(step)), hook(step, &[]))
        }
        Event::Progress { step, message } => {
            let more = hook(step, &[("progress", message.as_str().into())]);
            made("info", "apply_progress", format!("{}: {message}", said(step)), more)
        }
        Event::Ended { step, outcome, took } => ended(step, outcome, *took),
        Event::RollingBack { stack, reason } => {
            let more = value!({"stack": stack, "reason": reason});
            made("error", "rollback_start", format!("{stack}: rolling back: {reason}"), more)
        }
        Event::Warned { message } => {
            let diagnostic = value!({"severity": "warning", "summary": message, "detail": ""});
            made("warn", "diagnostic", message.clone(), value!({ "diagnostic": diagnostic }))
        }
        Event::Interrupted { message } => made("warn", "interrupted", message.clone(), value!({})),
        Event::Finished { verdict, took: time } => {
            let (level, word) = verdict_words(verdict);
            let more = value!({"verdict": word, "elapsed_seconds": seconds(*time)});
            made(level, "run_complete", format!("{word} after {}", took(*time)), more)
        }
    })
}

fn ended(step: &StepEvent, outcome: &Outcome, time: Millis) -> EventJson {
    let (level, kind, word, reason) = match outcome {
        Outcome::Applied => ("info", "apply_complete", "applied", None),
        Outcome::AlreadyTrue => ("info", "apply_complete", "already_true", None),
        Outcome::Tolerated(reason) => ("warn", "apply_errored", "tolerated", Some(reason)),
        Outcome::Failed(reason) => ("error", "apply_errored", "failed", Some(reason)),
        Outcome::Superseded(reason) => ("error", "apply_errored", "superseded", Some(reason)),
        Outcome::Unknown(reason) => ("error", "apply_errored", "unknown", Some(reason)),
        Outcome::Skipped => ("info", "apply_skipped", "skipped", None),
    };
    let mut fields =
        vec![("outcome", word.into()), ("elapsed_seconds", Value::from(seconds(time)))];
    fields.extend(reason.map(|reason| ("error", reason.as_str().into())));
    let why = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
    let message = format!("{}: {}{why}", said(step), word.replace('_', " "));
    EventJson { level, message, kind, more: hook(step, &fields) }
}

/// OpenTofu's `hook`: the resource, and what is done to it.
fn hook(step: &StepEvent, fields: &[(&str, Value)]) -> Value {
    let (kind, name, addr) = match &step.service {
        Some(service) => {
            ("service", service.as_str(), address(&step.stack, "service", service.as_str()))
        }
        None => ("stack", step.stack.as_str(), step.stack.to_string()),
    };
    let mut hook = value!({
        "resource": {"addr": addr, "resource_type": kind, "resource_name": name},
        "step": step.id.0,
        "stack": step.stack,
        "service": step.service,
        "slot": step.slot,
        "host": step.host,
        "action": step.words,
    });
    for (key, field) in fields {
        hook[*key] = field.clone();
    }
    value!({ "hook": hook })
}

fn said(step: &StepEvent) -> String {
    format!("{}: {}", super::tally::name(step), step.words)
}

fn verdict_words(verdict: &Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Done => ("info", "done"),
        Verdict::RolledBack => ("error", "rolled_back"),
        Verdict::Failed => ("error", "failed"),
        Verdict::Partly => ("error", "partly"),
        Verdict::Interrupted => ("error", "interrupted"),
    }
}

fn seconds(time: Millis) -> f64 {
    time as f64 / 1000.0
}
