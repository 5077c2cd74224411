//! What must always be true, checked after every effect.
//!
//! A proxy sends only to replicas that run and are ready, of the service it means; a backend that
//! has served never stops to, unless the plan said so. What a single act breaks is seen where it
//! happens: in `traffic` what becomes of requests, in `account` who may act on what.

use std::collections::BTreeSet;
use std::fmt;

use super::address::{Addresses, is_meant};
use super::rule::Rule;
use super::state::{Running, SimContainer, State};
use crate::model::{BackendKey, Endpoint, HostName, Millis, ProxyPlace, Status};

/// Something that must never be, and was.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Violation {
    /// When.
    pub at: Millis,
    /// Which rule it breaks.
    pub rule: Rule,
    /// What.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.what)
    }
}

type Wrong = BTreeSet<(Rule, String)>;

impl State {
    /// Looks at everything and remembers what is wrong.
    pub(super) fn watch(&mut self, now: Millis) {
        self.pass(now);
        for proxy in self.proxies.values_mut() {
            proxy.old.retain(|(_, until)| *until > now);
        }
        self.accuse_ready(now);
        self.sample(now);
        let mut wrong = Wrong::new();
        let addresses = Addresses::of(self);
        for place in self.proxies.keys() {
            self.serves_all(place, now, &addresses, &mut wrong);
            self.reaches_only_ready(place, now, &addresses, &mut wrong);
        }
        for (rule, what) in wrong {
            self.blame(now, rule, what);
        }
        self.keep(now);
    }

    /// Remembers something wrong, once.
    pub(super) fn blame(&mut self, at: Millis, rule: Rule, what: String) {
        let is_new = !self.violations.iter().any(|it| it.rule == rule && it.what == what);
        if is_new {
            self.log.push(format!("{at} BROKEN {rule} {what}"));
            self.violations.push(Violation { at, rule, what });
        }
    }

    /// Nobody is sent nowhere.
    fn serves_all<'a>(
        &'a self,
        place: &'a ProxyPlace,
        now: Millis,
        addresses: &Addresses<'a>,
        wrong: &mut Wrong,
    ) {
        let running = &self.proxies[place].running;
        for (name, servers) in &running.backends {
            let key = name.parse().ok();
            let answers = |at| addresses.answers(&place.host, key.as_ref(), at, now);
            let is_away = !servers.iter().any(answers);
            if is_away && !self.may_be_away.contains(name) {
                wrong.insert((Rule::EnoughServe, format!("{} sends {name} nowhere", place.proxy)));
            }
        }
        if !self.may_be_away.is_empty() {
            return;
        }
        for route in running.routes.iter().filter(|route| route.backend.is_none()) {
            let what = format!("{} answers {}{} with 503", place.proxy, route.host, route.path);
            wrong.insert((Rule::EnoughServe, what));
        }
    }

    /// Every server that any generation of a proxy sends to answers for what is meant.
    fn reaches_only_ready<'a>(
        &'a self,
        place: &'a ProxyPlace,
        now: Millis,
        addresses: &Addresses<'a>,
        wrong: &mut Wrong,
    ) {
        let proxy = &self.proxies[place];
        for (running, is_old) in generations(proxy) {
            for (name, servers) in &running.backends {
                if is_old && !proxy.running.backends.contains_key(name) {
                    continue;
                }
                if self.may_be_away.contains(name) {
                    continue;
                }
                let key = name.parse().ok();
                let answers =
                    |at: &&Endpoint| addresses.answers(&place.host, key.as_ref(), at, now);
                for at in servers.iter().filter(|at| !answers(at)) {
                    let age = if is_old { "an old generation of " } else { "" };
                    let (proxy, why) = (&place.proxy, self.why_not(&place.host, key.as_ref(), at));
                    let rule = if is_old { Rule::LetGoFirst } else { why.0 };
                    let what = format!("{age}{proxy} sends {name} to {at}, {}", why.1);
                    wrong.insert((rule, what));
                }
            }
        }
    }

    fn why_not(
        &self,
        host: &HostName,
        backend: Option<&BackendKey>,
        at: &Endpoint,
    ) -> (Rule, &'static str) {
        match self.container_at(host, at) {
            None => (Rule::LetGoFirst, "where nothing runs any more"),
            Some(it) if !is_meant(backend, it) => (Rule::OnlyReady, "which is another service's"),
            Some(it) if it.ends_at.is_some() => (Rule::LetGoFirst, "which is ending"),
            Some(_) => (Rule::OnlyReady, "which is not ready"),
        }
    }

    /// The running container that an address leads to, seen from a host.
    pub(super) fn container_at(&self, host: &HostName, at: &Endpoint) -> Option<&SimContainer> {
        let hosts = self.leads_to(host, at).into_iter().filter_map(|name| self.hosts.get(name));
        let containers = hosts.flat_map(|host| host.containers.values());
        let is_at = |it: &&SimContainer| it.address == at.address || it.publishes(at);
        containers.filter(|it| it.status == Status::Running).find(is_at)
    }
}

fn generations(proxy: &super::SimProxy) -> impl Iterator<Item = (&Running, bool)> {
    let old = proxy.old.iter().map(|(running, _)| (running, true));
    std::iter::once((&proxy.running, false)).chain(old)
}
