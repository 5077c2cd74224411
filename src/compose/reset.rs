//! `!reset` and `!override`: what a document takes back from the ones before it.
//!
//! Both tags say that whatever earlier documents, included files or extended services have at a
//! place is dropped; under `!override` the tagged value takes its place, under `!reset` nothing.
//! The places are collected once, right after reading, and cut out of each base before it is
//! merged with.

use crate::yaml::{Map, Node, Tag, Value};

/// The places a document resets, as keys from its root.
#[derive(Debug, Default)]
pub(super) struct Resets {
    paths: Vec<Vec<String>>,
}

impl Resets {
    /// Takes the tags out of `document`, and the values under `!reset` with them.
    pub(super) fn take(document: &mut Node) -> Self {
        let mut resets = Self::default();
        resets.collect(document, &mut Vec::new());
        resets
    }

    fn collect(&mut self, node: &mut Node, path: &mut Vec<String>) {
        match &mut node.value {
            Value::Map(map) => {
                map.0.retain(|key, item| {
                    path.push(key.clone());
                    let stays = self.visit(&mut item.node, path);
                    path.pop();
                    stays
                });
            }
            Value::Seq(items) => {
                let mut index = 0;
                items.retain_mut(|item| {
                    path.push(format!("[{index}]"));
                    index += 1;
                    let stays = self.visit(item, path);
                    path.pop();
                    stays
                });
            }
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => {}
        }
    }

    /// Whether the value stays in the document.
    fn visit(&mut self, node: &mut Node, path: &mut Vec<String>) -> bool {
        match node.tag {
            Tag::None => {
                self.collect(node, path);
                true
            }
            Tag::Reset => {
                self.paths.push(path.clone());
                false
            }
            Tag::Override => {
                self.paths.push(path.clone());
                clear(node);
                true
            }
        }
    }

    /// Drops from `base`, a whole document, what is reset.
    pub(super) fn apply(&self, base: &mut Node) {
        for path in &self.paths {
            if let Value::Map(map) = &mut base.value {
                remove(map, path);
            }
        }
    }

    /// Drops from `base`, which stands at `prefix` of a document, what is reset.
    pub(super) fn apply_below(&self, prefix: &[&str], base: &mut Node) {
        for path in &self.paths {
            let below = path.len() > prefix.len()
                && path.iter().zip(prefix).all(|(part, prefix)| part == prefix);
            if let (true, Value::Map(map)) = (below, &mut base.value) {
                remove(map, &path[prefix.len()..]);
            }
        }
    }
}

fn remove(map: &mut Map, path: &[String]) {
    match path {
        [] => {}
        [last] => {
            map.remove(last);
        }
        [first, rest @ ..] => {
            if let Some(Node { value: Value::Map(inner), .. }) = map.get_mut(first) {
                remove(inner, rest);
            }
        }
    }
}

/// Tags below `!override` have nothing left to act on.
fn clear(node: &mut Node) {
    node.tag = Tag::None;
    match &mut node.value {
        Value::Map(map) => map.0.values_mut().for_each(|item| clear(&mut item.node)),
        Value::Seq(items) => items.iter_mut().for_each(clear),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => {}
    }
}
