//! Strings, and lists and mappings of strings.

use std::collections::BTreeMap;

use crate::diag::Span;
use crate::yaml::{Map, Node, Value};

use super::super::{forms, go};
use super::layout::Entry;
use super::{Binder, EXTENSIONS, extensions};

impl Binder<'_> {
    pub(super) fn text(&mut self, node: Node) -> Value {
        match node.value {
            Value::Str(_) => node.value,
            Value::Int(number) => Value::Str(number.to_string()),
            _ => {
                self.wrong_kind(&node, "a string");
                Value::Null
            }
        }
    }

    pub(super) fn strings(&mut self, node: Node) -> Value {
        let Value::Seq(items) = node.value else {
            self.wrong_kind(&node, "a list");
            return Value::Null;
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            let span = item.span;
            let value = if item.is_null() { Value::Str(String::new()) } else { self.text(item) };
            texts.push(Node::new(span, value));
        }
        Value::Seq(texts)
    }

    pub(super) fn string_list(&mut self, node: Node) -> Value {
        match node.value {
            Value::Str(_) => Value::Seq(vec![node]),
            Value::Seq(items) => {
                for item in items.iter().filter(|item| item.as_str().is_none()) {
                    self.wrong_kind(item, "a list of strings");
                }
                Value::Seq(items)
            }
            _ => {
                self.wrong_kind(&node, "a string or a list of strings");
                Value::Null
            }
        }
    }

    pub(super) fn scalars(&mut self, node: Node) -> Value {
        match node.value {
            Value::Seq(items) => Value::Seq(
                items.into_iter().map(|item| Node::str(item.span, go::print(&item))).collect(),
            ),
            _ => self.string_list(node),
        }
    }

    pub(super) fn command(&mut self, node: Node) -> Value {
        match &node.value {
            Value::Str(text) => match forms::shell_words(text) {
                Ok(command) => Value::Seq(
                    command.words.into_iter().map(|word| Node::str(node.span, word)).collect(),
                ),
                Err(fault) => {
                    self.bad_text(node.span, text, &fault.range, &fault);
                    Value::Null
                }
            },
            _ => self.string_list(node),
        }
    }

    pub(super) fn test(&mut self, node: Node) -> Value {
        match node.value {
            Value::Str(_) => Value::Seq(vec![Node::str(node.span, "CMD-SHELL"), node]),
            _ => self.string_list(node),
        }
    }

    pub(super) fn texts(&mut self, node: Node, entry: Entry) -> Value {
        let pairs = match node.value {
            Value::Map(map) => with_extensions(map, node.span),
            Value::Seq(items) => return split(items, |value| value.unwrap_or_default()),
            _ => {
                self.wrong_kind(&node, "a list or a mapping");
                return Value::Null;
            }
        };
        self.texts_of(pairs, |binder, node| match (&node.value, entry) {
            (Value::Null, _) => Some(Value::Str(String::new())),
            (_, Entry::Any) => Some(Value::Str(go::print(&node))),
            (_, Entry::Text) => Some(binder.text(node)),
        })
    }

    fn texts_of(&mut self, mut map: Map, text: impl Fn(&mut Self, Node) -> Option<Value>) -> Value {
        map.0.sort_unstable_keys();
        for (key, item) in &mut map.0 {
            self.path.push(key.clone());
            let span = item.node.span;
            let node = std::mem::replace(&mut item.node, Node::new(span, Value::Null));
            if let Some(value) = text(self, node) {
                item.node.value = value;
            }
            self.path.pop();
        }
        Value::Map(map)
    }

    pub(super) fn environment(&mut self, node: Node) -> Value {
        match node.value {
            Value::Map(map) => {
                let map = with_extensions(map, node.span);
                self.texts_of(map, |_, node| {
                    (!node.is_null()).then(|| Value::Str(go::print(&node)))
                })
            }
            Value::Seq(items) => {
                for item in &items {
                    let text = go::print(item);
                    let key = text.split('=').next().unwrap_or_default();
                    if key.ends_with(|last: char| last.is_whitespace()) {
                        self.bad_value(item.span, format!("space after the name in `{text}`"));
                    }
                }
                let mut map = Map::default();
                for item in items {
                    let text = go::print(&item);
                    let (key, value) = match text.split_once('=') {
                        Some((key, value)) => (key, Value::Str(value.to_owned())),
                        None => (text.as_str(), Value::Null),
                    };
                    map.insert(key, item.span, Node::new(item.span, value));
                }
                map.0.sort_unstable_keys();
                Value::Map(map)
            }
            _ => {
                self.wrong_kind(&node, "a list or a mapping");
                Value::Null
            }
        }
    }

    pub(super) fn options(&mut self, node: Node) -> Value {
        match node.value {
            Value::Map(_) => self.texts(node, Entry::Any),
            _ => {
                self.wrong_kind(&node, "a mapping");
                Value::Null
            }
        }
    }

    pub(super) fn multi_options(&mut self, node: Node) -> Value {
        let Value::Map(map) = node.value else {
            self.wrong_kind(&node, "a mapping");
            return Value::Null;
        };
        let mut map = with_extensions(map, node.span);
        map.0.retain(|_, item| !matches!(&item.node.value, Value::Seq(items) if items.is_empty()));
        self.texts_of(map, |_, node| {
            let items = match node.value {
                Value::Seq(items) => items,
                _ => vec![node],
            };
            let text = |item: &Node| Node::str(item.span, go::print(item));
            Some(Value::Seq(items.iter().map(text).collect()))
        })
    }

    pub(super) fn hosts(&mut self, node: Node) -> Value {
        let mut hosts: BTreeMap<String, (Span, Vec<String>)> = BTreeMap::new();
        match node.value {
            Value::Seq(items) => {
                for item in items {
                    let text = go::print(&item);
                    match forms::host_entry(&text) {
                        Ok(entry) => hosts
                            .entry(entry.host)
                            .or_insert_with(|| (item.span, Vec::new()))
                            .1
                            .extend(entry.addresses),
                        Err(fault) => self.bad_text(item.span, &text, &fault.range, &fault),
                    }
                }
            }
            Value::Map(map) => {
                for (host, item) in with_extensions(map, node.span).0 {
                    if host.is_empty() || host.contains([':', '=']) {
                        self.bad_value(item.key, format!("`{host}` is no host name"));
                    }
                    let addresses: Vec<String> = match &item.node.value {
                        Value::Null => vec![String::new()],
                        Value::Seq(items) => items.iter().map(go::print).collect(),
                        Value::Str(text) => vec![text.clone()],
                        _ => {
                            self.wrong_kind(&item.node, "a mapping of addresses");
                            continue;
                        }
                    };
                    let bare = |address: &String| forms::bare(address).to_owned();
                    hosts.insert(host, (item.key, addresses.iter().map(bare).collect()));
                }
            }
            _ => self.wrong_kind(&node, "a list or a mapping"),
        }
        let mut lines: Vec<Node> = Vec::new();
        for (host, (span, addresses)) in hosts {
            lines.extend(
                addresses.iter().map(|address| Node::str(span, format!("{host}={address}"))),
            );
        }
        lines.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
        Value::Seq(lines)
    }

    pub(super) fn ssh(&mut self, node: Node) -> Value {
        let Value::Map(mut map) = node.value else {
            self.wrong_kind(&node, "a mapping");
            return Value::Null;
        };
        map.0.sort_unstable_keys();
        let keys = map.0.into_iter().map(|(id, item)| {
            let path = if item.node.is_null() { String::new() } else { go::print(&item.node) };
            let text = if path.is_empty() { id } else { format!("{id}: {path}") };
            Node::str(item.key, text)
        });
        Value::Seq(keys.collect())
    }

    pub(super) fn ulimits(&mut self, node: Node) -> Value {
        self.map(apart(node), |binder, node| {
            let span = node.span;
            let value = match node.value {
                Value::Map(map) => {
                    let mut limits = Map::default();
                    for key in ["soft", "hard"] {
                        let Some(limit) = map.get(key) else { continue };
                        match &limit.value {
                            Value::Int(0) => {}
                            Value::Int(_) => limits.insert(key, limit.span, limit.clone()),
                            _ => binder.wrong_kind(limit, "a whole number"),
                        }
                    }
                    Value::Map(limits)
                }
                Value::Int(0) | Value::Null => Value::Map(Map::default()),
                Value::Int(_) => node.value,
                _ => {
                    binder.wrong_kind(&node, "a whole number or a mapping");
                    Value::Null
                }
            };
            Node::new(span, value)
        })
    }
}

/// `KEY=VALUE` texts as a mapping, sorted; the last of each key wins.
fn split(items: Vec<Node>, value: impl Fn(Option<String>) -> String) -> Value {
    let mut map = Map::default();
    for item in items {
        let text = go::print(&item);
        let (key, given) = match text.split_once('=') {
            Some((key, given)) => (key, Some(given.to_owned())),
            None => (text.as_str(), None),
        };
        map.insert(key, item.span, Node::str(item.span, value(given)));
    }
    map.0.sort_unstable_keys();
    Value::Map(map)
}

/// A node of which the mapping, if it is one, went through [`with_extensions`].
pub(super) fn apart(mut node: Node) -> Node {
    if let Value::Map(map) = &mut node.value {
        *map = with_extensions(std::mem::take(map), node.span);
    }
    node
}

/// A mapping whose `x-` keys are put aside under one name, as the reference does even
/// where they are meant as keys like any other.
fn with_extensions(map: Map, span: Span) -> Map {
    let (own, others): (indexmap::IndexMap<_, _>, indexmap::IndexMap<_, _>) =
        map.0.into_iter().partition(|(key, _)| !key.starts_with("x-"));
    let mut map = Map(own);
    if let Some(extensions) = extensions(Map(others), span) {
        map.insert(EXTENSIONS, span, extensions);
    }
    map
}
