//! Differences as text for people.

use std::fmt::Write as _;

use super::{Heading, Totals, summary, unified, values};
use crate::diag::printable_name;
use crate::diff::{Action, Differences, ItemDifference, ItemKind};

/// The whole comparison. With `color`, added and removed lines are coloured too.
pub fn text(differences: &Differences, heading: &Heading, color: bool) -> String {
    let mut page = String::new();
    for stack in &differences.stacks {
        let _ = writeln!(
            page,
            "{} {}  {}  {}..{}\n",
            stack.action.symbol(),
            stack.name,
            heading.environment,
            heading.base,
            heading.head
        );
        for item in &stack.items {
            write_item(&mut page, item, color);
        }
        page.push('\n');
    }
    let _ = writeln!(page, "{}", Totals::of(differences).sentence());
    page
}

fn write_item(page: &mut String, item: &ItemDifference, color: bool) {
    let kind = if item.kind == ItemKind::Service { "" } else { item.kind.word() };
    let name = format!("{kind} {}", printable_name(&item.name));
    let line = format!("  {} {}", item.action.symbol(), name.trim_start());
    let line = match item.action {
        Action::Update if item.replaces => format!("{line}  {}  new containers", summary(item)),
        Action::Update => format!("{line}  {}", summary(item)),
        Action::Create | Action::Delete => line,
    };
    let _ = writeln!(page, "{}", paint(item.action, &line, color));
    if item.action == Action::Delete {
        return;
    }
    let width = item.fields.iter().map(|field| field.path.chars().count()).max().unwrap_or(0);
    for field in &item.fields {
        let (old, new) = values(field);
        let path = printable_name(&field.path);
        let change = match item.action {
            Action::Create => new,
            Action::Update | Action::Delete => format!("{old} → {new}"),
        };
        let _ = writeln!(page, "      {path:<width$}  {change}");
    }
    for file in &item.files {
        for line in unified(file) {
            let action = match line.as_bytes().first() {
                Some(b'+') => Some(Action::Create),
                Some(b'-') => Some(Action::Delete),
                _ => None,
            };
            let line = format!("      {}", printable_name(&line));
            let line = action.map_or_else(|| line.clone(), |action| paint(action, &line, color));
            let _ = writeln!(page, "{line}");
        }
    }
}

fn paint(action: Action, line: &str, color: bool) -> String {
    let code = match action {
        Action::Create => "32",
        Action::Update => "33",
        Action::Delete => "31",
    };
    if color { format!("\u{1b}[{code}m{line}\u{1b}[0m") } else { line.to_owned() }
}
