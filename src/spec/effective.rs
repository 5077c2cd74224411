//! What a container's process has, after the engine has added what the image says.
//!
//! An inspection shows the two merged, a request only the one; merging both makes them comparable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::Value;

use super::fields::{items, pairs, text};
use crate::model::RESERVED_LABELS;

/// A value by the engine's key.
pub(super) type Named<'a> = (&'a str, &'a Value);

/// The merged parts of a container's configuration.
pub(super) struct Effective<'a> {
    /// Variables; one that was taken away is not there.
    pub(super) env: BTreeMap<&'a str, &'a str>,
    /// Labels, the image's included, and ours not.
    pub(super) labels: BTreeMap<&'a str, &'a str>,
    /// Ports it listens on, `8080/tcp`, less the image's.
    pub(super) exposed: BTreeSet<String>,
    /// Paths of volumes without a name, less the image's.
    pub(super) volumes: BTreeSet<String>,
    /// Single values and lists, by the engine's keys.
    pub(super) process: Vec<Named<'a>>,
    pub(super) working_dir: Option<String>,
    pub(super) health_check: Vec<Named<'a>>,
}

impl<'a> Effective<'a> {
    /// Merges as the engine does when it creates a container.
    pub(super) fn of(config: &'a Value, image: &'a Value) -> Self {
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

fn env<'a>(config: &'a Value, image: &'a Value) -> BTreeMap<&'a str, &'a str> {
    let mut env = BTreeMap::new();
    for source in [image, config] {
        for variable in items(&source["Env"]).iter().filter_map(Value::as_str) {
            match variable.split_once('=') {
                Some((name, value)) => env.insert(name, value),
                None => env.remove(variable),
            };
        }
    }
    env
}

fn labels<'a>(config: &'a Value, image: &'a Value) -> BTreeMap<&'a str, &'a str> {
    let own =
        |source| pairs(source).map(|(key, value)| (key.as_str(), value.as_str().unwrap_or("")));
    let labels = own(&image["Labels"]).chain(own(&config["Labels"]));
    labels.filter(|(key, _)| !RESERVED_LABELS.contains(key)).collect()
}

fn own_keys(config: &Value, image: &Value, key: &str) -> BTreeSet<String> {
    let own = pairs(&config[key]).map(|(name, _)| name);
    own.filter(|name| image[key].get(name.as_str()).is_none()).cloned().collect()
}

/// What an engine ends a container with when nothing is said.
static SIGNAL: LazyLock<Value> = LazyLock::new(|| "SIGTERM".into());

fn process<'a>(config: &'a Value, image: &'a Value) -> Vec<Named<'a>> {
    let own = ["Hostname", "Domainname", "MacAddress", "OpenStdin", "Tty"];
    let mut merged: Vec<Named<'a>> = own.map(|key| (key, &config[key])).into();
    let of = |key: &str, from_image: bool| if from_image { &image[key] } else { &config[key] };
    let or_image = |key: &str| of(key, text(&config[key]).is_none());
    merged.push(("User", or_image("User")));
    let signal = Some(or_image("StopSignal")).filter(|signal| text(signal).is_some());
    merged.push(("StopSignal", signal.unwrap_or(&*SIGNAL)));
    // An entrypoint of its own makes the engine forget the image's command.
    let has = |key: &str| !items(&config[key]).is_empty();
    merged.push(("Cmd", of("Cmd", !has("Cmd") && !has("Entrypoint"))));
    let entrypoint = of("Entrypoint", !has("Entrypoint"));
    merged.extend((!clears(entrypoint)).then_some(("Entrypoint", entrypoint)));
    merged
}

/// One empty word is how a request clears the image's entrypoint.
fn clears(entrypoint: &Value) -> bool {
    matches!(items(entrypoint), [Value::String(word)] if word.is_empty())
}

/// Each part that is not set is the image's.
fn health_check<'a>(own: &'a Value, image: &'a Value) -> Vec<Named<'a>> {
    let is_set = |value: &Value| text(value).is_some() || !items(value).is_empty();
    let own = pairs(own).filter(|(_, value)| is_set(value));
    let check: BTreeMap<&str, &Value> =
        pairs(image).chain(own).map(|(key, value)| (key.as_str(), value)).collect();
    let is_off = |test: &&Value| items(test).first().is_some_and(|word| word == "NONE");
    // No time matters to a check that is never made.
    let is_none = check.get("Test").is_some_and(is_off);
    check.into_iter().filter(|(key, _)| !is_none || *key == "Test").collect()
}
