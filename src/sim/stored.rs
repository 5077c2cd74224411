//! Worlds that outlive a process: as text, and back.
//!
//! Kept is what a later run can see, and how late it is. What was wrong, who served and what was
//! done belong to the run that saw it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::state::{SimHost, SimImage, SimProxy};
use super::traffic::Connection;
use super::{EPOCH, ServiceId, World};
use crate::model::{HostName, Millis, ProxyPlace};

#[derive(Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Stored {
    age_ms: Millis,
    hosts: BTreeMap<HostName, SimHost>,
    proxies: Vec<(ProxyPlace, SimProxy)>,
    registry: BTreeMap<String, SimImage>,
    jobs: BTreeSet<ServiceId>,
    /// How many runs there were: leases say which of them holds them.
    runs: usize,
    connections: Vec<Connection>,
    let_go: BTreeSet<String>,
    cuts: BTreeSet<(HostName, HostName)>,
}

impl World {
    /// The world as text, as it is now.
    pub fn stored(&self) -> String {
        let age_ms = self.now() - EPOCH;
        let state = self.state();
        let proxies = state.proxies.iter().map(|(place, proxy)| (place.clone(), proxy.clone()));
        let stored = Stored {
            age_ms,
            hosts: state.hosts.clone(),
            proxies: proxies.collect(),
            registry: state.registry.clone(),
            jobs: state.jobs.clone(),
            runs: state.runs,
            connections: state.connections.clone(),
            let_go: state.let_go.clone(),
            cuts: state.cuts.clone(),
        };
        serde_json::to_string_pretty(&stored).expect("only texts are keys")
    }

    /// A world that goes on from such a text, at the time it was then; an empty text is an empty
    /// world. Time must be paused, since that much of it passes.
    pub async fn restored(text: &str) -> Result<Self, serde_json::Error> {
        let text = if text.trim().is_empty() { "{}" } else { text };
        let stored: Stored = serde_json::from_str(text)?;
        let world = Self::default();
        tokio::time::sleep(Duration::from_millis(stored.age_ms)).await;
        let mut state = world.state();
        state.hosts = stored.hosts;
        state.proxies = stored.proxies.into_iter().collect();
        state.registry = stored.registry;
        state.jobs = stored.jobs;
        state.runs = stored.runs;
        state.connections = stored.connections;
        state.let_go = stored.let_go;
        state.cuts = stored.cuts;
        drop(state);
        Ok(world)
    }
}

/// Leases as a list: their keys are in them.
pub(super) mod leases {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::ports::{Lease, LeaseKey};

    pub(in crate::sim) fn serialize<S: Serializer>(
        leases: &BTreeMap<LeaseKey, Lease>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        leases.values().collect::<Vec<_>>().serialize(serializer)
    }

    pub(in crate::sim) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<LeaseKey, Lease>, D::Error> {
        let leases = Vec::<Lease>::deserialize(deserializer)?;
        Ok(leases.into_iter().map(|lease| (lease.key.clone(), lease)).collect())
    }
}
