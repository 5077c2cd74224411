//! What was seen on the hosts, as plain data. Nothing here decides.
//!
//! A host that did not answer is a value, not an absence: only a host that answered can say that
//! something is not there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Addresses, Config, Generation, HostName, Identity, ImageName, Millis, ProxyName, RoutingTable,
    StackName,
};

/// Everything that was seen.
#[derive(Debug, Clone, Default)]
pub struct Observed {
    /// When.
    pub at: Millis,
    /// Every host of the inventory.
    pub hosts: BTreeMap<HostName, Result<HostState, Fault>>,
    /// Every proxy on each of its hosts.
    pub proxies: BTreeMap<ProxyPlace, Result<ProxyState, Fault>>,
    /// How long each host took that answered, in milliseconds.
    pub took: BTreeMap<HostName, Millis>,
}

/// One proxy on one host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProxyPlace {
    /// The proxy.
    pub proxy: ProxyName,
    /// The host.
    pub host: HostName,
}

/// Why something could not be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// Whether somebody said so.
    #[serde(default)]
    pub kind: FaultKind,
    /// In words for people: "connection refused".
    pub message: String,
}

/// Whether it could not be seen because nobody answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Nobody did, or not in time.
    #[default]
    Silent,
    /// One side wants nothing to do with the other: a host key that is not known, a login that is
    /// not taken.
    Refused,
}

impl Fault {
    /// Nobody answered.
    pub fn silent(message: impl Into<String>) -> Self {
        Self { kind: FaultKind::Silent, message: message.into() }
    }

    /// What can be said of whom it is about, before the reason.
    pub fn words(&self) -> &'static str {
        match self.kind {
            FaultKind::Silent => "did not answer",
            FaultKind::Refused => "cannot be used",
        }
    }
}

/// One engine and what is on it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct HostState {
    /// The engine itself.
    pub engine: EngineInfo,
    /// Our containers, by name; also those that are not in the desired state any more.
    pub containers: BTreeMap<String, LiveContainer>,
    /// Networks by name: ours, and those of others that stacks use.
    pub networks: BTreeMap<String, LiveNetwork>,
    /// Volumes by name: ours, and those of others that stacks use.
    pub volumes: BTreeMap<String, LiveVolume>,
    /// Images by the reference that was asked for, and by the id of each container's image.
    pub images: BTreeMap<String, Result<Image, ImageFault>>,
    /// What others occupy, which is never touched but planned around.
    pub foreign: Foreign,
    /// The last release of each stack that ended well.
    pub releases: BTreeMap<StackName, Release>,
    /// Whether replicas shall leave it and none come, until it is given back.
    pub drained: Option<Drained>,
}

/// The word of somebody that a host is to be empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Drained {
    /// Who said so.
    pub by: String,
    /// Whether what can run nowhere else is stopped too.
    #[serde(default, rename = "force")]
    pub is_forced: bool,
}

/// An engine.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EngineInfo {
    /// Its version: `20.10.24`.
    pub version: String,
    /// Processors.
    pub cpus: u64,
    /// Bytes of memory.
    pub memory: u64,
    /// `linux/amd64`.
    pub platform: String,
    /// Its own clock.
    pub clock: Millis,
    /// The user labels of the daemon: `engine.labels` of constraints.
    pub labels: BTreeMap<String, String>,
    /// The swarm that it is a node of, if any: what overlay networks reach over.
    pub swarm: Option<Swarm>,
}

/// An engine as a node of a swarm.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Swarm {
    /// The node's id.
    pub node: String,
    /// Whether it can make networks for all nodes.
    pub is_manager: bool,
    /// The ids of the managers that it knows, itself among them where it is one.
    pub managers: BTreeSet<String>,
}

/// A container of ours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LiveContainer {
    /// The engine's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What its labels say.
    pub identity: Identity,
    /// What it does.
    pub state: ContainerState,
    /// The id of its image.
    pub image: Arc<str>,
    /// Its configuration in the engine's words, in the shape of a request to create it:
    /// `Config`'s keys at the top, with `HostConfig` and `NetworkingConfig` below.
    /// Labels that say whose it is are left out: `identity` has them.
    pub config: Config,
    /// Its addresses by network.
    pub addresses: Addresses,
}

/// What a container does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ContainerState {
    /// The engine's word for it.
    pub status: Status,
    /// When its process started last; 0 when it never did.
    pub started_at: Millis,
    /// How its process ended; meaningless while it runs.
    pub exit_code: i64,
    /// How often the engine has restarted it.
    pub restarts: u64,
    /// Docker's own check; `None` when there is none.
    pub health: Option<Health>,
}

/// A container's state in the engine's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// Never started.
    Created,
    /// Its process runs.
    Running,
    /// Its process is frozen.
    Paused,
    /// It ended and will be started again by the engine.
    Restarting,
    /// It is being removed.
    Removing,
    /// Its process has ended.
    Exited,
    /// It can neither run nor be removed by usual means.
    Dead,
}

/// What Docker's own check says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// It has not been decided yet.
    Starting,
    /// It is well.
    Healthy,
    /// It is not; with what the last check said.
    Unhealthy(String),
}

/// A network of an engine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveNetwork {
    /// The engine's id.
    pub id: String,
    /// The stack it was made for; `None` when it is not ours.
    pub stack: Option<StackName>,
    /// Its driver.
    pub driver: String,
    /// Whether nothing outside can be reached.
    pub internal: bool,
    /// Whether plain containers may join an overlay.
    pub attachable: bool,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
    /// The user's own labels.
    pub labels: BTreeMap<String, String>,
    /// Its ranges in CIDR notation.
    pub subnets: Vec<String>,
    /// The host's own addresses in it.
    pub gateways: Vec<IpAddr>,
    /// Names of the containers in it that are not ours.
    pub others: BTreeSet<String>,
}

/// A volume of an engine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveVolume {
    /// The stack it was made for; `None` when it is not ours.
    pub stack: Option<StackName>,
    /// Its driver.
    pub driver: String,
    /// Options of the driver.
    pub options: BTreeMap<String, String>,
    /// The user's own labels.
    pub labels: BTreeMap<String, String>,
}

/// An image, and what it gives to a container that says nothing else.
///
/// An engine says what it has; which digest a reference stands for is found for all hosts at once.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Image {
    /// The id on this engine; `None` when it is not there.
    pub id: Option<String>,
    /// Every digest that registries know it by, with the repository of each
    /// (`docker.io/library/web@sha256:…`), or alone when the repository is not known; none for one
    /// that was built here.
    pub digests: BTreeSet<String>,
    /// When the engine was last told to call it so; `None` when it does not say.
    pub tagged_at: Option<Millis>,
    /// The digest that the reference stands for on every host, as far as it is known.
    pub digest: Option<String>,
    /// Whether the engine lacks what the reference stands for.
    pub needs_pull: bool,
    /// Why the registry could not say whether the reference still stands for this one.
    pub unchecked: Option<String>,
    /// Its `Config` in the engine's words; `Null` when it is not there yet.
    pub config: Config,
}

impl Image {
    /// Whether some registry knows it by this digest: the same bytes, whatever they are called.
    pub fn has_digest(&self, digest: &str) -> bool {
        self.digests.iter().any(|known| in_repository(known).1 == digest)
    }

    /// The digests that the repository of `reference` has it by. An image may have others of other
    /// repositories, which come and go without a word about this one.
    pub fn digests_of(&self, reference: &str) -> impl Iterator<Item = &str> {
        let repository = ImageName::parse(reference).map(|name| name.repository());
        let all = self.digests.iter().map(|known| in_repository(known));
        let own = all.filter(move |(of, _)| of.is_none_or(|of| Some(of) == repository.as_deref()));
        own.map(|(_, digest)| digest)
    }
}

/// A digest with its repository, as far as that is known.
fn in_repository(known: &str) -> (Option<&str>, &str) {
    known.split_once('@').map_or((None, known), |(of, digest)| (Some(of), digest))
}

/// Why there is no image to be had for a reference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageFault {
    /// In words for people: "the registry has no such image".
    pub message: String,
    /// What can be done about it.
    pub hint: String,
}

/// What a registry says about a reference.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RegistryImage {
    /// The digest; of the index, when there is one image for each of several platforms.
    pub digest: String,
    /// The platforms it is for: `linux/arm64`. Empty when the registry does not say.
    pub platforms: BTreeSet<String>,
}

/// What others occupy on a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreign {
    /// TCP ports of the host, with whose they are: published by containers that are not ours, or
    /// listened on by a process of the host where that could be seen.
    pub ports: BTreeMap<u16, String>,
    /// Names of containers that are not ours.
    pub names: BTreeSet<String>,
    /// Ranges of networks that are neither ours nor used by us, by the networks' names; those of
    /// overlays are no matter of the host's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub subnets: BTreeMap<String, Vec<String>>,
}

/// The last release of a stack that ended well, and those before it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// Its generation.
    pub generation: Generation,
    /// Commits, the last one first; at most [`Release::KEPT`].
    pub commits: Vec<super::CommitId>,
    /// The proxies that sent to it then.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub proxies: BTreeSet<ProxyPlace>,
}

impl Release {
    /// How many commits are remembered.
    pub const KEPT: usize = 10;
}

/// A proxy on one host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProxyState {
    /// Its version: `1.22.1`.
    pub version: String,
    /// The managed file as it is; `None` when there is none.
    pub file: Option<String>,
    /// What the file's header says it means; `None` when there is no file, or it is not ours.
    pub table: Option<RoutingTable>,
    /// The generation that answers requests; `None` when none of ours does.
    pub serving: Option<Generation>,
    /// For HAProxy: the servers its runtime has, by backend; `None` when it cannot be asked.
    pub servers: Option<BTreeMap<String, BTreeMap<String, RuntimeServer>>>,
    /// The address that replicas on the proxy's own host are reached at: 127.0.0.1, or the gateway
    /// of the network that the proxy's container is in.
    pub replicas_at: Option<IpAddr>,
    /// What stands in the way of a safe change, in words; empty when nothing does.
    pub obstacles: Vec<String>,
}

/// A server as HAProxy's runtime has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuntimeServer {
    /// `address:port`.
    pub address: String,
    /// Whether it takes new requests.
    pub takes_requests: bool,
}

impl LiveContainer {
    /// In `config`, the key of a place in a network with addresses of which it cannot be told
    /// whether they were asked for or chosen by the engine.
    pub const GIVEN_ADDRESSES: &str = "GivenAddresses";
}

impl Swarm {
    /// Whether both are nodes of one swarm.
    pub fn is_one_with(&self, other: &Self) -> bool {
        !self.managers.is_disjoint(&other.managers)
    }
}

impl ContainerState {
    /// Whether its process runs and is not frozen.
    pub fn is_running(&self) -> bool {
        self.status == Status::Running
    }
}
