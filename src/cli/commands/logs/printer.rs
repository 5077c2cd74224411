//! Lines of several replicas on one stream: whose each is, in a column and a colour.

use std::collections::BTreeMap;
use std::io::Write as _;

use crate::diag::printable;
use crate::model::LiveContainer;

/// Colours that tell replicas apart: cyan, yellow, green, magenta, blue and their bright ones.
const COLORS: [u8; 10] = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];

/// Writes to standard output.
pub(in crate::cli::commands) struct Printer {
    has_color: bool,
    shows_moments: bool,
    width: usize,
    /// The colour of each replica, by its place in [`COLORS`].
    colors: BTreeMap<String, usize>,
}

impl Printer {
    pub(in crate::cli::commands) fn new(has_color: bool, shows_moments: bool) -> Self {
        Self { has_color, shows_moments, width: 0, colors: BTreeMap::new() }
    }

    /// Makes room for the names of these replicas.
    pub(in crate::cli::commands) fn expect<'a>(
        &mut self,
        replicas: impl Iterator<Item = &'a LiveContainer>,
    ) {
        for label in replicas.map(label) {
            self.width = self.width.max(label.len());
            let next = self.colors.len();
            self.colors.entry(label).or_insert(next);
        }
    }

    /// Prints a line that begins with its moment; `false` when nobody reads any more.
    pub(in crate::cli::commands) fn print(&mut self, replica: &LiveContainer, text: &str) -> bool {
        let line = self.line(&label(replica), text);
        let mut out = std::io::stdout().lock();
        out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_ok()
    }

    fn line(&self, label: &str, text: &str) -> String {
        let text = match split(text) {
            (Some(_), rest) if !self.shows_moments => rest,
            _ => text,
        };
        // What a program writes may hold anything, but a tab does no harm.
        let text = printable(text).replace("\\u{9}", "\t");
        let width = self.width;
        match self.colors.get(label).filter(|_| self.has_color) {
            Some(color) => {
                let color = COLORS[color % COLORS.len()];
                format!("\u{1b}[{color}m{label:width$} |\u{1b}[0m {text}\n")
            }
            None => format!("{label:width$} | {text}\n"),
        }
    }
}

/// Whose a line is: `shop/web.1`. It stays when a container takes the place of another.
pub(in crate::cli::commands) fn label(container: &LiveContainer) -> String {
    let identity = &container.identity;
    format!("{}/{}.{}", identity.stack, identity.service, identity.slot)
}

/// When a line was written, as the engine says it: in UTC and with nine digits, so that the order
/// of texts is that of time.
pub(in crate::cli::commands) fn moment(line: &str) -> &str {
    split(line).0.unwrap_or_default()
}

fn split(line: &str) -> (Option<&str>, &str) {
    let (first, rest) = line.split_once(' ').unwrap_or((line, ""));
    let is_moment = first.len() >= 20 && first.ends_with('Z') && first.as_bytes()[10] == b'T';
    if is_moment { (Some(first), rest) } else { (None, line) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printer(has_color: bool, shows_moments: bool) -> Printer {
        let colors = BTreeMap::from([("shop/web.1".to_owned(), 0)]);
        Printer { has_color, shows_moments, width: 11, colors }
    }

    const LINE: &str = "2026-01-31T12:00:00.123456789Z hello\u{1b}[2J\tyou";

    #[test]
    fn a_line_names_its_replica_and_cannot_move_the_cursor() {
        let line = printer(false, false).line("shop/web.1", LINE);
        assert_eq!(line, "shop/web.1  | hello\\u{1b}[2J\tyou\n");
    }

    #[test]
    fn a_colour_is_on_the_name_alone() {
        let line = printer(true, false).line("shop/web.1", LINE);
        assert!(line.starts_with("\u{1b}[36mshop/web.1  |\u{1b}[0m hello"), "{line:?}");
    }

    #[test]
    fn moments_are_shown_when_they_are_asked_for() {
        let line = printer(false, true).line("shop/web.1", LINE);
        assert!(line.contains("| 2026-01-31T12:00:00.123456789Z hello"), "{line}");
    }

    #[test]
    fn what_has_no_moment_is_whole() {
        assert_eq!(split("hello you"), (None, "hello you"));
        assert_eq!(split(""), (None, ""));
        assert_eq!(split("2026-01-31T12:00:00.1Z"), (Some("2026-01-31T12:00:00.1Z"), ""));
    }
}
