//! A plan in three forms: text for people, JSON for programs, Markdown for reviews.
//!
//! No form shows the engine's requests, hooks or contents of files: they may hold secrets. What may
//! be shown of a field is decided where it is compared; names that sound secret are hidden here
//! once more.

mod file;
mod json;
mod markdown;
mod phrase;
mod schema;
mod steps;
mod text;

#[cfg(test)]
pub(super) mod sample;
#[cfg(test)]
mod tests;

pub(super) use json::{actions, address, reason};
pub(super) use markdown::sections;
pub(super) use phrase::{extent, kind, name, why};

pub use json::json;
pub use markdown::markdown;
pub use phrase::summary as sentence;
pub use schema::schema;
pub use text::text;

/// What is planned for, for headings.
#[derive(Debug, Clone)]
pub struct Heading {
    /// The project.
    pub project: String,
    /// The environment.
    pub environment: String,
    /// The commit: a short hash, or `uncommitted`.
    pub commit: String,
    /// The first line of its message; may be empty.
    pub subject: String,
}

/// How the text form looks.
#[derive(Debug, Clone, Copy, Default)]
pub struct Style {
    /// Whether lines may be coloured.
    pub color: bool,
    /// The columns of the terminal; 0 when there is no limit.
    pub width: usize,
    /// Whether every step is shown instead of a summary.
    pub all_steps: bool,
}
