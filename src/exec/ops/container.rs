//! A container's life: made, started, ended, removed.
//!
//! Before one is ended, every proxy of the run is asked again what its file says. Whoever routes to
//! it now, by whatever plan, is right: the step is superseded and nothing is ended. So it is where a
//! file is gone that this run has written: with its host something older may have come back.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::exec::context::Task;
use crate::exec::masks::Masks;
use crate::exec::repeat::{Done, Trouble, made_so, repeated_effect};
use crate::model::{ContainerState, LiveContainer, Op, ProxyPlace, Replica, Status};
use crate::ports::{Applied, Engine, PortError};
use crate::proxy::{self, Managed};

/// Makes a container with its files. The engine makes one ready that is there and was never
/// started, since its files may be missing.
pub(super) async fn create(task: &Task<'_>, replica: &Replica) -> Done {
    let engine = task.engine()?;
    let files = contents(task, replica)?;
    let masks = Masks::of_replica(task.context.work, replica);
    match task.look(|| engine.inspect(&replica.name)).await? {
        Some(live) if live.identity != replica.identity => {
            let why = format!("another container is called {} now", replica.name);
            return Err(Trouble::Superseded(why));
        }
        Some(live) if live.state.status != Status::Created => return Ok(Applied::AlreadyTrue),
        Some(_) | None => {}
    }
    let made = repeated_effect(|| task.change(engine.create(replica, &files))).await;
    let applied = made.map_err(|error| Trouble::from(error).map(|why| masks.cover(&why)))?;
    match task.look(|| engine.inspect(&replica.name)).await? {
        Some(_) => Ok(applied),
        None => Err(Trouble::Failed("it was made, and is not there".to_owned())),
    }
}

/// Starts a container. One that has been started by this step and has ended already counts as
/// started: what that means is for the step that waits for it.
pub(super) async fn start(task: &Task<'_>, name: &str) -> Done {
    let engine = task.engine()?;
    let live = task.look(|| engine.inspect(name)).await?.ok_or_else(|| gone(name))?;
    let (before, masks) = (live.state, Masks::of(task, name, Some(&*live.config)));
    let is_so = || async {
        let now = state(task, engine, name).await?;
        Ok(now.is_running() || now.started_at != before.started_at)
    };
    let started = made_so(is_so, || async { Ok(task.change(engine.start(name)).await?) }).await;
    started.map_err(|trouble| trouble.map(|why| masks.cover(&why)))
}

async fn state(
    task: &Task<'_>,
    engine: &dyn Engine,
    name: &str,
) -> Result<ContainerState, Trouble> {
    let live = task.look(|| engine.inspect(name)).await?;
    Ok(live.ok_or_else(|| gone(name))?.state)
}

/// Ends a container, and has the proxies forget it that could not before.
pub(super) async fn stop(task: &Task<'_>, name: &str, id: Option<&str>, grace: Duration) -> Done {
    let engine = task.engine()?;
    let has_ended = || async {
        let live = task.look(|| engine.inspect(name)).await?;
        Ok(live.filter(|live| is_meant(live, id)).is_none_or(|live| has_ended(&live.state)))
    };
    let act = || async {
        still_unrouted(task, name).await?;
        Ok(task.change(engine.stop(name, id, grace)).await?)
    };
    let done = made_so(has_ended, act).await?;
    forget(task, name).await;
    Ok(done)
}

/// Removes a container that has ended.
pub(super) async fn remove(task: &Task<'_>, name: &str, id: Option<&str>) -> Done {
    let engine = task.engine()?;
    let is_gone = || async {
        let live = task.look(|| engine.inspect(name)).await?;
        Ok(live.is_none_or(|live| !is_meant(&live, id)))
    };
    let act = || async {
        still_unrouted(task, name).await?;
        Ok(task.change(engine.remove(name, id)).await?)
    };
    made_so(is_gone, act).await
}

/// A container that the plan counts on is not there.
pub(super) fn gone(name: &str) -> Trouble {
    Trouble::Superseded(format!("{name} is not there any more"))
}

fn is_meant(live: &LiveContainer, id: Option<&str>) -> bool {
    id.is_none_or(|id| live.id == id)
}

fn has_ended(state: &ContainerState) -> bool {
    match state.status {
        Status::Created | Status::Exited | Status::Dead => true,
        Status::Running | Status::Paused | Status::Restarting | Status::Removing => false,
    }
}

fn contents(task: &Task<'_>, replica: &Replica) -> Result<Vec<Vec<u8>>, Trouble> {
    let get = |file: &crate::model::PlacedFile| {
        let content = task.context.work.contents.get(&replica.identity.stack, &file.content);
        content.map_err(|why| Trouble::Failed(format!("{}: {why}", file.target)))
    };
    replica.files.iter().map(get).collect()
}

/// Refuses when a proxy sends to the container, or cannot say.
async fn still_unrouted(task: &Task<'_>, name: &str) -> Result<(), Trouble> {
    let work = task.context.work;
    for (place, proxy) in &work.ports.proxies {
        let text = match task.look(|| proxy.read()).await {
            Ok(text) => text,
            Err(_) if is_blind(task, place) => continue,
            Err(error) => {
                let unsure = |why| format!("{} cannot say whether it uses it: {why}", place.proxy);
                return Err(Trouble::from(not_sent(error)).map(unsure));
            }
        };
        let is_routed = match proxy::read(&work.plan.owner, text.as_deref()) {
            Managed::Absent | Managed::Foreign { .. } if task.context.has_followed(place) => {
                let (proxy, host) = (&place.proxy, &place.host);
                let why = format!("the file of {proxy} on {host} is gone; it may send to {name}");
                return Err(Trouble::Superseded(why));
            }
            Managed::Absent | Managed::Foreign { .. } => false,
            Managed::Ours { table, .. } => table.backends_of(name).next().is_some(),
        };
        if is_routed {
            let why = format!("{} on {} sends to {name} again", place.proxy, place.host);
            return Err(Trouble::Superseded(why));
        }
    }
    Ok(())
}

/// A look that was not answered leaves nothing unknown about the step's own effect.
fn not_sent(error: PortError) -> PortError {
    match error {
        PortError::Unknown(why) => PortError::Unreachable(why),
        other => other,
    }
}

/// Whether the plan was made without this proxy, and so leaves all that it may send to.
fn is_blind(task: &Task<'_>, place: &ProxyPlace) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    task.context.work.plan.blind.iter().any(|blind| {
        let mut words = blind.what.split(|c| !is_name(c));
        words.any(|word| word == place.host.as_str())
    })
}

/// What a proxy could not let go of while the container lived, it can now. That it does not is no
/// failure: the server is taken out already, and its next reload forgets it.
async fn forget(task: &Task<'_>, name: &str) {
    for place in task.context.take_cut(name) {
        let Ok(proxy) = task.proxy(&place) else { continue };
        let servers = drained(task, &place, name);
        drop(task.look(|| proxy.forget(&servers)).await);
    }
}

/// The container's servers, as the waits of the plan name them.
fn drained(
    task: &Task<'_>,
    place: &ProxyPlace,
    name: &str,
) -> BTreeMap<crate::model::BackendKey, BTreeMap<String, crate::model::Endpoint>> {
    let mut found: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for step in &task.context.work.plan.steps {
        let Op::AwaitDrained { place: of, servers, .. } = &step.op else { continue };
        for (key, servers) in servers.iter().filter(|_| of == place) {
            if let Some(endpoint) = servers.get(name) {
                found.entry(key.clone()).or_default().insert(name.to_owned(), endpoint.clone());
            }
        }
    }
    found
}
