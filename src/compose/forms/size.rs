//! Sizes in bytes: `512m`, `1.5gb`, `1024`.

use std::fmt;

use thiserror::Error;

use super::{Fault, NumberProblem, float, integer};

/// A number of bytes; negative where that means "no limit".
///
/// Shown as a bare number. JSON puts it in quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub i64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SizeProblem {
    /// There is no digit in it.
    #[error("no number: expected a size such as `512m`")]
    NoNumber,
    /// What stands before the unit is not a number.
    #[error("`{number}` is not a number")]
    BadNumber {
        /// As written.
        number: String,
    },
    /// A size with a unit or a fraction cannot be below zero.
    #[error("the size is negative")]
    Negative,
    /// The unit is not known.
    #[error("`{unit}` is not a unit of size: expected `b`, `k`, `m`, `g`, `t` or `p`")]
    UnknownUnit {
        /// As written.
        unit: String,
    },
    /// It is more than 64 bits count.
    #[error("the size is too large")]
    TooLarge,
}

/// Reads a whole number of bytes, or a number with one of the units `b`, `k`, `m`, `g`, `t`, `p`.
///
/// Units are powers of 1024, in either case, and may be written `kb` and `kib` as well; one space
/// may stand before them. Fractions of a byte are dropped. Sizes past 64 bits are refused, where
/// the reference lets them wrap round to nonsense.
pub fn size(text: &str) -> Result<Bytes, Fault<SizeProblem>> {
    if let Ok(bytes) = integer(text) {
        return Ok(Bytes(bytes));
    }
    let Some(last) = text.rfind(|ch: char| ch.is_ascii_digit() || ch == '.' || ch == ' ') else {
        return Err(Fault::new(SizeProblem::NoNumber, 0..text.len()));
    };
    let unit = last + 1;
    let number = text[..unit].strip_suffix(' ').unwrap_or(&text[..unit]);
    let value = float(number).map_err(|fault| match fault.kind {
        NumberProblem::OutOfRange => Fault::new(SizeProblem::TooLarge, fault.range),
        NumberProblem::Empty | NumberProblem::Malformed | NumberProblem::NotWhole => {
            Fault::new(SizeProblem::BadNumber { number: number.to_owned() }, fault.range)
        }
    })?;
    if value < 0.0 {
        return Err(Fault::new(SizeProblem::Negative, 0..number.len()));
    }
    let factor = factor(&text[unit..]).ok_or_else(|| {
        let name = text[unit..].to_owned();
        Fault::new(SizeProblem::UnknownUnit { unit: name }, unit..text.len())
    })?;
    whole(value * factor).ok_or_else(|| Fault::new(SizeProblem::TooLarge, 0..text.len()))
}

/// How many bytes one `unit` is.
fn factor(unit: &str) -> Option<f64> {
    // Counted in bytes and before folding: the Kelvin sign is a `k` of three bytes.
    if unit.len() > 3 {
        return None;
    }
    let unit = unit.to_lowercase();
    let mut letters = unit.chars();
    let Some(first) = letters.next() else { return Some(1.0) };
    let power = match first {
        'b' if unit.len() == 1 => return Some(1.0),
        'k' => 1,
        'm' => 2,
        'g' => 3,
        't' => 4,
        'p' => 5,
        _ => return None,
    };
    matches!(letters.as_str(), "" | "b" | "ib").then(|| 1024_f64.powi(power))
}

/// The value without its fraction when 64 bits hold it.
fn whole(value: f64) -> Option<Bytes> {
    // 2^63 is the first double past the limit; the largest below it is 2^63 - 1024.
    (0.0..9_223_372_036_854_775_808.0).contains(&value).then_some(Bytes(value as i64))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_are_powers_of_1024() {
        for (text, bytes) in [
            ("0", 0),
            ("1024", 1024),
            ("+5", 5),
            ("1b", 1),
            ("1k", 1 << 10),
            ("1m", 1 << 20),
            ("1g", 1 << 30),
            ("1t", 1 << 40),
            ("1p", 1 << 50),
            ("10M", 10 << 20),
            ("2GB", 2 << 30),
            ("2gb", 2 << 30),
            ("2Gb", 2 << 30),
            ("64KiB", 64 << 10),
            ("64kIB", 64 << 10),
            ("1.5g", 3 << 29),
            ("1.5gb", 3 << 29),
            ("0.5k", 512),
            (".5k", 512),
            ("5.k", 5 << 10),
            ("10 m", 10 << 20),
            ("10 MB", 10 << 20),
            ("10 ", 10),
            ("1.9", 1),
            ("1.9b", 1),
            ("0.0001k", 0),
            ("1e3", 1000),
            ("1e3k", 1_024_000),
            ("1_000k", 1_024_000),
            ("0x1p4", 16),
            ("1\u{212a}", 1 << 10),
            ("9223372036854775807", i64::MAX),
        ] {
            assert_eq!(size(text), Ok(Bytes(bytes)), "{text:?}");
        }
    }

    #[test]
    fn a_bare_number_may_be_negative() {
        assert_eq!(size("-1"), Ok(Bytes(-1)));
        assert_eq!(size("-9223372036854775808"), Ok(Bytes(i64::MIN)));
        for (text, end) in [("-1k", 2), ("-1.5", 4), ("-1 ", 2), ("-1b", 2)] {
            assert_eq!(size(text), Err(Fault::new(SizeProblem::Negative, 0..end)), "{text:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_at_its_place() {
        let number = |text: &str| SizeProblem::BadNumber { number: text.to_owned() };
        let unit = |text: &str| SizeProblem::UnknownUnit { unit: text.to_owned() };
        for (text, kind, range) in [
            ("", SizeProblem::NoNumber, 0..0),
            ("m", SizeProblem::NoNumber, 0..1),
            ("-", SizeProblem::NoNumber, 0..1),
            ("all", SizeProblem::NoNumber, 0..3),
            ("1x", unit("x"), 1..2),
            ("1é", unit("é"), 1..3),
            ("10mm", unit("mm"), 2..4),
            ("10bb", unit("bb"), 2..4),
            ("10kibb", unit("kibb"), 2..6),
            ("10 mega", unit("mega"), 3..7),
            ("1e", unit("e"), 1..2),
            ("1,5g", number("1,5"), 0..3),
            (" 10m", number(" 10"), 0..3),
            ("10  m", number("10 "), 0..3),
            (" ", number(""), 0..0),
            ("10mib ", number("10mib"), 0..5),
            (".", number("."), 0..1),
            ("m5", number("m5"), 0..2),
            ("1.2.3m", number("1.2.3"), 0..5),
            ("8192p", SizeProblem::TooLarge, 0..5),
            ("9223372036854775808", SizeProblem::TooLarge, 0..19),
            ("1e999", SizeProblem::TooLarge, 0..5),
            ("inf ", SizeProblem::TooLarge, 0..4),
        ] {
            assert_eq!(size(text), Err(Fault::new(kind, range)), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_out_reads_back(bytes in any::<i64>()) {
            prop_assert_eq!(size(&Bytes(bytes).to_string()), Ok(Bytes(bytes)));
        }

        #[test]
        fn any_text_is_read_or_refused_at_a_place(text in "[-+]?[0-9.e]{0,6} ?[kmgtpbié]{0,4}\\PC?") {
            if let Err(fault) = size(&text) {
                prop_assert!(text.get(fault.range).is_some());
            }
        }
    }
}
