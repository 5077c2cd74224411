//! Two trees of fields against each other.
//!
//! Lists whose items have an identity (a mount its target, a port its number) are compared item
//! by item under that identity; all other lists as a whole, since a position says nothing.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::sensitive::{has_credentials, is_sensitive_name};

/// One field that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// Its path: `env.CACHE_MB`, `volumes./data.read_only`.
    pub path: String,
    /// Its value before; `None` when it was not set.
    pub old: Option<Shown>,
    /// Its value after; `None` when it is not set.
    pub new: Option<Shown>,
}

/// A value as it may be shown.
#[derive(Debug, Clone, PartialEq)]
pub enum Shown {
    /// As it is.
    Value(Value),
    /// Something that may be secret.
    Hidden,
}

/// A file by path and digests.
pub(super) struct FileDigests {
    pub(super) path: String,
    pub(super) old: Option<String>,
    pub(super) new: Option<String>,
}

/// All fields and files that differ. A missing side is a tree without fields.
pub(super) fn compare(
    old: Option<&Value>,
    new: Option<&Value>,
) -> (Vec<FieldChange>, Vec<FileDigests>) {
    let mut comparison = Comparison::default();
    let nothing = Value::Object(Map::new());
    let mut fields: (Value, Value) =
        (old.unwrap_or(&nothing).clone(), new.unwrap_or(&nothing).clone());
    for side in [&mut fields.0, &mut fields.1] {
        lift_container(side);
    }
    comparison.values("", Some(&fields.0), Some(&fields.1));
    (comparison.fields, comparison.files)
}

/// People write `image`, not `container.image`; and the hash says nothing to them.
fn lift_container(service: &mut Value) {
    let Some(fields) = service.as_object_mut() else { return };
    fields.remove("spec_hash");
    if let Some(Value::Object(container)) = fields.remove("container") {
        for (key, value) in container {
            fields.insert(key, value);
        }
    }
}

#[derive(Default)]
struct Comparison {
    fields: Vec<FieldChange>,
    files: Vec<FileDigests>,
}

impl Comparison {
    fn values(&mut self, path: &str, old: Option<&Value>, new: Option<&Value>) {
        let old = old.filter(|value| !value.is_null());
        let new = new.filter(|value| !value.is_null());
        if old == new {
            return;
        }
        if self.file(path, old, new) {
            return;
        }
        match (old, new) {
            (Some(Value::Object(old)), Some(Value::Object(new))) => self.objects(path, old, new),
            (Some(Value::Object(old)), None) if !old.is_empty() => {
                self.objects(path, old, &Map::new());
            }
            (None, Some(Value::Object(new))) if !new.is_empty() => {
                self.objects(path, &Map::new(), new);
            }
            (old, new) => match (by_identity(path, old), by_identity(path, new)) {
                (Some(old), Some(new)) => self.objects(path, &old, &new),
                _ => self.leaf(path, old, new),
            },
        }
    }

    fn objects(&mut self, path: &str, old: &Map<String, Value>, new: &Map<String, Value>) {
        let keys: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for key in keys {
            let below = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            self.values(&below, old.get(key), new.get(key));
        }
    }

    fn leaf(&mut self, path: &str, old: Option<&Value>, new: Option<&Value>) {
        let show = |value: &Value| match is_hidden(path, value) {
            true => Shown::Hidden,
            false => Shown::Value(value.clone()),
        };
        self.fields.push(FieldChange {
            path: path.to_owned(),
            old: old.map(show),
            new: new.map(show),
        });
    }

    /// Digests say nothing to people: files are shown by their contents, secrets not at all.
    fn file(&mut self, path: &str, old: Option<&Value>, new: Option<&Value>) -> bool {
        let is_content = |value: &Value| value.get("from").is_some_and(|from| from == "repository");
        if !path.starts_with("configs.") || !path.ends_with(".content") {
            return self.bind_files(path, old, new);
        }
        if !old.or(new).is_some_and(is_content)
            || !old.is_none_or(is_content)
            || !new.is_none_or(is_content)
        {
            return false;
        }
        let digest = |side: Option<&Value>| Some(side?.get("digest")?.as_str()?.to_owned());
        let name = |side: Option<&Value>| side?.get("path")?.as_str().map(str::to_owned);
        let shown = name(new).or_else(|| name(old));
        if name(old) != name(new) && old.is_some() && new.is_some() {
            self.leaf(
                &format!("{path}.path"),
                old.and_then(|v| v.get("path")),
                new.and_then(|v| v.get("path")),
            );
        }
        let (old, new) = (digest(old), digest(new));
        if old != new {
            let path = shown.unwrap_or_else(|| path.trim_end_matches(".content").to_owned());
            self.files.push(FileDigests { path, old, new });
        }
        true
    }

    fn bind_files(&mut self, path: &str, old: Option<&Value>, new: Option<&Value>) -> bool {
        let files = |side: Option<&Value>| {
            let side = side?;
            let path = side.get("path")?.as_str()?.to_owned();
            Some((path, side.get("files")?.as_object()?.clone()))
        };
        if !path.starts_with("volumes.") || !path.ends_with(".source") {
            return false;
        }
        let (Some((old_path, old)), Some((new_path, new))) = (files(old), files(new)) else {
            return false;
        };
        if old_path != new_path {
            return false;
        }
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names.into_iter().filter(|name| old.get(*name) != new.get(*name)) {
            let digest = |side: &Map<String, Value>| Some(side.get(name)?.as_str()?.to_owned());
            let (old, new) = (digest(&old), digest(&new));
            self.files.push(FileDigests { path: crate::files::join(&new_path, name), old, new });
        }
        true
    }
}

/// A list of things with an identity, as a mapping from identity to thing.
fn by_identity(path: &str, value: Option<&Value>) -> Option<Map<String, Value>> {
    let keys: &[&str] = match path {
        "volumes" | "configs" | "secrets" => &["target"],
        "ports" => &["target", "protocol"],
        "routes" => &["host", "path"],
        "devices" => &["source"],
        _ => return None,
    };
    let items = match value {
        Some(Value::Array(items)) => items.as_slice(),
        None => &[],
        Some(_) => return None,
    };
    let mut map = Map::new();
    for item in items {
        let text = |key: &&str| match item.get(*key)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        };
        let identity: Vec<String> = keys.iter().filter_map(text).collect();
        let separator = if path == "routes" { "" } else { "/" };
        // Two items of one identity cannot be told apart: then the list is compared as a whole.
        if map.insert(identity.join(separator), item.clone()).is_some() {
            return None;
        }
    }
    Some(map)
}

fn is_hidden(path: &str, value: &Value) -> bool {
    let name = path.rsplit('.').next().unwrap_or(path);
    let is_named_by_user = ["env.", "labels.", "logging.options.", "driver_opts."]
        .iter()
        .any(|group| path.starts_with(group) || path.contains(&format!(".{group}")));
    path.starts_with("secrets.") && name == "digest"
        || is_named_by_user && is_sensitive_name(name)
        || contains_credentials(value)
}

fn contains_credentials(value: &Value) -> bool {
    match value {
        Value::String(text) => has_credentials(text),
        Value::Array(items) => items.iter().any(contains_credentials),
        Value::Object(fields) => fields.values().any(contains_credentials),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
