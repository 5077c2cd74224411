//! Mounts of a request or an inspection as fields: one text, whichever of the engine's forms.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fields::{Fields, items, pairs, text};

/// `mounts./data` for everything that is mounted, less the volumes that the image asks for.
pub(super) fn mounts(fields: &mut Fields, host: &Value, anonymous: &BTreeSet<&str>) {
    for target in anonymous {
        put(fields, target, "anonymous volume".to_owned());
    }
    for bind in items(&host["Binds"]).iter().filter_map(Value::as_str) {
        let (target, shown) = of_bind(bind);
        put(fields, target, shown);
    }
    for mount in items(&host["Mounts"]) {
        put(fields, mount["Target"].as_str().unwrap_or_default(), of_mount(mount));
    }
}

fn put(fields: &mut Fields, target: &str, shown: String) {
    let target = match target.trim_end_matches('/') {
        "" => "/",
        target => target,
    };
    fields.put(format!("mounts.{target}"), shown);
}

/// `SOURCE:TARGET:OPTIONS`, where a source that is no path is a volume.
fn of_bind(bind: &str) -> (&str, String) {
    let mut parts = bind.splitn(3, ':');
    let (source, target) = (parts.next().unwrap_or_default(), parts.next());
    let Some(target) = target else { return (source, "anonymous volume".to_owned()) };
    let mut options: Vec<&str> = parts.next().unwrap_or_default().split(',').collect();
    options.retain(|option| !matches!(*option, "" | "rw"));
    if let Some(option) = options.iter_mut().find(|option| **option == "ro") {
        *option = "read-only";
    }
    let kind = if source.starts_with('/') { "" } else { "volume " };
    (target, shown(format!("{kind}{source}"), options.into_iter().map(str::to_owned).collect()))
}

fn of_mount(mount: &Value) -> String {
    let source = text(&mount["Source"]);
    let what = match (mount["Type"].as_str().unwrap_or_default(), source) {
        ("bind", Some(source)) => source,
        ("volume", None) => "anonymous volume".to_owned(),
        ("tmpfs", _) => "tmpfs".to_owned(),
        (kind, source) => format!("{kind} {}", source.unwrap_or_default()),
    };
    let mut options = Vec::new();
    if mount["ReadOnly"] == true {
        options.push("read-only".to_owned());
    }
    if let Some(word) = text(&mount["Consistency"]).filter(|word| word != "default") {
        options.push(word);
    }
    for group in ["BindOptions", "VolumeOptions", "TmpfsOptions", "ImageOptions"] {
        options.extend(pairs(&mount[group]).filter_map(|(key, value)| option(key, value)));
    }
    shown(what, options)
}

fn option(key: &str, value: &Value) -> Option<String> {
    let value = text(value)?;
    Some(match key {
        "NoCopy" => "nocopy".to_owned(),
        "Propagation" => value,
        "NonRecursive" => "not recursive".to_owned(),
        "ReadOnlyNonRecursive" => "below writable".to_owned(),
        "ReadOnlyForceRecursive" => "below read-only".to_owned(),
        "Subpath" => format!("subpath {value}"),
        "SizeBytes" => format!("size {value}"),
        "Mode" => format!("mode {value}"),
        // Keys of other engines are no part of a request of ours.
        _ => return None,
    })
}

fn shown(what: String, mut options: Vec<String>) -> String {
    options.sort_unstable();
    options.dedup();
    std::iter::once(what).chain(options).collect::<Vec<_>>().join(", ")
}
