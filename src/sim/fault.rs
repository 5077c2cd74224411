//! Faults of one run: at a numbered call, before or after its effect.

use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;

use crate::model::Millis;
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
    /// The answer of a call comes so many milliseconds late.
    Delay(usize, Millis),
    /// A call reaches the other side twice; the first answer counts.
    Double(usize),
    /// Every call reaches the other side twice.
    Repeat(Answer),
}

/// Which of two answers comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The first: the call was doubled on its way.
    First,
    /// The last: the first was lost on its way back, and the call was made again.
    Last,
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
    faults: Vec<Fault>,
    calls: AtomicUsize,
    is_dead: AtomicBool,
    is_over: AtomicBool,
    death: Notify,
}

impl Faults {
    pub(super) fn new(faults: Vec<Fault>) -> Self {
        Self { faults, ..Self::default() }
    }

    pub(super) fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }

    /// Carries out one call, or what the fault makes of it. A dead run never gets an answer.
    pub(super) async fn call<T>(
        &self,
        effect: impl Fn() -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        self.call_as(effect, |fault| fault).await
    }

    /// The same for a call that is refused when it comes again, as it shall be: nobody makes it
    /// again without asking first.
    pub(super) async fn call_once<T>(
        &self,
        effect: impl Fn() -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        let first = |fault| match fault {
            Fault::Repeat(_) => Fault::Repeat(Answer::First),
            other => other,
        };
        self.call_as(effect, first).await
    }

    async fn call_as<T>(
        &self,
        effect: impl Fn() -> Result<T, PortError>,
        seen: impl Fn(Fault) -> Fault,
    ) -> Result<T, PortError> {
        if self.is_dead.load(Ordering::Relaxed) {
            return pending().await;
        }
        let number = self.calls.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(LATENCY).await;
        if self.is_dead.load(Ordering::Relaxed) {
            return pending().await;
        }
        match seen(self.at(number)) {
            Fault::Kill(_, moment) => {
                if moment == Moment::After {
                    drop(effect());
                }
                self.is_dead.store(true, Ordering::Relaxed);
                self.death.notify_waiters();
                self.death.notify_one();
                pending().await
            }
            Fault::Lose(_, moment) => match moment {
                Moment::Before => Err(PortError::Unreachable("no route to host".into())),
                Moment::After => {
                    drop(effect());
                    Err(PortError::Unknown("the connection was closed".into()))
                }
            },
            Fault::Delay(_, time) => {
                let answer = effect();
                tokio::time::sleep(Duration::from_millis(time)).await;
                match self.is_dead.load(Ordering::Relaxed) {
                    true => pending().await,
                    false => answer,
                }
            }
            Fault::Repeat(Answer::First) | Fault::Double(_) => {
                let answer = effect();
                drop(effect());
                answer
            }
            Fault::Repeat(Answer::Last) => {
                drop(effect());
                effect()
            }
            Fault::None => effect(),
        }
    }

    /// Nothing more happens to the run.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    fn at(&self, number: usize) -> Fault {
        if self.is_over.load(Ordering::Relaxed) {
            return Fault::None;
        }
        let strikes = |fault: &&Fault| match fault {
            Fault::Kill(at, _) | Fault::Lose(at, _) | Fault::Delay(at, _) | Fault::Double(at) => {
                *at == number
            }
            Fault::Repeat(_) => true,
            Fault::None => false,
        };
        self.faults.iter().find(strikes).copied().unwrap_or_default()
    }

    pub(super) async fn killed(&self) {
        if !self.is_dead.load(Ordering::Relaxed) {
            self.death.notified().await;
        }
    }
}
