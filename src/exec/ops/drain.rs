//! Waiting until a proxy has let go of servers.
//!
//! When nothing is left in flight, the proxy forgets them here: a server without connections can be
//! taken out, and none can come any more. At the limit it does not: the application must be asked to
//! end first, so that it closes what is long-lived in its own words, and a proxy that keeps a list
//! of servers refuses to delete one that has connections. So forgetting comes after the stop then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::Instant;

use crate::exec::context::{Task, time};
use crate::exec::repeat::{Done, Trouble};
use crate::model::{BackendKey, Endpoint, Nanos, ProxyPlace};
use crate::ports::{Applied, Draining};

/// Between the first two looks; each pause after is twice as long. Requests end within milliseconds,
/// and what is left then may take minutes.
const FIRST: Duration = Duration::from_millis(10);

/// Between two looks at what takes its time.
const INTERVAL: Duration = Duration::from_millis(200);

/// Waits, at most `within`, and goes on either way.
pub(super) async fn drained(
    task: &Task<'_>,
    place: &ProxyPlace,
    servers: &BTreeMap<BackendKey, BTreeMap<String, Endpoint>>,
    within: Nanos,
) -> Done {
    let proxy = task.proxy(place)?;
    let goes_on =
        |key: &&BackendKey| task.context.left(place, key).is_some_and(|left| !left.is_switched);
    if let Some(key) = servers.keys().find(goes_on) {
        // It was not switched away from them.
        return Err(Trouble::Failed(format!("it goes on as it is, and may send {key} to them")));
    }
    let limit = Instant::now() + time(within);
    let mut told = None;
    let mut pause = FIRST;
    let mut done = Applied::AlreadyTrue;
    loop {
        let left = task.look(|| proxy.draining(servers)).await?;
        if left.is_over() {
            // That it does not is no failure: nothing is sent there any more.
            drop(task.look(|| proxy.forget(servers)).await);
            return Ok(done);
        }
        done = Applied::Changed;
        if Instant::now() >= limit {
            task.warn(cut(&left, place, servers, within));
            task.context.cut(place, servers.values().flat_map(|it| it.keys().cloned()));
            return Ok(done);
        }
        if told.as_ref() != Some(&left) {
            task.progress(in_flight(&left));
            told = Some(left);
        }
        let rest = limit.saturating_duration_since(Instant::now());
        task.wait(pause.min(rest)).await?;
        pause = (pause * 2).min(INTERVAL);
    }
}

fn in_flight(left: &Draining) -> String {
    match (left.in_flight, left.old_processes) {
        (0, 1) => "1 old process of the proxy is left".to_owned(),
        (0, old) => format!("{old} old processes of the proxy are left"),
        (flying, _) => format!("{flying} in flight"),
    }
}

fn cut(
    left: &Draining,
    place: &ProxyPlace,
    servers: &BTreeMap<BackendKey, BTreeMap<String, Endpoint>>,
    within: Nanos,
) -> String {
    let names: BTreeSet<&str> =
        servers.values().flat_map(|it| it.keys().map(String::as_str)).collect();
    let names = names.into_iter().collect::<Vec<_>>().join(", ");
    match left.in_flight {
        0 => format!("old processes of {} still had {names} after {within}", place.proxy),
        1 => format!("1 connection to {names} was cut after {within}"),
        many => format!("{many} connections to {names} were cut after {within}"),
    }
}
