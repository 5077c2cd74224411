//! How much a project may grow while it is put together.
//!
//! A few lines can ask for gigabytes: a large service that thousands extend, a file of variables
//! that every service reads, ranges of all ports. Each copy is charged before it is made, so the
//! work ends long before the memory does.

use crate::diag::{Diagnostic, Span};
use crate::yaml::{Node, Value};

/// The most values a project may have, counting each copy made on the way.
pub(super) const VALUES_MAX: usize = 800_000;

/// What a port of a range counts, in values: all 65535 fit once.
pub(super) const PORT: usize = 8;

/// How many bytes of text count as a value of their own.
const BYTES_A_VALUE: usize = 128;

/// What is left for a project.
#[derive(Debug)]
pub(super) struct Budget {
    left: Option<usize>,
}

impl Default for Budget {
    fn default() -> Self {
        Self { left: Some(VALUES_MAX) }
    }
}

impl Budget {
    /// Takes `values` for what stands at `span`. Only the first refusal says why.
    pub(super) fn charge(&mut self, values: usize, span: Span) -> Result<(), Option<Diagnostic>> {
        let Some(left) = self.left else { return Err(None) };
        self.left = left.checked_sub(values);
        if self.left.is_some() {
            return Ok(());
        }
        let message = format!(
            "the project grows to more than {VALUES_MAX} values through what it extends, \
             includes and reads"
        );
        Err(Some(Diagnostic::error("compose/too-large", message).at_with(span, "no room for this")))
    }

    /// Whether something was refused.
    pub(super) fn is_spent(&self) -> bool {
        self.left.is_none()
    }
}

/// How much `node` and all below it count.
pub(super) fn size(node: &Node) -> usize {
    match &node.value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => 1,
        Value::Str(content) => text(content),
        Value::Seq(items) => 1 + items.iter().map(size).sum::<usize>(),
        Value::Map(map) => {
            let sizes = map.iter().map(|(key, item)| key.len() / BYTES_A_VALUE + size(&item.node));
            1 + sizes.sum::<usize>()
        }
    }
}

/// How much a text counts.
pub(super) fn text(content: &str) -> usize {
    1 + content.len() / BYTES_A_VALUE
}
