//! Typed values that remember their place, taken out of trees that a shape has checked.
//!
//! What does not have the kind asked for is skipped without a word: the shape's check has already
//! reported it.

use crate::diag::Span;
use crate::yaml::{Item, Node, Value};

/// A value and where it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub span: Span,
}

impl<T> Placed<T> {
    /// A value at its place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }

    /// Another value at the same place.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Placed<U> {
        Placed { value: change(self.value), span: self.span }
    }
}

/// The text of `key`, made into something by `parse`.
pub(super) fn parsed<T>(
    node: &Node,
    key: &str,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Option<Placed<T>> {
    let node = node.get(key)?;
    parse(node.as_str()?).ok().map(|value| Placed::new(value, node.span))
}

/// The text of `key`.
pub(super) fn text(node: &Node, key: &str) -> Option<Placed<String>> {
    parsed(node, key, |text| Ok(text.to_owned()))
}

/// The whole number of `key`, when it fits.
pub(super) fn number<T: TryFrom<i64>>(node: &Node, key: &str) -> Option<Placed<T>> {
    let node = node.get(key)?;
    match node.value {
        Value::Int(number) => T::try_from(number).ok().map(|value| Placed::new(value, node.span)),
        _ => None,
    }
}

/// The items of the list `key`.
pub(super) fn items<'a>(node: &'a Node, key: &str) -> &'a [Node] {
    node.get(key).and_then(Node::as_seq).unwrap_or_default()
}

/// The strings of the list `key`.
pub(super) fn texts<'a>(
    node: &'a Node,
    key: &str,
) -> impl Iterator<Item = Placed<&'a str>> + use<'a> {
    items(node, key).iter().filter_map(|item| Some(Placed::new(item.as_str()?, item.span)))
}

/// The entries of the mapping `key`.
pub(super) fn entries<'a>(
    node: &'a Node,
    key: &str,
) -> impl Iterator<Item = (&'a str, &'a Item)> + use<'a> {
    node.get(key).and_then(Node::as_map).into_iter().flat_map(|map| map.iter())
}
