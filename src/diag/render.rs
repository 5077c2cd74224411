//! Diagnostics as text for people: the rule, the place, the lines with a marker, what was meant.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Element, Group, Level, Renderer, Snippet};

use super::{Diagnostic, Label, Located, Severity, Sources};

/// How text is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether colour may be used; it only repeats what the words say.
    pub color: bool,
    /// Columns of the terminal; 0 for no limit.
    pub width: usize,
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
    let places: Vec<(AnnotationKind, Located, &str)> = diagnostic
        .primary
        .iter()
        .map(|label| (AnnotationKind::Primary, label))
        .chain(diagnostic.related.iter().map(|label| (AnnotationKind::Context, label)))
        .map(|(kind, Label { span, text })| (kind, sources.locate(*span), text.as_str()))
        .collect();
    let title = level.primary_title(diagnostic.message.as_str()).id(diagnostic.rule);
    let mut group = Group::with_title(title);
    for snippet in snippets(&places) {
        group = group.element(snippet);
    }
    for help in &diagnostic.help {
        group = group.element(Element::from(Level::HELP.message(help.as_str())));
    }
    let mut text = renderer.render(&[group]);
    text.push('\n');
    text
}

/// All findings, in the order given, with a blank line between.
pub fn render_all(diagnostics: &[Diagnostic], sources: &Sources, style: Style) -> String {
    let texts: Vec<String> =
        diagnostics.iter().map(|diagnostic| render(diagnostic, sources, style)).collect();
    texts.join("\n")
}

/// One snippet a file, in the order the files are first named.
fn snippets<'a>(
    places: &'a [(AnnotationKind, Located, &'a str)],
) -> Vec<Snippet<'a, annotate_snippets::Annotation<'a>>> {
    let mut names: Vec<&str> = Vec::new();
    for (_, at, _) in places {
        if !names.contains(&&*at.source.name) {
            names.push(&at.source.name);
        }
    }
    names
        .into_iter()
        .map(|name| {
            let here: Vec<_> =
                places.iter().filter(|(_, at, _)| &*at.source.name == name).collect();
            let text = &*here[0].1.source.text;
            let window = window(text, here.iter().map(|(_, at, _)| at.range.clone()));
            let first_line = text[..window.start].bytes().filter(|byte| *byte == b'\n').count() + 1;
            let annotations = here.iter().map(|(kind, at, label)| {
                let range = first_line_of(text, at.range.clone());
                let inner = range.start - window.start..range.end - window.start;
                let annotation = kind.span(inner);
                if label.is_empty() { annotation } else { annotation.label(*label) }
            });
            Snippet::source(&text[window.clone()])
                .path(name)
                .line_start(first_line)
                .annotations(annotations)
        })
        .collect()
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
