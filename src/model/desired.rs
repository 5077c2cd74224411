//! What a commit wants: stacks, their services, how many of each and where they may live.
//!
//! No host, port or digest is chosen here; that needs the live fleet in view.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    Bytes, ContainerSpec, EnvironmentName, NanoCpus, Nanos, ProjectName, ServiceName, Settled,
    SpecHash, StackName,
};

/// The desired state of one environment at one commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Desired {
    /// What owns everything.
    pub project: ProjectName,
    /// Which environment.
    pub environment: EnvironmentName,
    /// The stacks, by name.
    pub stacks: BTreeMap<StackName, std::sync::Arc<StackTarget>>,
}

/// The desired state of one stack.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StackTarget {
    /// Its services, by name; each in its own place, since a map keeps room for eleven and most
    /// stacks have few.
    pub services: BTreeMap<ServiceName, Box<ServiceTarget>>,
    /// Its networks, by key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub networks: BTreeMap<String, NetworkSpec>,
    /// Its volumes, by key.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub volumes: BTreeMap<String, VolumeSpec>,
    /// Texts of files, by their digest: those small enough for a diff to show them line by line.
    /// Never the content of a secret.
    #[serde(skip)]
    pub files: BTreeMap<String, std::sync::Arc<[u8]>>,
    /// Containers that were found to be as it wants them.
    #[serde(skip)]
    pub settled: Settled,
}

/// The desired state of one service.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ServiceTarget {
    /// What each of its containers is.
    pub container: ContainerSpec,
    /// The fingerprint of `container`.
    pub spec_hash: SpecHash,
    /// How many.
    pub replicas: Count,
    /// Where they may live.
    #[serde(skip_serializing_if = "is_default")]
    pub placement: Placement,
    /// What each needs to be free on its host.
    #[serde(skip_serializing_if = "is_default")]
    pub reservations: Reservations,
    /// How they are replaced.
    pub rollout: Rollout,
    /// When a new one counts as ready; `None` when nothing is asked from outside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Gate>,
    /// What is routed to them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
    /// What must be there first, by service.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub depends_on: BTreeMap<ServiceName, Dependency>,
    /// When the image is pulled: Compose's `pull_policy`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pull_policy: Option<String>,
    /// Runs to its end before a replica starts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pre_start: Vec<Hook>,
    /// Runs in a replica after its start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post_start: Vec<Hook>,
    /// Runs in a replica before its stop.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pre_stop: Vec<Hook>,
}

/// What was not set says nothing when two states are compared.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// How many replicas a service has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// That many over all hosts.
    Replicas(u32),
    /// One on each host that its constraints allow.
    Global,
}

impl Serialize for Count {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Replicas(count) => serializer.serialize_u32(*count),
            Self::Global => serializer.serialize_str("one on each host"),
        }
    }
}

/// Where replicas may live.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Placement {
    /// Conditions on a host, all of which must hold: `node.labels.role == web`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub constraints: Vec<String>,
    /// Labels over whose values replicas are spread, the first one first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub spread: Vec<String>,
    /// The most on one host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_replicas_per_node: Option<u32>,
    /// Which of the hosts that are left is the best.
    #[serde(skip_serializing_if = "is_default")]
    pub strategy: Packing,
}

/// Which of several hosts a replica goes to, where nothing else decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Packing {
    /// The one with the fewest replicas of the service, then with the fewest containers.
    #[default]
    Spread,
    /// The one that is fullest and still has room, by what is reserved.
    Binpack,
}

/// What a replica needs to be free on its host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Reservations {
    /// Processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<NanoCpus>,
    /// Memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
}

/// How a service's replicas are replaced.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Rollout {
    /// All at once or in batches.
    pub strategy: Strategy,
    /// How a new release comes.
    #[serde(skip_serializing_if = "is_default")]
    pub update: Order,
    /// How the old one comes back.
    #[serde(skip_serializing_if = "is_default")]
    pub rollback: Order,
    /// How long a replica that is no longer routed may finish its work.
    pub drain_timeout: Nanos,
}

/// Whether replicas are replaced together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// All new ones first, one switch, then all old ones go.
    AllAtOnce,
    /// In batches of `parallelism`.
    Rolling,
    /// In batches too, with `parallelism` counting hosts: all replicas of a host together.
    HostByHost,
}

/// Compose's `update_config` or `rollback_config`; `None` where the user left it out.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Order {
    /// Replicas in one batch; 0 for all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parallelism: Option<u64>,
    /// The time between two batches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<Nanos>,
    /// What a failed replica means.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_action: Option<FailureAction>,
    /// How long a new replica is watched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitor: Option<Nanos>,
    /// The share of replicas that may fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_failure_ratio: Option<f64>,
    /// Whether the new one starts before the old one stops.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order: Option<UpdateOrder>,
}

/// Which way a plan leads, and so which of a service's two orders it follows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Course {
    /// To what a commit wants now: `update_config`.
    #[default]
    Update,
    /// Back to what an earlier one wanted: `rollback_config`.
    Rollback,
}

impl Rollout {
    /// The order that replicas are replaced in. A key that `rollback_config` does not name is
    /// `update_config`'s: what must not run side by side on the way there must not on the way back.
    /// What a failure means is not taken over, since going back cannot mean to go back once more.
    pub fn order(&self, course: Course) -> Order {
        let Self { update, rollback, .. } = self;
        match course {
            Course::Update => update.clone(),
            Course::Rollback => Order {
                parallelism: rollback.parallelism.or(update.parallelism),
                delay: rollback.delay.or(update.delay),
                failure_action: rollback.failure_action,
                monitor: rollback.monitor.or(update.monitor),
                max_failure_ratio: rollback.max_failure_ratio.or(update.max_failure_ratio),
                order: rollback.order.or(update.order),
            },
        }
    }
}

/// What a replica that fails during a rollout means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureAction {
    /// Go on.
    Continue,
    /// Stop where it is.
    Pause,
    /// Go back.
    Rollback,
}

/// Which comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateOrder {
    /// The new replica starts, then the old one stops.
    StartFirst,
    /// The old replica stops, then the new one starts.
    StopFirst,
}

/// When a new replica counts as ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gate {
    /// What is asked from outside the container.
    pub probe: Probe,
    /// The time between two questions.
    pub interval: Nanos,
    /// How long one answer may take.
    pub timeout: Nanos,
    /// The time after which a replica that is not ready has failed.
    pub within: Nanos,
}

/// A question that a ready replica answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// An HTTP request that must be answered with 2xx.
    Http(HttpProbe),
    /// A TCP connection that must be taken.
    Tcp {
        /// The port inside the container.
        port: u16,
    },
}

/// An HTTP question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HttpProbe {
    /// The path.
    pub path: String,
    /// The port inside the container.
    pub port: u16,
}

/// What a proxy sends to a service.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Route {
    /// The host name asked for; `*.example.com` for all below.
    pub host: String,
    /// The start of the path.
    pub path: String,
    /// The port inside the container.
    pub port: u16,
    /// The proxy, by its name in the inventory.
    pub proxy: String,
}

/// What must be true of another service first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dependency {
    /// Started, healthy or done.
    pub condition: Condition,
    /// Whether this service is restarted when the other one is replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<bool>,
    /// Whether it is wrong without the other one.
    pub required: bool,
}

/// The states that `depends_on` can wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Its replicas run.
    Started,
    /// Its replicas are healthy.
    Healthy,
    /// It has ended well.
    CompletedSuccessfully,
}

/// A command that runs around the life of a replica.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Hook {
    /// The command.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// The image it runs in, before a start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// The user it runs as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Whether it has the rights of root.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub privileged: Option<bool>,
    /// Where it starts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// Variables beside the service's.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Option<String>>,
    /// Whether it runs for each replica, before a start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_replica: Option<bool>,
}

/// A network of a stack.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct NetworkSpec {
    /// Its name on the engine.
    pub name: String,
    /// Whether it is somebody else's, and only used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<bool>,
    /// `bridge`, `overlay` or another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Options of the driver.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub driver_opts: BTreeMap<String, String>,
    /// The user's own labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Whether plain containers may join an overlay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attachable: Option<bool>,
    /// Whether nothing outside can be reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub internal: Option<bool>,
    /// Whether it has IPv4 addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_ipv4: Option<bool>,
    /// Whether it has IPv6 addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_ipv6: Option<bool>,
    /// Where its addresses come from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipam: Option<Ipam>,
}

impl NetworkSpec {
    /// Whether it reaches over the hosts of a swarm.
    pub fn is_overlay(&self) -> bool {
        self.driver.as_deref() == Some("overlay")
    }
}

/// Where a network's addresses come from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Ipam {
    /// The driver that hands them out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Its options.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub options: BTreeMap<String, String>,
    /// The ranges.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<IpamPool>,
}

/// A range of addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct IpamPool {
    /// The range in CIDR notation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// The way out of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// The part of it that containers get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_range: Option<String>,
    /// Addresses in use by others, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub aux_addresses: BTreeMap<String, String>,
}

/// A volume of a stack.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct VolumeSpec {
    /// Its name on the engine.
    pub name: String,
    /// Whether it is somebody else's, and only used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<bool>,
    /// `local` or another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Options of the driver.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub driver_opts: BTreeMap<String, String>,
    /// The user's own labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}
