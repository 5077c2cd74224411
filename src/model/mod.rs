//! Plain data: what is wanted, what was seen, what will be done, what happened.
//!
//! Nothing here reads, decides or prints. `resolve` builds the desired state, adapters the observed
//! one, `planner` the plan; all are trusted afterwards.

mod addresses;
mod basis;
mod canonical;
mod cause;
mod config;
mod container;
mod desired;
mod event;
mod ids;
mod image_name;
mod inspection;
pub mod labels;
mod name;
mod observed;
mod plan;
mod quantity;
mod routes;
mod seating;
mod settled;
mod subnet;
mod text;

pub use addresses::Addresses;
pub use basis::{Basis, Facts, Mark};
pub use canonical::{canonical, canonical_into};
pub use cause::Cause;
pub use config::{Binding, Config, Told};
pub use container::{
    BindSource, Blkio, ContainerSpec, DeviceMapping, DeviceRequest, FileMount, FileSource,
    HealthCheck, Limits, Logging, Mount, MountKind, NetworkAttachment, Port, RestartPolicy, Ulimit,
};
pub use desired::{
    Condition, Count, Course, Dependency, Desired, FailureAction, Gate, Hook, HttpProbe, Ipam,
    IpamPool, NetworkSpec, Order, Packing, Placement, Probe, Reservations, Rollout, Route,
    ServiceTarget, StackTarget, Strategy, UpdateOrder, VolumeSpec,
};
pub use event::{Event, Outcome, StepEvent, Verdict};
pub use ids::{
    CommitId, EnvironmentName, Generation, HostName, Millis, ProjectName, ProxyName, ServiceName,
    Slot, SpecHash, StackName,
};
pub use image_name::ImageName;
pub use inspection::{HostInspection, Inspection, Joining, ProxyInspection, Room};
pub use labels::{Identity, Owner, RESERVED as RESERVED_LABELS};
pub use name::Name;
pub use observed::{
    ContainerState, Drained, EngineInfo, Fault, FaultKind, Foreign, Health, HostState, Image,
    ImageFault, LiveContainer, LiveNetwork, LiveVolume, Observed, ProxyPlace, ProxyState,
    RegistryImage, Release, RuntimeServer, Status, Swarm,
};
pub use plan::{
    Action, Blind, Change, ContentKey, Downtime, FieldDifference, HookMoment, Note, Op,
    OutsideProbe, PlacedFile, Plan, PlanId, ProxyFile, Readiness, Replica, ReplicaChange,
    ResourceKind, Seen, StackPlan, Step, StepId, Totals,
};
pub use quantity::{Bytes, NanoCpus, Nanos};
pub use routes::{
    Backend, BackendChange, BackendKey, Endpoint, Moved, RouteChange, RoutingTable, Rule,
};
pub use seating::Seating;
pub use settled::Settled;
pub use subnet::Subnet;
