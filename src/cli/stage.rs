//! A simulated world in the place of all hosts, for whole sessions of the real program: every call
//! goes on where the one before has left the world.
//!
//! For tests of the command line alone. It is part of builds with debug assertions only; any other
//! build refuses to run when the variable is set, so that nobody takes real hosts for simulated ones
//! or the other way round. Every command says that it is simulated.

use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use tokio::runtime::{EnterGuard, Runtime};

use super::{Failure, Screen, World};
use crate::model::{HostName, ProxyPlace};
use crate::ports::{Clock, Ports};
use crate::settings::Inventory;
use crate::sim::{self, SimProxy};

/// Names the file that the world is kept in.
const VARIABLE: &str = "GITDEPLOY_SIMULATED_WORLD";

/// What goes wrong in this call: `kill@30 lose@7`.
const FAULTS: &str = "GITDEPLOY_SIMULATED_FAULTS";

/// The version of a proxy that nobody has put into the world.
const PROXY_VERSION: &str = "1.28.0";

/// How a shell says that a process was killed.
const KILLED: i32 = 137;

/// One for a process, as there is one world around it.
static STAGE: OnceLock<Stage> = OnceLock::new();

/// The world, and the paused time that passes in it.
pub(super) struct Stage {
    runtime: Runtime,
    world: sim::World,
    run: sim::Run,
    file: PathBuf,
}

/// Sets the stage, when the environment asks for it. What is given back keeps the simulated time.
pub(super) fn begin(
    world: &World,
    screen: &Screen,
) -> Result<Option<EnterGuard<'static>>, Failure> {
    let Some(file) = world.variable(VARIABLE) else { return Ok(None) };
    if !cfg!(debug_assertions) {
        return Err(Failure::new(format!(
            "could not use {VARIABLE}: this build knows real hosts only"
        ))
        .hint(format!("unset {VARIABLE}")));
    }
    let stage = Stage::new(world, world.folder.join(file))?;
    screen
        .note(&format!("simulated: {file} stands for all hosts; nothing real is asked or changed"));
    Ok(Some(STAGE.get_or_init(|| stage).runtime.enter()))
}

/// The stage, where one is set.
pub(super) fn current() -> Option<&'static Stage> {
    STAGE.get()
}

impl Stage {
    fn new(around: &World, file: PathBuf) -> Result<Self, Failure> {
        let failed = |error: &dyn std::error::Error| {
            Failure::because(&format!("could not read the world of {}", file.display()), error)
        };
        #[expect(clippy::disallowed_methods, reason = "the file is named by the user")]
        let text = std::fs::read_to_string(&file).map_err(|error| failed(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .map_err(|error| failed(&error))?;
        let world =
            runtime.block_on(sim::World::restored(&text)).map_err(|error| failed(&error))?;
        let faults = around.variable(FAULTS).unwrap_or_default().split_whitespace();
        let faults = faults.map(|fault| fault.parse::<super::commands::simulate::Mishap>());
        let faults = faults.collect::<Result<Vec<_>, _>>().map_err(Failure::new)?;
        let run = world.run_with(faults.iter().filter_map(|fault| fault.of_call()).collect());
        Ok(Self { runtime, world, run, file })
    }

    /// The way to the simulated hosts. Those of the inventory that the world does not have yet are
    /// there from now on, with nothing on them.
    pub(super) fn ports(&self, inventory: &Inventory) -> Ports {
        for host in inventory.hosts.keys() {
            self.world.host(&HostName::from(host.clone()));
        }
        let known = self.run.ports().proxies;
        for (name, proxy) in &inventory.proxies {
            for host in &proxy.hosts {
                let place = ProxyPlace { proxy: name.clone().into(), host: host.clone().into() };
                if !known.contains_key(&place) {
                    let version = PROXY_VERSION.to_owned();
                    self.world.proxy(&place, SimProxy { version, ..SimProxy::default() });
                }
            }
        }
        let mut ports = self.run.ports();
        ports.engines.retain(|host, _| inventory.hosts.contains_key(host.as_str()));
        ports.leases.retain(|host, _| inventory.hosts.contains_key(host.as_str()));
        ports.proxies.retain(|place, _| {
            let proxy = inventory.proxies.get(place.proxy.as_str());
            proxy.is_some_and(|it| it.hosts.iter().any(|on| on.as_str() == place.host.as_str()))
        });
        ports
    }

    /// The simulated time.
    pub(super) fn now(&self) -> crate::model::Millis {
        self.world.now()
    }

    /// The time that passes in it.
    pub(super) fn clock(&self) -> Arc<dyn Clock> {
        self.run.ports().clock
    }

    /// Does some work in simulated time, and keeps what has become of the world. A run that is to be
    /// killed is: the process ends as one that was.
    pub(super) fn block_on<T>(&self, work: impl Future<Output = T>) -> Result<T, Failure> {
        let done = self.runtime.block_on(async {
            tokio::select! {
                biased;
                () = self.run.killed() => None,
                done = work => Some(done),
            }
        });
        let kept = std::fs::write(&self.file, self.world.stored());
        kept.map_err(|error| Failure::because("could not keep the simulated world", &error))?;
        match done {
            Some(done) => Ok(done),
            None => die(),
        }
    }
}

#[expect(clippy::exit, reason = "a process that is killed does nothing more")]
fn die() -> ! {
    std::process::exit(KILLED)
}
