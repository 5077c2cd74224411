//! Networks and volumes: what outlives containers.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::differences::changed;
use super::fields::Fields;
use super::keys::{Keys, object};
use crate::model::{
    FieldDifference, Ipam, IpamPool, LiveNetwork, LiveVolume, NetworkSpec, Owner, RESERVED_LABELS,
    StackName, VolumeSpec,
};

/// The request to create a network, in the shape of the engine's `POST /networks/create`.
pub fn network_body(owner: &Owner, stack: &StackName, spec: &NetworkSpec) -> Value {
    let mut keys = Keys::default();
    keys.put("Name", spec.name.as_str())
        .put("CheckDuplicate", true)
        .text("Driver", spec.driver.as_ref())
        .pairs("Options", &spec.driver_opts)
        .put("Labels", labels(owner, stack, &spec.labels))
        .set("Attachable", is_attachable(spec))
        .set("Internal", spec.internal)
        .set("EnableIPv4", spec.enable_ipv4)
        .set("EnableIPv6", spec.enable_ipv6)
        .set("IPAM", spec.ipam.as_ref().map(ipam));
    keys.done()
}

/// What of a network is not as it is wanted. Only what the user has set is compared where the
/// engine or the driver chooses.
pub fn network_differences(want: &NetworkSpec, live: &LiveNetwork) -> Vec<FieldDifference> {
    let mut old = Fields::default();
    let mut new = Fields::default();
    let flag = |is_on: bool| is_on.then(|| "true".to_owned());
    old.set("driver", Some(live.driver.clone()));
    new.set("driver", Some(want.driver.clone().unwrap_or_else(|| live.driver.clone())));
    old.set("internal", flag(live.internal));
    new.set("internal", flag(want.internal == Some(true)));
    old.set("attachable", flag(live.attachable));
    new.set("attachable", flag(is_attachable(want) == Some(true)));
    user_pairs(&mut old, &mut new, "driver_opts", &want.driver_opts, &live.options);
    label_fields(&mut old, &mut new, &want.labels, &live.labels);
    let pools = want.ipam.iter().flat_map(|ipam| &ipam.pools);
    for subnet in pools.filter_map(|pool| pool.subnet.as_ref()) {
        let path = format!("ipam.{subnet}");
        new.set(&path, Some(subnet.clone()));
        old.set(&path, live.subnets.contains(subnet).then(|| subnet.clone()));
    }
    changed(old, new)
}

/// Plain containers can join no other overlay, and there are no others here.
fn is_attachable(spec: &NetworkSpec) -> Option<bool> {
    if spec.is_overlay() { Some(true) } else { spec.attachable }
}

/// The request to create a volume, in the shape of the engine's `POST /volumes/create`.
pub fn volume_body(owner: &Owner, stack: &StackName, spec: &VolumeSpec) -> Value {
    let mut keys = Keys::default();
    keys.put("Name", spec.name.as_str())
        .text("Driver", spec.driver.as_ref())
        .pairs("DriverOpts", &spec.driver_opts)
        .put("Labels", labels(owner, stack, &spec.labels));
    keys.done()
}

/// What of a volume is not as it is wanted.
pub fn volume_differences(want: &VolumeSpec, live: &LiveVolume) -> Vec<FieldDifference> {
    let mut old = Fields::default();
    let mut new = Fields::default();
    old.set("driver", Some(live.driver.clone()));
    new.set("driver", Some(want.driver.clone().unwrap_or_else(|| live.driver.clone())));
    user_pairs(&mut old, &mut new, "driver_opts", &want.driver_opts, &live.options);
    label_fields(&mut old, &mut new, &want.labels, &live.labels);
    changed(old, new)
}

fn labels(owner: &Owner, stack: &StackName, own: &BTreeMap<String, String>) -> Value {
    let mut labels = own.clone();
    labels.extend(owner.labels(stack));
    object(&labels)
}

/// Drivers add options of their own; so only those that are asked for are compared.
fn user_pairs(
    old: &mut Fields,
    new: &mut Fields,
    path: &str,
    want: &BTreeMap<String, String>,
    live: &BTreeMap<String, String>,
) {
    for (key, value) in want {
        new.set(&format!("{path}.{key}"), Some(value.clone()));
        old.set(&format!("{path}.{key}"), live.get(key).cloned());
    }
}

fn label_fields(
    old: &mut Fields,
    new: &mut Fields,
    want: &BTreeMap<String, String>,
    live: &BTreeMap<String, String>,
) {
    for (fields, labels) in [(old, live), (new, want)] {
        for (key, value) in
            labels.iter().filter(|(key, _)| !RESERVED_LABELS.contains(&key.as_str()))
        {
            fields.set(&format!("labels.{key}"), Some(value.clone()));
        }
    }
}

fn ipam(ipam: &Ipam) -> Value {
    let mut keys = Keys::default();
    keys.text("Driver", ipam.driver.as_ref())
        .pairs("Options", &ipam.options)
        .list("Config", ipam.pools.iter().map(pool));
    keys.done()
}

fn pool(pool: &IpamPool) -> Value {
    let mut keys = Keys::default();
    keys.text("Subnet", pool.subnet.as_ref())
        .text("Gateway", pool.gateway.as_ref())
        .text("IPRange", pool.ip_range.as_ref());
    let others: Map<String, Value> =
        pool.aux_addresses.iter().map(|(name, it)| (name.clone(), json!(it))).collect();
    keys.set("AuxiliaryAddresses", (!others.is_empty()).then_some(Value::Object(others)));
    keys.done()
}
