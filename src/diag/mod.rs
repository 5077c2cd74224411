//! What is wrong, where, and what to do about it.
//!
//! A [`Diagnostic`] points into a [`Source`] by byte range and never holds text of it, so making
//! one costs nothing until somebody reads it. A source that was rendered from a template knows its
//! [`Origin`]; the place shown to people is then the place in the template.

mod hidden;
mod render;
mod source;

pub use hidden::{hidden, is_sensitive_name};
pub use render::{Style, printable, printable_name, render};
pub use source::{Located, Moved, Origin, Source, SourceId, Sources, Span};

/// How bad a [`Diagnostic`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Nothing is done until this is mended.
    Error,
    /// Worth a look; work goes on.
    Warning,
}

/// A range of a source with a few words about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The bytes meant.
    pub span: Span,
    /// Shown beside the marker; may be empty.
    pub text: String,
}

/// One finding: what is wrong, where, what was meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The rule that found it, stable over releases: `compose/unknown-key`.
    pub rule: &'static str,
    /// What is wrong, one sentence without a full stop.
    pub message: String,
    /// Where; `None` only when there is no text to point at.
    pub primary: Option<Label>,
    /// Other places that explain it: the first definition of a duplicate, the anchor of an alias.
    pub related: Vec<Label>,
    /// What was meant or what to do: "did you mean `image`?".
    pub help: Vec<String>,
}

impl Diagnostic {
    /// An error of `rule`.
    pub fn error(rule: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, rule, message.into())
    }

    /// A warning of `rule`.
    pub fn warning(rule: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, rule, message.into())
    }

    fn new(severity: Severity, rule: &'static str, message: String) -> Self {
        Self { severity, rule, message, primary: None, related: Vec::new(), help: Vec::new() }
    }

    /// Whether it stops the work.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// Points at `span`.
    #[must_use]
    pub fn at(self, span: Span) -> Self {
        self.at_with(span, "")
    }

    /// Points at `span`, with a few words beside the marker.
    #[must_use]
    pub fn at_with(mut self, span: Span, text: impl Into<String>) -> Self {
        self.primary = Some(Label { span, text: text.into() });
        self
    }

    /// The same finding in a registry that took over the texts it points into.
    #[must_use]
    pub fn moved(mut self, by: Moved) -> Self {
        for label in self.primary.iter_mut().chain(&mut self.related) {
            label.span = label.span.moved(by);
        }
        self
    }

    /// Adds a second place that explains the first.
    #[must_use]
    pub fn related(mut self, span: Span, text: impl Into<String>) -> Self {
        self.related.push(Label { span, text: text.into() });
        self
    }

    /// Adds a sentence on what was meant or what to do.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }

    /// Adds "did you mean …?" when `candidates` has a name close to `wrong`.
    #[must_use]
    pub fn did_you_mean<'a>(
        self,
        wrong: &str,
        candidates: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        match nearest(wrong, candidates) {
            Some(name) => self.help(format!("did you mean `{name}`?")),
            None => self,
        }
    }
}

/// An error with all its causes in one sentence.
pub fn words(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    words
}

/// The candidate closest to `wrong`, when it is close enough to be what was meant.
///
/// Distance is Damerau-Levenshtein without case; the limit is a third of the longer name, at least
/// one and at most three edits, as compilers do. Ties go to the first in order of the names.
pub fn nearest<'a>(wrong: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wrong = wrong.to_lowercase();
    candidates
        .into_iter()
        .filter_map(|name| {
            let limit = (wrong.chars().count().max(name.chars().count()) / 3).clamp(1, 3);
            let edits = edits(&wrong, &name.to_lowercase());
            // All letters replaced is another name.
            let is_near = edits <= limit && edits < wrong.chars().count();
            is_near.then_some((edits, name))
        })
        .min()
        .map(|(_, name)| name)
}

/// Edits between two short names: insert, delete, replace, swap of neighbours.
pub fn edits(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    // Names longer than this are never a slip of the finger, and the table is quadratic.
    if a.len().max(b.len()) > 64 {
        return usize::MAX;
    }
    let mut rows = vec![vec![0; b.len() + 1]; a.len() + 1];
    for (i, row) in rows.iter_mut().enumerate() {
        row[0] = i;
    }
    rows[0] = (0..=b.len()).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replace = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = best;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let keys = ["image", "init", "environment", "ports", "privileged"];
        assert_eq!(nearest("iamge", keys), Some("image"));
        assert_eq!(nearest("enviroment", keys), Some("environment"));
        assert_eq!(nearest("Ports", keys), Some("ports"));
        assert_eq!(nearest("volumes", keys), None);
        assert_eq!(nearest("", keys), None);
        assert_eq!(nearest("c", ["a"]), None);
    }
}
