//! What the engine says about a container, as the container we know. Pure.
//!
//! The configuration is turned back into the shape of the request that made it, so that one function
//! can flatten what is wanted and what runs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::moment::millis;
use crate::model::{ContainerState, Health, Identity, LiveContainer, RESERVED_LABELS, Status};

/// What can be asked for of a container's place in a network, beside its aliases and MAC address.
const ASKED_FOR: [&str; 3] = ["IPAMConfig", "DriverOpts", "Links"];

/// How much of a check's last words is kept, in characters: a page of HTML helps nobody.
const CHECK_OUTPUT_MAX: usize = 500;

/// A container of ours; `None` when its labels are not all there, so it is not ours.
pub(super) fn live_container(seen: &Value) -> Option<LiveContainer> {
    let id = text(seen, "/Id");
    let networks = seen.pointer("/NetworkSettings/Networks").and_then(Value::as_object);
    let none = Map::new();
    let networks = networks.unwrap_or(&none);
    Some(LiveContainer {
        name: text(seen, "/Name").trim_start_matches('/').to_owned(),
        identity: Identity::read(&labels(seen.pointer("/Config/Labels")))?,
        state: state(seen),
        image: text(seen, "/Image").into(),
        config: request(seen, networks, id).into(),
        addresses: networks
            .iter()
            .filter_map(|(name, place)| Some((name.clone(), address(place)?)))
            .collect(),
        id: id.to_owned(),
    })
}

/// An object of texts.
pub(super) fn labels(value: Option<&Value>) -> BTreeMap<String, String> {
    let labels = value.and_then(Value::as_object).into_iter().flatten();
    labels.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// Whether its process has ever run.
pub(super) fn was_started(seen: &Value) -> bool {
    millis(text(seen, "/State/StartedAt")) != 0
}

/// The text at a place; empty when there is none.
pub(super) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// The engine's word for what a container does.
pub(super) fn status(seen: &Value) -> Status {
    match text(seen, "/State/Status") {
        "running" | "stopping" => Status::Running,
        "paused" => Status::Paused,
        "restarting" => Status::Restarting,
        "removing" => Status::Removing,
        "exited" => Status::Exited,
        "dead" => Status::Dead,
        _ => Status::Created,
    }
}

fn state(seen: &Value) -> ContainerState {
    let number = |pointer| seen.pointer(pointer).and_then(Value::as_i64).unwrap_or(0);
    ContainerState {
        status: status(seen),
        started_at: millis(text(seen, "/State/StartedAt")),
        exit_code: number("/State/ExitCode"),
        restarts: u64::try_from(number("/RestartCount")).unwrap_or(0),
        health: health(seen),
    }
}

fn health(seen: &Value) -> Option<Health> {
    match text(seen, "/State/Health/Status") {
        "starting" => Some(Health::Starting),
        "healthy" => Some(Health::Healthy),
        "unhealthy" => {
            let checks = seen.pointer("/State/Health/Log").and_then(Value::as_array);
            let last = checks.and_then(|checks| checks.last());
            let words = last.map(|check| text(check, "/Output")).unwrap_or_default();
            Some(Health::Unhealthy(words.trim().chars().take(CHECK_OUTPUT_MAX).collect()))
        }
        _ => None,
    }
}

fn request(seen: &Value, networks: &Map<String, Value>, id: &str) -> Value {
    let mut request = seen.pointer("/Config").cloned().unwrap_or_else(|| json!({}));
    let places: Map<String, Value> =
        networks.iter().map(|(name, place)| (name.clone(), asked_for(place, id))).collect();
    if let Some(labels) = request.get_mut("Labels").and_then(Value::as_object_mut) {
        labels.retain(|key, _| !RESERVED_LABELS.contains(&key.as_str()));
    }
    if let Some(keys) = request.as_object_mut() {
        if keys.get("Hostname").and_then(Value::as_str) == Some(short(id)) {
            keys.remove("Hostname");
        }
        let host = seen.pointer("/HostConfig").cloned().unwrap_or_else(|| json!({}));
        keys.insert("HostConfig".to_owned(), host);
        keys.insert("NetworkingConfig".to_owned(), json!({ "EndpointsConfig": places }));
    }
    request
}

/// A place in a network without what the engine added to it.
fn asked_for(place: &Value, id: &str) -> Value {
    let mut kept = Map::new();
    // A swarm writes the address it chose where one that was asked for would be.
    let is_swarms = place.get("NetworkID").and_then(Value::as_str).is_some_and(is_swarm_id);
    if let Some(given) = place.get("IPAMConfig").filter(|it| is_swarms && !is_empty(it)) {
        kept.insert(LiveContainer::GIVEN_ADDRESSES.to_owned(), given.clone());
    }
    for key in ASKED_FOR.into_iter().filter(|key| !(is_swarms && *key == "IPAMConfig")) {
        match place.get(key) {
            None => {}
            Some(value) if is_empty(value) => {}
            Some(value) => drop(kept.insert(key.to_owned(), value.clone())),
        }
    }
    let aliases: Vec<&Value> = place
        .get("Aliases")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|alias| alias.as_str() != Some(short(id)))
        .collect();
    if !aliases.is_empty() {
        kept.insert("Aliases".to_owned(), json!(aliases));
    }
    if let Some(mac) = asked_mac(place) {
        kept.insert("MacAddress".to_owned(), json!(mac));
    }
    Value::Object(kept)
}

/// Ids of an engine's own things are 64 hexadecimal digits, those of a swarm 25 of base 36.
fn is_swarm_id(id: &str) -> bool {
    !id.is_empty() && id.len() < 64
}

/// What the engine calls a container that was given no name in a network.
fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(keys) => keys.is_empty(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// The MAC address when somebody asked for it. The engine does not say who chose it: its own begin
/// with 02:42 and the IPv4 address, or, in later releases, with 02 and are random.
fn asked_mac(place: &Value) -> Option<&str> {
    let mac = text(place, "/MacAddress");
    let own = match address(place) {
        Some(IpAddr::V4(address)) => {
            let [a, b, c, d] = address.octets();
            format!("02:42:{a:02x}:{b:02x}:{c:02x}:{d:02x}")
        }
        _ => String::new(),
    };
    let is_random = mac.starts_with("02:") && !mac.starts_with("02:42:");
    (!mac.is_empty() && mac != own && !is_random).then_some(mac)
}

fn address(place: &Value) -> Option<IpAddr> {
    let parsed = |pointer| text(place, pointer).parse().ok();
    parsed("/IPAddress").or_else(|| parsed("/GlobalIPv6Address"))
}

#[cfg(test)]
mod tests;
