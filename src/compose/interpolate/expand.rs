//! Puts the values of variables in their places.

use std::ops::Range;

use thiserror::Error;

use super::pieces::{Action, Malformed, Piece, Pieces, Rule};
use crate::compose::forms::Fault;

/// Gives the value of a variable, `None` when it is not set.
pub type Lookup<'a> = dyn Fn(&str) -> Option<String> + 'a;

/// What stops interpolation, and where.
pub type InterpolationError = Fault<InterpolationProblem>;

/// How deep defaults may stand in defaults.
const DEPTH_MAX: usize = 64;
/// How long a string may become.
const OUTPUT_BYTES_MAX: usize = 16 << 20;

/// A string with its variables replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interpolated {
    /// The text.
    pub text: String,
    /// Variables without value and without operator, which became nothing. Worth a warning each.
    pub unset: Vec<Reference>,
    /// Every variable that was asked for, the unset ones among them, in the order of asking.
    pub used: Vec<Reference>,
}

/// A place at which a variable is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// The variable.
    pub name: String,
    /// All that is replaced, from the dollar sign to the closing brace.
    pub range: Range<usize>,
}

/// What stops interpolation.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InterpolationProblem {
    /// No name follows `${`.
    #[error("`${{` must be followed by the name of a variable; write `$${{` for the text itself")]
    Unnamed,
    /// No brace closes it on the same line.
    #[error("`${{` is never closed: expected `}}` on the same line")]
    Unclosed,
    /// The name is followed by something unknown.
    #[error(
        "`{found}` cannot follow a variable's name: expected `}}`, `:-`, `-`, `:?`, `?`, `:+` or `+`"
    )]
    BadOperator {
        /// The character that was found.
        found: char,
    },
    /// A variable with `?` has no value.
    #[error("required variable `{name}` is missing a value{}", because(reason))]
    Required {
        /// The variable.
        name: String,
        /// What its author says of it; may be empty.
        reason: String,
    },
    /// Defaults stand in defaults without end.
    #[error("variables are nested more than 64 deep")]
    TooDeep,
    /// The values add up to more than anybody could want.
    #[error("the text becomes longer than 16 MiB")]
    TooLong,
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// Replaces the variables of `text`.
///
/// Stops at the first problem. A default that is not used is not read, so problems in it, and
/// variables it names, go unnoticed.
pub fn interpolate(text: &str, lookup: &Lookup<'_>) -> Result<Interpolated, InterpolationError> {
    let mut expansion = Expansion { text, lookup, done: Interpolated::default() };
    expansion.expand(0..text.len(), 0)?;
    Ok(expansion.done)
}

struct Expansion<'a> {
    text: &'a str,
    lookup: &'a Lookup<'a>,
    done: Interpolated,
}

impl Expansion<'_> {
    fn expand(&mut self, part: Range<usize>, depth: usize) -> Result<(), InterpolationError> {
        if depth > DEPTH_MAX {
            return Err(Fault::new(InterpolationProblem::TooDeep, part));
        }
        let text = self.text;
        for piece in Pieces::new(text, part) {
            match piece.map_err(|malformed| malformed.into_fault(text))? {
                Piece::Text(range) => self.push(&text[range.clone()], range)?,
                Piece::Dollar => self.done.text.push('$'),
                Piece::Plain { name, whole } => match self.ask(&text[name.clone()], &whole) {
                    Some(value) => self.push(&value, whole)?,
                    None => {
                        let name = text[name].to_owned();
                        self.done.unset.push(Reference { name, range: whole });
                    }
                },
                Piece::Choice { name, rule, operand, whole } => {
                    self.choose(&text[name], rule, operand, whole, depth)?;
                }
            }
        }
        Ok(())
    }

    fn choose(
        &mut self,
        name: &str,
        rule: Rule,
        operand: Range<usize>,
        whole: Range<usize>,
        depth: usize,
    ) -> Result<(), InterpolationError> {
        let value = self.ask(name, &whole);
        let counts = value.as_ref().is_some_and(|value| !(rule.empty_is_unset && value.is_empty()));
        match (rule.action, counts) {
            (Action::Default | Action::Require, true) | (Action::Presence, false) => {
                self.push(&value.unwrap_or_default(), whole)
            }
            (Action::Default, false) | (Action::Presence, true) => self.expand(operand, depth + 1),
            (Action::Require, false) => {
                let start = self.done.text.len();
                self.expand(operand, depth + 1)?;
                let reason = self.done.text.split_off(start);
                let name = name.to_owned();
                Err(Fault::new(InterpolationProblem::Required { name, reason }, whole))
            }
        }
    }

    fn ask(&mut self, name: &str, whole: &Range<usize>) -> Option<String> {
        self.done.used.push(Reference { name: name.to_owned(), range: whole.clone() });
        (self.lookup)(name)
    }

    fn push(&mut self, value: &str, range: Range<usize>) -> Result<(), InterpolationError> {
        if self.done.text.len().saturating_add(value.len()) > OUTPUT_BYTES_MAX {
            return Err(Fault::new(InterpolationProblem::TooLong, range));
        }
        self.done.text.push_str(value);
        Ok(())
    }
}

impl Malformed {
    fn into_fault(self, text: &str) -> InterpolationError {
        match self {
            Self::Unnamed(range) => Fault::new(InterpolationProblem::Unnamed, range),
            Self::Unclosed(range) => Fault::new(InterpolationProblem::Unclosed, range),
            Self::BadOperator(range) => {
                let found = text[range.clone()].chars().next().unwrap_or_default();
                Fault::new(InterpolationProblem::BadOperator { found }, range)
            }
        }
    }
}
