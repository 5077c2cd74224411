//! Plain data: what is wanted, without a word on how to get there.
//!
//! Nothing here reads, decides or prints. Types are built by `resolve` and trusted afterwards.

mod container;
mod desired;
mod ids;
mod name;
mod quantity;

pub use container::{
    BindSource, Blkio, ContainerSpec, DeviceMapping, DeviceRequest, FileMount, FileSource,
    HealthCheck, Limits, Logging, Mount, MountKind, NetworkAttachment, Port, RestartPolicy, Ulimit,
};
pub use desired::{
    Condition, Count, Dependency, Desired, FailureAction, Gate, Hook, HttpProbe, Ipam, IpamPool,
    NetworkSpec, Order, Placement, Probe, Reservations, Rollout, Route, ServiceTarget, StackTarget,
    Strategy, UpdateOrder, VolumeSpec,
};
pub use ids::{CommitId, EnvironmentName, ProjectName, ServiceName, SpecHash, StackName};
pub use name::Name;
pub use quantity::{Bytes, NanoCpus, Nanos};
