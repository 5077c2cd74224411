//! Variables in strings: `$VAR`, `${VAR:-default}` and the rest.
//!
//! Works on one string at a time and takes the variables as a function, so it knows neither YAML
//! nor the environment. What counts as a variable, and where its braces end, is what the reference
//! implementation makes of it; the private module `pieces` holds those rules.

mod cast;
mod expand;
mod pieces;
mod variables;

#[cfg(test)]
mod tests;

pub use cast::{Cast, CastProblem, Scalar};
pub use expand::{
    Interpolated, InterpolationError, InterpolationProblem, Lookup, Reference, interpolate,
};
pub use variables::{Mention, Presence, variables};
