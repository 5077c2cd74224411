//! What the world is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::frozen::Frozen;
use super::sample::Sample;
use super::watch::Violation;
use crate::model::{
    Endpoint, EngineInfo, Foreign, Generation, HostName, Identity, LiveNetwork, LiveVolume, Millis,
    ProxyPlace, Release, ServiceName, StackName, Status,
};
use crate::ports::{Lease, LeaseKey};

/// Everything.
#[derive(Clone, Default)]
pub(super) struct State {
    pub(super) hosts: BTreeMap<HostName, SimHost>,
    pub(super) proxies: BTreeMap<ProxyPlace, SimProxy>,
    pub(super) registry: BTreeMap<String, SimImage>,
    pub(super) violations: Vec<Violation>,
    pub(super) may_be_away: BTreeSet<String>,
    pub(super) log: Vec<String>,
    /// Services whose containers do their work and end.
    pub(super) jobs: BTreeSet<(StackName, ServiceName)>,
    /// Addresses whose container was ended by a fault, not by a run: what is lost there is nobody's
    /// mistake until it is ready again, or something else is started at it.
    pub(super) excused: BTreeMap<(HostName, Endpoint), String>,
    /// What served whom, moment by moment.
    pub(super) samples: Vec<Sample>,
    /// Whether anybody wants to know that.
    pub(super) is_sampled: bool,
    /// The states there were, by their shape, when they are wanted.
    pub(super) kept: Option<BTreeMap<String, Frozen>>,
    /// How many runs there were.
    pub(super) runs: usize,
}

/// A host with its engine.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SimHost {
    /// Containers of ours, by name.
    pub containers: BTreeMap<String, SimContainer>,
    /// Networks by name.
    pub networks: BTreeMap<String, LiveNetwork>,
    /// Volumes by name.
    pub volumes: BTreeMap<String, LiveVolume>,
    /// Images that are there, by reference.
    pub images: BTreeMap<String, SimImage>,
    /// What others occupy.
    pub foreign: Foreign,
    /// Releases that were recorded.
    pub releases: BTreeMap<StackName, Release>,
    /// Leases by key.
    #[serde(with = "super::stored::leases")]
    pub leases: BTreeMap<LeaseKey, Lease>,
    /// What its engine says about itself, when that is known.
    pub engine: Option<EngineInfo>,
    /// Whether the engine answers.
    pub is_down: bool,
    pub(super) ids: u64,
}

/// An image, and how a container of it behaves.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SimImage {
    /// Its id.
    pub id: String,
    /// The digest in the registry.
    pub digest: Option<String>,
    /// `Config` in the engine's words.
    pub config: Value,
    /// How its containers behave.
    pub app: App,
}

/// How containers of an image behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct App {
    /// Milliseconds from the start until it is ready; never when `None`.
    pub ready_after: Option<Millis>,
    /// Milliseconds from the start until its process ends, and how; never when `None`.
    pub ends_after: Option<(Millis, i64)>,
    /// Milliseconds that its longest request lasts: connections that a proxy still has after a
    /// switch.
    pub longest_request: Millis,
}

impl App {
    /// Works for half a second and ends well.
    pub const JOB: Self =
        Self { ready_after: None, ends_after: Some((500, 0)), longest_request: 0 };
}

impl Default for App {
    fn default() -> Self {
        Self { ready_after: Some(1_000), ends_after: None, longest_request: 500 }
    }
}

/// A container of ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SimContainer {
    /// Its id.
    pub id: String,
    /// What its labels say.
    pub identity: Identity,
    /// What it does, when no time has passed since.
    pub status: Status,
    /// When it was started last.
    pub started_at: Millis,
    /// How its process ended.
    pub exit_code: i64,
    /// The id of its image.
    pub image: String,
    /// How it behaves.
    pub app: App,
    /// What it was created with.
    pub config: Value,
    /// Its address.
    pub address: IpAddr,
    /// The host's ports that lead to it, with their addresses.
    pub published: BTreeSet<Endpoint>,
}

/// A proxy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SimProxy {
    /// `nginx` or `haproxy`: how the file is read.
    pub kind: String,
    /// The version it reports.
    pub version: String,
    /// The managed file.
    pub file: Option<String>,
    /// What it sends where, since it read the file last.
    pub running: Running,
    /// What older generations of it still have to do, and until when.
    pub old: Vec<(Running, Millis)>,
    /// Where it reaches replicas of its own host; 127.0.0.1 when that is not said.
    pub replicas_at: Option<IpAddr>,
    /// Whether it refuses every configuration.
    pub rejects: bool,
    /// Whether a reload fails without a word and the old generation goes on.
    pub ignores_reload: bool,
}

/// What a generation of a proxy sends where.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Running {
    /// Its number; `None` when it has none of ours.
    pub generation: Option<Generation>,
    /// Addresses by the name of the backend.
    pub backends: BTreeMap<String, BTreeSet<Endpoint>>,
    /// Where requests go: the first one that takes a request is meant.
    pub routes: Vec<SimRoute>,
}

/// Requests for a name and the beginning of a path, as a proxy's file says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SimRoute {
    /// `shop.example.com`, `*.example.com`.
    pub host: String,
    /// Its path.
    pub path: String,
    /// Whether a longer path is meant too.
    pub is_prefix: bool,
    /// The backend; `None` is answered 503.
    pub backend: Option<String>,
}

impl SimContainer {
    /// Its status at a moment.
    pub fn status_at(&self, now: Millis) -> Status {
        match (self.status, self.app.ends_after) {
            (Status::Running, Some((after, _))) if now >= self.started_at + after => Status::Exited,
            (status, _) => status,
        }
    }

    /// Its exit code at a moment.
    pub fn exit_code_at(&self, now: Millis) -> i64 {
        match self.app.ends_after {
            Some((_, code)) if self.status == Status::Running => {
                if self.status_at(now) == Status::Exited { code } else { 0 }
            }
            _ => self.exit_code,
        }
    }

    /// Whether it answers requests at a moment.
    pub fn is_ready(&self, now: Millis) -> bool {
        self.status_at(now) == Status::Running
            && self.app.ready_after.is_some_and(|after| now >= self.started_at + after)
    }

    /// Whether a port of the host leads to it.
    pub fn publishes(&self, at: &Endpoint) -> bool {
        let leads = |own: &Endpoint| {
            own.port == at.port && (own.address == at.address || own.address.is_unspecified())
        };
        self.published.iter().any(leads)
    }

    /// What a request publishes.
    pub fn bindings(config: &Value) -> BTreeSet<Endpoint> {
        let bindings = config.pointer("/HostConfig/PortBindings").and_then(Value::as_object);
        let lists = bindings.into_iter().flat_map(|map| map.values()).filter_map(Value::as_array);
        let endpoint = |binding: &Value| {
            let port = binding.get("HostPort")?.as_str()?.parse().ok()?;
            let address = binding.get("HostIp").and_then(Value::as_str).unwrap_or_default();
            let address = address.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            Some(Endpoint { address, port })
        };
        lists.flatten().filter_map(endpoint).collect()
    }
}

impl State {
    /// A container ends without anybody having asked it to.
    pub(super) fn die(&mut self, host: &HostName, name: &str, is_removed: bool) {
        let Some(there) = self.hosts.get_mut(host) else { return };
        let Some(container) = there.containers.get_mut(name) else { return };
        let at = container.published.iter().cloned();
        self.excused.extend(at.map(|endpoint| ((host.clone(), endpoint), container.id.clone())));
        container.status = Status::Exited;
        container.exit_code = 137;
        if is_removed {
            there.containers.remove(name);
        }
    }

    /// Who has come back is looked at again.
    pub(super) fn accuse_ready(&mut self, now: Millis) {
        let hosts = &self.hosts;
        let is_back = |host: &HostName, id: &String| {
            let containers = hosts.get(host).into_iter().flat_map(|it| it.containers.values());
            containers.filter(|it| it.id == *id).any(|it| it.is_ready(now))
        };
        self.excused.retain(|(host, _), id| !is_back(host, id));
    }

    /// What was started is looked at again.
    pub(super) fn accuse(&mut self, host: &HostName, name: &str) {
        let container = self.hosts.get(host).and_then(|host| host.containers.get(name));
        let Some(container) = container else { return };
        let is_other = |on: &HostName, at: &Endpoint, id: &String| {
            on == host && container.published.contains(at) && *id != container.id
        };
        self.excused.retain(|(on, at), id| !is_other(on, at, id));
    }
}

impl SimHost {
    pub(super) fn next_id(&mut self) -> String {
        loop {
            self.ids += 1;
            let id = format!("{:064x}", self.ids);
            // A host that was copied has containers that were numbered elsewhere.
            if !self.containers.values().any(|container| container.id == id) {
                return id;
            }
        }
    }
}
