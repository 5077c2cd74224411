//! Which services a project has: those whose profiles are on, those that are wanted, and the
//! resources they use.

use std::collections::BTreeSet;

use crate::diag::Diagnostic;
use crate::yaml::{Map, Node, Value};

/// The services of a project, parted.
pub(super) struct Selection {
    pub(super) enabled: Map,
    pub(super) disabled: Map,
}

impl Selection {
    /// Takes the services out of `project` and parts them by their profiles.
    pub(super) fn by_profiles(project: &mut Map, profiles: &[String]) -> Self {
        let mut selection = Self { enabled: Map::default(), disabled: Map::default() };
        if let Some(Node { value: Value::Map(services), .. }) = project.get_mut("services") {
            selection.disabled = std::mem::take(services);
        }
        selection.enable(|service| has_profile(service, profiles));
        selection
    }

    /// Switches on what `is_wanted` among the services that are off.
    fn enable(&mut self, is_wanted: impl Fn(&Node) -> bool) {
        let (on, off): (indexmap::IndexMap<_, _>, indexmap::IndexMap<_, _>) =
            std::mem::take(&mut self.disabled.0)
                .into_iter()
                .partition(|(_, item)| is_wanted(&item.node));
        self.enabled.0.extend(on);
        self.enabled.0.sort_unstable_keys();
        self.disabled.0 = off;
    }

    /// Keeps only the services called `names` and what they depend on.
    ///
    /// A name switches on the profiles of its service. It may have `*` and `?` in it.
    pub(super) fn restrict(
        &mut self,
        names: &[String],
        profiles: &[String],
        problems: &mut Vec<Diagnostic>,
    ) {
        if names.is_empty() {
            return;
        }
        let mut profiles = profiles.to_vec();
        for name in names {
            if let Some(service) = self.disabled.get(name) {
                profiles.extend(self::profiles(service).map(str::to_owned));
            }
        }
        self.enable(|service| has_profile(service, &profiles));
        let mut wanted = BTreeSet::new();
        for name in names {
            let found: Vec<&str> =
                self.enabled.keys().filter(|service| matches(name, service)).collect();
            if found.is_empty() {
                problems.push(
                    Diagnostic::error(
                        "compose/no-service",
                        format!("no service is called `{name}`"),
                    )
                    .did_you_mean(name, self.enabled.keys().chain(self.disabled.keys())),
                );
            }
            for service in found {
                self.follow(service, &mut wanted, problems);
            }
        }
        let (on, off): (indexmap::IndexMap<_, _>, indexmap::IndexMap<_, _>) =
            std::mem::take(&mut self.enabled.0)
                .into_iter()
                .partition(|(name, _)| wanted.contains(name));
        self.enabled.0 = on;
        self.disabled.0.extend(off);
        for item in self.enabled.0.values_mut() {
            let Value::Map(service) = &mut item.node.value else { continue };
            if let Some(Node { value: Value::Map(depends_on), .. }) = service.get_mut("depends_on")
            {
                depends_on.0.retain(|name, _| wanted.contains(name));
                if depends_on.is_empty() {
                    service.remove("depends_on");
                }
            }
        }
    }

    /// Adds `name` and all it depends on to `wanted`.
    fn follow(&self, name: &str, wanted: &mut BTreeSet<String>, problems: &mut Vec<Diagnostic>) {
        let mut open = vec![name.to_owned()];
        while let Some(name) = open.pop() {
            let Some(service) = self.enabled.get(&name) else { continue };
            if !wanted.insert(name) {
                continue;
            }
            let dependencies = service.get("depends_on").and_then(Node::as_map);
            for (target, item) in dependencies.into_iter().flat_map(Map::iter) {
                let is_required = item.node.get("required").map(|required| &required.value)
                    == Some(&Value::Bool(true));
                if self.enabled.get(target).is_none() && is_required {
                    let message = format!("no service is called `{target}`");
                    problems.push(Diagnostic::error("compose/no-service", message).at(item.key));
                }
                open.push(target.to_owned());
            }
        }
    }

    /// Drops the resources of `project` that no service uses.
    pub(super) fn prune(&self, project: &mut Map) {
        let mut used = Used::default();
        for (_, item) in self.enabled.iter() {
            used.add(&item.node);
        }
        for (section, names) in [
            ("networks", used.networks),
            ("volumes", used.volumes),
            ("secrets", used.secrets),
            ("configs", used.configs),
            ("models", used.models),
        ] {
            let Some(Node { value: Value::Map(resources), .. }) = project.get_mut(section) else {
                continue;
            };
            resources.0.retain(|name, _| names.contains(name));
            if resources.is_empty() {
                project.remove(section);
            }
        }
    }

    /// Gives the services that are on back to `project`.
    pub(super) fn put_back(self, project: &mut Map) {
        if let Some(services) = project.get_mut("services") {
            services.value = Value::Map(self.enabled);
        }
    }
}

/// Names of resources that services use.
#[derive(Default)]
struct Used {
    networks: BTreeSet<String>,
    volumes: BTreeSet<String>,
    secrets: BTreeSet<String>,
    configs: BTreeSet<String>,
    models: BTreeSet<String>,
}

impl Used {
    fn add(&mut self, service: &Node) {
        let keys = |key| service.get(key).and_then(Node::as_map).into_iter().flat_map(Map::keys);
        self.networks.extend(keys("networks").map(str::to_owned));
        self.models.extend(keys("models").map(str::to_owned));
        for mount in items(service.get("volumes")) {
            if mount.get("type").and_then(Node::as_str) == Some("volume") {
                self.volumes.extend(source(mount));
            }
        }
        let build = service.get("build").and_then(|build| build.get("secrets"));
        for secret in items(service.get("secrets")).chain(items(build)) {
            self.secrets.extend(source(secret));
        }
        for config in items(service.get("configs")) {
            self.configs.extend(source(config));
        }
    }
}

fn items(list: Option<&Node>) -> impl Iterator<Item = &Node> {
    list.and_then(Node::as_seq).unwrap_or_default().iter()
}

fn source(mount: &Node) -> Option<String> {
    mount.get("source").and_then(Node::as_str).map(str::to_owned)
}

fn profiles(service: &Node) -> impl Iterator<Item = &str> {
    items(service.get("profiles")).filter_map(Node::as_str)
}

fn has_profile(service: &Node, on: &[String]) -> bool {
    let mut own = profiles(service).peekable();
    own.peek().is_none()
        || on.iter().any(|profile| profile == "*")
        || own.any(|profile| on.iter().any(|on| on == profile))
}

/// Whether `name` is of the form of `pattern`, in which `*` and `?` stand for other characters.
fn matches(pattern: &str, name: &str) -> bool {
    let Some(c) = pattern.chars().next() else { return name.is_empty() };
    let rest = &pattern[c.len_utf8()..];
    match c {
        '*' => (0..=name.len())
            .filter(|at| name.is_char_boundary(*at))
            .any(|at| matches(rest, &name[at..])),
        '?' => name.chars().next().is_some_and(|first| matches(rest, &name[first.len_utf8()..])),
        c => name.strip_prefix(c).is_some_and(|name| matches(rest, name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_stand_for_names() {
        assert!(matches("web", "web"));
        assert!(matches("w*", "web") && matches("*", "") && matches("?e?", "web"));
        assert!(!matches("w?", "web") && !matches("", "web") && !matches("*x", "web"));
    }
}
