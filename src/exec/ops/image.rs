//! Images. The engine looks itself whether one is there, and goes on where a broken pull ended.

use crate::exec::context::Task;
use crate::exec::repeat::{Done, repeated_effect};

/// Brings an image.
pub(super) async fn pull(
    task: &Task<'_>,
    reference: &str,
    digest: Option<&str>,
    platform: Option<&str>,
) -> Done {
    let engine = task.engine()?;
    let pull = || task.call(engine.pull(reference, digest, platform));
    Ok(repeated_effect(pull).await?)
}
