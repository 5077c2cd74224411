//! What the world is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use serde_json::Value;

use super::watch::Violation;
use crate::model::{
    Endpoint, Foreign, Generation, HostName, Identity, LiveNetwork, LiveVolume, Millis, ProxyPlace,
    Release, StackName, Status,
};
use crate::ports::{Lease, LeaseKey};

/// Everything.
#[derive(Default)]
pub(super) struct State {
    pub(super) hosts: BTreeMap<HostName, SimHost>,
    pub(super) proxies: BTreeMap<ProxyPlace, SimProxy>,
    pub(super) registry: BTreeMap<String, SimImage>,
    pub(super) violations: Vec<Violation>,
    pub(super) may_be_away: BTreeSet<String>,
    pub(super) log: Vec<String>,
}

/// A host with its engine.
#[derive(Debug, Clone, Default)]
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
    pub leases: BTreeMap<LeaseKey, Lease>,
    /// Whether the engine answers.
    pub is_down: bool,
    pub(super) ids: u64,
}

/// An image, and how a container of it behaves.
#[derive(Debug, Clone, Default, PartialEq)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct App {
    /// Milliseconds from the start until it is ready; never when `None`.
    pub ready_after: Option<Millis>,
    /// Milliseconds from the start until its process ends, and how; never when `None`.
    pub ends_after: Option<(Millis, i64)>,
    /// Milliseconds that its longest request lasts: connections that a proxy still has after a
    /// switch.
    pub longest_request: Millis,
}

impl Default for App {
    fn default() -> Self {
        Self { ready_after: Some(1_000), ends_after: None, longest_request: 500 }
    }
}

/// A container of ours.
#[derive(Debug, Clone, PartialEq)]
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
}

/// A proxy.
#[derive(Debug, Clone, Default, PartialEq)]
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
    /// Whether it refuses every configuration.
    pub rejects: bool,
    /// Whether a reload fails without a word and the old generation goes on.
    pub ignores_reload: bool,
}

/// What a generation of a proxy sends where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Running {
    /// Its number; `None` when it has none of ours.
    pub generation: Option<Generation>,
    /// Addresses by the name of the backend.
    pub backends: BTreeMap<String, BTreeSet<Endpoint>>,
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

    /// The host's ports that lead to it, with their addresses.
    pub fn published(&self) -> BTreeSet<Endpoint> {
        let bindings = self.config.pointer("/HostConfig/PortBindings").and_then(Value::as_object);
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

impl SimHost {
    pub(super) fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("{:064x}", self.ids)
    }
}
