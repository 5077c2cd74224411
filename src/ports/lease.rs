//! Who may act: one holder at a time for a stack, or for a proxy's file, on each host.
//!
//! A lease is kept on the host it protects, so it holds however many machines run this program. It
//! is taken only if nobody holds it, renewed while its holder lives, and expires with it. Expiry is
//! measured by the host's own clock alone.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::PortError;
use crate::model::{Millis, Owner, ProxyName, StackName};

/// What a lease protects.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum LeaseKey {
    /// A stack of an owner.
    Stack(Owner, StackName),
    /// A proxy's managed file.
    Proxy(ProxyName),
}

/// A lease as anybody can read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Names it for `unlock`; never used twice.
    pub id: String,
    /// What it protects.
    pub key: LeaseKey,
    /// Who holds it: user, machine and process.
    pub holder: String,
    /// What for: a commit, `rollback`, `destroy`.
    pub purpose: String,
    /// Since when, by the host's clock.
    pub since: Millis,
    /// Until when, by the host's clock.
    pub until: Millis,
    /// Whether it has expired, by the host's clock at the time of reading.
    pub is_expired: bool,
}

/// A lease of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its id.
    pub id: String,
    /// What it protects.
    pub key: LeaseKey,
}

/// What asking for a lease came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is ours.
    Ours(Held),
    /// Somebody else has it.
    Theirs(Lease),
}

/// The leases of one host.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Takes a lease for `time`, if it is free or has expired.
    async fn take(
        &self,
        key: &LeaseKey,
        holder: &str,
        purpose: &str,
        time: Duration,
    ) -> Result<Taken, PortError>;

    /// Makes it last `time` from now on. `Moved` when it is not ours any more.
    async fn renew(&self, held: &Held, time: Duration) -> Result<(), PortError>;

    /// Gives it back; one that is not ours any more is left alone.
    async fn release(&self, held: &Held) -> Result<(), PortError>;

    /// All leases of an owner's stacks, and of proxies.
    async fn list(&self, owner: &Owner) -> Result<Vec<Lease>, PortError>;

    /// Takes a lease away from whoever holds it.
    async fn break_up(&self, id: &str) -> Result<(), PortError>;
}
