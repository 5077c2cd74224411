//! Makes explicit what a project implies: the default network, dependencies that follow from
//! sharing, names of resources, values of variables that are only named.

use std::collections::BTreeMap;

use crate::diag::Span;
use crate::files;
use crate::yaml::{Item, Map, Node, Value};

use super::canonical::default;

/// Namespaces that can be those of another service.
const SHARED_NAMESPACES: [&str; 5] = ["network_mode", "ipc", "pid", "uts", "cgroup"];

/// Resources that are named after their key and the project.
const NAMED_RESOURCES: [&str; 4] = ["networks", "volumes", "configs", "secrets"];

/// Normalises the project called `name`.
pub(super) fn normalize(document: &mut Node, name: &str, variables: &BTreeMap<String, String>) {
    let span = document.span;
    let Value::Map(root) = &mut document.value else { return };
    set(root, "name", span, Value::Str(name.to_owned()));
    default_network(root, span);
    if let Some(Node { value: Value::Map(services), .. }) = root.get_mut("services") {
        for item in services.0.values_mut() {
            let span = item.node.span;
            if let Value::Map(service) = &mut item.node.value {
                self::service(service, span, variables);
            }
        }
    }
    for section in NAMED_RESOURCES {
        if let Some(Node { value: Value::Map(resources), .. }) = root.get_mut(section) {
            for (key, item) in &mut resources.0 {
                name_resource(&mut item.node, key, name);
            }
        }
    }
}

/// Sets `key`, keeping its place when it is there already.
pub(super) fn set(map: &mut Map, key: &str, span: Span, value: Value) {
    match map.get_mut(key) {
        Some(node) => node.value = value,
        None => map.insert(key, span, Node::new(span, value)),
    }
}

/// Sets `key` before all others.
pub(super) fn set_first(map: &mut Map, key: &str, text: &str) {
    let span = map.0.values().next().map(|item| item.key);
    match map.0.get_mut(key) {
        Some(item) => item.node.value = Value::Str(text.to_owned()),
        None => {
            if let Some(span) = span {
                let item = Item { key: span, node: Node::str(span, text) };
                map.0.shift_insert(0, key.to_owned(), item);
            }
        }
    }
}

/// Services without networks are in the one called `default`, which exists when it is used.
fn default_network(root: &mut Map, span: Span) {
    let mut is_used = false;
    if let Some(Node { value: Value::Map(services), .. }) = root.get_mut("services") {
        for item in services.0.values_mut() {
            let span = item.node.span;
            let Value::Map(service) = &mut item.node.value else { continue };
            if service.get("provider").is_some() || service.get("network_mode").is_some() {
                continue;
            }
            match service.get("networks").map(|networks| &networks.value) {
                Some(Value::Map(networks)) if !networks.is_empty() => {
                    is_used |= networks.get("default").is_some();
                }
                _ => {
                    let mut networks = Map::default();
                    networks.insert("default", span, Node::new(span, Value::Null));
                    service.insert("networks", span, Node::new(span, Value::Map(networks)));
                    is_used = true;
                }
            }
        }
    }
    if !is_used {
        return;
    }
    default(root, "networks", span, || Value::Map(Map::default()));
    if let Some(networks) = root.get_mut("networks") {
        if networks.is_null() {
            networks.value = Value::Map(Map::default());
        }
        if let Value::Map(networks) = &mut networks.value {
            default(networks, "default", span, || Value::Null);
        }
    }
}

fn service(service: &mut Map, span: Span, variables: &BTreeMap<String, String>) {
    if let Some(policy) = service.get_mut("pull_policy")
        && policy.as_str() == Some("if_not_present")
    {
        policy.value = Value::Str("missing".to_owned());
    }
    if let Some(build) = service.get_mut("build") {
        self::build(build, variables);
    }
    if let Some(environment) = service.get_mut("environment") {
        look_up(environment, variables, Unset::Kept);
    }
    depend(service, span);
    if let Some(Node { value: Value::Seq(volumes), .. }) = service.get_mut("volumes") {
        for volume in volumes {
            let target = volume.as_map_mut().and_then(|volume| volume.get_mut("target"));
            if let Some(Node { value: Value::Str(target), .. }) = target {
                *target = clean_target(target);
            }
        }
    }
    inherit_image(service);
}

/// A path in a container; as `.` where nothing is left of it.
fn clean_target(target: &str) -> String {
    let clean = files::clean(target);
    if clean.is_empty() { ".".to_owned() } else { clean }
}

fn build(build: &mut Node, variables: &BTreeMap<String, String>) {
    let span = build.span;
    let Value::Map(build) = &mut build.value else { return };
    if build.get("context").is_none_or(Node::is_null) {
        set(build, "context", span, Value::Str(".".to_owned()));
    }
    let is_missing = |key| build.get(key).is_none_or(Node::is_null);
    if is_missing("dockerfile") && is_missing("dockerfile_inline") {
        set(build, "dockerfile", span, Value::Str("Dockerfile".to_owned()));
    }
    if let Some(args) = build.get_mut("args") {
        look_up(args, variables, Unset::Dropped);
    }
}

/// What becomes of a variable that is named, and that nobody sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unset {
    Kept,
    Dropped,
}

/// Gives entries without value the value of the variable they name.
fn look_up(entries: &mut Node, variables: &BTreeMap<String, String>, unset: Unset) {
    match &mut entries.value {
        Value::Seq(items) => items.retain_mut(|item| {
            let Value::Str(text) = &mut item.value else { return true };
            if text.contains('=') {
                return true;
            }
            match variables.get(text.as_str()) {
                Some(value) => *text = format!("{text}={value}"),
                None => return unset == Unset::Kept,
            }
            true
        }),
        Value::Map(map) => map.0.retain(|key, item| {
            if !item.node.is_null() {
                return true;
            }
            match variables.get(key) {
                Some(value) => item.node.value = Value::Str(value.clone()),
                None => return unset == Unset::Kept,
            }
            true
        }),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => {}
    }
}

/// Adds the services that this one shares something with to those it depends on.
fn depend(service: &mut Map, span: Span) {
    let mut implied: Vec<(String, Span, bool)> = Vec::new();
    for link in strings(service, "links") {
        let text = link.as_str().unwrap_or_default();
        let parts: Vec<&str> = text.split(':').collect();
        let target = if let [service, _alias] = parts.as_slice() { service } else { text };
        implied.push((target.to_owned(), link.span, true));
    }
    for namespace in SHARED_NAMESPACES {
        if let Some(node) = service.get(namespace)
            && let Some(target) = node.as_str().and_then(|text| text.strip_prefix("service:"))
        {
            implied.push((target.to_owned(), node.span, true));
        }
    }
    for volume in strings(service, "volumes_from") {
        let text = volume.as_str().unwrap_or_default();
        if !text.starts_with("container:") {
            let target = text.split(':').next().unwrap_or_default();
            implied.push((target.to_owned(), volume.span, false));
        }
    }
    if implied.is_empty() {
        return;
    }
    default(service, "depends_on", span, || Value::Map(Map::default()));
    let Some(Node { value: Value::Map(depends_on), .. }) = service.get_mut("depends_on") else {
        return;
    };
    for (target, span, restart) in implied {
        default(depends_on, &target, span, || {
            let mut map = Map::default();
            map.insert("condition", span, Node::str(span, "service_started"));
            map.insert("restart", span, Node::new(span, Value::Bool(restart)));
            map.insert("required", span, Node::new(span, Value::Bool(true)));
            Value::Map(map)
        });
    }
}

fn strings<'a>(service: &'a Map, key: &str) -> impl Iterator<Item = &'a Node> {
    service
        .get(key)
        .and_then(Node::as_seq)
        .unwrap_or_default()
        .iter()
        .filter(|item| item.as_str().is_some())
}

/// A step before the start runs in the image of its service.
fn inherit_image(service: &mut Map) {
    let Some(image) = service.get("image").filter(|image| image.as_str() != Some("")).cloned()
    else {
        return;
    };
    if let Some(Node { value: Value::Seq(hooks), .. }) = service.get_mut("pre_start") {
        for hook in hooks {
            if let Value::Map(hook) = &mut hook.value {
                default(hook, "image", image.span, || image.value.clone());
            }
        }
    }
}

fn name_resource(resource: &mut Node, key: &str, project: &str) {
    let span = resource.span;
    if resource.is_null() {
        resource.value = Value::Map(Map::default());
    }
    let Value::Map(map) = &mut resource.value else { return };
    if map.get("name").is_some_and(|name| !name.is_null()) {
        return;
    }
    let is_external = match map.get("external").map(|external| &external.value) {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::Str(text)) => {
            matches!(text.as_str(), "1" | "t" | "T" | "true" | "TRUE" | "True")
        }
        _ => false,
    };
    let name = if is_external { key.to_owned() } else { format!("{project}_{key}") };
    set(map, "name", span, Value::Str(name));
}
