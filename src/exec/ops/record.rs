//! Networks, volumes and the record of a release. Their calls say "make it so" themselves, and look
//! before they act: there is nothing to look at from here.

use serde_json::Value;

use crate::exec::context::Task;
use crate::exec::repeat::{Done, repeated_effect};
use crate::model::Release;

/// Makes a network.
pub(super) async fn create_network(task: &Task<'_>, name: &str, body: &Value) -> Done {
    let engine = task.engine()?;
    Ok(repeated_effect(|| task.change(engine.create_network(name, body))).await?)
}

/// Makes a volume.
pub(super) async fn create_volume(task: &Task<'_>, name: &str, body: &Value) -> Done {
    let engine = task.engine()?;
    Ok(repeated_effect(|| task.change(engine.create_volume(name, body))).await?)
}

/// Removes a network.
pub(super) async fn remove_network(task: &Task<'_>, name: &str) -> Done {
    let engine = task.engine()?;
    Ok(repeated_effect(|| task.change(engine.remove_network(name))).await?)
}

/// Removes a volume and its data.
pub(super) async fn remove_volume(task: &Task<'_>, name: &str) -> Done {
    let engine = task.engine()?;
    Ok(repeated_effect(|| task.change(engine.remove_volume(name))).await?)
}

/// Remembers a release.
pub(super) async fn record(task: &Task<'_>, release: &Release) -> Done {
    let engine = task.engine()?;
    let (owner, stack) = (&task.context.work.plan.owner, &task.step.stack);
    Ok(repeated_effect(|| task.change(engine.record(owner, stack, release))).await?)
}
