//! What a step's function may use: the world, its deadline, a wait that can be given up, and a voice.
//!
//! Deadlines are around single calls and waits, never around a whole function: a switch that is cut
//! off in its middle could not put things back. A call that does not answer in time is
//! [`PortError::Unknown`], since it may have had its effect.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedMutexGuard, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use crate::model::{Backend, BackendKey, Event, Millis, Nanos, ProxyPlace, Step, StepEvent};
use crate::ports::{Engine, PortError, Proxy};
use crate::proxy::Site;

use super::lease::{Guard, Hold};
use super::repeat::{Trouble, repeated};
use super::{Stop, Work};

/// How long a call that only looks may take.
const LOOK: Duration = Duration::from_secs(20);

/// What all steps of a run share.
pub(super) struct Context<'a> {
    pub(super) work: &'a Work<'a>,
    guard: &'a Guard,
    rung: watch::Receiver<Stop>,
    /// One switch of this run at a time on each proxy, so that they do not wait for each other's
    /// lease by asking.
    turns: BTreeMap<ProxyPlace, Arc<tokio::sync::Mutex<()>>>,
    /// Servers that were not yet let go when their drain time was over: a proxy can forget them
    /// only after their container has ended.
    cut: Mutex<BTreeSet<(ProxyPlace, String)>>,
    /// Proxies that were told of a switch to come, and when.
    prepared: Mutex<BTreeMap<ProxyPlace, Millis>>,
    /// Backends that this run has left otherwise than its plan says, since not all replicas are
    /// ready.
    left: Mutex<BTreeMap<(ProxyPlace, BackendKey), Left>>,
    /// Proxies that this run has made follow a file.
    followed: Mutex<BTreeSet<ProxyPlace>>,
    /// Leases of proxies on their way back, which no step waits for.
    returns: Mutex<JoinSet<()>>,
}

/// How a run has left a backend.
#[derive(Debug, Clone)]
pub(super) struct Left {
    /// As it is in the file.
    pub(super) backend: Option<Backend>,
    /// Whether it was switched; if not, the proxy goes on with whomever it sent to.
    pub(super) is_switched: bool,
}

/// How long a proxy may take to settle again.
const SETTLE: Duration = Duration::from_secs(10);

/// How long giving the lease of a proxy back may take.
const RETURN: Duration = Duration::from_secs(30);

/// One running step.
#[derive(Clone)]
pub(super) struct Task<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) step: &'a Step,
    pub(super) event: StepEvent,
    /// When its calls are given up.
    pub(super) deadline: Instant,
    /// Replicas that no proxy is to be pointed at.
    pub(super) absent: Arc<Absent>,
}

/// Replicas that no proxy is to be pointed at, and nobody minds.
#[derive(Debug, Clone, Default)]
pub(super) struct Absent {
    /// New ones that did not become ready.
    pub(super) failed: BTreeSet<String>,
    /// Those that a proxy may send to from memory, and that do not answer or need not.
    pub(super) unproved: BTreeSet<String>,
}

impl Absent {
    pub(super) fn has(&self, container: &str) -> bool {
        self.failed.contains(container) || self.unproved.contains(container)
    }
}

impl<'a> Context<'a> {
    pub(super) fn new(work: &'a Work<'a>, guard: &'a Guard, rung: watch::Receiver<Stop>) -> Self {
        let turns = work.ports.proxies.keys().map(|place| (place.clone(), Default::default()));
        Self {
            work,
            guard,
            rung,
            turns: turns.collect(),
            cut: Mutex::default(),
            prepared: Mutex::default(),
            left: Mutex::default(),
            followed: Mutex::default(),
            returns: Mutex::default(),
        }
    }

    pub(super) fn tell(&self, event: Event) {
        // Nobody need listen.
        drop(self.work.events.send(event));
    }

    /// Waits until no other switch of this run is at work on a proxy.
    pub(super) async fn turn(&self, place: &ProxyPlace) -> Option<OwnedMutexGuard<()>> {
        Some(Arc::clone(self.turns.get(place)?).lock_owned().await)
    }

    /// Gives the lease of a proxy back while the run goes on. The turn ends with it: the next switch
    /// would find the lease taken, by ourselves.
    pub(super) fn give_back(&self, hold: Hold, turn: Option<OwnedMutexGuard<()>>) {
        let mut returns = self.returns.lock().unwrap_or_else(PoisonError::into_inner);
        returns.spawn(async move {
            hold.give_back(Instant::now() + RETURN).await;
            drop(turn);
        });
    }

    /// Waits until all of them are back.
    pub(super) async fn all_given_back(&self) {
        let returns = {
            let mut returns = self.returns.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *returns)
        };
        returns.join_all().await;
    }

    /// Notes servers that were cut.
    pub(super) fn cut(&self, place: &ProxyPlace, names: impl Iterator<Item = String>) {
        let mut cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        cut.extend(names.map(|name| (place.clone(), name)));
    }

    /// Whether a proxy has yet to be told of a switch to come; from then on it has been.
    pub(super) fn prepares(&self, place: &ProxyPlace) -> bool {
        let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        if prepared.contains_key(place) {
            return false;
        }
        prepared.insert(place.clone(), self.work.ports.clock.now());
        true
    }

    /// The moment that the next file of a proxy names: that of its preparation, or what was checked
    /// ahead would be another file.
    pub(super) fn moment(&self, place: &ProxyPlace) -> Millis {
        let prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        prepared.get(place).copied().unwrap_or_else(|| self.work.ports.clock.now())
    }

    /// A proxy that was switched may be told of the next switch.
    pub(super) fn switched(&self, place: &ProxyPlace) {
        self.prepared.lock().unwrap_or_else(PoisonError::into_inner).remove(place);
    }

    /// Notes that a proxy follows a file.
    pub(super) fn follows(&self, place: &ProxyPlace) {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner).insert(place.clone());
    }

    /// Whether this run has made a proxy follow a file.
    pub(super) fn has_followed(&self, place: &ProxyPlace) -> bool {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner).contains(place)
    }

    /// Notes a backend as this run has left it, where that is not what its plan says.
    pub(super) fn leave(&self, place: &ProxyPlace, key: &BackendKey, left: Left) {
        let mut all = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        all.insert((place.clone(), key.clone()), left);
    }

    /// Notes that a backend is as the plan says.
    pub(super) fn leave_as_planned(&self, place: &ProxyPlace, key: &BackendKey) {
        let mut all = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&(place.clone(), key.clone()));
    }

    /// A backend as this run has left it, where that is not what its plan says.
    pub(super) fn left(&self, place: &ProxyPlace, key: &BackendKey) -> Option<Left> {
        let all = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&(place.clone(), key.clone())).cloned()
    }

    /// Tells a proxy that no switch comes after all. One that was switched since knows better.
    pub(super) async fn settle(&self, place: &ProxyPlace) {
        if let Some(proxy) = self.work.ports.proxies.get(place) {
            // A proxy that cannot be told now gives up its preparations at the next look at it.
            drop(answer(Instant::now() + SETTLE, proxy.settle()).await);
        }
    }

    /// The same for all that were told of a switch, when nothing runs any more.
    pub(super) async fn settle_all(&self) {
        let prepared = {
            let mut prepared = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *prepared)
        };
        for place in prepared.keys() {
            self.settle(place).await;
        }
    }

    /// The proxies that still know a container that was cut.
    pub(super) fn take_cut(&self, container: &str) -> Vec<ProxyPlace> {
        let mut cut = self.cut.lock().unwrap_or_else(PoisonError::into_inner);
        let own = cut.extract_if(.., |(_, name)| name == container);
        own.map(|(place, _)| place).collect()
    }
}

impl<'a> Task<'a> {
    pub(super) fn engine(&self) -> Result<&'a dyn Engine, Trouble> {
        let host = &self.step.host;
        let engine = self.context.work.ports.engines.get(host);
        engine.map(|engine| &**engine).ok_or_else(|| missing(host))
    }

    pub(super) fn proxy(&self, place: &ProxyPlace) -> Result<&'a dyn Proxy, Trouble> {
        let proxy = self.context.work.ports.proxies.get(place);
        proxy.map(|proxy| &**proxy).ok_or_else(|| missing(&place.proxy))
    }

    pub(super) fn site(&self, place: &ProxyPlace) -> Result<&'a Site, Trouble> {
        self.context.work.sites.get(place).ok_or_else(|| missing(&place.proxy))
    }

    /// Refuses when the run does not hold the stack any more. For the moment before an effect.
    pub(super) async fn still_held(&self) -> Result<(), Trouble> {
        let held = self.context.guard.confirm(&self.step.host, &self.step.stack).await;
        held.map_err(Trouble::Superseded)
    }

    /// The same step with an earlier or later deadline.
    pub(super) fn until(&self, deadline: Instant) -> Self {
        Self { deadline, ..self.clone() }
    }

    /// Makes one call that may take as long as the step.
    pub(super) async fn call<T>(
        &self,
        call: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        answer(self.deadline, call).await
    }

    /// Makes one call that changes something, right after it was seen that the lease is ours.
    pub(super) async fn change<T>(
        &self,
        call: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        let (host, stack) = (&self.step.host, &self.step.stack);
        if let Err(why) = self.context.guard.confirm(host, stack).await {
            return Err(PortError::Moved(why));
        }
        self.go_on(self.call(call)).await
    }

    /// Ends what was begun. It is given up when the lease has run out in a host's silence: it might
    /// come through when somebody else is at work.
    pub(super) async fn go_on<T>(
        &self,
        call: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        let (host, stack) = (&self.step.host, &self.step.stack);
        tokio::select! {
            biased;
            // First, so that a call is not even begun then. Cancel-safe: it only looks.
            why = self.context.guard.run_out(host, stack) => Err(PortError::Unknown(why)),
            // Given up on purpose: its effect is unknown.
            answered = call => answered,
        }
    }

    /// Makes one call that has no effect, as often as is right.
    pub(super) async fn look<T, F: Future<Output = Result<T, PortError>>>(
        &self,
        look: impl Fn() -> F,
    ) -> Result<T, PortError> {
        repeated(|| answer(self.deadline.min(Instant::now() + LOOK), look())).await
    }

    /// Lets time pass, unless waits are to be given up.
    pub(super) async fn wait(&self, time: Duration) -> Result<(), Trouble> {
        let mut rung = self.context.rung.clone();
        tokio::select! {
            biased;
            // Cancel-safe: it only looks.
            is_abandoned = abandoned(&mut rung) => match is_abandoned {
                true => Err(Trouble::Abandoned),
                false => {
                    sleep(time).await;
                    Ok(())
                }
            },
            // Cancel-safe: nothing is lost with a timer.
            () = sleep(time) => Ok(()),
        }
    }

    /// Whether waits are to be given up.
    pub(super) fn is_abandoned(&self) -> bool {
        *self.context.rung.borrow() == Stop::Abandon
    }

    pub(super) fn progress(&self, message: String) {
        self.context.tell(Event::Progress { step: self.event.clone(), message });
    }

    pub(super) fn warn(&self, message: String) {
        self.context.tell(Event::Warned { message });
    }
}

/// An amount of the model as time.
pub(super) fn time(nanos: Nanos) -> Duration {
    Duration::from_nanos(nanos.0)
}

/// What a call answers, or that it did not.
pub(super) async fn answer<T>(
    deadline: Instant,
    call: impl Future<Output = Result<T, PortError>>,
) -> Result<T, PortError> {
    let begin = Instant::now();
    timeout_at(deadline, call).await.unwrap_or_else(|_| {
        let waited = begin.elapsed().as_secs();
        Err(PortError::Unknown(format!("no answer came within {waited}s")))
    })
}

/// Ends when waits are to be given up, or, with `false`, when nobody can ask for that any more.
async fn abandoned(rung: &mut watch::Receiver<Stop>) -> bool {
    rung.wait_for(|rung| *rung == Stop::Abandon).await.is_ok()
}

fn missing(what: &dyn std::fmt::Display) -> Trouble {
    Trouble::Failed(format!("{what} is in the plan and was not connected"))
}
