//! Differences for a review: a table first, details folded.
//!
//! Everything that comes from a repository is escaped or fenced, so that no name can break out of
//! its cell, mention people or hide the rest.

use std::fmt::Write as _;

use super::{Heading, Totals, summary, unified, values};
use crate::diag::printable_name;
use crate::diff::{Action, Differences, ItemDifference, StackDifference};

/// The whole comparison.
pub fn markdown(differences: &Differences, heading: &Heading) -> String {
    let mut page = String::new();
    let _ = writeln!(
        page,
        "### gitdeploy diff: {} {}..{}\n",
        code(&heading.environment),
        code(&heading.base),
        code(&heading.head)
    );
    if !differences.is_empty() {
        page.push_str("| | stack | item | what |\n|---|---|---|---|\n");
        for stack in &differences.stacks {
            table_rows(&mut page, stack);
        }
        page.push('\n');
        for stack in &differences.stacks {
            for item in stack.items.iter().filter(|item| item.action == Action::Update) {
                details(&mut page, stack, item);
            }
        }
    }
    let _ = writeln!(page, "{}", Totals::of(differences).sentence());
    page
}

fn table_rows(page: &mut String, stack: &StackDifference) {
    if stack.items.is_empty() {
        let _ =
            writeln!(page, "| `{}` | {} | | |", stack.action.symbol(), code(stack.name.as_str()));
    }
    for item in &stack.items {
        let what = match item.action {
            Action::Update if item.replaces => {
                format!("new containers: {}", code(summary(item).trim_matches(['(', ')'])))
            }
            Action::Update => code(summary(item).trim_matches(['(', ')'])),
            Action::Create | Action::Delete => String::new(),
        };
        let name = format!("{} {}", item.kind.word(), item.name);
        let _ = writeln!(
            page,
            "| `{}` | {} | {} | {what} |",
            item.action.symbol(),
            code(stack.name.as_str()),
            code(&name)
        );
    }
}

fn details(page: &mut String, stack: &StackDifference, item: &ItemDifference) {
    let mut lines = Vec::new();
    for field in &item.fields {
        let (old, new) = values(field);
        if field.old.is_some() {
            lines.push(format!("- {}: {old}", printable_name(&field.path)));
        }
        if field.new.is_some() {
            lines.push(format!("+ {}: {new}", printable_name(&field.path)));
        }
    }
    for file in &item.files {
        lines.extend(unified(file).iter().map(|line| printable_name(line)));
    }
    let body = lines.join("\n");
    let fence = fence(&body);
    let title = html(&format!("{}/{}", stack.name, item.name));
    let _ = writeln!(
        page,
        "<details><summary>{title}</summary>\n\n{fence}diff\n{body}\n{fence}\n\n</details>\n"
    );
}

/// Inline code, with a fence longer than any run of backticks inside, safe in a table cell.
fn code(text: &str) -> String {
    let text = printable_name(text).replace('|', "\\|");
    let ticks = "`".repeat(longest_run(&text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

fn fence(body: &str) -> String {
    "`".repeat(longest_run(body).max(2) + 1)
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('@', "&#64;")
}
