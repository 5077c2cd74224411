//! YAML in and out, with a place for every value.

mod node;

pub use node::{Item, Map, Node, Tag, Value};
