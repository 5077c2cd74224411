//! What somebody without the secrets takes for granted: that what is not known has not changed.
//!
//! Whether a commit wants another secret shows in its specification; only the value behind a
//! variable is not known.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Desired, FileSource, Observed, ServiceTarget};
use crate::planner::inputs_digest;

/// Makes every container whose service uses one of the `missing` variables look as if their values
/// were those in `variables`. Gives the services, as `shop/web`.
pub fn assume_inputs(
    observed: &mut Observed,
    desired: &Desired,
    variables: &BTreeMap<String, String>,
    missing: &BTreeSet<String>,
) -> BTreeSet<String> {
    let mut assumed = BTreeSet::new();
    for (stack, target) in &desired.stacks {
        for (service, target) in &target.services {
            let Ok(inputs) = inputs_digest(target, variables) else { continue };
            if !uses(target, missing) {
                continue;
            }
            assumed.insert(format!("{stack}/{service}"));
            for state in observed.hosts.values_mut().flatten() {
                let own = state.containers.values_mut().filter(|container| {
                    let identity = &container.identity;
                    identity.stack == *stack && identity.service == *service
                });
                own.for_each(|container| container.identity.inputs.clone_from(&inputs));
            }
        }
    }
    assumed
}

fn uses(target: &ServiceTarget, names: &BTreeSet<String>) -> bool {
    let mut files = target.container.configs.iter().chain(&target.container.secrets);
    files.any(
        |file| matches!(&file.content, FileSource::Environment { name } if names.contains(name)),
    )
}
