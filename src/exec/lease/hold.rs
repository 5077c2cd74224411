//! One lease that is ours: kept alive, and asked for before anything has an effect.

use std::future::pending;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::{AGAIN, words};
use crate::exec::context::answer;
use crate::exec::repeat::repeated;
use crate::model::{HostName, StackName};
use crate::ports::{Held, LeaseKey, Leases, PortError};

/// How long it is believed that a lease is still ours.
pub(super) const BELIEVED: Duration = Duration::from_secs(1);

/// How long the question whether it is may take.
const QUESTION: Duration = Duration::from_secs(5);

/// A lease that is ours.
pub(in crate::exec) struct Hold {
    host: HostName,
    leases: Arc<dyn Leases>,
    held: Held,
    time: Duration,
    /// When it was ours last, as far as is known. Whoever asks keeps others from asking too.
    proved: tokio::sync::Mutex<Instant>,
    /// Until when nobody else can have it. It is counted from the question, since the host counts
    /// from a later moment.
    until: Mutex<Instant>,
    /// Whether the host said that it is not ours.
    is_taken: AtomicBool,
}

impl Hold {
    /// A lease that was asked for at a moment.
    pub(in crate::exec) fn new(
        host: HostName,
        leases: Arc<dyn Leases>,
        held: Held,
        asked: Instant,
        time: Duration,
    ) -> Self {
        let (proved, until) = (tokio::sync::Mutex::new(asked), Mutex::new(asked + time));
        Self { host, leases, held, time, proved, until, is_taken: AtomicBool::new(false) }
    }

    /// Keeps it alive, and ends with the words for its loss. It is renewed at a third of its time. An
    /// answer that does not come is no loss until the lease must have run out; one that says that it
    /// is not ours is.
    pub(in crate::exec) async fn keep(&self) -> String {
        let mut next = Instant::now() + self.time / 3;
        loop {
            sleep_until(next.min(self.until())).await;
            match self.renew(self.until()).await {
                Ok(()) => next = Instant::now() + self.time / 3,
                Err(error) if self.is_silence(&error) => next = Instant::now() + self.time / 12,
                Err(error) => return self.loss(&error),
            }
        }
    }

    /// Refuses, in words, when it is not ours any more. A host that says nothing is asked again until
    /// the lease must have run out: what is sent into its silence could come through at any later
    /// time. One that cannot be reached takes no lease away.
    pub(in crate::exec) async fn confirm(&self) -> Result<(), String> {
        let mut proved = self.proved.lock().await;
        loop {
            let asked = Instant::now();
            if asked < (*proved + BELIEVED).min(self.until()) {
                return Ok(());
            }
            match self.renew(asked + QUESTION).await {
                Ok(()) => {
                    *proved = asked;
                    return Ok(());
                }
                Err(error) if !self.is_silence(&error) => return Err(self.loss(&error)),
                Err(PortError::Unknown(_)) => sleep(AGAIN).await,
                // Nothing can come through to it now.
                Err(_) => return Ok(()),
            }
        }
    }

    /// Ends when somebody else may have it, as nobody was answered in time, and says so. Who took it
    /// away meanwhile wants what has begun to be ended.
    pub(in crate::exec) async fn run_out(&self) -> String {
        loop {
            let until = self.until();
            if Instant::now() < until {
                sleep_until(until).await;
            } else if self.is_taken.load(Ordering::Relaxed) {
                return pending().await;
            } else {
                let (what, time) = (words(&self.held.key), self.time.as_secs());
                let host = &self.host;
                return format!("the lease of {what} ran out: {host} did not answer for {time}s");
            }
        }
    }

    async fn renew(&self, deadline: Instant) -> Result<(), PortError> {
        let asked = Instant::now();
        let renewed = answer(deadline, self.leases.renew(&self.held, self.time)).await;
        match &renewed {
            Ok(()) => {
                let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
                *until = (*until).max(asked + self.time);
            }
            Err(error) if error.is_worth_repeating() => {}
            Err(_) => self.is_taken.store(true, Ordering::Relaxed),
        }
        renewed
    }

    fn until(&self) -> Instant {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether nothing is lost by an answer that did not come.
    fn is_silence(&self, error: &PortError) -> bool {
        error.is_worth_repeating() && Instant::now() < self.until()
    }

    pub(in crate::exec) async fn give_back(&self, deadline: Instant) {
        let give = || answer(deadline, self.leases.release(&self.held));
        // One that cannot be given back expires.
        drop(repeated(give).await);
    }

    pub(super) fn is_for(&self, host: &HostName, key: &LeaseKey) -> bool {
        self.host == *host && self.held.key == *key
    }

    pub(super) fn is_of(&self, host: &HostName, stack: &StackName) -> bool {
        let is_meant = matches!(&self.held.key, LeaseKey::Stack(_, name) if name == stack);
        self.host == *host && is_meant
    }

    fn loss(&self, error: &PortError) -> String {
        format!("the lease of {} on {}: {error}", words(&self.held.key), self.host)
    }
}
