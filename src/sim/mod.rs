//! A simulated world behind `ports`: engines, proxies, leases and time, with faults on demand and
//! an eye on what must always be true.
//!
//! It is deterministic: time is tokio's paused clock, maps are ordered, nothing is random. One
//! world may be used by several runs at once, each through its own [`Run`] with its own faults; a
//! run that is killed leaves the world as it was at that moment.
//!
//! What it does not model: processors, memory and disks; packets (a proxy either sends to a server
//! or does not); Docker's own restarts; names inside networks.

mod account;
mod address;
mod engine;
mod excuse;
mod fault;
mod file;
mod frozen;
mod guards;
mod hands;
mod leases;
mod promise;
mod proxy;
mod rule;
mod sample;
mod state;
mod stored;
mod traffic;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::broadcast;

use crate::model::{HostName, Millis, ProxyPlace, ServiceName, StackName, Swarm};
use crate::ports::{Clock, Engine, Leases, Ports, Proxy, Stir};

pub use fault::{Answer, Fault, Moment};
pub use frozen::Frozen;
pub use hands::OldHost;
pub use rule::Rule;
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

/// Stirs that a listener may be behind before it misses some.
const STIRS: usize = 256;

/// How often whoever waits for a silent host looks whether it speaks again.
const SILENCE: Duration = Duration::from_millis(250);

/// Hosts, proxies and time.
#[derive(Clone)]
pub struct World {
    state: Arc<Mutex<State>>,
    began: tokio::time::Instant,
    /// What happens by itself or by hand, for whoever listens.
    stirs: broadcast::Sender<(HostName, Stir)>,
}

impl Default for World {
    fn default() -> Self {
        let (stirs, _) = broadcast::channel(STIRS);
        Self { state: Arc::default(), began: tokio::time::Instant::now(), stirs }
    }
}

/// One run's way into the world, with its own faults.
#[derive(Clone)]
pub struct Run {
    world: World,
    faults: Arc<Faults>,
    number: usize,
    /// How many milliseconds the clock of its machine is ahead.
    clock: i64,
}

/// The clock of the machine that a run is made on.
struct RunClock {
    world: World,
    ahead: i64,
}

impl World {
    /// Adds a host.
    pub fn host(&self, name: &HostName) {
        self.state().hosts.entry(name.clone()).or_default();
    }

    /// Makes all hosts nodes of one swarm, the first three of them its managers.
    pub fn join_swarm(&self) {
        let hosts = &mut self.state().hosts;
        let managers: BTreeSet<String> =
            hosts.keys().take(3).map(|name| name.as_str().to_owned()).collect();
        for (name, host) in hosts {
            let node = name.as_str().to_owned();
            let is_manager = managers.contains(&node);
            let engine = host.engine.get_or_insert_with(engine::unknown);
            engine.swarm = Some(Swarm { node, is_manager, managers: managers.clone() });
        }
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

    /// All proxies on their hosts, in order.
    pub fn places(&self) -> Vec<ProxyPlace> {
        self.state().proxies.keys().cloned().collect()
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
        Run { world: self.clone(), faults: Arc::new(Faults::new(faults)), number, clock: 0 }
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

    /// Says what must be seen nowhere: no event, no line of a log.
    pub fn secret(&self, text: &str) {
        self.state().secrets.insert(text.to_owned());
    }

    /// Milliseconds since 1970, in simulated time.
    pub fn now(&self) -> Millis {
        EPOCH + u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Everything that was done, one line each.
    pub fn log(&self) -> Vec<String> {
        self.state().log.clone()
    }

    fn is(&self, question: impl Fn(&State) -> bool) -> bool {
        question(&self.state())
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
        let clock = RunClock { world: self.world.clone(), ahead: self.clock };
        Ports { engines, proxies, leases, clock: Arc::new(clock) }
    }

    /// The world it is in.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The same run on a machine whose clock is so many milliseconds ahead.
    pub fn with_clock(self, ahead: i64) -> Self {
        Self { clock: ahead, ..self }
    }

    /// Hears what a run tells: no secret may be in it.
    pub fn hear(&self, line: &str) {
        let now = self.world.now();
        self.world.state().listen(line, now);
    }

    /// Waits as long as a call to an engine is on its way.
    async fn to_engine(&self, host: &HostName) {
        let is_silent = |state: &State| state.hosts.get(host).is_some_and(|it| it.is_silent);
        while self.world.is(is_silent) {
            tokio::time::sleep(SILENCE).await;
        }
        let slowness = self.world.state().hosts.get(host).map_or(0, |it| it.slowness);
        if slowness > 0 {
            tokio::time::sleep(Duration::from_millis(slowness)).await;
        }
    }

    /// Waits as long as a call to a proxy is on its way.
    async fn to_proxy(&self, place: &ProxyPlace) {
        let is_silent = |state: &State| {
            state.hosts.get(&place.host).is_some_and(|host| host.is_silent)
                || state.proxies.get(place).is_some_and(|proxy| proxy.hangs)
        };
        while self.world.is(is_silent) {
            tokio::time::sleep(SILENCE).await;
        }
    }

    /// Names this run: no other run of this world has the same number.
    pub fn number(&self) -> usize {
        self.number
    }

    /// How many calls have been made that can meet a fault.
    pub fn calls(&self) -> usize {
        self.faults.calls()
    }

    /// From now on it meets no fault any more.
    pub fn spare(&self) {
        self.faults.end();
    }

    /// Ends when the run has been killed; never otherwise.
    pub async fn killed(&self) {
        self.faults.killed().await;
    }
}

impl Clock for RunClock {
    fn now(&self) -> Millis {
        self.world.now().saturating_add_signed(self.ahead)
    }
}
