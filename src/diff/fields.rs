//! Two trees of fields against each other.
//!
//! Lists whose items have an identity (a mount its target, a port its number) are compared item
//! by item under that identity; all other lists as a whole, since a position says nothing.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::sensitive::{is_sensitive_name, masked};

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
        let (masked_old, masked_new) = (old.map(masked), new.map(masked));
        // When only what is masked differs, there is nothing to show but that it does.
        let is_hidden = is_hidden(path) || masked_old == masked_new;
        let show = |value: Value| if is_hidden { Shown::Hidden } else { Shown::Value(value) };
        self.fields.push(FieldChange {
            path: path.to_owned(),
            old: masked_old.map(show),
            new: masked_new.map(show),
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
        let sides = [old, new];
        let (old, new) = match (files(old), files(new), old, new) {
            (Some(old), Some(new), ..) => (old, new),
            (Some(old), None, _, None) => (old.clone(), (old.0, Map::new())),
            (None, Some(new), None, _) => ((new.0.clone(), Map::new()), new),
            _ => return self.other_source(path, old, new),
        };
        let ((old_path, old), (new_path, new)) = (old, new);
        if old_path != new_path {
            self.leaf(
                &format!("{path}.path"),
                Some(&old_path.into()),
                Some(&new_path.clone().into()),
            );
        }
        let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
        for name in names.into_iter().filter(|name| old.get(*name) != new.get(*name)) {
            let digest = |side: &Map<String, Value>| Some(side.get(name)?.as_str()?.to_owned());
            let (old, new) = (digest(&old), digest(&new));
            self.files.push(FileDigests { path: crate::files::join(&new_path, name), old, new });
        }
        let [old, new] = sides.map(|side| side?.get("executable"));
        if old != new {
            self.leaf(&format!("{path}.executable"), old, new);
        }
        true
    }
}

impl Comparison {
    /// A mount whose source is of another kind than before: its place says enough.
    fn other_source(&mut self, path: &str, old: Option<&Value>, new: Option<&Value>) -> bool {
        let place =
            |side: Option<&Value>| side.map(|side| json!([side.get("at"), side.get("path")]));
        let (old, new) = (place(old), place(new));
        self.leaf(path, old.as_ref(), new.as_ref());
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

fn is_hidden(path: &str) -> bool {
    let groups =
        ["env.", "labels.", "annotations.", "logging.options.", "driver_opts.", "storage_opt."];
    let of_user = groups.iter().find_map(|group| {
        path.strip_prefix(group).or_else(|| Some(path.split_once(&format!(".{group}"))?.1))
    });
    path.starts_with("secrets.") && path.ends_with(".digest")
        || of_user.is_some_and(is_sensitive_name)
}
