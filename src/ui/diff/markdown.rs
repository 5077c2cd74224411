//! Differences for a review: a table first, details folded.
//!
//! Everything that comes from a repository is escaped or fenced, so that no name can break out of
//! its cell, mention people or hide the rest.

use std::fmt::Write as _;

use super::{Heading, Totals, summary, unified, values};
use crate::diag::printable_name;
use crate::diff::{Action, Differences, ItemDifference, StackDifference};
use crate::ui::escape::{code, fence, html};

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

/// What changes, item by item, each folded.
pub(in crate::ui) fn sections(differences: &Differences) -> Vec<String> {
    let items = differences.stacks.iter().flat_map(|stack| {
        let changed = stack.items.iter().filter(|item| item.action != Action::Delete);
        changed.map(move |item| (stack, item))
    });
    let section = |(stack, item): (&StackDifference, &ItemDifference)| {
        let mut section = String::new();
        details(&mut section, stack, item);
        section
    };
    items
        .filter(|(_, item)| !item.fields.is_empty() || !item.files.is_empty())
        .map(section)
        .collect()
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
