//! One proxy on one host.
//!
//! The calls are in the order of a switch: `prepare` for it when one is near, `test` the candidate, `swap` the file, `activate` it,
//! `confirm` that it serves, `prove` that requests reach the new servers, then ask `draining` until
//! the old ones are let go, and `forget` them. A switch that is cut off anywhere can be done again
//! from its start.

use std::collections::BTreeMap;

use async_trait::async_trait;

use super::{Applied, PortError};
use crate::model::{BackendKey, Endpoint, Generation, ProxyState, RoutingTable, Rule};

/// How a proxy was made to follow its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// It did already.
    AlreadyTrue,
    /// Its running state was changed, with no reload.
    Runtime,
    /// It read its file again.
    Reload,
}

/// What a proxy still has to do with servers it does not send to any more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Draining {
    /// Requests and long-lived connections that can be counted.
    pub in_flight: u64,
    /// Processes of older generations, which may still send to old servers.
    pub old_processes: u32,
}

/// One proxy on one host, and the one file of it that is ours.
#[async_trait]
pub trait Proxy: Send + Sync {
    /// The file, what serves, what stands in the way.
    async fn observe(&self) -> Result<ProxyState, PortError>;

    /// Begins with what [`Proxy::activate`] would wait for and what does not depend on the file. Says
    /// nothing of success: what was not done here is done there.
    async fn prepare(&self) -> Result<(), PortError> {
        Ok(())
    }

    /// Has the checker look at what [`Proxy::test`] will be asked about, if nothing changes until
    /// then. Says nothing of success: what was not found good here is looked at there. Done without
    /// the proxy's lease, so several may do it at the same time.
    async fn check_ahead(&self, _candidate: &str) -> Result<(), PortError> {
        Ok(())
    }

    /// Takes back what [`Proxy::prepare`] began, unless it has been made use of since.
    async fn settle(&self) -> Result<(), PortError> {
        Ok(())
    }

    /// The file's content now; `None` when there is none.
    async fn read(&self) -> Result<Option<String>, PortError>;

    /// Has the proxy's own checker look at `candidate` in the place of the file, without putting it
    /// there, and looks whether what it would listen on is free. `Refused` with what was said.
    async fn test(&self, candidate: &str) -> Result<(), PortError>;

    /// Replaces the file at once if it is still `expect`; else `Moved`. `None` stands for no file.
    async fn swap(&self, expect: Option<&str>, new: Option<&str>) -> Result<Applied, PortError>;

    /// Makes the proxy follow the file, which says `table`, without losing a request.
    async fn activate(&self, table: &RoutingTable) -> Result<Activation, PortError>;

    /// Whether `generation` answers, on several fresh connections in a row.
    async fn confirm(&self, generation: Generation) -> Result<bool, PortError>;

    /// Sends one request through the public listener for a rule, and says which address answered.
    async fn prove(&self, rule: &Rule) -> Result<Option<Endpoint>, PortError>;

    /// What is still going on with these servers.
    async fn draining(
        &self,
        servers: &BTreeMap<BackendKey, BTreeMap<String, Endpoint>>,
    ) -> Result<Draining, PortError>;

    /// Takes drained servers out of the running state, where the proxy keeps such a thing.
    async fn forget(
        &self,
        servers: &BTreeMap<BackendKey, BTreeMap<String, Endpoint>>,
    ) -> Result<Applied, PortError>;
}

impl Draining {
    /// Whether nothing is left.
    pub fn is_over(&self) -> bool {
        *self == Self::default()
    }
}
