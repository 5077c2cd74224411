//! The state of things for programs.

use serde_json::{Value, json as value};

use super::{ProxyStatus, ReplicaStatus, Status};

/// The version of this form. The first number changes when a reader could break.
const FORMAT_VERSION: &str = "1.0";

/// Everything the table says.
pub fn json(status: &Status) -> Value {
    let unseen = status.unseen.iter().map(|(what, why)| value!({"what": what, "message": why}));
    value!({
        "format_version": FORMAT_VERSION,
        "complete": status.unseen.is_empty(),
        "compared": status.is_compared,
        "replicas": status.replicas.iter().map(replica).collect::<Vec<_>>(),
        "proxies": status.proxies.iter().map(proxy).collect::<Vec<_>>(),
        "drained": status.drained.iter()
            .map(|(host, by)| value!({"host": host, "by": by}))
            .collect::<Vec<_>>(),
        "drift": status.drift,
        "uncompared": status.uncompared.iter()
            .map(|(stack, why)| value!({"stack": stack, "message": why}))
            .collect::<Vec<_>>(),
        "errors": unseen.collect::<Vec<_>>(),
    })
}

fn replica(replica: &ReplicaStatus) -> Value {
    let ReplicaStatus {
        stack,
        service,
        slot,
        host,
        container,
        ports,
        image,
        state,
        is_well,
        routed,
        draining,
        commit,
        drift,
    } = replica;
    value!({
        "stack": stack,
        "service": service,
        "slot": slot,
        "host": host,
        "container": container,
        "ports": ports,
        "image": image,
        "state": state,
        "well": is_well,
        "routed": routed,
        "draining": draining,
        "commit": commit,
        "drift": drift,
    })
}

fn proxy(proxy: &ProxyStatus) -> Value {
    let ProxyStatus { proxy, host, version, generation, serving, obstacles } = proxy;
    value!({
        "proxy": proxy,
        "host": host,
        "version": version,
        "generation": generation,
        "serving": serving,
        "obstacles": obstacles,
    })
}
