//! Ports of a request or an inspection as fields.

use std::collections::BTreeSet;

use serde_json::Value;

use super::fields::{Fields, items, pairs};

/// `ports.8080/tcp` with the places on the host, `expose.8080/tcp` without one.
pub(super) fn ports(fields: &mut Fields, host: &Value, exposed: &BTreeSet<&str>) {
    let mut bound = BTreeSet::new();
    for (port, places) in pairs(&host["PortBindings"]) {
        let place = |binding: &Value| {
            let part = |key: &str| binding[key].as_str().unwrap_or_default().to_owned();
            match (part("HostIp"), part("HostPort")) {
                (address, port) if address.is_empty() => port,
                (address, port) => format!("{address}:{port}"),
            }
        };
        let mut places: Vec<String> = items(places).iter().map(place).collect();
        places.sort_unstable();
        bound.insert(port.as_str());
        fields.put(format!("ports.{port}"), places.join(", "));
    }
    for port in exposed.difference(&bound) {
        fields.put(format!("expose.{port}"), "open");
    }
}
