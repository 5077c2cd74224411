//! Leases of a simulated host.

use std::time::Duration;

use async_trait::async_trait;

use super::Run;
use super::account::lease_id;
use super::state::{SimHost, State};
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
        self.done(|state, now| {
            let host = state.hosts.get_mut(&self.host).expect("it was there above");
            let time = host.time(now);
            effect(host, time)
        })
        .await
    }

    async fn done<T>(
        &self,
        effect: impl Fn(&mut State, Millis) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        let world = &self.run.world;
        let done = || {
            let now = world.now();
            let mut state = world.state();
            state.hosts.get(&self.host).filter(|it| it.answers()).ok_or_else(SimHost::refused)?;
            let result = effect(&mut state, now);
            state.watch(now);
            result
        };
        self.run.to_engine(&self.host).await;
        self.run.faults.call_once(done).await
    }

    /// Notes that the run has just been answered about a lease, or been left without an answer.
    fn asked(&self, key: &LeaseKey) {
        let world = &self.run.world;
        let now = world.now();
        world.state().askers.insert(self.asker(key), now);
    }

    /// Notes that the run has been told that a lease is not its own.
    fn denied(&self, key: &LeaseKey) {
        self.run.world.state().askers.remove(&self.asker(key));
    }

    fn asker(&self, key: &LeaseKey) -> (usize, HostName, LeaseKey) {
        (self.run.number, self.host.clone(), key.clone())
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
        let run = self.run.number;
        let taken = self.done(|state, now| {
            let host = state.hosts.get_mut(&self.host).expect("it was there above");
            let now = host.time(now);
            if let Some(lease) = host.leases.get(key).filter(|lease| lease.until > now) {
                return Ok(Taken::Theirs(lease.clone()));
            }
            let number = host.next_id(&self.host);
            let id = lease_id(run, &number);
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
            state.takers.insert((run, self.host.clone(), key.clone()));
            Ok(Taken::Ours(Held { id, key: key.clone() }))
        });
        let taken = taken.await;
        match &taken {
            Ok(Taken::Theirs(_)) => {}
            // Without an answer it may have become ours.
            Ok(Taken::Ours(_)) | Err(_) => self.asked(key),
        }
        taken
    }

    async fn renew(&self, held: &Held, time: Duration) -> Result<(), PortError> {
        let renewed = self.call(|host, now| match host.leases.get_mut(&held.key) {
            Some(lease) if lease.id == held.id && lease.until > now => {
                lease.until = after(now, time);
                Ok(())
            }
            _ => Err(PortError::Moved("the lease is not ours any more".into())),
        });
        let renewed = renewed.await;
        match &renewed {
            Err(PortError::Moved(_)) => self.denied(&held.key),
            // Silence takes no lease away.
            _ => self.asked(&held.key),
        }
        renewed
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
            let before = host.leases.len();
            host.leases.retain(|_, lease| lease.id != id);
            match host.leases.len() < before {
                true => Ok(()),
                false => Err(PortError::NotFound(format!("there is no lease {id}"))),
            }
        })
        .await
    }
}

fn after(now: Millis, time: Duration) -> Millis {
    now + u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
