//! Reads `.env` files through [`Files`], one after the other.

use std::collections::BTreeMap;

use crate::diag::{Diagnostic, Source, SourceId, Sources, Span};
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
            .map_err(|error| vec![fault(&error, &text, id, sources)])?;
        loaded.warnings.extend(unset(&assignments, whole));
        earlier.extend(values(&assignments));
    }
    loaded.variables = earlier.into_iter().collect();
    Ok(loaded)
}

/// What is wrong in the file `id`. Values are not shown, for they may be secrets.
pub(super) fn fault(
    error: &DotenvError,
    text: &str,
    id: SourceId,
    sources: &Sources,
) -> Diagnostic {
    let shown = sources.get(id);
    // A template shows expressions, which are no secrets.
    let id = match shown.origin {
        Some(_) => id,
        None => sources.add(Source { text: without_values(text).into(), ..shown }),
    };
    let line = text.lines().nth(error.line.saturating_sub(1)).unwrap_or_default();
    let name = line.split(['=', ':']).next().unwrap_or_default().trim();
    Diagnostic::error("compose/env-file", format!("`{}`: {error}", excerpt(name))).at(Span::new(
        id,
        error.range.start,
        error.range.end,
    ))
}

/// The text with a `*` for each byte of a value: places stay where they are, but for the columns
/// behind characters of several bytes within a value.
fn without_values(text: &str) -> String {
    let masked = text.split_inclusive('\n').map(|line| {
        let name = line.find(['=', ':']).map_or(0, |equals| equals + 1);
        let name = if line[..name].len() > 64 { 0 } else { name };
        let end = line.trim_end_matches(['\r', '\n']).len();
        // A line without a value is a bare name, or the rest of a secret: the place tells enough.
        let stars = "*".repeat(end.saturating_sub(name));
        format!("{}{stars}{}", &line[..name.min(end)], &line[end..])
    });
    masked.collect()
}

/// A warning for each variable that is named and not set.
pub(super) fn unset(assignments: &[Assignment], whole: Span) -> impl Iterator<Item = Diagnostic> {
    assignments.iter().flat_map(|assignment| &assignment.unset).map(move |unset| {
        let message = format!("the variable `{}` is not set", unset.name);
        Diagnostic::warning("compose/unset-variable", message)
            .at_with(whole.slice(unset.range.clone()), "becomes nothing")
    })
}
