//! From the inventory to live connections: the only place of the command line that names adapters.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use super::ssh::Machines;
use super::{Failure, Screen, World, stage};
use crate::adapters::docker::{Docker, GivenLogin, Logins, Password, TlsFiles};
use crate::adapters::ssh;
use crate::adapters::{System, proxy};
use crate::files::Files;
use crate::model::{HostName, ProxyName, ProxyPlace};
use crate::ports::{Engine, Leases, Ports, Proxy};
use crate::settings::{Endpoint, Host, Inventory, Location, PasswordSource, Tls};

/// The machines over SSH that are in use.
pub(super) type Sessions = ssh::Fleet;

/// Connects to every host and proxy of the inventory. Nothing is asked yet: a host that is away is
/// found when it is looked at. Whoever connects for several inventories gives them the same `sessions`,
/// so that a machine that they all name has one.
pub(super) fn connect(
    inventory: &Inventory,
    files: &dyn Files,
    world: &World,
    screen: &Screen,
    sessions: &Sessions,
) -> Result<Ports, Failure> {
    if let Some(stage) = stage::current() {
        return Ok(stage.ports(inventory));
    }
    let mut machines = Machines::new(inventory, files, world, screen, sessions);
    let mut engines = BTreeMap::<HostName, Arc<dyn Engine>>::new();
    let mut leases = BTreeMap::<HostName, Arc<dyn Leases>>::new();
    let mut dockers = BTreeMap::new();
    let logins = Arc::new(logins(inventory, world));
    for (name, host) in &inventory.hosts {
        let docker = engine(host, &mut machines, files, world)?;
        let docker = Arc::new(docker.with_logins(Arc::clone(&logins)));
        let name = HostName::from(name.clone());
        engines.insert(name.clone(), Arc::<Docker>::clone(&docker));
        leases.insert(name.clone(), Arc::<Docker>::clone(&docker));
        dockers.insert(name, docker);
    }
    let mut proxies = BTreeMap::<ProxyPlace, Arc<dyn Proxy>>::new();
    for (name, proxy) in &inventory.proxies {
        for host in &proxy.hosts {
            let place = ProxyPlace {
                proxy: ProxyName::from(name.clone()),
                host: HostName::from(host.clone()),
            };
            let Some(docker) = dockers.get(&place.host) else { continue };
            let connected = proxy::connect(proxy, docker).map_err(|error| {
                Failure::because(&format!("could not use proxy {name}"), &error)
            })?;
            proxies.insert(place, connected);
        }
    }
    Ok(Ports { engines, proxies, leases, clock: Arc::new(System) })
}

fn engine(
    host: &Host,
    machines: &mut Machines<'_>,
    files: &dyn Files,
    world: &World,
) -> Result<Docker, Failure> {
    let name = &host.name;
    let failed = |error: &dyn std::error::Error| {
        Failure::because(&format!("could not reach host {name}"), error)
    };
    match &host.endpoint {
        Endpoint::Unix { socket } => Docker::unix(socket).map_err(|error| failed(&error)),
        Endpoint::Tcp { host: address, port, tls } => {
            let tls = tls.as_ref().map(|tls| tls_files(tls, files, world)).transpose();
            let tls =
                tls.map_err(|why| Failure::new(format!("could not reach host {name}: {why}")))?;
            Docker::tcp(&address.to_string(), *port, tls).map_err(|error| failed(&error))
        }
        Endpoint::Ssh { socket, .. } => {
            let machine = machines
                .of(host)
                .map_err(|why| Failure::new(format!("could not reach host {name}: {why}")))?
                .expect("a host with such an endpoint is a machine over SSH");
            let socket = socket.as_deref().unwrap_or(Endpoint::USUAL_SOCKET);
            Docker::ssh(machine, socket).map_err(|error| failed(&error))
        }
    }
}

/// Who we are to registries: what the inventory names, then what `docker login` left here.
fn logins(inventory: &Inventory, world: &World) -> Logins {
    let home = world.home().unwrap_or("/");
    let password = |source: &PasswordSource| match source {
        PasswordSource::File(location) => {
            Password::File(PathBuf::from(location.on_disk(home).unwrap_or_default()))
        }
        PasswordSource::Variable(name) => match world.variable(name) {
            Some(text) => Password::Text(text.to_owned()),
            None => Password::Missing(format!("the variable {name} is not set")),
        },
    };
    let given = inventory.registries.iter().map(|(server, registry)| {
        let user = registry.username.clone();
        (server.clone(), GivenLogin { user, password: password(&registry.password) })
    });
    let folder = match world.variable("DOCKER_CONFIG") {
        Some(folder) => Some(PathBuf::from(folder)),
        None => world.home().map(|home| PathBuf::from(home).join(".docker")),
    };
    Logins::new(given.collect(), folder.map(|folder| folder.join("config.json")))
}

fn tls_files(tls: &Tls, files: &dyn Files, world: &World) -> Result<TlsFiles, String> {
    let read = |location: &Location| -> Result<Vec<u8>, String> {
        match location {
            Location::Repository(path) => match files.read(path) {
                Ok(Some(file)) => Ok(file.content.to_vec()),
                Ok(None) => Err(format!("`{path}` is not in the commit")),
                Err(error) => Err(crate::diag::words(&error)),
            },
            Location::Disk(_) => {
                let home = world.home().unwrap_or("/");
                let path = PathBuf::from(location.on_disk(home).unwrap_or_default());
                std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))
            }
        }
    };
    let client = tls.client.as_ref();
    let client =
        client.map(|(cert, key)| Ok::<_, String>((read(cert)?, read(key)?))).transpose()?;
    Ok(TlsFiles { ca: read(&tls.ca)?, client })
}
