//! A simulated world behind `ports`: engines, proxies, leases and time, with faults on demand and
//! an eye on what must always be true.
//!
//! It is deterministic: time is tokio's paused clock, maps are ordered, nothing is random. One
//! world may be used by several runs at once, each through its own [`Run`] with its own faults; a
//! run that is killed leaves the world as it was at that moment.
//!
//! What it does not model: processors, memory and disks; packets (a proxy either sends to a server
//! or does not); Docker's own restarts; names inside networks.

mod engine;
mod fault;
mod file;
mod frozen;
mod leases;
mod proxy;
mod sample;
mod state;
mod stored;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::model::{HostName, Millis, ProxyPlace, ServiceName, StackName};
use crate::ports::{Clock, Engine, Leases, Ports, Proxy};

pub use fault::{Fault, Moment};
pub use frozen::Frozen;
pub use sample::{Counts, Sample, ServiceId};
pub use state::{App, Running, SimContainer, SimHost, SimImage, SimProxy, SimRoute};
pub use watch::Violation;

use engine::SimEngine;
use fault::Faults;
use leases::SimLeases;
use proxy::SimProxyPort;
use state::State;

/// When simulated time begins: a moment like any other.
const EPOCH: Millis = 1_700_000_000_000;

/// Hosts, proxies and time.
#[derive(Clone)]
pub struct World {
    state: Arc<Mutex<State>>,
    began: tokio::time::Instant,
}

impl Default for World {
    fn default() -> Self {
        Self { state: Arc::default(), began: tokio::time::Instant::now() }
    }
}

/// One run's way into the world, with its own faults.
#[derive(Clone)]
pub struct Run {
    world: World,
    faults: Arc<Faults>,
    number: usize,
}

impl World {
    /// Adds a host.
    pub fn host(&self, name: &HostName) {
        self.state().hosts.entry(name.clone()).or_default();
    }

    /// Adds a proxy.
    pub fn proxy(&self, place: &ProxyPlace, proxy: SimProxy) {
        self.state().proxies.insert(place.clone(), proxy);
    }

    /// Adds an image to a registry that all hosts can reach.
    pub fn image(&self, reference: &str, image: SimImage) {
        self.state().registry.insert(reference.to_owned(), image);
    }

    /// Changes something by hand, as an operator would, or looks at it.
    pub fn with_host<T>(&self, name: &HostName, change: impl FnOnce(&mut SimHost) -> T) -> T {
        let now = self.now();
        let mut state = self.state();
        let done = change(state.hosts.entry(name.clone()).or_default());
        state.watch(now);
        done
    }

    /// Changes a proxy by hand, or looks at it.
    pub fn with_proxy<T>(&self, place: &ProxyPlace, change: impl FnOnce(&mut SimProxy) -> T) -> T {
        let now = self.now();
        let mut state = self.state();
        let done = change(state.proxies.entry(place.clone()).or_default());
        state.watch(now);
        done
    }

    /// A run that may meet `fault`.
    pub fn run(&self, fault: Fault) -> Run {
        self.run_with(vec![fault])
    }

    /// A run that may meet all of `faults`.
    pub fn run_with(&self, faults: Vec<Fault>) -> Run {
        let mut state = self.state();
        state.runs += 1;
        let number = state.runs;
        drop(state);
        Run { world: self.clone(), faults: Arc::new(Faults::new(faults)), number }
    }

    /// Says that containers of a service do their work and end.
    pub fn job(&self, stack: &StackName, service: &ServiceName) {
        self.state().jobs.insert((stack.clone(), service.clone()));
    }

    /// Services that do their work and end.
    pub fn jobs(&self) -> BTreeSet<ServiceId> {
        self.state().jobs.clone()
    }

    /// Changes what the registry has.
    pub fn with_registry<T>(&self, change: impl FnOnce(&mut BTreeMap<String, SimImage>) -> T) -> T {
        change(&mut self.state().registry)
    }

    /// Ends a container as a crash would: what it loses is no run's mistake.
    pub fn crash(&self, host: &HostName, name: &str) {
        self.lose(host, name, false);
    }

    /// Takes a container away as somebody at the host would, without asking anybody.
    pub fn take_away(&self, host: &HostName, name: &str) {
        self.lose(host, name, true);
    }

    fn lose(&self, host: &HostName, name: &str, is_removed: bool) {
        let now = self.now();
        let mut state = self.state();
        state.log.push(format!("{now} {host} lost {name}"));
        state.die(host, name, is_removed);
        state.watch(now);
    }

    /// Who served, whenever that changed.
    pub fn samples(&self) -> Vec<Sample> {
        let now = self.now();
        let mut state = self.state();
        state.watch(now);
        state.samples.clone()
    }

    /// Forgets what was wrong so far, and remembers from now on who served.
    pub fn begin_anew(&self) {
        let mut state = self.state();
        state.samples.clear();
        state.is_sampled = true;
        state.violations.clear();
        state.log.clear();
    }

    /// What was broken so far of that which must always be true.
    pub fn violations(&self) -> Vec<Violation> {
        let now = self.now();
        let mut state = self.state();
        state.watch(now);
        state.violations.clone()
    }

    /// Says that a service may be away from now on, as a plan said beforehand.
    pub fn allow_downtime(&self, backend: &str) {
        self.state().may_be_away.insert(backend.to_owned());
    }

    /// Milliseconds since 1970, in simulated time.
    pub fn now(&self) -> Millis {
        EPOCH + u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Everything that was done, one line each.
    pub fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    /// The ports of this run.
    pub fn ports(&self) -> Ports {
        let (hosts, places): (Vec<HostName>, Vec<ProxyPlace>) = {
            let state = self.world.state();
            (state.hosts.keys().cloned().collect(), state.proxies.keys().cloned().collect())
        };
        let mut engines = BTreeMap::<HostName, Arc<dyn Engine>>::new();
        let mut leases = BTreeMap::<HostName, Arc<dyn Leases>>::new();
        for host in hosts {
            let engine = SimEngine { run: self.clone(), host: host.clone() };
            engines.insert(host.clone(), Arc::new(engine));
            let lease = SimLeases { run: self.clone(), host: host.clone() };
            leases.insert(host, Arc::new(lease));
        }
        let port = |place: ProxyPlace| -> (ProxyPlace, Arc<dyn Proxy>) {
            (place.clone(), Arc::new(SimProxyPort { run: self.clone(), place }))
        };
        let proxies = places.into_iter().map(port).collect();
        Ports { engines, proxies, leases, clock: Arc::new(self.world.clone()) }
    }

    /// Names this run: no other run of this world has the same number.
    pub fn number(&self) -> usize {
        self.number
    }

    /// How many calls have been made that can meet a fault.
    pub fn calls(&self) -> usize {
        self.faults.calls()
    }

    /// Ends when the run has been killed; never otherwise.
    pub async fn killed(&self) {
        self.faults.killed().await;
    }
}

impl Clock for World {
    fn now(&self) -> Millis {
        Self::now(self)
    }
}
