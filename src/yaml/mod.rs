//! YAML in, with a place for every value.
//!
//! Reading is ours, on top of a parser that yields events with byte ranges, because every library
//! that reads into values loses the place of keys, keeps the last of two equal keys without a
//! word, or leaves `<<` unapplied. Writing is `serde_yaml`'s,
//! with a little more quoting.

mod node;
mod parse;
mod scalar;
mod syntax;
mod write;

pub use node::{Item, Map, Node, Tag, Value};
pub use parse::{DEPTH_MAX, NODES_MAX, Parsed, TEXT_MAX, parse, read, text_of};
pub use write::to_text;
