//! Durations: `1m30s`, `1.5h`, `2w`, and the one spelling they are written in.

use std::fmt;

use thiserror::Error;

use super::Fault;

/// A signed length of time in whole nanoseconds.
///
/// It is shown as the canonical model shows it: hours at most, fractions only of the smallest unit
/// used, `0s` for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Duration(i64);

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DurationProblem {
    /// There is nothing, or nothing but a sign.
    #[error("the duration is empty")]
    Empty,
    /// Something other than a digit or a point stands where a number starts.
    #[error("expected a number, as in `1m30s`")]
    NoNumber,
    /// A number has no unit after it.
    #[error("the number has no unit: expected one of `ns`, `us`, `ms`, `s`, `m`, `h`, `d`, `w`")]
    NoUnit,
    /// The unit is not known.
    #[error(
        "`{unit}` is not a unit of time: expected one of `ns`, `us`, `ms`, `s`, `m`, `h`, `d`, `w`"
    )]
    UnknownUnit {
        /// As written.
        unit: String,
    },
    /// It is longer than 292 years.
    #[error("the duration is too long")]
    TooLong,
}

const SECOND: i64 = 1_000_000_000;
const HOUR: i64 = 3600 * SECOND;

impl Duration {
    /// `nanos` nanoseconds.
    pub fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// How many nanoseconds it is.
    pub fn nanos(self) -> i64 {
        self.0
    }
}

/// Reads a sign and a sequence of numbers, each with a unit; a bare `0` needs none.
pub fn duration(text: &str) -> Result<Duration, Fault<DurationProblem>> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1 } else { 1 };
    if unsigned == "0" {
        return Ok(Duration(0));
    }
    if unsigned.is_empty() {
        return Err(Fault::new(DurationProblem::Empty, 0..text.len()));
    }
    let mut total: i64 = 0;
    let mut at = text.len() - unsigned.len();
    while at < text.len() {
        let (nanos, length) = term(&text[at..]).map_err(|fault| fault.shifted(at))?;
        at += length;
        total = total
            .checked_add(nanos)
            .ok_or_else(|| Fault::new(DurationProblem::TooLong, 0..text.len()))?;
    }
    Ok(Duration(sign * total))
}

/// The first number with its unit, in nanoseconds, and how many bytes it took.
fn term(text: &str) -> Result<(i64, usize), Fault<DurationProblem>> {
    let whole = digits(text);
    let after = &text[whole.len()..];
    let fraction = after.strip_prefix('.').map(digits);
    let number = whole.len() + fraction.map_or(0, |fraction| fraction.len() + 1);
    if whole.is_empty() && fraction.is_none_or(str::is_empty) {
        let end = text.chars().next().map_or(0, char::len_utf8);
        return Err(Fault::new(DurationProblem::NoNumber, 0..end));
    }
    let rest = &text[number..];
    let end = rest.find(|ch: char| ch == '.' || ch.is_ascii_digit()).unwrap_or(rest.len());
    if end == 0 {
        return Err(Fault::new(DurationProblem::NoUnit, 0..number));
    }
    let length = number + end;
    let Some(unit) = nanos_of(&rest[..end]) else {
        let unit = rest[..end].to_owned();
        return Err(Fault::new(DurationProblem::UnknownUnit { unit }, number..length));
    };
    scaled(whole, fraction.unwrap_or_default(), unit)
        .map(|nanos| (nanos, length))
        .ok_or_else(|| Fault::new(DurationProblem::TooLong, 0..length))
}

fn digits(text: &str) -> &str {
    let end = text.find(|ch: char| !ch.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

fn nanos_of(unit: &str) -> Option<i64> {
    Some(match unit {
        "ns" => 1,
        // Both the micro sign and the Greek letter.
        "us" | "\u{b5}s" | "\u{3bc}s" => 1_000,
        "ms" => 1_000_000,
        "s" => SECOND,
        "m" => 60 * SECOND,
        "h" => HOUR,
        "d" => 24 * HOUR,
        "w" => 168 * HOUR,
        _ => return None,
    })
}

/// `whole.fraction` times `unit`; `None` past the limit.
///
/// The fraction goes through a double, as it does in the reference, so that the last nanosecond
/// comes out the same. Digits past what 64 bits hold are dropped.
fn scaled(whole: &str, fraction: &str, unit: i64) -> Option<i64> {
    let mut nanos: i64 = 0;
    for digit in whole.bytes() {
        nanos = nanos.checked_mul(10)?.checked_add(i64::from(digit - b'0'))?;
    }
    let nanos = nanos.checked_mul(unit)?;
    let (mut numerator, mut scale) = (0_i64, 1.0_f64);
    for digit in fraction.bytes() {
        let Some(next) =
            numerator.checked_mul(10).and_then(|n| n.checked_add(i64::from(digit - b'0')))
        else {
            break;
        };
        numerator = next;
        scale *= 10.0;
    }
    nanos.checked_add((numerator as f64 * (unit as f64 / scale)) as i64)
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.unsigned_abs();
        if self.0 < 0 {
            f.write_str("-")?;
        }
        match nanos {
            0 => f.write_str("0s"),
            1..1_000 => write!(f, "{nanos}ns"),
            1_000..1_000_000 => write!(f, "{}\u{b5}s", decimal(nanos, 1_000)),
            1_000_000..1_000_000_000 => write!(f, "{}ms", decimal(nanos, 1_000_000)),
            _ => clock(f, nanos),
        }
    }
}

fn clock(f: &mut fmt::Formatter<'_>, nanos: u64) -> fmt::Result {
    let minutes = nanos / (60 * SECOND.unsigned_abs());
    if minutes >= 60 {
        write!(f, "{}h", minutes / 60)?;
    }
    if minutes > 0 {
        write!(f, "{}m", minutes % 60)?;
    }
    let rest = nanos % (60 * SECOND.unsigned_abs());
    write!(f, "{}s", decimal(rest, SECOND.unsigned_abs()))
}

/// `value / unit` with as many decimals as it needs; `unit` is a power of ten.
fn decimal(value: u64, unit: u64) -> String {
    let (whole, fraction) = (value / unit, value % unit);
    if fraction == 0 {
        return whole.to_string();
    }
    let width = unit.ilog10() as usize;
    let digits = format!("{fraction:0width$}");
    format!("{whole}.{}", digits.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations_are_read_and_written_the_one_way() {
        for (text, shown) in [
            ("0", "0s"),
            ("-0", "0s"),
            ("+0", "0s"),
            ("0s", "0s"),
            ("0h0m", "0s"),
            ("90s", "1m30s"),
            ("1m30s", "1m30s"),
            ("+5s", "5s"),
            ("-5s", "-5s"),
            ("-1h1ns", "-1h0m0.000000001s"),
            ("1h", "1h0m0s"),
            ("1d", "24h0m0s"),
            ("1w", "168h0m0s"),
            ("1w2d3h", "219h0m0s"),
            ("1.5h", "1h30m0s"),
            (".5s", "500ms"),
            ("5.s", "5s"),
            ("0.1d", "2h24m0s"),
            ("100ms", "100ms"),
            ("1500ms", "1.5s"),
            ("1500us", "1.5ms"),
            ("1us", "1\u{b5}s"),
            ("1\u{b5}s", "1\u{b5}s"),
            ("1\u{3bc}s", "1\u{b5}s"),
            ("1.5us", "1.5\u{b5}s"),
            ("1ns", "1ns"),
            ("999ns", "999ns"),
            ("0.9ns", "0s"),
            ("1s1s1s", "3s"),
            ("3s2m", "2m3s"),
            ("1h0.000000001s", "1h0m0.000000001s"),
            ("0.33333333333333333333333h", "20m0s"),
            ("2562047h47m16.854775807s", "2562047h47m16.854775807s"),
            ("-9223372036854775807ns", "-2562047h47m16.854775807s"),
            ("15250w", "2562000h0m0s"),
        ] {
            assert_eq!(duration(text).map(|d| d.to_string()), Ok(shown.to_owned()), "{text}");
        }
    }

    #[test]
    fn nanoseconds_are_counted_exactly() {
        for (text, nanos) in [
            ("1ns", 1),
            ("1us", 1_000),
            ("1ms", 1_000_000),
            ("1s", 1_000_000_000),
            ("1m", 60_000_000_000),
            ("1h", 3_600_000_000_000),
            ("1d", 86_400_000_000_000),
            ("1w", 604_800_000_000_000),
            ("9223372036854775807ns", i64::MAX),
            ("0.830103483285477580700h", 2_988_372_539_827),
        ] {
            assert_eq!(duration(text).map(Duration::nanos), Ok(nanos), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_at_its_place() {
        let unknown = |unit: &str| DurationProblem::UnknownUnit { unit: unit.to_owned() };
        for (text, kind, range) in [
            ("", DurationProblem::Empty, 0..0),
            ("-", DurationProblem::Empty, 0..1),
            ("5", DurationProblem::NoUnit, 0..1),
            ("00", DurationProblem::NoUnit, 0..2),
            ("1m30", DurationProblem::NoUnit, 2..4),
            ("1.5", DurationProblem::NoUnit, 0..3),
            ("1..5s", DurationProblem::NoUnit, 0..2),
            ("s", DurationProblem::NoNumber, 0..1),
            (".s", DurationProblem::NoNumber, 0..1),
            (".", DurationProblem::NoNumber, 0..1),
            ("--1s", DurationProblem::NoNumber, 1..2),
            (" 1s", DurationProblem::NoNumber, 0..1),
            ("é", DurationProblem::NoNumber, 0..2),
            ("1y", unknown("y"), 1..2),
            ("1S", unknown("S"), 1..2),
            ("1s ", unknown("s "), 1..3),
            ("1m 30s", unknown("m "), 1..3),
            ("1-1s", unknown("-"), 1..2),
            ("1h2µ", unknown("µ"), 3..5),
            ("9223372036854775808ns", DurationProblem::TooLong, 0..21),
            ("15251w", DurationProblem::TooLong, 0..6),
            ("15250w15250w", DurationProblem::TooLong, 0..12),
            ("99999999999999999999s", DurationProblem::TooLong, 0..21),
        ] {
            assert_eq!(duration(text), Err(Fault::new(kind, range)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_out_reads_back(nanos in (i64::MIN + 1)..=i64::MAX) {
            // A double holds 53 bits, so only the part below a second may be read back rounded.
            let shown = Duration::from_nanos(nanos).to_string();
            let read = duration(&shown).unwrap();
            prop_assert!(read.nanos().abs_diff(nanos) <= 1, "{}", shown);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[-+]?([0-9]{0,4}\\.?[0-9]{0,3}[a-zµ ]{0,2}){0,4}") {
            if let Err(fault) = duration(&text) {
                prop_assert!(text.get(fault.range).is_some());
            }
        }

        #[test]
        fn no_text_at_all_breaks_it(text in "\\PC*") {
            if let Err(fault) = duration(&text) {
                prop_assert!(text.get(fault.range).is_some());
            }
        }
    }
}
