//! Texts of a repository inside Markdown, where no name may break out of its cell, mention people or
//! hide the rest.

use crate::diag::printable_name;

/// Inline code, with a fence longer than any run of backticks inside, safe in a table cell.
pub(super) fn code(text: &str) -> String {
    let text = printable_name(text).replace('|', "\\|");
    let ticks = "`".repeat(longest_run(&text) + 1);
    let pad = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{pad}{text}{pad}{ticks}")
}

/// A fence longer than any run of backticks in what it holds.
pub(super) fn fence(body: &str) -> String {
    "`".repeat(longest_run(body).max(2) + 1)
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Text inside an HTML tag, without mentions.
pub(super) fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('@', "&#64;")
}

/// Text between others, on one line, in which nothing means anything.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::new();
    for c in printable_name(text).chars() {
        match c {
            '&' => plain.push_str("&amp;"),
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            '@' => plain.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '!' | '|' | '~' | '#' => plain.extend(['\\', c]),
            c => plain.push(c),
        }
    }
    plain
}
