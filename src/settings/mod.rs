//! Everything read from a repository that is not Compose: `gitdeploy.yaml`, the inventory, values,
//! `x-gitdeploy`, where the stacks are; and, from the user's side, `~/.ssh/config`.
//!
//! No host is talked to and no name is resolved here: files are read and checked, nothing more.
//! Reading is total. A reader returns what it could make out and adds all that is wrong to the
//! caller's list, so that one run reports the mistakes of all files at once; whoever acts on the
//! values looks at the list for errors first.

mod address;
mod daemon;
mod document;
mod extension;
mod formats;
mod inventory;
mod names;
mod placed;
mod repository;
mod selector;
pub mod shapes;
mod ssh_config;
mod stacks;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod values;

pub use address::{Address, Authority};
pub use daemon::load_daemon;
pub use extension::{
    Cutover, Defaults, Drain, Effective, Extension, Health, Probe, Rollout, Route, Strategy, Whence,
};
pub use formats::{parse_duration, parse_size};
pub use inventory::{
    Capacity, Endpoint, Host, Inventory, Jump, Listen, ListenTls, Location, PasswordSource,
    PortRange, Proxy, ProxyKind, Registry, Runs, SshSettings, Tls, Unreachable,
};
pub use placed::Placed;
pub use repository::{Environment, Protect, Settings};
pub use selector::{Constraint, Facts, HostSelector, Operator, Platform, Subject};
pub use ssh_config::{Included, LocalUser, SshConfig, SshTarget, ssh_target};
pub use stacks::{Glob, StackFolder, discover};
pub use values::Values;
