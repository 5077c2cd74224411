//! The leases of a run: every stack that has steps, on every host of these steps.
//!
//! They are taken in one order by everybody, all or none, so two runs cannot wait for each other;
//! whoever comes second is told, at once unless it was asked to wait. While the run lives they are
//! renewed, and asked for once more before anything has an effect; one that is lost lets nothing new
//! begin, since somebody else may act. One that a silent host may have given to somebody else ends
//! what waits for that host, too: a call that comes through later would be a second one at work.

mod hold;

use std::collections::BTreeSet;
use std::future::pending;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::model::{HostName, Plan, StackName};
use crate::ports::{Held, Lease, LeaseKey, Leases, PortError, Ports, Taken};

use super::Options;
use super::context::answer;
use super::repeat::repeated;

pub(super) use hold::Hold;

/// How long taking or giving back one lease may take.
const CALL: Duration = Duration::from_secs(30);

/// How often a lease is asked for again that somebody else holds, and after a question that nobody
/// answered.
const AGAIN: Duration = Duration::from_millis(500);

/// The leases of a run. Dropped without [`Guard::release`] they expire.
pub struct Guard {
    held: Vec<Arc<Hold>>,
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

    /// Takes what `plan` needs beside what is held, without waiting for anybody: two runs that each
    /// held something and waited would wait for ever. Says whether anything was taken; then what was
    /// seen before is not to be trusted.
    pub async fn extend(
        &mut self,
        plan: &Plan,
        ports: &Ports,
        options: &Options,
    ) -> Result<bool, GuardError> {
        let is_held =
            |(host, key): &(HostName, LeaseKey)| self.held.iter().any(|it| it.is_for(host, key));
        let missing: Vec<_> = keys(plan).into_iter().filter(|it| !is_held(it)).collect();
        let is_any = !missing.is_empty();
        for (host, key) in missing {
            self.add(ports, options, host, key).await?;
        }
        Ok(is_any)
    }

    /// Gives all leases back. One that cannot be given back expires.
    pub async fn release(mut self) {
        self.renewals.shutdown().await;
        for hold in self.held.iter().rev() {
            hold.give_back(Instant::now() + CALL).await;
        }
    }

    /// Refuses when the lease of a stack on a host is not ours. Silence is no loss until the lease
    /// must have run out; so long it is asked again.
    pub(super) async fn confirm(&self, host: &HostName, stack: &StackName) -> Result<(), String> {
        let why = match self.hold(host, stack) {
            Some(hold) => hold.confirm().await.err(),
            None => Some(format!("the lease of {stack} on {host}: it was never taken")),
        };
        let Some(why) = why else { return Ok(()) };
        self.lost.send_replace(Some(why.clone()));
        Err(why)
    }

    /// Ends when the lease of a stack on a host may be somebody else's, as nobody was answered in
    /// time; not when it was taken away.
    pub(super) async fn run_out(&self, host: &HostName, stack: &StackName) -> String {
        match self.hold(host, stack) {
            Some(hold) => hold.run_out().await,
            None => pending().await,
        }
    }

    fn hold(&self, host: &HostName, stack: &StackName) -> Option<&Arc<Hold>> {
        self.held.iter().find(|it| it.is_of(host, stack))
    }

    /// How a lease was lost, if one was.
    pub(super) fn loss(&self) -> Option<String> {
        self.lost.borrow().clone()
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
        let (taken, asked) = taken.map_err(|error| GuardError::Port(on(&host, error)))?;
        let held = match taken {
            Taken::Ours(held) => held,
            Taken::Theirs(lease) => return Err(GuardError::Held(Box::new(lease))),
        };
        let hold = Arc::new(Hold::new(host, Arc::clone(leases), held, asked, options.lease));
        let (kept, lost) = (Arc::clone(&hold), self.lost.clone());
        self.renewals.spawn(async move {
            let why = kept.keep().await;
            lost.send_replace(Some(why));
        });
        self.held.push(hold);
        Ok(())
    }
}

/// Takes a lease, and says when it was asked for. After an answer that was lost, one that names us
/// was taken by that call.
pub(super) async fn take_lease(
    leases: &dyn Leases,
    key: &LeaseKey,
    options: &Options,
    time: Duration,
    deadline: Instant,
) -> Result<(Taken, Instant), PortError> {
    let first_lost = Mutex::new(None);
    let lost = || *first_lost.lock().unwrap_or_else(PoisonError::into_inner);
    let take = || async {
        let asked = Instant::now();
        let limit = deadline.min(asked + CALL);
        let taken = answer(limit, leases.take(key, &options.holder, &options.purpose, time)).await;
        if matches!(taken, Err(PortError::Unknown(_))) {
            first_lost.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(asked);
        }
        Ok((taken?, asked))
    };
    let (taken, asked) = repeated(take).await?;
    Ok(match (taken, lost()) {
        (Taken::Theirs(lease), Some(asked))
            if lease.holder == options.holder && lease.purpose == options.purpose =>
        {
            (Taken::Ours(Held { id: lease.id, key: lease.key }), asked)
        }
        (taken, _) => (taken, asked),
    })
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
