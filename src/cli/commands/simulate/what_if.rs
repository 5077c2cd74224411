//! Every fault that can meet a plan, at many moments: the worst that comes of each kind.

use std::collections::{BTreeMap, BTreeSet};

use super::mishap::{Mishap, applicable};
use super::play::{Played, Stage};
use crate::model::{Millis, Plan, ResourceKind};
use crate::pipeline::Wish;
use crate::sim::{Frozen, Moment};
use crate::ui::simulate::{Timeline, WhatIf};

/// Moments at which one kind is tried: enough to meet each phase of a usual rollout, few enough for
/// all kinds to take a few seconds.
const MOMENTS_MAX: usize = 16;

/// What each kind of fault would do to this plan. `plain` is the rollout without any.
pub(super) async fn what_if(
    stage: &Stage<'_>,
    from: &Frozen,
    wish: &Wish,
    plan: &Plan,
    plain: &Played,
) -> Vec<WhatIf> {
    let mut rows = Vec::new();
    let names = touched(plan);
    for kind in applicable(plan) {
        let mut row = WhatIf { what: kind.words(), ..WhatIf::default() };
        let mut ends = BTreeMap::<String, usize>::new();
        for mishap in moments(&kind, plain) {
            let played = stage.play(from, wish, std::slice::from_ref(&mishap)).await;
            if !played.has_happened {
                continue;
            }
            if add(&mut row, &played, &plain.timeline, &names) {
                row.fault = mishap.to_string();
            }
            *ends.entry(played.end()).or_default() += 1;
        }
        if row.tried == 0 {
            continue;
        }
        let mut ends: Vec<(String, usize)> = ends.into_iter().collect();
        ends.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        row.ends = ends.into_iter().map(|(end, _)| end).collect();
        rows.push(row);
    }
    rows
}

/// Services that the plan changes: the fate of all others says nothing about it.
fn touched(plan: &Plan) -> BTreeSet<String> {
    let of = |(stack, changes): (&crate::model::StackName, &crate::model::StackPlan)| {
        let services = changes.changes.iter().filter(|it| it.kind == ResourceKind::Service);
        services.map(|it| format!("{stack}/{}", it.name)).collect::<Vec<_>>()
    };
    plan.stacks.iter().flat_map(of).collect()
}

/// The same kind of fault over the whole rollout.
fn moments(kind: &Mishap, plain: &Played) -> Vec<Mishap> {
    let times = times(&plain.timeline);
    match kind {
        Mishap::Kill(..) | Mishap::Lose(..) => {
            let calls: Vec<usize> = (0..plain.calls).collect();
            let both =
                |call| [Moment::Before, Moment::After].map(|moment| kind.placed(0, call, moment));
            spread(&calls, MOMENTS_MAX).into_iter().flat_map(both).collect()
        }
        Mishap::Dies { .. } | Mishap::Host { .. } => {
            let at = |time| kind.placed(time, 0, Moment::After);
            spread(&times, MOMENTS_MAX).into_iter().map(at).collect()
        }
        Mishap::ProxyRejects | Mishap::ProxyStuck | Mishap::NeverReady(_) => vec![kind.clone()],
    }
}

/// Just after each moment at which something changed, and between two of them.
fn times(timeline: &Timeline) -> Vec<Millis> {
    let changes = timeline.services.iter().flat_map(|line| line.moments.iter().map(|it| it.at));
    let changes: BTreeSet<Millis> = changes.chain([timeline.took]).collect();
    let mut times = BTreeSet::new();
    let mut last = None;
    for at in changes {
        if let Some(last) = last {
            times.insert((last + at) / 2);
        }
        if at < timeline.took {
            times.insert(at + 1);
        }
        last = Some(at);
    }
    times.into_iter().collect()
}

/// At most so many of them, the first and the last among them.
fn spread<T: Copy>(all: &[T], most: usize) -> Vec<T> {
    if all.len() <= most {
        return all.to_vec();
    }
    let last = all.len() - 1;
    (0..most).filter_map(|number| all.get(number * last / (most - 1)).copied()).collect()
}

/// Adds one rollout; whether it is the worst so far.
fn add(row: &mut WhatIf, played: &Played, plain: &Timeline, names: &BTreeSet<String>) -> bool {
    row.tried += 1;
    let mut is_worst = row.tried == 1;
    if let (None, Some(lost)) = (&row.lost, played.timeline.lost.first()) {
        row.lost = Some(lost.what.clone());
        is_worst = true;
    }
    for line in plain.services.iter().filter(|line| names.contains(&line.name())) {
        let name = line.name();
        let (usual, _) = line.least();
        let now = played.timeline.services.iter().find(|it| it.name() == name);
        let least = now.map_or(0, |line| line.least().0);
        if least >= usual {
            continue;
        }
        match row.least.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) if *known <= least => {}
            Some((_, known)) => {
                *known = least;
                is_worst = true;
            }
            None => {
                row.least.push((name, least));
                is_worst = true;
            }
        }
    }
    row.took = row.took.max(played.timeline.took);
    is_worst
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_of_many_are_spread_over_all() {
        assert_eq!(spread(&[1, 2, 3], 4), [1, 2, 3]);
        let hundred: Vec<u32> = (0..100).collect();
        assert_eq!(spread(&hundred, 4), [0, 33, 66, 99]);
    }
}
