//! One look at all hosts and proxies, at the same time.
//!
//! Whoever does not answer costs its own deadline once and keeps nobody waiting: only so many are
//! asked at once, but who is slow is not counted among them for long. Not answering is a value in
//! what was seen, never an absence.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::Sharing;

use crate::model::{
    Desired, Fault, HostName, HostState, Millis, MountKind, Observed, Owner, ProxyPlace, ProxyState,
};
use crate::ports::{PortError, Ports, Wanted};
use crate::proxy::{self, Managed};

/// How long one host may take to tell everything. A survey of 300 containers takes under a second.
pub(super) const HOST_TIME: Duration = Duration::from_secs(30);

/// How long one proxy may take.
pub(super) const PROXY_TIME: Duration = Duration::from_secs(20);

/// How many are asked at once: each is a connection of its own, and logins cost both sides.
const AT_ONCE: usize = 64;

/// How long one that is asked keeps others from being asked. Most answer in a few round trips.
const PATIENCE: Duration = Duration::from_secs(1);

/// Looks at every host and every proxy that `ports` has.
pub async fn observe(ports: &Ports, owner: &Owner, wanted: &Wanted) -> Observed {
    observe_but(ports, owner, wanted, &BTreeMap::new()).await
}

/// The same but for hosts that are known not to answer: what came instead is what is seen of them
/// and of the proxies on them.
pub async fn observe_but(
    ports: &Ports,
    owner: &Owner,
    wanted: &Wanted,
    absent: &BTreeMap<HostName, Fault>,
) -> Observed {
    let turns = &Semaphore::new(AT_ONCE);
    let hosts = ports.engines.iter().map(|(host, engine)| async move {
        if let Some(fault) = absent.get(host) {
            return (host.clone(), Err(fault.clone()), 0);
        }
        let survey = timed(within(HOST_TIME, engine.survey(owner, wanted)));
        let (seen, took): (Result<HostState, Fault>, Millis) = in_turn(turns, survey).await;
        (host.clone(), seen, took)
    });
    let proxies = ports.proxies.iter().map(|(place, proxy)| async move {
        if let Some(fault) = absent.get(&place.host) {
            return (place.clone(), Err(fault.clone()));
        }
        let look = within(PROXY_TIME, proxy.observe());
        let seen: Result<ProxyState, Fault> = in_turn(turns, look).await;
        (place.clone(), seen.map(|state| read_file(owner, state)))
    });
    let at = ports.clock.now();
    let hosts = shared(hosts.collect());
    let ((hosts, took), proxies) = futures_util::future::join(hosts, join_all(proxies)).await;
    Observed { at, hosts, proxies: proxies.into_iter().collect::<BTreeMap<ProxyPlace, _>>(), took }
}

/// What hosts say, as it comes; what is equal is kept once, before more comes.
async fn shared(
    mut looks: FuturesUnordered<impl Future<Output = (HostName, Result<HostState, Fault>, Millis)>>,
) -> (BTreeMap<HostName, Result<HostState, Fault>>, BTreeMap<HostName, Millis>) {
    let (mut hosts, mut times) = (BTreeMap::new(), BTreeMap::new());
    let mut sharing = Sharing::default();
    while let Some((host, mut seen, took)) = looks.next().await {
        if let Ok(state) = &mut seen {
            sharing.host(state);
            times.insert(host.clone(), took);
        }
        hosts.insert(host, seen);
    }
    (hosts, times)
}

/// How long something took, in milliseconds, from the moment at which it is its turn.
async fn timed<T>(call: impl Future<Output = T>) -> (T, Millis) {
    let began = Instant::now();
    let done = call.await;
    (done, Millis::try_from(began.elapsed().as_millis()).unwrap_or(Millis::MAX))
}

/// Begins a look when it is its turn. One that takes long goes on, and lets the next one begin.
async fn in_turn<T>(turns: &Semaphore, look: impl Future<Output = T>) -> T {
    let turn = turns.acquire().await;
    let mut look = pin!(look);
    match timeout(PATIENCE, look.as_mut()).await {
        Ok(seen) => seen,
        Err(_) => {
            drop(turn);
            look.await
        }
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
            wanted.images.insert((container.image.clone(), container.platform.clone()));
            let hooks = service.pre_start.iter().filter_map(|hook| hook.image.clone());
            wanted.images.extend(hooks.map(|image| (image, None)));
            for mount in &container.volumes {
                if let MountKind::Image { source } = &mount.kind {
                    wanted.images.insert((source.clone(), None));
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
        Ok(Err(error)) => Err(error.fault()),
        Err(_) => Err(Fault::silent(format!("no answer within {} s", time.as_secs()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Name;
    use crate::sim::{Fault as Mishap, World};

    #[tokio::test(start_paused = true)]
    async fn each_host_is_told_how_long_it_took_itself() {
        let name = |text: &str| HostName::from(Name::parse(text).expect("a name"));
        let world = World::default();
        for host in ["near", "far", "away"] {
            world.host(&name(host));
        }
        // They are asked in the order of their names.
        let slow = vec![Mishap::Delay(0, 3_600_000), Mishap::Delay(1, 900), Mishap::Delay(2, 40)];
        let owner = Owner {
            project: Name::parse("a").expect("a name").into(),
            environment: Name::parse("b").expect("a name").into(),
        };
        let ports = world.run_with(slow).ports();
        let observed = observe(&ports, &owner, &Wanted::default()).await;
        let told: Vec<_> = observed.took.iter().map(|(host, took)| (host.as_str(), took)).collect();
        let [("far", far), ("near", near)] = told[..] else { panic!("{told:?}") };
        assert!((900..1000).contains(far) && (40..140).contains(near), "{told:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn hosts_that_are_silent_cost_their_time_once_and_keep_nobody_waiting() {
        let name = |text: String| Name::parse(&text).expect("a name");
        let world = World::default();
        for number in 0..2 * AT_ONCE {
            world.host(&name(format!("h{number}")).into());
        }
        // The first that are asked take an hour.
        let silent = (0..AT_ONCE).map(|call| Mishap::Delay(call, 3_600_000)).collect();
        let owner =
            Owner { project: name("a".into()).into(), environment: name("b".into()).into() };
        let began = tokio::time::Instant::now();
        let ports = world.run_with(silent).ports();
        let observed = observe(&ports, &owner, &Wanted::default()).await;
        let (answered, lost): (Vec<_>, Vec<_>) =
            observed.hosts.into_values().partition(Result::is_ok);
        assert_eq!((answered.len(), lost.len()), (AT_ONCE, AT_ONCE));
        let Some(Err(fault)) = lost.into_iter().next() else { panic!("a fault") };
        assert_eq!(fault.message, "no answer within 30 s");
        assert!(began.elapsed() < HOST_TIME + PATIENCE, "{:?}", began.elapsed());
    }
}
