//! Filters on text.

use minijinja::value::{Kwargs, Rest, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value, filters};

use super::super::limits::{Stop, room_for, spend_value, text_of};
use super::super::methods::replaced;
use super::{add, wrong};

/// The widest indent and padding.
const WIDTH_MAX: usize = 1024;

pub(super) fn install(environment: &mut Environment<'static>) {
    add(environment, "indent", indent);
    add(environment, "nindent", nindent);
    add(environment, "replace", replace);
    add(environment, "join", join);
    add(environment, "format", format);
    add(environment, "quote", quote);
    add(environment, "squote", squote);
    add(environment, "shell_quote", shell_quote);
    add(environment, "urlencode", url_encode);
    add(environment, "url_encode", url_encode);
    add(environment, "regex_escape", |text: String| regex::escape(&text));
    add(environment, "filesizeformat", file_size);
    add(environment, "bool", boolean);
    add(environment, "ternary", ternary);
    for name in ["default", "d"] {
        add(environment, name, filters::default);
    }
    for name in ["required", "mandatory"] {
        add(environment, name, required);
    }
    environment.add_function("fail", fail);
    environment.add_function("raise", fail);
}

fn width(width: usize) -> Result<usize, Error> {
    if width > WIDTH_MAX {
        return Err(super::limit(format!("at most {WIDTH_MAX} columns are allowed")));
    }
    Ok(width)
}

fn indented(text: &str, columns: usize, first: bool, blank: bool) -> Result<String, Error> {
    let columns = width(columns)?;
    let lines = text.split('\n').count();
    room_for(lines.checked_mul(columns).and_then(|bytes| bytes.checked_add(text.len())))?;
    let space = " ".repeat(columns);
    let mut out = String::with_capacity(text.len() + lines * columns);
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let is_blank = line.trim_end_matches('\r').is_empty();
        if (index > 0 || first) && (blank || !is_blank) {
            out.push_str(&space);
        }
        out.push_str(line);
    }
    Ok(out)
}

fn indent(
    value: Value,
    columns: Option<usize>,
    first: Option<bool>,
    blank: Option<bool>,
    named: Kwargs,
) -> Result<String, Error> {
    let columns = columns.or(named.get("width")?).unwrap_or(4);
    let first = first.or(named.get("first")?).unwrap_or(false);
    let blank = blank.or(named.get("blank")?).unwrap_or(false);
    named.assert_all_used()?;
    let text = text_of(&value)?;
    // As in the engine: the last newline belongs to what stands around the expression.
    indented(text.strip_suffix('\n').unwrap_or(&text), columns, first, blank)
}

fn nindent(value: Value, columns: usize) -> Result<String, Error> {
    Ok(format!("\n{}", indented(&text_of(&value)?, columns, true, false)?))
}

fn replace(value: Value, from: Value, to: Value) -> Result<Value, Error> {
    replaced(&text_of(&value)?, &text_of(&from)?, &text_of(&to)?)
}

fn join(value: Value, separator: Option<Value>, named: Kwargs) -> Result<String, Error> {
    let attribute: Option<String> = named.get("attribute")?;
    named.assert_all_used()?;
    let separator = separator.map(|value| text_of(&value)).transpose()?.unwrap_or_default();
    let mut out = String::new();
    for (index, item) in value.try_iter()?.enumerate() {
        let item = match &attribute {
            Some(name) => item.get_attr(name)?,
            None => item,
        };
        if item.is_undefined() {
            return Err(wrong(format!("item {} of the list is not defined", index + 1)));
        }
        let text = text_of(&item)?;
        let length = out.len() + if index > 0 { separator.len() } else { 0 };
        room_for(length.checked_add(text.len()))?;
        if index > 0 {
            out.push_str(&separator);
        }
        out.push_str(&text);
    }
    Ok(out)
}

/// The engine's `format`, whose widths and precisions could ask for any amount of padding.
fn format(state: &mut State, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let args = args.into_values();
    let pattern = args.first().and_then(Value::as_str).unwrap_or_default();
    let mut digits = pattern.split(|c: char| !c.is_ascii_digit());
    let is_wide =
        |number: &str| number.len() > 4 || number.parse().is_ok_and(|n: usize| n > WIDTH_MAX);
    if digits.any(is_wide) || pattern.contains('*') {
        return Err(super::limit(format!("at most {WIDTH_MAX} columns are allowed in a format")));
    }
    Value::from_function(filters::format).call(state, &args)
}

fn quote(value: Value) -> Result<String, Error> {
    serde_json::to_string(&text_of(&value)?).map_err(|error| wrong(error.to_string()))
}

fn squote(value: Value) -> Result<String, Error> {
    Ok(format!("'{}'", text_of(&value)?.replace('\'', "''")))
}

fn shell_quote(value: Value) -> Result<String, Error> {
    let text = text_of(&value)?;
    let is_plain = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '_' | '-' | '.' | '/' | ':' | '@' | '%' | '+' | '=' | ',')
    };
    if !text.is_empty() && text.chars().all(is_plain) {
        return Ok(text);
    }
    Ok(format!("'{}'", text.replace('\'', "'\\''")))
}

fn url_encode(value: Value) -> Result<String, Error> {
    if value.as_object().is_some() {
        let mut pairs = Vec::new();
        for key in value.try_iter()? {
            let item = value.get_item(&key)?;
            pairs.push(format!("{}={}", encoded(&text_of(&key)?), encoded(&text_of(&item)?)));
        }
        return Ok(pairs.join("&"));
    }
    Ok(encoded(&text_of(&value)?))
}

fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'/') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(b"0123456789ABCDEF"[usize::from(byte >> 4)]));
            out.push(char::from(b"0123456789ABCDEF"[usize::from(byte & 15)]));
        }
    }
    out
}

fn file_size(bytes: f64, binary: Option<bool>) -> String {
    let (base, units) = if binary.unwrap_or(false) {
        (1024.0, ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"])
    } else {
        (1000.0, ["kB", "MB", "GB", "TB", "PB", "EB"])
    };
    if bytes < base {
        return if bytes == 1.0 { "1 Byte".to_owned() } else { format!("{bytes:.0} Bytes") };
    }
    let mut size = bytes / base;
    let mut unit = 0;
    while size >= base && unit + 1 < units.len() {
        size /= base;
        unit += 1;
    }
    format!("{size:.1} {}", units[unit])
}

/// What Ansible takes for true and false; other text is an error rather than silently false.
fn boolean(value: Value) -> Result<bool, Error> {
    let Some(text) = value.as_str() else { return Ok(value.is_true()) };
    match text.to_lowercase().as_str() {
        "yes" | "on" | "1" | "true" | "t" | "y" => Ok(true),
        "no" | "off" | "0" | "false" | "f" | "n" | "" => Ok(false),
        _ => Err(wrong(format!("`{text}` is neither true nor false"))),
    }
}

fn ternary(value: Value, yes: Value, no: Value, null: Option<Value>) -> Value {
    match null {
        Some(null) if value.is_none() => null,
        _ if value.is_true() => yes,
        _ => no,
    }
}

/// Both orders of arguments are in use: `value | required("why")` and `"why" | required(value)`.
fn required(state: &mut State, value: Value, message: Option<String>) -> Result<Value, Error> {
    spend_value(state, &value)?;
    if value.is_undefined() || value.is_none() || value.as_str() == Some("") {
        let message = message.unwrap_or_else(|| "a required value is missing".to_owned());
        return Err(Stop::Fail(message).into());
    }
    Ok(value)
}

fn fail(message: Option<String>) -> Result<Value, Error> {
    Err(Stop::Fail(message.unwrap_or_else(|| "the template gave up".to_owned())).into())
}
