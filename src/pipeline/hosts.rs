//! One look at every host and proxy, to tell people whether they could be deployed to; and at the
//! leases that hosts keep.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::{join, join_all};
use tokio::time::{Instant, timeout};

use super::observe::{HOST_TIME, PROXY_TIME, read_file, within};
use crate::model::{
    Fault, HostInspection, HostName, Inspection, Owner, ProxyInspection, ProxyState,
};
use crate::ports::{Lease, Ports, Proxy, Wanted};

/// How long a proxy's own test of its configuration may take.
const TEST_TIME: Duration = Duration::from_secs(30);

/// Looks at all hosts and proxies at once. Nothing is changed.
pub async fn inspect(ports: &Ports, owner: &Owner) -> Inspection {
    let nothing = Wanted::default();
    let hosts = ports.engines.iter().map(|(host, engine)| {
        let nothing = &nothing;
        async move {
            let since = Instant::now();
            let begun = ports.clock.now();
            let seen = within(HOST_TIME, engine.survey(owner, nothing)).await;
            let took = since.elapsed();
            let room = within(HOST_TIME, engine.room()).await.ok().flatten();
            let half = u64::try_from(took.as_millis() / 2).unwrap_or_default();
            HostInspection { host: host.clone(), seen, room, took, at: begun + half }
        }
    });
    let proxies = ports.proxies.iter().map(|(place, proxy)| async move {
        let seen = within(PROXY_TIME, proxy.observe()).await;
        let seen = seen.map(|state| read_file(owner, state));
        let test = match &seen {
            Ok(state) => test(&**proxy, state).await,
            Err(_) => None,
        };
        ProxyInspection { place: place.clone(), seen, test }
    });
    let at = ports.clock.now();
    let (hosts, proxies) = join(join_all(hosts), join_all(proxies)).await;
    Inspection { at, hosts, proxies }
}

/// The leases that each host keeps. One that is silent hides none of the others'.
pub async fn leases(ports: &Ports, owner: &Owner) -> BTreeMap<HostName, Result<Vec<Lease>, Fault>> {
    let lists = ports.leases.iter().map(|(host, leases)| async move {
        (host.clone(), within(HOST_TIME, leases.list(owner)).await)
    });
    join_all(lists).await.into_iter().collect()
}

/// Has the proxy look at its configuration as it is; a file that is not ours is not asked about.
async fn test(proxy: &dyn Proxy, state: &ProxyState) -> Option<Result<(), Fault>> {
    let is_foreign = state.file.is_some() && state.table.is_none();
    if is_foreign {
        return None;
    }
    let candidate = state.file.clone().unwrap_or_default();
    Some(match timeout(TEST_TIME, proxy.test(&candidate)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(error.fault()),
        Err(_) => Err(Fault::silent(format!("no answer within {} s", TEST_TIME.as_secs()))),
    })
}
