//! Keeps the last of several items that mean the same.
//!
//! Which items do is told by a key made from each; a later item takes the place of the first with
//! its key, so the order of a list does not change when a value is overridden.

use indexmap::IndexMap;

use crate::diag::Diagnostic;
use crate::yaml::{Node, Value};

use super::attribute::{Place, Unique};
use super::forms;
use super::go;

/// Drops overridden items from every list of `node` that has unique items.
pub(super) fn enforce(node: &mut Node, place: &Place<'_>, problems: &mut Vec<Diagnostic>) {
    if place.is_plain() {
        return;
    }
    match &mut node.value {
        Value::Map(map) => {
            for (key, item) in &mut map.0 {
                enforce(&mut item.node, &place.key(key), problems);
            }
        }
        Value::Seq(items) => {
            if let Some(rule) = place.attribute().and_then(|attribute| attribute.unique) {
                let all = std::mem::take(items);
                *items = last_of_each(all, rule, place, problems);
            }
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => {}
    }
}

fn last_of_each(
    items: Vec<Node>,
    rule: Unique,
    place: &Place<'_>,
    problems: &mut Vec<Diagnostic>,
) -> Vec<Node> {
    let mut kept: IndexMap<String, Node> = IndexMap::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        match key(&item, rule, &place.item(index)) {
            Ok(key) => {
                kept.insert(key, item);
            }
            Err(problem) => problems.push(problem),
        }
    }
    kept.into_values().collect()
}

/// What an item is known by.
fn key(item: &Node, rule: Unique, place: &Place<'_>) -> Result<String, Diagnostic> {
    match (rule, &item.value) {
        (Unique::Key, Value::Str(text)) => {
            Ok(text.split_once('=').map_or(text.as_str(), |(key, _)| key).to_owned())
        }
        (Unique::Key, _) => Err(wrong_kind(item, place, "a string")),
        (Unique::Volume | Unique::Device, Value::Map(_)) => text(item, "target", place),
        (Unique::Volume, Value::Str(text)) => match forms::volume(text) {
            Ok(mount) => Ok(mount.target.unwrap_or_default()),
            // The schema or the long form will say what is wrong.
            Err(_) => Ok(text.clone()),
        },
        (Unique::Device, Value::Str(text)) => {
            Ok(text.split(':').nth(1).or_else(|| text.split(':').next()).unwrap_or("").to_owned())
        }
        (Unique::Mount(dir), Value::Str(source)) => Ok(format!("{dir}/{source}")),
        (Unique::Mount(dir), Value::Map(map)) => match (map.get("target"), map.get("source")) {
            (Some(_), _) => text(item, "target", place),
            (None, Some(source)) => Ok(format!("{dir}/{}", go::print(source))),
            (None, None) => Ok(format!("{dir}/")),
        },
        (Unique::Mount(_), _) => Err(wrong_kind(item, place, "a string or a mapping")),
        (Unique::Expose, Value::Str(_) | Value::Int(_)) => Ok(go::print(item)),
        (Unique::Expose, _) => Err(wrong_kind(item, place, "a port")),
        (Unique::Port, Value::Map(_)) => port(item, place),
        (Unique::Port | Unique::EnvFile, Value::Str(_) | Value::Int(_)) => Ok(go::print(item)),
        (Unique::EnvFile, Value::Map(_)) => text(item, "path", place),
        (Unique::Volume | Unique::Device | Unique::Port | Unique::EnvFile, _) => Ok(String::new()),
    }
}

fn port(item: &Node, place: &Place<'_>) -> Result<String, Diagnostic> {
    let Some(target) = item.get("target") else {
        return Err(missing(item, "target", place));
    };
    let part = |key, default: &str| item.get(key).map_or_else(|| default.to_owned(), go::print);
    // A number and a string are two different ports to the reference, so they are here.
    let published = item.get("published").map_or_else(String::new, |published| {
        format!("{}{}", if published.as_str().is_some() { "" } else { "#" }, go::print(published))
    });
    let (host, protocol) = (part("host_ip", "0.0.0.0"), part("protocol", "tcp"));
    Ok(format!("{host}|{published}|{}|{protocol}", go::print(target)))
}

fn text(item: &Node, key: &'static str, place: &Place<'_>) -> Result<String, Diagnostic> {
    match item.get(key) {
        Some(Node { value: Value::Str(text), .. }) => Ok(text.clone()),
        Some(other) => Err(wrong_kind(other, &place.key(key), "a string")),
        None => Err(missing(item, key, place)),
    }
}

fn missing(item: &Node, key: &'static str, place: &Place<'_>) -> Diagnostic {
    Diagnostic::error("compose/missing-key", format!("`{place}` needs the key `{key}`"))
        .at(item.span)
}

fn wrong_kind(item: &Node, place: &Place<'_>, wanted: &str) -> Diagnostic {
    let message = format!("`{place}` must be {wanted}, not {}", item.kind());
    Diagnostic::error("compose/wrong-kind", message).at(item.span)
}
