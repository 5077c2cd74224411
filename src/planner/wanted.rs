//! One service as the commit wants it, with all that follows from its stack, its routes and the
//! inventory before any container is looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::id::hex;
use super::world::{Sighting, World};
use super::{Problem, Request};
use crate::model::{
    Backend, BackendKey, BindSource, Condition, FileSource, HostName, Mount, MountKind, Name,
    Order, Port, Probe, ProxyPlace, Rule, ServiceName, ServiceTarget, StackName, StackTarget,
};
use crate::spec;

/// A service of the desired state.
pub(super) struct Wanted<'a> {
    pub(super) stack: &'a StackName,
    pub(super) all: &'a StackTarget,
    pub(super) service: &'a ServiceName,
    pub(super) target: &'a ServiceTarget,
    /// How its replicas are replaced, on the way that this plan leads.
    pub(super) order: Order,
    /// The fingerprint of the variables that its files are made of.
    pub(super) inputs: String,
    /// Whether it runs to its end, and another service waits for that.
    pub(super) is_one_shot: bool,
    /// Where its routes are.
    pub(super) places: BTreeSet<ProxyPlace>,
    /// Ports of its containers that proxies or its probe need on the host.
    pub(super) ports: BTreeSet<u16>,
}

impl<'a> Wanted<'a> {
    pub(super) fn new(
        world: &World<'a>,
        stack: &'a StackName,
        all: &'a StackTarget,
        service: &'a ServiceName,
    ) -> Result<Self, Vec<Problem>> {
        let target = &all.services[service];
        let inputs = inputs(world.request, stack, service, target)?;
        let mut places = BTreeSet::new();
        for route in &target.routes {
            let Some(proxy) = world.proxy(&route.proxy) else {
                let message = format!("{stack}/{service}: there is no proxy `{}`", route.proxy);
                return Err(vec![Problem::invalid(message)]);
            };
            let place = |host: &Name| ProxyPlace {
                proxy: proxy.name.clone().into(),
                host: host.clone().into(),
            };
            places.extend(proxy.hosts.iter().map(place));
        }
        let mut ports: BTreeSet<u16> = target.routes.iter().map(|route| route.port).collect();
        if !ports.is_empty() {
            ports.extend(target.health.as_ref().and_then(|gate| published_probe_port(&gate.probe)));
        }
        let is_one_shot = all.services.values().any(|other| {
            other
                .depends_on
                .get(service)
                .is_some_and(|it| it.condition == Condition::CompletedSuccessfully)
        });
        let order = target.rollout.order(world.request.scope.course);
        Ok(Self { stack, all, service, target, order, inputs, is_one_shot, places, ports })
    }

    /// `shop/web`.
    pub(super) fn path(&self) -> String {
        format!("{}/{}", self.stack, self.service)
    }

    /// The addresses at which the proxies need a replica's ports, on a host.
    pub(super) fn addresses(
        &self,
        world: &World<'_>,
        host: &HostName,
    ) -> Result<BTreeMap<ProxyPlace, IpAddr>, Problem> {
        let at = |place: &ProxyPlace| {
            let address = world.address(place, host).map_err(|why| self.unreachable(&why))?;
            Ok((place.clone(), address))
        };
        self.places.iter().map(at).collect()
    }

    /// The addresses at which the proxies need the ports of a container that is there.
    pub(super) fn addresses_at(
        &self,
        world: &World<'_>,
        it: Sighting<'_>,
    ) -> Result<Vec<IpAddr>, Problem> {
        let at = |place| world.address_at(place, it).map_err(|why| self.unreachable(&why));
        self.places.iter().map(at).collect()
    }

    fn unreachable(&self, why: &str) -> Problem {
        Problem::invalid(format!("{}: {why}", self.path()))
            .hint("set the host's `address:` in the inventory")
    }

    /// The backends that its routes make at a place, without servers.
    pub(super) fn backends(&self, place: &ProxyPlace) -> BTreeMap<BackendKey, Backend> {
        let mut backends: BTreeMap<BackendKey, Backend> = BTreeMap::new();
        let here = |route: &&crate::model::Route| route.proxy == place.proxy.as_str();
        for route in self.target.routes.iter().filter(here) {
            let backend = backends.entry(self.key(route.port)).or_default();
            backend.rules.insert(Rule { host: route.host.clone(), path: route.path.clone() });
            backend.check = self.check_path(route.port);
        }
        backends
    }

    fn key(&self, port: u16) -> BackendKey {
        BackendKey { stack: self.stack.clone(), service: self.service.clone(), port }
    }

    fn check_path(&self, port: u16) -> Option<String> {
        match &self.target.health.as_ref()?.probe {
            Probe::Http(http) if http.port == port => Some(http.path.clone()),
            Probe::Http(_) | Probe::Tcp { .. } => None,
        }
    }

    /// Ports of the host that the commit names itself.
    pub(super) fn fixed_ports(&self) -> BTreeSet<u16> {
        self.target.container.ports.iter().filter_map(fixed_port).collect()
    }

    /// The named volumes that its containers use: name on the engine, key of the stack when it
    /// has one, and whether they may write to it.
    pub(super) fn volumes(&self, world: &World<'_>) -> Vec<UsedVolume> {
        let used = |mount: &Mount| {
            let writes = mount.read_only != Some(true);
            match &mount.kind {
                MountKind::Volume { source } => {
                    let spec = self.all.volumes.get(source);
                    let name = spec.map_or_else(|| source.clone(), |spec| spec.name.clone());
                    Some(UsedVolume { name, key: Some(source.clone()), writes })
                }
                MountKind::Bind { source: BindSource::Stack { path } } => {
                    let name = spec::stack_volume_name(world.request.owner, self.stack, path);
                    Some(UsedVolume { name, key: None, writes })
                }
                MountKind::Bind {
                    source: BindSource::Host { .. } | BindSource::Repository { .. },
                }
                | MountKind::Anonymous
                | MountKind::Tmpfs
                | MountKind::Image { .. }
                | MountKind::Other { .. } => None,
            }
        };
        self.target.container.volumes.iter().filter_map(used).collect()
    }

    /// The networks that its containers are in, by name on the engine.
    pub(super) fn networks(&self) -> BTreeSet<&'a str> {
        let keys = self.target.container.networks.keys();
        keys.filter_map(|key| Some(self.all.networks.get(key)?.name.as_str())).collect()
    }
}

/// A named volume as one service uses it.
pub(super) struct UsedVolume {
    pub(super) name: String,
    pub(super) key: Option<String>,
    pub(super) writes: bool,
}

/// The port of the host, when the commit fixes one.
pub(super) fn fixed_port(port: &Port) -> Option<u16> {
    port.published.as_deref()?.parse().ok().filter(|port| *port != 0)
}

/// The port that a probe is asked on over the host; `None` when the container itself is asked.
pub(super) fn published_probe_port(probe: &Probe) -> Option<u16> {
    match probe {
        Probe::Http(http) => Some(http.port),
        Probe::Tcp { .. } => None,
    }
}

/// The digest of the values that are not in the commit; empty when the service uses none. `Err` has
/// the names that are not among `variables`.
pub fn inputs_digest(
    target: &ServiceTarget,
    variables: &BTreeMap<String, String>,
) -> Result<String, Vec<String>> {
    let files = target.container.configs.iter().chain(&target.container.secrets);
    let names: BTreeSet<&str> = files
        .filter_map(|file| match &file.content {
            FileSource::Environment { name } => Some(name.as_str()),
            FileSource::Repository { .. }
            | FileSource::Host { .. }
            | FileSource::External { .. } => None,
        })
        .collect();
    if names.is_empty() {
        return Ok(String::new());
    }
    let mut hash = Sha256::new();
    let mut missing = Vec::new();
    for name in names {
        match variables.get(name) {
            Some(digest) => hash.update(format!("{name}={digest}\n")),
            None => missing.push(name.to_owned()),
        }
    }
    if missing.is_empty() { Ok(hex(&hash.finalize())[..16].to_owned()) } else { Err(missing) }
}

fn inputs(
    request: &Request<'_>,
    stack: &StackName,
    service: &ServiceName,
    target: &ServiceTarget,
) -> Result<String, Vec<Problem>> {
    let problem = |name: String| {
        let message = format!("{stack}/{service}: the variable {name} is not set");
        Problem::invalid(message).hint(format!(
            "set {name} where gitdeploy runs, and name it under `pass_env` of gitdeploy.yaml"
        ))
    };
    inputs_digest(target, request.variables)
        .map_err(|missing| missing.into_iter().map(problem).collect())
}
