//! What a container's process has, after the engine has added what the image says.
//!
//! An inspection shows the two merged, a request only the one; merging both makes them comparable.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::fields::{items, pairs, text};

/// The merged parts of a container's configuration.
pub(super) struct Effective {
    /// Variables; one that was taken away is not there.
    pub(super) env: BTreeMap<String, String>,
    /// Labels, the image's included.
    pub(super) labels: BTreeMap<String, String>,
    /// Ports it listens on, `8080/tcp`, less the image's.
    pub(super) exposed: BTreeSet<String>,
    /// Paths of volumes without a name, less the image's.
    pub(super) volumes: BTreeSet<String>,
    /// Single values and lists, by the engine's keys.
    pub(super) process: Map<String, Value>,
    pub(super) working_dir: Option<String>,
    pub(super) health_check: Value,
}

impl Effective {
    /// Merges as the engine does when it creates a container.
    pub(super) fn of(config: &Value, image: &Value) -> Self {
        let working_dir = text(&config["WorkingDir"]).or_else(|| text(&image["WorkingDir"]));
        let trimmed = |path: String| match path.trim_end_matches('/') {
            "" => None,
            path => Some(path.to_owned()),
        };
        Self {
            env: env(config, image),
            labels: labels(config, image),
            exposed: own_keys(config, image, "ExposedPorts"),
            volumes: own_keys(config, image, "Volumes"),
            process: process(config, image),
            working_dir: working_dir.and_then(trimmed),
            health_check: health_check(&config["Healthcheck"], &image["Healthcheck"]),
        }
    }
}

fn env(config: &Value, image: &Value) -> BTreeMap<String, String> {
    let mut env = BTreeMap::new();
    for source in [image, config] {
        for variable in items(&source["Env"]).iter().filter_map(Value::as_str) {
            match variable.split_once('=') {
                Some((name, value)) => env.insert(name.to_owned(), value.to_owned()),
                None => env.remove(variable),
            };
        }
    }
    env
}

fn labels(config: &Value, image: &Value) -> BTreeMap<String, String> {
    let own = |source| {
        pairs(source).map(|(key, value)| (key.clone(), value.as_str().unwrap_or("").to_owned()))
    };
    own(&image["Labels"]).chain(own(&config["Labels"])).collect()
}

fn own_keys(config: &Value, image: &Value, key: &str) -> BTreeSet<String> {
    let own = pairs(&config[key]).map(|(name, _)| name.clone());
    own.filter(|name| image[key].get(name).is_none()).collect()
}

fn process(config: &Value, image: &Value) -> Map<String, Value> {
    let mut merged = Map::new();
    for key in ["User", "StopSignal", "Hostname", "Domainname", "MacAddress", "OpenStdin", "Tty"] {
        let own = &config[key];
        let from_image = matches!(key, "User" | "StopSignal") && text(own).is_none();
        merged.insert(key.to_owned(), if from_image { image[key].clone() } else { own.clone() });
    }
    if text(&merged["StopSignal"]).is_none() {
        merged.insert("StopSignal".to_owned(), "SIGTERM".into());
    }
    // An entrypoint of its own makes the engine forget the image's command.
    let has = |key: &str| !items(&config[key]).is_empty();
    let of = |key: &str, from_image: bool| {
        if from_image { image[key].clone() } else { config[key].clone() }
    };
    let command = of("Cmd", !has("Cmd") && !has("Entrypoint"));
    let entrypoint = of("Entrypoint", !has("Entrypoint"));
    merged.insert("Cmd".to_owned(), command);
    merged.insert(
        "Entrypoint".to_owned(),
        if clears(&entrypoint) { Value::Null } else { entrypoint },
    );
    merged
}

/// One empty word is how a request clears the image's entrypoint.
fn clears(entrypoint: &Value) -> bool {
    matches!(items(entrypoint), [Value::String(word)] if word.is_empty())
}

/// Each part that is not set is the image's.
fn health_check(own: &Value, image: &Value) -> Value {
    let is_set = |value: &Value| text(value).is_some() || !items(value).is_empty();
    let mut check: Map<String, Value> =
        pairs(image).map(|(key, value)| (key.clone(), value.clone())).collect();
    for (key, value) in pairs(own).filter(|(_, value)| is_set(value)) {
        check.insert(key.clone(), value.clone());
    }
    let is_off = |test: &Value| items(test).first().is_some_and(|word| word == "NONE");
    if check.get("Test").is_some_and(is_off) {
        // No time matters to a check that is never made.
        check.retain(|key, _| key == "Test");
    }
    Value::Object(check)
}
