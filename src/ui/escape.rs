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

/// What `escape` makes of a text, in at most `max` bytes: a text that is too long loses its end.
pub(super) fn within(text: &str, max: usize, escape: impl Fn(&str) -> String) -> String {
    // No character becomes more bytes than that.
    const WIDEST: usize = 16;
    let mut kept: Vec<char> = text.chars().take(max.saturating_add(1)).collect();
    let whole = escape(&kept.iter().collect::<String>());
    if whole.len() <= max && kept.len() <= max {
        return whole;
    }
    while !kept.is_empty() {
        let cut: String = kept.iter().chain(&['…']).collect();
        let cut = escape(&cut);
        let Some(excess @ 1..) = cut.len().checked_sub(max) else { return cut };
        kept.truncate(kept.len().saturating_sub((excess / WIDEST).max(1)));
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_by_what_it_is_when_written() {
        assert_eq!(within("abc", 5, code), "`abc`");
        assert_eq!(within("abcdef", 7, code), "`ab…`");
        assert_eq!(within("@@@", 9, html), "&#64;…");
        for max in 0..40 {
            for text in ["é`|`\u{1b}\u{202e}@<&", "x", "", "``````````"] {
                for escape in [code, plain, html] {
                    assert!(within(&text.repeat(99), max, escape).len() <= max, "{text} {max}");
                }
            }
        }
    }
}
