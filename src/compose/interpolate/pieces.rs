//! Cuts a string into plain text and variables.
//!
//! The cutting is lazy, for the operand of a variable is only looked at when it is needed: an
//! error in a default that is not used is no error. Ranges count from the start of the whole
//! string at every level of nesting.

use std::ops::Range;

/// A part of a string.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// Text that stands for itself, a lone `$` among it.
    Text(Range<usize>),
    /// `$$`, which stands for `$`.
    Dollar,
    /// `$NAME` or `${NAME}`.
    Plain {
        /// The name alone.
        name: Range<usize>,
        /// All of it.
        whole: Range<usize>,
    },
    /// `${NAME` with an operator and an operand.
    Choice {
        /// The name alone.
        name: Range<usize>,
        /// The operator.
        rule: Rule,
        /// What follows the operator, in which variables may stand.
        operand: Range<usize>,
        /// All of it.
        whole: Range<usize>,
    },
}

/// An operator between name and operand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) action: Action,
    /// Whether an empty variable counts as unset: there is a colon.
    pub(super) empty_is_unset: bool,
}

/// What an operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// `-`: the operand takes the place of an unset variable.
    Default,
    /// `+`: the operand takes the place of a set one.
    Presence,
    /// `?`: an unset variable is an error that the operand explains.
    Require,
}

/// What is wrong with a `${`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Malformed {
    /// No name follows.
    Unnamed(Range<usize>),
    /// The line has no brace that could close it.
    Unclosed(Range<usize>),
    /// The name is followed by neither a brace nor an operator.
    BadOperator(Range<usize>),
}

/// The pieces of a part of `text`.
pub(super) struct Pieces<'t> {
    text: &'t str,
    at: usize,
    end: usize,
    line: Option<Line>,
}

/// The line that the reader is in, so that its last brace is looked for only once.
#[derive(Clone, Copy)]
struct Line {
    end: usize,
    last_brace: Option<usize>,
}

impl<'t> Pieces<'t> {
    pub(super) fn new(text: &'t str, part: Range<usize>) -> Self {
        Self { text, at: part.start, end: part.end, line: None }
    }

    fn rest(&self, from: usize) -> &'t str {
        &self.text[from..self.end]
    }

    fn dollar(&mut self) -> Result<Piece, Malformed> {
        let start = self.at;
        let after = self.rest(start + 1);
        if after.starts_with('$') {
            self.at += 2;
            return Ok(Piece::Dollar);
        }
        if after.starts_with('{') {
            return self.braced();
        }
        self.at += 1;
        let name = start + 1..start + 1 + name_length(after);
        if name.is_empty() {
            return Ok(Piece::Text(start..start + 1));
        }
        self.at = name.end;
        Ok(Piece::Plain { whole: start..name.end, name })
    }

    fn braced(&mut self) -> Result<Piece, Malformed> {
        let start = self.at;
        let name = start + 2..start + 2 + name_length(self.rest(start + 2));
        // Whoever goes on after an error goes on here.
        self.at = start + 2;
        if name.is_empty() {
            return Err(Malformed::Unnamed(start..name.end));
        }
        let after = self.rest(name.end);
        if after.starts_with('}') {
            self.at = name.end + 1;
            return Ok(Piece::Plain { whole: start..self.at, name });
        }
        let Some((rule, length)) = Rule::read(after) else {
            return Err(match after.chars().next() {
                None | Some('\n') => Malformed::Unclosed(start..name.end),
                Some(ch) => Malformed::BadOperator(name.end..name.end + ch.len_utf8()),
            });
        };
        let operand = name.end + length;
        let Some(last) = self.last_brace(operand) else {
            return Err(Malformed::Unclosed(start..operand));
        };
        let close = closing_brace(self.text.as_bytes(), start + 1, last).unwrap_or(last);
        self.at = close + 1;
        Ok(Piece::Choice { name, rule, operand: operand..close, whole: start..self.at })
    }

    /// The last closing brace of the line, which is at `from` or after.
    fn last_brace(&mut self, from: usize) -> Option<usize> {
        let line = match self.line {
            Some(line) if from <= line.end => line,
            _ => {
                let rest = self.rest(from);
                let length = rest.find('\n').unwrap_or(rest.len());
                let last_brace = rest[..length].rfind('}').map(|brace| from + brace);
                Line { end: from + length, last_brace }
            }
        };
        self.line = Some(line);
        line.last_brace.filter(|brace| *brace >= from)
    }
}

impl Iterator for Pieces<'_> {
    type Item = Result<Piece, Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.end {
            return None;
        }
        let start = self.at;
        match self.rest(start).find('$') {
            Some(0) => Some(self.dollar()),
            found => {
                self.at = found.map_or(self.end, |dollar| start + dollar);
                Some(Ok(Piece::Text(start..self.at)))
            }
        }
    }
}

impl Rule {
    /// The operator that `text` starts with, and its length.
    fn read(text: &str) -> Option<(Self, usize)> {
        let operator = text.strip_prefix(':').unwrap_or(text);
        let action = match operator.chars().next()? {
            '-' => Action::Default,
            '+' => Action::Presence,
            '?' => Action::Require,
            _ => return None,
        };
        let colon = text.len() - operator.len();
        Some((Self { action, empty_is_unset: colon == 1 }, colon + 1))
    }
}

/// How many bytes of `text` are a variable's name.
fn name_length(text: &str) -> usize {
    // The reference folds case after Unicode, so these two, which fold to `s` and `k`, are letters.
    let is_letter =
        |ch: char| ch.is_ascii_alphabetic() || matches!(ch, '_' | '\u{17f}' | '\u{212a}');
    if !text.starts_with(is_letter) {
        return 0;
    }
    text.find(|ch: char| !is_letter(ch) && !ch.is_ascii_digit()).unwrap_or(text.len())
}

/// The brace that closes the one at `open`, looked for up to `last`.
///
/// Every brace counts, not only those of variables, and the byte after an opening brace is passed
/// over. So `{}` within an operand opens without closing: there is no answer then, and the operand
/// goes on to the last brace of the line.
fn closing_brace(bytes: &[u8], open: usize, last: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = open;
    while at <= last {
        match bytes[at] {
            b'{' => {
                depth += 1;
                at += 1;
            }
            b'}' if depth == 1 => return Some(at),
            b'}' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
    None
}
