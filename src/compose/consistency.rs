//! Checks that what a project refers to is there, and that its values do not contradict each
//! other.
//!
//! Works on the bound project; only services whose profiles are on are looked at.

mod cycle;
mod limits;

use std::collections::BTreeMap;

use crate::diag::{Diagnostic, Span};
use crate::yaml::{Map, Node, Value};

use super::bind::EXTENSIONS;
use super::select::Selection;

/// Checks all services and resources. Where `scale` is given, `deploy.replicas` follows it.
pub(super) fn check(project: &Map, selection: &mut Selection, problems: &mut Vec<Diagnostic>) {
    for (name, item) in selection.enabled.iter() {
        let mut checker =
            Checker { project, selection, name, key: item.key, service: &item.node, problems };
        checker.service();
    }
    for (name, item) in resources(project, "secrets") {
        let is_given = |key| item.node.get(key).is_some();
        if !is_given("external") && !is_given("file") && !is_given("environment") {
            problems.push(
                Diagnostic::error(
                    "compose/no-source",
                    format!("`secrets.{name}` needs `file` or `environment`"),
                )
                .at(item.node.span),
            );
        }
    }
    cycle::check(&selection.enabled, problems);
    for item in selection.enabled.0.values_mut() {
        limits::replicas_follow_scale(&mut item.node);
    }
}

/// Checks that no two services want the same name for their container.
pub(super) fn check_container_names(services: &Map, problems: &mut Vec<Diagnostic>) {
    let mut names: BTreeMap<&str, (&str, Span)> = BTreeMap::new();
    for (service, item) in services.iter() {
        let Some(node) = item.node.get("container_name") else { continue };
        let Some(name) = node.as_str() else { continue };
        match names.get(name) {
            Some((first, span)) => problems.push(
                Diagnostic::error(
                    "compose/container-name",
                    format!("`{service}` and `{first}` both call their container `{name}`"),
                )
                .at(node.span)
                .related(*span, "first here"),
            ),
            None => {
                names.insert(name, (service, node.span));
            }
        }
    }
}

fn resources<'a>(
    project: &'a Map,
    section: &str,
) -> impl Iterator<Item = (&'a str, &'a crate::yaml::Item)> {
    project.get(section).and_then(Node::as_map).into_iter().flat_map(Map::iter)
}

struct Checker<'a> {
    project: &'a Map,
    selection: &'a Selection,
    name: &'a str,
    key: Span,
    service: &'a Node,
    problems: &'a mut Vec<Diagnostic>,
}

impl<'a> Checker<'a> {
    fn service(&mut self) {
        self.has_image();
        self.build();
        self.networks();
        self.health();
        self.dependencies();
        self.references();
        self.watch();
        self.mounts();
        limits::check(self.name, self.service, self.problems);
    }

    fn get(&self, key: &str) -> Option<&'a Node> {
        self.service.get(key)
    }

    fn text(&self, key: &str) -> &'a str {
        self.get(key).and_then(Node::as_str).unwrap_or_default()
    }

    fn items(&self, key: &str) -> &'a [Node] {
        self.get(key).and_then(Node::as_seq).unwrap_or_default()
    }

    fn problem(&mut self, rule: &'static str, span: Span, message: String) {
        self.problems.push(Diagnostic::error(rule, message).at(span));
    }

    fn has_image(&mut self) {
        let is_given = ["build", "image", "provider"].iter().any(|key| self.get(key).is_some());
        if !is_given && !self.is_broken() {
            let message = format!("`services.{}` has neither `image` nor `build`", self.name);
            self.problem("compose/no-image", self.key, message);
        }
    }

    /// Whether something in the service was wrong before: what it lacks may be just that.
    fn is_broken(&self) -> bool {
        let Span { source, start, end } = self.service.span;
        self.problems
            .iter()
            .filter_map(|problem| problem.primary.as_ref())
            .any(|label| label.span.source == source && (start..=end).contains(&label.span.start))
    }

    fn build(&mut self) {
        let Some(build) = self.get("build") else { return };
        let name = self.name;
        if let (Some(_), Some(inline)) = (build.get("dockerfile"), build.get("dockerfile_inline")) {
            let message =
                format!("`services.{name}.build` has both `dockerfile` and `dockerfile_inline`");
            self.problem("compose/exclusive", inline.span, message);
        }
        let contexts = build.get("additional_contexts").and_then(Node::as_map);
        for (context, item) in contexts.into_iter().flat_map(Map::iter) {
            let Some(target) = item.node.as_str().and_then(|text| text.strip_prefix("service:"))
            else {
                continue;
            };
            let span = item.node.span;
            match self.selection.enabled.get(target) {
                None => {
                    self.no_service(target, span, &format!("build.additional_contexts.{context}"));
                }
                Some(other) if other.get("build").is_none() => {
                    let message = format!(
                        "`services.{name}.build.additional_contexts.{context}`: `{target}` is \
                         not built"
                    );
                    self.problem("compose/reference", span, message);
                }
                Some(_) => {}
            }
        }
        let platforms = build.get("platforms").and_then(Node::as_seq).unwrap_or_default();
        if let Some(platform) = self.get("platform")
            && !platforms.is_empty()
            && !platforms.iter().any(|other| other.value == platform.value)
        {
            let wanted = platform.as_str().unwrap_or_default();
            let place = build.get("platforms").map_or(platform.span, |list| list.span);
            let message =
                format!("`services.{name}.build.platforms` lacks the `platform` `{wanted}`");
            self.problem("compose/platform", place, message);
        }
    }

    fn networks(&mut self) {
        let name = self.name;
        let networks = self.get("networks").and_then(Node::as_map);
        if let (Some(mode), Some(_)) = (self.get("network_mode"), networks) {
            let message = format!("`services.{name}` has both `network_mode` and `networks`");
            self.problem("compose/exclusive", mode.span, message);
            return;
        }
        for (network, item) in networks.into_iter().flat_map(Map::iter) {
            self.resource("networks", network, item.key);
        }
        if let Some(target) = self.text("network_mode").strip_prefix("service:")
            && self.selection.enabled.get(target).is_none()
        {
            let span = self.get("network_mode").map_or(self.service.span, |mode| mode.span);
            self.no_service(target, span, "network_mode");
        }
    }

    fn health(&mut self) {
        let Some(test) = self.get("healthcheck").and_then(|health| health.get("test")) else {
            return;
        };
        let first = test.as_seq().and_then(<[Node]>::first).and_then(Node::as_str);
        if let Some(first) = first
            && !matches!(first, "CMD" | "CMD-SHELL" | "NONE")
        {
            self.problems.push(
                Diagnostic::error(
                    "compose/healthcheck",
                    format!(
                        "`services.{}.healthcheck.test` starts with `{first}`, not with `CMD`, \
                         `CMD-SHELL` or `NONE`",
                        self.name
                    ),
                )
                .at(test.span)
                .help(format!("write `[CMD, {first}, …]`, or the command as one string")),
            );
        }
    }

    fn dependencies(&mut self) {
        let depends_on = self.get("depends_on").and_then(Node::as_map);
        for (target, item) in depends_on.into_iter().flat_map(Map::iter) {
            if self.selection.enabled.get(target).is_some() {
                continue;
            }
            let is_required =
                item.node.get("required").map(|node| &node.value) == Some(&Value::Bool(true));
            let disabled = self.selection.disabled.get(target);
            if disabled.is_some() && !is_required {
                continue;
            }
            self.no_service(target, item.key, "depends_on");
        }
    }

    fn no_service(&mut self, target: &str, span: Span, attribute: &str) {
        let name = self.name;
        let problem = match self.selection.disabled.get(target) {
            Some(_) => Diagnostic::error(
                "compose/disabled",
                format!("`services.{name}.{attribute}`: the profiles of `{target}` are off"),
            )
            .help("switch one of them on, or remove `profiles` from that service"),
            None => Diagnostic::error(
                "compose/reference",
                format!("`services.{name}.{attribute}`: there is no service `{target}`"),
            )
            .did_you_mean(target, self.selection.enabled.keys()),
        };
        self.problems.push(problem.at(span));
    }

    fn references(&mut self) {
        for mount in self.items("volumes") {
            if mount.get("type").and_then(Node::as_str) == Some("volume") {
                self.source("volumes", mount);
            }
        }
        let secrets = self.get("build").and_then(|build| build.get("secrets"));
        let secrets = secrets.and_then(Node::as_seq).unwrap_or_default();
        for secret in secrets.iter().chain(self.items("secrets")) {
            self.required_source("secrets", secret);
        }
        for config in self.items("configs") {
            self.required_source("configs", config);
        }
        let models = self.get("models").and_then(Node::as_map);
        for (model, item) in models.into_iter().flat_map(Map::iter) {
            self.resource("models", model, item.key);
        }
    }

    fn source(&mut self, section: &'static str, mount: &Node) {
        if let Some(source) = mount.get("source")
            && let Some(name) = source.as_str()
        {
            self.resource(section, name, source.span);
        }
    }

    fn required_source(&mut self, section: &'static str, mount: &Node) {
        if mount.get("source").is_none() {
            let message = format!("`services.{}.{section}`: an item needs `source`", self.name);
            return self.problem("compose/missing-key", mount.span, message);
        }
        self.source(section, mount);
    }

    fn resource(&mut self, section: &'static str, target: &str, span: Span) {
        let known = self.project.get(section).and_then(Node::as_map);
        if known.is_some_and(|known| known.get(target).is_some()) {
            return;
        }
        let kind = section.trim_end_matches('s');
        if target == EXTENSIONS {
            let message = format!(
                "`services.{}.{section}`: a name that begins with `x-` is an extension, not a {kind}",
                self.name
            );
            self.problem("compose/reference", span, message);
            return;
        }
        let message =
            format!("`services.{}` uses the {kind} `{target}`, which is not defined", self.name);
        let names: Vec<&str> = known.into_iter().flat_map(Map::keys).collect();
        self.problems.push(
            Diagnostic::error("compose/reference", message)
                .at(span)
                .did_you_mean(target, names)
                .help(format!("define it below `{section}:` at the top level")),
        );
    }

    fn watch(&mut self) {
        let watch = self.get("develop").and_then(|develop| develop.get("watch"));
        for trigger in watch.and_then(Node::as_seq).unwrap_or_default() {
            let action = trigger.get("action").and_then(Node::as_str).unwrap_or_default();
            if trigger.get("target").is_none() && !matches!(action, "rebuild" | "restart") {
                let message = format!(
                    "`services.{}.develop.watch`: the action `{action}` needs `target`",
                    self.name
                );
                self.problem("compose/missing-key", trigger.span, message);
            }
        }
    }

    fn mounts(&mut self) {
        let mut targets: BTreeMap<&str, Span> = BTreeMap::new();
        let tmpfs = self.items("tmpfs").iter().filter_map(|node| {
            Some((node.as_str()?.split(':').next().unwrap_or_default(), node.span))
        });
        let volumes = self.items("volumes").iter().map(|mount| {
            let target = mount.get("target");
            (
                target.and_then(Node::as_str).unwrap_or_default(),
                target.map_or(mount.span, |target| target.span),
            )
        });
        for (target, span) in tmpfs.chain(volumes) {
            if let Some(first) = targets.insert(target, span) {
                let message =
                    format!("`services.{}` mounts something at `{target}` twice", self.name);
                self.problems.push(
                    Diagnostic::error("compose/mount", message)
                        .at(span)
                        .related(first, "first here"),
                );
            }
        }
    }
}
