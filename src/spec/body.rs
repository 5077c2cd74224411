//! The request to create a container: its process, and the parts that other files build.
//!
//! Attributes map as Docker Compose maps them. What this engine cannot do is refused by name: an
//! engine ignores keys it does not know, and a container would silently be another one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::host_config::host_config;
use super::keys::{Keys, object};
use super::networks::{self, Networks};
use super::{Published, Surroundings, support};
use crate::model::{ContainerSpec, HealthCheck, Identity, Nanos};

/// The request to create a container, in the shape of the engine's `POST /containers/create`.
///
/// `NetworkingConfig` names every network. An engine before 25 takes only the one that is
/// `HostConfig.NetworkMode` at creation; whoever sends the request connects the others afterwards.
///
/// `Err` has the attributes that this engine cannot be asked for, by name.
pub fn body(
    s: &Surroundings<'_>,
    spec: &ContainerSpec,
    identity: &Identity,
    published: &[Published],
) -> Result<Value, Vec<String>> {
    request(s, spec, &identity.labels(), published)
}

/// The same without the labels that say whose the container is: what can be compared with one that
/// is there.
pub fn anonymous_body(
    s: &Surroundings<'_>,
    spec: &ContainerSpec,
    published: &[Published],
) -> Result<Value, Vec<String>> {
    request(s, spec, &BTreeMap::new(), published)
}

/// Few requests, and few of their `HostConfig`s, have more keys: room for them is made at once, and
/// is just small enough for what an allocator keeps at hand.
pub(super) const KEYS: usize = 9;

fn request(
    s: &Surroundings<'_>,
    spec: &ContainerSpec,
    identity: &BTreeMap<String, String>,
    published: &[Published],
) -> Result<Value, Vec<String>> {
    let impossible = support::impossible(s, spec);
    if !impossible.is_empty() {
        return Err(impossible);
    }
    let networks = networks::networks(s, spec);
    let mut config = Keys::with_room(KEYS);
    process(&mut config, spec);
    config.put("Labels", labels(spec, identity));
    let exposed = exposed_ports(spec, published);
    let ports =
        exposed.into_iter().map(|port| (port, json!({}))).collect::<serde_json::Map<_, _>>();
    config.set("ExposedPorts", (!ports.is_empty()).then_some(Value::Object(ports)));
    let Networks { mode, mac_address, endpoints } = networks;
    config.set("MacAddress", mac_address);
    config.put("HostConfig", host_config(s, spec, mode, published));
    config.set("NetworkingConfig", endpoints.map(|all| only("EndpointsConfig", all)));
    Ok(config.done())
}

/// The user's labels, and those that say whose the container is.
fn labels(spec: &ContainerSpec, identity: &BTreeMap<String, String>) -> Value {
    if identity.is_empty() {
        return object(&spec.labels);
    }
    object(spec.labels.iter().chain(identity).collect::<BTreeMap<_, _>>())
}

/// An object of one key.
fn only(key: &str, value: Value) -> Value {
    let mut keys = Keys::with_room(1);
    keys.put(key, value);
    keys.done()
}

/// What runs, and as whom.
fn process(config: &mut Keys, spec: &ContainerSpec) {
    config
        .put("Image", spec.image.as_str())
        .set("Cmd", spec.command.clone())
        .set("Entrypoint", spec.entrypoint.as_deref().map(entrypoint))
        .list("Env", spec.env.iter().map(|(name, value)| variable(name, value.as_deref())))
        .text("User", spec.user.as_ref())
        .text("WorkingDir", spec.working_dir.as_ref())
        .text("Hostname", spec.hostname.as_ref())
        .text("Domainname", spec.domainname.as_ref())
        .set("Healthcheck", spec.healthcheck.as_ref().map(health_check))
        .text("StopSignal", spec.stop_signal.as_ref())
        .set("StopTimeout", spec.stop_grace_period.map(seconds))
        .set("OpenStdin", spec.stdin_open)
        .set("Tty", spec.tty);
}

/// The engine takes an empty list as "the image's"; one empty word clears it.
fn entrypoint(words: &[String]) -> Vec<String> {
    if words.is_empty() { vec![String::new()] } else { words.to_vec() }
}

/// A name without `=` takes the image's variable of that name away.
fn variable(name: &str, value: Option<&str>) -> String {
    value.map_or_else(|| name.to_owned(), |value| [name, "=", value].concat())
}

fn health_check(check: &HealthCheck) -> Value {
    if check.disable == Some(true) {
        return json!({ "Test": ["NONE"] });
    }
    let HealthCheck { disable: _, test, interval, timeout, retries, start_period, start_interval } =
        check;
    let mut keys = Keys::default();
    keys.list("Test", test.iter().map(String::as_str))
        .set("Interval", interval.map(|time| time.0))
        .set("Timeout", timeout.map(|time| time.0))
        .set("Retries", *retries)
        .set("StartPeriod", start_period.map(|time| time.0))
        .set("StartInterval", start_interval.map(|time| time.0));
    keys.done()
}

/// Whole seconds, rounded up: a grace below one second is not none.
fn seconds(time: Nanos) -> u64 {
    time.0.div_ceil(1_000_000_000)
}

/// Every port the container is said to listen on, as `8080/tcp`.
fn exposed_ports(spec: &ContainerSpec, published: &[Published]) -> BTreeSet<String> {
    let fixed = spec.ports.iter().map(|port| format!("{}/{}", port.target, port.protocol));
    let routed = published.iter().map(|port| format!("{}/tcp", port.container_port));
    let open = spec.expose.iter().flat_map(|text| exposed_range(text));
    fixed.chain(routed).chain(open).collect()
}

/// `8000-8002/udp` as its three ports; a text of another form is left to the engine to refuse.
fn exposed_range(text: &str) -> Vec<String> {
    let (range, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    match (first.parse::<u16>(), last.parse::<u16>()) {
        (Ok(first), Ok(last)) => {
            (first..=last).map(|port| format!("{port}/{}", protocol.to_lowercase())).collect()
        }
        _ => vec![text.to_owned()],
    }
}
