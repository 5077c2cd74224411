//! The requests of clients: short ones at any moment, slow ones that an old generation of a proxy
//! still ends, and connections that live long and that a replica holds.
//!
//! A short request is every look at the world (`watch`): wherever a proxy sends something that does
//! not answer, one would be lost. Slow ones are the old generations of `SimProxy::old`. Long-lived
//! ones are listed here, one for each proxy and each of its servers, and a replica that is ended
//! before its drain is over cuts them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::address::Addresses;
use super::file::running;
use super::rule::Rule;
use super::state::{Running, SimContainer, State};
use crate::model::{Endpoint, HostName, Millis, ProxyPlace, ServiceName, StackName, Status};

/// A connection that lives long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Connection {
    pub(super) place: ProxyPlace,
    /// The id of the replica.
    pub(super) container: String,
    /// The replica's service.
    of: (StackName, ServiceName),
    /// When the generation of the proxy that holds it was replaced.
    pub(super) replaced_at: Millis,
    /// When its client ends it.
    pub(super) until: Millis,
    /// When its proxy was told to send nothing more to the replica.
    let_go: Option<Millis>,
}

impl State {
    /// A proxy reads its file and follows it. Says whether that changed anything.
    pub(super) fn reload(&mut self, place: &ProxyPlace, now: Millis) -> bool {
        let longest = self.longest_request();
        let Some(proxy) = self.proxies.get(place) else { return false };
        let next = proxy.file.as_deref().map(running).unwrap_or_default();
        if next == proxy.running || proxy.ignores_reload {
            return false;
        }
        let before = proxy.running.clone();
        self.hold(place, &before, &next, now);
        self.judge(place, &before, &next, now);
        for life in lives(&Addresses::of(self), place, &next) {
            self.drained.remove(&(life.clone(), place.clone()));
            self.senders.insert((life, place.clone()));
        }
        let proxy = self.proxies.get_mut(place).expect("it was there above");
        let old = std::mem::replace(&mut proxy.running, next);
        proxy.old.push((old, now + longest));
        true
    }

    /// Whether a proxy has no file because somebody took it away.
    pub(super) fn is_file_lost(&self, place: &ProxyPlace) -> bool {
        let has_none = self.proxies.get(place).is_some_and(|proxy| proxy.file.is_none());
        has_none && self.lost_files.contains_key(place)
    }

    /// Whether a run that now has a proxy read its file cannot know that it is gone: it was there
    /// when the run looked last.
    pub(super) fn is_file_missed(&self, run: usize, place: &ProxyPlace) -> bool {
        let lost = self.lost_files.get(place).filter(|_| self.is_file_lost(place));
        let seen = self.file_looks.get(&(run, place.clone()));
        lost.is_some_and(|lost| seen.is_some_and(|seen| seen < lost))
    }

    /// A proxy follows somebody who took its file away: whom it sends nowhere then, and what of its
    /// connections is cut later, is that person's doing. Nobody can tell any more whom it sent to.
    pub(super) fn forget(&mut self, place: &ProxyPlace) {
        let Some(proxy) = self.proxies.get_mut(place).filter(|it| !it.ignores_reload) else {
            return;
        };
        proxy.running = Running::default();
        self.connections.retain(|it| it.place != *place);
    }

    /// The long-lived connections that are open when a generation ends stay with it.
    fn hold(&mut self, place: &ProxyPlace, before: &Running, next: &Running, now: Millis) {
        self.connections.retain(|it| it.until > now);
        let kept: BTreeSet<String> = self.ids(place, next);
        for it in self.connections.iter_mut().filter(|it| it.place == *place) {
            if it.let_go.is_none() && !kept.contains(&it.container) {
                it.let_go = Some(now);
            }
        }
        let servers: BTreeSet<&Endpoint> = before.backends.values().flatten().collect();
        let mut opened = Vec::new();
        for server in servers {
            let Some(container) = self.container_at(&place.host, server) else { continue };
            if container.app.long_connection == 0 || !container.is_ready(now) {
                continue;
            }
            let identity = &container.identity;
            opened.push(Connection {
                place: place.clone(),
                container: container.id.clone(),
                of: (identity.stack.clone(), identity.service.clone()),
                replaced_at: now,
                until: now + container.app.long_connection,
                let_go: (!kept.contains(&container.id)).then_some(now),
            });
        }
        self.connections.extend(opened);
    }

    /// The ids of the containers that a generation sends to.
    fn ids(&self, place: &ProxyPlace, running: &Running) -> BTreeSet<String> {
        let servers = running.backends.values().flatten();
        let ids = servers.filter_map(|at| Some(self.container_at(&place.host, at)?.id.clone()));
        ids.collect()
    }

    /// What a reload does to those who are sent somewhere: I2 and I10.
    fn judge(&mut self, place: &ProxyPlace, before: &Running, next: &Running, now: Millis) {
        let addresses = Addresses::of(self);
        let mut wrong = Vec::new();
        for (name, servers) in &before.backends {
            let key = name.parse().ok();
            let Some(promised) = self.promised(place.proxy.as_str(), name) else { continue };
            if self.may_be_away.contains(name) {
                continue;
            }
            let well = |at: &&Endpoint| addresses.serves(&place.host, key.as_ref(), at, now);
            let had = servers.iter().filter(well).count();
            let after = next.backends.get(name).into_iter().flatten();
            let answers = |at: &&Endpoint| addresses.answers(&place.host, key.as_ref(), at, now);
            let has = after.filter(answers).count();
            let least = promised.min(had);
            if has < least {
                let what = format!(
                    "{} on {} sends {name} to {has} servers, and {least} are promised",
                    place.proxy, place.host
                );
                wrong.push(what);
            }
        }
        let (kept, lives) = (lives(&addresses, place, before), lives(&addresses, place, next));
        wrong.into_iter().for_each(|what| self.blame(now, Rule::EnoughServe, what));
        for id in lives {
            if !kept.contains(&id) && self.let_go.contains(&id) {
                let (proxy, host) = (&place.proxy, &place.host);
                let what = format!("{proxy} on {host} sends again to {id}, which was let go of");
                self.blame(now, Rule::NeverAgain, what);
            }
        }
    }

    /// A run has changed a replica: when that has ended it, what it still held is cut.
    pub(super) fn cut_ended(&mut self, host: &HostName, name: &str, now: Millis) {
        let container = self.hosts.get(host).and_then(|host| host.containers.get(name));
        let ends = |it: &&SimContainer| it.status != Status::Running || it.ends_at.is_some();
        let Some(container) = container.filter(ends) else { return };
        let id = container.id.clone();
        let held = self.connections.extract_if(.., |it| it.container == id && it.until > now);
        let held: Vec<Connection> = held.collect();
        for it in held {
            let drain = self.drain_of(&it.of.0, &it.of.1);
            if it.let_go.is_some_and(|at| now >= at + drain) {
                continue;
            }
            let proxy = &it.place.proxy;
            let what = match it.let_go {
                Some(at) => {
                    let after = now - at;
                    format!(
                        "a connection of {proxy} to {name} is cut {after} ms after the switch, and {drain} ms are promised"
                    )
                }
                None => format!("a connection of {proxy} to {name} is cut before any switch"),
            };
            self.blame(now, Rule::LetGoFirst, what);
        }
    }

    /// What old generations of a proxy still have to do with servers: connections that can be
    /// counted, and generations that are not gone.
    pub(super) fn in_flight(
        &self,
        place: &ProxyPlace,
        servers: &BTreeSet<&Endpoint>,
        now: Millis,
    ) -> (usize, usize) {
        let ids: BTreeSet<&String> = servers
            .iter()
            .filter_map(|at| self.container_at(&place.host, at))
            .map(|it| &it.id)
            .collect();
        let open = self.connections.iter().filter(|it| it.place == *place && it.until > now);
        let own = open.clone().filter(|it| ids.contains(&it.container)).count();
        let slow = self.proxies.get(place).into_iter().flat_map(|proxy| &proxy.old);
        let slow = slow.filter(|(running, until)| {
            *until > now && running.backends.values().flatten().any(|it| servers.contains(it))
        });
        let slow = slow.count();
        let generations: BTreeSet<Millis> = open.map(|it| it.replaced_at).collect();
        (own + slow, generations.len().max(slow))
    }

    /// Notes that a proxy has nothing more to do with servers, and that they are let go of where
    /// each that ever sent to them has said so. One whose file is gone has nothing to remember it by.
    pub(super) fn is_let_go(&mut self, place: &ProxyPlace, servers: &BTreeSet<&Endpoint>) {
        if self.is_file_lost(place) {
            return;
        }
        let addresses = Addresses::of(self);
        let lives = servers.iter().filter_map(|at| addresses.container(&place.host, at));
        let lives: BTreeSet<String> = lives.map(life).collect();
        if lives.is_empty() {
            return;
        }
        let running = self.proxies.iter().map(|(place, proxy)| (place, &proxy.running));
        let used = running.flat_map(|(place, running)| sent_to(&addresses, place, running));
        let used: BTreeSet<String> = used.map(life).collect();
        let lives: Vec<String> = lives.difference(&used).cloned().collect();
        for life in lives {
            self.drained.insert((life.clone(), place.clone()));
            // Whom nobody ever sent to, nobody lets go of: it is asked for where a file is gone and
            // may have said anything.
            let mut senders = self.senders.iter().filter(|(to, _)| *to == life).peekable();
            let was_sent_to = senders.peek().is_some();
            if was_sent_to && senders.all(|sender| self.drained.contains(sender)) {
                self.let_go.insert(life);
            }
        }
    }

    /// The longest that any request lasts.
    fn longest_request(&self) -> Millis {
        let containers = self.hosts.values().flat_map(|host| host.containers.values());
        containers.map(|container| container.app.longest_request).max().unwrap_or(0)
    }
}

/// The lives that a generation sends to: a container that was started again is another one.
fn lives<'a>(
    addresses: &Addresses<'a>,
    place: &'a ProxyPlace,
    running: &Running,
) -> BTreeSet<String> {
    sent_to(addresses, place, running).map(life).collect()
}

fn sent_to<'a>(
    addresses: &Addresses<'a>,
    place: &'a ProxyPlace,
    running: &Running,
) -> impl Iterator<Item = &'a SimContainer> {
    let servers = running.backends.values().flatten();
    servers.filter_map(|at| addresses.container(&place.host, at))
}

/// A container and when it was started, in a few characters.
fn life(container: &SimContainer) -> String {
    let identity = &container.identity;
    let (service, slot, since) = (&identity.service, identity.slot, container.started_at);
    format!("{service}.{slot} {} since {since}", container.id)
}
