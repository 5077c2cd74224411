//! How much a template may do, and the counting that holds it to that.
//!
//! The engine itself bounds steps (fuel) and depth. Memory it does not: twenty doublings of a
//! string are sixty steps. So every place where a value is kept or handed on is measured:
//! assignments, loop variables and parameters (by calls that [`super::instrument`] adds), the
//! input and output of every filter, and all text that is written, captured or not. In between
//! there is one expression, whose number of operators is limited.

use std::fmt::{self, Write as _};

use minijinja::value::{Rest, ValueKind};
use minijinja::{AutoEscape, Error, ErrorKind, Output, State, Value};
use thiserror::Error;

/// Steps of one rendering; a loop body of three expressions takes about a dozen.
pub const FUEL_MAX: u64 = 2_000_000;
/// The engine's measure of nesting: about 25 includes or 60 macro calls inside each other.
pub const RECURSION_MAX: usize = 250;
/// Bytes of one rendered file.
pub const OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes that a value may hold, nested values included.
pub const VALUE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How deeply lists and mappings may be nested in a value.
pub const DEPTH_MAX: usize = 64;
/// Files that one rendering may include, import and extend.
pub const TEMPLATES_MAX: usize = 256;
/// Operators that join or repeat text in one tag; repeating counts for eight.
pub(super) const OPERATORS_MAX: usize = 64;
/// All text that one rendering writes, captured text included.
const WRITTEN_BYTES_MAX: usize = 4 * OUTPUT_BYTES_MAX;
/// All that one rendering puts through filters and assignments.
const WORK_BYTES_MAX: usize = 512 * 1024 * 1024;
/// What a list item or a mapping's entry takes beside its own bytes.
const NODE_BYTES: usize = 16;

/// Why a template was stopped, beside the engine's own reasons.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(super) enum Stop {
    /// A limit was reached.
    #[error("{0}")]
    Limit(String),
    /// The template itself gave up.
    #[error("{0}")]
    Fail(String),
    /// The file can be named but not read.
    #[error("{0}")]
    Unreadable(String),
}

impl From<Stop> for Error {
    fn from(stop: Stop) -> Self {
        Self::new(ErrorKind::InvalidOperation, stop.to_string()).with_source(stop)
    }
}

/// A limit that was reached, as the engine's kind of error.
pub(super) fn limit(message: impl Into<String>) -> Error {
    Stop::Limit(message.into()).into()
}

/// What a rendering has used up.
#[derive(Debug, Default)]
struct Spent {
    written: usize,
    work: usize,
}

/// Counts text that is about to be written.
fn spend_written(state: &mut State, bytes: usize) -> Result<(), Error> {
    let spent = state.get_or_insert_extension(Spent::default());
    spent.written = spent.written.saturating_add(bytes);
    if spent.written > WRITTEN_BYTES_MAX {
        return Err(limit(format!(
            "the template writes more than {} MiB",
            WRITTEN_BYTES_MAX / 1024 / 1024
        )));
    }
    Ok(())
}

/// Counts a value that goes through a filter or into a variable, and refuses one too large.
pub(super) fn spend_value(state: &mut State, value: &Value) -> Result<(), Error> {
    let bytes = measure(value)?;
    let spent = state.get_or_insert_extension(Spent::default());
    spent.work = spent.work.saturating_add(bytes);
    if spent.work > WORK_BYTES_MAX {
        return Err(limit("the template handles more data than is allowed in one rendering"));
    }
    Ok(())
}

/// The bytes a value holds, shared parts counted each time, as printing it would.
pub(super) fn measure(value: &Value) -> Result<usize, Error> {
    let mut left = VALUE_BYTES_MAX;
    take(value, &mut left, DEPTH_MAX)?;
    Ok(VALUE_BYTES_MAX - left)
}

fn take(value: &Value, left: &mut usize, depth: usize) -> Result<(), Error> {
    let own = match value.kind() {
        ValueKind::String | ValueKind::Bytes => value.len().unwrap_or(0).max(text_len(value)),
        _ => 0,
    };
    *left = left.checked_sub(own + NODE_BYTES).ok_or_else(|| {
        limit(format!("a value has more than {} MiB", VALUE_BYTES_MAX / 1024 / 1024))
    })?;
    let is_map = value.kind() == ValueKind::Map;
    if !is_map && !matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable) {
        return Ok(());
    }
    let Some(depth) = depth.checked_sub(1) else {
        return Err(limit(format!("a value is nested more than {DEPTH_MAX} deep")));
    };
    for item in value.try_iter()? {
        if is_map {
            take(&item, left, depth)?;
            take(&value.get_item(&item)?, left, depth)?;
        } else {
            take(&item, left, depth)?;
        }
    }
    Ok(())
}

// `Value::len` counts characters.
fn text_len(value: &Value) -> usize {
    value.as_str().map_or(0, str::len)
}

/// Refuses a result of `bytes` bytes before it is made.
pub(super) fn room_for(bytes: Option<usize>) -> Result<(), Error> {
    match bytes {
        Some(bytes) if bytes <= VALUE_BYTES_MAX => Ok(()),
        _ => Err(limit(format!(
            "the result would have more than {} MiB",
            VALUE_BYTES_MAX / 1024 / 1024
        ))),
    }
}

/// Writes a value as the engine would, counting.
pub(super) fn formatter(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    match value.as_str() {
        Some(text) => spend_written(state, text.len())?,
        None => spend_written(state, measure(value)?)?,
    }
    if matches!(state.auto_escape(), AutoEscape::None) {
        return write!(out, "{value}").map_err(|_| too_much_output());
    }
    minijinja::escape_formatter(out, state, value)
}

/// The error for a file that grows too large.
pub(super) fn too_much_output() -> Error {
    limit(format!("the rendered file has more than {} MiB", OUTPUT_BYTES_MAX / 1024 / 1024))
}

/// Called by the templates themselves ahead of long pieces of plain text.
pub(super) fn count_text(state: &mut State, bytes: usize) -> Result<&'static str, Error> {
    spend_written(state, bytes).map(|()| "")
}

/// Called by the templates themselves after variables are set.
pub(super) fn check_sizes(state: &mut State, values: Rest<Value>) -> Result<&'static str, Error> {
    for value in values.iter() {
        spend_value(state, value)?;
    }
    Ok("")
}

/// Keeps what is written, up to [`OUTPUT_BYTES_MAX`].
#[derive(Debug, Default)]
pub(super) struct Sink {
    /// The text so far.
    pub(super) bytes: Vec<u8>,
    /// Set when more was written than is kept.
    pub(super) is_full: bool,
    /// Room for markers, which are taken out again.
    pub(super) slack: usize,
}

impl std::io::Write for &mut Sink {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        if self.bytes.len() + buffer.len() > OUTPUT_BYTES_MAX + self.slack {
            self.is_full = true;
            return Err(std::io::Error::other("the rendered file is too large"));
        }
        self.bytes.extend_from_slice(buffer);
        Ok(buffer.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes into a string, up to [`VALUE_BYTES_MAX`].
#[derive(Debug, Default)]
pub(super) struct Text(pub(super) String);

impl fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > VALUE_BYTES_MAX {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// The value as text, refused when too long.
pub(super) fn text_of(value: &Value) -> Result<String, Error> {
    measure(value)?;
    let mut text = Text::default();
    match write!(text, "{value}") {
        Ok(()) => Ok(text.0),
        Err(fmt::Error) => room_for(None).map(|()| String::new()),
    }
}
