//! How results look: text for people, JSON for programs, Markdown for reviews.
//!
//! Results go to standard output, everything else to standard error. Colour only repeats what the
//! words say.

pub mod diff;
mod escape;
pub mod hosts;
pub mod plan;
pub mod report;
pub mod review;
pub mod run;
pub mod simulate;
pub mod status;
mod words;

pub(crate) use words::took;
