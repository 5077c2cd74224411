//! From a place in rendered text back to the template.
//!
//! Nothing is recorded while rendering. When somebody asks, the template is rendered once more
//! with markers in it. Only if that gives the same text apart from the markers are they believed;
//! first with markers everywhere, then only in text that is written where it stands. Failing
//! both, the template is searched for the line.

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use super::engine::Job;
use super::instrument::{Mark, Marker, Reach, has_markers, unmark};
use super::lexer::{Piece, PieceKind, pieces};
use super::library::{Library, Template};
use crate::diag::{Origin, Source};

/// The way back for one rendered file.
#[derive(Debug)]
pub(super) struct Provenance {
    job: Job,
    output: Arc<[u8]>,
    markers: OnceLock<Vec<Marker>>,
}

type Place = (Arc<Template>, Range<usize>);

impl Provenance {
    pub(super) fn new(job: Job, output: Arc<[u8]>) -> Self {
        Self { job, output, markers: OnceLock::new() }
    }

    fn markers(&self) -> &[Marker] {
        self.markers.get_or_init(|| {
            let library = &self.job.library;
            if library.templates().iter().any(|template| has_markers(&template.text)) {
                return Vec::new();
            }
            [Reach::Everywhere, Reach::Direct]
                .into_iter()
                .find_map(|reach| self.marked(reach))
                .unwrap_or_default()
        })
    }

    fn marked(&self, reach: Reach) -> Option<Vec<Marker>> {
        let (text, markers) = unmark(&self.job.render_marked(reach)?);
        (text.as_bytes() == &*self.output).then_some(markers)
    }

    fn by_markers(&self, rendered: &Range<usize>) -> Option<Place> {
        let markers = self.markers();
        let first = self.place_at(markers, rendered.start)?;
        let last_byte = rendered.end.saturating_sub(1).max(rendered.start);
        let last = self.place_at(markers, last_byte)?;
        let (template, start) = first.start()?;
        let end = match last.end() {
            Some((other, end)) if Arc::ptr_eq(&template, &other) && end > start => end,
            _ => first.end().map_or(start, |(_, end)| end),
        };
        // An empty range stays one, unless it is the place of a tag.
        let end = if rendered.is_empty() && first.is_text() { start } else { end };
        let range = whole_characters(&template.text, start..end.max(start));
        Some((template, range))
    }

    fn place_at(&self, markers: &[Marker], at: usize) -> Option<Spot<'_>> {
        let index = markers.partition_point(|marker| marker.at <= at).checked_sub(1)?;
        let marker = markers[index];
        let template = self.job.library.template(marker.index)?;
        let piece =
            pieces(&template.text).into_iter().find(|piece| piece.span.contains(&marker.offset))?;
        Some(Spot { library: &self.job.library, marker, at, piece })
    }

    /// The nearest thing to a place when markers cannot be trusted: a line with the same text.
    fn by_line(&self, rendered: &Range<usize>) -> Option<Place> {
        let text = std::str::from_utf8(&self.output).ok()?;
        let line = line_at(text, rendered.start);
        let wanted = line.trim();
        let templates = self.job.library.templates();
        let found = templates.iter().find_map(|template| {
            let range = lines(&template.text).find(|range| {
                !wanted.is_empty() && template.text[range.clone()].trim() == wanted
            })?;
            Some((Arc::clone(template), range))
        });
        let (template, range) = found.or_else(|| {
            let template = templates.first()?;
            let first = lines(&template.text).next().unwrap_or(0..0);
            Some((Arc::clone(template), first))
        })?;
        let text = &template.text[range.clone()];
        let start = range.start + (text.len() - text.trim_start().len());
        let end = start + text.trim().len();
        Some((template, start..end))
    }
}

impl Origin for Provenance {
    fn locate(&self, rendered: Range<usize>) -> Option<(Source, Range<usize>)> {
        let (template, range) = self.by_markers(&rendered).or_else(|| self.by_line(&rendered))?;
        let source = Source::verbatim(Arc::clone(&template.path), Arc::clone(&template.text));
        Some((source, range))
    }
}

/// One byte of rendered text with the marker ahead of it.
struct Spot<'p> {
    library: &'p Library,
    marker: Marker,
    at: usize,
    piece: Piece,
}

impl Spot<'_> {
    fn is_text(&self) -> bool {
        self.marker.mark == Mark::Text
    }

    fn template(&self) -> Option<Arc<Template>> {
        self.library.template(self.marker.index).cloned()
    }

    fn start(&self) -> Option<(Arc<Template>, usize)> {
        let start = match self.marker.mark {
            Mark::Tag => self.piece.span.start,
            Mark::Text => self.text_offset(),
        };
        Some((self.template()?, start))
    }

    fn end(&self) -> Option<(Arc<Template>, usize)> {
        let template = self.template()?;
        let end = match self.marker.mark {
            Mark::Tag => self.piece.span.end,
            Mark::Text => next_boundary(&template.text, self.text_offset(), self.text_end()),
        };
        Some((template, end))
    }

    fn text_offset(&self) -> usize {
        (self.marker.offset + (self.at - self.marker.at)).min(self.text_end())
    }

    fn text_end(&self) -> usize {
        match &self.piece.kind {
            PieceKind::Text { kept } | PieceKind::Raw { kept, .. } => kept.end,
            PieceKind::Expression { .. }
            | PieceKind::Statement { .. }
            | PieceKind::Comment { .. } => self.piece.span.end,
        }
    }
}

/// Whoever asks may count bytes within a character.
fn whole_characters(text: &str, range: Range<usize>) -> Range<usize> {
    let (mut start, mut end) = (range.start.min(text.len()), range.end.min(text.len()));
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    while !text.is_char_boundary(end) {
        end += 1;
    }
    start..end
}

fn next_boundary(text: &str, at: usize, limit: usize) -> usize {
    let mut end = at + 1;
    while end < limit && !text.is_char_boundary(end) {
        end += 1;
    }
    end.min(limit.max(at))
}

fn line_at(text: &str, at: usize) -> &str {
    let bytes = text.as_bytes();
    let at = at.min(bytes.len());
    let start = bytes[..at].iter().rposition(|byte| *byte == b'\n').map_or(0, |found| found + 1);
    let end = bytes[at..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |n| at + n);
    // A newline is a boundary of characters, and so are both ends of the text.
    &text[start..end]
}

fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.split_inclusive('\n').scan(0, |from, line| {
        let start = *from;
        *from += line.len();
        Some(start..start + line.trim_end_matches(['\n', '\r']).len())
    })
}
