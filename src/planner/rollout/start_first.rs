//! New replicas first: they come, are proved, get the requests; then the old ones are let go.
//! No request is lost, and a failure before the switch changes nothing that serves.

use std::collections::BTreeSet;

use super::{batches, pause, remaining, remove, restore};
use crate::model::{Cause, StepId};
use crate::planner::decide::Does;
use crate::planner::draft::{Draft, End, Service, lane_of};
use crate::planner::member::Member;
use crate::planner::world::Sighting;

pub(in crate::planner) fn start_first<'a>(draft: &mut Draft<'_, 'a>, service: &Service<'a>) {
    let batches = batches(draft, service);
    let kept = |member: &&Member<'a>| matches!(member.does, Does::Keep(_));
    let mut serving: Vec<&Member<'a>> = service.members.iter().filter(kept).collect();
    let mut prior: BTreeSet<StepId> = BTreeSet::new();
    let lane = lane_of(&service.wanted);
    if batches.is_empty() {
        let remaining = remaining(draft, service, &[], true);
        let cause = service.going.first().map_or(Cause::RoutesChanged, |going| going.cause.clone());
        draft.turn(service, &serving, &remaining, &prior, &cause);
    }
    if batches.len() > 1 {
        prior = restore(draft, service, &lane);
    }
    for (index, batch) in batches.iter().enumerate() {
        let fresh: Vec<_> = batch.iter().copied().filter(|it| it.does.is_fresh()).collect();
        let made: Vec<_> = fresh.iter().map(|member| draft.make(service, member, &prior)).collect();
        let mut ready: BTreeSet<StepId> = BTreeSet::new();
        for (member, made) in fresh.iter().zip(made) {
            ready.insert(draft.begin(service, member, made));
        }
        serving.extend(&fresh);
        let later = &batches[index + 1..];
        let remaining = remaining(draft, service, later, later.is_empty());
        let cause = batch.first().map_or(Cause::Changed, |member| member.decision.cause.clone());
        let switches = draft.turn(service, &serving, &remaining, &ready, &cause);
        let mut done = if switches.is_empty() { ready } else { switches };
        let olds: Vec<Sighting<'a>> =
            batch.iter().flat_map(|it| it.decision.olds.clone()).collect();
        let end =
            End { lane: &lane, wanted: Some(&service.wanted), cause: &cause, after: done.clone() };
        for (old, needs) in draft.stop(&olds, &end) {
            done.insert(draft.remove(old, &end, needs));
        }
        if !later.is_empty() {
            prior = pause(draft, service, batch, done);
        } else {
            prior = end.after;
        }
    }
    remove(draft, &lane, Some(&service.wanted), &service.going, &prior);
}
