//! The engine's errors as diagnostics, at their place in the template.
//!
//! The innermost error is what is shown; the includes and blocks on the way to it are related
//! places. Offsets lead back through what [`super::instrument`] added.

use std::collections::BTreeMap;
use std::error::Error as _;
use std::ops::Range;
use std::sync::Arc;

use minijinja::{Error, ErrorKind};

use super::engine::Job;
use super::instrument::{Purpose, instrument};
use super::lexer::{PieceKind, pieces};
use super::library::{Found, Template};
use super::limits::OPERATORS_MAX;
use super::message::{Message, explain};
use crate::diag::{Diagnostic, Source, SourceId, Sources, Span};
use crate::files::Report;

/// A place in one template.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The engine's name of the template.
    pub(super) name: String,
    /// The template.
    pub(super) template: Arc<Template>,
    index: usize,
    /// The bytes meant.
    pub(super) range: Range<usize>,
}

impl Place {
    /// Where `expression` stands in the tag meant.
    pub(super) fn find(&self, expression: &str) -> Option<Range<usize>> {
        let text = &self.template.text;
        let all = pieces(text);
        let tag = all.iter().find(|piece| piece.span.contains(&self.range.start))?;
        let found = text[tag.span.clone()].rfind(expression)? + tag.span.start;
        Some(found..found + expression.len())
    }

    /// The text meant.
    pub(super) fn text(&self) -> &str {
        self.template.text.get(self.range.clone()).unwrap_or_default()
    }
}

/// What went wrong, with the texts it points into.
pub(super) fn report(job: &Job, error: &Error) -> Report {
    let mut frames = chain(error);
    let innermost = frames.pop().unwrap_or(error);
    let mut place = place(job, innermost);
    let Message { rule, text, label, help, range } = explain(job, innermost, place.as_ref());
    if let (Some(place), Some(range)) = (&mut place, range) {
        place.range = range;
    }
    let mut book = Book::default();
    let mut diagnostic = Diagnostic::error(rule, text);
    match &place {
        Some(place) => diagnostic = diagnostic.at_with(book.span(place), label),
        None => {
            let start = start_of(job);
            if let Some(start) = &start {
                diagnostic = diagnostic.at_with(book.span(start), label);
            }
        }
    }
    for frame in frames.into_iter().rev() {
        if let Some(place) = self::place(job, frame) {
            let words = match frame.kind() {
                ErrorKind::EvalBlock => "on the way through this block",
                _ => "included from here",
            };
            diagnostic = diagnostic.related(book.span(&place), words);
        }
    }
    diagnostic.help = help;
    Report::new(vec![diagnostic], book.sources)
}

/// A report on what can be told before rendering, if there is anything.
pub(super) fn refused_before(job: &Job) -> Option<Report> {
    let templates = job.library.templates();
    let overlong = || {
        let (template, range) = templates
            .iter()
            .find_map(|template| template.overlong.clone().map(|range| (template, range)))?;
        let message =
            format!("this tag has more than {OPERATORS_MAX} operators that join or repeat text");
        let finding = Diagnostic::error("template/limit", message)
            .help("`*` counts for eight; use `{% set %}` for parts of it, or the filter `join`");
        Some((template, range, finding))
    };
    let misnamed = || {
        let (template, range) = templates
            .iter()
            .find_map(|template| template.misnamed.clone().map(|range| (template, range)))?;
        let finding = Diagnostic::error("template/syntax", "`as` is followed by no single name")
            .help("write `{% import 'file' as name %}`");
        Some((template, range, finding))
    };
    let (template, range, finding) = overlong().or_else(misnamed)?;
    let sources = Sources::default();
    let source = Source::verbatim(Arc::clone(&template.path), Arc::clone(&template.text));
    let span = Span::new(sources.add(source), range.start, range.end);
    Some(Report::new(vec![finding.at(span)], sources))
}

/// A report on a template that is not text.
pub(super) fn not_utf8(path: &str, offset: usize) -> Report {
    let diagnostic = Diagnostic::error(
        "template/not-utf8",
        format!("`{path}` is a template but not UTF-8 text (byte {offset})"),
    )
    .help("save it as UTF-8, or drop the `.j2` from its name to take it as it is");
    Report::new(vec![diagnostic], Sources::default())
}

/// A report on a template that asks for new names without end.
pub(super) fn too_many_names(path: &str, text: &str) -> Report {
    let sources = Sources::default();
    let span = Span::new(sources.add(Source::verbatim(path, text)), 0, 0);
    let diagnostic =
        Diagnostic::error("template/limit", "the template asks for too many other files").at(span);
    Report::new(vec![diagnostic], sources)
}

#[derive(Default)]
struct Book {
    sources: Sources,
    ids: BTreeMap<usize, SourceId>,
}

impl Book {
    fn span(&mut self, place: &Place) -> Span {
        let template = &place.template;
        let id = *self.ids.entry(place.index).or_insert_with(|| {
            let source = Source::verbatim(Arc::clone(&template.path), Arc::clone(&template.text));
            self.sources.add(source)
        });
        Span::new(id, place.range.start, place.range.end)
    }
}

/// The error and those beneath it that have places of their own, outermost first.
fn chain(error: &Error) -> Vec<&Error> {
    let mut frames = vec![error];
    let mut current = error;
    while let Some(inner) = current.source().and_then(|inner| inner.downcast_ref::<Error>()) {
        frames.push(inner);
        current = inner;
    }
    frames
}

fn start_of(job: &Job) -> Option<Place> {
    let template = Arc::clone(job.library.template(0)?);
    Some(Place { name: super::library::fixed_name(&job.path), template, index: 0, range: 0..0 })
}

fn place(job: &Job, error: &Error) -> Option<Place> {
    let name = error.name()?;
    let Some(Found::Template(index, template)) = job.library.find(name) else { return None };
    let range = match error.range() {
        Some(range) => original(&template.text, range),
        None => line(&template.text, error.line()?),
    };
    Some(Place {
        name: name.to_owned(),
        template: Arc::clone(template),
        index: *index,
        range: within(&template.text, range),
    })
}

fn original(text: &str, range: Range<usize>) -> Range<usize> {
    let instrumented = instrument(text, Purpose::Render);
    let (start, end) = (instrumented.original(range.start), instrumented.original(range.end));
    if start < end && start < text.len() {
        return start..end;
    }
    // It happened in a call that was added: the tag before it is what the author wrote.
    let all = pieces(text);
    let is_tag = |kind: &PieceKind| !matches!(kind, PieceKind::Text { .. });
    all.iter()
        .find(|piece| piece.span.end == start && is_tag(&piece.kind))
        .or_else(|| all.iter().find(|piece| piece.span.contains(&start)))
        .or_else(|| all.last().filter(|_| start >= text.len()))
        .map_or(start..start, |piece| piece.span.clone())
}

fn line(text: &str, number: usize) -> Range<usize> {
    let before: usize =
        text.split_inclusive('\n').take(number.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(before..).unwrap_or_default();
    let length = rest.split('\n').next().unwrap_or_default().trim_end().len();
    before..before + length
}

fn within(text: &str, range: Range<usize>) -> Range<usize> {
    let boundary = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = boundary(range.start);
    start..boundary(range.end).max(start)
}
