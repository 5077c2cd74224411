//! A YAML document as a tree in which every key and value knows its place.

use indexmap::IndexMap;

use crate::diag::Span;

/// One value of a document.
///
/// Two nodes are equal when their values are, wherever they stand and in whatever order their
/// keys were written.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where it stands; after a merge, where the winner stood.
    pub span: Span,
    /// `!reset` or `!override`, which Compose's merge understands.
    pub tag: Tag,
    /// What it is.
    pub value: Value,
}

/// The tags that mean something to Compose. Any other is ignored, as its own loader does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tag {
    /// None, or one without meaning here.
    #[default]
    None,
    /// The value of earlier files is dropped.
    Reset,
    /// The value of earlier files is replaced, not merged.
    Override,
}

/// What a [`Node`] is, after YAML's core schema.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `null`, `~` or nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Any other number.
    Float(f64),
    /// A string.
    Str(String),
    /// A sequence.
    Seq(Vec<Node>),
    /// A mapping.
    Map(Map),
}

/// A mapping in the order it was written. Keys are strings; any other key is an error on reading.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Map(pub IndexMap<String, Item>);

/// A value of a [`Map`], with the place of its key. Equal when the values are.
#[derive(Debug, Clone)]
pub struct Item {
    /// Where the key stands.
    pub key: Span,
    /// The value.
    pub node: Node,
}

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl PartialEq for Item {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

impl Node {
    /// A value at `span`, untagged.
    pub fn new(span: Span, value: Value) -> Self {
        Self { span, tag: Tag::None, value }
    }

    /// A string at `span`.
    pub fn str(span: Span, text: impl Into<String>) -> Self {
        Self::new(span, Value::Str(text.into()))
    }

    /// The text of a string.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::Str(text) => Some(text),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Seq(_)
            | Value::Map(_) => None,
        }
    }

    /// The mapping.
    pub fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Str(_)
            | Value::Seq(_) => None,
        }
    }

    /// The mapping, to change.
    pub fn as_map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.value {
            Value::Map(map) => Some(map),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Str(_)
            | Value::Seq(_) => None,
        }
    }

    /// The sequence.
    pub fn as_seq(&self) -> Option<&[Self]> {
        match &self.value {
            Value::Seq(items) => Some(items),
            Value::Null
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Str(_)
            | Value::Map(_) => None,
        }
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    /// The value of `key` when this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.as_map()?.get(key)
    }

    /// The kind of value, for messages: "a mapping", "a string".
    pub fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Bool(_) => "a boolean",
            Value::Int(_) => "a whole number",
            Value::Float(_) => "a number",
            Value::Str(_) => "a string",
            Value::Seq(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

impl Map {
    /// The value of `key`.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.0.get(key).map(|item| &item.node)
    }

    /// The value of `key`, to change.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Node> {
        self.0.get_mut(key).map(|item| &mut item.node)
    }

    /// Adds or replaces a value.
    pub fn insert(&mut self, key: impl Into<String>, span: Span, node: Node) {
        self.0.insert(key.into(), Item { key: span, node });
    }

    /// Takes a value out, keeping the order of the others.
    pub fn remove(&mut self, key: &str) -> Option<Node> {
        self.0.shift_remove(key).map(|item| item.node)
    }

    /// Keys and values in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Item)> {
        self.0.iter().map(|(key, item)| (key.as_str(), item))
    }

    /// The keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// How many keys it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether it has no key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
