//! Turns short forms into long ones, so that every attribute has one shape from here on.

use indexmap::IndexMap;

use crate::diag::{Diagnostic, Sources, Span};
use crate::yaml::{Map, Node, Value};

use super::attribute::{Canonical, Place};
use super::budget::{self, Budget};
use super::forms;
use super::merge::started;
use super::{go, substitute};

/// What the stage reports to.
pub(super) struct Canonicalizer<'a> {
    /// The texts that spans point into.
    pub(super) sources: &'a Sources,
    /// Whether variables stand unreplaced in the document, so that short forms may be unreadable.
    pub(super) is_raw: bool,
    /// Where errors go.
    pub(super) problems: &'a mut Vec<Diagnostic>,
    /// Where warnings go.
    pub(super) warnings: &'a mut Vec<Diagnostic>,
    /// What ranges of ports are taken from.
    pub(super) budget: &'a mut Budget,
}

impl Canonicalizer<'_> {
    /// Brings `node`, which stands at `place`, and all below it into the long form.
    pub(super) fn apply(&mut self, node: &mut Node, place: &Place<'_>) {
        if place.is_plain() {
            return;
        }
        if let Some(rule) = place.attribute().and_then(|attribute| attribute.canonical) {
            self.transform(node, rule, place);
        }
        match &mut node.value {
            Value::Map(map) => {
                for (key, item) in &mut map.0 {
                    self.apply(&mut item.node, &place.key(key));
                }
            }
            Value::Seq(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.apply(item, &place.item(index));
                }
            }
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => {}
        }
    }

    fn transform(&mut self, node: &mut Node, rule: Canonical, place: &Place<'_>) {
        match rule {
            Canonical::Build => self.keyed(node, "context", place),
            Canonical::Extends => self.keyed(node, "service", place),
            Canonical::FileMount => self.keyed(node, "source", place),
            Canonical::DependsOn => self.depends_on(node, place),
            Canonical::Device => self.device(node, place),
            Canonical::EnvFile => self.env_file(node, place),
            Canonical::External => self.external(node, place),
            Canonical::Gpus => gpus(node),
            Canonical::KeyValue => self.key_value(node, place),
            Canonical::List => list(node),
            Canonical::Names => names(node),
            Canonical::Ports => self.ports(node, place),
            Canonical::Ssh => self.ssh(node, place),
            Canonical::Text => node.value = Value::Str(go::print(node)),
            Canonical::Ulimit => self.ulimit(node, place),
            Canonical::Volume => self.volume(node, place),
        }
    }

    fn problem(&mut self, span: Span, place: &Place<'_>, what: impl std::fmt::Display) {
        let message = format!("`{place}`: {what}");
        self.problems.push(Diagnostic::error("compose/bad-value", message).at(span));
    }

    fn wrong_kind(&mut self, node: &Node, place: &Place<'_>, wanted: &str) {
        let message = format!("`{place}` must be {wanted}, not {}", node.kind());
        self.problems.push(Diagnostic::error("compose/wrong-kind", message).at(node.span));
    }

    /// A string stands for a mapping with one key.
    fn keyed(&mut self, node: &mut Node, key: &'static str, place: &Place<'_>) {
        match &mut node.value {
            Value::Str(text) => {
                let text = std::mem::take(text);
                node.value = record(node.span, [(key, Value::Str(text))]);
            }
            Value::Map(_) => {}
            _ => self.wrong_kind(node, place, "a string or a mapping"),
        }
    }

    fn depends_on(&mut self, node: &mut Node, place: &Place<'_>) {
        match &mut node.value {
            Value::Seq(items) => {
                let mut map = Map::default();
                for item in std::mem::take(items) {
                    match item.value {
                        Value::Str(name) => map.insert(name, item.span, started(item.span)),
                        _ => self.wrong_kind(&item, place, "a list of strings"),
                    }
                }
                node.value = Value::Map(map);
            }
            Value::Map(map) => {
                for (name, item) in &mut map.0 {
                    let span = item.node.span;
                    let Value::Map(condition) = &mut item.node.value else {
                        self.wrong_kind(&item.node, &place.key(name), "a mapping");
                        continue;
                    };
                    default(condition, "condition", span, || Value::Str("service_started".into()));
                    default(condition, "required", span, || Value::Bool(true));
                }
            }
            _ => self.wrong_kind(node, place, "a list or a mapping"),
        }
    }

    fn device(&mut self, node: &mut Node, place: &Place<'_>) {
        match &node.value {
            Value::Map(_) => {}
            Value::Str(text) => match forms::device(text) {
                Ok(device) => {
                    node.value = record(
                        node.span,
                        [
                            ("source", Value::Str(device.source)),
                            ("target", Value::Str(device.target)),
                            ("permissions", Value::Str(device.permissions)),
                        ],
                    );
                }
                Err(_) if self.is_raw => {}
                Err(fault) => {
                    let at = substitute::inside(self.sources, node.span, text, &fault.range);
                    let text = substitute::excerpt(text).to_owned();
                    self.problem(at, place, format!("`{text}`: {fault}"));
                }
            },
            _ => self.wrong_kind(node, place, "a string or a mapping"),
        }
    }

    fn env_file(&mut self, node: &mut Node, place: &Place<'_>) {
        list(node);
        let Value::Seq(items) = &mut node.value else {
            return self.wrong_kind(node, place, "a string or a list");
        };
        for item in items {
            if let Value::Str(path) = &mut item.value {
                let path = std::mem::take(path);
                item.value = record(item.span, [("path", Value::Str(path))]);
            }
            if let Value::Map(map) = &mut item.value {
                default(map, "required", item.span, || Value::Bool(true));
            }
        }
    }

    /// `external: {name: x}` is how a name was given once.
    fn external(&mut self, node: &mut Node, place: &Place<'_>) {
        let map = match &mut node.value {
            Value::Null => return,
            Value::Map(map) => map,
            _ => return self.wrong_kind(node, place, "a mapping"),
        };
        let Some(Node { value: Value::Map(inner), span, .. }) = map.get_mut("external") else {
            return;
        };
        let (inner, span) = (std::mem::take(inner), *span);
        if let Some(external) = map.get_mut("external") {
            external.value = Value::Bool(true);
        }
        let Some(name) = inner.0.get("name") else { return };
        self.warnings.push(
            Diagnostic::warning(
                "compose/external-name",
                format!("`{place}.external.name` is deprecated"),
            )
            .at(name.key)
            .help("write `name: …` beside `external: true`"),
        );
        match map.get("name") {
            None => map.insert("name", name.key, name.node.clone()),
            Some(own) if own.value == name.node.value => {}
            Some(own) => self.problems.push(
                Diagnostic::error(
                    "compose/external-name",
                    format!("`{place}` has two names; keep `name` and write `external: true`"),
                )
                .at(own.span)
                .related(span, "the other name"),
            ),
        }
    }

    fn key_value(&mut self, node: &mut Node, place: &Place<'_>) {
        let Value::Seq(items) = &node.value else {
            if !matches!(node.value, Value::Map(_)) {
                self.wrong_kind(node, place, "a list or a mapping");
            }
            return;
        };
        let mut map = Map::default();
        for (index, item) in items.iter().enumerate() {
            let Some(text) = item.as_str() else {
                return self.wrong_kind(&item.clone(), &place.item(index), "a string");
            };
            let Some((key, value)) = text.split_once('=') else {
                if !self.is_raw {
                    let span = item.span;
                    let text = text.to_owned();
                    self.problem(span, place, format!("`{text}` is not of the form `KEY=VALUE`"));
                }
                return;
            };
            map.insert(key, item.span, Node::str(item.span, value));
        }
        node.value = Value::Map(map);
    }

    fn ports(&mut self, node: &mut Node, place: &Place<'_>) {
        let Value::Seq(items) = &mut node.value else {
            return self.wrong_kind(node, place, "a list");
        };
        let mut ports = Vec::with_capacity(items.len());
        if self.is_raw && items.iter().any(is_unreadable_port) {
            return;
        }
        for (index, item) in std::mem::take(items).into_iter().enumerate() {
            let text = match &item.value {
                Value::Map(_) => {
                    ports.push(item);
                    continue;
                }
                Value::Str(text) => text.clone(),
                Value::Int(number) => number.to_string(),
                _ => {
                    self.wrong_kind(&item, &place.item(index), "a port");
                    continue;
                }
            };
            match forms::ports(&text) {
                Ok(parsed) => {
                    let values = parsed.len() * budget::PORT;
                    if let Err(problem) = self.budget.charge(values, item.span) {
                        self.problems.extend(problem);
                        return;
                    }
                    ports.extend(parsed.into_iter().map(|port| port_node(port, item.span)));
                }
                Err(fault) => {
                    let at = substitute::inside(self.sources, item.span, &text, &fault.range);
                    let text = substitute::excerpt(&text);
                    self.problem(at, &place.item(index), format!("`{text}`: {fault}"));
                }
            }
        }
        node.value = Value::Seq(ports);
    }

    fn ssh(&mut self, node: &mut Node, place: &Place<'_>) {
        let Value::Seq(items) = &mut node.value else {
            if !matches!(node.value, Value::Map(_)) {
                self.wrong_kind(node, place, "a list or a mapping");
            }
            return;
        };
        let mut map = Map::default();
        for (index, item) in std::mem::take(items).into_iter().enumerate() {
            let Some(text) = item.as_str() else {
                self.wrong_kind(&item, &place.item(index), "a string");
                continue;
            };
            match text.split_once('=') {
                Some((id, path)) => map.insert(id, item.span, Node::str(item.span, path)),
                None if text == "default" => {
                    map.insert("default", item.span, Node::new(item.span, Value::Null));
                }
                None => self.problem(
                    item.span,
                    &place.item(index),
                    format!("`{text}` has no path: write `{text}=PATH`"),
                ),
            }
        }
        node.value = Value::Map(map);
    }

    fn ulimit(&mut self, node: &Node, place: &Place<'_>) {
        if !matches!(node.value, Value::Map(_) | Value::Int(_)) {
            self.wrong_kind(node, place, "a whole number or a mapping");
        }
    }

    fn volume(&mut self, node: &mut Node, place: &Place<'_>) {
        match &node.value {
            Value::Map(_) => {}
            Value::Str(text) => match forms::volume(text) {
                Ok(mount) => node.value = mount_value(mount, node.span),
                Err(_) if self.is_raw => {}
                Err(fault) => {
                    let at = substitute::inside(self.sources, node.span, text, &fault.range);
                    let text = substitute::excerpt(text).to_owned();
                    self.problem(at, place, format!("`{text}`: {fault}"));
                }
            },
            _ => self.wrong_kind(node, place, "a string or a mapping"),
        }
    }
}

/// A mapping of synthetic keys, all at `span`.
fn record<const N: usize>(span: Span, fields: [(&'static str, Value); N]) -> Value {
    let mut map = Map::default();
    for (key, value) in fields {
        map.insert(key, span, Node::new(span, value));
    }
    Value::Map(map)
}

/// Fills in `key` when it is missing.
pub(super) fn default(map: &mut Map, key: &str, span: Span, value: impl FnOnce() -> Value) {
    if map.get(key).is_none() {
        map.insert(key, span, Node::new(span, value()));
    }
}

fn list(node: &mut Node) {
    if let Value::Str(_) = node.value {
        node.value = Value::Seq(vec![node.clone()]);
    }
}

fn names(node: &mut Node) {
    if let Value::Seq(items) = &mut node.value {
        let mut map = Map::default();
        for item in std::mem::take(items) {
            if let Value::Str(name) = item.value {
                map.insert(name, item.span, Node::new(item.span, Value::Null));
            }
        }
        node.value = Value::Map(map);
    }
}

fn gpus(node: &mut Node) {
    if let Value::Str(_) = node.value {
        let all = record(node.span, [("count", Value::Str("all".into()))]);
        node.value = Value::Seq(vec![Node::new(node.span, all)]);
    }
}

fn is_unreadable_port(item: &Node) -> bool {
    item.as_str().is_some_and(|text| forms::ports(text).is_err())
}

fn port_node(port: forms::Port, span: Span) -> Node {
    // Ranges make thousands of these, so none has room to spare.
    let mut map = Map(IndexMap::with_capacity(5));
    let mut set = |key, value| map.insert(key, span, Node::new(span, value));
    set("mode", Value::Str(forms::PORT_MODE.into()));
    if let Some(host_ip) = port.host_ip {
        set("host_ip", Value::Str(host_ip));
    }
    // Port 0 counts as none at all, which is refused where ports are compared.
    if port.target != 0 {
        set("target", Value::Int(i64::from(port.target)));
    }
    if let Some(published) = port.published {
        set("published", Value::Str(published));
    }
    set("protocol", Value::Str(port.protocol.as_str().into()));
    Node::new(span, Value::Map(map))
}

fn mount_value(mount: forms::Mount, span: Span) -> Value {
    let mut map = Map::default();
    let mut set = |key: &str, value| map.insert(key, span, Node::new(span, value));
    set("type", Value::Str(mount.kind.as_str().into()));
    if let Some(source) = mount.source {
        set("source", Value::Str(source));
    }
    if let Some(target) = mount.target {
        set("target", Value::Str(target));
    }
    if mount.read_only {
        set("read_only", Value::Bool(true));
    }
    if let Some(bind) = mount.bind {
        let mut options = Map::default();
        let mut set = |key: &str, value| options.insert(key, span, Node::new(span, value));
        if let Some(selinux) = bind.selinux {
            set("selinux", Value::Str(selinux.as_str().into()));
        }
        if let Some(propagation) = bind.propagation {
            set("propagation", Value::Str(propagation.as_str().into()));
        }
        if bind.create_host_path {
            set("create_host_path", Value::Bool(true));
        }
        map.insert("bind", span, Node::new(span, Value::Map(options)));
    }
    if let Some(volume) = mount.volume {
        let mut options = Map::default();
        if volume.nocopy {
            options.insert("nocopy", span, Node::new(span, Value::Bool(true)));
        }
        map.insert("volume", span, Node::new(span, Value::Map(options)));
    }
    Value::Map(map)
}

/// Drops empty entries of `dns`, which the reference passes over.
pub(super) fn drop_empty_dns(document: &mut Node) {
    let Some(Node { value: Value::Map(services), .. }) =
        document.as_map_mut().and_then(|map| map.get_mut("services"))
    else {
        return;
    };
    for item in services.0.values_mut() {
        let dns = item.node.as_map_mut().and_then(|service| service.get_mut("dns"));
        if let Some(Node { value: Value::Seq(servers), .. }) = dns {
            servers.retain(|server| !server.is_null() && server.as_str() != Some(""));
        }
    }
}
