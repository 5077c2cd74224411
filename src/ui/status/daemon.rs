//! What a daemon knows, as a table. It is read as JSON, since the daemon may be of another release:
//! what it does not say is left out.

use serde_json::Value;

use crate::ui::words::{Tint, counted, table};

const HEADINGS: [&str; 7] = ["SOURCE", "STACK", "SYNC", "HEALTH", "COMMIT", "MODE", "WHAT GOES ON"];
const SYNC: usize = 2;
const HEALTH: usize = 3;

/// The stacks of a daemon's picture, with hosts that are away and whatever is wrong.
pub fn daemon_text(picture: &Value, stacks: &[String], color: bool) -> String {
    let mut rows = vec![HEADINGS.map(str::to_owned).to_vec()];
    let mut remarks = Vec::new();
    if let Some(trouble) = picture["trouble"].as_str() {
        remarks.push(trouble.to_owned());
    }
    for (name, source) in entries(&picture["sources"]) {
        if let Some(trouble) = source["trouble"].as_str() {
            remarks.push(format!("{name}: {trouble}"));
        }
        for (host, view) in entries(&source["hosts"]) {
            if view["is_up"] == false {
                let why = view["trouble"].as_str().unwrap_or("it does not answer");
                remarks.push(format!("{name}: host {host} is away: {why}"));
            }
        }
        let is_meant = |stack: &str| stacks.is_empty() || stacks.iter().any(|it| it == stack);
        let meant = entries(&source["stacks"]).filter(|(stack, _)| is_meant(stack));
        rows.extend(meant.map(|(stack, view)| row(name, stack, view)));
    }
    let count = counted(rows.len() - 1, "stack");
    let tint = |row: usize, column: usize| match (row, column) {
        (0, _) => Some(Tint::Dim),
        (_, SYNC | HEALTH) => Some(match rows[row][column].as_str() {
            "Synced" | "Healthy" => Tint::Good,
            "Degraded" | "Missing" => Tint::Bad,
            _ => Tint::Notice,
        }),
        (_, _) => None,
    };
    let mut page = if rows.len() > 1 { table(&rows, tint, color) + "\n" } else { String::new() };
    for remark in remarks {
        page = format!("{page}{}\n", crate::diag::printable_name(&remark));
    }
    page + &format!("{count}.\n")
}

fn row(source: &str, stack: &str, view: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let commit = view["synced"].as_str().unwrap_or("-");
    vec![
        source.to_owned(),
        stack.to_owned(),
        text(&view["sync"]),
        text(&view["health"]),
        commit.get(..7).unwrap_or(commit).to_owned(),
        text(&view["mode"]["mode"]),
        doings(view),
    ]
}

/// The round that runs, what waits and why, what has drifted.
fn doings(view: &Value) -> String {
    let mut words = Vec::new();
    if let (Some(done), Some(of)) =
        (view["running"]["done"].as_u64(), view["running"]["of"].as_u64())
    {
        words.push(format!("{done} of {of} steps done"));
    }
    if let Some(reason) = view["mode"]["reason"].as_str() {
        words.push(reason.to_owned());
    }
    if let Some(reason) = view["waiting"]["reason"].as_str() {
        words.push(reason.to_owned());
        if let Some(plan) = view["plan"]["id"].as_str() {
            words.push(format!("plan {plan}"));
        }
    }
    let drift = view["drift"].as_array().map(Vec::as_slice).unwrap_or_default();
    if !drift.is_empty() {
        let lines: Vec<&str> = drift.iter().filter_map(Value::as_str).collect();
        words.push(format!("drifted: {}", lines.join(", ")));
    }
    words.join("; ")
}

fn entries(of: &Value) -> impl Iterator<Item = (&str, &Value)> {
    of.as_object().into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_daemons_stacks_are_a_table_with_what_is_wrong_below() {
        let picture = json!({"sources": {"production": {
            "trouble": "the forge does not answer",
            "hosts": {"web-1": {"is_up": true}, "web-2": {"is_up": false, "trouble": "refused"}},
            "stacks": {
                "api": {"sync": "OutOfSync", "health": "Degraded", "mode": {"mode": "automatic"},
                    "synced": "b81d03e5a92c7744", "drift": ["web is gone"],
                    "waiting": {"reason": "waits to be approved"}, "plan": {"id": "9d1c"}},
                "shop": {"sync": "OutOfSync", "health": "Progressing", "drift": [],
                    "mode": {"mode": "automatic"}, "running": {"done": 4, "of": 9}},
            },
        }}});
        insta::assert_snapshot!(daemon_text(&picture, &[], false), @"
        SOURCE      STACK  SYNC       HEALTH       COMMIT   MODE       WHAT GOES ON
        production  api    OutOfSync  Degraded     b81d03e  automatic  waits to be approved; plan 9d1c; drifted: web is gone
        production  shop   OutOfSync  Progressing  -        automatic  4 of 9 steps done

        production: the forge does not answer
        production: host web-2 is away: refused
        2 stacks.
        ");
        assert!(daemon_text(&picture, &["shop".to_owned()], false).contains("1 stack."));
    }

    #[test]
    fn a_daemon_of_another_release_is_no_trouble() {
        assert_eq!(daemon_text(&json!({}), &[], false), "0 stacks.\n");
    }
}
