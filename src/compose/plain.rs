//! Plain scalars that the reference reads as something other than text or a number.
//!
//! An unquoted date is a point in time to it, and comes out in full wherever it is shown. Infinite
//! numbers it cannot show at all.

use crate::diag::{Diagnostic, Sources};
use crate::yaml::{Node, Value};

/// Mappings whose values are turned into text, whatever they are.
const PRINTED: [&str; 8] = [
    "annotations",
    "args",
    "aux_addresses",
    "driver_opts",
    "environment",
    "labels",
    "options",
    "sysctls",
];

/// Puts dates below `key` in the form they come out in, and reports numbers that have none.
pub(super) fn read(node: &mut Node, key: &str, sources: &Sources, problems: &mut Vec<Diagnostic>) {
    match &mut node.value {
        Value::Map(map) => {
            for (inner, item) in &mut map.0 {
                // A date is one only where its owner is printed.
                let owner = if item.node.as_str().is_some() { key } else { inner.as_str() };
                read(&mut item.node, owner, sources, problems);
            }
        }
        Value::Seq(items) => {
            for item in items {
                read(item, "", sources, problems);
            }
        }
        Value::Str(text) => {
            if PRINTED.contains(&key)
                && let Some(time) = timestamp(text)
                // Quotes make it a text like any other.
                && sources.slice(node.span) == *text
            {
                *text = time;
            }
        }
        Value::Float(number) if !number.is_finite() => problems.push(
            Diagnostic::error(
                "compose/number",
                format!("`{key}`: an infinite number has no meaning"),
            )
            .at(node.span)
            .help("put it in quotes if it is meant as text"),
        ),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => {}
    }
}

/// A date, with or without a time, as Go shows it: `2024-01-02 00:00:00 +0000 UTC`.
fn timestamp(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || bytes[4] != b'-' || !bytes[..4].iter().all(u8::is_ascii_digit) {
        return None;
    }
    let (year, rest) = number(text, 4, 4)?;
    let (month, rest) = number(rest.strip_prefix('-')?, 1, 2)?;
    let (day, rest) = number(rest.strip_prefix('-')?, 1, 2)?;
    if !(1..=12).contains(&month) || day < 1 || day > days(year, month) {
        return None;
    }
    let date = format!("{year:04}-{month:02}-{day:02}");
    if rest.is_empty() {
        return Some(format!("{date} 00:00:00 +0000 UTC"));
    }
    let has_zone = rest.starts_with(['T', 't']);
    let (hour, rest) = number(rest.strip_prefix(['T', 't', ' '])?, 1, 2)?;
    let (minute, rest) = number(rest.strip_prefix(':')?, 1, 2)?;
    let (second, rest) = number(rest.strip_prefix(':')?, 1, 2)?;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (fraction, rest) = fraction(rest)?;
    let zone = match (has_zone, rest) {
        (false, "") | (true, "Z") => "+0000 UTC".to_owned(),
        (true, rest) => zone(rest)?,
        (false, _) => return None,
    };
    Some(format!("{date} {hour:02}:{minute:02}:{second:02}{fraction} {zone}"))
}

/// The number that `text` starts with, and what follows; as many digits as there are up to `most`.
fn number(text: &str, least: usize, most: usize) -> Option<(u32, &str)> {
    let digits = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    if digits < least {
        return None;
    }
    Some((text[..digits].parse().ok()?, &text[digits..]))
}

/// A fraction of a second, without zeros at its end.
fn fraction(text: &str) -> Option<(String, &str)> {
    let Some(rest) = text.strip_prefix('.') else { return Some((String::new(), text)) };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    if digits == 0 {
        return None;
    }
    let shown = rest[..digits.min(9)].trim_end_matches('0');
    let shown = if shown.is_empty() { String::new() } else { format!(".{shown}") };
    Some((shown, &rest[digits..]))
}

fn zone(text: &str) -> Option<String> {
    let sign = text.chars().next().filter(|c| matches!(c, '+' | '-'))?;
    let (hours, rest) = number(&text[1..], 2, 2)?;
    let (minutes, rest) = number(rest.strip_prefix(':')?, 2, 2)?;
    if !rest.is_empty() || hours > 24 || minutes > 59 {
        return None;
    }
    if hours == 0 && minutes == 0 {
        return Some("+0000 +0000".to_owned());
    }
    let offset = format!("{sign}{hours:02}{minutes:02}");
    Some(format!("{offset} {offset}"))
}

fn days(year: u32, month: u32) -> u32 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => {
            29
        }
        2 => 28,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_come_out_in_full() {
        for (text, time) in [
            ("2024-01-02", "2024-01-02 00:00:00 +0000 UTC"),
            ("2001-12-14T21:59:43.10Z", "2001-12-14 21:59:43.1 +0000 UTC"),
            ("2001-12-14t21:59:43-05:00", "2001-12-14 21:59:43 -0500 -0500"),
            ("2001-2-3 4:5:6", "2001-02-03 04:05:06 +0000 UTC"),
        ] {
            assert_eq!(timestamp(text).as_deref(), Some(time), "{text}");
        }
        for text in ["2024-13-01", "2023-02-29", "2024-01", "2024-01-02x", "10.0.0.1", "äöü-1"] {
            assert_eq!(timestamp(text), None, "{text}");
        }
    }
}
