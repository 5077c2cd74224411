//! Why a replica is where it will be: what `plan --explain` shows.

use std::collections::{BTreeMap, BTreeSet};

use super::{HostName, ServiceName, Slot};

/// One replica, its host, and the hosts it could not go to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seating {
    /// The service.
    pub service: ServiceName,
    /// Which replica.
    pub slot: Slot,
    /// Where it is, or will be.
    pub host: HostName,
    /// Why there, in words.
    pub why: String,
    /// Hosts that could not have it, by the reason in words.
    pub barred: BTreeMap<String, BTreeSet<HostName>>,
}
