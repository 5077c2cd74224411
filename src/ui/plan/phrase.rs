//! The words of a plan: counts, reasons, values, the last line. All forms say the same.

use std::collections::BTreeSet;

use super::Heading;
use crate::diag::printable_name;
use crate::diff::is_sensitive_name;
use crate::model::{
    Action, Cause, Change, Downtime, FieldDifference, Plan, ProxyFile, ProxyPlace, ResourceKind,
    Seen, StackName,
};
use crate::ui::words::{counted, duration};

/// Fields that are named in the line of a change; more are only counted.
const NAMES_MAX: usize = 6;

/// `web`, `network default`, `volume data`.
pub(in crate::ui) fn name(change: &Change) -> String {
    let name = printable_name(&change.name);
    match change.kind {
        ResourceKind::Service => name,
        ResourceKind::Network => format!("network {name}"),
        ResourceKind::Volume => format!("volume {name}"),
    }
}

/// The kind as outputs spell it.
pub(in crate::ui) fn kind(kind: ResourceKind) -> &'static str {
    match kind {
        ResourceKind::Service => "service",
        ResourceKind::Network => "network",
        ResourceKind::Volume => "volume",
    }
}

/// What happens to how much: `4 replicas, no downtime`.
pub(in crate::ui) fn extent(change: &Change) -> String {
    match (change.kind, change.action) {
        (ResourceKind::Volume, Action::Remove) => return "with all its data".into(),
        (ResourceKind::Network | ResourceKind::Volume, _) => return downtime(&change.downtime, ""),
        (ResourceKind::Service, _) => {}
    }
    let replicas = replicas(change);
    match change.action {
        Action::Create | Action::Remove => {
            format!("{replicas}{}", downtime(&change.downtime, ", "))
        }
        Action::Update | Action::ReplaceStartFirst | Action::ReplaceStopFirst => {
            match &change.downtime {
                Downtime::None if serves_no_more(change) => {
                    format!("{replicas}, it serves no more")
                }
                Downtime::None => format!("{replicas}, no downtime"),
                about @ Downtime::About { .. } => format!("{replicas}{}", downtime(about, ", ")),
            }
        }
    }
}

/// Whether nothing is left of a service that stays in the commit.
fn serves_no_more(change: &Change) -> bool {
    let is_kept = !matches!(change.action, Action::Create | Action::Remove);
    is_kept && change.kind == ResourceKind::Service && matches!(change.count, (1.., 0))
}

fn replicas(change: &Change) -> String {
    let (now, then) = change.count;
    let slots: BTreeSet<_> = change.replicas.iter().map(|replica| replica.slot).collect();
    match change.action {
        Action::Create => counted(then as usize, "replica"),
        Action::Remove => counted(now as usize, "replica"),
        Action::Update | Action::ReplaceStartFirst | Action::ReplaceStopFirst if now != then => {
            format!("{now} → {}", counted(then as usize, "replica"))
        }
        Action::Update | Action::ReplaceStartFirst | Action::ReplaceStopFirst
            if !slots.is_empty() && slots.len() < then as usize =>
        {
            format!("{} of {}", slots.len(), counted(then as usize, "replica"))
        }
        Action::Update | Action::ReplaceStartFirst | Action::ReplaceStopFirst => {
            counted(then as usize, "replica")
        }
    }
}

fn downtime(downtime: &Downtime, before: &str) -> String {
    match downtime {
        Downtime::None => String::new(),
        Downtime::About { time, .. } => format!("{before}about {} down", duration(*time)),
    }
}

/// Why: the fields that differ, or the reason that forces the downtime, or what else it is.
pub(in crate::ui) fn why(change: &Change) -> String {
    let mut words: Vec<String> = Vec::new();
    for cause in &change.causes {
        match cause {
            Cause::Changed if matches!(change.downtime, Downtime::About { .. }) => {}
            Cause::Changed | Cause::Drifted if !change.fields.is_empty() => {
                let prefix = if *cause == Cause::Drifted { "drifted: " } else { "" };
                words.push(format!("{prefix}{}", names(&change.fields)));
            }
            cause => words.push(printable_name(&cause.to_string())),
        }
    }
    if let Downtime::About { reason, .. } = &change.downtime {
        words.push(printable_name(reason));
    }
    words.dedup();
    words.join("; ")
}

fn names(fields: &[FieldDifference]) -> String {
    let mut names: Vec<String> =
        fields.iter().take(NAMES_MAX).map(|field| printable_name(&field.path)).collect();
    if fields.len() > NAMES_MAX {
        names.push(format!("{} more", fields.len() - NAMES_MAX));
    }
    names.join(", ")
}

/// Whether a field's values must not be shown.
pub(super) fn is_hidden(field: &FieldDifference) -> bool {
    let named = ["env.", "labels.", "args.", "options."]
        .iter()
        .find_map(|group| field.path.strip_prefix(group))
        .is_some_and(is_sensitive_name);
    named || [&field.old, &field.new].into_iter().any(|value| *value == Some(Seen::Hidden))
}

/// The two values of a field, with words for what is not set or not shown.
pub(super) fn values(field: &FieldDifference) -> (String, String) {
    let is_hidden = is_hidden(field);
    let both = field.old.is_some() && field.new.is_some();
    let value = |value: &Option<Seen>, hidden: &str| match value {
        None => "(unset)".to_owned(),
        Some(_) if is_hidden => hidden.to_owned(),
        Some(Seen::Hidden) => hidden.to_owned(),
        Some(Seen::Text(text)) => quoted(&field.path, text),
    };
    let changed = if both { "(sensitive, changed)" } else { "(sensitive)" };
    (value(&field.old, "(sensitive)"), value(&field.new, changed))
}

/// Strings of the user's own are quoted; words, numbers, lists and references stand for themselves.
fn quoted(path: &str, text: &str) -> String {
    let is_string =
        ["env.", "labels.", "sysctls.", "options."].iter().any(|group| path.starts_with(group));
    let is_marked = text.starts_with(['"', '[', '{']);
    let is_ambiguous = text.is_empty() || text.contains([' ', '→']) || text.starts_with('(');
    let text = printable_name(text);
    if is_string && !text.starts_with('"') || is_ambiguous && !is_marked {
        format!("\"{text}\"")
    } else {
        text
    }
}

/// A proxy that nobody knows any more: which, and what that means.
pub(super) fn stray(place: &ProxyPlace, stacks: &BTreeSet<StackName>) -> (String, String) {
    let stacks: Vec<&str> = stacks.iter().map(StackName::as_str).collect();
    let what = format!("proxy {} on {}", place.proxy, place.host);
    let message = format!(
        "it is not in the inventory any more, and may still send requests of {} to replicas that \
         go; put it back until its routes are gone, or take its managed file away",
        stacks.join(", ")
    );
    (what, message)
}

/// `nginx on edge-1`.
pub(super) fn place(file: &ProxyFile) -> String {
    format!("{} on {}", printable_name(&file.kind), file.place.host)
}

/// `4 servers change`.
pub(super) fn servers(file: &ProxyFile) -> String {
    let verb = if file.servers == 1 { "changes" } else { "change" };
    let servers = format!("{} {verb}", counted(file.servers, "server"));
    match &file.cause {
        Cause::NotServed if file.servers == 0 => {
            "serves something else than its file says".to_owned()
        }
        Cause::NotServed => format!("serves something else than its file says; {servers}"),
        Cause::Drifted => format!("edited by hand; {servers}"),
        Cause::RoutesChanged => format!("routes; {servers}"),
        // Its words are ours, nothing in it is somebody's, and it would be written otherwise now.
        Cause::Changed if file.servers == 0 => "another template".to_owned(),
        _ if file.servers == 0 => printable_name(&file.cause.to_string()),
        _ => servers,
    }
}

/// The symbol of a proxy's file: it comes, or it changes.
pub(super) fn file_action(file: &ProxyFile) -> Action {
    if file.old.is_none() { Action::Create } else { Action::Update }
}

/// The services that are down for a while, as the last line names them.
pub(super) fn downtimes(plan: &Plan) -> Vec<(&StackName, &Change, &Downtime)> {
    plan.stacks
        .iter()
        .flat_map(|(stack, it)| it.changes.iter().map(move |change| (stack, change)))
        .filter(|(_, change)| change.downtime != Downtime::None)
        .map(|(stack, change)| (stack, change, &change.downtime))
        .collect()
}

/// The last line: stable, so that scripts can look for it.
pub fn summary(plan: &Plan, heading: &Heading) -> String {
    if plan.is_empty() && plan.files.is_empty() {
        return unchanged(plan, heading);
    }
    let totals = plan.totals();
    let stacks = plan.stacks.values().filter(|stack| !stack.changes.is_empty()).count();
    let changes = plan.stacks.iter();
    let changes =
        changes.flat_map(|(stack, it)| it.changes.iter().map(move |change| (stack, change)));
    let down = changes.filter_map(|(stack, change)| {
        let what = match &change.downtime {
            Downtime::About { time, .. } => format!("about {}", duration(*time)),
            Downtime::None if serves_no_more(change) => "serves no more".to_owned(),
            Downtime::None => return None,
        };
        let stack = if stacks > 1 { format!("{stack}/") } else { String::new() };
        Some(format!("{stack}{} {what}", printable_name(&change.name)))
    });
    let down: Vec<String> = down.collect();
    let down = if down.is_empty() { "none".to_owned() } else { down.join(", ") };
    format!(
        "Plan: {} to create, {} to change, {} to remove. Downtime: {down}.",
        totals.create, totals.change, totals.remove
    )
}

fn unchanged(plan: &Plan, heading: &Heading) -> String {
    let seen =
        if plan.blind.is_empty() { "No changes." } else { "No changes in what could be seen." };
    let stacks = counted(plan.stacks.len(), "stack");
    let are = if plan.stacks.len() == 1 { "is" } else { "are" };
    if !plan.commits.is_empty() {
        let them = if plan.stacks.len() == 1 {
            "its release wants it"
        } else {
            "their releases want them"
        };
        return format!("{seen} {stacks} {are} as {them}.");
    }
    match (&plan.commit, heading.commit.as_str()) {
        (None, "uncommitted") => format!("{seen} {stacks} {are} as the uncommitted files want it."),
        (None, _) => format!("{seen} There is nothing left to remove."),
        (Some(_), commit) => {
            let them = if plan.stacks.len() == 1 { "it" } else { "them" };
            format!("{seen} {stacks} {are} as commit {} wants {them}.", printable_name(commit))
        }
    }
}
