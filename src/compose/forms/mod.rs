//! The short spellings that Compose allows for its values, one file for each.
//!
//! Every function here goes from `&str` to a value or to a [`Fault`] with a range of bytes in that
//! text; none knows of YAML, files or services. What is accepted, and what comes out, is what the
//! reference implementation accepts and gives, oddities included: a file that works there must
//! mean the same here.

mod boolean;
mod device;
mod duration;
mod fault;
mod host;
mod number;
mod port;
mod pull_policy;
mod shellwords;
mod size;
mod volume;

pub use boolean::{Boolean, BooleanProblem, boolean};
pub use device::{Device, DeviceProblem, device, device_count};
pub use duration::{Duration, DurationProblem, duration};
pub use fault::Fault;
pub use host::{HostEntry, HostProblem, bare, host_entry};
pub use number::{
    FileMode, NumberProblem, cpus, file_mode, float, float32, integer, json_float, json_float32,
};
pub use port::{PORT_MODE, Port, PortProblem, Protocol, ports};
pub use pull_policy::{PULL_POLICIES, PullPolicy, PullPolicyProblem, pull_policy};
pub use shellwords::{ShellWords, ShellWordsProblem, shell_words};
pub use size::{Bytes, SizeProblem, size};
pub use volume::{
    BindOptions, Mount, MountKind, Propagation, SeLinux, VolumeOptions, VolumeProblem, volume,
};
