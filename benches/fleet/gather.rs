//! Hosts that take their time to answer, and what a look at all of them costs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use gitdeploy::model::{
    Config, Hook, HostName, HostState, LiveContainer, Millis, Owner, RegistryImage, Release,
    Replica, StackName,
};
use gitdeploy::ports::{
    Applied, Clock, Engine, HookEnd, LogLine, LogOptions, PortError, Ports, Question, Wanted,
};
use serde_json::Value;

use crate::pool::Fleet;

/// From a question to its answer.
const ROUND_TRIP: Duration = Duration::from_millis(20);

/// A survey asks for lists, then for each container, then for images.
const ROUNDS: u32 = 3;

/// The ports of all hosts of a fleet, each as it was seen.
pub(crate) fn ports(fleet: &Fleet) -> Ports {
    let hosts = fleet.observed.hosts.iter().filter_map(|(name, state)| {
        let engine: Arc<dyn Engine> = Arc::new(Distant(state.as_ref().ok()?.clone()));
        Some((name.clone(), engine))
    });
    let engines: BTreeMap<HostName, Arc<dyn Engine>> = hosts.collect();
    let (proxies, leases) = (BTreeMap::new(), BTreeMap::new());
    Ports { engines, proxies, leases, clock: Arc::new(Still) }
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Millis {
        0
    }
}

/// An engine that answers after a while, with memory of its own, as one that was asked has.
struct Distant(HostState);

fn unasked<T>() -> Result<T, PortError> {
    Err(PortError::Refused("a look asks for nothing else".into()))
}

#[async_trait]
impl Engine for Distant {
    async fn survey(&self, _owner: &Owner, _wanted: &Wanted) -> Result<HostState, PortError> {
        tokio::time::sleep(ROUND_TRIP * ROUNDS).await;
        let mut state = self.0.clone();
        for container in state.containers.values_mut() {
            container.config = Config::from(Value::clone(&container.config));
        }
        Ok(state)
    }

    async fn inspect(&self, _name: &str) -> Result<Option<LiveContainer>, PortError> {
        unasked()
    }

    async fn registry_image(&self, _reference: &str) -> Result<RegistryImage, PortError> {
        unasked()
    }

    async fn pull(
        &self,
        _reference: &str,
        _digest: Option<&str>,
        _platform: Option<&str>,
    ) -> Result<Applied, PortError> {
        unasked()
    }

    async fn create_network(&self, _name: &str, _body: &Value) -> Result<Applied, PortError> {
        unasked()
    }

    async fn create_volume(&self, _name: &str, _body: &Value) -> Result<Applied, PortError> {
        unasked()
    }

    async fn create(&self, _replica: &Replica, _files: &[Vec<u8>]) -> Result<Applied, PortError> {
        unasked()
    }

    async fn start(&self, _name: &str) -> Result<Applied, PortError> {
        unasked()
    }

    async fn run_hook(&self, _name: &str, _hook: &Hook) -> Result<HookEnd, PortError> {
        unasked()
    }

    async fn ask(&self, _question: Question<'_>) -> Result<(), String> {
        Err("a look asks for nothing else".into())
    }

    async fn stop(
        &self,
        _name: &str,
        _id: Option<&str>,
        _grace: Duration,
    ) -> Result<Applied, PortError> {
        unasked()
    }

    async fn remove(&self, _name: &str, _id: Option<&str>) -> Result<Applied, PortError> {
        unasked()
    }

    async fn remove_network(&self, _name: &str) -> Result<Applied, PortError> {
        unasked()
    }

    async fn remove_volume(&self, _name: &str) -> Result<Applied, PortError> {
        unasked()
    }

    async fn record(
        &self,
        _owner: &Owner,
        _stack: &StackName,
        _release: &Release,
    ) -> Result<Applied, PortError> {
        unasked()
    }

    async fn logs(
        &self,
        _name: &str,
        _options: &LogOptions,
        _line: &mut (dyn FnMut(LogLine) -> bool + Send),
    ) -> Result<(), PortError> {
        unasked()
    }
}
