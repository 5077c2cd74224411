//! What a scalar means: YAML's core schema, with the spellings Compose's own reader accepts.
//!
//! The rules are those of the Go YAML library that Compose is read with, since a port or a
//! variable must not change its value by changing the tool: `yes` and `on` are strings, `0o17`,
//! `017`, `0x1f` and `1_000` are numbers, dates are strings.

use base64::Engine as _;

use super::Value;

/// The value of a plain scalar without a tag.
pub(super) fn plain(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Value::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let starts_like_number =
        text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.'));
    if !starts_like_number {
        return Value::Str(text.to_owned());
    }
    let digits = text.replace('_', "");
    // Negative zero is only told from zero by a number with a point.
    if digits == "-0" {
        return Value::Float(-0.0);
    }
    // A number that only fits without a sign is kept as its digits: nothing counts that far, and
    // as a label or variable it keeps all of them.
    if digits.parse::<u64>().is_ok_and(|number| i64::try_from(number).is_err()) {
        return Value::Str(digits.trim_start_matches('+').to_owned());
    }
    integer(&digits)
        .map(Value::Int)
        .or_else(|| float(&digits).map(Value::Float))
        .unwrap_or_else(|| Value::Str(text.to_owned()))
}

/// A whole number in any base; `None` when it is none or does not fit.
pub(super) fn integer(text: &str) -> Option<i64> {
    let (negative, unsigned) = match text.as_bytes().first()? {
        b'-' => (true, &text[1..]),
        b'+' => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &unsigned[2..]),
        [b'0', b'o' | b'O', ..] => (8, &unsigned[2..]),
        [b'0', b'b' | b'B', ..] => (2, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    // `from_str_radix` would take a second sign.
    if !digits.starts_with(|first: char| first.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = i128::from(u64::from_str_radix(digits, radix).ok()?);
    i64::try_from(if negative { -magnitude } else { magnitude }).ok()
}

/// A decimal number with a point or an exponent, or one too large for an integer.
fn float(text: &str) -> Option<f64> {
    let bytes = text.as_bytes();
    let is_decimal = bytes.iter().any(u8::is_ascii_digit)
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_digit() || matches!(byte, b'+' | b'-' | b'.' | b'e' | b'E'));
    if is_decimal { text.parse().ok() } else { None }
}

/// The value of a scalar under an explicit core tag (`str`, `int`, …); `None` when it does not fit.
pub(super) fn tagged(suffix: &str, text: &str) -> Option<Value> {
    match suffix {
        "null" => matches!(plain(text), Value::Null).then_some(Value::Null),
        "bool" => match plain(text) {
            Value::Bool(flag) => Some(Value::Bool(flag)),
            _ => None,
        },
        "int" => integer(&text.replace('_', "")).map(Value::Int),
        "float" => match plain(text) {
            #[expect(clippy::cast_precision_loss, reason = "the tag asks for a float")]
            Value::Int(number) => Some(Value::Float(number as f64)),
            Value::Float(number) => Some(Value::Float(number)),
            _ => None,
        },
        "binary" => {
            let packed: String = text.split_ascii_whitespace().collect();
            let bytes = base64::engine::general_purpose::STANDARD.decode(packed).ok()?;
            String::from_utf8(bytes).ok().map(Value::Str)
        }
        _ => Some(Value::Str(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_follow_the_core_schema() {
        for (text, value) in [
            ("", Value::Null),
            ("~", Value::Null),
            ("True", Value::Bool(true)),
            ("yes", Value::Str("yes".into())),
            ("on", Value::Str("on".into())),
            ("0", Value::Int(0)),
            ("-12", Value::Int(-12)),
            ("+7", Value::Int(7)),
            ("1_000", Value::Int(1000)),
            ("0x1F", Value::Int(31)),
            ("0o17", Value::Int(15)),
            ("017", Value::Int(15)),
            ("0b101", Value::Int(5)),
            ("1.10", Value::Float(1.1)),
            ("1e3", Value::Float(1000.0)),
            (".5", Value::Float(0.5)),
            ("089", Value::Float(89.0)),
            ("1.2.3", Value::Str("1.2.3".into())),
            ("2001-12-14", Value::Str("2001-12-14".into())),
            ("80:80", Value::Str("80:80".into())),
            ("-", Value::Str("-".into())),
            ("--1", Value::Str("--1".into())),
            ("0x", Value::Str("0x".into())),
            ("1e", Value::Str("1e".into())),
            ("9223372036854775807", Value::Int(i64::MAX)),
            ("-9223372036854775808", Value::Int(i64::MIN)),
            ("nan", Value::Str("nan".into())),
            ("infinity", Value::Str("infinity".into())),
        ] {
            assert_eq!(plain(text), value, "{text:?}");
        }
    }
}
