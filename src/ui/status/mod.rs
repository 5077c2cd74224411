//! What is on the hosts now: every replica and what has drifted; and who holds which lease.

mod daemon;
mod json;
mod locks;
mod text;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::model::{
    Cause, Generation, Health, HostName, HostState, LiveContainer, Observed, Plan, ProxyPlace,
    ResourceKind, StackName, Status as ContainerStatus,
};

pub use daemon::daemon_text;
pub use json::json;
pub use locks::{LockLine, locks_json, locks_text};
pub use text::text;

/// Everything the table says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// Replicas, by stack, service, slot and host.
    pub replicas: Vec<ReplicaStatus>,
    /// Proxies, by name and host.
    pub proxies: Vec<ProxyStatus>,
    /// What could not be seen, and why.
    pub unseen: Vec<(String, String)>,
    /// Hosts that are drained, and by whom.
    pub drained: Vec<(String, String)>,
    /// Changes that belong to no replica that is there: `shop: volume data is missing`.
    pub drift: Vec<String>,
    /// Whether no host answered: then nothing is known about anything.
    pub is_blind: bool,
    /// Whether it was compared with a commit at all.
    pub is_compared: bool,
    /// Stacks that could not be compared with it, and why.
    pub uncompared: BTreeMap<StackName, String>,
}

/// One replica: a container, or the place where one should be.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReplicaStatus {
    /// The stack.
    pub stack: String,
    /// The service.
    pub service: String,
    /// Which replica.
    pub slot: u32,
    /// Where.
    pub host: String,
    /// Its container; `None` when it is missing.
    pub container: Option<String>,
    /// Ports of the host that lead to it.
    pub ports: BTreeSet<u16>,
    /// Its image as it was asked for.
    pub image: String,
    /// What it does: `running`, `running (healthy)`, `exited (1)`, `missing`.
    pub state: String,
    /// Whether that is as it should be.
    pub is_well: bool,
    /// The proxies that send to it: `edge`, `edge 1/2`.
    pub routed: Vec<String>,
    /// The proxies that have taken it out and may still finish requests.
    pub draining: Vec<String>,
    /// The commit it was made for.
    pub commit: String,
    /// How it differs from what the commit wants; empty when it does not.
    pub drift: Vec<String>,
}

/// One proxy on one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyStatus {
    /// The proxy.
    pub proxy: String,
    /// The host.
    pub host: String,
    /// Its version.
    pub version: String,
    /// The generation its file says.
    pub generation: Option<Generation>,
    /// The generation that answers.
    pub serving: Option<Generation>,
    /// What stands in the way of a safe change.
    pub obstacles: Vec<String>,
}

impl Status {
    /// What was seen, and with a plan how it differs.
    pub fn of(observed: &Observed, plan: Option<&Plan>) -> Self {
        Self::new(observed, plan.map(std::slice::from_ref).unwrap_or_default(), |_| true)
    }

    /// What was seen, how it differs as far as there are plans, and where there is none.
    pub fn compared(
        observed: &Observed,
        plans: &[Plan],
        uncompared: BTreeMap<StackName, String>,
    ) -> Self {
        Self { uncompared, ..Self::new(observed, plans, |_| true) }
    }

    /// What was seen of some stacks.
    pub fn of_stacks(observed: &Observed, is_asked_for: impl Fn(&StackName) -> bool) -> Self {
        Self::new(observed, &[], is_asked_for)
    }

    fn new(observed: &Observed, plans: &[Plan], is_asked_for: impl Fn(&StackName) -> bool) -> Self {
        let is_blind = !observed.hosts.is_empty() && observed.hosts.values().all(Result::is_err);
        let mut status = Self { is_compared: !plans.is_empty(), is_blind, ..Self::default() };
        for (host, state) in &observed.hosts {
            match state {
                Ok(state) => status.add_host(observed, host, state, &is_asked_for),
                Err(fault) => status.unseen.push((format!("host {host}"), fault.message.clone())),
            }
        }
        for (place, state) in &observed.proxies {
            match state {
                Ok(state) => status.proxies.push(ProxyStatus {
                    proxy: place.proxy.to_string(),
                    host: place.host.to_string(),
                    version: state.version.clone(),
                    generation: state.table.as_ref().map(|table| table.generation),
                    serving: state.serving,
                    obstacles: state.obstacles.clone(),
                }),
                // Of a host that was not seen, it is told once.
                Err(_) if observed.hosts.get(&place.host).is_some_and(Result::is_err) => {}
                Err(fault) => {
                    let what = format!("proxy {} on {}", place.proxy, place.host);
                    status.unseen.push((what, fault.message.clone()));
                }
            }
        }
        for plan in plans {
            status.add_drift(plan);
        }
        let mut said = BTreeSet::new();
        status.drift.retain(|line| said.insert(line.clone()));
        status.replicas.sort();
        status
    }

    /// Whether everything is there and as it is wanted.
    pub fn is_well(&self) -> bool {
        self.unseen.is_empty()
            && self.uncompared.is_empty()
            && self.drift.is_empty()
            && self.replicas.iter().all(|it| it.is_well && it.drift.is_empty())
            && self.proxies.iter().all(|it| it.obstacles.is_empty())
    }

    fn add_host(
        &mut self,
        observed: &Observed,
        host: &HostName,
        state: &HostState,
        is_asked_for: &impl Fn(&StackName) -> bool,
    ) {
        self.drained.extend(state.drained.iter().map(|it| (host.to_string(), it.by.clone())));
        let is_meant = |(_, it): &(&String, &LiveContainer)| is_asked_for(&it.identity.stack);
        for (name, container) in state.containers.iter().filter(is_meant) {
            let sight = Sight::of(observed, name);
            let identity = &container.identity;
            let (words, is_well) = state_words(container);
            let mut ports = sight.ports;
            ports.extend(published(&container.config));
            self.replicas.push(ReplicaStatus {
                stack: identity.stack.to_string(),
                service: identity.service.to_string(),
                slot: identity.slot,
                host: host.to_string(),
                container: Some(name.clone()),
                ports,
                image: image(container),
                state: words,
                is_well,
                routed: sight.routed,
                draining: sight.draining,
                commit: identity.commit.short().to_owned(),
                drift: Vec::new(),
            });
        }
    }

    /// Replicas that are not as the commit wants them, and those that are not there.
    fn add_drift(&mut self, plan: &Plan) {
        for (stack, it) in &plan.stacks {
            for change in &it.changes {
                if change.kind != ResourceKind::Service {
                    let kind = crate::ui::plan::kind(change.kind);
                    let causes: Vec<String> = change.causes.iter().map(Cause::to_string).collect();
                    let name = &change.name;
                    self.drift.push(format!("{stack}: {kind} {name}: {}", causes.join(", ")));
                }
                for replica in &change.replicas {
                    let word = replica.cause.to_string();
                    match &replica.old {
                        Some(old) => self.blame(old, replica.host.as_str(), word),
                        None => self.replicas.push(ReplicaStatus {
                            stack: stack.to_string(),
                            service: change.name.clone(),
                            slot: replica.slot,
                            host: replica.host.to_string(),
                            state: "missing".into(),
                            drift: vec![word],
                            ..ReplicaStatus::default()
                        }),
                    }
                }
            }
        }
        for file in &plan.files {
            let what = match file.cause {
                Cause::Drifted => "its file was edited",
                Cause::NotServed => "it serves something else than its file says",
                _ => continue,
            };
            let place = &file.place;
            self.drift.push(format!("proxy {} on {}: {what}", place.proxy, place.host));
        }
    }

    /// A replica that moves has its container on another host than the plan's change.
    fn blame(&mut self, container: &str, host: &str, word: String) {
        let is_it = |it: &&mut ReplicaStatus| it.container.as_deref() == Some(container);
        let same_host = self.replicas.iter_mut().filter(is_it).position(|it| it.host == host);
        if let Some(it) = self.replicas.iter_mut().filter(is_it).nth(same_host.unwrap_or(0)) {
            it.drift.push(word);
        }
    }
}

/// What the proxies have of one container.
#[derive(Default)]
struct Sight {
    ports: BTreeSet<u16>,
    routed: Vec<String>,
    draining: Vec<String>,
}

impl Sight {
    fn of(observed: &Observed, container: &str) -> Self {
        let mut sight = Self::default();
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        let (mut routed, mut draining) = (BTreeMap::new(), BTreeMap::new());
        for (ProxyPlace { proxy, .. }, state) in &observed.proxies {
            *places.entry(proxy.as_str()).or_default() += 1;
            let Ok(state) = state else { continue };
            let backends = state.table.iter().flat_map(|table| table.backends.values());
            let mut is_routed = false;
            for endpoint in backends.filter_map(|backend| backend.servers.get(container)) {
                is_routed = true;
                sight.ports.insert(endpoint.port);
            }
            // HAProxy's runtime knows better than the file: a server may drain there already.
            let runtime = state.servers.iter().flat_map(|backends| backends.values());
            let mut known = runtime.filter_map(|servers| servers.get(container)).peekable();
            let is_draining = known.peek().is_some() && known.all(|server| !server.takes_requests);
            if is_draining {
                *draining.entry(proxy.as_str()).or_insert(0) += 1;
            } else if is_routed {
                *routed.entry(proxy.as_str()).or_insert(0) += 1;
            }
        }
        let told = |counts: BTreeMap<&str, usize>| {
            let name = |(proxy, count): (&str, usize)| match places.get(proxy) {
                Some(all) if count < *all => format!("{proxy} {count}/{all}"),
                Some(_) | None => proxy.to_owned(),
            };
            counts.into_iter().map(name).collect()
        };
        sight.routed = told(routed);
        sight.draining = told(draining);
        sight
    }
}

/// What a container does, and whether that is well. What its check printed may be secret.
fn state_words(container: &LiveContainer) -> (String, bool) {
    let state = &container.state;
    let (words, is_well) = match (&state.status, &state.health) {
        (ContainerStatus::Running, None) => ("running".to_owned(), true),
        (ContainerStatus::Running, Some(Health::Healthy)) => ("running (healthy)".into(), true),
        (ContainerStatus::Running, Some(Health::Starting)) => ("running (starting)".into(), true),
        (ContainerStatus::Running, Some(Health::Unhealthy(_))) => {
            ("running (unhealthy)".into(), false)
        }
        (ContainerStatus::Exited, _) => {
            (format!("exited ({})", state.exit_code), state.exit_code == 0)
        }
        (ContainerStatus::Created, _) => ("created".into(), false),
        (ContainerStatus::Paused, _) => ("paused".into(), false),
        (ContainerStatus::Restarting, _) => ("restarting".into(), false),
        (ContainerStatus::Removing, _) => ("removing".into(), false),
        (ContainerStatus::Dead, _) => ("dead".into(), false),
    };
    match state.restarts {
        0 => (words, is_well),
        1 => (format!("{words}, restarted once"), is_well),
        restarts => (format!("{words}, restarted {restarts} times"), is_well),
    }
}

fn image(container: &LiveContainer) -> String {
    let asked = container.config.get("Image").and_then(Value::as_str);
    asked.unwrap_or(&container.image).to_owned()
}

/// The host's ports in the configuration of a container.
fn published(config: &Value) -> Vec<u16> {
    let bindings = config.pointer("/HostConfig/PortBindings").and_then(Value::as_object);
    let ports = bindings.into_iter().flat_map(|map| map.values()).filter_map(Value::as_array);
    ports
        .flatten()
        .filter_map(|binding| binding.get("HostPort")?.as_str()?.parse().ok())
        .filter(|port| *port != 0)
        .collect()
}
