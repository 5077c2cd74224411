//! The proxies' managed files as the plan leaves them, and those that somebody or something has
//! taken away from what they say.

use std::collections::{BTreeMap, BTreeSet};

use super::Problem;
use super::draft::Draft;
use super::graph::Lane;
use super::parts::in_parts;
use super::reach::Reach;
use super::world::World;
use crate::model::{
    Cause, Endpoint, Op, ProxyFile, ProxyPlace, ProxyState, RoutingTable, ServiceName, StackName,
    Step,
};
use crate::proxy::{Managed, read};
use crate::settings::ProxyKind;

/// The places that must follow their file again, or a new one, and why; all of them, in their order.
/// Depends on nothing that is decided.
pub(super) fn behind(world: &World<'_>) -> Vec<Option<Cause>> {
    let proxies: Vec<_> = world.proxies.iter().collect();
    in_parts(&proxies, |part| {
        part.iter().map(|(place, state)| why_again(world, place, state)).collect()
    })
}

/// Lays down a switch without a change for every place that does not do what its file says, or
/// whose file is not as we would write it.
pub(super) fn follow_again(
    draft: &mut Draft<'_, '_>,
    reach: &Reach<'_>,
    behind: Vec<Option<Cause>>,
) -> BTreeMap<ProxyPlace, Cause> {
    let world = draft.world;
    let mut stale = BTreeMap::new();
    let mut others: Option<Others<'_>> = None;
    let proxies = world.proxies.iter().map(|(place, state)| (*place, *state));
    for ((place, state), cause) in proxies.zip(behind) {
        if world.has_lost_file(place) && !is_wanted(world, place) {
            let nothing = RoutingTable::default();
            let others = others.get_or_insert_with(|| Others::of(world));
            if let Some(lane) = speaker(reach, place, &nothing, others) {
                draft.routes.again(world, &mut draft.graph, &lane, place, &Cause::NotServed);
            }
            continue;
        }
        let (Some(table), Some(cause)) = (&state.table, cause) else { continue };
        if leads_nowhere(world, place, table) {
            stale.insert(place.clone(), cause);
            continue;
        }
        let others = others.get_or_insert_with(|| Others::of(world));
        if let Some(lane) = speaker(reach, place, table, others) {
            draft.routes.again(world, &mut draft.graph, &lane, place, &cause);
            stale.insert(place.clone(), cause);
        }
    }
    stale
}

/// Why a place must follow its file again, or a new one; `None` when all is well.
fn why_again(world: &World<'_>, place: &ProxyPlace, state: &ProxyState) -> Option<Cause> {
    let table = state.table.as_ref()?;
    // A part of a plan leaves files as they are, but ends nothing that a proxy still sends to.
    match (is_behind(state, table), world.request.scope.is_partial()) {
        (true, _) if is_edited(world, state) => Some(Cause::Drifted),
        (true, _) => Some(Cause::NotServed),
        (false, true) => None,
        (false, false) => stale_for(world, place, state, table),
    }
}

/// Whether a file that was put back names somebody who has gone since: to follow it as it is would
/// send requests nowhere. The switches of those who are there make it right.
fn leads_nowhere(world: &World<'_>, place: &ProxyPlace, table: &RoutingTable) -> bool {
    let mut servers = table.backends.values().flat_map(|backend| backend.servers.keys());
    world.has_older_file(place) && servers.any(|name| world.is_gone(name))
}

/// The lane of the first service in scope that has to do with a place: it is in its table, shall be,
/// or was until lately.
fn speaker(
    reach: &Reach<'_>,
    place: &ProxyPlace,
    table: &RoutingTable,
    others: &Others<'_>,
) -> Option<Lane> {
    let mut found: BTreeSet<(&StackName, &ServiceName)> =
        table.backends.keys().map(|key| (&key.stack, &key.service)).collect();
    found.extend(others.routed.get(place.proxy.as_str()).into_iter().flatten());
    found.extend(others.left.get(place).into_iter().flatten());
    let is_mine = |(stack, service): &(&StackName, &ServiceName)| {
        reach.has(stack) && reach.may_touch(stack, service)
    };
    found.into_iter().find(is_mine).map(|(stack, service)| Lane::service(stack, service))
}

/// A service of a stack.
type Named<'a> = (&'a StackName, &'a ServiceName);

/// Services that have to do with a place and may not be in its table.
struct Others<'a> {
    /// Those that the commit routes, by proxy.
    routed: BTreeMap<&'a str, BTreeSet<Named<'a>>>,
    /// Those of containers with an address that was taken out of a table lately.
    left: BTreeMap<&'a ProxyPlace, BTreeSet<Named<'a>>>,
}

impl<'a> Others<'a> {
    fn of(world: &World<'a>) -> Self {
        let mut others = Self { routed: BTreeMap::new(), left: BTreeMap::new() };
        for (stack, target) in &world.request.desired.stacks {
            for (name, service) in &target.services {
                for route in &service.routes {
                    others.routed.entry(&route.proxy).or_default().insert((stack, name));
                }
            }
        }
        for it in world.containers() {
            let identity = &it.live.identity;
            for binding in it.live.config.bindings() {
                for place in world.may_send(&binding.at) {
                    let is_reached = world
                        .address(place, it.host)
                        .is_ok_and(|address| address == binding.at.address);
                    if is_reached {
                        let left = others.left.entry(place).or_default();
                        left.insert((&identity.stack, &identity.service));
                    }
                }
            }
        }
        others
    }
}

/// Whether the commit sends anything through a place.
fn is_wanted(world: &World<'_>, place: &ProxyPlace) -> bool {
    let stacks = world.request.desired.stacks.values();
    let mut routes =
        stacks.flat_map(|stack| stack.services.values()).flat_map(|service| &service.routes);
    routes.any(|route| route.proxy == place.proxy.as_str())
}

/// Why a place has a file that we would write otherwise.
fn stale_for(
    world: &World<'_>,
    place: &ProxyPlace,
    state: &ProxyState,
    table: &RoutingTable,
) -> Option<Cause> {
    let site = world.request.sites.get(place);
    let written = site.and_then(|site| site.render(table).ok());
    if written.is_some() && written == state.file {
        return None;
    }
    let is_other = state.file.is_some() && written.is_some();
    match (is_edited(world, state), is_other) {
        (true, _) => Some(Cause::Drifted),
        // Its words are ours, and now there are others: another template.
        (false, true) => Some(Cause::Changed),
        (false, false) => None,
    }
}

/// Whether somebody has changed the file by hand.
fn is_edited(world: &World<'_>, state: &ProxyState) -> bool {
    let managed = read(world.request.owner, state.file.as_deref());
    matches!(managed, Managed::Ours { edited: true, .. })
}

/// Whether the proxy does not do what its file says: a run ended between the two.
fn is_behind(state: &ProxyState, table: &RoutingTable) -> bool {
    state.serving != Some(table.generation) || has_other_servers(state, table)
}

/// Whether HAProxy's runtime sends elsewhere than its file says.
fn has_other_servers(state: &ProxyState, table: &RoutingTable) -> bool {
    let Some(runtime) = &state.servers else { return false };
    table.backends.iter().any(|(key, backend)| {
        let empty = BTreeMap::new();
        let there = runtime.get(&key.to_string()).unwrap_or(&empty);
        let lacks = backend.servers.iter().any(|(name, at)| {
            there.get(name).is_none_or(|it| it.address != at.to_string() || !it.takes_requests)
        });
        let extra = |(name, it): (&String, &crate::model::RuntimeServer)| {
            it.takes_requests && !backend.servers.contains_key(name)
        };
        lacks || there.iter().any(extra)
    })
}

/// The files of all places that a switch was planned for.
pub(super) fn files(
    draft: &Draft<'_, '_>,
    stale: &BTreeMap<ProxyPlace, Cause>,
) -> Result<Vec<ProxyFile>, Vec<Problem>> {
    let mut switches: BTreeMap<&ProxyPlace, Vec<&Step>> = BTreeMap::new();
    for step in &draft.graph.steps {
        if let Op::Switch { place, .. } = &step.op {
            switches.entry(place).or_default().push(step);
        }
    }
    let places: Vec<&ProxyPlace> = draft.routes.switched().iter().collect();
    let world = draft.world;
    let made = in_parts(&places, |part| {
        let files = part.iter().map(|place| {
            let switches = switches.get(place).map_or(&[][..], Vec::as_slice);
            file(world, place, switches, stale.get(place))
        });
        files.collect()
    });
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for made in made {
        match made {
            Ok(file) => files.push(file),
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}

fn file(
    world: &World<'_>,
    place: &ProxyPlace,
    switches: &[&Step],
    stale: Option<&Cause>,
) -> Result<ProxyFile, Problem> {
    let nowhere = || {
        Problem::invalid(format!("the proxy {} on {} was not looked at", place.proxy, place.host))
    };
    let site = world.request.sites.get(place).ok_or_else(nowhere)?;
    let state = world.proxies.get(place).ok_or_else(nowhere)?;
    let before = state.table.clone().unwrap_or_default();
    let mut after = before.clone();
    let mut cause = None;
    for step in switches {
        let Step { op: Op::Switch { change, .. }, .. } = step else { continue };
        // That a container drifted is no reason to say that the file did.
        if !change.set.is_empty() && step.cause != Cause::Drifted {
            cause.get_or_insert_with(|| step.cause.clone());
        }
        // The moment is the one of the file as it is: a plan does not depend on when it is made.
        after = after
            .changed(change, before.activated_at)
            .map_err(|moved| Problem::invalid(format!("{moved}; this is a fault of gitdeploy")))?;
    }
    let new = site.render(&after).map_err(|error| {
        Problem::invalid(format!(
            "the file of the proxy {} on {}: {error}",
            place.proxy, place.host
        ))
    })?;
    // Drift of a replica is none of the file: only the file itself can have been edited.
    let cause = match (stale, cause) {
        (Some(stale), _) => stale.clone(),
        (None, None | Some(Cause::Drifted)) => Cause::RoutesChanged,
        (None, Some(cause)) => cause,
    };
    Ok(ProxyFile {
        place: place.clone(),
        path: site.path.clone(),
        kind: match site.kind {
            ProxyKind::Nginx => "nginx".to_owned(),
            ProxyKind::Haproxy => "haproxy".to_owned(),
        },
        old: state.file.clone(),
        new,
        servers: changed_servers(&before, &after),
        cause,
    })
}

fn changed_servers(before: &RoutingTable, after: &RoutingTable) -> usize {
    fn all(table: &RoutingTable) -> BTreeSet<(String, &String, &Endpoint)> {
        let mut found = BTreeSet::new();
        for (key, backend) in &table.backends {
            found.extend(backend.servers.iter().map(|(name, at)| (key.to_string(), name, at)));
        }
        found
    }
    all(before).symmetric_difference(&all(after)).count()
}
