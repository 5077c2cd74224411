//! What people read: per service what is done to how many replicas, why, and for how long it is
//! away; and what they should know before it is too late.

use std::collections::BTreeSet;

use super::decide::{Does, Going};
use super::draft::Service;
use super::judge::image_of;
use super::member::Member;
use super::reach::Reach;
use super::readiness::{RUNS_FOR, is_ungated, may_end};
use super::wanted::Wanted;
use super::world::{Sighting, World};
use crate::model::{
    Action, Cause, Change, Count, Downtime, FieldDifference, HostName, Note, ReplicaChange,
    ResourceKind, ServiceName, Slot, UpdateOrder,
};

/// What happens to a service; `None` when nothing does.
pub(super) fn service_change(
    world: &World<'_>,
    service: &Service<'_>,
    is_touched: bool,
) -> Option<Change> {
    if !is_touched {
        return None;
    }
    let wanted = &service.wanted;
    let mut replicas: Vec<ReplicaChange> = Vec::new();
    for member in &service.members {
        replicas.extend(member_changes(world, service, member));
    }
    replicas.extend(service.going.iter().map(going_change));
    replicas.sort_by(|a, b| (a.slot, &a.host, &a.old).cmp(&(b.slot, &b.host, &b.old)));
    let mut causes: Vec<Cause> = Vec::new();
    let tidied = |it: &&ReplicaChange| it.cause == Cause::LeftOver;
    let (last, first): (Vec<_>, Vec<_>) = replicas.iter().partition(tidied);
    for replica in first.into_iter().chain(last) {
        if !causes.contains(&replica.cause) {
            causes.push(replica.cause.clone());
        }
    }
    if causes.is_empty() {
        causes.push(Cause::RoutesChanged);
    }
    let fields: BTreeSet<FieldDifference> =
        service.members.iter().flat_map(|it| it.decision.fields.clone()).collect();
    let before = running(world, wanted);
    Some(Change {
        kind: ResourceKind::Service,
        name: wanted.service.to_string(),
        action: action(service, &replicas, before),
        causes,
        fields: fields.into_iter().collect(),
        count: (before, u32::try_from(service.members.len()).unwrap_or(u32::MAX)),
        downtime: downtime(service, before),
        replicas,
    })
}

fn running(world: &World<'_>, wanted: &Wanted<'_>) -> u32 {
    let all = world.of_service(wanted.stack, wanted.service);
    let slots: BTreeSet<(Slot, Option<&HostName>)> = all
        .iter()
        .filter(|it| it.live.state.is_running() && it.live.identity.slot > 0)
        .map(|it| {
            let host = (wanted.target.replicas == Count::Global).then_some(it.host);
            (it.live.identity.slot, host)
        })
        .collect();
    u32::try_from(slots.len()).unwrap_or(u32::MAX)
}

fn action(service: &Service<'_>, replicas: &[ReplicaChange], before: u32) -> Action {
    let replaces = Action::replace(service.manner.order);
    if replicas.iter().any(|it| it.action == replaces) || goes_before_it_comes(service) {
        return replaces;
    }
    let all =
        |action: Action| !replicas.is_empty() && replicas.iter().all(|it| it.action == action);
    if before == 0 && all(Action::Create) { Action::Create } else { Action::Update }
}

/// Whether all that run go before any other comes, and none of these takes the place of one of
/// them: what has no successor is the first to go where old ones go first.
fn goes_before_it_comes(service: &Service<'_>) -> bool {
    let runs = |it: &Sighting<'_>| it.live.state.is_running();
    let comes = |it: &Member<'_>| it.does.is_fresh() && !it.decision.olds.iter().any(runs);
    service.manner.order == UpdateOrder::StopFirst
        && !service.members.is_empty()
        && service.members.iter().all(comes)
        && service.going.iter().any(|it| runs(&it.sighting))
}

fn downtime(service: &Service<'_>, before: u32) -> Downtime {
    let replaced = service.members.iter().filter(|member| {
        member.does.is_fresh() && member.decision.olds.iter().any(|old| old.live.state.is_running())
    });
    let replaced: Vec<&HostName> = replaced.map(|member| &member.host).collect();
    let keeps = service.members.iter().any(|it| !it.does.is_fresh());
    let batch = service.manner.batch;
    let is_together = !replaced.is_empty() && batch.takes(replaced.into_iter());
    let is_whole = before > 0 && !keeps && is_together || goes_before_it_comes(service);
    service.manner.downtime(&service.wanted, is_whole)
}

/// The replica itself, and each further container of its slot that goes.
fn member_changes(
    world: &World<'_>,
    service: &Service<'_>,
    member: &Member<'_>,
) -> Vec<ReplicaChange> {
    let decision = &member.decision;
    let mut olds: Vec<&Sighting<'_>> = decision.olds.iter().collect();
    // The one that serves is the one that is replaced.
    olds.sort_by_key(|old| {
        let is_routed = world.is_routed(&old.live.name);
        (!is_routed, !old.live.state.is_running(), old.live.name.clone())
    });
    let is_routed = |old: &Sighting<'_>| world.is_routed(&old.live.name);
    let follows = match member.does {
        Does::Create | Does::Finish(_) => !olds.is_empty(),
        // It was made by a run that ended before it could take the place of the other one.
        Does::Start(_) | Does::Prove(_) => olds.first().is_some_and(|old| is_routed(old)),
        Does::Keep(_) | Does::Leave(_) => false,
    };
    let replaced = if follows { Some(olds.remove(0)) } else { None };
    let (action, old, new) = match (member.does, replaced) {
        (_, Some(old)) => {
            let action = Action::replace(service.manner.order);
            (Some(action), Some(&old.live.name), Some(&member.name))
        }
        (Does::Create | Does::Finish(_), None) => (Some(Action::Create), None, Some(&member.name)),
        (Does::Start(_) | Does::Prove(_), None) => (Some(Action::Update), Some(&member.name), None),
        (Does::Keep(_) | Does::Leave(_), None) => (None, None, None),
    };
    let change =
        |action: Action, old: Option<&String>, new: Option<&String>, cause: &Cause| ReplicaChange {
            slot: member.slot,
            host: member.host.clone(),
            action,
            cause: cause.clone(),
            old: old.cloned(),
            new: new.cloned(),
        };
    let own = action.map(|action| change(action, old, new, &decision.cause));
    let rest = olds.into_iter().map(|old| ReplicaChange {
        host: old.host.clone(),
        ..change(Action::Remove, Some(&old.live.name), None, &Cause::LeftOver)
    });
    own.into_iter().chain(rest).collect()
}

fn going_change(going: &Going<'_>) -> ReplicaChange {
    ReplicaChange {
        slot: going.sighting.live.identity.slot,
        host: going.sighting.host.clone(),
        action: Action::Remove,
        cause: going.cause.clone(),
        old: Some(going.sighting.live.name.clone()),
        new: None,
    }
}

/// What happens to a service that is gone.
pub(super) fn gone_change(name: &ServiceName, going: &[Going<'_>]) -> Change {
    let replicas: Vec<ReplicaChange> = going.iter().map(going_change).collect();
    let runs = going.iter().filter(|it| it.sighting.live.state.is_running());
    Change {
        kind: ResourceKind::Service,
        name: name.to_string(),
        action: Action::Remove,
        causes: vec![Cause::Gone],
        fields: Vec::new(),
        count: (u32::try_from(runs.count()).unwrap_or(u32::MAX), 0),
        downtime: Downtime::None,
        replicas,
    }
}

/// Says which replicas are left to a host that does not answer.
pub(super) fn waiting_note(
    wanted: &Wanted<'_>,
    waiting: &[Slot],
    reach: &Reach<'_>,
) -> Option<Note> {
    if waiting.is_empty() {
        return None;
    }
    let slots: Vec<String> = waiting.iter().map(Slot::to_string).collect();
    let hosts: Vec<&str> = reach.blind.iter().map(|blind| blind.what.as_str()).collect();
    let message = format!(
        "replica {} may be on {}, which was not seen; it is not made elsewhere",
        slots.join(", "),
        hosts.join(", ")
    );
    Some(Note { service: wanted.service.to_string(), message })
}

/// What people should know about the services of a stack.
pub(super) fn stack_notes(world: &World<'_>, services: &[Service<'_>]) -> Vec<Note> {
    let mut notes = Vec::new();
    for service in services {
        let wanted = &service.wanted;
        let mut add = |message: String| {
            notes.push(Note { service: wanted.service.to_string(), message });
        };
        for registry in unchecked(world, service) {
            add(format!(
                "{registry} did not say whether its image is still the same: hosts that have it go \
                 on with what they have"
            ));
        }
        if let Some(seconds) = runs_for(world, service) {
            add(format!(
                "it has neither a health check nor `x-gitdeploy.health`: a replica counts as ready \
                 when it has run for {seconds}"
            ));
        }
        if let Some(message) = drained(world, service) {
            add(message);
        }
        if let Some(volume) = shared_volume(world, service) {
            add(format!("its replicas write to the volume {volume} at the same time"));
        }
    }
    let seats = services.iter().map(|service| {
        let hosts = service.members.iter().map(|member| &member.host).collect();
        Seats { wanted: &service.wanted, hosts }
    });
    notes.extend(apart(&seats.collect::<Vec<_>>()));
    notes
}

/// Registries that left it open what the service's image is.
fn unchecked<'a>(world: &World<'a>, service: &Service<'_>) -> BTreeSet<&'a str> {
    let image = &service.wanted.target.container.image;
    if !world.is_unchecked(image) {
        return BTreeSet::new();
    }
    let hosts = service.members.iter().filter_map(|member| world.hosts.get(&member.host));
    let images = hosts.filter_map(|state| state.images.get(image)?.as_ref().ok());
    images.filter_map(|image| image.unchecked.as_deref()).collect()
}

/// Says that a service stays on a drained host, or is stopped because of one.
fn drained(world: &World<'_>, service: &Service<'_>) -> Option<String> {
    if !world.is_any_drained() {
        return None;
    }
    let is_drained = |host: &HostName| world.hosts.get(host).is_some_and(|it| it.drained.is_some());
    if let Some(stays) = service.members.iter().find(|it| is_drained(&it.host)) {
        let host = &stays.host;
        return Some(format!(
            "it stays on {host}, which is drained: no other host may have it or has its volumes; \
             `gitdeploy drain {host} --force` stops it"
        ));
    }
    let is_wanted = service.wanted.target.replicas != Count::Replicas(0);
    let mut forced = world
        .hosts
        .iter()
        .filter(|(_, state)| state.drained.as_ref().is_some_and(|drained| drained.is_forced));
    if !is_wanted || !service.members.is_empty() {
        return None;
    }
    let (host, _) = forced.next()?;
    (service.wanted.target.replicas != Count::Global).then(|| {
        format!(
            "it is stopped, since {host} is drained by force; `gitdeploy undrain {host}` \
                 brings it back"
        )
    })
}

/// How long a replica must run, where that alone tells that it is ready.
fn runs_for(world: &World<'_>, service: &Service<'_>) -> Option<String> {
    let wanted = &service.wanted;
    let fresh = service.members.iter().find(|member| member.does.is_fresh())?;
    let image = image_of(wanted, world.hosts.get(&fresh.host)?).ok()?;
    let is_known = !image.config.is_null();
    if !is_known
        || wanted.is_one_shot
        || may_end(wanted.target)
        || !is_ungated(wanted.target, Some(image))
    {
        return None;
    }
    Some(wanted.order.monitor.unwrap_or(RUNS_FOR).to_string())
}

fn shared_volume(world: &World<'_>, service: &Service<'_>) -> Option<String> {
    let overlaps = service.manner.order == UpdateOrder::StartFirst;
    let is_many = service.members.len() > 1 && service.wanted.target.replicas != Count::Global;
    if !is_many && !overlaps {
        return None;
    }
    let fresh = service.members.iter().any(|member| member.does.is_fresh());
    let mut volumes = service.wanted.volumes(world).into_iter().filter(|it| it.writes && fresh);
    volumes.next().map(|it| it.key.unwrap_or(it.name))
}

/// A service, and the hosts of its replicas in the order of their numbers.
pub(super) struct Seats<'s, 'a> {
    pub(super) wanted: &'s Wanted<'a>,
    pub(super) hosts: Vec<&'s HostName>,
}

/// Services that share a network and have no host in common: they will not find each other.
pub(super) fn apart(services: &[Seats<'_, '_>]) -> Vec<Note> {
    let mut notes = Vec::new();
    for service in services {
        for name in service.wanted.target.depends_on.keys() {
            let other = services.iter().find(|it| it.wanted.service == name);
            let Some(other) = other.filter(|it| !it.hosts.is_empty()) else { continue };
            // Most are where the other one is, and in the same order.
            let hosts: BTreeSet<&HostName> = match service.hosts == other.hosts {
                true => continue,
                false => other.hosts.iter().copied().collect(),
            };
            let shares =
                service.wanted.networks().intersection(&other.wanted.networks()).next().is_some();
            let lonely = service.hosts.iter().find(|host| !hosts.contains(*host));
            if let (true, Some(lonely)) = (shares, lonely) {
                notes.push(Note {
                    service: service.wanted.service.to_string(),
                    message: format!(
                        "on {lonely} it will not find {name} by name: a network does not reach beyond its host",
                    ),
                });
            }
        }
    }
    notes
}
