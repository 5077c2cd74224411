//! A container's or an image's configuration in the engine's words. A fleet has few different ones,
//! so that they are kept once and know a fingerprint of themselves and the ports they publish.

use std::fmt;
use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::Endpoint;
use super::canonical::{canonical_into, canonical_without};

/// A configuration in the engine's words. Copies share their memory until one is changed: the
/// replicas of a fleet have few different ones.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(from = "Value", into = "Value")]
pub struct Config(Arc<Kept>);

#[derive(Default)]
struct Kept {
    value: Value,
    /// Made when it is first asked for; a copy that is changed makes its own.
    found: OnceLock<Found>,
}

/// What is asked of a configuration again and again: found once and kept.
struct Found {
    /// The fingerprint of all of it.
    all: [u8; 32],
    /// The fingerprint of all but the ports of the host.
    portless: [u8; 32],
    bindings: Box<[Binding]>,
    told: Told,
}

/// How much of the ports of the host that a configuration has its [`Config::bindings`] tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It has none, not even an empty list of them.
    Nothing,
    /// All, word for word.
    All,
    /// Not all: ports of another protocol, ranges, no address, or another spelling or order.
    Some,
}

/// A TCP port of a container and where its host publishes it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Binding {
    /// The port inside.
    pub container_port: u16,
    /// The place on the host.
    pub at: Endpoint,
}

/// Where the ports of the host are: what replicas of a service differ in.
const PORTS: [&str; 2] = ["HostConfig", "PortBindings"];

impl Found {
    fn of(value: &Value) -> Self {
        let mut text = String::new();
        canonical_without(value, &PORTS, &mut text);
        let portless: [u8; 32] = Sha256::digest(&text).into();
        text.clear();
        let ports = PORTS.iter().try_fold(value, |value, key| value.get(key));
        if let Some(ports) = ports {
            canonical_into(ports, &mut text);
        }
        let all = Sha256::new().chain_update(portless).chain_update(text);
        let bindings = ports.map(bindings).unwrap_or_default();
        let told = match ports.and_then(Value::as_object) {
            None => Told::Nothing,
            Some(ports) if are_all(&bindings, ports) => Told::All,
            Some(_) => Told::Some,
        };
        Self { all: all.finalize().into(), portless, bindings, told }
    }
}

/// The TCP ports of a `PortBindings`, in their order and each once.
fn bindings(ports: &Value) -> Box<[Binding]> {
    let mut found = Vec::new();
    for (port, places) in ports.as_object().into_iter().flatten() {
        let Some(container_port) = tcp_port(port) else { continue };
        for place in places.as_array().into_iter().flatten() {
            let text = |key: &str| place.get(key).and_then(Value::as_str).unwrap_or_default();
            let Ok(port) = text("HostPort").parse() else { continue };
            let address = text("HostIp").parse().unwrap_or(IpAddr::from([0, 0, 0, 0]));
            found.push(Binding { container_port, at: Endpoint { address, port } });
        }
    }
    found.sort_unstable();
    found.dedup();
    found.into()
}

/// Whether some bindings, written as engines write them, are all that a `PortBindings` has.
fn are_all(bindings: &[Binding], ports: &Map<String, Value>) -> bool {
    let each = bindings.chunk_by(|a, b| a.container_port == b.container_port);
    let is_there = |some: &[Binding]| {
        let places = ports.get(&format!("{}/tcp", some[0].container_port));
        let Some(places) = places.and_then(Value::as_array) else { return false };
        let is_place = |(place, Binding { at, .. }): (&Value, &Binding)| {
            let says = |key: &str, text: String| place.get(key).is_some_and(|it| *it == text);
            place.as_object().is_some_and(|place| place.len() == 2)
                && says("HostIp", at.address.to_string())
                && says("HostPort", at.port.to_string())
        };
        places.len() == some.len() && places.iter().zip(some).all(is_place)
    };
    each.clone().count() == ports.len() && each.into_iter().all(is_there)
}

fn tcp_port(text: &str) -> Option<u16> {
    match text.split_once('/') {
        Some((port, "tcp")) => port.parse().ok(),
        Some(_) => None,
        None => text.parse().ok(),
    }
}

impl Config {
    /// Whether both are the same piece of memory, and so equal without a look.
    pub fn is_shared_with(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// SHA-256 of all of it, whatever the order of its keys: equal for what is equal.
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.found().all
    }

    /// The TCP ports that a container publishes, or would when it runs, in their order.
    pub fn bindings(&self) -> &[Binding] {
        &self.found().bindings
    }

    /// How much of its ports of the host those are.
    pub fn told(&self) -> Told {
        self.found().told
    }

    /// Whether both are the same but for the ports of the host.
    pub fn is_equal_but_for_ports(&self, other: &Self) -> bool {
        self.found().portless == other.found().portless
    }

    fn found(&self) -> &Found {
        self.0.found.get_or_init(|| Found::of(&self.0.value))
    }
}

impl Clone for Kept {
    fn clone(&self) -> Self {
        self.value.clone().into()
    }
}

impl From<Value> for Kept {
    fn from(value: Value) -> Self {
        Self { value, found: OnceLock::new() }
    }
}

impl From<Value> for Config {
    fn from(value: Value) -> Self {
        Self(Arc::new(value.into()))
    }
}

impl From<Config> for Value {
    fn from(config: Config) -> Self {
        Arc::unwrap_or_clone(config.0).value
    }
}

impl Deref for Config {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0.value
    }
}

impl DerefMut for Config {
    fn deref_mut(&mut self) -> &mut Value {
        let kept = Arc::make_mut(&mut self.0);
        kept.found = OnceLock::new();
        &mut kept.value
    }
}

impl PartialEq for Config {
    fn eq(&self, other: &Self) -> bool {
        self.is_shared_with(other) || **self == **other
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Config").field(&**self).finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fingerprint_does_not_depend_on_the_order_of_keys() {
        let config = |value: Value| Config::from(value);
        let (one, other) = (config(json!({"a": 1, "b": 2})), config(json!({"b": 2, "a": 1})));
        assert_eq!(one.fingerprint(), other.fingerprint());
        assert_ne!(one.fingerprint(), config(json!({"a": 1, "b": "2"})).fingerprint());
    }

    #[test]
    fn any_port_makes_another_fingerprint_and_only_ports_are_nothing_to_what_is_equal_without() {
        let with = |ports: Value| json!({"Image": "a", "HostConfig": {"PortBindings": ports}});
        let one = Config::from(with(json!({"80/tcp": [{"HostPort": "1"}]})));
        let others = [
            with(json!({"80/tcp": [{"HostPort": "2"}]})),
            with(json!({})),
            with(Value::Null),
            json!({"Image": "a", "HostConfig": {}}),
        ];
        for other in others.map(Config::from) {
            assert_ne!(one.fingerprint(), other.fingerprint(), "{other:?}");
            assert!(one.is_equal_but_for_ports(&other), "{other:?}");
        }
        let others = [
            json!({"Image": "b", "HostConfig": {}}),
            json!({"Image": "a", "HostConfig": {"Memory": 1}}),
            json!({"Image": "a", "HostConfig": {}, "PortBindings": 1}),
            json!({"Image": "a"}),
            json!(["a"]),
        ];
        for other in others.map(Config::from) {
            assert!(!one.is_equal_but_for_ports(&other), "{other:?}");
        }
    }

    #[test]
    fn ports_are_those_of_tcp_each_once_and_in_their_order() {
        let place = |ip: &str, port: &str| json!({"HostIp": ip, "HostPort": port});
        let ports = json!({
            "90/tcp": [place("10.0.0.1", "9"), place("", "8"), place("10.0.0.1", "9")],
            "80": [place("::", "7")],
            "53/udp": [place("", "53")],
            "70/tcp": [place("", ""), place("", "1-2")],
            "60/tcp": null,
        });
        let config = Config::from(json!({"HostConfig": {"PortBindings": ports}}));
        let shown =
            |it: &Binding| format!("{} {} {}", it.container_port, it.at.address, it.at.port);
        let shown: Vec<_> = config.bindings().iter().map(shown).collect();
        assert_eq!(shown, ["80 :: 7", "90 0.0.0.0 8", "90 10.0.0.1 9"]);
        assert!(Config::default().bindings().is_empty());
    }

    #[test]
    fn bindings_are_all_of_the_ports_only_where_nothing_else_is_said() {
        let place = |ip: &str, port: &str| json!({"HostIp": ip, "HostPort": port});
        let told =
            |ports: Value| Config::from(json!({"HostConfig": {"PortBindings": ports}})).told();
        let two = json!([place("10.0.0.1", "8"), place("10.0.0.1", "9")]);
        for all in [json!({}), json!({"80/tcp": two, "9/tcp": [place("::1", "1")]})] {
            assert_eq!(told(all.clone()), Told::All, "{all}");
        }
        for nothing in [Value::Null, json!([])] {
            assert_eq!(told(nothing.clone()), Told::Nothing, "{nothing}");
        }
        assert_eq!(Config::default().told(), Told::Nothing);
        let one = || place("10.0.0.1", "8");
        for some in [
            json!({"80/udp": [one()]}),
            json!({"80": [one()]}),
            json!({"080/tcp": [one()]}),
            json!({"80/tcp": null}),
            json!({"80/tcp": []}),
            json!({"80/tcp": [one(), one()]}),
            json!({"80/tcp": [place("10.0.0.1", "9"), one()]}),
            json!({"80/tcp": [place("", "8")]}),
            json!({"80/tcp": [place("10.0.0.1", "08")]}),
            json!({"80/tcp": [place("0:0::1", "8")]}),
            json!({"80/tcp": [place("10.0.0.1", "8-9")]}),
            json!({"80/tcp": [one(), "x"]}),
            json!({"80/tcp": [{"HostIp": "10.0.0.1", "HostPort": "8", "More": 1}]}),
            json!({"80/tcp": [one()], "53/udp": [one()]}),
        ] {
            assert_eq!(told(some.clone()), Told::Some, "{some}");
        }
    }

    #[test]
    fn what_is_changed_has_another_fingerprint_and_its_copies_keep_theirs() {
        let one = Config::from(json!({"a": 1}));
        let before = *one.fingerprint();
        let mut copy = one.clone();
        copy["a"] = json!(2);
        assert_ne!(*copy.fingerprint(), before);
        assert_eq!(*one.fingerprint(), before);
        copy["a"] = json!(1);
        assert_eq!(*copy.fingerprint(), before);
    }
}
