//! `inventory.yaml`: hosts and the proxies before them.
//!
//! Files named in it are of two kinds. An absolute path, or one below `~`, lies on the machine
//! that runs gitdeploy and is not looked at here. A relative path is seen from the inventory file
//! and lies in the commit: certificates and `known_hosts`, which are public, but never a private
//! key. What a proxy names (`config`, `socket`, `tls`) lies where the proxy runs.

mod endpoint;
mod host;
mod load;
mod network;
mod proxy;
mod registry;
mod shape;
#[cfg(test)]
mod tests;

pub use endpoint::{Endpoint, Location, Tls};
pub use host::{Capacity, Host, Jump, PortRange, SshSettings};
pub use load::{Inventory, Unreachable};
pub use proxy::{Listen, ListenTls, Proxy, ProxyKind, Runs};
pub use registry::{PasswordSource, Registry};
pub use shape::INVENTORY;
