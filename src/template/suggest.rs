//! What was meant by a name that is not defined.
//!
//! The names at the place of the error are asked for by rendering once more with a question ahead
//! of the tag; loop variables and macro parameters are known that way too. Where the question
//! cannot be reached, what the template started with has to do.

use minijinja::Value;

use super::engine::{Job, Names};
use super::failure::Place;
use super::lexer::{TokenKind, pieces, tokens};
use crate::diag::nearest;

/// How many names are listed when none is near.
const LISTED_MAX: usize = 8;

/// The expression of which the engine says that it is undefined.
pub(super) fn undefined_expression(detail: &str) -> Option<&str> {
    let end = detail.find("` is undefined")?;
    let start = detail[..end].rfind('`')?;
    Some(&detail[start + 1..end])
}

/// A sentence on what was meant by `expression`.
pub(super) fn advice(job: &Job, expression: &str, place: Option<&Place>) -> Option<String> {
    let (base, wrong) = split_last(expression);
    let names: Names = asked(job, base, place).or_else(|| walked(&job.root, base))?;
    // A macro knows every name it mentions, also those that nobody defines.
    let is_meant = |name: &&str| !name.starts_with("__gd_") && *name != wrong;
    let names: Vec<&str> = names.iter().map(String::as_str).filter(is_meant).collect();
    if let Some(name) = nearest(wrong, names.iter().copied()) {
        let base = base.map(|base| format!("{base}.")).unwrap_or_default();
        return Some(format!("did you mean `{base}{name}`?"));
    }
    let base = base?;
    if names.is_empty() {
        return None;
    }
    let shown: Vec<String> =
        names.iter().take(LISTED_MAX).map(|name| format!("`{name}`")).collect();
    let more = if names.len() > LISTED_MAX { ", …" } else { "" };
    Some(format!("`{base}` has {}{more}", shown.join(", ")))
}

/// The expression without its last part, and that part.
fn split_last(expression: &str) -> (Option<&str>, &str) {
    let words = tokens(expression, 0..expression.len());
    let text = |index: usize| &expression[words[index].span.clone()];
    let count = words.len();
    if count >= 3 && words[count - 1].kind == TokenKind::Word && text(count - 2) == "." {
        return (Some(&expression[..words[count - 2].span.start]), text(count - 1));
    }
    if count >= 4 && words[count - 2].kind == TokenKind::Str && text(count - 3) == "[" {
        let base = &expression[..words[count - 3].span.start];
        return (Some(base), text(count - 2).trim_matches(['"', '\'']));
    }
    (None, expression)
}

fn asked(job: &Job, base: Option<&str>, place: Option<&Place>) -> Option<Names> {
    let place = place?;
    // The engine writes `(...)` for what it cannot describe.
    if base.is_some_and(|base| base.contains("...")) {
        return None;
    }
    let piece = pieces(&place.template.text)
        .into_iter()
        .find(|piece| piece.span.contains(&place.range.start))?;
    job.probe(&place.name, piece.span.start, base)
}

fn walked(root: &Value, base: Option<&str>) -> Option<Names> {
    let mut value = root.clone();
    for part in base.into_iter().flat_map(|base| base.split('.')) {
        value = value.get_attr(part).ok()?;
    }
    if value.is_undefined() {
        return None;
    }
    let keys = value.try_iter().ok()?;
    Some(keys.filter_map(|key| key.as_str().map(str::to_owned)).collect())
}
