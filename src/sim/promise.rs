//! What a commit promises to those who send requests: how many replicas serve, and how long what is
//! under way may last. Read from the desired state alone, without any plan.

use std::collections::BTreeMap;

use super::World;
use super::state::State;
use crate::model::{
    BackendKey, Count, Desired, Millis, ServiceName, ServiceTarget, StackName, Strategy,
    UpdateOrder,
};

/// What one commit promises.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Promises {
    /// Replicas that serve at any time, by proxy and backend.
    least: BTreeMap<(String, String), usize>,
    /// How long a replica that is no longer routed may finish its work.
    drains: BTreeMap<(StackName, ServiceName), Millis>,
}

impl Promises {
    fn of(desired: &Desired) -> Self {
        let mut promises = Self::default();
        for (stack, target) in &desired.stacks {
            for (service, target) in &target.services {
                promises.add(stack, service, target);
            }
        }
        promises
    }

    fn add(&mut self, stack: &StackName, service: &ServiceName, target: &ServiceTarget) {
        let drain = target.rollout.drain_timeout.0 / 1_000_000;
        self.drains.insert((stack.clone(), service.clone()), drain);
        for route in &target.routes {
            let key =
                BackendKey { stack: stack.clone(), service: service.clone(), port: route.port };
            self.least.insert((route.proxy.clone(), key.to_string()), least(target));
        }
    }
}

/// Replicas that serve while others are replaced.
fn least(target: &ServiceTarget) -> usize {
    let replicas = match target.replicas {
        Count::Replicas(count) => usize::try_from(count).unwrap_or(usize::MAX),
        Count::Global => 1,
    };
    let update = &target.rollout.update;
    match update.order {
        Some(UpdateOrder::StopFirst) => {
            let batch = update.parallelism.unwrap_or(1);
            // 0 stands for all at once.
            let batch = match (batch, target.rollout.strategy) {
                (0, _) => u64::MAX,
                (hosts, Strategy::HostByHost) => {
                    let each = target.placement.max_replicas_per_node.unwrap_or(u32::MAX);
                    hosts.saturating_mul(each.into())
                }
                (replicas, Strategy::AllAtOnce | Strategy::Rolling) => replicas,
            };
            replicas.saturating_sub(usize::try_from(batch).unwrap_or(usize::MAX))
        }
        Some(UpdateOrder::StartFirst) | None => replicas,
    }
}

impl World {
    /// Says that a commit may be carried out from now on, beside those before it.
    pub fn expect(&self, desired: &Desired) {
        let promises = Promises::of(desired);
        let mut state = self.state();
        if !state.promises.contains(&promises) {
            state.promises.push(promises);
        }
    }

    /// Says that a commit has been carried out, and that nobody wants any other one.
    pub fn settled(&self, desired: &Desired) {
        self.state().promises = vec![Promises::of(desired)];
    }
}

impl State {
    /// How many servers a backend must have at a proxy, whichever commit is on its way; `None` when
    /// nobody has promised anything.
    pub(super) fn promised(&self, proxy: &str, backend: &str) -> Option<usize> {
        let key = (proxy.to_owned(), backend.to_owned());
        let each = self.promises.iter().map(|it| it.least.get(&key).copied().unwrap_or(0));
        each.min()
    }

    /// How long a replica may finish its work: the least of what was promised.
    pub(super) fn drain_of(&self, stack: &StackName, service: &ServiceName) -> Millis {
        let key = (stack.clone(), service.clone());
        self.promises.iter().filter_map(|it| it.drains.get(&key)).copied().min().unwrap_or(0)
    }
}
