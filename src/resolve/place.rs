//! Where a service's attributes were written, for findings about the canonical model.

use crate::diag::{Diagnostic, Span};
use crate::yaml::{Node, Value};

/// A service and its node, which knows where each attribute stands.
pub(super) struct Place<'a> {
    pub(super) service: &'a str,
    pub(super) node: Option<&'a Node>,
    pub(super) fallback: Span,
}

impl<'a> Place<'a> {
    /// The node of an `x-` key.
    pub(super) fn extension(&self, key: &str) -> Option<&'a Node> {
        self.node?.get("#extensions")?.get(key)
    }

    /// The name of an attribute in messages.
    pub(super) fn path(&self, key: &str) -> String {
        format!("services.{}.{key}", self.service)
    }

    /// The service as a whole.
    pub(super) fn span(&self) -> Span {
        self.node.map_or(self.fallback, |node| node.span)
    }

    /// Points at one attribute, at its key where there is one.
    pub(super) fn at(&self, problem: Diagnostic, key: &str) -> Diagnostic {
        let item = self.node.and_then(Node::as_map).and_then(|map| map.0.get(key));
        problem.at(item.map_or(self.span(), |item| item.key))
    }

    /// Points at an attribute further down; at what is there of the way.
    pub(super) fn at_path(&self, problem: Diagnostic, path: &[&str]) -> Diagnostic {
        let mut node = self.node;
        let mut span = self.span();
        for part in path {
            node = node.and_then(|node| match &node.value {
                Value::Map(map) => map.get(part),
                Value::Seq(items) => items.get(part.parse::<usize>().ok()?),
                Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => {
                    None
                }
            });
            span = node.map_or(span, |node| node.span);
        }
        problem.at(span)
    }

    /// Adds a place to a finding that has none.
    pub(super) fn locate(&self, problem: Diagnostic, key: &str) -> Diagnostic {
        if problem.primary.is_some() { problem } else { self.at(problem, key) }
    }
}
