//! The leases of a run: every stack that has steps, on every host of these steps.
//!
//! They are taken in one order by everybody, all or none, so two runs cannot wait for each other;
//! whoever comes second is told, at once unless it was asked to wait. While the run lives they are
//! renewed; one that is lost lets nothing new begin, since somebody else may act.

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::model::{HostName, Plan, StackName};
use crate::ports::{Held, Lease, LeaseKey, Leases, PortError, Ports, Taken};

use super::Options;
use super::context::answer;
use super::repeat::repeated;

/// How long taking or giving back one lease may take.
const CALL: Duration = Duration::from_secs(30);

/// How often a lease is asked for again that somebody else holds.
const AGAIN: Duration = Duration::from_millis(500);

/// The leases of a run. Dropped without [`Guard::release`] they expire.
pub struct Guard {
    held: Vec<(HostName, Arc<dyn Leases>, Held)>,
    renewals: JoinSet<()>,
    lost: watch::Sender<Option<String>>,
}

/// Why a run may not begin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GuardError {
    /// Somebody else is at work.
    #[error("{} is held by {} for {}", words(&.0.key), .0.holder, .0.purpose)]
    Held(Box<Lease>),
    /// A lease could be neither taken nor refused.
    #[error(transparent)]
    Port(PortError),
}

impl Guard {
    /// Takes all leases that a plan needs, or none; waits for others as long as `options` say.
    pub async fn take(plan: &Plan, ports: &Ports, options: &Options) -> Result<Self, GuardError> {
        let limit = Instant::now() + options.lease_wait;
        loop {
            match Self::take_now(plan, ports, options).await {
                Err(GuardError::Held(_)) if Instant::now() + AGAIN <= limit => sleep(AGAIN).await,
                taken => return taken,
            }
        }
    }

    async fn take_now(plan: &Plan, ports: &Ports, options: &Options) -> Result<Self, GuardError> {
        let (lost, _) = watch::channel(None);
        let mut guard = Self { held: Vec::new(), renewals: JoinSet::new(), lost };
        for (host, key) in keys(plan) {
            if let Err(error) = guard.add(ports, options, host, key).await {
                guard.release().await;
                return Err(error);
            }
        }
        Ok(guard)
    }

    /// Gives all leases back. One that cannot be given back expires.
    pub async fn release(mut self) {
        self.renewals.shutdown().await;
        for (_, leases, held) in self.held.iter().rev() {
            let give = || answer(Instant::now() + CALL, leases.release(held));
            drop(repeated(give).await);
        }
    }

    /// Ends when a lease is lost, and says how; never otherwise.
    pub(super) async fn lost(&self) -> String {
        let mut lost = self.lost.subscribe();
        let seen = lost.wait_for(Option::is_some).await.map(|lost| lost.clone());
        match seen {
            Ok(Some(why)) => why,
            Ok(None) | Err(_) => pending().await,
        }
    }

    async fn add(
        &mut self,
        ports: &Ports,
        options: &Options,
        host: HostName,
        key: LeaseKey,
    ) -> Result<(), GuardError> {
        let missing = || PortError::NotFound(format!("{host} was not connected"));
        let leases = ports.leases.get(&host).ok_or_else(missing).map_err(GuardError::Port)?;
        let limit = Instant::now() + CALL * 3;
        let taken = take_lease(&**leases, &key, options, options.lease, limit).await;
        let held = match taken.map_err(|error| GuardError::Port(on(&host, error)))? {
            Taken::Ours(held) => held,
            Taken::Theirs(lease) => return Err(GuardError::Held(Box::new(lease))),
        };
        let renewal = Renewal {
            leases: Arc::clone(leases),
            held: held.clone(),
            host: host.clone(),
            time: options.lease,
        };
        self.renewals.spawn(renewal.run(self.lost.clone()));
        self.held.push((host, Arc::clone(leases), held));
        Ok(())
    }
}

/// Takes a lease. After an answer that was lost, one that names us was taken by that call.
pub(super) async fn take_lease(
    leases: &dyn Leases,
    key: &LeaseKey,
    options: &Options,
    time: Duration,
    deadline: Instant,
) -> Result<Taken, PortError> {
    let was_lost = AtomicBool::new(false);
    let take = || async {
        let limit = deadline.min(Instant::now() + CALL);
        let taken = answer(limit, leases.take(key, &options.holder, &options.purpose, time)).await;
        was_lost.fetch_or(matches!(taken, Err(PortError::Unknown(_))), Ordering::Relaxed);
        taken
    };
    let taken = repeated(take).await?;
    Ok(match taken {
        Taken::Theirs(lease)
            if was_lost.load(Ordering::Relaxed)
                && lease.holder == options.holder
                && lease.purpose == options.purpose =>
        {
            Taken::Ours(Held { id: lease.id, key: lease.key })
        }
        taken => taken,
    })
}

/// Keeps one lease alive.
struct Renewal {
    leases: Arc<dyn Leases>,
    held: Held,
    host: HostName,
    time: Duration,
}

impl Renewal {
    /// Renews at a third of the time. An answer that does not come is no loss until the lease must
    /// have run out; one that says that it is not ours is.
    async fn run(self, lost: watch::Sender<Option<String>>) {
        let mut until = Instant::now() + self.time;
        let mut pause = self.time / 3;
        loop {
            sleep(pause).await;
            let asked = Instant::now();
            let why = match answer(until, self.leases.renew(&self.held, self.time)).await {
                Ok(()) => {
                    until = asked + self.time;
                    pause = self.time / 3;
                    continue;
                }
                Err(error) if error.is_worth_repeating() && Instant::now() < until => {
                    pause = self.time / 12;
                    continue;
                }
                Err(error) => error,
            };
            let what = words(&self.held.key);
            lost.send_replace(Some(format!("the lease of {what} on {}: {why}", self.host)));
            return;
        }
    }
}

fn keys(plan: &Plan) -> BTreeSet<(HostName, LeaseKey)> {
    let key = |stack: &StackName| LeaseKey::Stack(plan.owner.clone(), stack.clone());
    plan.steps.iter().map(|step| (step.host.clone(), key(&step.stack))).collect()
}

fn words(key: &LeaseKey) -> String {
    match key {
        LeaseKey::Stack(owner, stack) => format!("{stack} of {}", owner.environment),
        LeaseKey::Proxy(proxy) => format!("the file of {proxy}"),
    }
}

fn on(host: &HostName, error: PortError) -> PortError {
    match error {
        PortError::Refused(why) => PortError::Refused(format!("{host}: {why}")),
        PortError::NotFound(why) => PortError::NotFound(format!("{host}: {why}")),
        PortError::Moved(why) => PortError::Moved(format!("{host}: {why}")),
        PortError::Unreachable(why) => PortError::Unreachable(format!("{host}: {why}")),
        PortError::Unknown(why) => PortError::Unknown(format!("{host}: {why}")),
    }
}

#[cfg(test)]
mod tests;
