//! JSON in one form: one text for equal values, whatever order their keys came in.

use serde_json::Value;

/// A value as text with the keys of every object in the order of their names.
pub fn canonical(value: &Value) -> String {
    let mut text = String::new();
    canonical_into(value, &mut text);
    text
}

/// Writes a value as text behind another one, with the keys of every object in order.
pub fn canonical_into(value: &Value, text: &mut String) {
    canonical_without(value, &[], text);
}

/// The same without the field that a path of keys leads to.
pub(super) fn canonical_without(value: &Value, path: &[&str], text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                text.push_str(if index > 0 { "," } else { "" });
                canonical_into(item, text);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            text.push('{');
            if fields.keys().is_sorted() {
                fields_into(fields.iter(), path, text);
            } else {
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_unstable_by_key(|(key, _)| key.as_str());
                fields_into(fields.into_iter(), path, text);
            }
            text.push('}');
        }
        Value::String(plain) => quoted_into(plain, text),
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            text.push_str(&serde_json::to_string(value).expect("a single value is JSON"));
        }
    }
}

fn fields_into<'v>(
    fields: impl Iterator<Item = (&'v String, &'v Value)>,
    path: &[&str],
    text: &mut String,
) {
    let mut comma = "";
    for (key, value) in fields {
        let below = match path {
            [last] if key == last => continue,
            [first, below @ ..] if key == first => below,
            _ => &[],
        };
        text.push_str(comma);
        comma = ",";
        quoted_into(key, text);
        text.push(':');
        canonical_without(value, below, text);
    }
}

/// A text as JSON has it.
fn quoted_into(plain: &str, text: &mut String) {
    if plain.bytes().any(|byte| byte < b' ' || matches!(byte, b'"' | b'\\')) {
        text.push_str(&serde_json::to_string(plain).expect("a text is JSON"));
        return;
    }
    text.push('"');
    text.push_str(plain);
    text.push('"');
}
