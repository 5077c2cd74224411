//! Requests in a simulated rollout: sent through every proxy to every backend, each held to its end.
//!
//! A proxy gives a request to the next server of its running table and, when nobody listens there,
//! to another one, as nginx and HAProxy do. It fails when none answers, or when the process that
//! has taken it ends before the answer.

use std::cell::Cell;
use std::time::Duration;

use crate::model::{Endpoint, HostName, Millis, ProxyPlace, Status};
use crate::sim::{SimContainer, World};
use crate::ui::simulate::Requests;

/// Between two requests to a backend: 100 a second.
const BETWEEN: Duration = Duration::from_millis(10);

/// Servers that a proxy tries for one request.
const TRIES: usize = 3;

/// How long a usual request takes, in milliseconds; one in ten takes as long as the longest.
const USUAL: Millis = 20;
const LONG_ONE_IN: u64 = 10;

/// After so many a rollout only waits for something, and more of the same says nothing.
const REQUESTS_MAX: u64 = 100_000;

/// A request that was taken and is not answered yet.
struct Running {
    until: Millis,
    host: HostName,
    container: String,
    id: String,
}

/// Sends requests until it is dropped, and counts them.
pub(super) async fn send(
    world: &World,
    hosts: &[HostName],
    proxies: &[ProxyPlace],
    longest: Millis,
    count: &Cell<Requests>,
) {
    let mut running = Vec::<Running>::new();
    loop {
        let now = world.now();
        let mut counted = count.get();
        running.retain(|request| {
            let is_cut = !is_alive(world, request);
            counted.failed += u64::from(is_cut);
            !is_cut && request.until > now
        });
        for place in proxies {
            let backends = world.with_proxy(place, |proxy| proxy.running.backends.clone());
            for servers in backends.into_values().filter(|servers| !servers.is_empty()) {
                let number = counted.sent;
                counted.sent += 1;
                let servers: Vec<Endpoint> = servers.into_iter().collect();
                let takes =
                    if number.is_multiple_of(LONG_ONE_IN) { longest } else { USUAL.min(longest) };
                match taken(world, hosts, place, &servers, number, now) {
                    Some((host, container, id)) => {
                        running.push(Running { until: now + takes, host, container, id });
                    }
                    None => counted.failed += 1,
                }
            }
        }
        count.set(counted);
        if counted.sent >= REQUESTS_MAX {
            return std::future::pending().await;
        }
        tokio::time::sleep(BETWEEN).await;
    }
}

/// Whether the process that has taken a request is still there.
fn is_alive(world: &World, request: &Running) -> bool {
    let now = world.now();
    world.with_host(&request.host, |host| {
        let container = host.containers.get(&request.container);
        container.is_some_and(|it| it.id == request.id && it.status_at(now) == Status::Running)
    })
}

/// Who takes a request.
fn taken(
    world: &World,
    hosts: &[HostName],
    place: &ProxyPlace,
    servers: &[Endpoint],
    number: u64,
    now: Millis,
) -> Option<(HostName, String, String)> {
    let first = usize::try_from(number).unwrap_or(0) % servers.len();
    let order = servers.iter().cycle().skip(first).take(servers.len().min(TRIES));
    let mut order = order.map(|server| answering(world, hosts, place, server, now));
    order.find_map(|found| found)
}

fn answering(
    world: &World,
    hosts: &[HostName],
    place: &ProxyPlace,
    server: &Endpoint,
    now: Millis,
) -> Option<(HostName, String, String)> {
    // An address of the proxy's own machine means a container there.
    let is_own = |host: &&HostName| !server.address.is_loopback() || **host == place.host;
    hosts.iter().filter(is_own).find_map(|host| {
        let answers = |it: &SimContainer| {
            it.is_ready(now) && (it.publishes(server) || it.address == server.address)
        };
        world.with_host(host, |state| {
            let mut all = state.containers.iter();
            let (name, found) = all.find(|(_, it)| answers(it))?;
            Some((host.clone(), name.clone(), found.id.clone()))
        })
    })
}
