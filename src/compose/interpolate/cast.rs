//! Strings that mean a number or a boolean once their variables are replaced.
//!
//! YAML's types are read before interpolation, so `replicas: ${N}` is a string. Which attributes
//! are cast is for the table of attributes to say.

use thiserror::Error;

use crate::compose::forms::{
    Boolean, BooleanProblem, Fault, NumberProblem, boolean, float, float32, integer,
};

/// What a string is cast to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cast {
    /// A whole number.
    Int,
    /// A number in double precision.
    Float,
    /// A number in single precision.
    Float32,
    /// A boolean.
    Bool,
}

/// The outcome of a [`Cast`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar {
    /// A whole number.
    Int(i64),
    /// A number in double precision.
    Float(f64),
    /// A number in single precision.
    Float32(f32),
    /// A boolean, and whether it deserves a warning for its spelling.
    Bool(Boolean),
}

/// Why a string cannot be cast.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CastProblem {
    /// It is not the number that is needed here.
    #[error(transparent)]
    Number(NumberProblem),
    /// It is not a boolean, which is needed here.
    #[error(transparent)]
    Bool(BooleanProblem),
}

impl Cast {
    /// Reads `text` as what is needed.
    pub fn apply(self, text: &str) -> Result<Scalar, Fault<CastProblem>> {
        let number = |Fault { kind, range }| Fault::new(CastProblem::Number(kind), range);
        match self {
            Self::Int => integer(text).map(Scalar::Int).map_err(number),
            Self::Float => float(text).map(Scalar::Float).map_err(number),
            Self::Float32 => float32(text).map(Scalar::Float32).map_err(number),
            Self::Bool => boolean(text)
                .map(Scalar::Bool)
                .map_err(|Fault { kind, range }| Fault::new(CastProblem::Bool(kind), range)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cast_reads_what_its_position_needs() {
        let yes = Boolean { value: true, is_dated: true };
        assert_eq!(Cast::Int.apply("-7"), Ok(Scalar::Int(-7)));
        assert_eq!(Cast::Float.apply("0.25"), Ok(Scalar::Float(0.25)));
        assert_eq!(Cast::Float32.apply("1.5"), Ok(Scalar::Float32(1.5)));
        assert_eq!(Cast::Bool.apply("yes"), Ok(Scalar::Bool(yes)));
    }

    #[test]
    fn a_cast_that_fails_says_what_was_needed() {
        let number = |kind, range| Err(Fault::new(CastProblem::Number(kind), range));
        assert_eq!(Cast::Int.apply(""), number(NumberProblem::Empty, 0..0));
        assert_eq!(Cast::Int.apply("two"), number(NumberProblem::Malformed, 0..3));
        assert_eq!(Cast::Int.apply("1.5"), number(NumberProblem::NotWhole, 0..3));
        assert_eq!(Cast::Float.apply("1e999"), number(NumberProblem::OutOfRange, 0..5));
        let unknown = Err(Fault::new(CastProblem::Bool(BooleanProblem::Unknown), 0..2));
        assert_eq!(Cast::Bool.apply("ja"), unknown);
    }
}
