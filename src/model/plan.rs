//! A plan: what differs and why, and the steps that end it. Plain data, complete before execution
//! begins: image, host, port and name of everything are chosen.
//!
//! One step is one external effect, and may be repeated. Only [`Op::Switch`] moves traffic; only
//! [`Op::Stop`] and [`Op::Remove`] end a container.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::{
    BackendKey, Basis, Cause, CommitId, Endpoint, Hook, HostName, Identity, Nanos, Owner, Probe,
    ProxyPlace, Release, RouteChange, ServiceName, Slot, StackName, UpdateOrder,
};

/// What will be done, and what people read before they agree.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// A fingerprint of everything below; equal inputs give equal plans.
    pub id: PlanId,
    /// Whose.
    pub owner: Owner,
    /// The commit that is wanted; `None` for `destroy`.
    pub commit: Option<CommitId>,
    /// The commits of stacks that are wanted as another one has them.
    pub commits: BTreeMap<StackName, CommitId>,
    /// What differs, by stack. Stacks without a difference are listed with no change.
    pub stacks: BTreeMap<StackName, StackPlan>,
    /// What changes in the proxies' files, when all steps have succeeded.
    pub files: Vec<ProxyFile>,
    /// Steps in an order in which they could run one after the other.
    pub steps: Vec<Step>,
    /// What could not be seen and was therefore left as it is; empty for a complete plan.
    pub blind: Vec<Blind>,
    /// Proxies that are in the inventory no more and may still send to these stacks.
    pub strays: BTreeMap<ProxyPlace, BTreeSet<StackName>>,
    /// What the plan rests on, fact by fact: whether it still holds is found by planning again.
    pub basis: Basis,
}

/// The first 16 hexadecimal digits of a SHA-256.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct PlanId(pub String);

/// What changes in one stack.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StackPlan {
    /// The changes, services first, in the order of names.
    pub changes: Vec<Change>,
    /// What people should know: no health gate, no room to drain.
    pub notes: Vec<Note>,
    /// Why replicas are where they are; empty when nobody asked.
    pub seatings: Vec<super::Seating>,
}

/// Something worth knowing about a service before it is too late.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// The service; empty for the whole stack.
    pub service: String,
    /// One sentence.
    pub message: String,
}

/// What changes in one service, network or volume.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// What it is.
    pub kind: ResourceKind,
    /// Its name in the stack.
    pub name: String,
    /// What is done to it.
    pub action: Action,
    /// Why, in the order of weight; never empty.
    pub causes: Vec<Cause>,
    /// The fields that differ between what runs and what is wanted.
    pub fields: Vec<FieldDifference>,
    /// For a service: replicas that are touched, and what is done to each.
    pub replicas: Vec<ReplicaChange>,
    /// For a service: replicas now and afterwards.
    pub count: (u32, u32),
    /// Whether it cannot serve for a while.
    pub downtime: Downtime,
}

/// The kinds of things a plan changes, beside the proxies' files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceKind {
    /// A service with its containers.
    Service,
    /// A network.
    Network,
    /// A volume.
    Volume,
}

/// What is done to something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// It comes.
    Create,
    /// It goes.
    Remove,
    /// It is changed where it is: replicas more or fewer, started, routed.
    Update,
    /// The new one comes before the old one goes.
    ReplaceStartFirst,
    /// The old one goes before the new one comes.
    ReplaceStopFirst,
}

/// One replica that is touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaChange {
    /// Which.
    pub slot: Slot,
    /// Where.
    pub host: HostName,
    /// What is done.
    pub action: Action,
    /// Why.
    pub cause: Cause,
    /// The container that goes or stays.
    pub old: Option<String>,
    /// The container that comes.
    pub new: Option<String>,
}

/// One field of a container, before and after.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FieldDifference {
    /// Its path: `env.CACHE_MB`, `memory`, `mounts./data`.
    pub path: String,
    /// Its value now; `None` when it is not set.
    pub old: Option<Seen>,
    /// Its value afterwards; `None` when it will not be set.
    pub new: Option<Seen>,
}

/// A value as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    /// As it is.
    Text(String),
    /// Something that may be secret: only that it changes may be told.
    Hidden,
}

/// Whether a service cannot serve for a while.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Downtime {
    /// It serves all the time.
    #[default]
    None,
    /// It does not, for about that long.
    About {
        /// How long, estimated from its own settings.
        time: Nanos,
        /// The field or fact that forces it.
        reason: String,
    },
}

/// A proxy's managed file, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyFile {
    /// Which.
    pub place: ProxyPlace,
    /// Its path where the proxy runs.
    pub path: String,
    /// `nginx` or `haproxy`.
    pub kind: String,
    /// Its content now; `None` when there is none.
    pub old: Option<String>,
    /// Its content afterwards.
    pub new: String,
    /// Servers that come, go or change.
    pub servers: usize,
    /// Why.
    pub cause: Cause,
}

/// What could not be seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Blind {
    /// The host, or the proxy on its host.
    pub what: String,
    /// Why.
    pub message: String,
}

/// The position of a step in its plan, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StepId(pub usize);

/// One external effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its position.
    pub id: StepId,
    /// The stack: a failure ends the rest of its stack and hinders no other.
    pub stack: StackName,
    /// The service it is for; `None` for networks, volumes and the record of the release.
    pub service: Option<ServiceName>,
    /// The replica it is for.
    pub slot: Option<Slot>,
    /// Where it takes effect.
    pub host: HostName,
    /// What it does.
    pub op: Op,
    /// Steps that must have succeeded before.
    pub needs: BTreeSet<StepId>,
    /// Why it is there.
    pub cause: Cause,
}

/// The external effects there are.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Brings an image to the host.
    Pull {
        /// The reference as written.
        reference: String,
        /// What it must bring, when the registry could be asked.
        digest: Option<String>,
        /// `linux/arm64`; the engine's own when `None`.
        platform: Option<String>,
    },
    /// Makes a network.
    CreateNetwork {
        /// Its name.
        name: String,
        /// The engine's request to create it.
        body: Value,
    },
    /// Makes a volume.
    CreateVolume {
        /// Its name.
        name: String,
        /// The engine's request to create it.
        body: Value,
    },
    /// Makes a container with its files, and does not start it.
    Create {
        /// The replica.
        replica: Arc<Replica>,
    },
    /// Starts a container.
    Start {
        /// Its name.
        container: String,
    },
    /// Runs a command in a running container and waits for its end.
    RunHook {
        /// The container's name.
        container: String,
        /// The command.
        hook: Hook,
        /// When in its life.
        moment: HookMoment,
    },
    /// Waits until a replica may be trusted with requests.
    AwaitReady {
        /// The container's name.
        container: String,
        /// What is asked.
        readiness: Readiness,
    },
    /// Waits until a container has ended well.
    AwaitCompleted {
        /// The container's name.
        container: String,
        /// The longest it may take.
        within: Nanos,
    },
    /// Changes what a proxy sends where: checks the new file, puts it in place, makes the proxy
    /// follow it, and proves that it does; else everything is as before.
    Switch {
        /// The proxy.
        place: ProxyPlace,
        /// The change.
        change: RouteChange,
    },
    /// Waits until a proxy has let go of servers it does not send to any more.
    AwaitDrained {
        /// The proxy.
        place: ProxyPlace,
        /// The servers, by backend.
        servers: BTreeMap<BackendKey, BTreeMap<String, Endpoint>>,
        /// The longest it may take; what is left is cut then, and told.
        within: Nanos,
    },
    /// Asks a container to end, and ends it after its grace.
    Stop {
        /// Its name.
        container: String,
        /// Its id: another container of that name is left alone.
        id: Option<String>,
        /// The grace.
        grace: Nanos,
    },
    /// Removes a container that does not run, with its anonymous volumes.
    Remove {
        /// Its name.
        container: String,
        /// Its id: another container of that name is left alone.
        id: Option<String>,
    },
    /// Removes a network.
    RemoveNetwork {
        /// Its name.
        name: String,
    },
    /// Removes a volume and its data.
    RemoveVolume {
        /// Its name.
        name: String,
    },
    /// Lets time pass between two batches.
    Pause {
        /// How long.
        time: Nanos,
    },
    /// Remembers on the host that the stack is at this commit.
    Record {
        /// The release.
        release: Release,
    },
}

/// When a hook runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookMoment {
    /// After the start.
    PostStart,
    /// Before the stop.
    PreStop,
}

/// Everything one replica needs; nothing is left to choose.
#[derive(Debug, Clone, PartialEq)]
pub struct Replica {
    /// The container's name.
    pub name: String,
    /// Its host.
    pub host: HostName,
    /// What its labels say.
    pub identity: Identity,
    /// The id of its image; `None` when it is pulled by this plan.
    pub image: Option<String>,
    /// The digest of its image, when it is pulled by this plan.
    pub digest: Option<String>,
    /// The engine's request to create it, labels included. May hold secrets: never shown, never
    /// saved.
    pub body: Value,
    /// Files that are brought into it before it starts.
    pub files: Vec<PlacedFile>,
    /// Where its ports are reached from the proxies and from us, by port of the container.
    pub endpoints: BTreeMap<u16, Endpoint>,
}

/// A file that a container gets before it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedFile {
    /// The absolute path in the container.
    pub target: String,
    /// Where its content is found.
    pub content: ContentKey,
    /// Owner.
    pub uid: u64,
    /// Group.
    pub gid: u64,
    /// Permission bits.
    pub mode: u32,
    /// Whether nobody may see what is in it.
    pub is_secret: bool,
}

/// Names a content without holding it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContentKey {
    /// A file of the commit, by the SHA-256 of its content.
    Digest(String),
    /// A variable of whoever runs this program.
    Variable(String),
}

/// When a new replica may be trusted with requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Whether Docker's own check must say healthy.
    pub has_check: bool,
    /// A question from outside.
    pub probe: Option<OutsideProbe>,
    /// The longest it may take to become ready.
    pub within: Nanos,
    /// How long it must then stay so; also how long a replica without any check must run.
    pub stable_for: Nanos,
    /// How many of the service's new replicas may fail and the rollout still counts as done.
    pub may_fail: u32,
    /// Whether the rollout goes on without those that fail beyond that.
    pub goes_on: bool,
}

/// A question from outside the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutsideProbe {
    /// The question.
    pub probe: Probe,
    /// Where the port is reached; `None` for the container's own address.
    pub endpoint: Option<Endpoint>,
    /// Between two questions.
    pub interval: Nanos,
    /// For one answer.
    pub timeout: Nanos,
}

impl Plan {
    /// The commit that a stack is wanted at.
    pub fn commit_of(&self, stack: &StackName) -> Option<&CommitId> {
        self.commits.get(stack).or(self.commit.as_ref())
    }

    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// How many containers, networks and volumes come, change and go, as the last line says it.
    /// A replacement counts as one that comes and one that goes; a proxy's file as one that changes.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals { change: self.files.len(), ..Totals::default() };
        for change in self.stacks.values().flat_map(|stack| &stack.changes) {
            let mut add = |action: Action| match action {
                Action::Create => totals.create += 1,
                Action::Remove => totals.remove += 1,
                Action::Update => totals.change += 1,
                Action::ReplaceStartFirst | Action::ReplaceStopFirst => {
                    totals.create += 1;
                    totals.remove += 1;
                }
            };
            match change.kind {
                ResourceKind::Service => change.replicas.iter().for_each(|it| add(it.action)),
                ResourceKind::Network | ResourceKind::Volume => add(change.action),
            }
        }
        totals
    }
}

/// Numbers of a plan's last line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Come.
    pub create: usize,
    /// Change where they are.
    pub change: usize,
    /// Go.
    pub remove: usize,
}

impl Action {
    /// The sign people know from plans.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Remove => "-",
            Self::Update => "~",
            Self::ReplaceStartFirst => "+/-",
            Self::ReplaceStopFirst => "-/+",
        }
    }

    /// The replacement in this order.
    pub fn replace(order: UpdateOrder) -> Self {
        match order {
            UpdateOrder::StartFirst => Self::ReplaceStartFirst,
            UpdateOrder::StopFirst => Self::ReplaceStopFirst,
        }
    }
}

impl Op {
    /// What it does, in a few words: a verb and its object.
    pub fn words(&self) -> String {
        match self {
            Self::Pull { reference, .. } => format!("pull {reference}"),
            Self::CreateNetwork { name, .. } => format!("create network {name}"),
            Self::CreateVolume { name, .. } => format!("create volume {name}"),
            Self::Create { replica } => format!("create {}", replica.name),
            Self::Start { container } => format!("start {container}"),
            Self::RunHook { container, moment: HookMoment::PostStart, .. } => {
                format!("run post_start in {container}")
            }
            Self::RunHook { container, moment: HookMoment::PreStop, .. } => {
                format!("run pre_stop in {container}")
            }
            Self::AwaitReady { container, .. } => format!("wait until {container} is ready"),
            Self::AwaitCompleted { container, .. } => format!("wait until {container} has ended"),
            Self::Switch { place, .. } => format!("switch {} on {}", place.proxy, place.host),
            Self::AwaitDrained { place, servers, .. } => {
                let names: BTreeSet<&str> =
                    servers.values().flat_map(|it| it.keys().map(String::as_str)).collect();
                format!(
                    "wait until {} has let go of {}",
                    place.proxy,
                    names.into_iter().collect::<Vec<_>>().join(", ")
                )
            }
            Self::Stop { container, .. } => format!("stop {container}"),
            Self::Remove { container, .. } => format!("remove {container}"),
            Self::RemoveNetwork { name } => format!("remove network {name}"),
            Self::RemoveVolume { name } => format!("remove volume {name}"),
            Self::Pause { time } => format!("wait {time}"),
            Self::Record { release } => match release.commits.first() {
                Some(commit) => format!("record {}", commit.short()),
                None => "forget the releases".to_owned(),
            },
        }
    }
}

impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
