//! Files of variables: `.env`, `env_file` and `label_file`.
//!
//! [`parse`] reads the format with quotes, escapes and variables; [`parse_raw`] the one that takes
//! every line as it stands (`format: raw`). Neither opens a file, and neither merges: they give the
//! assignments in order, and [`values`] lets the last one win.

mod assignment;
mod quoted;
mod raw;
mod reader;

#[cfg(test)]
mod tests;

pub use assignment::{Assignment, DotenvError, DotenvProblem, values};
pub use raw::parse_raw;
pub use reader::{parse, parse_after};
