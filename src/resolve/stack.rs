//! Networks and volumes of a stack.

use serde_json::Value;

use super::fields::Fields;
use crate::model::{Ipam, IpamPool, NetworkSpec, VolumeSpec};

/// A network of the canonical model.
pub(super) fn network(value: &Value) -> NetworkSpec {
    let network = Fields::of(value);
    NetworkSpec {
        name: network.text("name").unwrap_or_default(),
        external: network.flag("external").filter(|external| *external),
        driver: network.text("driver"),
        driver_opts: network.pairs("driver_opts"),
        labels: network.pairs("labels"),
        attachable: network.flag("attachable"),
        internal: network.flag("internal"),
        enable_ipv4: network.flag("enable_ipv4"),
        enable_ipv6: network.flag("enable_ipv6"),
        ipam: ipam(network.fields("ipam")),
    }
}

fn ipam(ipam: Fields<'_>) -> Option<Ipam> {
    let pools = ipam
        .list("config")
        .iter()
        .map(|pool| {
            let pool = Fields::of(pool);
            IpamPool {
                subnet: pool.text("subnet"),
                gateway: pool.text("gateway"),
                ip_range: pool.text("ip_range"),
                aux_addresses: pool.pairs("aux_addresses"),
            }
        })
        .collect();
    let ipam = Ipam { driver: ipam.text("driver"), options: ipam.pairs("options"), pools };
    (ipam != Ipam::default()).then_some(ipam)
}

/// A volume of the canonical model.
pub(super) fn volume(value: &Value) -> VolumeSpec {
    let volume = Fields::of(value);
    VolumeSpec {
        name: volume.text("name").unwrap_or_default(),
        external: volume.flag("external").filter(|external| *external),
        driver: volume.text("driver"),
        driver_opts: volume.pairs("driver_opts"),
        labels: volume.pairs("labels"),
    }
}
