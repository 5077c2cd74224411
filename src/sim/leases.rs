//! Leases of a simulated host.

use std::time::Duration;

use async_trait::async_trait;

use super::Run;
use super::state::SimHost;
use crate::model::{HostName, Millis, Owner};
use crate::ports::{Held, Lease, LeaseKey, Leases, PortError, Taken};

/// One run's way to the leases of one host.
pub(super) struct SimLeases {
    pub(super) run: Run,
    pub(super) host: HostName,
}

impl SimLeases {
    async fn call<T>(
        &self,
        effect: impl Fn(&mut SimHost, Millis) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        let world = &self.run.world;
        let done = || {
            let now = world.now();
            let mut state = world.state();
            let host = state
                .hosts
                .get_mut(&self.host)
                .filter(|host| !host.is_down)
                .ok_or_else(|| PortError::Unreachable("connection refused".into()))?;
            let result = effect(host, now);
            state.watch(now);
            result
        };
        self.run.faults.call(done).await
    }
}

#[async_trait]
impl Leases for SimLeases {
    async fn take(
        &self,
        key: &LeaseKey,
        holder: &str,
        purpose: &str,
        time: Duration,
    ) -> Result<Taken, PortError> {
        self.call(|host, now| {
            if let Some(lease) = host.leases.get(key).filter(|lease| lease.until > now) {
                return Ok(Taken::Theirs(lease.clone()));
            }
            let id = host.next_id();
            let lease = Lease {
                id: id.clone(),
                key: key.clone(),
                holder: holder.to_owned(),
                purpose: purpose.to_owned(),
                since: now,
                until: after(now, time),
                is_expired: false,
            };
            host.leases.insert(key.clone(), lease);
            Ok(Taken::Ours(Held { id, key: key.clone() }))
        })
        .await
    }

    async fn renew(&self, held: &Held, time: Duration) -> Result<(), PortError> {
        self.call(|host, now| match host.leases.get_mut(&held.key) {
            Some(lease) if lease.id == held.id => {
                lease.until = after(now, time);
                Ok(())
            }
            _ => Err(PortError::Moved("the lease is not ours any more".into())),
        })
        .await
    }

    async fn release(&self, held: &Held) -> Result<(), PortError> {
        self.call(|host, _| {
            host.leases.retain(|_, lease| lease.id != held.id);
            Ok(())
        })
        .await
    }

    async fn list(&self, owner: &Owner) -> Result<Vec<Lease>, PortError> {
        self.call(|host, now| {
            let is_of = |lease: &&Lease| match &lease.key {
                LeaseKey::Stack(of, _) => of == owner,
                LeaseKey::Proxy(_) => true,
            };
            let read = |lease: &Lease| Lease { is_expired: lease.until <= now, ..lease.clone() };
            Ok(host.leases.values().filter(is_of).map(read).collect())
        })
        .await
    }

    async fn break_up(&self, id: &str) -> Result<(), PortError> {
        self.call(|host, _| {
            host.leases.retain(|_, lease| lease.id != id);
            Ok(())
        })
        .await
    }
}

fn after(now: Millis, time: Duration) -> Millis {
    now + u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
