//! Commands that run in a container. They are the user's and may do anything, so one whose answer
//! was lost is not run again: nobody knows whether it has run.

use crate::exec::context::Task;
use crate::exec::masks::Masks;
use crate::exec::repeat::{Done, Trouble, repeated};
use crate::model::{Hook, HookMoment};
use crate::ports::{Applied, PortError};

use super::container::gone;

/// Runs a hook. One before the stop hinders nothing when it fails: its container gets no requests
/// any more and ends anyway, so that is only told.
pub(super) async fn run(task: &Task<'_>, container: &str, hook: &Hook, moment: HookMoment) -> Done {
    let engine = task.engine()?;
    let live = task.look(|| engine.inspect(container)).await?;
    let masks = Masks::of(task, container, live.as_ref().map(|live| &*live.config));
    let is_running = live.is_some_and(|live| live.state.is_running());
    match moment {
        HookMoment::PreStop if !is_running => return Ok(Applied::AlreadyTrue),
        HookMoment::PostStart if !is_running => return Err(gone(container)),
        HookMoment::PreStop | HookMoment::PostStart => {}
    }
    let once = || async {
        match task.change(engine.run_hook(container, hook)).await {
            Err(PortError::Unknown(why)) => Ok(Err(why)),
            other => other.map(Ok),
        }
    };
    let why = match repeated(once).await {
        Ok(Ok(end)) if end.code == 0 => return Ok(Applied::Changed),
        Ok(Ok(end)) => Trouble::Failed(said(end.code, &masks.cover(&end.output))),
        Ok(Err(why)) => Trouble::Unknown(why),
        Err(error) => error.into(),
    };
    match moment {
        HookMoment::PostStart => Err(why),
        HookMoment::PreStop => {
            task.warn(format!("the pre_stop hook in {container} failed: {}", why.words()));
            Ok(Applied::Changed)
        }
    }
}

fn said(code: i64, output: &str) -> String {
    match output.trim() {
        "" => format!("the command ended with {code} and said nothing"),
        output => format!("the command ended with {code}:\n{output}"),
    }
}
