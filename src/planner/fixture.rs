//! A fleet for tests: Compose text in, plans out, and an interpreter that carries plans out on
//! what was seen, so that every state in a test is one that a plan has led to.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use serde_json::json;

use super::judged::Look;
use super::{Problem, Request, Scope, check, plan, plan_by};
use crate::compose::{self, Options};
use crate::diag::Sources;
use crate::files::Memory;
use crate::model::{
    CommitId, ContainerState, Desired, EngineInfo, Fault, Health, HostName, HostState, Image,
    LiveContainer, LiveNetwork, LiveVolume, Name, Observed, Op, Owner, Plan, ProxyPlace,
    ProxyState, Replica, RouteChange, ServiceName, StackName, StackTarget, Status, Step, Swarm,
};
use crate::proxy::Site;
use crate::resolve::{Surroundings, resolve};
use crate::settings::{Inventory, Settings};

/// One host and nginx in front of it.
pub(super) const ONE: &str = "\
hosts: {local: {docker: 'unix:///run/docker.sock', address: 10.0.0.1}}
proxies: {edge: {kind: nginx, hosts: [local], runs: host, config: /etc/nginx/conf.d/gitdeploy.conf, listen: [80]}}
";

/// Two hosts; the proxy is on the first.
pub(super) const TWO: &str = "\
hosts:
  a: {docker: 'ssh://10.0.0.1', labels: {zone: x}}
  b: {docker: 'ssh://10.0.0.2', labels: {zone: y}}
proxies: {edge: {kind: nginx, hosts: [a], runs: host, config: /etc/nginx/conf.d/gitdeploy.conf, listen: [80]}}
";

/// Two hosts with a proxy on each.
pub(super) const TWO_PROXIES: &str = "\
hosts:
  a: {docker: 'ssh://10.0.0.1'}
  b: {docker: 'ssh://10.0.0.2'}
proxies: {edge: {kind: nginx, hosts: [a, b], runs: host, config: /etc/nginx/conf.d/gitdeploy.conf, listen: [80]}}
";

#[derive(Clone)]
pub(super) struct Fleet {
    pub(super) inventory: Inventory,
    inventory_text: String,
    pub(super) observed: Observed,
    pub(super) sites: BTreeMap<ProxyPlace, Site>,
    pub(super) stacks: BTreeMap<StackName, Arc<StackTarget>>,
    pub(super) scope: Scope,
    pub(super) variables: BTreeMap<String, String>,
    commits: u32,
    ids: u32,
}

pub(super) fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

pub(super) fn owner() -> Owner {
    Owner { project: name("acme").into(), environment: name("production").into() }
}

impl Fleet {
    pub(super) fn one() -> Self {
        Self::new(ONE)
    }

    pub(super) fn new(inventory_text: &str) -> Self {
        let files = Memory::new().with("inventory.yaml", inventory_text);
        let mut problems = Vec::new();
        let inventory = Inventory::load(&files, &Sources::default(), None, &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        let mut observed = Observed::default();
        let mut sites = BTreeMap::new();
        for host in inventory.hosts.keys() {
            let engine = EngineInfo {
                version: "20.10.24".into(),
                cpus: 4,
                memory: 8 << 30,
                platform: "linux/amd64".into(),
                ..EngineInfo::default()
            };
            let state = HostState { engine, ..HostState::default() };
            observed.hosts.insert(host.clone().into(), Ok(state));
        }
        for proxy in inventory.proxies.values() {
            for host in &proxy.hosts {
                let host = HostName::from(host.clone());
                let state = ProxyState {
                    version: "1.22.1".into(),
                    replicas_at: Some(IpAddr::from([127, 0, 0, 1])),
                    ..ProxyState::default()
                };
                let site = Site::of(proxy, &host, &owner(), &state, None);
                let place = ProxyPlace { proxy: proxy.name.clone().into(), host };
                sites.insert(place.clone(), site);
                observed.proxies.insert(place, Ok(state));
            }
        }
        Self {
            inventory,
            inventory_text: inventory_text.to_owned(),
            observed,
            sites,
            stacks: BTreeMap::new(),
            scope: Scope::default(),
            variables: BTreeMap::new(),
            commits: 0,
            ids: 0,
        }
    }

    /// The next commit, in which the stack is this.
    pub(super) fn want(&mut self, stack: &str, text: &str) {
        let target = self.resolve(stack, text);
        for service in target.services.values() {
            let hooks = service.pre_start.iter().filter_map(|hook| hook.image.clone());
            for reference in hooks.chain([service.container.image.clone()]) {
                for state in self.observed.hosts.values_mut().flatten() {
                    state.images.entry(reference.clone()).or_insert_with(|| Ok(image(&reference)));
                    state
                        .images
                        .entry(format!("sha256:{reference}"))
                        .or_insert_with(|| Ok(image(&reference)));
                }
            }
        }
        self.stacks.insert(name(stack).into(), Arc::new(target));
        self.commits += 1;
    }

    fn resolve(&self, stack: &str, text: &str) -> StackTarget {
        let path = format!("stacks/{stack}/compose.yaml");
        let files = Memory::new().with("inventory.yaml", &self.inventory_text).with(&path, text);
        let sources = Sources::default();
        let mut problems = Vec::new();
        let settings = Settings::load(&files, &sources, &mut problems);
        let project = compose::load(&compose::Request {
            files: &files,
            sources: &sources,
            compose_files: std::slice::from_ref(&path),
            project_dir: &format!("stacks/{stack}"),
            name: compose::ProjectName::Fallback(stack),
            variables: &BTreeMap::new(),
            home: None,
            profiles: &[],
            services: &[],
            options: Options::default(),
        });
        let project = project.unwrap_or_else(|problems| panic!("{problems:?}"));
        let inventory = &self.inventory;
        let surroundings =
            Surroundings { files: &files, sources: &sources, settings: &settings, inventory };
        let (target, problems) = resolve(&project, &surroundings);
        assert!(!problems.iter().any(crate::diag::Diagnostic::is_error), "{problems:?}");
        target
    }

    /// The next commit, in which the stack is not there.
    pub(super) fn drop_stack(&mut self, stack: &str) {
        self.stacks.remove(stack);
        self.commits += 1;
    }

    pub(super) fn host(&mut self, host: &str) -> &mut HostState {
        let state = self.observed.hosts.get_mut(host).expect("a host");
        state.as_mut().expect("a host that answers")
    }

    /// Makes these hosts nodes of one swarm; the first of them manages it.
    pub(super) fn join(&mut self, swarm: &str, hosts: &[&str]) {
        for (index, host) in hosts.iter().enumerate() {
            self.host(host).engine.swarm = Some(Swarm {
                node: format!("{swarm}-{host}"),
                is_manager: index == 0,
                managers: [format!("{swarm}-{}", hosts[0])].into(),
            });
        }
    }

    pub(super) fn proxy(&mut self, host: &str) -> &mut ProxyState {
        let mut states = self.observed.proxies.iter_mut();
        let state = states.find(|(place, _)| place.host.as_str() == host).expect("a proxy").1;
        state.as_mut().expect("a proxy that answers")
    }

    pub(super) fn silence(&mut self, host: &str) {
        let fault = Fault::silent("connection refused");
        *self.observed.hosts.get_mut(host).expect("a host") = Err(fault.clone());
        for (place, state) in &mut self.observed.proxies {
            if place.host.as_str() == host {
                *state = Err(fault.clone());
            }
        }
    }

    /// The container of a replica that is there.
    pub(super) fn container(&mut self, service: &str, slot: u32) -> &mut LiveContainer {
        let all = self.observed.hosts.values_mut().flatten();
        let mut all = all.flat_map(|state| state.containers.values_mut());
        let is_it = |it: &&mut LiveContainer| {
            it.identity.service == ServiceName::new(service) && it.identity.slot == slot
        };
        all.find(is_it).expect("a container")
    }

    /// Both ways to a plan lead to the same one.
    pub(super) fn plan(&self) -> Result<Plan, Vec<Problem>> {
        let made = self.asked(|request| {
            let made = plan(request);
            assert_eq!(made, plan_by(request, Look::Closer), "what rests was decided on otherwise");
            made
        })?;
        let violations = check(&made, &self.observed);
        assert!(violations.is_empty(), "{violations:#?}\n{}", self.lines(&made));
        Ok(made)
    }

    /// What becomes of the request for a plan.
    pub(super) fn asked<T>(&self, made: impl FnOnce(&Request<'_>) -> T) -> T {
        let desired = Desired {
            project: name("acme").into(),
            environment: name("production").into(),
            stacks: self.stacks.clone(),
        };
        made(&Request {
            owner: &owner(),
            desired: &desired,
            observed: &self.observed,
            inventory: &self.inventory,
            sites: &self.sites,
            commit: Some(CommitId::new(format!("{:07}", self.commits))),
            commits: BTreeMap::new(),
            scope: self.scope.clone(),
            variables: &self.variables,
        })
    }

    /// Plans and carries out, until nothing is left to do, which must be at once.
    pub(super) fn deploy(&mut self) {
        let plan = self.plan().unwrap_or_else(|problems| panic!("{problems:#?}"));
        self.apply(&plan, plan.steps.len());
        let rest = self.plan().unwrap_or_else(|problems| panic!("{problems:#?}"));
        assert!(rest.is_empty(), "something is left:\n{}", self.lines(&rest));
    }

    /// Carries out the first steps of a plan, and goes on from there.
    pub(super) fn crash(&mut self, steps: usize) {
        let plan = self.plan().expect("a plan");
        self.apply(&plan, steps);
    }

    /// The steps, one a line; or the problems.
    pub(super) fn text(&self) -> String {
        match self.plan() {
            Ok(plan) if plan.is_empty() => "nothing to do".to_owned(),
            Ok(plan) => self.lines(&plan),
            Err(problems) => {
                let lines = problems.iter().map(|problem| format!("{:?}: {problem}", problem.kind));
                lines.collect::<Vec<_>>().join("\n")
            }
        }
    }

    pub(super) fn lines(&self, plan: &Plan) -> String {
        let lines = plan.steps.iter().map(|step| self.line(plan, step));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn line(&self, plan: &Plan, step: &Step) -> String {
        let needs: Vec<usize> = step.needs.iter().map(|need| need.0).collect();
        let mut who =
            step.service.as_ref().map_or_else(|| step.stack.to_string(), ToString::to_string);
        if let Some(slot) = step.slot {
            who = format!("{who}.{slot}");
        }
        let mut words = step.op.words();
        if let Op::Switch { change, .. } = &step.op {
            words = format!("{words}{}", servers(change));
        }
        let line =
            format!("{needs:?} -> #{} {who}@{} {words} ({})", step.id.0, step.host, step.cause);
        self.plain_names(plan, &line)
    }

    /// Names with the generation in the place of the hash, which says nothing to people.
    fn plain_names(&self, plan: &Plan, line: &str) -> String {
        let seen =
            self.observed.hosts.values().flatten().flat_map(|state| state.containers.values());
        let mut names: Vec<(String, u64)> =
            seen.map(|live| (live.name.clone(), live.identity.generation)).collect();
        names.extend(plan.steps.iter().filter_map(|step| match &step.op {
            Op::Create { replica } => Some((replica.name.clone(), replica.identity.generation)),
            _ => None,
        }));
        let mut line = line.to_owned();
        for (name, generation) in names {
            if let Some((stem, _)) =
                name.strip_prefix("acme-").and_then(|rest| rest.rsplit_once('-'))
            {
                line = line.replace(&name, &format!("{stem}.g{generation}"));
            }
        }
        line
    }

    /// Makes it so, for the first steps of a plan.
    pub(super) fn apply(&mut self, plan: &Plan, steps: usize) {
        for step in plan.steps.iter().take(steps) {
            self.carry_out(step);
        }
    }

    fn switch(&mut self, place: &ProxyPlace, change: &RouteChange) {
        let site = &self.sites[place];
        let state = self.observed.proxies.get_mut(place).expect("known").as_mut().expect("answers");
        let table = state.table.clone().unwrap_or_default().changed(change, 7).expect("as planned");
        state.file = Some(site.render(&table).expect("a file"));
        state.serving = Some(table.generation);
        state.table = Some(table);
    }

    pub(super) fn carry_out(&mut self, step: &Step) {
        self.ids += 1;
        let id = format!("id{}", self.ids);
        if let Op::Switch { place, change } = &step.op {
            return self.switch(place, change);
        }
        let state =
            self.observed.hosts.get_mut(&step.host).expect("known").as_mut().expect("answers");
        match &step.op {
            Op::Pull { reference, digest, .. } => {
                let mut new = image(reference);
                new.id = Some(format!("sha256:pulled-{}", digest.clone().unwrap_or_default()));
                new.digest.clone_from(digest);
                new.digests.extend(digest.clone());
                state.images.insert(new.id.clone().unwrap_or_default(), Ok(new.clone()));
                state.images.insert(reference.clone(), Ok(new));
            }
            Op::CreateNetwork { name, body } => {
                let driver = body["Driver"].as_str().unwrap_or("bridge").to_owned();
                let internal = body["Internal"].as_bool().unwrap_or_default();
                let attachable = body["Attachable"].as_bool().unwrap_or_default();
                let stack = Some(step.stack.clone());
                let pools = body["IPAM"]["Config"].as_array().into_iter().flatten();
                let subnets = pools.filter_map(|it| it["Subnet"].as_str().map(str::to_owned));
                let network = LiveNetwork {
                    subnets: subnets.collect(),
                    id,
                    stack,
                    driver,
                    internal,
                    attachable,
                    ..LiveNetwork::default()
                };
                state.networks.insert(name.clone(), network);
            }
            Op::CreateVolume { name, body } => {
                let driver = body["Driver"].as_str().unwrap_or("local").to_owned();
                let volume =
                    LiveVolume { stack: Some(step.stack.clone()), driver, ..LiveVolume::default() };
                state.volumes.insert(name.clone(), volume);
            }
            Op::Create { replica } => {
                create(state, replica, id);
            }
            Op::Start { container } => {
                state.containers.get_mut(container).expect("made").state.status = Status::Running;
            }
            Op::AwaitReady { container, readiness } => {
                let live = state.containers.get_mut(container).expect("made");
                live.state.health = readiness.has_check.then_some(Health::Healthy);
            }
            Op::AwaitCompleted { container, .. } | Op::Stop { container, .. } => {
                state.containers.get_mut(container).expect("made").state.status = Status::Exited;
            }
            Op::Remove { container, .. } => {
                let gone = state.containers.remove(container).expect("there");
                assert!(!gone.state.is_running(), "{container} runs");
            }
            Op::RemoveNetwork { name } => drop(state.networks.remove(name).expect("there")),
            Op::RemoveVolume { name } => drop(state.volumes.remove(name).expect("there")),
            Op::Record { release } if release.commits.is_empty() => {
                state.releases.remove(&step.stack);
            }
            Op::Record { release } => {
                state.releases.insert(step.stack.clone(), release.clone());
            }
            Op::RunHook { .. } | Op::Switch { .. } | Op::AwaitDrained { .. } | Op::Pause { .. } => {
            }
        }
    }
}

fn create(state: &mut HostState, replica: &Replica, id: String) {
    let reference = replica.body["Image"].as_str().unwrap_or_default();
    let image = state.images[reference].as_ref().expect("an image").id.clone();
    if state.containers.contains_key(&replica.name) {
        return;
    }
    let live = LiveContainer {
        id,
        name: replica.name.clone(),
        identity: replica.identity.clone(),
        state: ContainerState {
            status: Status::Created,
            started_at: 0,
            exit_code: 0,
            restarts: 0,
            health: None,
        },
        image: image.expect("pulled").into(),
        config: replica.body.clone().into(),
        addresses: crate::model::Addresses::default(),
    };
    state.containers.insert(replica.name.clone(), live);
}

fn image(reference: &str) -> Image {
    Image {
        id: Some(format!("sha256:{reference}")),
        config: json!({"Cmd": ["run"]}).into(),
        ..Image::default()
    }
}

/// `: web.8080 = a b`, for each backend that changes.
fn servers(change: &RouteChange) -> String {
    let backend = |(key, change): (&crate::model::BackendKey, &crate::model::BackendChange)| {
        let key = format!("{}.{}", key.service, key.port);
        match &change.to {
            Some(to) => {
                let names: Vec<&str> = to.servers.keys().map(String::as_str).collect();
                format!(
                    "{key} = {}",
                    if names.is_empty() { "nobody".into() } else { names.join(" ") }
                )
            }
            None => format!("{key} gone"),
        }
    };
    let texts: Vec<String> = change.set.iter().map(backend).collect();
    if texts.is_empty() { ": again".to_owned() } else { format!(": {}", texts.join("; ")) }
}
