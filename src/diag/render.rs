//! Diagnostics as text for people: the rule, the place, the lines with a marker, what was meant.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Label, Located, Severity, Sources, hidden};

/// How text is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether colour may be used; it only repeats what the words say.
    pub color: bool,
    /// Columns of the terminal; 0 for no limit.
    pub width: usize,
}

/// The longest line that is shown whole, in bytes; of a longer one, the part around the marker.
const LINE_MAX: usize = 240;

/// How much of a long line is shown before and after the first marked byte.
const BEFORE: usize = 60;
const AFTER: usize = 120;

/// Text of a repository that must not move the cursor or colour what follows: control characters
/// are shown as escapes.
pub fn printable(text: &str) -> String {
    let show = |c: char| match c {
        '\n' => c.to_string(),
        c if c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') =>
        {
            c.escape_unicode().to_string()
        }
        c => c.to_string(),
    };
    text.chars().map(show).collect()
}

/// [`printable`] for a name or a path, which must not start a line of its own either.
pub fn printable_name(text: &str) -> String {
    let breaks = [('\n', "\\u{a}"), ('\u{2028}', "\\u{2028}"), ('\u{2029}', "\\u{2029}")];
    let text = printable(text);
    breaks.into_iter().fold(text, |text, (c, escape)| text.replace(c, escape))
}

/// One finding as text, with a trailing newline.
pub fn render(diagnostic: &Diagnostic, sources: &Sources, style: Style) -> String {
    let renderer = if style.color { Renderer::styled() } else { Renderer::plain() };
    let renderer = match style.width {
        0 => renderer.term_width(usize::MAX / 2),
        width => renderer.term_width(width),
    };
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let places: Vec<(AnnotationKind, Located, String)> = diagnostic
        .primary
        .iter()
        .map(|label| (AnnotationKind::Primary, label))
        .chain(diagnostic.related.iter().map(|label| (AnnotationKind::Context, label)))
        .map(|(kind, Label { span, text })| (kind, sources.locate(*span), printable_name(text)))
        .collect();
    let title = level.primary_title(printable_name(&diagnostic.message)).id(diagnostic.rule);
    let mut group = Group::with_title(title);
    let excerpts = excerpts(&places);
    for excerpt in &excerpts {
        group = excerpt.add_to(group);
    }
    for help in &diagnostic.help {
        group = group.element(Element::from(Level::HELP.message(printable(help))));
    }
    let text = renderer.render(&[group]);
    excerpts.iter().fold(text, |text, excerpt| excerpt.correct(&text)) + "\n"
}

/// What is shown of one file: some of its lines, long ones cut.
struct Excerpt {
    name: String,
    /// Line and column of the first label.
    at: (usize, usize),
    first_line: usize,
    text: String,
    labels: Vec<(AnnotationKind, Range<usize>, String)>,
    is_cut: bool,
}

/// One excerpt a file, in the order the files are first named.
fn excerpts(places: &[(AnnotationKind, Located, String)]) -> Vec<Excerpt> {
    let mut names: Vec<&str> = Vec::new();
    for (_, at, _) in places {
        if !names.contains(&&*at.source.name) {
            names.push(&at.source.name);
        }
    }
    names
        .into_iter()
        .map(|name| {
            let here = places.iter().filter(|(_, at, _)| &*at.source.name == name);
            Excerpt::of(name, &here.collect::<Vec<_>>())
        })
        .collect()
}

impl Excerpt {
    fn of(name: &str, places: &[&(AnnotationKind, Located, String)]) -> Self {
        let first = &places[0].1;
        let text = &*first.source.text;
        let window = window(text, places.iter().map(|(_, at, _)| at.range.clone()));
        let first_line = text[..window.start].bytes().filter(|byte| *byte == b'\n').count() + 1;
        let labels = places.iter().map(|(kind, at, label)| {
            let range = first_line_of(text, at.range.clone());
            (*kind, range.start - window.start..range.end - window.start, label.clone())
        });
        let mut excerpt = Self {
            name: printable_name(name),
            at: (first.line, first.column),
            first_line,
            // The line ends of Windows are no news. Every byte keeps its place.
            text: hidden(&text[window.clone()]).replace('\r', " "),
            labels: labels.collect(),
            is_cut: false,
        };
        if excerpt.text.lines().any(|line| line.len() > LINE_MAX) {
            excerpt.cut();
        }
        excerpt
    }

    /// Keeps of a long line the part around its first marker, or its beginning.
    fn cut(&mut self) {
        let (mut text, mut labels) = (String::new(), Vec::new());
        let mut start = 0;
        for line in self.text.split_inclusive('\n') {
            let end = start + line.len();
            let of_line =
                |range: &Range<usize>| range.start >= start && range.start < end.max(start + 1);
            let here: Vec<_> = self.labels.iter().filter(|(_, range, _)| of_line(range)).collect();
            let marked = here.iter().map(|(_, range, _)| range.start - start).min().unwrap_or(0);
            let is_long = line.len() > LINE_MAX;
            let from = if is_long { floor(line, marked.saturating_sub(BEFORE)) } else { 0 };
            let to = if is_long { floor(line, marked + AFTER) } else { line.len() };
            let dots = if from > 0 { "…" } else { "" };
            let base = text.len() + dots.len();
            text.push_str(dots);
            text.push_str(line[from..to].trim_end_matches('\n'));
            text.push_str(if to < line.trim_end().len() { "…" } else { "" });
            if line.ends_with('\n') {
                text.push('\n');
            }
            for (kind, range, label) in here {
                let inside = |offset: usize| base + (offset - start).clamp(from, to) - from;
                labels.push((*kind, inside(range.start)..inside(range.end), label.clone()));
            }
            start = end;
        }
        (self.text, self.labels, self.is_cut) = (text, labels, true);
    }

    fn add_to<'a>(&'a self, group: Group<'a>) -> Group<'a> {
        let annotations = self.labels.iter().map(|(kind, range, label)| {
            let annotation = kind.span(range.clone());
            if label.is_empty() { annotation } else { annotation.label(label.as_str()) }
        });
        let snippet = Snippet::source(&self.text).line_start(self.first_line);
        group.element(snippet.annotations(annotations.collect::<Vec<_>>()).path(self.name.as_str()))
    }

    /// Puts the column in the file where the column in a cut line was counted.
    fn correct(&self, text: &str) -> String {
        let primary = self.labels.iter().find(|(kind, ..)| *kind == AnnotationKind::Primary);
        let Some((_, range, _)) = primary.or(self.labels.first()).filter(|_| self.is_cut) else {
            return text.to_owned();
        };
        let before = &self.text[..range.start];
        let shown = before.rsplit('\n').next().unwrap_or(before).chars().count() + 1;
        let (line, column) = self.at;
        let counted = format!("{}:{line}:{shown}", self.name);
        text.replacen(&counted, &format!("{}:{line}:{column}", self.name), 1)
    }
}

/// The part of a range on its first line, at least one character wide where there is one.
///
/// A mapping that lacks a key spans many lines; marking all of them would hide the message.
fn first_line_of(text: &str, range: Range<usize>) -> Range<usize> {
    let start = floor(text, range.start);
    let line_end = text[start..].find('\n').map_or(text.len(), |newline| start + newline);
    let end = floor(text, range.end).clamp(start, line_end);
    if end > start || start == line_end {
        return start..end;
    }
    start..text[start..].chars().next().map_or(start, |c| start + c.len_utf8())
}

/// Whole lines around all ranges: files may be megabytes long, and only a few lines are shown.
fn window(text: &str, ranges: impl Iterator<Item = Range<usize>>) -> Range<usize> {
    let (mut start, mut end) = (text.len(), 0);
    for range in ranges {
        let range = first_line_of(text, range);
        start = start.min(range.start);
        end = end.max(range.end);
    }
    let start = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
    let end = text[end..].find('\n').map_or(text.len(), |newline| end + newline);
    start..end.max(start)
}

fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

#[cfg(test)]
mod tests {
    use super::super::{Source, Span};
    use super::*;

    #[test]
    fn a_finding_shows_the_line_and_what_was_meant() {
        let sources = Sources::default();
        let text = "services:\n  web:\n    iamge: nginx\n    image: nginx\n";
        let id = sources.add(Source::verbatim("compose.yaml", text));
        let finding = Diagnostic::error("shape/unknown-key", "`iamge` is no key of service")
            .at(Span::new(id, 21, 26))
            .related(Span::new(id, 38, 43), "the key is here already")
            .did_you_mean("iamge", ["image", "ports"]);
        insta::assert_snapshot!(render(&finding, &sources, Style::default()), @r"
        error[shape/unknown-key]: `iamge` is no key of service
         --> compose.yaml:3:5
          |
        3 |     iamge: nginx
          |     ^^^^^
        4 |     image: nginx
          |     ----- the key is here already
          |
          = help: did you mean `image`?
        ");
    }

    #[test]
    fn only_the_first_line_of_a_long_range_is_marked() {
        let sources = Sources::default();
        let text = "a: 1\nweb:\n  x: 1\n  y: 2\n";
        let id = sources.add(Source::verbatim("f.yaml", text));
        let finding = Diagnostic::warning("shape/missing-key", "`web` needs the key `z`")
            .at(Span::new(id, 12, 24));
        insta::assert_snapshot!(render(&finding, &sources, Style::default()), @r"
        warning[shape/missing-key]: `web` needs the key `z`
         --> f.yaml:3:3
          |
        3 |   x: 1
          |   ^^^^
        ");
    }

    #[test]
    fn long_lines_are_cut_around_the_marker() {
        let sources = Sources::default();
        let text = format!("a: [{}wrong{}]\n", "x, ".repeat(200), ", y".repeat(200));
        let id = sources.add(Source::verbatim("f.yaml", text));
        let finding = Diagnostic::error("x/y", "it is wrong").at(Span::new(id, 604, 609));
        insta::assert_snapshot!(render(&finding, &sources, Style::default()), @r"
        error[x/y]: it is wrong
         --> f.yaml:1:605
          |
        1 | …x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, x, wrong, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y, y,…
          |                                                              ^^^^^
        ");
    }

    #[test]
    fn control_characters_are_shown_not_sent() {
        let sources = Sources::default();
        let id = sources.add(Source::verbatim("a\u{1b}[2J", "k\u{1b}[31m: 1\n"));
        let finding = Diagnostic::error("x/y", "`\u{1b}[31m` is \u{202e}odd")
            .at_with(Span::new(id, 0, 1), "\u{7}")
            .help("\u{9b}0m");
        let text = render(&finding, &sources, Style::default());
        assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{text:?}");
    }

    #[test]
    fn colour_repeats_what_the_words_say() {
        let sources = Sources::default();
        let id = sources.add(Source::verbatim("f.yaml", "a: b\n"));
        let finding = Diagnostic::error("x/y", "odd").at(Span::new(id, 3, 4)).help("look");
        let style = |color| Style { color, width: 0 };
        let coloured = render(&finding, &sources, style(true));
        insta::assert_snapshot!(coloured.replace('\u{1b}', "ESC"), @r"
        ESC[1mESC[91merror[x/y]ESC[0mESC[1m: oddESC[0m
         ESC[1mESC[94m--> ESC[0mf.yaml:1:4
          ESC[1mESC[94m|ESC[0m
        ESC[1mESC[94m1ESC[0m ESC[1mESC[94m|ESC[0m a: b
          ESC[1mESC[94m|ESC[0m    ESC[1mESC[91m^ESC[0m
          ESC[1mESC[94m|ESC[0m
          ESC[1mESC[94m= ESC[0mESC[1mhelpESC[0m: look
        ");
        let without: String = coloured
            .split('\u{1b}')
            .enumerate()
            .map(|(index, part)| match index {
                0 => part,
                _ => part.split_once('m').map_or("", |(_, text)| text),
            })
            .collect();
        assert_eq!(without, render(&finding, &sources, style(false)));
    }

    #[test]
    fn odd_ranges_do_no_harm() {
        let sources = Sources::default();
        let id = sources.add(Source::verbatim("f", "é\n"));
        for (start, end) in [(0, 0), (1, 1), (3, 3), (9, 12), (2, 1)] {
            let finding = Diagnostic::error("x/y", "odd").at(Span::new(id, start, end));
            assert!(render(&finding, &sources, Style::default()).contains("odd"));
        }
        assert!(
            render(&Diagnostic::error("x/y", "none"), &sources, Style::default()).contains("none")
        );
    }
}
