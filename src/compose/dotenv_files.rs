//! Reads `.env` files through [`Files`], one after the other.

use std::collections::BTreeMap;

use crate::diag::{Diagnostic, Source, Sources, Span};
use crate::files::Files;
use crate::yaml::text_of;

use super::dotenv::{Assignment, DotenvError, parse_after, values};
use super::substitute::excerpt;

/// The variables of some files.
#[derive(Debug, Default)]
pub struct Loaded {
    /// The variables by name; those of later files win.
    pub variables: BTreeMap<String, String>,
    /// Variables that values name and that are not set.
    pub warnings: Vec<Diagnostic>,
}

/// Reads `paths` in order. Values may name variables of `environment` and of the files before.
///
/// The outcome has what the files say, even where `environment` has another value: it is for the
/// caller to let one or the other win.
pub fn load(
    files: &dyn Files,
    sources: &Sources,
    paths: &[String],
    environment: &BTreeMap<String, String>,
) -> Result<Loaded, Vec<Diagnostic>> {
    let mut loaded = Loaded::default();
    let mut earlier = indexmap::IndexMap::new();
    for path in paths {
        let file = match files.read(path) {
            Ok(Some(file)) => file,
            Ok(None) => {
                let message = format!("there is no file `{path}`");
                return Err(vec![Diagnostic::error("compose/no-file", message)]);
            }
            Err(error) => {
                return Err(error.findings("compose/read", sources));
            }
        };
        let text = text_of(&file.content, &file.name).map_err(|problem| vec![problem])?;
        let id = sources.add(Source {
            name: file.name,
            text: text.as_str().into(),
            origin: file.origin,
        });
        let whole = Span::new(id, 0, 0);
        let lookup = |name: &str| environment.get(name).cloned();
        let assignments = parse_after(&text, &lookup, &earlier)
            .map_err(|error| vec![fault(&error, &text, whole)])?;
        loaded.warnings.extend(unset(&assignments, whole));
        earlier.extend(values(&assignments));
    }
    loaded.variables = earlier.into_iter().collect();
    Ok(loaded)
}

/// What is wrong in the file that starts at `whole`.
pub(super) fn fault(error: &DotenvError, text: &str, whole: Span) -> Diagnostic {
    let line = text.lines().nth(error.line.saturating_sub(1)).unwrap_or_default();
    // Only the name: what stands after it may be a secret.
    let name = line.split(['=', ':']).next().unwrap_or_default().trim();
    Diagnostic::error("compose/env-file", format!("`{}`: {error}", excerpt(name)))
        .at(whole.slice(error.range.clone()))
}

/// A warning for each variable that is named and not set.
pub(super) fn unset(assignments: &[Assignment], whole: Span) -> impl Iterator<Item = Diagnostic> {
    assignments.iter().flat_map(|assignment| &assignment.unset).map(move |unset| {
        let message = format!("the variable `{}` is not set", unset.name);
        Diagnostic::warning("compose/unset-variable", message)
            .at_with(whole.slice(unset.range.clone()), "becomes nothing")
    })
}
