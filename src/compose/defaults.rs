//! Fills in what a long form may leave out, and refuses values that exclude each other.
//!
//! Runs once all files of a project, or of an include, are merged.

use crate::diag::Diagnostic;
use crate::yaml::{Map, Node, Value};

use super::attribute::{DefaultValue, Place};
use super::canonical::default;
use super::go;

/// Adds missing keys below `node`.
pub(super) fn fill(node: &mut Node, place: &Place<'_>) {
    if place.is_plain() {
        return;
    }
    let span = node.span;
    let rule = place.attribute().and_then(|attribute| attribute.default);
    match &mut node.value {
        Value::Map(map) => {
            if let Some(rule) = rule {
                fill_one(map, rule, span);
            }
            for (key, item) in &mut map.0 {
                fill(&mut item.node, &place.key(key));
            }
        }
        Value::Seq(items) => {
            for (index, item) in items.iter_mut().enumerate() {
                fill(item, &place.item(index));
            }
        }
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => {}
    }
}

fn fill_one(map: &mut Map, rule: DefaultValue, span: crate::diag::Span) {
    let text = |text: &str| Value::Str(text.to_owned());
    match rule {
        DefaultValue::BindOptions => default(map, "create_host_path", span, || Value::Bool(true)),
        DefaultValue::BuildContext => default(map, "context", span, || text(".")),
        DefaultValue::DeviceRequest => {
            if map.get("device_ids").is_none() {
                default(map, "count", span, || text("all"));
            }
        }
        DefaultValue::Port => {
            default(map, "protocol", span, || text("tcp"));
            default(map, "mode", span, || text("ingress"));
        }
        DefaultValue::SecretMount => {
            let source = map.get("source").map_or_else(|| "%!s(<nil>)".to_owned(), go::print);
            default(map, "target", span, || Value::Str(format!("/run/secrets/{source}")));
        }
    }
}

/// Reports values that exclude each other.
pub(super) fn check(document: &Node, problems: &mut Vec<Diagnostic>) {
    for (name, volume) in section(document, "volumes") {
        external_stands_alone(&format!("volumes.{name}"), volume, problems);
    }
    for (name, config) in section(document, "configs") {
        one_source(
            &format!("configs.{name}"),
            config,
            &["file", "environment", "content"],
            problems,
        );
    }
    for (name, secret) in section(document, "secrets") {
        one_source(&format!("secrets.{name}"), secret, &["file", "environment"], problems);
    }
    for (name, service) in section(document, "services") {
        check_service(name, service, problems);
    }
}

fn section<'a>(document: &'a Node, key: &str) -> impl Iterator<Item = (&'a str, &'a Node)> {
    document
        .get(key)
        .and_then(Node::as_map)
        .into_iter()
        .flat_map(Map::iter)
        .map(|(name, item)| (name, &item.node))
}

fn external_stands_alone(name: &str, volume: &Node, problems: &mut Vec<Diagnostic>) {
    let Some(map) = volume.as_map() else { return };
    if map.get("external").map(|external| &external.value) != Some(&Value::Bool(true)) {
        return;
    }
    for (key, item) in map.iter() {
        if !matches!(key, "name" | "external") && !key.starts_with("x-") {
            problems.push(
                Diagnostic::error(
                    "compose/external",
                    format!("`{name}` is external and kept elsewhere: `{key}` cannot be set here"),
                )
                .at(item.key)
                .help(format!("remove `{key}` or `external`")),
            );
        }
    }
}

fn one_source(name: &str, node: &Node, keys: &[&str], problems: &mut Vec<Diagnostic>) {
    let Some(map) = node.as_map() else { return };
    let given: Vec<&str> = keys.iter().copied().filter(|key| map.get(key).is_some()).collect();
    let listed =
        |keys: &[&str]| keys.iter().map(|key| format!("`{key}`")).collect::<Vec<_>>().join(", ");
    match given.as_slice() {
        [] if map.get("driver").is_none() && map.get("external").is_none() => problems.push(
            Diagnostic::error(
                "compose/no-source",
                format!("`{name}` needs one of {} or `external`", listed(keys)),
            )
            .at(node.span),
        ),
        [] | [_] => {}
        several => problems.push(
            Diagnostic::error(
                "compose/exclusive",
                format!("`{name}` has {}; only one of them can be given", listed(several)),
            )
            .at(node.span),
        ),
    }
}

fn check_service(name: &str, service: &Node, problems: &mut Vec<Diagnostic>) {
    let items = |path: &[&str]| -> Vec<&Node> {
        let mut node = Some(service);
        for key in path {
            node = node.and_then(|node| node.get(key));
        }
        node.and_then(Node::as_seq).map(|items| items.iter().collect()).unwrap_or_default()
    };
    for (index, port) in items(&["ports"]).into_iter().enumerate() {
        let Some(host_ip) = port.get("host_ip") else { continue };
        let is_address =
            host_ip.as_str().is_some_and(|text| text.parse::<std::net::IpAddr>().is_ok());
        if !is_address {
            let message = format!(
                "`services.{name}.ports[{index}].host_ip`: `{}` is no IP address",
                go::print(host_ip)
            );
            problems.push(Diagnostic::error("compose/bad-value", message).at(host_ip.span));
        }
    }
    for (index, watch) in items(&["develop", "watch"]).into_iter().enumerate() {
        if let Some(path) = watch.get("path").filter(|path| path.as_str() == Some("")) {
            let message = format!("`services.{name}.develop.watch[{index}].path` is empty");
            problems.push(Diagnostic::error("compose/bad-value", message).at(path.span));
        }
    }
    let requests = items(&["gpus"]).into_iter().chain(items(&[
        "deploy",
        "resources",
        "reservations",
        "devices",
    ]));
    for request in requests {
        if let (Some(_), Some(ids)) = (request.get("count"), request.get("device_ids")) {
            let message =
                format!("`services.{name}`: a device request has either `count` or `device_ids`");
            problems.push(Diagnostic::error("compose/exclusive", message).at(ids.span));
        }
    }
}
