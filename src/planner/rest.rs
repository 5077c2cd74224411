//! Stacks that are as they shall be, told without deciding anything: nearly all of a fleet, nearly
//! always.
//!
//! The one idea: nothing is said of a stack here that deciding on it would not come to. Where a look
//! at it does not tell, it is decided on like any other; so a condition that is too strict costs
//! time, and never another plan. In tests every plan is made both ways.

use std::collections::BTreeSet;

use super::Problem;
use super::changes::{Seats, apart};
use super::judge::{Verdict, Worth};
use super::judged::{Judged, Stack};
use super::member::check_files;
use super::place::may_stay;
use super::world::{Sighting, World};
use crate::model::{Count, HostName, Note, StackName};

/// What people should know of a stack with which nothing will be done; `None` when that cannot be
/// told without deciding.
pub(super) fn rests(world: &World<'_>, name: &StackName, stack: &Stack<'_>) -> Option<Vec<Note>> {
    let scope = &world.request.scope;
    if scope.explain || scope.is_partial() || !scope.replace.is_empty() {
        return None;
    }
    let Stack { target, services, remade, volumes } = stack;
    let is_left_alone = services.len() == target.services.len()
        && volumes.is_empty()
        && remade.as_ref().is_ok_and(|remade| remade.by_host.is_empty())
        && world.born(name) <= world.released(name)
        && world
            .services(name)
            .chain(world.routed(name))
            .all(|service| target.services.contains_key(service));
    if !is_left_alone {
        return None;
    }
    let mut seats: Vec<Seats<'_, '_>> = Vec::new();
    for judged in services.values() {
        let judged = judged.as_ref().ok()?;
        let hosts = hosts(world, judged)?;
        seats.push(Seats { wanted: &judged.wanted, hosts });
    }
    if !keeps_networks(world, name, &seats) || !is_in_step(world, stack) {
        return None;
    }
    let mut notes = apart(&seats);
    notes.sort();
    notes.dedup();
    Some(notes)
}

/// The hosts of a service's replicas in the order of their numbers, when each of them stays and no
/// other container of the service is there.
fn hosts<'a>(world: &World<'a>, judged: &Judged<'a>) -> Option<Vec<&'a HostName>> {
    let Judged { wanted, worths } = judged;
    // Hosts and ports that are promised differ by who is decided on first.
    let is_plain = wanted.fixed_ports().is_empty() && check_files(wanted).is_ok();
    let Count::Replicas(count) = wanted.target.replicas else { return None };
    let sightings = world.of_service(wanted.stack, wanted.service);
    let has_all = usize::try_from(count) == Ok(sightings.len()) && !sightings.is_empty();
    if !is_plain || !has_all || world.is_unchecked(&wanted.target.container.image) {
        return None;
    }
    let mut hosts: Vec<Option<&HostName>> = vec![None; sightings.len()];
    for (it, verdict) in sightings.iter().zip(worths.all()) {
        let is_kept = match &verdict.as_ref().ok()?.worth {
            // That proxies send to it is seen below.
            Worth::Runs => !wanted.is_one_shot,
            Worth::Done => true,
            Worth::Ended | Worth::Unstarted | Worth::Unfit(..) => false,
        };
        // Replicas are counted from 1; 0 stands for what has helped one.
        let place = usize::try_from(it.live.identity.slot).ok()?.checked_sub(1)?;
        if !is_kept || hosts.get_mut(place)?.replace(it.host).is_some() {
            return None;
        }
    }
    if !may_stay(world, wanted, sightings) || !is_routed_right(world, judged, sightings) {
        return None;
    }
    hosts.into_iter().collect()
}

/// Whether proxies send to a service as the commit wants it, and to all its replicas.
fn is_routed_right(world: &World<'_>, judged: &Judged<'_>, sightings: &[Sighting<'_>]) -> bool {
    let wanted = &judged.wanted;
    let known = world.backends_of(wanted.stack, wanted.service);
    if wanted.places.is_empty() {
        return known.is_empty();
    }
    let mut found = 0;
    for place in &wanted.places {
        for (key, backend) in wanted.backends(place) {
            let Some(seen) = known.iter().find(|it| it.place == place && *it.key == key) else {
                return false;
            };
            let servers = &seen.backend.servers;
            let is_server = |(it, verdict): (&Sighting<'_>, &Result<Verdict, Problem>)| {
                let Some(at) = servers.get(&it.live.name) else { return false };
                let port = verdict.as_ref().ok().and_then(|it| it.ports.get(&key.port));
                port == Some(&at.port)
                    && world.address_at(place, *it).is_ok_and(|address| address == at.address)
            };
            let is_same = seen.backend.rules == backend.rules
                && seen.backend.check == backend.check
                && servers.len() == sightings.len()
                && sightings.iter().zip(judged.worths.all()).all(is_server);
            if !is_same {
                return false;
            }
            found += 1;
        }
    }
    found == known.len()
}

/// Whether all networks of the stack are used where they are.
fn keeps_networks(world: &World<'_>, stack: &StackName, seats: &[Seats<'_, '_>]) -> bool {
    let used: Vec<BTreeSet<&str>> = seats.iter().map(|it| it.wanted.networks()).collect();
    world.networks_of(stack).iter().all(|(host, name)| {
        let mut users = seats.iter().zip(&used).filter(|(_, used)| used.contains(name));
        users.any(|(seats, _)| seats.hosts.contains(host))
    })
}

/// Whether no service is older than one it is restarted with.
fn is_in_step(world: &World<'_>, stack: &Stack<'_>) -> bool {
    let born = |judged: &Judged<'_>| {
        let all = world.of_service(judged.wanted.stack, judged.wanted.service);
        all.iter().map(|it| it.live.identity.generation).min()
    };
    stack.services.values().flatten().all(|judged| {
        let restarts = &judged.wanted.target.depends_on;
        let mut restarts = restarts.iter().filter(|(_, it)| it.restart == Some(true)).peekable();
        let Some(own) = restarts.peek().and_then(|_| born(judged)) else { return true };
        let others = restarts.filter_map(|(name, _)| stack.services.get(name)?.as_ref().ok());
        others.filter_map(born).all(|other| other <= own)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Health, Op};
    use crate::planner::fixture::{Fleet, TWO};
    use crate::planner::judged::judge;
    use crate::planner::reach::Reach;

    const SHOP: &str = "
services:
  web:
    image: shop:1
    depends_on: [db]
    deploy: {replicas: 3}
    x-gitdeploy: {routes: [{host: shop.example.com, port: 8080}]}
  db: {image: 'db:1', volumes: ['data:/data']}
volumes: {data: {}}
";

    fn deployed() -> Fleet {
        let mut fleet = Fleet::new(TWO);
        fleet.want("shop", SHOP);
        fleet.deploy();
        fleet
    }

    /// What people should know of the stack, when it rests.
    fn notes(fleet: &Fleet) -> Option<Vec<String>> {
        fleet.asked(|request| {
            let world = World::new(request);
            let reach = Reach::new(&world).expect("nothing is in the way");
            let stack = reach.stacks[0];
            let judged = judge(&world, &reach, stack).expect("it is wanted");
            let notes = rests(&world, stack, &judged)?;
            Some(notes.into_iter().map(|note| note.message).collect())
        })
    }

    #[test]
    fn what_was_deployed_rests_and_says_what_people_should_know() {
        let notes = notes(&deployed()).expect("it rests");
        assert_eq!(
            notes,
            ["on b it will not find db by name: a network does not reach beyond its host"]
        );
    }

    #[test]
    fn what_is_not_as_it_was_does_not_rest() {
        type Change = (&'static str, fn(&mut Fleet));
        let changes: [Change; 8] = [
            ("another commit", |fleet| fleet.want("shop", &SHOP.replace("shop:1", "shop:2"))),
            ("one more", |fleet| fleet.want("shop", &SHOP.replace("replicas: 3", "replicas: 4"))),
            ("one less", |fleet| fleet.want("shop", &SHOP.replace("replicas: 3", "replicas: 2"))),
            ("a port", |fleet| fleet.want("shop", &SHOP.replace("port: 8080", "port: 81"))),
            ("ill", |fleet| {
                fleet.container("web", 2).state.health = Some(Health::Unhealthy("no".into()));
            }),
            ("helper", |fleet| fleet.container("db", 1).identity.slot = 0),
            ("asked for", |fleet| fleet.scope.replace.extend(["shop/db".parse().expect("one")])),
            ("table", |fleet| {
                let table = fleet.proxy("a").table.as_mut().expect("a table");
                let backend = table.backends.values_mut().next().expect("a backend");
                drop(backend.servers.pop_first());
            }),
        ];
        for (what, change) in changes {
            let mut fleet = deployed();
            change(&mut fleet);
            assert_eq!(notes(&fleet), None, "{what}");
        }
    }

    #[test]
    fn a_stack_at_rest_follows_when_its_proxy_has_to() {
        let mut fleet = deployed();
        fleet.proxy("a").serving = None;
        assert!(notes(&fleet).is_some());
        let steps = fleet.plan().expect("a plan").steps;
        assert!(matches!(steps[0].op, Op::Switch { .. }));
        assert!(matches!(steps[1].op, Op::Record { .. }), "the stack is looked at after all");
    }
}
