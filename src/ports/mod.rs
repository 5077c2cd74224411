//! What the executor and the observer ask of the world: four traits in our own words.
//!
//! `adapters` has the real ones, `sim` the simulated ones. No type of a client library crosses
//! here. Every call may be repeated: "make it so", never "do it once more". A call whose answer was
//! lost is [`PortError::Unknown`], and only looking again can tell.

mod engine;
mod lease;
mod proxy;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::{Fault, FaultKind, HostName, Millis, ProxyPlace};

pub use engine::{
    Applied, Command, Console, Engine, HookEnd, Invitation, LogLine, LogOptions, Question, Stir,
    Typed, Wanted,
};
pub use lease::{Held, Lease, LeaseKey, Leases, Taken};
pub use proxy::{Activation, Draining, Proxy};

/// Why a call to the world did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortError {
    /// It was understood and refused; asking again changes nothing.
    #[error("{0}")]
    Refused(String),
    /// What was asked for is not there.
    #[error("{0}")]
    NotFound(String),
    /// What is there is not what the plan saw: another file, another container of that name.
    #[error("{0}")]
    Moved(String),
    /// The other side could not be reached, so nothing has happened; trying again may help.
    #[error("{0}")]
    Unreachable(String),
    /// It was sent, and no answer came.
    #[error("{0}")]
    Unknown(String),
}

impl PortError {
    /// Whether the same call may do better a moment later.
    pub fn is_worth_repeating(&self) -> bool {
        matches!(self, Self::Unreachable(_) | Self::Unknown(_))
    }

    /// What it means for a look.
    pub fn fault(&self) -> Fault {
        let kind = match self {
            Self::Refused(_) => FaultKind::Refused,
            Self::NotFound(_) | Self::Moved(_) | Self::Unreachable(_) | Self::Unknown(_) => {
                FaultKind::Silent
            }
        };
        Fault { kind, message: self.to_string() }
    }
}

/// Wall time. Monotonic time is tokio's, which tests can pause.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970.
    fn now(&self) -> Millis;
}

/// Everything of the world that a run may use.
#[derive(Clone)]
pub struct Ports {
    /// The engine of every host.
    pub engines: BTreeMap<HostName, Arc<dyn Engine>>,
    /// Every proxy on each of its hosts.
    pub proxies: BTreeMap<ProxyPlace, Arc<dyn Proxy>>,
    /// Leases, kept on the hosts they protect.
    pub leases: BTreeMap<HostName, Arc<dyn Leases>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}
