//! Filters on paths and versions: text only, no file is looked at.

use std::cmp::Ordering;

use minijinja::{Environment, Error, Value};

use super::super::limits::text_of;
use super::{add, wrong};
use crate::files::file_name;

pub(super) fn install(environment: &mut Environment<'static>) {
    add(environment, "basename", |path: String| file_name(&path).to_owned());
    add(environment, "dirname", |path: String| dirname(&path).to_owned());
    add(environment, "splitext", splitext);
    add(environment, "path_join", path_join);
    for name in ["version_compare", "version"] {
        add(environment, name, is_version);
    }
    for name in ["version", "version_compare"] {
        environment.add_test(name, is_version);
    }
}

fn dirname(path: &str) -> &str {
    match path.rfind('/') {
        Some(slash) => {
            let folder = path[..slash].trim_end_matches('/');
            if folder.is_empty() { "/" } else { folder }
        }
        None => "",
    }
}

fn splitext(path: String) -> Value {
    let name = file_name(&path);
    let stem = name.trim_start_matches('.');
    let dot = stem.rfind('.').map_or(path.len(), |dot| path.len() - stem.len() + dot);
    Value::from(vec![Value::from(&path[..dot]), Value::from(&path[dot..])])
}

fn path_join(parts: Value) -> Result<String, Error> {
    let mut out = String::new();
    for part in parts.try_iter()? {
        let part = text_of(&part)?;
        if part.starts_with('/') {
            out.clear();
        } else if !out.is_empty() && !out.ends_with('/') {
            out.push('/');
        }
        super::super::limits::room_for(Some(out.len() + part.len()))?;
        out.push_str(&part);
    }
    Ok(out)
}

fn is_version(value: Value, other: Value, operator: Option<String>) -> Result<bool, Error> {
    let order = compare(&text_of(&value)?, &text_of(&other)?);
    Ok(match operator.as_deref().unwrap_or("==") {
        "==" | "=" | "eq" => order == Ordering::Equal,
        "!=" | "<>" | "ne" => order != Ordering::Equal,
        "<" | "lt" => order == Ordering::Less,
        "<=" | "le" => order != Ordering::Greater,
        ">" | "gt" => order == Ordering::Greater,
        ">=" | "ge" => order != Ordering::Less,
        other => {
            return Err(wrong(format!("`{other}` does not compare; use one of < <= == != >= >")));
        }
    })
}

/// Numbers as numbers, `1.2` as `1.2.0`, and a pre-release before its release.
fn compare(a: &str, b: &str) -> Ordering {
    let (a, b) = (Version::parse(a), Version::parse(b));
    let count = a.release.len().max(b.release.len());
    let part = |version: &Version, index: usize| version.release.get(index).copied().unwrap_or(0);
    let release = (0..count)
        .map(|index| part(&a, index).cmp(&part(&b, index)))
        .find(|order| *order != Ordering::Equal);
    release.unwrap_or_else(|| match (a.rest.is_empty(), b.rest.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => a.rest.cmp(&b.rest),
    })
}

struct Version {
    release: Vec<u64>,
    rest: Vec<Part>,
}

/// Numbers come before words, as in semantic versions.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Number(u64),
    Word(String),
}

impl Version {
    fn parse(text: &str) -> Self {
        let text = text.trim().trim_start_matches(['v', 'V']);
        let text = text.split('+').next().unwrap_or_default();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let release = text[..end].split('.').filter_map(|part| part.parse().ok()).collect();
        let rest = text[end..]
            .split(['-', '.', '_'])
            .filter(|part| !part.is_empty())
            .map(|part| part.parse().map_or_else(|_| Part::Word(part.to_owned()), Part::Number))
            .collect();
        Self { release, rest }
    }
}
