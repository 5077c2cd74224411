//! Limits that can be given in two places, and numbers of containers.

use crate::diag::Diagnostic;
use crate::yaml::{Node, Value};

/// Attributes of a service and where `deploy.resources` has the same.
const TWICE: [(&str, &str, &str); 4] = [
    ("cpus", "limits", "cpus"),
    ("mem_limit", "limits", "memory"),
    ("mem_reservation", "reservations", "memory"),
    ("pids_limit", "limits", "pids"),
];

/// Checks the limits and scale of the service called `name`.
pub(super) fn check(name: &str, service: &Node, problems: &mut Vec<Diagnostic>) {
    let resources = service.get("deploy").and_then(|deploy| deploy.get("resources"));
    for (key, group, twin) in TWICE {
        let Some(own) = service.get(key) else { continue };
        let Some(group_node) = resources.and_then(|resources| resources.get(group)) else {
            continue;
        };
        let other = group_node.get(twin);
        if other.map(|other| &other.value) != Some(&own.value) {
            problems.push(
                Diagnostic::error(
                    "compose/contradiction",
                    format!(
                        "`services.{name}`: `{key}` and `deploy.resources.{group}.{twin}` differ"
                    ),
                )
                .at(own.span)
                .related(other.unwrap_or(group_node).span, "the other value"),
            );
        }
    }
    scale(name, service, problems);
}

fn scale(name: &str, service: &Node, problems: &mut Vec<Diagnostic>) {
    let scale = service.get("scale");
    let replicas = service.get("deploy").and_then(|deploy| deploy.get("replicas"));
    if let (Some(scale), Some(replicas)) = (scale, replicas)
        && scale.value != replicas.value
    {
        let message = format!("`services.{name}`: `scale` and `deploy.replicas` differ");
        problems.push(
            Diagnostic::error("compose/contradiction", message)
                // What was said later is more likely to be the slip.
                .at(scale.span.max(replicas.span))
                .related(scale.span.min(replicas.span), "the other value"),
        );
    }
    for (key, node) in [("scale", scale), ("deploy.replicas", replicas)] {
        let Some(node) = node else { continue };
        if matches!(node.value, Value::Int(..0)) {
            let message = format!("`services.{name}.{key}` is below 0");
            problems.push(Diagnostic::error("compose/out-of-range", message).at(node.span));
        }
    }
    if let (Some(count), Some(container)) = (scale.or(replicas), service.get("container_name"))
        && matches!(count.value, Value::Int(2..))
    {
        problems.push(
            Diagnostic::error(
                "compose/container-name",
                format!("`services.{name}` has a `container_name`, so it can run only once"),
            )
            .at(container.span)
            .related(count.span, "more than one is asked for"),
        );
    }
}

/// `deploy.replicas` is the same as `scale`, which goes first.
pub(super) fn replicas_follow_scale(service: &mut Node) {
    let Some(scale) = service.get("scale").cloned() else { return };
    let deploy = service.as_map_mut().and_then(|service| service.get_mut("deploy"));
    if let Some(Node { value: Value::Map(deploy), .. }) = deploy
        && deploy.get("replicas").is_none()
    {
        deploy.insert("replicas", scale.span, scale);
    }
}
