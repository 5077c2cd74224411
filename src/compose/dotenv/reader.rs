//! The format with quotes, escapes and variables.
//!
//! It has no grammar worth the name; it is read as the reference reads it. So a closing quote ends
//! the assignment and another may follow on the same line, `:` is as good as `=`, and a name that
//! is the very end of the file, without a line break, is taken for the value of a nameless
//! variable.

use std::ops::Range;

use indexmap::IndexMap;

use super::quoted::{quoted, unescape};
use super::{Assignment, DotenvError, DotenvProblem};
use crate::compose::interpolate::{Interpolated, Lookup, Reference, interpolate};

/// How long all values together may become. Without it a file of thirty lines, each with the one
/// before it twice, would fill the memory.
const VALUE_BYTES_MAX: usize = 16 << 20;

/// Reads a file; `lookup` is the environment, which goes before the variables of the file.
pub fn parse(text: &str, lookup: &Lookup<'_>) -> Result<Vec<Assignment>, DotenvError> {
    parse_after(text, lookup, &IndexMap::new())
}

/// Reads a file that follows others, whose variables are `earlier`.
///
/// A variable in a value is looked for in `lookup`, then in this file up to here, then in
/// `earlier`. One that is only named is looked for in `lookup` alone.
pub fn parse_after(
    text: &str,
    lookup: &Lookup<'_>,
    earlier: &IndexMap<String, String>,
) -> Result<Vec<Assignment>, DotenvError> {
    let bom = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
    let mut reader = Reader {
        text,
        at: bom,
        counted: (bom, 1),
        lookup,
        earlier,
        known: IndexMap::new(),
        value_bytes: 0,
    };
    let mut found = Vec::new();
    while reader.find_statement() {
        found.push(reader.assignment()?);
    }
    Ok(found)
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    /// A place and its line, from which to count on.
    counted: (usize, usize),
    lookup: &'a Lookup<'a>,
    earlier: &'a IndexMap<String, String>,
    known: IndexMap<String, String>,
    value_bytes: usize,
}

/// How a name ends.
enum KeyEnd {
    /// With `=` or `:`, after which the value starts.
    Value,
    /// With the line.
    Line,
    /// With the file.
    File,
}

struct Key {
    range: Range<usize>,
    end: KeyEnd,
}

struct Value {
    text: String,
    range: Range<usize>,
    unset: Vec<Reference>,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Goes to the next text that is neither space nor comment; `false` at the end.
    fn find_statement(&mut self) -> bool {
        loop {
            let rest = self.rest().trim_start();
            self.at = self.text.len() - rest.len();
            if !rest.starts_with('#') {
                return !rest.is_empty();
            }
            self.at += rest.find('\n').unwrap_or(rest.len());
        }
    }

    fn skip_inline_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches(is_inline_space).len();
    }

    fn assignment(&mut self) -> Result<Assignment, DotenvError> {
        let start = self.at;
        let key = self.key()?;
        let name = self.text[key.range.clone()].to_owned();
        if let Some(space) = name.find(' ') {
            let space = key.range.start + space;
            return Err(self.error(DotenvProblem::SpaceInName, space..space + 1));
        }
        let line = self.line_of(start);
        self.skip_inline_space();
        let Value { text, range, unset } = match key.end {
            KeyEnd::Line => {
                let (value, range) = ((self.lookup)(&name), start..key.range.end);
                let unset = Vec::new();
                return Ok(Assignment { key: name, value, is_inherited: true, line, range, unset });
            }
            KeyEnd::Value | KeyEnd::File => self.value()?,
        };
        self.known.insert(name.clone(), text.clone());
        let (value, range) = (Some(text), start..range.end);
        Ok(Assignment { key: name, value, is_inherited: false, line, range, unset })
    }

    /// Reads a name and goes past what ends it.
    fn key(&mut self) -> Result<Key, DotenvError> {
        self.skip_export()?;
        let start = self.at;
        for (offset, ch) in self.rest().char_indices() {
            let end = match ch {
                '=' | ':' => KeyEnd::Value,
                '\n' => KeyEnd::Line,
                '_' | '.' | '-' | '[' | ']' => continue,
                // A few combining marks count as letters here that the reference refuses. Names
                // with them are let in rather than carrying tables of Unicode for their sake.
                _ if is_inline_space(ch) || ch.is_alphanumeric() => continue,
                _ => {
                    let range = start + offset..start + offset + ch.len_utf8();
                    let kind = DotenvProblem::UnexpectedCharacter { character: ch };
                    return Err(self.error(kind, range));
                }
            };
            self.at = start + offset + 1;
            let name = self.text[start..start + offset].trim_end();
            return Ok(Key { range: start..start + name.len(), end });
        }
        Ok(Key { range: start..start, end: KeyEnd::File })
    }

    fn skip_export(&mut self) -> Result<(), DotenvError> {
        let Some(after) = self.rest().strip_prefix("export") else { return Ok(()) };
        if !after.starts_with(['\t', '\n', '\u{c}', '\r', ' ']) {
            return Ok(());
        }
        let start = self.at;
        self.at += "export".len();
        self.skip_inline_space();
        if self.rest().is_empty() {
            return Err(self.error(DotenvProblem::LoneExport, start..start + "export".len()));
        }
        Ok(())
    }

    fn value(&mut self) -> Result<Value, DotenvError> {
        match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => self.quoted_value(quote),
            _ => self.bare_value(),
        }
    }

    fn bare_value(&mut self) -> Result<Value, DotenvError> {
        let start = self.at;
        let rest = self.rest();
        let (line, length) = match rest.split_once('\n') {
            Some((line, _)) => (line, line.len() + 1),
            None => (rest, rest.len()),
        };
        let written = line.split_once(" #").map_or(line, |(value, _)| value).trim_end();
        self.at += length;
        self.expanded(written, start..start + written.len(), Some(start))
    }

    fn quoted_value(&mut self, quote: char) -> Result<Value, DotenvError> {
        let start = self.at;
        let Some(value) = quoted(self.rest(), quote) else {
            let line_end = self.rest().find('\n').map_or(self.text.len(), |end| start + end);
            return Err(self.error(DotenvProblem::Unterminated { quote }, start..line_end));
        };
        self.at += value.length;
        let range = start..self.at;
        if quote == '\'' {
            self.count(value.text.len(), &range)?;
            return Ok(Value { text: value.text, range, unset: Vec::new() });
        }
        let plain = unescape(&value.text);
        let is_verbatim = plain == self.text[start + 1..self.at - 1];
        self.expanded(&plain, range, is_verbatim.then_some(start + 1))
    }

    /// Replaces the variables of `value`, which was read from `range`.
    ///
    /// Where it stands letter by letter at `verbatim`, problems are pointed at there; otherwise only
    /// all of `range` can be meant.
    fn expanded(
        &mut self,
        value: &str,
        range: Range<usize>,
        verbatim: Option<usize>,
    ) -> Result<Value, DotenvError> {
        let place = |inner: Range<usize>| match verbatim {
            Some(start) => start + inner.start..start + inner.end,
            None => range.clone(),
        };
        let Interpolated { text, mut unset, used: _ } =
            interpolate(value, &|name| self.value_of(name)).map_err(|fault| {
                self.error(DotenvProblem::Interpolation(fault.kind), place(fault.range))
            })?;
        for reference in &mut unset {
            reference.range = place(reference.range.clone());
        }
        self.count(text.len(), &range)?;
        Ok(Value { text, range, unset })
    }

    fn value_of(&self, name: &str) -> Option<String> {
        (self.lookup)(name)
            .or_else(|| self.known.get(name).cloned())
            .or_else(|| self.earlier.get(name).cloned())
    }

    fn count(&mut self, bytes: usize, range: &Range<usize>) -> Result<(), DotenvError> {
        self.value_bytes = self.value_bytes.saturating_add(bytes);
        if self.value_bytes > VALUE_BYTES_MAX {
            return Err(self.error(DotenvProblem::TooLong, range.clone()));
        }
        Ok(())
    }

    /// The line of `place`, which is not before the last place asked for.
    fn line_of(&mut self, place: usize) -> usize {
        let (from, line) = self.counted;
        self.counted = (place, line + newlines(&self.text[from..place]));
        self.counted.1
    }

    fn error(&self, kind: DotenvProblem, range: Range<usize>) -> DotenvError {
        let line = 1 + newlines(&self.text[..range.start]);
        DotenvError { kind, line, range }
    }
}

fn newlines(text: &str) -> usize {
    text.bytes().filter(|byte| *byte == b'\n').count()
}

/// Space that does not end a line.
fn is_inline_space(ch: char) -> bool {
    matches!(ch, '\t' | '\u{b}' | '\u{c}' | '\r' | ' ' | '\u{85}' | '\u{a0}')
}
