//! What happens to the world without any run: crashes, cables, and people at their keyboards.

use super::World;
use super::account::taker;
use super::state::{SimHost, SimImage, SimProxy, State};
use crate::model::{HostName, Millis, ProxyPlace, Status};
use crate::ports::{LeaseKey, Stir};

/// How long whoever has asked for a lease does not ask again.
const BELIEVED: Millis = 1_000;

/// A host as it was once, with its proxies.
#[derive(Clone)]
pub struct OldHost {
    host: SimHost,
    proxies: Vec<(ProxyPlace, SimProxy)>,
}

impl World {
    /// Ends a container as a crash would: what it loses is no run's mistake.
    pub fn crash(&self, host: &HostName, name: &str) {
        let stir = self.stir(host, name, "die");
        self.happen(&format!("{host} lost {name}"), |state, _| state.die(host, name, false));
        self.tell(host, stir);
    }

    /// Takes a container away as somebody at the host would, without asking anybody.
    pub fn take_away(&self, host: &HostName, name: &str) {
        let stir = self.stir(host, name, "destroy");
        self.happen(&format!("{host} lost {name}"), |state, _| state.die(host, name, true));
        self.tell(host, stir);
    }

    /// Ends a container and starts it again, as its engine would after a crash.
    pub fn restart(&self, host: &HostName, name: &str) {
        self.happen(&format!("{host} restarts {name}"), |state, now| {
            state.die(host, name, false);
            state.revive(host, name, now);
        });
    }

    /// Makes a container answer every other second only.
    pub fn flap(&self, host: &HostName, name: &str, time: Millis) {
        self.happen(&format!("{name} on {host} flaps"), |state, now| {
            let there = state.hosts.get_mut(host);
            let Some(container) = there.and_then(|it| it.containers.get_mut(name)) else { return };
            container.flaps_until = now + time;
            let id = container.id.clone();
            let published = container.published.clone();
            let at = published.into_iter().map(|at| ((host.clone(), at), id.clone()));
            state.excused.extend(at);
        });
    }

    /// The engine of a host ends, and its containers with it.
    pub fn stop_engine(&self, host: &HostName) -> Vec<String> {
        let mut ended = Vec::new();
        self.happen(&format!("the engine of {host} ends"), |state, now| {
            let Some(there) = state.hosts.get_mut(host) else { return };
            there.has_no_engine = true;
            let running = there
                .containers
                .iter()
                .filter(|(_, container)| container.status_at(now) == Status::Running);
            ended = running.map(|(name, _)| name.clone()).collect();
            for name in &ended {
                state.die(host, name, false);
            }
        });
        ended
    }

    /// It comes back, and with it the containers that ran.
    pub fn start_engine(&self, host: &HostName, ended: &[String]) {
        self.happen(&format!("the engine of {host} is back"), |state, now| {
            if let Some(there) = state.hosts.get_mut(host) {
                there.has_no_engine = false;
            }
            for name in ended {
                state.revive(host, name, now);
            }
        });
    }

    /// A proxy reads its file because somebody told it to.
    pub fn reload(&self, place: &ProxyPlace) {
        let what = format!("somebody reloads {} on {}", place.proxy, place.host);
        self.happen(&what, |state, now| match state.is_file_lost(place) {
            true => state.forget(place),
            false => drop(state.reload(place, now)),
        });
    }

    /// Somebody takes a proxy's file away, and with it all that it remembers of whom it let go of.
    pub fn lose_file(&self, place: &ProxyPlace) {
        let what = format!("somebody removes the file of {} on {}", place.proxy, place.host);
        self.happen(&what, |state, now| {
            if let Some(proxy) = state.proxies.get_mut(place) {
                proxy.file = None;
            }
            state.let_go.clear();
            state.lost_files.insert(place.clone(), now);
        });
    }

    /// Takes every lease of a host away from whoever holds it.
    pub fn break_leases(&self, host: &HostName) {
        self.happen(&format!("somebody breaks the leases of {host}"), |state, _| {
            let there = state.hosts.get_mut(host);
            let Some(there) = there else { return };
            there.leases.clear();
            let robbed = state.takers.iter().filter(|(_, on, _)| on == host);
            state.robbed.extend(robbed.map(|(run, _, _)| *run));
        });
    }

    /// Cuts or mends the way from one host to another.
    pub fn cut(&self, from: &HostName, to: &HostName, is_cut: bool) {
        let words = if is_cut { "cannot reach" } else { "reaches" };
        self.happen(&format!("{from} {words} {to}"), |state, _| {
            let way = (from.clone(), to.clone());
            match is_cut {
                true => state.cuts.insert(way),
                false => state.cuts.remove(&way),
            };
        });
    }

    /// An image goes from the registry and from all hosts.
    pub fn withdraw(&self, reference: &str) -> Option<SimImage> {
        let mut image = None;
        self.happen(&format!("nobody has {reference}"), |state, _| {
            image = state.registry.remove(reference);
            for host in state.hosts.values_mut() {
                host.images.remove(reference);
            }
        });
        image
    }

    /// A host and its proxies as they are.
    pub fn remember(&self, host: &HostName) -> OldHost {
        let state = self.state();
        let proxies = state.proxies.iter().filter(|(place, _)| place.host == *host);
        OldHost {
            host: state.hosts.get(host).cloned().unwrap_or_default(),
            proxies: proxies.map(|(place, it)| (place.clone(), it.clone())).collect(),
        }
    }

    /// A host comes back as it was: from an old copy of its disk, its containers started anew. What
    /// is lost by that is no run's mistake.
    pub fn bring_back(&self, host: &HostName, old: OldHost) {
        self.happen(&format!("{host} is back as it was"), |state, now| {
            let names = state.names_on(host, now);
            names.iter().for_each(|name| state.die(host, name, true));
            let now_there = state.hosts.remove(host).unwrap_or_default();
            let OldHost { host: mut there, proxies } = old;
            let ran =
                there.containers.iter().filter(|(_, it)| it.status_at(now) == Status::Running);
            let ran: Vec<String> = ran.map(|(name, _)| name.clone()).collect();
            // An id never comes twice; and what is wrong now is not a matter of the disk.
            there.ids = now_there.ids;
            there.is_down = now_there.is_down;
            there.is_silent = now_there.is_silent;
            there.has_no_engine = now_there.has_no_engine;
            there.is_full = now_there.is_full;
            there.slowness = now_there.slowness;
            for (run, key) in lost_leases(&now_there, &there, now) {
                let until = now + BELIEVED + there.slowness;
                state.forgotten.insert((run, host.clone(), key), until);
            }
            state.hosts.insert(host.clone(), there);
            for name in &ran {
                state.die(host, name, false);
                state.revive(host, name, now);
            }
            for (place, proxy) in proxies {
                let lost = proxy.running.backends.values().flatten().cloned();
                let lost: Vec<_> = lost.collect();
                let now = state.proxies.remove(&place).unwrap_or_default();
                // No connection outlives the machine that one end of it is on.
                state.connections.retain(|it| it.place != place);
                // What is wrong with it now is not a matter of its disk.
                let proxy = SimProxy {
                    old: Vec::new(),
                    rejects: now.rejects,
                    ignores_reload: now.ignores_reload,
                    hangs: now.hangs,
                    ..proxy
                };
                state.proxies.insert(place.clone(), proxy);
                for at in lost {
                    let to = state.leads_to(&place.host, &at).first().map(|it| (*it).clone());
                    let to = to.unwrap_or_else(|| place.host.clone());
                    // What is there and had ended when the copy was made may come back, too.
                    let there = state.hosts.get(&to).into_iter().flat_map(|it| &it.containers);
                    let mut there = there.filter(|(_, it)| it.published.contains(&at));
                    let id = there.next().map(|(_, it)| it.id.clone()).unwrap_or_default();
                    state.excused.insert((to, at), id);
                }
            }
        });
    }

    /// What an engine would tell of a container.
    fn stir(&self, host: &HostName, name: &str, what: &str) -> Stir {
        let state = self.state();
        let container = state.hosts.get(host).and_then(|it| it.containers.get(name));
        let stack = container.map(|it| it.identity.stack.clone());
        Stir { stack, what: what.to_owned() }
    }

    fn tell(&self, host: &HostName, stir: Stir) {
        // Nobody need listen.
        drop(self.stirs.send((host.clone(), stir)));
    }

    fn happen(&self, what: &str, change: impl FnOnce(&mut State, Millis)) {
        let now = self.now();
        let mut state = self.state();
        state.log.push(format!("{now} {what}"));
        state.pass(now);
        change(&mut state, now);
        state.watch(now);
    }
}

/// The runs whose leases a host does not know that came back as it was.
fn lost_leases(before: &SimHost, back: &SimHost, now: Millis) -> Vec<(usize, LeaseKey)> {
    let time = before.time(now);
    let held = before.leases.iter().filter(|(_, lease)| lease.until > time);
    let lost = held.filter(|(key, it)| back.leases.get(*key).is_none_or(|old| old.id != it.id));
    lost.filter_map(|(key, lease)| Some((taker(&lease.id)?, key.clone()))).collect()
}

impl State {
    fn names_on(&self, host: &HostName, now: Millis) -> Vec<String> {
        let containers = self.hosts.get(host).into_iter().flat_map(|it| &it.containers);
        let running = containers.filter(|(_, it)| it.status_at(now) == Status::Running);
        running.map(|(name, _)| name.clone()).collect()
    }
}
