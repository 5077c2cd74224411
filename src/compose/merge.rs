//! Lays a later document over an earlier one.
//!
//! Mappings merge key by key, lists are joined and everything else is replaced, save where
//! [`Merge`] says otherwise. Values keep their places: what wins brings its own along.

use std::collections::BTreeSet;
use std::mem;

use crate::diag::{Diagnostic, Span};
use crate::yaml::{Map, Node, Value};

use super::attribute::{Merge, Place};
use super::go;

/// What comes of a merge that may be refused.
pub(super) type Merged<T> = Result<T, Diagnostic>;

/// `over` laid over `base`, both standing at `place`.
pub(super) fn merge(base: Node, over: Node, place: &Place<'_>) -> Merged<Node> {
    let rule = place.attribute().map_or(Merge::Deep, |attribute| attribute.merge);
    match rule {
        Merge::Deep => deep(base, over, place),
        Merge::Replace => Ok(over),
        Merge::Entries => Ok(join(entries(base), entries(over))),
        Merge::Hosts => Ok(hosts(base, over)),
        Merge::Names => maps(names(base, |span| Node::new(span, Value::Null)), over, place),
        Merge::Dependencies => maps(names(base, started), over, place),
        Merge::Build => maps(build(base), over, place),
        Merge::Logging => logging(base, over, place),
        Merge::Pools => pools(base, over, place),
    }
}

fn deep(mut base: Node, over: Node, place: &Place<'_>) -> Merged<Node> {
    if over.is_null() {
        return Ok(base);
    }
    match (&mut base.value, over.value) {
        (Value::Map(into), Value::Map(from)) => {
            maps_into(into, from, place)?;
            base.span = over.span;
            Ok(base)
        }
        (Value::Seq(into), Value::Seq(from)) => {
            into.extend(from);
            base.span = over.span;
            Ok(base)
        }
        (Value::Map(_) | Value::Seq(_), value) => {
            let over = Node { value, ..over };
            Err(Diagnostic::error(
                "compose/merge",
                format!(
                    "`{place}` is {} here and {} before; the two cannot be merged",
                    over.kind(),
                    base.kind()
                ),
            )
            .at(over.span)
            .related(base.span, "set here first")
            .help("write `!override` before the value to replace the earlier one"))
        }
        (_, value) => Ok(Node { value, ..over }),
    }
}

fn maps_into(into: &mut Map, from: Map, place: &Place<'_>) -> Merged<()> {
    for (key, item) in from.0 {
        match into.0.get_mut(&key) {
            None => {
                into.0.insert(key, item);
            }
            Some(old) => {
                let base = mem::replace(&mut old.node, Node::new(item.key, Value::Null));
                let below = place.key(&key);
                old.node = merge(base, item.node, &below)?;
                old.key = item.key;
            }
        }
    }
    Ok(())
}

/// Two values that have been, or now are brought, into the form of a mapping.
fn maps(base: Node, over: Node, place: &Place<'_>) -> Merged<Node> {
    let rule = place.attribute().map_or(Merge::Deep, |attribute| attribute.merge);
    let over = match rule {
        Merge::Names => names(over, |span| Node::new(span, Value::Null)),
        Merge::Dependencies => names(over, started),
        Merge::Build => build(over),
        _ => over,
    };
    match (base.value, over.value) {
        (Value::Map(mut into), Value::Map(from)) => {
            maps_into(&mut into, from, place)?;
            Ok(Node::new(over.span, Value::Map(into)))
        }
        (Value::Map(into), _) => Ok(Node::new(base.span, Value::Map(into))),
        (_, value) => Ok(Node::new(over.span, value)),
    }
}

/// A list of names as a mapping with `value` for each.
fn names(node: Node, value: fn(Span) -> Node) -> Node {
    let Value::Seq(items) = node.value else { return node };
    let mut map = Map::default();
    for item in items {
        if let Value::Str(name) = item.value {
            map.insert(name, item.span, value(item.span));
        }
    }
    Node::new(node.span, Value::Map(map))
}

/// The condition of a dependency in the short form.
pub(super) fn started(span: Span) -> Node {
    let mut map = Map::default();
    map.insert("condition", span, Node::str(span, "service_started"));
    map.insert("required", span, Node::new(span, Value::Bool(true)));
    Node::new(span, Value::Map(map))
}

fn build(node: Node) -> Node {
    match node.value {
        Value::Str(context) => {
            let mut map = Map::default();
            map.insert("context", node.span, Node::str(node.span, context));
            Node::new(node.span, Value::Map(map))
        }
        value => Node { value, ..node },
    }
}

/// A mapping as a list of `KEY=VALUE`, a string as a list of one; anything else is no list.
fn entries(node: Node) -> (Span, Vec<Node>) {
    let span = node.span;
    let items = match node.value {
        Value::Map(map) => {
            let mut items = Vec::with_capacity(map.len());
            for (key, item) in map.0 {
                match item.node.value {
                    Value::Null => items.push(Node::str(item.key, key)),
                    Value::Seq(values) => {
                        items.extend(values.into_iter().map(|value| entry(&key, &value)));
                    }
                    value => items.push(entry(&key, &Node { value, ..item.node })),
                }
            }
            items.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            items
        }
        Value::Seq(items) => items,
        Value::Str(_) => vec![node],
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => Vec::new(),
    };
    (span, items)
}

fn entry(key: &str, value: &Node) -> Node {
    Node::str(value.span, format!("{key}={}", go::print(value)))
}

fn join(base: (Span, Vec<Node>), over: (Span, Vec<Node>)) -> Node {
    let (_, mut items) = base;
    let (span, more) = over;
    items.extend(more);
    Node::new(span, Value::Seq(items))
}

fn hosts(base: Node, over: Node) -> Node {
    let (_, mut items) = entries(base);
    let (span, more) = entries(over);
    let known: BTreeSet<String> =
        items.iter().filter_map(|item| item.as_str().map(str::to_owned)).collect();
    items.extend(
        more.into_iter().filter(|item| item.as_str().is_none_or(|text| !known.contains(text))),
    );
    Node::new(span, Value::Seq(items))
}

fn logging(base: Node, over: Node, place: &Place<'_>) -> Merged<Node> {
    let driver = |node: &Node| node.get("driver").map(|driver| driver.value.clone());
    match (driver(&base), driver(&over)) {
        (Some(one), Some(other)) if one != other => Ok(over),
        _ => deep(base, over, place),
    }
}

/// Pools are matched by subnet, each of the earlier with each of the later.
fn pools(base: Node, over: Node, place: &Place<'_>) -> Merged<Node> {
    let span = over.span;
    let (Value::Seq(earlier), Value::Seq(later)) = (base.value, over.value) else {
        return Err(
            Diagnostic::error("compose/merge", format!("`{place}` must be a list")).at(span)
        );
    };
    let mut pools: Vec<Node> = Vec::new();
    let subnet = |node: &Node| node.get("subnet").map(|subnet| subnet.value.clone());
    for mut original in earlier {
        for pool in &later {
            let same = subnet(&original) == subnet(pool);
            if !same && !pools.iter().any(|known| subnet(known) == subnet(pool)) {
                pools.push(pool.clone());
                continue;
            }
            if let (Value::Map(into), Value::Map(from)) = (&mut original.value, &pool.value) {
                maps_into(into, from.clone(), place)?;
            }
            match pools.iter_mut().find(|known| subnet(known) == subnet(&original)) {
                Some(known) => *known = original.clone(),
                None => pools.push(original.clone()),
            }
        }
    }
    Ok(Node::new(span, Value::Seq(pools)))
}
