//! A single text rendered by itself, with a context of the caller's: no files, no stack.

use minijinja::Value;
use serde::Serialize;

use super::engine::Engine;
use super::rendered::Rendered;
use crate::files::{FileError, Files, Memory};

/// Renders `text`, called `name` in what is reported, which must end in `.j2`. As strict and as
/// bounded as every other template; there is nothing it could include.
pub fn render_text(
    engine: &Engine,
    name: &str,
    text: &str,
    context: &impl Serialize,
) -> Result<String, FileError> {
    let files = Memory::new().with(name, text);
    let rendered =
        Rendered::with_root(&files, engine, Value::from(minijinja::value::Serde(context)));
    let file = rendered.read(name)?.ok_or_else(|| FileError::Outside { path: name.to_owned() })?;
    Ok(String::from_utf8_lossy(&file.content).into_owned())
}
