//! Images. The engine looks itself whether one is there, and goes on where a broken pull ended. How
//! large one is, nobody knows before; a disk that is full already is told before it is tried.

use crate::exec::context::Task;
use crate::exec::repeat::{Done, Trouble, repeated_effect};
use crate::model::Room;

/// Brings an image.
pub(super) async fn pull(
    task: &Task<'_>,
    reference: &str,
    digest: Option<&str>,
    platform: Option<&str>,
) -> Done {
    let engine = task.engine()?;
    // Where it cannot be asked, the pull tells.
    let room = task.call(engine.room()).await.ok().flatten();
    if let Some(room) = room.filter(Room::is_used_up) {
        let host = &task.step.host;
        let (free, total) = (room.free >> 20, room.total >> 20);
        return Err(Trouble::Failed(format!(
            "the disk of the engine on {host} is full: {free} of {total} MiB are free; make room \
             there, `docker system df` says what takes it"
        )));
    }
    let pull = || task.call(engine.pull(reference, digest, platform));
    Ok(repeated_effect(pull).await?)
}
