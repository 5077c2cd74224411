//! The simulated engine, leases and proxies, held to what the real ones do.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use gitdeploy::model::{
    Endpoint, HostName, Identity, LiveNetwork, LiveVolume, Owner, ProxyPlace, ProxyState, Replica,
    RoutingTable, StackName,
};
use gitdeploy::ports::{Engine, Leases, Ports, Proxy};
use gitdeploy::proxy::Site;
use gitdeploy::settings::Inventory;
use gitdeploy::sim::{App, Fault, SimImage, World};
use serde_json::json;

use super::commit::name;
use super::scenario::{one_host, world};
use crate::contract::proxy::ProxySubject;
use crate::contract::{Process, Subject, Thing};

struct Simulated {
    world: World,
    engine: Arc<dyn Engine>,
    leases: Arc<dyn Leases>,
    owner: Owner,
    stack: StackName,
}

fn host() -> HostName {
    name("local").into()
}

fn identity(owner: &Owner, stack: &StackName) -> Identity {
    let mut labels = owner.labels(stack);
    let more =
        [("service", "web"), ("slot", "1"), ("spec", "ab"), ("generation", "7"), ("commit", "c0")];
    labels.extend(more.map(|(key, value)| (format!("gitdeploy.{key}"), value.to_owned())));
    Identity::read(&labels).expect("an identity")
}

fn image(process: Process) -> (String, SimImage) {
    let (reference, app) = match process {
        Process::Serves => ("serves:1".to_owned(), App::default()),
        Process::Ends(code) => {
            let app = App { ready_after: None, ends_after: Some((0, code)), ..App::default() };
            (format!("ends-{code}:1"), app)
        }
    };
    let id = format!("sha256:{reference}");
    (reference, SimImage { id, app, ..SimImage::default() })
}

impl Simulated {
    fn new(_case: &str) -> Self {
        let world = world(&one_host());
        Self::of(world)
    }

    fn of(world: World) -> Self {
        let Ports { mut engines, mut leases, .. } = world.run(Fault::None).ports();
        Self {
            world,
            engine: engines.remove(&host()).expect("an engine"),
            leases: leases.remove(&host()).expect("leases"),
            owner: Owner { project: name("acme").into(), environment: name("test").into() },
            stack: name("shop").into(),
        }
    }
}

impl Subject for Simulated {
    fn engine(&self) -> &dyn Engine {
        self.engine.as_ref()
    }

    fn leases(&self) -> &dyn Leases {
        self.leases.as_ref()
    }

    fn owner(&self) -> &Owner {
        &self.owner
    }

    fn stack(&self) -> &StackName {
        &self.stack
    }

    fn name(&self, what: &str) -> String {
        format!("acme-{what}")
    }

    fn replica(&self, what: &str, process: Process) -> Replica {
        let (reference, image) = image(process);
        let id = image.id.clone();
        self.world.with_host(&host(), |host| host.images.insert(reference.clone(), image));
        let identity = identity(&self.owner, &self.stack);
        Replica {
            name: self.name(what),
            host: host(),
            body: json!({
                "Image": reference,
                "Labels": identity.labels(),
                "HostConfig": {"NetworkMode": "none"},
            }),
            identity,
            image: Some(id),
            digest: None,
            files: Vec::new(),
            endpoints: BTreeMap::new(),
        }
    }

    fn foreign(&self, thing: Thing, name: &str) {
        let name = name.to_owned();
        self.world.with_host(&host(), |host| match thing {
            Thing::Container => drop(host.foreign.names.insert(name)),
            Thing::Network => drop(host.networks.insert(name, LiveNetwork::default())),
            Thing::Volume => drop(host.volumes.insert(name, LiveVolume::default())),
        });
    }
}

struct SimulatedProxy {
    engine: Simulated,
    inventory: Inventory,
    place: ProxyPlace,
    proxy: Arc<dyn Proxy>,
}

impl SimulatedProxy {
    fn new(proxy: &str) -> Self {
        let inventory = one_host();
        let place = ProxyPlace { proxy: name(proxy).into(), host: host() };
        let engine = Simulated::of(world(&inventory));
        let port = engine.world.run(Fault::None).ports().proxies.remove(&place);
        Self { proxy: port.expect("a proxy"), engine, inventory, place }
    }

    fn nginx(_case: &str) -> Self {
        Self::new("edge")
    }

    fn haproxy(_case: &str) -> Self {
        Self::new("inner")
    }
}

impl ProxySubject for SimulatedProxy {
    fn proxy(&self) -> &dyn Proxy {
        self.proxy.as_ref()
    }

    async fn render(&self, table: &RoutingTable) -> String {
        let settings = &self.inventory.proxies[self.place.proxy.as_str()];
        let state = ProxyState { version: "1.28.0".into(), ..ProxyState::default() };
        let site = Site::of(settings, &self.place.host, &self.engine.owner, &state, None);
        site.render(table).expect("a file")
    }

    fn edit(&self, text: &str) {
        self.engine.world.with_proxy(&self.place, |proxy| proxy.file = Some(text.to_owned()));
    }

    async fn replicas(&self) -> [(String, Endpoint); 2] {
        let mut all = Vec::new();
        for (what, port) in [("a", 20_001_u16), ("b", 20_002)] {
            let mut replica = self.engine.replica(what, Process::Serves);
            let place = json!([{"HostIp": "127.0.0.1", "HostPort": port.to_string()}]);
            replica.body["HostConfig"]["PortBindings"] = json!({"8080/tcp": place});
            self.engine.engine.create(&replica, &[]).await.expect("made");
            self.engine.engine.start(&replica.name).await.expect("started");
            let address = IpAddr::V4(Ipv4Addr::LOCALHOST);
            all.push((replica.name, Endpoint { address, port }));
        }
        tokio::time::sleep(std::time::Duration::from_secs(2)).await;
        all.try_into().expect("two")
    }
}

mod engine {
    use super::Simulated;
    crate::contract::engine_behaviours!(tokio::test(start_paused = true), Simulated::new);
}

mod leases {
    use super::Simulated;
    crate::contract::lease_behaviours!(tokio::test(start_paused = true), Simulated::new);
}

mod nginx {
    use super::SimulatedProxy;
    crate::contract::proxy_behaviours!(tokio::test(start_paused = true), SimulatedProxy::nginx);
}

mod haproxy {
    use super::SimulatedProxy;
    crate::contract::proxy_behaviours!(tokio::test(start_paused = true), SimulatedProxy::haproxy);
}
