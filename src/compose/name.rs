//! What a project is called.

use crate::diag::Diagnostic;
use crate::yaml::{Node, Value};

use super::interpolate::interpolate;
use super::load::ProjectName;
use super::loader::{Loader, Step};

/// `text` with only what a project's name may have; empty when nothing is left.
pub fn normalize_name(text: &str) -> String {
    let lower = text.to_lowercase();
    let allowed: String = lower.chars().filter(|c| is_allowed(*c)).collect();
    allowed.trim_start_matches(['_', '-']).to_owned()
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-')
}

/// The project's name: set by the user, or by the last file that has one, or the fallback.
pub(super) fn determine(loader: &mut Loader<'_>) -> Step<String> {
    let request = loader.request;
    if let ProjectName::Set(name) = request.name
        && !name.is_empty()
    {
        let valid = normalize_name(name);
        if valid == name {
            return Ok(valid);
        }
        let message = format!(
            "`{name}` is no name for a project: it has lower-case letters, digits, `-` and `_`, \
             and starts with a letter or digit"
        );
        return loader.stop(Diagnostic::error("compose/name", message).help(
            match valid.as_str() {
                "" => "choose another".to_owned(),
                valid => format!("`{valid}` would do"),
            },
        ));
    }
    let named = in_files(loader)?;
    match named {
        Some(named) => {
            let name = named_in_file(loader, &named)?;
            if !name.is_empty() {
                return Ok(name);
            }
            let text = named.as_str().unwrap_or_default();
            let message = format!("nothing of `name: {text}` can stand in the name of a project");
            loader.stop(Diagnostic::error("compose/name", message).at(named.span))
        }
        None => Ok(match request.name {
            ProjectName::Fallback(name) => normalize_name(name),
            ProjectName::Set(_) => String::new(),
        }),
    }
}

/// The last `name` of the files.
fn in_files(loader: &mut Loader<'_>) -> Step<Option<Node>> {
    let mut found = None;
    for path in loader.request.compose_files {
        let documents = loader.read(path, None)?;
        for document in &documents {
            let name = document
                .get("name")
                .filter(|name| matches!(&name.value, Value::Str(text) if !text.is_empty()));
            found = name.cloned().or(found);
        }
        loader.keep(path, documents);
    }
    Ok(found)
}

fn named_in_file(loader: &mut Loader<'_>, node: &Node) -> Step<String> {
    let text = node.as_str().unwrap_or_default();
    if !loader.request.options.interpolate {
        return Ok(normalize_name(text));
    }
    let variables = loader.request.variables;
    match interpolate(text, &|name| variables.get(name).cloned()) {
        Ok(filled) if loader.request.options.normalize => Ok(normalize_name(&filled.text)),
        Ok(filled) => Ok(filled.text),
        Err(fault) => loader.stop(
            Diagnostic::error("compose/interpolation", format!("`name`: {fault}")).at(node.span),
        ),
    }
}
