//! Between our model and the engine's words: requests to create things, and what differs from what
//! is there. Pure.
//!
//! A request is JSON in the shape of the engine's API, so that what was asked for and what an
//! inspection shows can be laid side by side: one function turns both into fields by Compose's
//! names, with the engine's own defaults and the image's part taken into account, and those are
//! compared.

mod body;
mod differences;
mod effective;
mod fields;
mod files;
mod host_config;
mod kept;
mod keys;
mod live_mounts;
mod live_ports;
mod mounts;
mod networks;
mod support;

use crate::model::{Endpoint, EngineInfo, Owner, ServiceName, StackName, StackTarget};

pub use body::{anonymous_body, body};
pub use differences::differences;
pub use files::{file_volumes, files};
pub use kept::{network_body, network_differences, volume_body, volume_differences};
pub use mounts::stack_volume_name;

/// What a container's request depends on beside its specification.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// Whose it is.
    pub owner: &'a Owner,
    /// Its stack.
    pub stack: &'a StackName,
    /// Its service.
    pub service: &'a ServiceName,
    /// The stack's networks and volumes, whose names on the engine are needed.
    pub target: &'a StackTarget,
    /// The engine it is for: older ones cannot do everything.
    pub engine: &'a EngineInfo,
}

/// A port of the container, and where the planner has it published on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The TCP port inside the container.
    pub container_port: u16,
    /// Addresses and ports of the host.
    pub at: Vec<Endpoint>,
}

#[cfg(test)]
mod tests;
