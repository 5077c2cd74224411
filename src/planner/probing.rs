//! Where it is asked whether a new replica is ready, and whether anybody can ask there at all.
//!
//! The question comes from the host itself where the engine is a socket of a machine that we are on
//! or logged in to. An engine that is reached over TCP has no way to ask for us: from elsewhere, only
//! what its host publishes at its own address can be reached, and a plan that waits for anything
//! else could only fail.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Problem;
use super::wanted::{Wanted, fixed_port, published_probe_port};
use super::world::World;
use crate::model::{Endpoint, HostName, Port, Probe, ProxyPlace};
use crate::settings::{Address, Endpoint as Engine};

/// Where a replica's ports are reached, by proxy and by port of the container.
type Servers = BTreeMap<ProxyPlace, BTreeMap<u16, Endpoint>>;

/// Where a replica on `host` is asked; `None` for the container's own address, and when nothing is
/// asked from outside.
///
/// A published port takes every connection before anything in the container listens, so that only
/// an answer over it says something: a mere connection is never asked for there.
pub(super) fn probe_at(
    world: &World<'_>,
    wanted: &Wanted<'_>,
    host: &HostName,
    servers: &Servers,
) -> Result<Option<Endpoint>, Problem> {
    let Some(gate) = &wanted.target.health else { return Ok(None) };
    let port = published_probe_port(&gate.probe);
    let mut published = servers.values().filter_map(|ports| ports.get(port.as_ref()?)).cloned();
    let Some(address) = far(world, host) else { return Ok(published.next()) };
    let found = address.and_then(|address| {
        let at_host = published.find(|it| it.address == address);
        at_host.or_else(|| at_address(wanted, &gate.probe, address))
    });
    found.map(Some).ok_or_else(|| unaskable(wanted, host, port.filter(|_| !servers.is_empty())))
}

/// For a host whose engine is reached over TCP on another machine: its address, when that is known
/// as a number. `None` for any other host.
fn far(world: &World<'_>, host: &HostName) -> Option<Option<IpAddr>> {
    let settings = world.settings(host)?;
    let Engine::Tcp { host: machine, .. } = &settings.endpoint else { return None };
    let is_here = match machine {
        Address::Ip(ip) => ip.is_loopback(),
        Address::Name(name) => name == "localhost",
    };
    let address = match settings.address {
        Address::Ip(ip) => Some(ip),
        Address::Name(_) => None,
    };
    (!is_here).then_some(address)
}

/// Where the commit itself has a replica reached at the address of its host.
fn at_address(wanted: &Wanted<'_>, probe: &Probe, address: IpAddr) -> Option<Endpoint> {
    let container = &wanted.target.container;
    if container.network_mode.as_deref() == Some("host") {
        let port = match probe {
            Probe::Http(http) => http.port,
            Probe::Tcp { port } => *port,
        };
        return Some(Endpoint { address, port });
    }
    let asked = published_probe_port(probe)?;
    let is_open = |port: &&Port| {
        let at = port.host_ip.as_deref().map(str::parse::<IpAddr>);
        let is_there = match at {
            None => true,
            Some(at) => at.is_ok_and(|at| at == address || at.is_unspecified()),
        };
        port.target == asked && port.protocol == "tcp" && is_there
    };
    let port = container.ports.iter().find(is_open).and_then(fixed_port)?;
    Some(Endpoint { address, port })
}

fn unaskable(wanted: &Wanted<'_>, host: &HostName, published: Option<u16>) -> Problem {
    let what = match published {
        Some(port) => format!("`health` is asked over port {port} as only that host reaches it"),
        None => "`health` is asked at the container's own address".to_owned(),
    };
    Problem::invalid(format!(
        "{}: nobody could tell when a replica on {host} is ready: {what}, and the engine of {host} \
         is reached over tcp:// from another machine",
        wanted.path()
    ))
    .hint("use a `healthcheck`, which the engine asks itself")
}
