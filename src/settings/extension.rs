//! `x-gitdeploy` of a service: routes, health, drain, rollout; and what is in effect once the
//! repository's `defaults:` and the built-in ones are laid under it.
//!
//! Values here come out of Compose's interpolation, so a port may be a number or its digits.

use std::time::Duration;

use crate::diag::{Diagnostic, Span};
use crate::model::{Name, Packing};
use crate::settings::address::parse_port;
use crate::settings::formats::parse_duration;
use crate::settings::placed::{items, parsed, text};
use crate::settings::{Inventory, Placed, Proxy};
use crate::shape::{Shape, check};
use crate::yaml::{Node, Value};

mod effective;
mod shape;

use shape::route_host;

pub use effective::{Cutover, Effective, Whence};
pub use shape::EXTENSION;
pub(super) use shape::{DRAIN, HEALTH, PLACEMENT, ROLLOUT};

/// Strategies that have a name and no code yet.
const PLANNED: [&str; 2] = ["blue-green", "canary"];

/// `x-gitdeploy` of one service, as written.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Extension {
    /// What proxies send to it.
    pub routes: Vec<Route>,
    /// When a new replica is ready.
    pub health: Health,
    /// How an old replica is let go.
    pub drain: Drain,
    /// In which order replicas change.
    pub rollout: Rollout,
    /// Which host a replica goes to.
    pub packing: Option<Placed<Packing>>,
}

/// Requests that a proxy sends to a service.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// The name asked for, in lowercase; may start with `*.`.
    pub host: Placed<String>,
    /// The beginning of the path; at the key `host` when it was left out.
    pub path: Placed<String>,
    /// The container's port.
    pub port: Placed<u16>,
    /// The proxy named; see [`Route::proxy_in`] for the one meant.
    pub proxy: Option<Placed<Name>>,
    /// The whole route.
    pub span: Span,
}

/// When a replica is ready, as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// What is asked.
    pub probe: Option<Placed<Probe>>,
    /// Between two questions.
    pub interval: Option<Placed<Duration>>,
    /// For one answer.
    pub timeout: Option<Placed<Duration>>,
    /// Until it must be healthy.
    pub within: Option<Placed<Duration>>,
}

/// A question asked from outside the container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probe {
    /// A GET request.
    Http {
        /// What is asked for.
        path: String,
        /// On which port of the container; the routes' when it is not said.
        port: Option<u16>,
    },
    /// A connection.
    Tcp {
        /// To which port of the container.
        port: u16,
    },
}

/// How an old replica is let go, as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drain {
    /// For its last requests.
    pub timeout: Option<Placed<Duration>>,
}

/// In which order replicas change, as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rollout {
    /// The order.
    pub strategy: Option<Placed<Strategy>>,
}

/// An order in which replicas change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// Traffic moves once, when all new replicas are ready.
    AllAtOnce,
    /// A few replicas at a time.
    Rolling,
    /// The replicas of a few hosts at a time.
    HostByHost,
}

/// `defaults:` of `gitdeploy.yaml`, laid under every service's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Defaults {
    /// When a new replica is ready.
    pub health: Health,
    /// How an old replica is let go.
    pub drain: Drain,
    /// In which order replicas change.
    pub rollout: Rollout,
    /// Which host a replica goes to.
    pub packing: Option<Placed<Packing>>,
}

impl Extension {
    /// Reads the value of `x-gitdeploy`; `path` names its place in messages:
    /// `services.web.x-gitdeploy`.
    pub fn read(node: &Node, path: &str, problems: &mut Vec<Diagnostic>) -> Self {
        if node.is_null() {
            return Self::default();
        }
        let mut found = check(node, &Shape::Record(&EXTENSION), path);
        explain_planned_strategy(node, &mut found);
        problems.extend(found);
        let routes: Vec<Route> = items(node, "routes").iter().filter_map(Route::read).collect();
        refuse_duplicate_routes(&routes, problems);
        let Defaults { health, drain, rollout, packing } = Defaults::read(node, problems);
        Self { routes, health, drain, rollout, packing }
    }
}

impl Route {
    fn read(node: &Node) -> Option<Self> {
        let host = parsed(node, "host", |host| {
            route_host(host)?;
            Ok(host.to_ascii_lowercase())
        })?;
        let path = match text(node, "path") {
            Some(path) => path,
            None => Placed::new("/".to_owned(), host.span),
        };
        let port = port(node, "port")?;
        let proxy = parsed(node, "proxy", Name::parse);
        Some(Self { host, path, port, proxy, span: node.span })
    }

    /// The proxy that serves the route: the one named, or the only one of the inventory.
    pub fn proxy_in<'a>(&self, inventory: &'a Inventory) -> Result<&'a Proxy, Diagnostic> {
        let known = || inventory.proxies.keys().map(Name::as_str);
        if let Some(name) = &self.proxy {
            return inventory.proxies.get(&name.value).ok_or_else(|| {
                unknown_proxy(name, inventory).did_you_mean(name.value.as_str(), known())
            });
        }
        let host = &self.host.value;
        let mut proxies = inventory.proxies.values();
        match (proxies.next(), proxies.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(Diagnostic::error(
                "route/no-proxy",
                format!("no proxy can serve `{host}`: the inventory has none"),
            )
            .at(self.span)
            .help("describe one under `proxies:` in the inventory")),
            (Some(_), Some(_)) => {
                let names: Vec<&str> = known().collect();
                Err(Diagnostic::error(
                    "route/which-proxy",
                    format!("the route of `{host}` must say which `proxy` serves it"),
                )
                .at(self.span)
                .help(format!("the inventory has {}", names.join(", "))))
            }
        }
    }
}

fn unknown_proxy(name: &Placed<Name>, inventory: &Inventory) -> Diagnostic {
    let problem = Diagnostic::error(
        "route/unknown-proxy",
        format!("the inventory has no proxy `{}`", name.value),
    )
    .at(name.span);
    match inventory.proxies.is_empty() {
        true => problem.help("describe it under `proxies:` in the inventory"),
        false => problem,
    }
}

impl Defaults {
    /// Reads the records that `x-gitdeploy` and `defaults:` have in common, once their
    /// shapes have been checked.
    pub(super) fn read(node: &Node, problems: &mut Vec<Diagnostic>) -> Self {
        let health = node.get("health").map(|node| Health::read(node, problems));
        let drain = node.get("drain").map(|node| Drain { timeout: duration(node, "timeout") });
        let rollout = node
            .get("rollout")
            .map(|node| Rollout { strategy: parsed(node, "strategy", Strategy::parse) });
        Self {
            health: health.unwrap_or_default(),
            drain: drain.unwrap_or_default(),
            rollout: rollout.unwrap_or_default(),
            packing: node.get("placement").and_then(|node| parsed(node, "strategy", packing)),
        }
    }
}

fn packing(text: &str) -> Result<Packing, String> {
    match text {
        "spread" => Ok(Packing::Spread),
        "binpack" => Ok(Packing::Binpack),
        other => Err(format!("`{other}` is no strategy of placement")),
    }
}

impl Health {
    fn read(node: &Node, problems: &mut Vec<Diagnostic>) -> Self {
        Self {
            probe: probe(node, problems),
            interval: duration(node, "interval"),
            timeout: duration(node, "timeout"),
            within: duration(node, "within"),
        }
    }
}

fn probe(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Placed<Probe>> {
    let (http, tcp) = (text(node, "http"), port(node, "tcp"));
    let own_port = port(node, "port");
    let instead = |what: &str, it: Span, other: Span| {
        Diagnostic::error("health/two-questions", format!("{what} cannot stand beside `tcp`"))
            .at(it)
            .related(other, "`tcp` names the port itself")
    };
    match (http, tcp) {
        (Some(http), Some(tcp)) => {
            problems.push(instead("`http`", http.span, tcp.span).help("keep one of them"));
            None
        }
        (Some(http), None) => {
            Some(http.map(|path| Probe::Http { path, port: own_port.map(|port| port.value) }))
        }
        (None, Some(tcp)) => {
            if let Some(port) = own_port {
                problems.push(instead("`port`", port.span, tcp.span));
            }
            Some(tcp.map(|port| Probe::Tcp { port }))
        }
        (None, None) => {
            if let Some(port) = own_port.filter(|_| node.get("http").is_none()) {
                problems.push(
                    Diagnostic::error(
                        "health/no-question",
                        "`port` needs `http` beside it, the path to ask for",
                    )
                    .at(port.span)
                    .help(format!("to wait for a connection only, write `tcp: {}`", port.value)),
                );
            }
            None
        }
    }
}

impl Strategy {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "all-at-once" => Ok(Self::AllAtOnce),
            "rolling" => Ok(Self::Rolling),
            "host-by-host" => Ok(Self::HostByHost),
            other => Err(format!("`{other}` is no strategy")),
        }
    }
}

/// Makes "must be one of" into "not yet" for strategies that people will look for.
pub(super) fn explain_planned_strategy(node: &Node, problems: &mut [Diagnostic]) {
    let Some(strategy) = node.get("rollout").and_then(|node| node.get("strategy")) else { return };
    let Some(name) = strategy.as_str().filter(|name| PLANNED.contains(name)) else { return };
    for problem in problems {
        if problem.primary.as_ref().is_some_and(|label| label.span == strategy.span) {
            problem.rule = "rollout/not-yet";
            problem.message = format!("the strategy `{name}` is planned, but cannot be used yet");
            problem.help = vec!["until then, use `all-at-once` or `rolling`".into()];
        }
    }
}

fn refuse_duplicate_routes(routes: &[Route], problems: &mut Vec<Diagnostic>) {
    for (index, route) in routes.iter().enumerate() {
        let same = |other: &&Route| {
            other.host.value == route.host.value
                && other.path.value == route.path.value
                && other.proxy.as_ref().map(|proxy| &proxy.value)
                    == route.proxy.as_ref().map(|proxy| &proxy.value)
        };
        if let Some(first) = routes[..index].iter().find(same) {
            let (host, path) = (&route.host.value, &route.path.value);
            problems.push(
                Diagnostic::error("route/duplicate", format!("`{host}{path}` is routed twice"))
                    .at(route.span)
                    .related(first.span, "first here"),
            );
        }
    }
}

fn duration(node: &Node, key: &str) -> Option<Placed<Duration>> {
    parsed(node, key, parse_duration)
}

fn port(node: &Node, key: &str) -> Option<Placed<u16>> {
    let node = node.get(key)?;
    let port = match &node.value {
        Value::Int(number) => u16::try_from(*number).ok().filter(|port| *port > 0),
        Value::Str(text) => parse_port(text).ok(),
        _ => None,
    };
    port.map(|port| Placed::new(port, node.span))
}

#[cfg(test)]
mod tests;
