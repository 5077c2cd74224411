//! The engine's moments as numbers: RFC 3339 with any offset, and its year 1 for "never".

use crate::model::Millis;

/// Milliseconds since 1970; 0 for what is no moment, or one before that.
pub(super) fn millis(text: &str) -> Millis {
    text.parse::<jiff::Timestamp>()
        .ok()
        .and_then(|moment| Millis::try_from(moment.as_millisecond()).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_with_their_offset() {
        assert_eq!(millis("1970-01-01T00:00:01.5Z"), 1500);
        assert_eq!(millis("1970-01-01T02:00:00.000000001+02:00"), 0);
        assert_eq!(millis("1970-01-01T01:00:02+01:00"), 2000);
    }

    #[test]
    fn the_engines_word_for_never_is_0() {
        assert_eq!(millis("0001-01-01T00:00:00Z"), 0);
        assert_eq!(millis(""), 0);
    }
}
