//! The three ways in which containers come and go: the new ones first, the old ones first, or
//! none comes.

mod remove;
mod restore;
mod start_first;
mod stop_first;

use std::collections::{BTreeMap, BTreeSet};

use super::draft::{Draft, Service};
use super::manner::Batch;
use super::member::Member;
use super::world::Sighting;
use crate::model::{HostName, StepId, UpdateOrder};

pub(super) use remove::remove;
use restore::restore;
pub(super) use restore::restore_shared;
pub(super) use start_first::start_first;
pub(super) use stop_first::{leave_all, stop_first};

/// Members that something is done to, in batches: those that replace nothing go with the first, or
/// before it where a batch begins with an end.
fn batches<'m, 'a>(draft: &Draft<'_, 'a>, service: &'m Service<'a>) -> Vec<Vec<&'m Member<'a>>> {
    let touched = |member: &&Member<'a>| member.does.is_fresh() || !member.decision.olds.is_empty();
    let touched: Vec<&Member<'a>> = service.members.iter().filter(touched).collect();
    let (replacing, adding): (Vec<_>, Vec<_>) =
        touched.into_iter().partition(|member| !member.decision.olds.is_empty());
    let split = |members: Vec<&'m Member<'a>>| split(members, service.manner.batch);
    // Who takes no other one's place costs nobody anything, and may be what is missing.
    let comes_first = service.manner.order == UpdateOrder::StopFirst && service.remade.is_empty();
    let serves = |old: &Sighting<'a>| {
        old.live.state.is_running()
            && (service.wanted.places.is_empty() || draft.may_be_sent_to(service, &old.live.name))
    };
    let ends_one = |member: &&Member<'a>| member.decision.olds.iter().any(serves);
    if comes_first && replacing.iter().any(ends_one) {
        let (replacing, mut first): (Vec<_>, Vec<_>) = replacing.into_iter().partition(ends_one);
        first.extend(adding);
        first.sort_by_key(|member| member.slot);
        let own = (!first.is_empty()).then_some(first);
        return own.into_iter().chain(split(replacing)).collect();
    }
    let mut batches = split(replacing);
    match batches.first_mut() {
        Some(first) => first.extend(adding),
        None if adding.is_empty() => {}
        None => batches.push(adding),
    }
    for batch in &mut batches {
        batch.sort_by_key(|member| member.slot);
    }
    batches
}

/// Members in the order of their slots, or host by host where hosts are counted.
fn split<'m, 'a>(members: Vec<&'m Member<'a>>, batch: Batch) -> Vec<Vec<&'m Member<'a>>> {
    match batch {
        Batch::All if members.is_empty() => Vec::new(),
        Batch::All => vec![members],
        Batch::Replicas(size) => members.chunks(size).map(<[_]>::to_vec).collect(),
        Batch::Hosts(size) => {
            let mut by_host: BTreeMap<&HostName, Vec<&'m Member<'a>>> = BTreeMap::new();
            for member in members {
                by_host.entry(&member.host).or_default().push(member);
            }
            let hosts: Vec<_> = by_host.into_values().collect();
            hosts.chunks(size).map(<[_]>::concat).collect()
        }
    }
}

/// Names of servers that stay although no member of the plan speaks for them: old ones of
/// `later`, those that go at the end, and those that may be on a host that does not answer.
fn remaining<'a>(
    draft: &Draft<'_, 'a>,
    service: &Service<'a>,
    later: &[Vec<&Member<'a>>],
    is_last: bool,
) -> BTreeSet<String> {
    let olds = later.iter().flatten().flat_map(|member| &member.decision.olds);
    let going = service.going.iter().filter(|_| !is_last).map(|going| &going.sighting);
    let runs = |it: &&Sighting<'a>| it.live.state.is_running();
    let mut names: BTreeSet<String> =
        olds.chain(going).filter(runs).map(|it| it.live.name.clone()).collect();
    let left = service
        .members
        .iter()
        .filter(|member| matches!(member.does, super::decide::Does::Leave(_)));
    names.extend(left.map(|member| member.name.clone()));
    names.extend(unseen(draft, service));
    names
}

/// Servers of a service whose containers nobody has seen, while a host is silent.
fn unseen(draft: &Draft<'_, '_>, service: &Service<'_>) -> BTreeSet<String> {
    if draft.world.silent.is_empty() {
        return BTreeSet::new();
    }
    let own = draft.world.backends_of(service.wanted.stack, service.wanted.service);
    let names = own.iter().flat_map(|it| it.backend.servers.keys());
    let mine = draft.world.of_service(service.wanted.stack, service.wanted.service);
    let mine: BTreeSet<&String> = mine.iter().map(|it| &it.live.name).collect();
    let is_seen = |name: &String| mine.contains(name) || draft.world.has_seen(name);
    names.filter(|name| !is_seen(name)).cloned().collect()
}

/// The time between two batches; what the next one waits for.
fn pause(
    draft: &mut Draft<'_, '_>,
    service: &Service<'_>,
    batch: &[&Member<'_>],
    done: BTreeSet<StepId>,
) -> BTreeSet<StepId> {
    let (Some(time), Some(member)) = (service.manner.delay, batch.first()) else { return done };
    let lane = super::draft::lane_of(&service.wanted);
    let op = crate::model::Op::Pause { time };
    let step = draft.graph.add(&lane, &member.host, op, done, &member.decision.cause);
    BTreeSet::from([step])
}
