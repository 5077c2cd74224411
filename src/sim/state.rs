//! What the world is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::frozen::Frozen;
use super::promise::Promises;
use super::sample::Sample;
use super::traffic::Connection;
use super::watch::Violation;
use crate::model::{
    Drained, Endpoint, EngineInfo, Foreign, Generation, HostName, Identity, LiveNetwork,
    LiveVolume, Millis, Owner, ProxyPlace, Release, ServiceName, StackName, Status,
};
use crate::ports::{Lease, LeaseKey, PortError};

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
    /// Who has ever taken which lease, by the number of the run.
    pub(super) takers: BTreeSet<(usize, HostName, LeaseKey)>,
    /// When each of them asked last whether it is still its own, as long as nobody denied it.
    pub(super) askers: BTreeMap<(usize, HostName, LeaseKey), Millis>,
    /// What each run found in the place of the last file that it wrote for a proxy.
    pub(super) replaced: BTreeMap<(usize, ProxyPlace), Option<String>>,
    /// Runs whose leases were broken by hand: what they do without them is no fault of theirs.
    pub(super) robbed: BTreeSet<usize>,
    /// Connections that replicas hold.
    pub(super) connections: Vec<Connection>,
    /// Replicas that every proxy has let go of to the end, by their life.
    pub(super) let_go: BTreeSet<String>,
    /// Which proxy has ever sent to which life of a replica.
    pub(super) senders: BTreeSet<(String, ProxyPlace)>,
    /// Which of them has said since that it has nothing more to do with it.
    pub(super) drained: BTreeSet<(String, ProxyPlace)>,
    /// Proxies whose file somebody took away, and when.
    pub(super) lost_files: BTreeMap<ProxyPlace, Millis>,
    /// When a run saw the file of a proxy last.
    pub(super) file_looks: BTreeMap<(usize, ProxyPlace), Millis>,
    /// Until when a run may believe in a lease that its host does not know any more, as it came back
    /// from an old copy of its disk.
    pub(super) forgotten: BTreeMap<(usize, HostName, LeaseKey), Millis>,
    /// What the wishes that may be carried out now promise.
    pub(super) promises: Vec<Promises>,
    /// Hosts that cannot be reached from others: from, to.
    pub(super) cuts: BTreeSet<(HostName, HostName)>,
    /// What must be seen nowhere.
    pub(super) secrets: BTreeSet<String>,
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
    /// Whether it is to be empty.
    pub drained: Option<Drained>,
    /// Leases by key.
    #[serde(with = "super::stored::leases")]
    pub leases: BTreeMap<LeaseKey, Lease>,
    /// What its engine says about itself, when that is known.
    pub engine: Option<EngineInfo>,
    /// Whether it refuses every call, of its engine and of its proxies.
    pub is_down: bool,
    /// Whether calls to it come to no answer: neither a refusal nor anything else.
    pub is_silent: bool,
    /// Whether its engine does not run; its containers and proxies go on.
    pub has_no_engine: bool,
    /// Whether nothing more can be written.
    pub is_full: bool,
    /// How many milliseconds every call to its engine takes longer.
    pub slowness: Millis,
    /// How many milliseconds its clock is ahead.
    pub clock: i64,
    /// The address that others reach it at; every one when not known.
    pub address: Option<IpAddr>,
    pub(super) ids: u64,
    /// Whose the networks are that were made here.
    pub(super) network_owners: BTreeMap<String, Owner>,
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
    /// Milliseconds that its long-lived connections last; none when 0. A replica holds one for each
    /// proxy that sends to it.
    pub long_connection: Millis,
}

impl App {
    /// Works for half a second and ends well.
    pub const JOB: Self = Self {
        ready_after: None,
        ends_after: Some((500, 0)),
        longest_request: 0,
        long_connection: 0,
    };
}

impl Default for App {
    fn default() -> Self {
        Self {
            ready_after: Some(1_000),
            ends_after: None,
            longest_request: 500,
            long_connection: 0,
        }
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
    /// When its process ends, because it was asked to: until then it answers whoever asks whether
    /// it is well, and is not to be trusted with requests.
    #[serde(default)]
    pub ends_at: Option<Millis>,
    /// How often the engine has restarted it.
    #[serde(default)]
    pub restarts: u64,
    /// Until when it answers every other second only.
    #[serde(default)]
    pub flaps_until: Millis,
    /// What it would tell if it told all: the files that were put into it.
    #[serde(default)]
    pub told: String,
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
    /// Whether nothing that is asked of it is answered.
    pub hangs: bool,
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
        if self.status == Status::Running && self.ends_at.is_some_and(|at| now >= at) {
            return Status::Exited;
        }
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
            && (now >= self.flaps_until || (now / 1_000).is_multiple_of(2))
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
    /// Ends what was asked to end, when its time has come.
    pub(super) fn pass(&mut self, now: Millis) {
        let containers = self.hosts.values_mut().flat_map(|host| host.containers.values_mut());
        for container in containers.filter(|it| it.ends_at.is_some_and(|at| now >= at)) {
            container.status = Status::Exited;
            container.ends_at = None;
        }
    }

    /// All that a container would print.
    pub(super) fn told(&self, host: &HostName, name: &str) -> String {
        let container = self.hosts.get(host).and_then(|host| host.containers.get(name));
        container.map(|it| it.told.clone()).unwrap_or_default()
    }
}

impl SimHost {
    /// Whether its engine takes calls.
    pub(super) fn answers(&self) -> bool {
        !self.is_down && !self.has_no_engine
    }

    /// What a call to it comes to when it takes none.
    pub(super) fn refused() -> PortError {
        PortError::Unreachable("connection refused".into())
    }

    pub(super) fn has_room(&self) -> Result<(), PortError> {
        match self.is_full {
            true => Err(PortError::Refused("no space left on device".into())),
            false => Ok(()),
        }
    }

    /// What somebody else than `owner` occupies.
    pub(super) fn others(&self, owner: &Owner) -> Foreign {
        let mut foreign = self.foreign.clone();
        let others = self.containers.iter().filter(|(_, it)| it.identity.owner != *owner);
        for (name, container) in others {
            foreign.names.insert(name.clone());
            let ports = container.published.iter().map(|at| (at.port, name.clone()));
            foreign.ports.extend(ports);
        }
        foreign
    }

    /// Its own clock.
    pub(super) fn time(&self, now: Millis) -> Millis {
        now.saturating_add_signed(self.clock)
    }

    /// An id that is never given again, on no host.
    pub(super) fn next_id(&mut self, place: &HostName) -> String {
        // Fowler, Noll and Vo's hash.
        let hash = place.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        loop {
            self.ids += 1;
            let id = format!("{hash:032x}{:032x}", self.ids);
            // A host that was copied has containers that were numbered elsewhere.
            if !self.containers.values().any(|container| container.id == id) {
                return id;
            }
        }
    }
}
