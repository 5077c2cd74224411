//! Filters that write and read formats, encodings and hashes.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minijinja::value::{Kwargs, ValueKind};
use minijinja::{Environment, Error, Value};
use serde::Serialize;
use sha2::{Digest, Sha256, Sha512};

use super::super::context::node_value;
use super::super::limits::text_of;
use super::{add, wrong};
use crate::diag::{Source, Sources};
use crate::yaml;

pub(super) fn install(environment: &mut Environment<'static>) {
    for name in ["to_json", "tojson"] {
        add(environment, name, to_json);
    }
    for name in ["to_nice_json", "toPrettyJson"] {
        add(environment, name, to_nice_json);
    }
    for name in ["to_yaml", "toyaml", "to_nice_yaml", "toYaml"] {
        add(environment, name, to_yaml);
    }
    add(environment, "from_json", from_json);
    add(environment, "from_yaml", from_yaml);
    for name in ["b64encode", "b64enc"] {
        add(environment, name, |value: Value| Ok::<_, Error>(STANDARD.encode(bytes_of(&value)?)));
    }
    for name in ["b64decode", "b64dec"] {
        add(environment, name, b64decode);
    }
    for name in ["sha256", "sha256sum"] {
        add(environment, name, |value: Value| hash(value, Some("sha256".to_owned())));
    }
    add(environment, "sha512", |value: Value| hash(value, Some("sha512".to_owned())));
    add(environment, "hash", hash);
}

/// Refuses what has no place in data: an undefined part of a list, a macro.
fn data(value: &Value) -> Result<(), Error> {
    match value.kind() {
        ValueKind::Undefined => Err(wrong("a part of the value is not defined")),
        ValueKind::Map => value.try_iter()?.try_for_each(|key| data(&value.get_item(&key)?)),
        ValueKind::Seq | ValueKind::Iterable => value.try_iter()?.try_for_each(|item| data(&item)),
        ValueKind::Plain | ValueKind::Invalid => Err(wrong("a function cannot be written as data")),
        _ => Ok(()),
    }
}

fn to_json(value: Value, indent: Option<usize>, named: Kwargs) -> Result<String, Error> {
    let indent = indent.or(named.get("indent")?);
    named.assert_all_used()?;
    data(&value)?;
    match indent {
        Some(columns) => pretty_json(&value, columns),
        None => serde_json::to_string(&value).map_err(|error| wrong(error.to_string())),
    }
}

fn to_nice_json(value: Value, indent: Option<usize>, named: Kwargs) -> Result<String, Error> {
    let columns = indent.or(named.get("indent")?).unwrap_or(4);
    named.assert_all_used()?;
    data(&value)?;
    pretty_json(&value, columns)
}

fn pretty_json(value: &Value, columns: usize) -> Result<String, Error> {
    if columns > 16 {
        return Err(super::limit("JSON is indented by at most 16 columns"));
    }
    let space = " ".repeat(columns);
    let mut out = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(space.as_bytes());
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
    value.serialize(&mut serializer).map_err(|error| wrong(error.to_string()))?;
    String::from_utf8(out).map_err(|error| wrong(error.to_string()))
}

/// Without the last newline, so that the text can stand at the end of a line and be indented.
fn to_yaml(value: Value) -> Result<String, Error> {
    data(&value)?;
    let value = serde_json::to_value(&value).map_err(|error| wrong(error.to_string()))?;
    let text = yaml::to_text(&value);
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}

fn from_json(value: Value) -> Result<Value, Error> {
    let parsed: serde_json::Value = serde_json::from_str(&text_of(&value)?)
        .map_err(|error| wrong(format!("this is not JSON: {error}")))?;
    Ok(Value::from(minijinja::value::Serde(parsed)))
}

fn from_yaml(value: Value) -> Result<Value, Error> {
    let sources = Sources::default();
    let text = text_of(&value)?;
    let id = sources.add(Source::verbatim("from_yaml", text.as_str()));
    let mut documents = yaml::parse(&text, id).map_err(|problems| {
        let first = problems.into_iter().next();
        wrong(match first {
            Some(problem) => match problem.primary {
                Some(label) => {
                    let line = sources.locate(label.span).line;
                    format!("this is not YAML: {} (line {line} of the text)", problem.message)
                }
                None => format!("this is not YAML: {}", problem.message),
            },
            None => "this is not YAML".to_owned(),
        })
    })?;
    match documents.len() {
        0 => Ok(Value::from(())),
        1 => Ok(node_value(&documents.remove(0))),
        count => Err(wrong(format!("one YAML document is read, not {count}"))),
    }
}

fn bytes_of(value: &Value) -> Result<Vec<u8>, Error> {
    match value.as_bytes() {
        Some(bytes) => Ok(bytes.to_vec()),
        None => text_of(value).map(String::into_bytes),
    }
}

fn b64decode(value: Value) -> Result<String, Error> {
    let text = text_of(&value)?;
    let text: String = text.split_whitespace().collect();
    let bytes = STANDARD.decode(text).map_err(|error| wrong(format!("not base64: {error}")))?;
    String::from_utf8(bytes).map_err(|_| wrong("the decoded bytes are not UTF-8 text"))
}

fn hash(value: Value, algorithm: Option<String>) -> Result<String, Error> {
    let bytes = bytes_of(&value)?;
    match algorithm.as_deref() {
        None | Some("sha256") => Ok(hex(&Sha256::digest(&bytes))),
        Some("sha512") => Ok(hex(&Sha512::digest(&bytes))),
        Some(other) => Err(wrong(format!("no hash `{other}`; there are `sha256` and `sha512`"))),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}
