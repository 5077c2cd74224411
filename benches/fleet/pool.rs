//! A fleet in memory: pools of ten hosts, each brought up by a plan of its own that is carried out
//! on what was seen, so that the state is one that plans lead to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;

use gitdeploy::diag::Sources;
use gitdeploy::files::Memory;
use gitdeploy::model::{
    CommitId, ContainerState, Desired, EngineInfo, Health, HostName, HostState, Image,
    LiveContainer, LiveNetwork, LiveVolume, Name, Observed, Op, Owner, ProxyPlace, ProxyState,
    RESERVED_LABELS, StackName, StackTarget, Status, Step,
};
use gitdeploy::pipeline::Sharing;
use gitdeploy::planner::{Request, Scope, plan};
use gitdeploy::proxy::Site;
use gitdeploy::settings::Inventory;
use serde_json::{Value, json};

use crate::stack::{Release, target, text};

const HOSTS: usize = 10;
const STACKS: usize = 10;

/// Hosts, what is on them, and what the commit wants.
pub(crate) struct Fleet {
    owner: Owner,
    inventory: Inventory,
    pub(crate) observed: Observed,
    sites: BTreeMap<ProxyPlace, Site>,
    desired: Desired,
    commit: CommitId,
    variables: BTreeMap<String, String>,
    pools: usize,
    release: Option<Release>,
}

impl Fleet {
    /// So many pools, with everything deployed.
    pub(crate) fn of(pools: usize) -> Self {
        let mut fleet = Self::empty(0..pools);
        let mut sharing = Sharing::default();
        for pool in 0..pools {
            let mut part = Self::empty(pool..pool + 1);
            part.stacks(pool, Release::Same);
            part.deploy();
            part.observed.hosts.values_mut().flatten().for_each(|state| sharing.host(state));
            fleet.observed.hosts.append(&mut part.observed.hosts);
            fleet.observed.proxies.append(&mut part.observed.proxies);
        }
        fleet
    }

    fn empty(pools: std::ops::Range<usize>) -> Self {
        let owner = Owner { project: name("acme").into(), environment: name("production").into() };
        let inventory = inventory(pools.clone());
        let mut observed = Observed::default();
        let mut sites = BTreeMap::new();
        for host in inventory.hosts.keys() {
            observed.hosts.insert(host.clone().into(), Ok(empty_host()));
        }
        for proxy in inventory.proxies.values() {
            for host in &proxy.hosts {
                let host = HostName::from(host.clone());
                let state = ProxyState {
                    version: "1.28.0".into(),
                    replicas_at: Some(IpAddr::from([127, 0, 0, 1])),
                    ..ProxyState::default()
                };
                let site = Site::of(proxy, &host, &owner, &state, None);
                let place = ProxyPlace { proxy: proxy.name.clone().into(), host };
                sites.insert(place.clone(), site);
                observed.proxies.insert(place, Ok(state));
            }
        }
        let desired = Desired {
            project: owner.project.clone(),
            environment: owner.environment.clone(),
            stacks: BTreeMap::new(),
        };
        Self {
            owner,
            inventory,
            observed,
            sites,
            desired,
            commit: CommitId::new("0".repeat(40)),
            variables: BTreeMap::new(),
            pools: pools.len(),
            release: None,
        }
    }

    /// Makes a commit the wanted one. What it does not change stays as it was, as it does in a
    /// daemon.
    pub(crate) fn want(&mut self, release: Release) {
        for pool in 0..self.pools {
            self.stacks(pool, release);
        }
        self.release = Some(release);
        self.commit = CommitId::new("1".repeat(40));
    }

    fn stacks(&mut self, pool: usize, release: Release) {
        for stack in pool * STACKS..(pool + 1) * STACKS {
            if self.release.is_some_and(|before| before.is_same_for(release, stack)) {
                continue;
            }
            let stack_name = format!("s{stack}");
            let target: StackTarget =
                target(&self.inventory, &stack_name, &text(pool, stack, release));
            self.desired.stacks.insert(StackName::from(name(&stack_name)), Arc::new(target));
        }
    }

    pub(crate) fn request(&self, scope: Scope) -> Request<'_> {
        Request {
            owner: &self.owner,
            desired: &self.desired,
            observed: &self.observed,
            inventory: &self.inventory,
            sites: &self.sites,
            commit: Some(self.commit.clone()),
            commits: BTreeMap::new(),
            scope,
            variables: &self.variables,
        }
    }

    pub(crate) fn hosts(&self) -> usize {
        self.observed.hosts.len()
    }

    pub(crate) fn containers(&self) -> usize {
        self.observed.hosts.values().flatten().map(|state| state.containers.len()).sum()
    }

    fn deploy(&mut self) {
        let plan = plan(&self.request(Scope::default()));
        let plan = plan.unwrap_or_else(|problems| panic!("{:?}", problems.first()));
        for step in &plan.steps {
            self.carry_out(step);
        }
    }

    /// What a step leaves behind.
    fn carry_out(&mut self, step: &Step) {
        if let Op::Switch { place, change } = &step.op {
            let state = self.observed.proxies.get_mut(place).expect("known").as_mut().expect("up");
            let table = state.table.clone().unwrap_or_default();
            let table = table.changed(change, 7).expect("as planned");
            state.file = Some(self.sites[place].render(&table).expect("a file"));
            state.serving = Some(table.generation);
            state.table = Some(table);
            return;
        }
        let state = self.observed.hosts.get_mut(&step.host).expect("known").as_mut().expect("up");
        match &step.op {
            Op::CreateNetwork { name, .. } => {
                let network = LiveNetwork {
                    id: format!("{:064x}", step.id.0),
                    stack: Some(step.stack.clone()),
                    driver: "bridge".into(),
                    ..LiveNetwork::default()
                };
                state.networks.insert(name.clone(), network);
            }
            Op::CreateVolume { name, .. } => {
                let volume = LiveVolume {
                    stack: Some(step.stack.clone()),
                    driver: "local".into(),
                    ..LiveVolume::default()
                };
                state.volumes.insert(name.clone(), volume);
            }
            Op::Create { replica } => {
                let live = LiveContainer {
                    id: format!("{:064x}", step.id.0),
                    name: replica.name.clone(),
                    identity: replica.identity.clone(),
                    state: running(),
                    image: replica.image.as_deref().expect("it is there").into(),
                    config: config(&replica.body).into(),
                    addresses: BTreeMap::from([("x".into(), IpAddr::from([172, 18, 0, 2]))]).into(),
                };
                state.containers.insert(live.name.clone(), live);
            }
            Op::Record { release } => {
                state.releases.insert(step.stack.clone(), release.clone());
            }
            _ => {}
        }
    }
}

/// A request as an inspection shows it.
fn config(body: &Value) -> Value {
    let mut config = body.clone();
    if let Some(labels) = config["Labels"].as_object_mut() {
        labels.retain(|key, _| !RESERVED_LABELS.contains(&key.as_str()));
    }
    config
}

fn running() -> ContainerState {
    ContainerState {
        status: Status::Running,
        started_at: 1_700_000_000_000,
        exit_code: 0,
        restarts: 0,
        health: Some(Health::Healthy),
    }
}

fn empty_host() -> HostState {
    let engine = EngineInfo {
        version: "28.1.0".into(),
        cpus: 32,
        memory: 128 << 30,
        platform: "linux/amd64".into(),
        ..EngineInfo::default()
    };
    let mut state = HostState { engine, ..HostState::default() };
    let references =
        ["shop/web:1", "shop/api:1", "shop/worker:1", "cache:7", "shop/mail:3", "shop/jobs:3"];
    for (index, reference) in references.into_iter().enumerate() {
        let id = format!("sha256:{index:064x}");
        let image = Image {
            id: Some(id.clone()),
            digests: [format!("sha256:{:064x}", index + 100)].into(),
            config: json!({"Cmd": ["run"], "Env": ["PATH=/usr/bin:/bin"], "WorkingDir": "/srv"})
                .into(),
            ..Image::default()
        };
        state.images.insert(format!("registry.example.com/{reference}"), Ok(image.clone()));
        state.images.insert(id, Ok(image));
    }
    state
}

/// Ten hosts a pool, and a proxy on the first of them.
fn inventory(pools: std::ops::Range<usize>) -> Inventory {
    let (mut hosts, mut proxies) = (String::new(), String::new());
    for pool in pools {
        for host in 0..HOSTS {
            let address = format!("10.{}.{}.{}", pool / 200, pool % 200, host + 1);
            writeln!(
                hosts,
                "  p{pool}-h{host}: {{docker: 'ssh://deploy@{address}', labels: {{pool: p{pool}}}}}"
            )
            .expect("memory");
        }
        writeln!(
            proxies,
            "  edge-{pool}: {{kind: nginx, hosts: [p{pool}-h0], runs: host, \
             config: /etc/nginx/conf.d/gitdeploy.conf, listen: [80]}}"
        )
        .expect("memory");
    }
    let text = format!("hosts:\n{hosts}proxies:\n{proxies}");
    let files = Memory::new().with("inventory.yaml", &text);
    let mut problems = Vec::new();
    let inventory = Inventory::load(&files, &Sources::default(), None, &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    inventory
}

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}
