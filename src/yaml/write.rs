//! Values to text that every reader takes for the same values.
//!
//! `serde_yaml` writes; it quotes what it would itself read as something else. Other readers take
//! more strings for something else (dates, `1_000`, `y`, `<<`), so those are quoted here: they are
//! replaced by a marker, and the marker by the quoted string.

use serde_json::{Map, Value};

use super::Value as Scalar;
use super::scalar;

/// Opens a marker. A private-use character, which is written as it stands.
const OPEN: char = '\u{E000}';
const CLOSE: char = '\u{E001}';

/// What some versions of YAML take for the end of a line, and a mark that some readers drop.
const BREAKS: [char; 4] = ['\u{85}', '\u{2028}', '\u{2029}', '\u{FEFF}'];

/// A value as a YAML document.
pub fn to_text(value: &Value) -> String {
    let mut quoted = Vec::new();
    let marked = mark(value, &mut quoted);
    // Strings, numbers and containers of them: writing these cannot fail.
    let text = serde_yaml::to_string(&marked).unwrap_or_default();
    let mut pieces = text.split(OPEN);
    let mut result = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (index, rest) = piece.split_once(CLOSE).unwrap_or((piece, ""));
        let string = index.parse::<usize>().ok().and_then(|index| quoted.get(index));
        result.push_str(string.map_or("", String::as_str));
        result.push_str(rest);
    }
    result
}

fn mark(value: &Value, quoted: &mut Vec<String>) -> Value {
    match value {
        Value::String(text) => Value::String(mark_text(text, quoted)),
        Value::Array(items) => Value::Array(items.iter().map(|item| mark(item, quoted)).collect()),
        Value::Object(map) => {
            let mut marked = Map::new();
            for (key, value) in map {
                let key = mark_text(key, quoted);
                let value = mark(value, quoted);
                marked.insert(key, value);
            }
            Value::Object(marked)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn mark_text(text: &str, quoted: &mut Vec<String>) -> String {
    if !is_ambiguous(text) {
        return text.to_owned();
    }
    // A JSON string is a double-quoted YAML string, but for line breaks that JSON does not know.
    let mut string = Value::from(text).to_string();
    for c in BREAKS {
        string = string.replace(c, &format!("\\u{:04x}", u32::from(c)));
    }
    quoted.push(string);
    format!("{OPEN}{}{CLOSE}", quoted.len() - 1)
}

/// Whether some reader would take the plain text for anything but this string.
fn is_ambiguous(text: &str) -> bool {
    const WORDS: [&str; 8] = ["y", "n", "yes", "no", "on", "off", "<<", "="];
    let is_word = WORDS.iter().any(|word| text.eq_ignore_ascii_case(word));
    let starts_like_number =
        text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.'));
    // Dates, times and numbers to the base 60 have nothing else in them.
    let is_numeric = starts_like_number
        && text.chars().all(|c| c.is_ascii_hexdigit() || "xXoO_:+-. TtZzeE".contains(c));
    is_word
        || is_numeric
        || text.contains([OPEN, CLOSE])
        || text.contains(BREAKS)
        || !matches!(scalar::plain(text), Scalar::Str(_))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::super::{Node, parse};
    use super::*;
    use crate::diag::{Source, Sources};

    fn read(text: &str) -> Value {
        fn json(node: &Node) -> Value {
            match &node.value {
                Scalar::Null => Value::Null,
                Scalar::Bool(flag) => json!(flag),
                Scalar::Int(number) => json!(number),
                Scalar::Float(number) => json!(number),
                Scalar::Str(text) => json!(text),
                Scalar::Seq(items) => items.iter().map(json).collect(),
                Scalar::Map(map) => {
                    map.iter().map(|(key, item)| (key.to_owned(), json(&item.node))).collect()
                }
            }
        }
        let sources = Sources::default();
        let id = sources.add(Source::verbatim("t", text));
        json(&parse(text, id).expect("valid YAML")[0])
    }

    #[test]
    fn strings_stay_strings_for_every_reader() {
        for text in [
            "yes",
            "N",
            "on",
            "2001-01-01",
            "1_000",
            "0x1f",
            "1:30",
            "<<",
            "=",
            "~",
            "null",
            ".inf",
            "1.0",
            "+1",
            "",
            " a",
            "a: b",
            "#x",
            "- x",
            "*a",
            "&a",
            "!x",
            "%x",
            "@x",
            "`x",
            "'q'",
            "\"q\"",
            "a\nb\n",
            "a\tb",
            "\u{7}",
            "é😀",
            "\u{E000}0\u{E001}",
            "{}",
            "[x",
            "? x",
            "|",
            ">",
            "0o17",
            "true",
            "2001-12-14t21:59:43.10-05:00",
        ] {
            let value = json!({"k": text, text: [text]});
            let written = to_text(&value);
            assert_eq!(read(&written), value, "{written}");
        }
        assert_eq!(
            to_text(&json!(["2001-01-01", "yes", "plain"])),
            "- \"2001-01-01\"\n- \"yes\"\n- plain\n"
        );
    }

    proptest! {
        #[test]
        fn any_text_is_read_back(text in "\\PC{0,20}", other in "[-+0-9a-zA-Z_.:#!&*'\" \n]{0,12}") {
            let value = json!({"k": text, "l": [other]});
            prop_assert_eq!(read(&to_text(&value)), value);
        }
    }
}
