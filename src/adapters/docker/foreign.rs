//! What others occupy on a host: names of containers and TCP ports.
//!
//! A container that does not run takes its ports when it is started again, so they count too.

use std::collections::{BTreeMap, BTreeSet};

use bollard::models::{ContainerSummary, ContainerSummaryStateEnum, PortSummaryTypeEnum};
use serde_json::Value;

use super::live::text;
use super::survey::name_of;
use crate::model::{Foreign, LiveContainer};

/// Whether a listed container holds its ports now.
pub(super) fn is_running(listed: &ContainerSummary) -> bool {
    matches!(
        listed.state,
        Some(
            ContainerSummaryStateEnum::RUNNING
                | ContainerSummaryStateEnum::PAUSED
                | ContainerSummaryStateEnum::RESTARTING
        )
    )
}

/// What is not ours, out of the lists of all containers, a detailed look at those of others that do
/// not run, and the ports that processes listen on. What our own containers publish, or will, is
/// not foreign.
pub(super) fn foreign(
    ours: &[ContainerSummary],
    others: &[ContainerSummary],
    containers: &BTreeMap<String, LiveContainer>,
    resting: &[Value],
    listening: &BTreeSet<u16>,
) -> Foreign {
    let mut foreign = Foreign::default();
    for other in others {
        let Some(name) = name_of(other) else { continue };
        foreign.names.insert(name.to_owned());
        for port in published(other) {
            foreign.ports.insert(port, format!("container {name}"));
        }
    }
    for seen in resting {
        let name = text(seen, "/Name").trim_start_matches('/');
        for port in bound(seen) {
            foreign.ports.entry(port).or_insert_with(|| format!("container {name}"));
        }
    }
    let mut own: BTreeSet<u16> = ours.iter().flat_map(published).collect();
    own.extend(containers.values().flat_map(|container| bound(&container.config)));
    for port in listening.difference(&own) {
        foreign.ports.entry(*port).or_insert_with(|| "a process of the host".to_owned());
    }
    foreign
}

/// The TCP ports of the host that a container holds now.
fn published(listed: &ContainerSummary) -> Vec<u16> {
    let ports = listed.ports.iter().flatten();
    let tcp = ports.filter(|port| port.typ == Some(PortSummaryTypeEnum::TCP));
    tcp.filter_map(|port| port.public_port).collect()
}

/// The TCP ports of the host that a container asks for.
fn bound(seen: &Value) -> Vec<u16> {
    let bindings = seen.pointer("/HostConfig/PortBindings").and_then(Value::as_object);
    let tcp = bindings.into_iter().flatten().filter(|(port, _)| port.ends_with("/tcp"));
    tcp.flat_map(|(_, at)| at.as_array().into_iter().flatten())
        .filter_map(|at| text(at, "/HostPort").parse().ok())
        .filter(|port| *port != 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_that_rests_keeps_its_ports() {
        let resting = serde_json::json!({"Name": "/db", "HostConfig": {"PortBindings": {
            "5432/tcp": [{"HostIp": "", "HostPort": "5432"}],
            "53/udp": [{"HostPort": "53"}],
            "80/tcp": [{"HostPort": ""}],
        }}});
        let seen = foreign(&[], &[], &BTreeMap::new(), &[resting], &BTreeSet::from([80]));
        let ports: Vec<(u16, &str)> =
            seen.ports.iter().map(|(port, whose)| (*port, whose.as_str())).collect();
        assert_eq!(ports, [(80, "a process of the host"), (5432, "container db")]);
    }
}
