//! How a container is attached to networks: which ones, under which names, with which addresses.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Surroundings;
use super::keys::Keys;
use crate::model::{ContainerSpec, NetworkAttachment};

/// The driver option that names an interface.
const INTERFACE_NAME: &str = "com.docker.network.endpoint.ifname";

/// The parts of a request that are about networks.
pub(super) struct Networks {
    /// `HostConfig.NetworkMode`; `None` leaves it to the engine.
    pub(super) mode: Option<String>,
    /// The container's own hardware address, for engines that have no other place for it.
    pub(super) mac_address: Option<String>,
    /// `NetworkingConfig.EndpointsConfig`.
    pub(super) endpoints: Option<Value>,
}

pub(super) fn networks(s: &Surroundings<'_>, spec: &ContainerSpec) -> Networks {
    let by_endpoint = super::support::has(s.engine, super::support::MAC_BY_ENDPOINT);
    if let Some(mode) = &spec.network_mode {
        let mac_address = spec.mac_address.clone();
        return Networks { mode: Some(mode.clone()), mac_address, endpoints: None };
    }
    let order = by_priority(spec);
    let mut mac_address = None;
    let mut endpoints = Map::new();
    for (index, (key, attachment)) in order.iter().enumerate() {
        let mut mac = attachment.mac_address.clone();
        if index == 0 {
            mac = mac.or_else(|| spec.mac_address.clone());
            if !by_endpoint {
                mac_address = mac.take();
            }
        }
        let endpoint = endpoint(s, spec, attachment, mac);
        endpoints.insert(network_name(s, key), endpoint);
    }
    Networks {
        mode: order.first().map(|(key, _)| network_name(s, key)),
        mac_address,
        endpoints: (!endpoints.is_empty()).then_some(Value::Object(endpoints)),
    }
}

/// The network's name on the engine.
fn network_name(s: &Surroundings<'_>, key: &str) -> String {
    s.target.networks.get(key).map_or_else(|| key.to_owned(), |network| network.name.clone())
}

/// Higher priorities first, then by name, as Compose attaches them.
fn by_priority(spec: &ContainerSpec) -> Vec<(&str, &NetworkAttachment)> {
    let mut order: Vec<_> = spec.networks.iter().map(|(key, it)| (key.as_str(), it)).collect();
    order.sort_by_key(|(_, it)| std::cmp::Reverse(it.priority.unwrap_or(0)));
    order
}

fn endpoint(
    s: &Surroundings<'_>,
    spec: &ContainerSpec,
    attachment: &NetworkAttachment,
    mac_address: Option<String>,
) -> Value {
    let mut ipam = Keys::default();
    ipam.text("IPv4Address", attachment.ipv4_address.as_ref())
        .text("IPv6Address", attachment.ipv6_address.as_ref())
        .list("LinkLocalIPs", attachment.link_local_ips.iter().map(String::as_str));
    let mut driver_opts = attachment.driver_opts.clone();
    if let Some(name) = &attachment.interface_name {
        driver_opts.insert(INTERFACE_NAME.to_owned(), name.clone());
    }
    let mut endpoint = Keys::default();
    endpoint
        .list("Aliases", aliases(s, spec, attachment))
        .list("Links", spec.external_links.iter().map(|link| external_link(link)))
        .object("IPAMConfig", ipam)
        .set("MacAddress", mac_address)
        .pairs("DriverOpts", &driver_opts)
        .set("GwPriority", attachment.gw_priority);
    endpoint.done()
}

/// Every replica answers to its service's name, as with Compose.
fn aliases<'a>(
    s: &Surroundings<'a>,
    spec: &'a ContainerSpec,
    attachment: &'a NetworkAttachment,
) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    spec.container_name
        .as_deref()
        .into_iter()
        .chain([s.service.as_str()])
        .chain(attachment.aliases.iter().map(String::as_str))
        .filter(|alias| seen.insert(*alias))
        .collect()
}

/// `NAME:ALIAS`; a name alone is its own alias.
fn external_link(link: &str) -> String {
    if link.contains(':') { link.to_owned() } else { format!("{link}:{link}") }
}
