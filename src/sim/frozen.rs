//! Worlds that are kept as they were, to go on from there as often as is wanted.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::World;
use super::state::State;
use crate::model::Millis;

/// A world as it was at one moment.
#[derive(Clone)]
pub struct Frozen {
    state: State,
    age: Duration,
}

impl Frozen {
    /// A world that goes on from here, at the time it was then. Nothing that happens in it is seen
    /// in any other.
    pub fn thaw(&self) -> World {
        let began = Instant::now() - self.age;
        World { state: Arc::new(Mutex::new(self.state.clone())), began, ..World::default() }
    }
}

impl World {
    /// The world as it is now.
    pub fn freeze(&self) -> Frozen {
        Frozen { state: self.state().clone(), age: self.began.elapsed() }
    }

    /// From now on keeps the world after every effect.
    pub fn keep_all(&self) {
        self.state().kept = Some(BTreeMap::new());
    }

    /// The worlds that were kept, each kind once: two that differ in the time alone are one. They
    /// are all that a run which ends anywhere can leave behind.
    pub fn kept(&self) -> Vec<Frozen> {
        self.state().kept.iter().flat_map(|kept| kept.values().cloned()).collect()
    }

    /// What a later run can see, without times.
    pub fn shape(&self) -> String {
        let now = self.now();
        self.state().shape(now)
    }
}

impl State {
    /// Keeps this state, when all are to be kept and it is a new one.
    pub(super) fn keep(&mut self, now: Millis) {
        let Some(mut kept) = self.kept.take() else { return };
        let age = Duration::from_millis(now - super::EPOCH);
        let fresh = || Frozen { state: self.clone(), age };
        kept.entry(self.shape(now)).or_insert_with(fresh);
        self.kept = Some(kept);
    }

    fn shape(&self, now: Millis) -> String {
        let mut lines = Vec::new();
        for (name, host) in &self.hosts {
            lines.push(format!("{name} {} {:?}", host.is_down, host.drained));
            lines.extend(host.containers.iter().map(|(name, it)| {
                format!("{name} {} {:?} {}", it.id, it.status_at(now), it.is_ready(now))
            }));
            lines.extend(host.networks.keys().chain(host.volumes.keys()).cloned());
            lines.extend(host.images.iter().map(|(name, it)| format!("{name} {}", it.id)));
            let releases = host.releases.iter();
            lines.extend(releases.map(|(name, it)| format!("{name} {:?}", it.commits)));
            lines.extend(host.leases.iter().map(|(key, it)| format!("{key:?} {}", it.holder)));
        }
        for (place, proxy) in &self.proxies {
            let file = proxy.file.as_deref().map(super::file::running);
            let old = proxy.old.iter().filter(|(_, until)| *until > now).count();
            lines.push(format!("{place:?} {:?} {file:?} {old}", proxy.running));
        }
        lines.join("\n")
    }
}
