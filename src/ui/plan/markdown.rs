//! A plan for a review: a table first, what is destructive open, everything else folded.
//!
//! Everything that comes from a repository is escaped or fenced. When there is a limit, details go
//! first, then rows of the table, those of removals last; the verdict always stays.

use std::fmt::Write as _;

use super::{Heading, file, phrase, steps};
use crate::diag::printable_name;
use crate::model::{Action, Change, Plan, StackName};
use crate::ui::escape::{code, fence, html};
use crate::ui::words::counted;

const TABLE: &str = "| | stack | what | extent | why |\n|---|---|---|---|---|\n";

/// The whole plan, in at most `limit` bytes; never less than the heading and the verdict.
pub fn markdown(plan: &Plan, heading: &Heading, limit: Option<usize>) -> String {
    let limit = limit.unwrap_or(usize::MAX);
    let end = format!("{}\n", code_sentence(&phrase::summary(plan, heading)));
    let mut page = title(heading);
    let table = table(plan, limit.saturating_sub(page.len() + end.len()));
    page.push_str(&table);
    add_details(&mut page, plan, limit.saturating_sub(end.len()));
    page.push_str(&end);
    page
}

fn title(heading: &Heading) -> String {
    let subject = match heading.subject.as_str() {
        "" => String::new(),
        subject => format!(" {}", code(subject)),
    };
    format!(
        "### gitdeploy plan: {} {}{subject}\n\n",
        code(&heading.environment),
        code(&heading.commit)
    )
}

/// The summary holds names of the repository only where something is down.
fn code_sentence(sentence: &str) -> String {
    match sentence.split_once("Downtime: ") {
        Some((before, after)) if after != "none." => {
            format!("**{before}Downtime: {}**", code(after))
        }
        _ => format!("**{}**", html(sentence)),
    }
}

fn table(plan: &Plan, limit: usize) -> String {
    let mut rows = rows(plan);
    if rows.is_empty() {
        return String::new();
    }
    let size = |rows: &[(bool, String)]| rows.iter().map(|(_, row)| row.len()).sum::<usize>();
    let all = rows.len();
    // Room for the words that say how many are left out.
    let room = limit.saturating_sub(TABLE.len() + 80);
    if size(&rows) > room {
        rows.sort_by_key(|(is_destructive, _)| !is_destructive);
        while size(&rows) > room && rows.pop().is_some() {}
    }
    let mut table = TABLE.to_owned();
    table.extend(rows.iter().map(|(_, row)| row.as_str()));
    if rows.len() < all {
        let _ = writeln!(table, "| … | | and {} more | | |", all - rows.len());
    }
    table.push('\n');
    table
}

/// The rows, each with whether something is lost or down by it.
fn rows(plan: &Plan) -> Vec<(bool, String)> {
    let row = |action: Action, stack: &str, what: &str, extent: &str, why: &str| {
        let cell = |text: &str| if text.is_empty() { String::new() } else { code(text) };
        format!(
            "| `{}` | {} | {} | {} | {} |\n",
            action.symbol(),
            cell(stack),
            cell(what),
            cell(extent),
            cell(why)
        )
    };
    let changes = plan.stacks.iter().flat_map(|(stack, it)| {
        it.changes.iter().map(move |change| {
            let name = format!("{} {}", phrase::kind(change.kind), change.name);
            let (extent, why) = (phrase::extent(change), phrase::why(change));
            (
                is_destructive(change.action),
                row(change.action, stack.as_str(), &name, &extent, &why),
            )
        })
    });
    let files = plan.files.iter().map(|file| {
        let name = format!("proxy {}", file.place.proxy);
        let (extent, why) = (phrase::place(file), phrase::servers(file));
        (false, row(phrase::file_action(file), "", &name, &extent, &why))
    });
    changes.chain(files).collect()
}

fn is_destructive(action: Action) -> bool {
    matches!(action, Action::Remove | Action::ReplaceStopFirst)
}

/// What does not fit is left out, and counted.
fn add_details(page: &mut String, plan: &Plan, limit: usize) {
    const ROOM: usize = 80;
    let mut left_out = 0;
    for part in parts(plan) {
        if page.len() + part.len() + ROOM > limit {
            left_out += 1;
        } else {
            page.push_str(&part);
        }
    }
    let line =
        format!("…and {}, left out for their length.\n\n", counted(left_out, "more section"));
    if left_out > 0 && page.len() + line.len() <= limit {
        page.push_str(&line);
    }
}

/// The details, the most important first.
fn parts(plan: &Plan) -> Vec<String> {
    let (mut parts, folded) = sections(plan);
    parts.extend(folded);
    parts
}

/// The details that stay open, and those that are folded.
pub(in crate::ui) fn sections(plan: &Plan) -> (Vec<String>, Vec<String>) {
    let mut parts = Vec::new();
    if !plan.blind.is_empty() {
        let mut part = "**Not seen, and left as it is:**\n\n".to_owned();
        for blind in &plan.blind {
            let _ = writeln!(part, "- {}: {}", code(&blind.what), code(&blind.message));
        }
        parts.push(part + "\n");
    }
    for (place, stacks) in &plan.strays {
        let (what, message) = phrase::stray(place, stacks);
        parts.push(format!("**Warning:** {}: {message}\n\n", code(&what)));
    }
    let changes = || {
        plan.stacks
            .iter()
            .flat_map(|(stack, it)| it.changes.iter().map(move |change| (stack, change)))
    };
    let (open, folded): (Vec<_>, Vec<_>) =
        changes().partition(|(_, change)| is_destructive(change.action));
    parts.extend(open.into_iter().filter_map(|(stack, change)| details(stack, change)));
    parts.extend(notes(plan));
    let mut rest: Vec<String> =
        folded.into_iter().filter_map(|(stack, change)| details(stack, change)).collect();
    for file in &plan.files {
        let title = format!("{}: {}", file.place.proxy, file.path);
        rest.push(block(&title, "diff", &file::unified(file), true));
    }
    let mut lines = Vec::new();
    for stack in steps::stacks(plan) {
        lines.push(format!("{stack}:"));
        for (number, line) in steps::folded(plan, stack).into_iter().enumerate() {
            let service = if line.service.is_empty() { line.service } else { line.service + ": " };
            lines.push(format!("  {}. {service}{}", number + 1, line.words));
        }
    }
    if !lines.is_empty() {
        rest.push(block("steps", "text", &lines, true));
    }
    (parts, rest)
}

fn notes(plan: &Plan) -> Option<String> {
    let mut part = String::new();
    for (stack, it) in plan.stacks.iter().filter(|(_, it)| !it.changes.is_empty()) {
        for note in &it.notes {
            let of = match note.service.as_str() {
                "" => stack.to_string(),
                service => format!("{stack}/{service}"),
            };
            let _ = writeln!(part, "- {}: {}", code(&of), code(&note.message));
        }
    }
    (!part.is_empty()).then(|| part + "\n")
}

/// The fields and replicas of a change.
fn details(stack: &StackName, change: &Change) -> Option<String> {
    let mut lines = Vec::new();
    for field in &change.fields {
        let (old, new) = phrase::values(field);
        let path = printable_name(&field.path);
        if field.old.is_some() && change.action != Action::Create {
            lines.push(format!("- {path}: {old}"));
        }
        if field.new.is_some() && change.action != Action::Remove {
            lines.push(format!("+ {path}: {new}"));
        }
    }
    for replica in &change.replicas {
        let at = format!("{}/{} on {}", change.name, replica.slot, replica.host);
        for (sign, container) in [("-", &replica.old), ("+", &replica.new)] {
            if let Some(container) = container {
                let sign = if replica.old == replica.new { " " } else { sign };
                lines.push(printable_name(&format!("{sign} {at}: {container}")));
            }
        }
    }
    lines.dedup();
    let title = format!("{} {stack}/{}", change.action.symbol(), change.name);
    let is_folded = !is_destructive(change.action);
    (!lines.is_empty()).then(|| block(&title, "diff", &lines, is_folded))
}

/// Lines in a fence, folded under a title or below it.
fn block(title: &str, language: &str, lines: &[String], is_folded: bool) -> String {
    let body = lines.join("\n");
    let fence = fence(&body);
    let block = format!("{fence}{language}\n{body}\n{fence}");
    if is_folded {
        let title = html(&printable_name(title));
        format!("<details><summary>{title}</summary>\n\n{block}\n\n</details>\n\n")
    } else {
        format!("{}\n\n{block}\n\n", code(title))
    }
}
