//! What a container's process has, after the engine has added what the image says.
//!
//! An inspection shows the two merged, a request only the one; merging both makes them comparable.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;

use super::fields::{items, named, says};
use crate::model::RESERVED_LABELS;

/// A value by the engine's key.
pub(super) type Named<'a> = (&'a str, &'a Value);

/// The keys of a configuration that are looked at, found in one walk over it; null for what is not
/// there.
#[derive(Clone, Copy)]
pub(super) struct Top<'a> {
    pub(super) host: &'a Value,
    pub(super) networking: &'a Value,
    pub(super) hostname: &'a Value,
    pub(super) stop_timeout: &'a Value,
    domainname: &'a Value,
    mac_address: &'a Value,
    open_stdin: &'a Value,
    tty: &'a Value,
    user: &'a Value,
    stop_signal: &'a Value,
    command: &'a Value,
    entrypoint: &'a Value,
    health_check: &'a Value,
    env: &'a Value,
    labels: &'a Value,
    exposed: &'a Value,
    volumes: &'a Value,
    working_dir: &'a Value,
}

impl<'a> Top<'a> {
    pub(super) fn of(config: &'a Value) -> Self {
        const NULL: &Value = &Value::Null;
        let mut top = Self {
            host: NULL,
            networking: NULL,
            hostname: NULL,
            stop_timeout: NULL,
            domainname: NULL,
            mac_address: NULL,
            open_stdin: NULL,
            tty: NULL,
            user: NULL,
            stop_signal: NULL,
            command: NULL,
            entrypoint: NULL,
            health_check: NULL,
            env: NULL,
            labels: NULL,
            exposed: NULL,
            volumes: NULL,
            working_dir: NULL,
        };
        for (key, value) in named(config) {
            let place = match key {
                "HostConfig" => &mut top.host,
                "NetworkingConfig" => &mut top.networking,
                "Hostname" => &mut top.hostname,
                "StopTimeout" => &mut top.stop_timeout,
                "Domainname" => &mut top.domainname,
                "MacAddress" => &mut top.mac_address,
                "OpenStdin" => &mut top.open_stdin,
                "Tty" => &mut top.tty,
                "User" => &mut top.user,
                "StopSignal" => &mut top.stop_signal,
                "Cmd" => &mut top.command,
                "Entrypoint" => &mut top.entrypoint,
                "Healthcheck" => &mut top.health_check,
                "Env" => &mut top.env,
                "Labels" => &mut top.labels,
                "ExposedPorts" => &mut top.exposed,
                "Volumes" => &mut top.volumes,
                "WorkingDir" => &mut top.working_dir,
                _ => continue,
            };
            *place = value;
        }
        top
    }
}

/// The merged parts of a container's configuration.
pub(super) struct Effective<'a> {
    /// Variables by name; one that was taken away is not there.
    pub(super) env: Vec<(&'a str, &'a str)>,
    /// Labels by name, the image's included, and ours not.
    pub(super) labels: Vec<(&'a str, &'a str)>,
    /// Ports it listens on, `8080/tcp`, less the image's.
    pub(super) exposed: BTreeSet<&'a str>,
    /// Paths of volumes without a name, less the image's.
    pub(super) volumes: BTreeSet<&'a str>,
    /// Single values and lists, by the engine's keys, which are the same in the same order for every
    /// container.
    pub(super) process: [Named<'a>; 9],
    pub(super) working_dir: Option<&'a str>,
    /// As `process`.
    pub(super) health_check: [Named<'a>; 6],
}

impl<'a> Effective<'a> {
    /// Merges as the engine does when it creates a container.
    pub(super) fn of(own: &Top<'a>, image: &Top<'a>) -> Self {
        let text = |value: &'a Value| value.as_str().filter(|text| !text.is_empty());
        let working_dir = text(own.working_dir).or_else(|| text(image.working_dir));
        let trimmed = working_dir.map(|path| path.trim_end_matches('/'));
        Self {
            env: env(own, image),
            labels: labels(own, image),
            exposed: own_keys(own.exposed, image.exposed),
            volumes: own_keys(own.volumes, image.volumes),
            process: process(own, image),
            working_dir: trimmed.filter(|path| !path.is_empty()),
            health_check: health_check(own.health_check, image.health_check),
        }
    }
}

fn env<'a>(own: &Top<'a>, image: &Top<'a>) -> Vec<(&'a str, &'a str)> {
    let variables = [image.env, own.env].into_iter().flat_map(items).filter_map(Value::as_str);
    let read = |variable: &'a str| match variable.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (variable, None),
    };
    let last = last_of_each(variables.map(read).collect());
    last.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn labels<'a>(own: &Top<'a>, image: &Top<'a>) -> Vec<(&'a str, &'a str)> {
    let labels = named(image.labels).chain(named(own.labels));
    let labels = labels.filter(|(key, _)| !RESERVED_LABELS.contains(key));
    last_of_each(labels.map(|(key, value)| (key, value.as_str().unwrap_or(""))).collect())
}

/// By their names, the last of those with one name. They are few, and most are in order.
fn last_of_each<T>(mut all: Vec<(&str, T)>) -> Vec<(&str, T)> {
    all.sort_by_key(|(name, _)| *name);
    // What is kept of equal ones is the first: the last comes to stand there.
    all.dedup_by(|next, kept| {
        let is_same = next.0 == kept.0;
        if is_same {
            std::mem::swap(next, kept);
        }
        is_same
    });
    all
}

fn own_keys<'a>(own: &'a Value, image: &Value) -> BTreeSet<&'a str> {
    named(own).map(|(name, _)| name).filter(|name| image.get(name).is_none()).collect()
}

/// What an engine ends a container with when nothing is said.
static SIGNAL: LazyLock<Value> = LazyLock::new(|| "SIGTERM".into());

fn process<'a>(own: &Top<'a>, image: &Top<'a>) -> [Named<'a>; 9] {
    let or_image = |own: &'a Value, image: &'a Value| if says(own) { own } else { image };
    let signal = or_image(own.stop_signal, image.stop_signal);
    // An entrypoint of its own makes the engine forget the image's command.
    let has = |value: &Value| !items(value).is_empty();
    let is_image = !has(own.command) && !has(own.entrypoint);
    let entrypoint = if has(own.entrypoint) { own.entrypoint } else { image.entrypoint };
    [
        ("Hostname", own.hostname),
        ("Domainname", own.domainname),
        ("MacAddress", own.mac_address),
        ("OpenStdin", own.open_stdin),
        ("Tty", own.tty),
        ("User", or_image(own.user, image.user)),
        ("StopSignal", if says(signal) { signal } else { &*SIGNAL }),
        ("Cmd", if is_image { image.command } else { own.command }),
        ("Entrypoint", if clears(entrypoint) { &Value::Null } else { entrypoint }),
    ]
}

/// One empty word is how a request clears the image's entrypoint.
fn clears(entrypoint: &Value) -> bool {
    matches!(items(entrypoint), [Value::String(word)] if word.is_empty())
}

/// Each part that is not set is the image's.
fn health_check<'a>(own: &'a Value, image: &'a Value) -> [Named<'a>; 6] {
    const NULL: &Value = &Value::Null;
    let keys = ["Test", "Interval", "Timeout", "Retries", "StartPeriod", "StartInterval"];
    let is_set = |value: &Value| says(value) || !items(value).is_empty();
    let part = |key: &str| {
        let own = own.get(key).filter(|value| is_set(value));
        own.or_else(|| image.get(key)).unwrap_or(NULL)
    };
    let check = keys.map(|key| (key, part(key)));
    // No time matters to a check that is never made.
    let is_none = items(check[0].1).first().is_some_and(|word| word == "NONE");
    check.map(|(key, value)| (key, if is_none && key != "Test" { NULL } else { value }))
}
