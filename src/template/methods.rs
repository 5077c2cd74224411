//! Methods of strings and mappings that people know from Jinja in Python.

use minijinja::value::{ValueKind, from_args};
use minijinja::{Error, ErrorKind, State, Value};

use super::limits::{room_for, spend_value};

/// Calls `method` of `value`; an `UnknownMethod` error when there is none.
pub(super) fn call(
    state: &mut State,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    spend_value(state, value)?;
    for arg in args {
        spend_value(state, arg)?;
    }
    match (value.kind(), value.as_str()) {
        (ValueKind::Map, _) => of_mapping(state, value, method, args),
        (_, Some(text)) => of_string(text, method, args),
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn of_mapping(
    state: &mut State,
    value: &Value,
    method: &str,
    args: &[Value],
) -> Result<Value, Error> {
    match method {
        "items" => {
            let () = from_args(args)?;
            state.apply_filter("items", std::slice::from_ref(value))
        }
        "keys" => {
            let () = from_args(args)?;
            Ok(value.try_iter()?.collect())
        }
        "values" => {
            let () = from_args(args)?;
            value
                .try_iter()?
                .map(|key| value.get_item(&key))
                .collect::<Result<Vec<_>, _>>()
                .map(Value::from)
        }
        "get" => {
            let (key, default): (&Value, Option<Value>) = from_args(args)?;
            let found = value.get_item(key)?;
            let missing = found.is_undefined();
            Ok(if missing { default.unwrap_or_else(|| Value::from(())) } else { found })
        }
        _ => Err(Error::from(ErrorKind::UnknownMethod)),
    }
}

fn of_string(text: &str, method: &str, args: &[Value]) -> Result<Value, Error> {
    let value = match method {
        "lower" => Value::from(text.to_lowercase()),
        "upper" => Value::from(text.to_uppercase()),
        "strip" | "lstrip" | "rstrip" => Value::from(strip(text, method, args)?),
        "startswith" => Value::from(text.starts_with(from_args::<(&str,)>(args)?.0)),
        "endswith" => Value::from(text.ends_with(from_args::<(&str,)>(args)?.0)),
        "split" => {
            let (separator,): (Option<&str>,) = from_args(args)?;
            match separator {
                Some(separator) => text.split(separator).map(Value::from).collect(),
                None => text.split_whitespace().map(Value::from).collect(),
            }
        }
        "splitlines" => text.lines().map(Value::from).collect(),
        "replace" => {
            let (from, to): (&str, &str) = from_args(args)?;
            replaced(text, from, to)?
        }
        _ => return Err(Error::from(ErrorKind::UnknownMethod)),
    };
    Ok(value)
}

/// `text` with every `from` replaced, refused when the result is too long.
pub(super) fn replaced(text: &str, from: &str, to: &str) -> Result<Value, Error> {
    let bytes = text.matches(from).count().checked_mul(to.len());
    room_for(bytes.and_then(|bytes| bytes.checked_add(text.len())))?;
    Ok(Value::from(text.replace(from, to)))
}

fn strip<'t>(text: &'t str, method: &str, args: &[Value]) -> Result<&'t str, Error> {
    let (signs,): (Option<&str>,) = from_args(args)?;
    let goes = |c: char| signs.map_or(c.is_whitespace(), |signs| signs.contains(c));
    Ok(match method {
        "lstrip" => text.trim_start_matches(goes),
        "rstrip" => text.trim_end_matches(goes),
        _ => text.trim_matches(goes),
    })
}
