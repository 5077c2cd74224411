//! What is in effect for a service: its own word, else the repository's `defaults:`, else ours;
//! and for each value, who said it.

use std::time::Duration;

use super::{Defaults, Drain, Extension, Health, Probe, Rollout, Strategy};
use crate::diag::{Diagnostic, Span};
use crate::model::Packing;
use crate::settings::Placed;

const INTERVAL: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(2);
const WITHIN: Duration = Duration::from_secs(60);
const DRAIN: Duration = Duration::from_secs(30);

/// Who said a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whence {
    /// `x-gitdeploy` of the service.
    Service(Span),
    /// `defaults:` of `gitdeploy.yaml`.
    Defaults(Span),
    /// Nobody; it is the built-in one.
    BuiltIn,
}

/// A value in effect, and who said it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Effective<T> {
    /// The value.
    pub value: T,
    /// Who said it.
    pub from: Whence,
}

/// Everything about moving traffic to new replicas of one service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cutover {
    /// What is asked of a new replica; with `None`, the image's own health check decides.
    pub probe: Option<Effective<Probe>>,
    /// Between two questions.
    pub interval: Effective<Duration>,
    /// For one answer.
    pub timeout: Effective<Duration>,
    /// Until a new replica must be healthy.
    pub within: Effective<Duration>,
    /// For the last requests of an old one.
    pub drain: Effective<Duration>,
    /// The order.
    pub strategy: Effective<Strategy>,
    /// Which host a replica goes to.
    pub packing: Effective<Packing>,
}

impl Cutover {
    /// Lays `defaults` and the built-in values under what the service says.
    ///
    /// The question of `defaults.health` is put only to services with routes: a database does not
    /// answer to `/healthz`. The times apply to all.
    pub fn of(service: &Extension, defaults: &Defaults) -> Self {
        let Extension { routes, health, drain, rollout, packing } = service;
        let Health { probe, interval, timeout, within } = health;
        let Drain { timeout: drain } = drain;
        let Rollout { strategy } = rollout;
        let common = defaults.health.probe.as_ref().filter(|_| !routes.is_empty());
        Self {
            probe: said(probe.as_ref(), common),
            interval: or(said(interval.as_ref(), defaults.health.interval.as_ref()), INTERVAL),
            timeout: or(said(timeout.as_ref(), defaults.health.timeout.as_ref()), TIMEOUT),
            within: or(said(within.as_ref(), defaults.health.within.as_ref()), WITHIN),
            drain: or(said(drain.as_ref(), defaults.drain.timeout.as_ref()), DRAIN),
            strategy: or(
                said(strategy.as_ref(), defaults.rollout.strategy.as_ref()),
                Strategy::AllAtOnce,
            ),
            packing: or(said(packing.as_ref(), defaults.packing.as_ref()), Packing::Spread),
        }
    }

    /// What can only be seen once all values are known: an answer that may come after the end, an
    /// HTTP question without a port. `service` is where the service stands.
    pub fn check(&self, routes: &[super::Route], service: Span) -> Vec<Diagnostic> {
        let mut problems = Vec::new();
        let Self { probe, timeout, within, .. } = self;
        if timeout.value > within.value {
            problems.push(
                Diagnostic::error(
                    "health/too-short",
                    format!(
                        "one answer may take {:?}, but the replica must be healthy within {:?}",
                        timeout.value, within.value
                    ),
                )
                .at(within.span().or(timeout.span()).unwrap_or(service))
                .help("make `within` several times as long as `timeout`"),
            );
        }
        if let Some(Effective { value: Probe::Http { port: None, .. }, from }) = probe {
            let mut ports: Vec<u16> = routes.iter().map(|route| route.port.value).collect();
            ports.sort_unstable();
            ports.dedup();
            if ports.len() != 1 {
                let why = match ports.is_empty() {
                    true => "no route of the service says which",
                    false => "the service's routes lead to several",
                };
                problems.push(
                    Diagnostic::error(
                        "health/which-port",
                        format!("`health` needs a `port`: {why}"),
                    )
                    .at(from.span().unwrap_or(service)),
                );
            }
        }
        problems
    }
}

impl Whence {
    /// Where it was said.
    pub fn span(self) -> Option<Span> {
        match self {
            Self::Service(span) | Self::Defaults(span) => Some(span),
            Self::BuiltIn => None,
        }
    }
}

impl<T> Effective<T> {
    fn span(&self) -> Option<Span> {
        self.from.span()
    }
}

/// The word of the service, else that of the defaults.
fn said<T: Clone>(
    service: Option<&Placed<T>>,
    defaults: Option<&Placed<T>>,
) -> Option<Effective<T>> {
    let by = |placed: &Placed<T>, whence: fn(Span) -> Whence| Effective {
        value: placed.value.clone(),
        from: whence(placed.span),
    };
    service
        .map(|placed| by(placed, Whence::Service))
        .or_else(|| defaults.map(|placed| by(placed, Whence::Defaults)))
}

/// What was said, else what is built in.
fn or<T>(said: Option<Effective<T>>, built_in: T) -> Effective<T> {
    said.unwrap_or(Effective { value: built_in, from: Whence::BuiltIn })
}
