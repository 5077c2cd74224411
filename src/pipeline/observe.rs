//! One look at all hosts and proxies, at the same time.
//!
//! Whoever does not answer costs its own deadline once and keeps nobody waiting. Not answering is a
//! value in what was seen, never an absence.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::timeout;

use crate::model::{Desired, Fault, HostState, MountKind, Observed, Owner, ProxyPlace, ProxyState};
use crate::ports::{PortError, Ports, Wanted};
use crate::proxy::{self, Managed};

/// How long one host may take to tell everything. A survey of 300 containers takes under a second.
pub(super) const HOST_TIME: Duration = Duration::from_secs(30);

/// How long one proxy may take.
pub(super) const PROXY_TIME: Duration = Duration::from_secs(20);

/// Looks at every host and every proxy that `ports` has.
pub async fn observe(ports: &Ports, owner: &Owner, wanted: &Wanted) -> Observed {
    let hosts = ports.engines.iter().map(|(host, engine)| async move {
        let seen: Result<HostState, Fault> = within(HOST_TIME, engine.survey(owner, wanted)).await;
        (host.clone(), seen)
    });
    let proxies = ports.proxies.iter().map(|(place, proxy)| async move {
        let seen: Result<ProxyState, Fault> = within(PROXY_TIME, proxy.observe()).await;
        (place.clone(), seen.map(|state| read_file(owner, state)))
    });
    let at = ports.clock.now();
    let (hosts, proxies) = futures_util::future::join(join_all(hosts), join_all(proxies)).await;
    Observed {
        at,
        hosts: hosts.into_iter().collect(),
        proxies: proxies.into_iter().collect::<BTreeMap<ProxyPlace, _>>(),
    }
}

/// Adds what the managed file means to this owner. Whose file it is, an adapter cannot know.
pub(super) fn read_file(owner: &Owner, mut state: ProxyState) -> ProxyState {
    state.table = match proxy::read(owner, state.file.as_deref()) {
        Managed::Ours { table, .. } => Some(table),
        Managed::Absent => None,
        Managed::Foreign { why } => {
            state.obstacles.push(format!("its file is not ours to write: {why}"));
            None
        }
    };
    state
}

/// What a survey must look at for this desired state, beside what is ours.
pub fn wanted(desired: &Desired) -> Wanted {
    let mut wanted = Wanted::default();
    for stack in desired.stacks.values() {
        for service in stack.services.values() {
            let container = &service.container;
            // Compose's words for "look again although it is there".
            let asks = service.pull_policy.as_deref().is_some_and(|policy| {
                policy == "always"
                    || policy == "daily"
                    || policy == "weekly"
                    || policy.starts_with("every")
            });
            wanted.images.insert((container.image.clone(), container.platform.clone(), asks));
            let hooks = service.pre_start.iter().filter_map(|hook| hook.image.clone());
            wanted.images.extend(hooks.map(|image| (image, None, false)));
            for mount in &container.volumes {
                if let MountKind::Image { source } = &mount.kind {
                    wanted.images.insert((source.clone(), None, false));
                }
            }
        }
        // Also those that are to be made: somebody else's of that name must be seen.
        wanted.networks.extend(stack.networks.values().map(|network| network.name.clone()));
        wanted.volumes.extend(stack.volumes.values().map(|volume| volume.name.clone()));
    }
    wanted
}

/// The answer, or that there was none in time.
pub(super) async fn within<T>(
    time: Duration,
    call: impl Future<Output = Result<T, PortError>>,
) -> Result<T, Fault> {
    match timeout(time, call).await {
        Ok(Ok(seen)) => Ok(seen),
        Ok(Err(error)) => Err(Fault { message: error.to_string() }),
        Err(_) => Err(Fault { message: format!("no answer within {} s", time.as_secs()) }),
    }
}
