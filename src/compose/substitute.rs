//! Replaces the variables in every string of a document, and casts those that must be numbers or
//! booleans.
//!
//! YAML has typed plain scalars long before variables are replaced, so `replicas: ${N}` arrives as
//! a string; the attribute table says where a string has to become something else.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::diag::{Diagnostic, Sources, Span};
use crate::yaml::{Node, Value};

use super::attribute::Place;
use super::budget::{self, Budget};
use super::forms;
use super::interpolate::{Cast, Scalar, interpolate};

/// What a document's strings are filled in from, and what was found on the way.
pub(super) struct Substitution<'a> {
    /// The texts that spans point into.
    pub(super) sources: &'a Sources,
    /// Values by name.
    pub(super) variables: &'a BTreeMap<String, String>,
    /// Where errors go.
    pub(super) problems: &'a mut Vec<Diagnostic>,
    /// Where warnings go.
    pub(super) warnings: &'a mut Vec<Diagnostic>,
    /// Variables that were reported missing already.
    pub(super) reported: &'a mut BTreeSet<String>,
    /// What long values are taken from.
    pub(super) budget: &'a mut Budget,
}

impl Substitution<'_> {
    /// Fills in `node`, which stands at `place`, and all below it.
    pub(super) fn apply(&mut self, node: &mut Node, place: &Place<'_>) {
        let span = node.span;
        match &mut node.value {
            Value::Map(map) => {
                for (key, item) in &mut map.0 {
                    self.apply(&mut item.node, &place.key(key));
                }
            }
            Value::Seq(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.apply(item, &place.item(index));
                }
            }
            Value::Str(text) => {
                if text.contains('$') && !self.fill(text, span, place) {
                    node.value = Value::Null;
                } else if let Some(cast) = place.attribute().and_then(|attribute| attribute.cast) {
                    let text = std::mem::take(text);
                    node.value = self.cast(cast, text, span, place);
                }
            }
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {}
        }
    }

    /// Whether `text` could be filled in.
    fn fill(&mut self, text: &mut String, span: Span, place: &Place<'_>) -> bool {
        match interpolate(text, &|name| self.variables.get(name).cloned()) {
            Ok(filled) => {
                for unset in filled.unset {
                    if self.reported.insert(unset.name.clone()) {
                        let message = format!("the variable `{}` is not set", unset.name);
                        self.warnings.push(
                            Diagnostic::warning("compose/unset-variable", message)
                                .at_with(self.inside(span, text, &unset.range), "becomes nothing"),
                        );
                    }
                }
                match self.budget.charge(budget::text(&filled.text) - 1, span) {
                    Ok(()) => *text = filled.text,
                    Err(problem) => self.problems.extend(problem),
                }
                true
            }
            Err(fault) => {
                let at = self.inside(span, text, &fault.range);
                self.problems.push(
                    Diagnostic::error(
                        "compose/interpolation",
                        format!("`{place}`: `{}`: {fault}", excerpt(line_of(text, &fault.range))),
                    )
                    .at(at),
                );
                false
            }
        }
    }

    fn cast(&mut self, cast: Cast, text: String, span: Span, place: &Place<'_>) -> Value {
        match cast.apply(&text) {
            Ok(Scalar::Int(number)) => Value::Int(number),
            Ok(Scalar::Float(number)) => Value::Float(number),
            Ok(Scalar::Float32(number)) => {
                Value::Float(forms::json_float32(number).parse().unwrap_or(f64::from(number)))
            }
            Ok(Scalar::Bool(flag)) => {
                if flag.is_dated {
                    let message = format!("`{place}`: `{text}` is no boolean in YAML 1.2");
                    self.warnings.push(
                        Diagnostic::warning("compose/dated-boolean", message)
                            .at(span)
                            .help(format!("write `{}`", flag.value)),
                    );
                }
                Value::Bool(flag.value)
            }
            Err(fault) => {
                let message = format!("`{place}`: `{}`: {fault}", excerpt(&text));
                self.problems.push(Diagnostic::error("compose/wrong-kind", message).at(span));
                Value::Str(text)
            }
        }
    }

    /// The bytes `range` of `text` in the file, when the file has it letter by letter.
    fn inside(&self, span: Span, text: &str, range: &Range<usize>) -> Span {
        inside(self.sources, span, text, range)
    }
}

/// The first line of `text`, if it is short enough to be repeated in a message.
pub(super) fn excerpt(text: &str) -> &str {
    const BYTES_MAX: usize = 80;
    let line = text.lines().next().unwrap_or_default();
    let end = (0..=BYTES_MAX.min(line.len())).rev().find(|end| line.is_char_boundary(*end));
    &line[..end.unwrap_or(0)]
}

/// The line of `text` in which `range` begins.
fn line_of<'a>(text: &'a str, range: &Range<usize>) -> &'a str {
    let (Some(before), Some(after)) = (text.get(..range.start), text.get(range.start..)) else {
        return text;
    };
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let end = after.find('\n').map_or(text.len(), |newline| range.start + newline);
    &text[start..end]
}

/// The place of `range` of a scalar with value `text` at `span`; all of it when the scalar comes
/// from elsewhere or is written so differently that the place cannot be told.
pub(super) fn inside(sources: &Sources, span: Span, text: &str, range: &Range<usize>) -> Span {
    let raw = sources.slice(span);
    let offset = if raw == text {
        0
    } else if raw.get(1..raw.len().saturating_sub(1)) == Some(text) {
        1
    } else {
        return by_line(span, &raw, text, range).unwrap_or(span);
    };
    let exact = span.slice(range.start + offset..range.end + offset);
    if exact.end <= span.end { exact } else { span }
}

/// The place in a block of text or one with escapes: by the line, else by the rest of the line
/// from there on, whichever stands in `raw` exactly once.
fn by_line(span: Span, raw: &str, text: &str, range: &Range<usize>) -> Option<Span> {
    let line = line_of(text, range);
    let line_start = text[..range.start].rfind('\n').map_or(0, |newline| newline + 1);
    let once = |part: &str| {
        let (at, _) = raw.match_indices(part).next()?;
        (!part.is_empty() && raw.matches(part).count() == 1).then_some(at)
    };
    let rest = &line[range.start - line_start..];
    let start = once(line).map(|at| at + range.start - line_start).or_else(|| once(rest))?;
    let end = start + range.len().min(rest.len());
    Some(span.slice(start..end))
}
