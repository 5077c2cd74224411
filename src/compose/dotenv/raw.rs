//! The format in which every line is taken as it stands.

use super::{Assignment, DotenvError, DotenvProblem};
use crate::compose::interpolate::Lookup;

/// Reads lines of `KEY=VALUE` without quotes, escapes or variables.
///
/// Space before a key is dropped, all other space belongs to the value. A line with only a key
/// takes its value from `lookup`.
pub fn parse_raw(text: &str, lookup: &Lookup<'_>) -> Result<Vec<Assignment>, DotenvError> {
    let mut found = Vec::new();
    let mut at = 0;
    for (index, full) in text.split_inclusive('\n').enumerate() {
        let start = at;
        at += full.len();
        let line = full.strip_suffix('\n').unwrap_or(full);
        let line = line.strip_suffix('\r').unwrap_or(line);
        let bare = if index == 0 { line.strip_prefix('\u{feff}').unwrap_or(line) } else { line };
        let bare = bare.trim_start();
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        let start = start + line.len() - bare.len();
        let (key, value) = match bare.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (bare, None),
        };
        let error = |kind, range| DotenvError { kind, line: index + 1, range };
        if key.is_empty() {
            return Err(error(DotenvProblem::NoName, start..start + 1));
        }
        if let Some(space) = key.find([' ', '\t']) {
            let range = start + space..start + space + 1;
            return Err(error(DotenvProblem::SpaceInName, range));
        }
        found.push(Assignment {
            key: key.to_owned(),
            value: value.map_or_else(|| lookup(key), |value| Some(value.to_owned())),
            is_inherited: value.is_none(),
            line: index + 1,
            range: start..start + bare.len(),
            unset: Vec::new(),
        });
    }
    Ok(found)
}
