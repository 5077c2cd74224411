//! The simulated proxy: it reads the real file that was rendered for it.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::Run;
use super::account::Act;
use super::state::{SimHost, SimProxy, State};
use crate::model::{
    BackendKey, Endpoint, Generation, Millis, ProxyPlace, ProxyState, RoutingTable, Rule,
};
use crate::ports::{Activation, Applied, Draining, LeaseKey, PortError, Proxy};

/// One run's way to one proxy.
pub(super) struct SimProxyPort {
    pub(super) run: Run,
    pub(super) place: ProxyPlace,
}

impl SimProxyPort {
    async fn call<T>(
        &self,
        what: &str,
        effect: impl Fn(&mut State, &ProxyPlace, Millis) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        let world = &self.run.world;
        let is_look = matches!(what, "observe" | "read" | "swap");
        let done = || {
            let now = world.now();
            let mut state = world.state();
            if state.hosts.get(&self.place.host).is_some_and(|host| host.is_down) {
                return Err(SimHost::refused());
            }
            state.pass(now);
            let result = effect(&mut state, &self.place, now);
            if is_look {
                state.file_looks.insert((self.run.number, self.place.clone()), now);
            }
            state.log.push(format!("{now} {} {what}", self.place.proxy));
            state.watch(now);
            result
        };
        self.run.to_proxy(&self.place).await;
        self.run.faults.call(done).await
    }
}

fn proxy<'a>(state: &'a mut State, place: &ProxyPlace) -> Result<&'a mut SimProxy, PortError> {
    let gone = || PortError::NotFound(format!("no proxy {}", place.proxy));
    state.proxies.get_mut(place).ok_or_else(gone)
}

#[async_trait]
impl Proxy for SimProxyPort {
    async fn observe(&self) -> Result<ProxyState, PortError> {
        self.call("observe", |state, place, _| {
            let proxy = proxy(state, place)?;
            Ok(ProxyState {
                version: proxy.version.clone(),
                file: proxy.file.clone(),
                table: None,
                serving: proxy.running.generation,
                servers: None,
                replicas_at: proxy.replicas_at.or(Some(std::net::Ipv4Addr::LOCALHOST.into())),
                obstacles: Vec::new(),
            })
        })
        .await
    }

    async fn read(&self) -> Result<Option<String>, PortError> {
        self.call("read", |state, place, _| Ok(proxy(state, place)?.file.clone())).await
    }

    async fn test(&self, candidate: &str) -> Result<(), PortError> {
        self.call("test", |state, place, _| {
            let proxy = proxy(state, place)?;
            match proxy.rejects || candidate.contains("REJECT") {
                true => Err(PortError::Refused("configuration test failed".into())),
                false => Ok(()),
            }
        })
        .await
    }

    async fn swap(&self, expect: Option<&str>, new: Option<&str>) -> Result<Applied, PortError> {
        let (run, began) = (self.run.number, self.run.world.now());
        self.call("swap", |state, place, now| {
            let is_full = state.hosts.get(&place.host).is_some_and(|host| host.is_full);
            let proxy = proxy(state, place)?;
            if proxy.file.as_deref() == new {
                return Ok(Applied::AlreadyTrue);
            }
            if proxy.file.as_deref() != expect {
                return Err(PortError::Moved("the file is another one now".into()));
            }
            if is_full {
                return Err(PortError::Refused("no space left on device".into()));
            }
            let before = std::mem::replace(&mut proxy.file, new.map(str::to_owned));
            let replaced = state.replaced.insert((run, place.clone()), before);
            let takes_back = replaced.is_some_and(|it| it.as_deref() == new);
            let key = LeaseKey::Proxy(place.proxy.clone());
            let act = Act { run, host: &place.host, what: "swap", began, takes_back };
            state.account(&key, &act, now);
            Ok(Applied::Changed)
        })
        .await
    }

    async fn activate(&self, _table: &RoutingTable) -> Result<Activation, PortError> {
        let run = self.run.number;
        self.call("activate", |state, place, now| {
            if state.is_file_missed(run, place) {
                // Whom it sends nowhere then is the doing of whoever took the file away just now.
                state.forget(place);
                return Ok(Activation::Reload);
            }
            let is_ignored = proxy(state, place)?.ignores_reload;
            Ok(match state.reload(place, now) || is_ignored {
                true => Activation::Reload,
                false => Activation::AlreadyTrue,
            })
        })
        .await
    }

    async fn confirm(&self, generation: Generation) -> Result<bool, PortError> {
        self.call("confirm", |state, place, _| {
            Ok(proxy(state, place)?.running.generation == Some(generation))
        })
        .await
    }

    async fn prove(&self, rule: &Rule) -> Result<Option<Endpoint>, PortError> {
        self.call("prove", |state, place, now| {
            let running = proxy(state, place)?.running.clone();
            let backend = running.meets(&rule.host, &rule.path);
            let mut servers = backend.and_then(|it| running.backends.get(it)).into_iter().flatten();
            let answers = |server: &&Endpoint| {
                state.container_at(&place.host, server).is_some_and(|it| it.is_ready(now))
            };
            Ok(servers.find(answers).cloned())
        })
        .await
    }

    async fn draining(
        &self,
        servers: &BTreeMap<BackendKey, BTreeMap<String, Endpoint>>,
    ) -> Result<Draining, PortError> {
        self.call("draining", |state, place, now| {
            proxy(state, place)?;
            let gone: BTreeSet<&Endpoint> =
                servers.values().flat_map(|servers| servers.values()).collect();
            let (in_flight, old) = state.in_flight(place, &gone, now);
            if old == 0 && in_flight == 0 {
                state.is_let_go(place, &gone);
            }
            let old_processes = u32::try_from(old).unwrap_or(u32::MAX);
            Ok(Draining { in_flight: in_flight as u64, old_processes })
        })
        .await
    }

    async fn forget(
        &self,
        _servers: &BTreeMap<BackendKey, BTreeMap<String, Endpoint>>,
    ) -> Result<Applied, PortError> {
        self.call("forget", |_, _, _| Ok(Applied::AlreadyTrue)).await
    }
}
