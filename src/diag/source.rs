//! Texts that diagnostics point into, and the way from rendered text back to its template.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The index of a text in [`Sources`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(u32);

/// How far the ids of one registry moved when another took its texts over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moved(u32);

/// A range of bytes in one source, end exclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span {
    /// The text meant.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// The range `start..end` of `source`.
    ///
    /// Texts are limited to 16 MiB long before this, so offsets fit 32 bits.
    pub fn new(source: SourceId, start: usize, end: usize) -> Self {
        let narrow = |offset| u32::try_from(offset).unwrap_or(u32::MAX);
        Self { source, start: narrow(start), end: narrow(end) }
    }

    /// The same source, narrowed to `inner` bytes counted from the start of this span.
    #[must_use]
    pub fn slice(self, inner: Range<usize>) -> Self {
        let start = self.start as usize;
        Self::new(self.source, start + inner.start, start + inner.end)
    }

    /// The same range in a registry that took over its text.
    #[must_use]
    pub fn moved(self, Moved(by): Moved) -> Self {
        Self { source: SourceId(self.source.0 + by), ..self }
    }

    /// As a range of bytes.
    pub fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// Finds the place in a template that a range of the rendered text came from.
pub trait Origin: fmt::Debug + Send + Sync {
    /// The template's text and the range in it; `None` when it cannot be told.
    fn locate(&self, rendered: Range<usize>) -> Option<(Source, Range<usize>)>;
}

/// A text with the name people know it by.
#[derive(Debug, Clone)]
pub struct Source {
    /// A path as the user would type it.
    pub name: Arc<str>,
    /// The whole text.
    pub text: Arc<str>,
    /// Set when `text` was rendered from a template.
    pub origin: Option<Arc<dyn Origin>>,
}

impl Source {
    /// A text taken verbatim from a file.
    pub fn verbatim(name: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Self { name: name.into(), text: text.into(), origin: None }
    }
}

/// A place for people: line and column count from 1, columns in characters.
#[derive(Debug, Clone)]
pub struct Located {
    /// The file's name and text; the template when the text was rendered from one.
    pub source: Source,
    /// The bytes meant in `source`.
    pub range: Range<usize>,
    /// Line of the first byte.
    pub line: usize,
    /// Column of the first byte.
    pub column: usize,
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.source.name, self.line, self.column)
    }
}

/// The texts that one piece of work has read. Append-only, so that a [`SourceId`] stays good.
#[derive(Debug, Default)]
pub struct Sources {
    texts: Mutex<Vec<Source>>,
}

impl Sources {
    // A push either happened or did not, so a poisoned lock still guards a good list.
    fn lock(&self) -> MutexGuard<'_, Vec<Source>> {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps a text and gives it an id.
    pub fn add(&self, source: Source) -> SourceId {
        let mut texts = self.lock();
        texts.push(source);
        SourceId(u32::try_from(texts.len() - 1).expect("fewer than 2^32 files are read"))
    }

    /// The text of `id`.
    ///
    /// # Panics
    /// When `id` comes from another registry.
    pub fn get(&self, id: SourceId) -> Source {
        self.lock()[id.0 as usize].clone()
    }

    /// Takes over all texts of `other`; [`Diagnostic::moved`](super::Diagnostic::moved) by the
    /// outcome points at them here.
    pub fn adopt(&self, other: &Self) -> Moved {
        let taken = other.lock().clone();
        let mut texts = self.lock();
        let moved = Moved(u32::try_from(texts.len()).expect("fewer than 2^32 files are read"));
        texts.extend(taken);
        moved
    }

    /// The text that `span` covers.
    pub fn slice(&self, span: Span) -> String {
        self.get(span.source).text.get(span.range()).unwrap_or_default().to_owned()
    }

    /// The place of `span` for people: in the template where there is one.
    pub fn locate(&self, span: Span) -> Located {
        let rendered = self.get(span.source);
        let (source, range) = rendered
            .origin
            .as_ref()
            .and_then(|origin| origin.locate(span.range()))
            .unwrap_or((rendered, span.range()));
        locate_in(source, range)
    }
}

fn locate_in(source: Source, range: Range<usize>) -> Located {
    let mut start = range.start.min(source.text.len());
    while !source.text.is_char_boundary(start) {
        start -= 1;
    }
    let before = &source.text[..start];
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before[line_start..].chars().count() + 1;
    let end = range.end.clamp(start, source.text.len());
    Located { source, range: start..end, line, column }
}
