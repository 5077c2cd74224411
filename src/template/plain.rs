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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn render(text: &str) -> Result<String, FileError> {
        render_text(&Engine::new(), "a.j2", text, &BTreeMap::from([("x", 1)]))
    }

    #[test]
    fn the_context_is_all_there_is() {
        assert_eq!(render("{{ x }}\n").expect("text"), "1\n");
        assert!(render("{{ stack }}").is_err());
        assert!(render("{% include 'b' %}").is_err());
    }

    #[test]
    fn endless_work_is_stopped() {
        assert!(
            render("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}")
                .is_err()
        );
    }
}
