//! Containers that go and nothing comes for them. Their routes are gone when this is asked.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Cause, StepId};
use crate::planner::decide::Going;
use crate::planner::draft::{Draft, End};
use crate::planner::graph::Lane;
use crate::planner::wanted::Wanted;

pub(in crate::planner) fn remove<'a>(
    draft: &mut Draft<'_, 'a>,
    lane: &Lane,
    wanted: Option<&Wanted<'a>>,
    going: &[Going<'a>],
    after: &BTreeSet<StepId>,
) {
    let mut causes: BTreeMap<&Cause, Vec<_>> = BTreeMap::new();
    for going in going {
        causes.entry(&going.cause).or_default().push(going.sighting);
    }
    for (cause, olds) in causes {
        let end = End { lane, wanted, cause, after: after.clone() };
        for (old, needs) in draft.stop(&olds, &end) {
            draft.remove(old, &end, needs);
        }
    }
}
