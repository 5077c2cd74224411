//! Old replicas first, where old and new cannot run together. What can be made beforehand is, so
//! that the service is away only from the stop to the proof.

use std::collections::BTreeSet;

use super::{batches, pause, remaining, remove, restore};
use crate::model::{Cause, StepId};
use crate::planner::decide::Does;
use crate::planner::draft::{Draft, End, Service, lane_of};
use crate::planner::graph::Lane;
use crate::planner::member::Member;
use crate::planner::world::Sighting;

pub(in crate::planner) fn stop_first<'a>(draft: &mut Draft<'_, 'a>, service: &Service<'a>) {
    let batches = batches(draft, service);
    let kept = |member: &&Member<'a>| matches!(member.does, Does::Keep(_));
    let mut serving: Vec<&Member<'a>> = service.members.iter().filter(kept).collect();
    let mut prior: BTreeSet<StepId> = BTreeSet::new();
    let lane = lane_of(&service.wanted);
    let has_left = !service.remade.is_empty();
    if !has_left {
        prior = settle(draft, service, &lane, &batches);
    }
    for (index, batch) in batches.iter().enumerate() {
        let fresh: Vec<_> = batch.iter().copied().filter(|it| it.does.is_fresh()).collect();
        let cause = batch.first().map_or(Cause::Changed, |member| member.decision.cause.clone());
        let olds: Vec<Sighting<'a>> =
            batch.iter().flat_map(|it| it.decision.olds.clone()).collect();
        let later = &batches[index + 1..];
        let mut left = remaining(draft, service, later, true);
        left.extend(current_of(later));
        let can_make = !service.manner.removes_first;
        let made: Vec<BTreeSet<StepId>> = match can_make {
            true => fresh.iter().map(|member| draft.make(service, member, &prior)).collect(),
            false => Vec::new(),
        };
        let mut after = prior.clone();
        after.extend(made.iter().flatten());
        let mut ends = BTreeSet::new();
        let mut rest = Vec::new();
        let end =
            End { lane: &lane, wanted: Some(&service.wanted), cause: &cause, after: after.clone() };
        if !has_left {
            if olds.iter().any(|old| draft.may_be_sent_to(service, &old.live.name)) {
                draft.turn(service, &serving, &left, &after, &cause);
            }
            for (old, needs) in draft.stop(&olds, &end) {
                if can_make {
                    ends.extend(&needs);
                    rest.push((old, needs));
                } else {
                    ends.insert(draft.remove(old, &end, needs));
                }
            }
        }
        let mut ready = BTreeSet::new();
        for (position, member) in fresh.iter().enumerate() {
            let mut needs = match can_make {
                true => made[position].clone(),
                false => {
                    let mut before = prior.clone();
                    before.extend(&ends);
                    draft.make(service, member, &before)
                }
            };
            needs.extend(&ends);
            ready.insert(draft.begin(service, member, needs));
        }
        serving.extend(&fresh);
        let switches = draft.turn(service, &serving, &left, &ready, &cause);
        let mut done: BTreeSet<StepId> =
            ready.iter().chain(&switches).chain(&ends).copied().collect();
        for (old, mut needs) in rest {
            needs.extend(&ready);
            done.insert(draft.remove(old, &end, needs));
        }
        prior = if later.is_empty() { done } else { pause(draft, service, batch, done) };
    }
}

/// What comes before the batches: what is served from memory is written down, and what has no
/// successor goes. What the batches wait for.
fn settle<'a>(
    draft: &mut Draft<'_, 'a>,
    service: &Service<'a>,
    lane: &Lane,
    batches: &[Vec<&Member<'a>>],
) -> BTreeSet<StepId> {
    let mut prior = BTreeSet::new();
    if !batches.is_empty() {
        prior = restore(draft, service, lane);
    }
    if !batches.is_empty() && service.going.is_empty() {
        return prior;
    }
    let kept = |member: &&Member<'a>| matches!(member.does, Does::Keep(_));
    let serving: Vec<&Member<'a>> = service.members.iter().filter(kept).collect();
    let mut left = remaining(draft, service, batches, true);
    left.extend(current_of(batches));
    let cause = service.going.first().map_or(Cause::RoutesChanged, |going| going.cause.clone());
    let switches = draft.turn(service, &serving, &left, &prior, &cause);
    prior = if switches.is_empty() { prior } else { switches };
    remove(draft, lane, Some(&service.wanted), &service.going, &prior);
    prior
}

/// Lets all old containers of a service go before anything is made: a network they are in goes.
pub(in crate::planner) fn leave_all<'a>(draft: &mut Draft<'_, 'a>, service: &Service<'a>) {
    let lane = lane_of(&service.wanted);
    let olds: Vec<Sighting<'a>> =
        service.members.iter().flat_map(|member| member.decision.olds.clone()).collect();
    let going = service.going.iter().map(|going| going.sighting);
    let olds: Vec<Sighting<'a>> = olds.into_iter().chain(going).collect();
    let kept = |member: &&Member<'a>| matches!(member.does, Does::Keep(_));
    let serving: Vec<&Member<'a>> = service.members.iter().filter(kept).collect();
    let cause = Cause::Changed;
    let left = remaining(draft, service, &[], true);
    let is_routed = olds.iter().any(|old| draft.world.is_routed(&old.live.name));
    let switches = match is_routed {
        true => draft.turn(service, &serving, &left, &BTreeSet::new(), &cause),
        false => BTreeSet::new(),
    };
    let end = End { lane: &lane, wanted: Some(&service.wanted), cause: &cause, after: switches };
    for (old, needs) in draft.stop(&olds, &end) {
        draft.remove(old, &end, needs);
    }
}

/// Containers of later batches that are there and stay until it is their turn.
fn current_of(later: &[Vec<&Member<'_>>]) -> BTreeSet<String> {
    let members = later
        .iter()
        .flatten()
        .filter(|member| matches!(member.does, Does::Prove(_) | Does::Start(_)));
    members.map(|member| member.name.clone()).collect()
}
