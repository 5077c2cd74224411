//! A proxy that serves what its file said before somebody took that away: nobody can read any more
//! whom it sends to. One switch of everything is no matter, several are: each names whom it goes on
//! with. So what runs is proved and written down first, and then moved like anything else.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    Backend, BackendKey, Cause, Count, Endpoint, Health, Op, ProxyPlace, Readiness, StepId,
};
use crate::planner::decide::Does;
use crate::planner::draft::{Draft, Service, lane_of};
use crate::planner::graph::Lane;
use crate::planner::judge::{held_ports, image_of};
use crate::planner::member::Member;
use crate::planner::probing::probe_at;
use crate::planner::readiness::readiness;
use crate::planner::routes::Turn;
use crate::planner::world::Sighting;

/// Where a container's ports are reached, by proxy and by port of the container.
type Servers = BTreeMap<ProxyPlace, BTreeMap<u16, Endpoint>>;

/// Writes down what proxies serve from memory that several services are reached through: all of them
/// with one switch, or the first of them would take the requests of the others away.
pub(in crate::planner) fn restore_shared<'a>(draft: &mut Draft<'_, 'a>, services: &[&Service<'a>]) {
    let mut users: BTreeMap<&ProxyPlace, usize> = BTreeMap::new();
    for place in services.iter().flat_map(|service| &service.wanted.places) {
        *users.entry(place).or_default() += 1;
    }
    let world = draft.world;
    users.retain(|place, users| *users > 1 && world.serves_from_memory(place));
    let is_shared =
        |it: &&&Service<'a>| it.wanted.places.iter().any(|place| users.contains_key(place));
    let services = services.iter().filter(is_shared);
    let present: Vec<_> = services.map(|service| (*service, Present::of(draft, service))).collect();
    for place in users.into_keys() {
        let here = || present.iter().filter(|(service, _)| service.wanted.places.contains(place));
        let Some((first, _)) = here().next() else { continue };
        let set = here().flat_map(|(service, it)| it.backends(service, place)).collect();
        let needs = here().flat_map(|(_, it)| it.proofs.iter().copied()).collect();
        let lane = lane_of(&first.wanted);
        let turn = Turn { lane: &lane, place, set, needs, cause: &Cause::NotServed };
        draft.routes.restore(world, &mut draft.graph, turn);
    }
}

/// Writes down what proxies serve from memory: the switches, before which nothing of the service
/// may be moved.
pub(super) fn restore<'a>(
    draft: &mut Draft<'_, 'a>,
    service: &Service<'a>,
    lane: &Lane,
) -> BTreeSet<StepId> {
    let world = draft.world;
    let places = service.wanted.places.iter().filter(|place| world.serves_from_memory(place));
    let (shared, own): (Vec<&ProxyPlace>, Vec<_>) =
        places.partition(|place| draft.routes.restored(place).is_some());
    let mut switches: BTreeSet<StepId> =
        shared.into_iter().filter_map(|place| draft.routes.restored(place)).collect();
    if own.is_empty() {
        return switches;
    }
    let present = Present::of(draft, service);
    for place in own {
        let set = present.backends(service, place).collect();
        let needs = present.proofs.clone();
        let turn = Turn { lane, place, set, needs, cause: &Cause::NotServed };
        switches.extend(draft.routes.turn(world, &mut draft.graph, turn));
    }
    switches
}

/// Whom a proxy may send to for a service.
struct Present<'a> {
    proofs: BTreeSet<StepId>,
    serving: Vec<(&'a String, Servers)>,
    /// Those that stay as they are.
    kept: Vec<(String, Servers)>,
}

impl<'a> Present<'a> {
    fn of(draft: &mut Draft<'_, 'a>, service: &Service<'a>) -> Self {
        let lane = lane_of(&service.wanted);
        let (mut proofs, mut serving) = (BTreeSet::new(), Vec::new());
        for rivals in present(service) {
            let mut younger = BTreeMap::new();
            for it in rivals {
                let Some(servers) = servers(draft, service, it) else { continue };
                let proof = prove(draft, service, &lane, it, &servers, &younger);
                let Some(proof) = proof else { continue };
                younger.insert(it.live.name.clone(), proof);
                serving.push((&it.live.name, servers));
            }
            proofs.extend(younger.into_values());
        }
        let kept = service.members.iter().filter(|it| matches!(it.does, Does::Keep(_)));
        let kept = kept.map(|member| (member.name.clone(), member.servers.clone())).collect();
        Self { proofs, serving, kept }
    }

    /// The backends of a place with those who are there; none without anybody.
    fn backends<'s>(
        &'s self,
        service: &'s Service<'a>,
        place: &'s ProxyPlace,
    ) -> impl Iterator<Item = (BackendKey, Option<Backend>)> + 's {
        let filled = move |(key, mut backend): (BackendKey, Backend)| {
            let kept = self.kept.iter().map(|(name, servers)| (name, servers));
            let all = self.serving.iter().map(|(name, servers)| (*name, servers)).chain(kept);
            for (name, servers) in all {
                let at = servers.get(place).and_then(|ports| ports.get(&key.port));
                backend.servers.extend(at.map(|at| (name.clone(), at.clone())));
            }
            (!backend.servers.is_empty()).then_some((key, Some(backend)))
        };
        service.wanted.backends(place).into_iter().filter_map(filled)
    }
}

/// What runs and does not stay as it is: the proxy may send to it. Those in one place are together,
/// the youngest first: older ones may have been let go of already, and asked to end.
fn present<'a>(service: &Service<'a>) -> Vec<Vec<Sighting<'a>>> {
    let is_kept = |member: &&Member<'a>| matches!(member.does, Does::Keep(_));
    let members = service.members.iter().filter(|member| !is_kept(member)).flat_map(|member| {
        let proved = match member.does {
            Does::Prove(current) => Some(current),
            Does::Keep(_) | Does::Leave(_) | Does::Start(_) | Does::Finish(_) | Does::Create => {
                None
            }
        };
        member.decision.olds.iter().copied().chain(proved)
    });
    let going = service.going.iter().map(|going| going.sighting);
    let mut places: BTreeMap<_, Vec<Sighting<'a>>> = BTreeMap::new();
    for it in members.chain(going) {
        let (state, identity) = (&it.live.state, &it.live.identity);
        let is_unwell = matches!(state.health, Some(Health::Unhealthy(_)));
        if !state.is_running() || is_unwell || identity.slot == 0 {
            continue;
        }
        let host = (service.wanted.target.replicas == Count::Global).then_some(it.host);
        places.entry((identity.slot, host)).or_default().push(it);
    }
    let mut places: Vec<_> = places.into_values().collect();
    for rivals in &mut places {
        rivals.sort_by_key(|it| (Reverse(it.live.identity.generation), &it.live.name));
    }
    places
}

/// Where a container is reached; `None` when it has not got the ports that the commit wants.
fn servers(draft: &Draft<'_, '_>, service: &Service<'_>, it: Sighting<'_>) -> Option<Servers> {
    let ports = held_ports(draft.world, &service.wanted, it).ok()??;
    let addresses = service.wanted.addresses(draft.world, it.host).ok()?;
    let at = |(place, address): (ProxyPlace, std::net::IpAddr)| {
        let endpoint = |(port, at): (&u16, &u16)| (*port, Endpoint { address, port: *at });
        (place, ports.iter().map(endpoint).collect())
    };
    Some(addresses.into_iter().map(at).collect())
}

/// Waits until a container answers. One that does not is left out, and not missed: it serves nobody.
/// One of a place in which `younger` ones are is asked after them, and only where none of them does.
fn prove(
    draft: &mut Draft<'_, '_>,
    service: &Service<'_>,
    lane: &Lane,
    it: Sighting<'_>,
    servers: &Servers,
    younger: &BTreeMap<String, StepId>,
) -> Option<StepId> {
    let wanted = &service.wanted;
    let endpoint = probe_at(draft.world, wanted, it.host, servers).ok()?;
    let image = image_of(wanted, it.state).ok();
    let readiness = Readiness {
        has_check: it.live.state.health.is_some(),
        ..readiness(wanted, image, endpoint, 0)
    };
    let op = Op::AwaitReady { container: it.live.name.clone(), readiness };
    let lane = lane.slot(it.live.identity.slot);
    let cause = match younger.is_empty() {
        true => Cause::NotServed,
        false => Cause::Standby(younger.keys().cloned().collect()),
    };
    Some(draft.graph.add(&lane, it.host, op, younger.values().copied(), &cause))
}
