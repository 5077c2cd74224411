//! What is wrong with a text, and which bytes of it.

use std::error::Error;
use std::fmt;
use std::ops::Range;

/// A problem of kind `K` at a range of bytes of the text that was read.
///
/// The range counts from the start of that text; whoever knows where the text stands in a file
/// turns it into a span. It always lies on the boundaries of characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault<K> {
    /// What is wrong.
    pub kind: K,
    /// The bytes meant, end exclusive; empty where something is missing.
    pub range: Range<usize>,
}

impl<K> Fault<K> {
    /// A problem at `range`.
    pub fn new(kind: K, range: Range<usize>) -> Self {
        Self { kind, range }
    }

    /// The same problem, seen from a text in which this one starts at `offset`.
    #[must_use]
    pub fn shifted(mut self, offset: usize) -> Self {
        self.range = self.range.start + offset..self.range.end + offset;
        self
    }
}

impl<K: fmt::Display> fmt::Display for Fault<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl<K: Error> Error for Fault<K> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.kind.source()
    }
}
