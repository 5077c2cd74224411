//! What a template author can look up: every filter, test and function in a few words.
//!
//! This is data for the reference documentation and for suggestions. Every example is a test: it
//! must give its result.

mod collections;
mod data;
mod tests;
mod text;

/// What an [`Entry`] describes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// `value | name`.
    Filter,
    /// `value is name`.
    Test,
    /// `name()`.
    Function,
}

/// A filter, test or function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Its name.
    pub name: &'static str,
    /// Other names for the same.
    pub aliases: &'static [&'static str],
    /// How it is written.
    pub signature: &'static str,
    /// What it gives, one sentence.
    pub text: &'static str,
    /// An expression that uses it.
    pub example: &'static str,
    /// What the expression gives.
    pub result: &'static str,
}

const fn entry(
    kind: Kind,
    name: &'static str,
    aliases: &'static [&'static str],
    signature: &'static str,
    text: &'static str,
    [example, result]: [&'static str; 2],
) -> Entry {
    Entry { kind, name, aliases, signature, text, example, result }
}

/// All filters, tests and functions, in the order they are documented.
pub fn reference() -> impl Iterator<Item = &'static Entry> {
    [text::ENTRIES, collections::ENTRIES, data::ENTRIES, tests::ENTRIES].into_iter().flatten()
}
