//! What a proxy sends where: the meaning of its managed file, without the proxy's own words.
//!
//! The table travels in the file's header, so the file alone says what it means. A change names
//! whole backends, so that two stacks can change one table without knowing of each other.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::{Generation, Millis, ServiceName, StackName};

/// All that one proxy on one host sends.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoutingTable {
    /// Counts changes.
    pub generation: Generation,
    /// When it was drawn up, shortly before it was written.
    #[serde(default)]
    pub activated_at: Millis,
    /// Backends by key.
    pub backends: BTreeMap<BackendKey, Backend>,
    /// Addresses taken out lately, the last one last: a port is not given to another replica while
    /// an old generation of the proxy may still send to it.
    #[serde(default)]
    pub retired: Vec<Endpoint>,
}

/// A service's port as a proxy knows it; its text form names the backend: `shop.web.8080`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BackendKey {
    /// The stack.
    pub stack: StackName,
    /// The service.
    pub service: ServiceName,
    /// The port inside its containers.
    pub port: u16,
}

/// Where requests for some names and paths go.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backend {
    /// What is asked for.
    pub rules: BTreeSet<Rule>,
    /// Who answers, by container name: one name per container, never used again.
    pub servers: BTreeMap<String, Endpoint>,
    /// The path of the health question, when it is asked over HTTP on this port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<String>,
}

/// A name and the beginning of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rule {
    /// `shop.example.com`, or `*.example.com` for all below.
    pub host: String,
    /// `/`, `/api`.
    pub path: String,
}

/// An address and port that a proxy connects to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Endpoint {
    /// The address, as the proxy reaches it.
    pub address: IpAddr,
    /// The port.
    pub port: u16,
}

/// A change of a table: whole backends, as they shall be afterwards.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteChange {
    /// Backends that come or change, with what they must be before; `None` for absent. Any other
    /// state means that somebody else has been there.
    pub set: BTreeMap<BackendKey, BackendChange>,
}

/// One backend before and after; `None` for absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BackendChange {
    /// As it must be.
    pub from: Option<Backend>,
    /// As it shall be.
    pub to: Option<Backend>,
}

impl BackendChange {
    /// The servers that it takes out.
    pub fn gone(&self) -> impl Iterator<Item = &String> {
        only_in(self.from.as_ref(), self.to.as_ref())
    }

    /// The servers that it brings.
    pub fn come(&self) -> impl Iterator<Item = &String> {
        only_in(self.to.as_ref(), self.from.as_ref())
    }
}

/// The servers of one backend that another one has not got.
fn only_in<'a>(
    one: Option<&'a Backend>,
    other: Option<&'a Backend>,
) -> impl Iterator<Item = &'a String> {
    let others = other.map(|backend| &backend.servers);
    let names = one.into_iter().flat_map(|backend| backend.servers.keys());
    names.filter(move |name| !others.is_some_and(|all| all.contains_key(*name)))
}

/// How many retired addresses are remembered.
const RETIRED_KEPT: usize = 128;

/// A backend is not as the plan saw it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the backend {0} is not as it was when the plan was made")]
pub struct Moved(pub BackendKey);

impl RoutingTable {
    /// The table after `change`, with the next generation.
    /// A backend that is already as it shall be counts as changed, so a change can be repeated.
    pub fn changed(&self, change: &RouteChange, at: Millis) -> Result<Self, Moved> {
        let mut next = self.clone();
        for (key, BackendChange { from, to }) in &change.set {
            let now = self.backends.get(key);
            if now == to.as_ref() {
                continue;
            }
            if now != from.as_ref() {
                return Err(Moved(key.clone()));
            }
            match to {
                Some(backend) => drop(next.backends.insert(key.clone(), backend.clone())),
                None => drop(next.backends.remove(key)),
            }
        }
        if next.backends == self.backends {
            return Ok(next);
        }
        next.retire(self);
        next.generation = self.generation + 1;
        next.activated_at = at;
        Ok(next)
    }

    /// All addresses that requests are sent to.
    pub fn endpoints(&self) -> BTreeSet<&Endpoint> {
        self.backends.values().flat_map(|backend| backend.servers.values()).collect()
    }

    /// The backends that send to a container.
    pub fn backends_of(&self, container: &str) -> impl Iterator<Item = &BackendKey> {
        let has = move |backend: &Backend| backend.servers.contains_key(container);
        self.backends.iter().filter(move |(_, backend)| has(backend)).map(|(key, _)| key)
    }

    /// Remembers addresses that the proxy may still send to although no file says so. Says whether
    /// any of them was unknown.
    pub fn remember(&mut self, addresses: impl IntoIterator<Item = Endpoint>) -> bool {
        let mut known = self.endpoints().into_iter().cloned().collect::<BTreeSet<_>>();
        known.extend(self.retired.iter().cloned());
        let before = self.retired.len();
        let new = addresses.into_iter().filter(|endpoint| known.insert(endpoint.clone()));
        self.retired.extend(new);
        let is_new = self.retired.len() > before;
        self.forget_oldest();
        is_new
    }

    fn retire(&mut self, before: &Self) {
        let kept = self.endpoints().into_iter().cloned().collect::<BTreeSet<_>>();
        let gone = before.endpoints().into_iter().filter(|endpoint| !kept.contains(endpoint));
        self.retired.extend(gone.cloned());
        self.retired.retain(|endpoint| !kept.contains(endpoint));
        self.forget_oldest();
    }

    fn forget_oldest(&mut self) {
        let excess = self.retired.len().saturating_sub(RETIRED_KEPT);
        self.retired.drain(..excess);
    }
}

impl std::fmt::Display for BackendKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.stack, self.service, self.port)
    }
}

impl std::str::FromStr for BackendKey {
    type Err = String;

    /// A service's name may have dots, a stack's may not.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` names no backend");
        let (stack, rest) = text.split_once('.').ok_or_else(wrong)?;
        let (service, port) = rest.rsplit_once('.').ok_or_else(wrong)?;
        Ok(Self {
            stack: super::Name::parse(stack).map_err(|_| wrong())?.into(),
            service: ServiceName::new(service),
            port: port.parse().map_err(|_| wrong())?,
        })
    }
}

impl Serialize for BackendKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BackendKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl std::fmt::Display for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::net::SocketAddr::new(self.address, self.port).fmt(f)
    }
}
