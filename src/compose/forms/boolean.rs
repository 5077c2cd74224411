//! Booleans that arrive as strings, after interpolation.

use thiserror::Error;

use super::Fault;

/// A boolean, and whether it was spelled as YAML 1.2 spells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boolean {
    /// What it says.
    pub value: bool,
    /// Set for `y`, `yes`, `on`, `n`, `no` and `off`, which are read but deserve a warning.
    pub is_dated: bool,
}

/// Why a text is not a boolean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BooleanProblem {
    /// It is none of the known words.
    #[error("not a boolean: expected `true` or `false`")]
    Unknown,
}

/// Reads `true`, `false` and the words of YAML 1.1, in any case.
pub fn boolean(text: &str) -> Result<Boolean, Fault<BooleanProblem>> {
    let (value, is_dated) = match text.to_lowercase().as_str() {
        "true" => (true, false),
        "false" => (false, false),
        "y" | "yes" | "on" => (true, true),
        "n" | "no" | "off" => (false, true),
        _ => return Err(Fault::new(BooleanProblem::Unknown, 0..text.len())),
    };
    Ok(Boolean { value, is_dated })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn true_and_false_are_read_in_any_case() {
        for (text, value) in
            [("true", true), ("TRUE", true), ("tRuE", true), ("false", false), ("False", false)]
        {
            assert_eq!(boolean(text), Ok(Boolean { value, is_dated: false }), "{text}");
        }
    }

    #[test]
    fn the_words_of_yaml_1_1_are_read_and_marked() {
        for (text, value) in [
            ("y", true),
            ("Y", true),
            ("yes", true),
            ("Yes", true),
            ("on", true),
            ("ON", true),
            ("n", false),
            ("N", false),
            ("no", false),
            ("NO", false),
            ("off", false),
            ("Off", false),
        ] {
            assert_eq!(boolean(text), Ok(Boolean { value, is_dated: true }), "{text}");
        }
    }

    #[test]
    fn nothing_else_is_a_boolean() {
        for text in ["", "1", "0", "t", "f", " true", "true ", "enabled", "oui", "truе"] {
            assert_eq!(boolean(text).unwrap_err().range, 0..text.len(), "{text}");
        }
    }
}
