//! A proxy's file before and after, as a unified diff.

use similar::TextDiff;

use crate::diag::printable_name;
use crate::diff::masked_line;
use crate::model::ProxyFile;

/// Lines around which a change is shown.
const CONTEXT: usize = 3;

/// How the header that we write begins; it says in JSON what the lines below say in words.
const HEADER: &str = "# gitdeploy";

/// The diff, line by line; without the header, and without values of telling names: a template of
/// the user's own may hold anything.
pub(super) fn unified(file: &ProxyFile) -> Vec<String> {
    let path = printable_name(&file.path);
    if file.old.as_deref() == Some(file.new.as_str()) {
        return Vec::new();
    }
    let (old, new) = (shown(file.old.as_deref().unwrap_or_default()), shown(&file.new));
    if old == new {
        return vec![format!("{path}: only its header changes")];
    }
    let from = if file.old.is_some() { path.as_str() } else { "/dev/null" };
    TextDiff::from_lines(&old, &new)
        .unified_diff()
        .context_radius(CONTEXT)
        .header(from, &path)
        .to_string()
        .lines()
        .map(printable_name)
        .collect()
}

fn shown(text: &str) -> String {
    body(text).split_inclusive('\n').map(masked_line).collect()
}

/// What follows our header: it ends with an empty comment.
fn body(text: &str) -> &str {
    if !text.starts_with(HEADER) {
        return text;
    }
    let mut rest = text;
    while let Some((line, after)) = rest.split_once('\n')
        && line.starts_with('#')
    {
        rest = after;
        if line.trim_end() == "#" {
            return rest;
        }
    }
    rest
}
