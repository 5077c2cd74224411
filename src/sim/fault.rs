//! Faults of one run: at a numbered call, before or after its effect.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::ports::PortError;

/// What happens to a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// The process is killed at a call.
    Kill(usize, Moment),
    /// A call is not answered: it fails, and its effect is there or not.
    Lose(usize, Moment),
}

/// When a fault strikes, seen from the effect of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The effect does not come about.
    Before,
    /// The effect has come about; its answer is lost.
    After,
}

/// How long every call takes.
const LATENCY: Duration = Duration::from_millis(2);

/// Counts calls and strikes.
#[derive(Debug, Default)]
pub(super) struct Faults {
    fault: Fault,
    calls: AtomicUsize,
    is_dead: AtomicBool,
    death: Notify,
}

impl Faults {
    pub(super) fn new(fault: Fault) -> Self {
        Self { fault, ..Self::default() }
    }

    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Carries out one call, or what the fault makes of it. A dead run never gets an answer.
    pub(super) async fn call<T>(
        &self,
        effect: impl FnOnce() -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        if self.is_dead.load(Ordering::Relaxed) {
            return pending().await;
        }
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(LATENCY).await;
        if self.is_dead.load(Ordering::Relaxed) {
            return pending().await;
        }
        match self.fault {
            Fault::Kill(at, moment) if at == number => {
                if moment == Moment::After {
                    drop(effect());
                }
                self.is_dead.store(true, Ordering::Relaxed);
                self.death.notify_waiters();
                self.death.notify_one();
                pending().await
            }
            Fault::Lose(at, moment) if at == number => match moment {
                Moment::Before => Err(PortError::Unreachable("no route to host".into())),
                Moment::After => {
                    drop(effect());
                    Err(PortError::Unknown("the connection was closed".into()))
                }
            },
            _ => effect(),
        }
    }

    pub(super) async fn killed(&self) {
        if !self.is_dead.load(Ordering::Relaxed) {
            self.death.notified().await;
        }
    }
}
