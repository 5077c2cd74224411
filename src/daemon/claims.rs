//! Ports that rounds have chosen and no container shows yet.
//!
//! A plan chooses the lowest free ports, and later batches of a rollout make their containers only
//! when their turn comes. So rounds that run at the same time tell each other what they will open.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::model::{HostName, Op, Plan};

/// Ports by host.
pub(super) type Chosen = BTreeMap<HostName, BTreeSet<u16>>;

/// What the rounds of one source have chosen. Clones are the same.
#[derive(Debug, Clone, Default)]
pub(super) struct Claims(Arc<Mutex<Claimed>>);

#[derive(Debug, Default)]
struct Claimed {
    count: u64,
    rounds: BTreeMap<u64, Chosen>,
}

/// What one round has chosen, until it is dropped.
#[derive(Debug)]
pub(super) struct Claim {
    claims: Claims,
    number: u64,
}

impl Claims {
    /// What all rounds have chosen.
    pub(super) fn taken(&self) -> Chosen {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).taken()
    }

    /// Notes what a plan has chosen; `None` when a round that began meanwhile has some of it.
    pub(super) fn claim(&self, plan: &Plan) -> Option<Claim> {
        let chosen = chosen(plan);
        let mut claimed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = claimed.taken();
        let meets = |(host, ports): (&HostName, &BTreeSet<u16>)| {
            taken.get(host).is_some_and(|taken| !taken.is_disjoint(ports))
        };
        if chosen.iter().any(meets) {
            return None;
        }
        claimed.count += 1;
        let number = claimed.count;
        claimed.rounds.insert(number, chosen);
        Some(Claim { claims: self.clone(), number })
    }
}

impl Claimed {
    fn taken(&self) -> Chosen {
        let mut all = Chosen::new();
        for (host, ports) in self.rounds.values().flatten() {
            all.entry(host.clone()).or_default().extend(ports);
        }
        all
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut claimed = self.claims.0.lock().unwrap_or_else(PoisonError::into_inner);
        claimed.rounds.remove(&self.number);
    }
}

/// The ports of the containers that a plan makes.
fn chosen(plan: &Plan) -> Chosen {
    let mut chosen = Chosen::new();
    for step in &plan.steps {
        if let Op::Create { replica } = &step.op {
            let ports = replica.endpoints.values().map(|at| at.port);
            chosen.entry(replica.host.clone()).or_default().extend(ports);
        }
    }
    chosen
}
