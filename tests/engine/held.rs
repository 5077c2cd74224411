//! A real engine and real proxies, held to what the simulated ones do.

use std::sync::Mutex;

use gitdeploy::model::{Endpoint, Owner, Replica, RoutingTable, StackName};
use gitdeploy::ports::{Engine, Leases, Proxy};
use gitdeploy::settings::ProxyKind;

use crate::contract::proxy::ProxySubject;
use crate::contract::{Process, Subject, Thing};
use crate::docker::world::{Foreign, World, image, run};
use crate::proxies::stage::{self, Place, Stage};

/// Says a word and ends at the signal.
const SERVE: &str = "trap 'exit 0' TERM; echo ready; while true; do sleep 0.1; done";

struct Real {
    // Before what it stands in goes.
    foreign: Mutex<Vec<Foreign>>,
    world: World,
}

impl Real {
    fn new(case: &str) -> Self {
        let case = format!("{:.20}", case.replace('_', "-"));
        Self { foreign: Mutex::default(), world: World::new(case.trim_end_matches('-')) }
    }
}

impl Subject for Real {
    fn engine(&self) -> &dyn Engine {
        &self.world.docker
    }

    fn leases(&self) -> &dyn Leases {
        &self.world.docker
    }

    fn owner(&self) -> &Owner {
        &self.world.owner
    }

    fn stack(&self) -> &StackName {
        &self.world.stack
    }

    fn name(&self, what: &str) -> String {
        self.world.name(what)
    }

    fn replica(&self, what: &str, process: Process) -> Replica {
        match process {
            Process::Serves => self.world.replica(what, SERVE),
            Process::Ends(code) => self.world.replica(what, &format!("exit {code}")),
        }
    }

    fn foreign(&self, thing: Thing, name: &str) {
        let kind = match thing {
            Thing::Container => {
                run(&["run", "-d", "--name", name, "--network", "none", image(), "sleep", "60"]);
                "container"
            }
            Thing::Network => {
                run(&["network", "create", "--internal", name]);
                "network"
            }
            Thing::Volume => {
                run(&["volume", "create", name]);
                "volume"
            }
        };
        let mut all = self.foreign.lock().expect("one thread");
        all.push(Foreign(kind, name.to_owned()));
    }
}

struct RealProxy {
    stage: Stage,
    replicas: [stage::Replica; 2],
}

impl RealProxy {
    fn new(kind: ProxyKind) -> Self {
        let replicas = ["a", "b"].map(stage::Replica::start);
        Self { stage: Stage::start(kind, Place::OnHost), replicas }
    }

    fn nginx(_case: &str) -> Self {
        Self::new(ProxyKind::Nginx)
    }

    fn haproxy(_case: &str) -> Self {
        Self::new(ProxyKind::Haproxy)
    }
}

impl ProxySubject for RealProxy {
    fn proxy(&self) -> &dyn Proxy {
        self.stage.proxy.as_ref()
    }

    async fn render(&self, table: &RoutingTable) -> String {
        self.stage.render(table).await
    }

    fn edit(&self, text: &str) {
        self.stage.edit(text);
    }

    async fn replicas(&self) -> [(String, Endpoint); 2] {
        let address = self.stage.replicas_at().await;
        let [a, b] = &self.replicas;
        [("a", a), ("b", b)]
            .map(|(name, it)| (name.to_owned(), Endpoint { address, port: it.port }))
    }
}

mod engine {
    use super::Real;
    crate::contract::engine_behaviours!(tokio::test, Real::new);
}

mod leases {
    use super::Real;
    crate::contract::lease_behaviours!(tokio::test, Real::new);
}

mod nginx {
    use super::RealProxy;
    crate::contract::proxy_behaviours!(tokio::test(flavor = "multi_thread"), RealProxy::nginx);
}

mod haproxy {
    use super::RealProxy;
    crate::contract::proxy_behaviours!(tokio::test(flavor = "multi_thread"), RealProxy::haproxy);
}
