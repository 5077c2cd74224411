//! One function per effect: look, say so if it is so already, act, look again.
//!
//! Each may be repeated after it was cut off anywhere. None decides what shall be.

mod ahead;
mod container;
mod drain;
mod hook;
mod image;
mod ready;
mod record;
mod switch;

use std::time::Duration;

use crate::model::Op;

use super::context::{Task, time};
use super::repeat::Done;

/// What a wait may take beyond its own time, for the calls around it.
const MARGIN: Duration = Duration::from_secs(60);

/// Carries a step out.
pub(super) async fn perform(task: &Task<'_>) -> Done {
    match &task.step.op {
        Op::Pull { reference, digest, platform } => {
            image::pull(task, reference, digest.as_deref(), platform.as_deref()).await
        }
        Op::CreateNetwork { name, body } => record::create_network(task, name, body).await,
        Op::CreateVolume { name, body } => record::create_volume(task, name, body).await,
        Op::RemoveNetwork { name } => record::remove_network(task, name).await,
        Op::RemoveVolume { name } => record::remove_volume(task, name).await,
        Op::Record { release } => record::record(task, release).await,
        Op::Create { replica } => container::create(task, replica).await,
        Op::Start { container } => container::start(task, container).await,
        Op::Stop { container, id, grace } => {
            container::stop(task, container, id.as_deref(), time(*grace)).await
        }
        Op::Remove { container, id } => container::remove(task, container, id.as_deref()).await,
        Op::RunHook { container, hook, moment } => hook::run(task, container, hook, *moment).await,
        Op::AwaitReady { container, readiness } => {
            ahead::of(task, container, ready::ready(task, container, readiness)).await
        }
        Op::AwaitCompleted { container, within } => {
            ready::completed(task, container, *within).await
        }
        Op::Switch { place, change } => switch::switch(task, place, change).await,
        Op::AwaitDrained { place, servers, within } => {
            drain::drained(task, place, servers, *within).await
        }
        Op::Pause { time: pause } => {
            task.wait(time(*pause)).await?;
            Ok(crate::ports::Applied::Changed)
        }
    }
}

/// The longest that a step may take: its own time where it has one, else what such a thing takes on
/// a slow host. A call that has not answered by then has an unknown end.
pub(super) fn limit(op: &Op) -> Duration {
    match op {
        Op::Pull { .. } => Duration::from_secs(30 * 60),
        Op::Create { .. } | Op::RemoveVolume { .. } => Duration::from_secs(5 * 60),
        Op::RunHook { .. } => Duration::from_secs(10 * 60),
        Op::AwaitReady { readiness, .. } => {
            time(readiness.within) + time(readiness.stable_for) + MARGIN
        }
        Op::AwaitCompleted { within, .. } | Op::AwaitDrained { within, .. } => {
            time(*within) + MARGIN
        }
        Op::Switch { .. } => switch::LIMIT,
        Op::Stop { grace, .. } => time(*grace) + MARGIN,
        Op::Pause { time: pause } => time(*pause) + MARGIN,
        Op::CreateNetwork { .. }
        | Op::CreateVolume { .. }
        | Op::Start { .. }
        | Op::Remove { .. }
        | Op::RemoveNetwork { .. }
        | Op::Record { .. } => Duration::from_secs(2 * 60),
    }
}

#[cfg(test)]
mod tests;
