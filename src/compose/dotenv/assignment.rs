//! What a file of variables says, and what can be wrong with it.

use std::ops::Range;

use indexmap::IndexMap;
use thiserror::Error;

use crate::compose::interpolate::{InterpolationProblem, Reference};

/// One variable of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The variable.
    pub key: String,
    /// Its value; `None` when the file only names the variable and the environment has none.
    pub value: Option<String>,
    /// Whether the file only names it, so that its value is that of the environment.
    pub is_inherited: bool,
    /// The line it starts on, counted from 1.
    pub line: usize,
    /// The bytes from key to value.
    pub range: Range<usize>,
    /// Variables in the value that are not set, which became nothing; ranges count from the start
    /// of the file.
    pub unset: Vec<Reference>,
}

/// Why a file of variables cannot be read, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{kind}")]
pub struct DotenvError {
    /// What is wrong.
    pub kind: DotenvProblem,
    /// The line, counted from 1; of a quoted value, the line on which it starts.
    pub line: usize,
    /// The bytes meant.
    pub range: Range<usize>,
}

/// What can be wrong in a file of variables.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DotenvProblem {
    /// A name has a character in it that no name has.
    #[error("unexpected character `{character}` in the name of a variable")]
    UnexpectedCharacter {
        /// The character.
        character: char,
    },
    /// A name has a space in it.
    #[error("the name of a variable cannot contain a space")]
    SpaceInName,
    /// Nothing stands before `=`.
    #[error("no name before `=`")]
    NoName,
    /// The file ends after `export`.
    #[error("nothing follows `export`")]
    LoneExport,
    /// A quoted value is never closed.
    #[error("the quoted value is never closed: expected another `{quote}`")]
    Unterminated {
        /// The quote it starts with.
        quote: char,
    },
    /// A variable in the value is at fault.
    #[error(transparent)]
    Interpolation(InterpolationProblem),
    /// The values add up to more than anybody could want.
    #[error("the values become longer than 16 MiB")]
    TooLong,
}

/// The variables with their last values, without those that have none.
pub fn values(assignments: &[Assignment]) -> IndexMap<String, String> {
    let with_value = |a: &Assignment| a.value.clone().map(|value| (a.key.clone(), value));
    assignments.iter().filter_map(with_value).collect()
}
