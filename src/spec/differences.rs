//! What of a container is not as it is wanted, field by field, fit to be shown.

use std::collections::BTreeSet;

use serde_json::Value;

use super::effective::Top;
use super::fields::{Fields, Side};
use crate::diff::{is_sensitive_name, masked};
use crate::model::{FieldDifference, Seen};

/// The engine's own size of shared memory, in the words of a field.
const SHM_SIZE: &str = "64MiB";

/// Fields that the engine fills when nothing is asked for; `.` at the end stands for all below.
/// None of them can change on a container that is there.
const CHOSEN: &[&str] = &[
    "hostname",
    "domainname",
    "mac_address",
    "runtime",
    "cgroup",
    "isolation",
    "logging.",
    "ulimits.",
    "security_opt.label",
];

/// What differs between the request that would be made now and the container that is there.
///
/// `image_config` is the `Config` of the image that the container was made of; with `Null` (the
/// engine has lost it) whatever could be the image's is taken to be.
pub fn differences(want: &Value, live: &Value, image_config: &Value) -> Vec<FieldDifference> {
    let image = if image_config.is_null() { live } else { image_config };
    let image = Top::of(image);
    let (new, mut old) = Fields::of(&Side::new(want, &image), &Side::new(live, &image));
    if new.0.is_empty() && old.0.is_empty() {
        return Vec::new();
    }
    old.settle_given(&new);
    let two_times = |config: &Value| config["HostConfig"]["Memory"].as_i64().map(|it| it * 2);
    let swap = live["HostConfig"]["MemorySwap"].as_i64();
    let is_usual_swap = swap == Some(-1) || swap == two_times(want) || swap == two_times(live);
    old.0.retain(|path, value| {
        new.0.contains_key(path)
            || !(is_chosen(path)
                || path == "memswap_limit" && is_usual_swap
                || path == "shm_size" && value == SHM_SIZE
                || path == "ipc" && matches!(value.as_str(), Some("private" | "shareable")))
    });
    changed(old, new)
}

fn is_chosen(path: &str) -> bool {
    let matches = |chosen: &str| match chosen.strip_suffix('.') {
        Some(group) => path.strip_prefix(group).is_some_and(|rest| rest.starts_with('.')),
        None => path == chosen,
    };
    CHOSEN.iter().any(|chosen| matches(chosen))
        || path.starts_with("networks.") && path.ends_with(".mac_address")
}

/// The fields that are not equal, in the order of their paths.
pub(super) fn changed(old: Fields, new: Fields) -> Vec<FieldDifference> {
    if old.0 == new.0 {
        return Vec::new();
    }
    let paths: BTreeSet<&String> = old.0.keys().chain(new.0.keys()).collect();
    let difference = |path: &String| {
        let (old, new) = (old.0.get(path), new.0.get(path));
        (old != new).then(|| field(path, old, new))
    };
    paths.into_iter().filter_map(difference).collect()
}

fn field(path: &str, old: Option<&Value>, new: Option<&Value>) -> FieldDifference {
    let seen = |value: &Value| Seen::Text(shown(&masked(value)));
    let (mut old_seen, mut new_seen) = (old.map(seen), new.map(seen));
    // Equal once masked: only that it changes may be told.
    if is_secret(path) || old_seen == new_seen {
        old_seen = old.map(|_| Seen::Hidden);
        new_seen = new.map(|_| Seen::Hidden);
    }
    FieldDifference { path: path.to_owned(), old: old_seen, new: new_seen }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether people chose the last part of a path, and chose it as one does for a secret.
fn is_secret(path: &str) -> bool {
    const GROUPS: [&str; 7] = [
        "env.",
        "labels.",
        "annotations.",
        "sysctls.",
        "logging.options.",
        "storage_opt.",
        "driver_opts.",
    ];
    let named = GROUPS.iter().find_map(|group| path.strip_prefix(group));
    let named = named.or_else(|| Some(path.split_once(".driver_opts.")?.1));
    named.is_some_and(is_sensitive_name)
}
