//! The last step before the model: every value gets the type its attribute has, is written in its
//! canonical spelling, and disappears when it says no more than its absence would.
//!
//! Sizes become bytes, durations their shortest spelling, commands lists of words, `KEY=VALUE`
//! lists mappings. What an attribute is comes from the tables in [`layout`].

mod layout;
mod text;
mod value;

use std::ops::Range;

use crate::diag::{Diagnostic, Sources, Span};
use crate::yaml::{Map, Node, Value};

use self::layout::{Kind, Layout, PROJECT, Slot, When};
use super::substitute;

/// The key below which extensions of a mapping are kept.
pub(super) const EXTENSIONS: &str = "#extensions";

/// Binds a whole project.
pub(super) fn bind(root: Node, sources: &Sources, problems: &mut Vec<Diagnostic>) -> Node {
    let mut binder = Binder { sources, problems, path: Vec::new() };
    binder.record(root, &PROJECT)
}

struct Binder<'a> {
    sources: &'a Sources,
    problems: &'a mut Vec<Diagnostic>,
    path: Vec<String>,
}

/// A value that has its type now, and whether it is the zero of that type.
struct Bound {
    value: Value,
    is_zero: bool,
}

impl Bound {
    fn new(value: Value) -> Self {
        let is_zero = match &value {
            Value::Null => true,
            Value::Bool(flag) => !flag,
            Value::Int(number) => *number == 0,
            Value::Float(number) => *number == 0.0,
            Value::Str(text) => text.is_empty(),
            Value::Seq(items) => items.is_empty(),
            Value::Map(map) => map.is_empty(),
        };
        Self { value, is_zero }
    }
}

impl Binder<'_> {
    fn record(&mut self, node: Node, layout: &'static Layout) -> Node {
        let span = node.span;
        let mut from = match node.value {
            Value::Map(map) => map,
            Value::Null => Map::default(),
            value => {
                self.wrong_kind(&Node::new(span, value), "a mapping");
                Map::default()
            }
        };
        let mut to = Map::default();
        for slot in layout.0 {
            let item = from.0.swap_remove(slot.key);
            let key = item.as_ref().map_or(span, |item| item.key);
            if let Some(node) = self.slot(slot, item.map(|item| item.node), span) {
                to.insert(slot.shown, key, node);
            }
        }
        if let Some(extensions) = extensions(from, span) {
            to.insert(EXTENSIONS, span, extensions);
        }
        Node::new(span, Value::Map(to))
    }

    fn slot(&mut self, slot: &Slot, given: Option<Node>, owner: Span) -> Option<Node> {
        let Some(node) = given.filter(|node| !node.is_null()) else {
            return match slot.when {
                When::NotZero | When::Given => None,
                When::False => Some(Node::new(owner, Value::Bool(false))),
                When::Always => Some(self.zero(&slot.kind, owner)),
            };
        };
        let span = node.span;
        self.path.push(slot.key.to_owned());
        let bound = self.value(node, &slot.kind);
        self.path.pop();
        let is_shown = match slot.when {
            When::NotZero => !bound.is_zero,
            When::Given | When::Always => true,
            When::False => bound.is_zero,
        };
        is_shown.then(|| Node::new(span, bound.value))
    }

    fn zero(&mut self, kind: &Kind, span: Span) -> Node {
        let value = match kind {
            Kind::Record(layout) => {
                return self.record(Node::new(span, Value::Null), layout);
            }
            Kind::Map(_) => Value::Map(Map::default()),
            Kind::Bool => Value::Bool(false),
            Kind::Int | Kind::Uint(_) => Value::Int(0),
            Kind::Str => Value::Str(String::new()),
            Kind::Bytes => Value::Str("0".to_owned()),
            _ => Value::Null,
        };
        Node::new(span, value)
    }

    fn value(&mut self, node: Node, kind: &Kind) -> Bound {
        match kind {
            Kind::Str => Bound::new(self.text(node)),
            Kind::Bool => Bound::new(self.boolean(&node)),
            Kind::Int => Bound::new(Value::Int(self.integer(&node))),
            Kind::Uint(bits) => Bound::new(self.unsigned(&node, *bits)),
            Kind::Float => Bound::new(self.float(&node)),
            Kind::Bytes => self.bytes(&node),
            Kind::Duration => self.duration(&node),
            Kind::Mode => Bound::new(self.mode(&node)),
            Kind::Count => Bound::new(self.count(&node)),
            Kind::Strings => Bound::new(self.strings(node)),
            Kind::StringList => Bound::new(self.string_list(node)),
            Kind::Scalars => Bound::new(self.scalars(node)),
            Kind::Command => Bound::new(self.command(node)),
            Kind::Test => Bound::new(self.test(node)),
            Kind::Texts(entry) => Bound::new(self.texts(node, *entry)),
            Kind::Environment => Bound::new(self.environment(node)),
            Kind::Options => Bound::new(self.options(node)),
            Kind::MultiOptions => Bound::new(self.multi_options(node)),
            Kind::Hosts => Bound::new(self.hosts(node)),
            Kind::Ssh => Bound::new(self.ssh(node)),
            Kind::Ulimits => Bound::new(self.ulimits(node)),
            Kind::Record(layout) => {
                Bound { value: self.record(node, layout).value, is_zero: false }
            }
            Kind::List(layout) => Bound::new(self.list(node, layout)),
            Kind::Map(layout) => {
                Bound::new(self.map(node, |binder, node| binder.record(node, layout)))
            }
            Kind::NullableMap(layout) => Bound::new(self.map(text::apart(node), |binder, node| {
                if node.is_null() { node } else { binder.record(node, layout) }
            })),
        }
    }

    fn list(&mut self, node: Node, layout: &'static Layout) -> Value {
        let Value::Seq(items) = node.value else {
            self.wrong_kind(&node, "a list");
            return Value::Null;
        };
        let mut bound = Vec::with_capacity(items.len());
        for (index, item) in items.into_iter().enumerate() {
            self.path.push(format!("[{index}]"));
            bound.push(self.record(item, layout));
            self.path.pop();
        }
        Value::Seq(bound)
    }

    /// The values of a mapping, sorted by their names.
    fn map(&mut self, node: Node, bind: impl Fn(&mut Self, Node) -> Node) -> Value {
        let Value::Map(mut map) = node.value else {
            self.wrong_kind(&node, "a mapping");
            return Value::Null;
        };
        map.0.sort_unstable_keys();
        for (key, item) in &mut map.0 {
            self.path.push(key.clone());
            let node = std::mem::replace(&mut item.node, Node::new(item.key, Value::Null));
            item.node = bind(self, node);
            self.path.pop();
        }
        Value::Map(map)
    }

    fn name(&self) -> String {
        let mut name = String::new();
        for part in &self.path {
            if !name.is_empty() && !part.starts_with('[') {
                name.push('.');
            }
            name.push_str(part);
        }
        name
    }

    fn wrong_kind(&mut self, node: &Node, wanted: &str) {
        let message = format!("`{}` must be {wanted}, not {}", self.name(), node.kind());
        self.problems.push(Diagnostic::error("compose/wrong-kind", message).at(node.span));
    }

    /// `fault` in the text of a scalar.
    fn bad_text(
        &mut self,
        span: Span,
        text: &str,
        range: &Range<usize>,
        fault: impl std::fmt::Display,
    ) {
        let at = substitute::inside(self.sources, span, text, range);
        self.bad_value(at, format!("`{text}`: {fault}"));
    }

    fn bad_value(&mut self, span: Span, what: impl std::fmt::Display) {
        let message = format!("`{}`: {what}", self.name());
        self.problems.push(Diagnostic::error("compose/bad-value", message).at(span));
    }
}

/// The `x-` keys among what is left of a mapping.
fn extensions(rest: Map, span: Span) -> Option<Node> {
    let mut map = Map(rest.0.into_iter().filter(|(key, _)| key.starts_with("x-")).collect());
    map.0.sort_unstable_keys();
    (!map.is_empty()).then(|| Node::new(span, Value::Map(map)))
}
