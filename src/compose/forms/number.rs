//! Numbers that arrive as strings: whole, with a fraction, and octal file modes.
//!
//! The grammar is that of Go's `strconv`, which is wider than one would think: `0x1p-2`, `1_000.5`
//! and `inf` are numbers. Where such a number means anything at all is for the caller to judge.

use std::fmt;

use thiserror::Error;

use super::Fault;

/// Why a text is not a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NumberProblem {
    /// There is nothing.
    #[error("the number is empty")]
    Empty,
    /// It is not spelled as a number.
    #[error("not a number")]
    Malformed,
    /// It has a fraction or an exponent where only whole numbers go.
    #[error("not a whole number")]
    NotWhole,
    /// It is a number, but not one that fits.
    #[error("the number is out of range")]
    OutOfRange,
}

type Result<T> = std::result::Result<T, Fault<NumberProblem>>;

/// The mode of a file.
///
/// Shown in octal with a leading zero, as the canonical model shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileMode(pub i64);

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        write!(f, "0{sign}{:o}", self.0.unsigned_abs())
    }
}

/// Reads a whole number: an optional sign and decimal digits.
pub fn integer(text: &str) -> Result<i64> {
    in_base(text, 10).map_err(|fault| match fault.kind {
        NumberProblem::Malformed if float(text).is_ok() => {
            Fault::new(NumberProblem::NotWhole, fault.range)
        }
        NumberProblem::Empty
        | NumberProblem::Malformed
        | NumberProblem::NotWhole
        | NumberProblem::OutOfRange => fault,
    })
}

/// Reads an octal mode such as `0440` or `440`.
pub fn file_mode(text: &str) -> Result<FileMode> {
    in_base(text, 8).map(FileMode)
}

fn in_base(text: &str, base: u32) -> Result<i64> {
    let fault = |kind| Fault::new(kind, 0..text.len());
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if text.is_empty() {
        return Err(fault(NumberProblem::Empty));
    }
    if digits.is_empty() || !digits.chars().all(|ch| ch.is_digit(base)) {
        return Err(fault(NumberProblem::Malformed));
    }
    i64::from_str_radix(text, base).map_err(|_| fault(NumberProblem::OutOfRange))
}

/// Reads a number of CPUs: a double, kept in single precision.
pub fn cpus(text: &str) -> Result<f32> {
    float(text).map(|value| value as f32)
}

/// Reads a number in double precision.
pub fn float(text: &str) -> Result<f64> {
    let value = match spelling(text)? {
        Spelling::Decimal(digits) => {
            digits.parse().map_err(|_| Fault::new(NumberProblem::Malformed, 0..text.len()))?
        }
        Spelling::Hex(value) => value,
        Spelling::Special(value) => return Ok(value),
    };
    finite(value, value.is_finite(), text)
}

/// Reads a number in single precision.
pub fn float32(text: &str) -> Result<f32> {
    let value = match spelling(text)? {
        Spelling::Decimal(digits) => {
            digits.parse().map_err(|_| Fault::new(NumberProblem::Malformed, 0..text.len()))?
        }
        Spelling::Hex(value) => value as f32,
        Spelling::Special(value) => return Ok(value as f32),
    };
    finite(value, value.is_finite(), text)
}

fn finite<T>(value: T, is_finite: bool, text: &str) -> Result<T> {
    if is_finite { Ok(value) } else { Err(Fault::new(NumberProblem::OutOfRange, 0..text.len())) }
}

enum Spelling {
    /// Decimal, without underscores.
    Decimal(String),
    Hex(f64),
    /// An infinity or not a number, which are spelled out and so not out of range.
    Special(f64),
}

fn spelling(text: &str) -> Result<Spelling> {
    let malformed = || Fault::new(NumberProblem::Malformed, 0..text.len());
    if text.is_empty() {
        return Err(Fault::new(NumberProblem::Empty, 0..0));
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    match unsigned.to_ascii_lowercase().as_str() {
        "inf" | "infinity" => return Ok(Spelling::Special(sign * f64::INFINITY)),
        "nan" if unsigned.len() == text.len() => return Ok(Spelling::Special(f64::NAN)),
        _ => {}
    }
    let hex = unsigned.get(..2).is_some_and(|prefix| prefix.eq_ignore_ascii_case("0x"));
    let is_numeric = |ch: char| match ch {
        '0'..='9' | '_' | '.' | '+' | '-' => true,
        'e' | 'E' => true,
        'a'..='f' | 'A'..='F' | 'x' | 'X' | 'p' | 'P' => hex,
        _ => false,
    };
    if !unsigned.chars().all(is_numeric) || !underscores_separate_digits(unsigned, hex) {
        return Err(malformed());
    }
    let bare = text.replace('_', "");
    if hex {
        let digits = &bare[bare.len() - unsigned.replace('_', "").len() + 2..];
        return hex_float(digits).map(|v| Spelling::Hex(sign * v)).ok_or_else(malformed);
    }
    Ok(Spelling::Decimal(bare))
}

/// Whether every underscore stands between two digits, the prefix `0x` counting as one.
fn underscores_separate_digits(text: &str, hex: bool) -> bool {
    let bytes = text.as_bytes();
    let is_digit = |byte: &u8| if hex { byte.is_ascii_hexdigit() } else { byte.is_ascii_digit() };
    bytes.iter().enumerate().filter(|(_, byte)| **byte == b'_').all(|(at, _)| {
        let before = at > 0 && (is_digit(&bytes[at - 1]) || (hex && at == 2));
        before && bytes.get(at + 1).is_some_and(is_digit)
    })
}

/// `1.8p3` after its prefix; the exponent of two is required.
fn hex_float(text: &str) -> Option<f64> {
    let (mantissa, exponent) = text.split_once(['p', 'P'])?;
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut exponent = power(exponent)?;
    let mut bits: u64 = 0;
    for (at, digit) in whole.chars().chain(fraction.chars()).enumerate() {
        let digit = u64::from(digit.to_digit(16)?);
        exponent -= if at < whole.len() { 0 } else { 4 };
        if bits >> 60 == 0 {
            bits = bits << 4 | digit;
        } else {
            // Past 60 bits a digit only says whether the value lies above a tie.
            bits |= u64::from(digit != 0);
            exponent += 4;
        }
    }
    Some(scale_by_two(bits as f64, exponent))
}

fn power(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let value = digits.parse::<i64>().unwrap_or(i64::MAX).min(100_000);
    Some(if text.starts_with('-') { -value } else { value })
}

fn scale_by_two(mut value: f64, exponent: i64) -> f64 {
    // Steps keep each factor a normal number; one factor could be none.
    let mut left = exponent.clamp(-200_000_000, 200_000_000);
    while left != 0 && value != 0.0 && value.is_finite() {
        let step = left.clamp(-500, 500);
        value *= 2_f64.powi(i32::try_from(step).unwrap_or(0));
        left -= step;
    }
    value
}

/// A double as JSON shows it in the canonical model: the shortest digits that read back, with an
/// exponent only below `1e-6` and from `1e21`.
pub fn json_float(value: f64) -> String {
    let shortest = format!("{value:e}");
    let even = format!("{value:.*e}", decimals(&shortest));
    let chosen = if even.parse() == Ok(value) { even } else { shortest };
    laid_out(&chosen, value == 0.0 || (1e-6..1e21).contains(&value.abs()))
}

/// The same for single precision.
pub fn json_float32(value: f32) -> String {
    let shortest = format!("{value:e}");
    let even = format!("{value:.*e}", decimals(&shortest));
    let chosen = if even.parse() == Ok(value) { even } else { shortest };
    laid_out(&chosen, value == 0.0 || (1e-6_f32..1e21_f32).contains(&value.abs()))
}

/// How many digits `1.25e7` has after its point.
///
/// Where two shortest spellings are equally near, the one that ends in an even digit is wanted.
/// Rust promises that only for a given number of digits, so the number is asked for first.
fn decimals(shortest: &str) -> usize {
    let mantissa = shortest.split('e').next().unwrap_or_default();
    mantissa.split_once('.').map_or(0, |(_, decimals)| decimals.len())
}

/// `1.25e7` with its exponent as JSON has it, or without one.
fn laid_out(text: &str, is_plain: bool) -> String {
    let Some((mantissa, exponent)) = text.split_once('e') else { return text.to_owned() };
    if !is_plain {
        let sign = if exponent.starts_with('-') { "" } else { "+" };
        return format!("{mantissa}e{sign}{exponent}");
    }
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let sign = if mantissa.starts_with('-') { "-" } else { "" };
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    let Ok(point) = usize::try_from(exponent + 1) else {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
        return format!("{sign}0.{zeros}{digits}");
    };
    match digits.split_at_checked(point) {
        Some(("", decimals)) => format!("{sign}0.{decimals}"),
        Some((whole, "")) => format!("{sign}{whole}"),
        Some((whole, decimals)) => format!("{sign}{whole}.{decimals}"),
        None => format!("{sign}{digits:0<point$}"),
    }
}

#[cfg(test)]
mod tests;
