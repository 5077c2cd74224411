//! A small world for the executor's tests: one host, one proxy, and faults at any call.

mod leases;
mod proxies;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::{Contents, Guard, GuardError, Hidden, Options, Report, Stop, Work, run};
use crate::model::*;
use crate::ports::*;
use crate::proxy::{self, Managed, Site};
use crate::settings::ProxyKind;

/// What strikes at one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The process dies before its effect.
    KillBefore,
    /// The process dies after its effect.
    KillAfter,
    /// There is no effect, and the answer says so.
    LoseBefore,
    /// There is an effect, and no answer.
    LoseAfter,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) containers: BTreeMap<String, LiveContainer>,
    pub(super) things: BTreeSet<String>,
    pub(super) file: Option<String>,
    /// The file that the proxy follows.
    pub(super) running: Option<String>,
    pub(super) leases: BTreeMap<LeaseKey, Lease>,
    pub(super) in_flight: u64,
    pub(super) room: Option<Room>,
    pub(super) forgotten: BTreeSet<String>,
    /// What the checker was asked about, ahead and at a switch.
    pub(super) ahead: Vec<String>,
    pub(super) tested: Vec<String>,
    pub(super) log: Vec<String>,
    pub(super) calls: usize,
    pub(super) fault: Option<(usize, Fault)>,
    /// From which call on nothing comes through, and until when.
    pub(super) silence: Option<(usize, Instant)>,
    /// At which call somebody removes the proxy's file.
    pub(super) file_goes_at: Option<usize>,
    pub(super) refuses: BTreeMap<&'static str, String>,
    pub(super) ignores_reload: bool,
    pub(super) proves: Option<Endpoint>,
    pub(super) hook_code: i64,
    pub(super) output: Vec<String>,
    pub(super) no_answer: Option<String>,
    is_dead: bool,
}

/// The world.
#[derive(Clone)]
pub(super) struct Fake {
    state: Arc<Mutex<State>>,
    death: Arc<Notify>,
    began: Instant,
}

impl Fake {
    pub(super) fn new() -> Self {
        Self { state: Arc::default(), death: Arc::default(), began: Instant::now() }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ports(&self) -> Ports {
        let fake = Arc::new(self.clone());
        Ports {
            engines: BTreeMap::from([(name("h1"), fake.clone() as Arc<dyn Engine>)]),
            proxies: BTreeMap::from([(place(), fake.clone() as Arc<dyn Proxy>)]),
            leases: BTreeMap::from([(name("h1"), fake.clone() as Arc<dyn Leases>)]),
            clock: fake,
        }
    }

    /// Carries a plan out, from the leases to their return.
    pub(super) async fn run(&self, plan: &Plan) -> Told {
        let (_raise, stop) = watch::channel(Stop::None);
        self.run_until(plan, stop).await
    }

    pub(super) async fn run_until(&self, plan: &Plan, stop: watch::Receiver<Stop>) -> Told {
        let (events, mut told) = mpsc::unbounded_channel();
        let (ports, options) = (self.ports(), options("me"));
        let sites = BTreeMap::from([(place(), site())]);
        let work = Work {
            plan,
            ports: &ports,
            sites: &sites,
            contents: &Secrets,
            options: &options,
            events: &events,
        };
        let guard = Guard::take(plan, &ports, &options).await.expect("leases");
        let report = run(&work, &guard, stop).await;
        guard.release().await;
        let mut seen = Vec::new();
        while let Ok(event) = told.try_recv() {
            seen.push(event);
        }
        Told { report, events: seen }
    }

    pub(super) async fn guard(&self, plan: &Plan, holder: &str) -> Result<Guard, GuardError> {
        Guard::take(plan, &self.ports(), &options(holder)).await
    }

    /// Runs until the fault kills it; whether it did.
    pub(super) async fn run_killed(&self, plan: &Plan) -> bool {
        tokio::select! {
            biased;
            () = self.death.notified() => true,
            _ = self.run(plan) => false,
        }
    }

    /// A new process after the one that died.
    pub(super) fn revive(&self) {
        let mut state = self.state();
        state.is_dead = false;
        state.fault = None;
        state.calls = 0;
    }

    pub(super) fn add(&self, container: &str, status: Status) {
        let live = live(container, status);
        self.state().containers.insert(container.to_owned(), live);
    }

    pub(super) fn status(&self, container: &str) -> Option<Status> {
        self.state().containers.get(container).map(|live| live.state.status)
    }

    /// The servers of the file and of what is served, by container name.
    pub(super) fn servers(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let state = self.state();
        (servers(state.file.as_deref()), servers(state.running.as_deref()))
    }

    /// Puts a table in place, by hand.
    pub(super) fn route(&self, generation: u64, containers: &[(&str, u16)]) {
        let backends = BTreeMap::from([(key(), backend(containers))]);
        let table = RoutingTable { generation, backends, ..RoutingTable::default() };
        let text = site().render(&table).expect("a file");
        let mut state = self.state();
        state.file = Some(text.clone());
        state.running = Some(text);
    }

    fn silent_until(&self) -> Option<Instant> {
        let state = self.state();
        let silence = state.silence.filter(|(from, _)| state.calls >= *from);
        silence.map(|(_, until)| until)
    }

    /// At which call something was asked for first.
    pub(super) fn first(&self, what: &str) -> usize {
        self.state().log.iter().position(|it| it == what).expect("it was asked for")
    }

    async fn call<T>(
        &self,
        what: &'static str,
        effect: impl FnOnce(&mut State, Millis) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        if self.state().is_dead {
            return std::future::pending().await;
        }
        if let Some(until) = self.silent_until() {
            tokio::time::sleep_until(until).await;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        let now = self.now();
        let fault = {
            let mut state = self.state();
            let number = state.calls;
            state.calls += 1;
            state.log.push(what.to_owned());
            if state.file_goes_at == Some(number) {
                state.file = None;
            }
            if let Some(why) = state.refuses.get(what) {
                return Err(PortError::Refused(why.clone()));
            }
            let fault = state.fault.filter(|(at, _)| *at == number).map(|(_, fault)| fault);
            match fault {
                None => return effect(&mut state, now),
                Some(Fault::KillAfter | Fault::LoseAfter) => drop(effect(&mut state, now)),
                Some(Fault::KillBefore | Fault::LoseBefore) => {}
            }
            fault
        };
        match fault {
            Some(Fault::LoseBefore) => Err(PortError::Unreachable("no route".into())),
            Some(Fault::LoseAfter) => Err(PortError::Unknown("closed".into())),
            Some(Fault::KillBefore | Fault::KillAfter) | None => {
                self.state().is_dead = true;
                self.death.notify_one();
                std::future::pending().await
            }
        }
    }
}

/// A run as seen from outside.
pub(super) struct Told {
    pub(super) report: Report,
    pub(super) events: Vec<Event>,
}

impl Told {
    pub(super) fn warnings(&self) -> Vec<&str> {
        self.events.iter().filter_map(warning).collect()
    }
}

fn warning(event: &Event) -> Option<&str> {
    match event {
        Event::Warned { message } => Some(message),
        _ => None,
    }
}

struct Secrets;

impl Contents for Secrets {
    fn get(&self, _: &StackName, key: &ContentKey) -> Result<Vec<u8>, String> {
        match key {
            ContentKey::Variable(name) => Ok(format!("value-of-{name}").into_bytes()),
            ContentKey::Digest(_) => Ok(b"text".to_vec()),
        }
    }

    fn hidden(&self, _: &StackName) -> Vec<Hidden> {
        vec![Hidden { content: b"of-an-earlier-run".to_vec(), is_secret: true }]
    }
}

pub(super) fn name<T: From<Name>>(text: &str) -> T {
    Name::parse(text).expect("a name").into()
}

pub(super) fn owner() -> Owner {
    Owner { project: name("acme"), environment: name("production") }
}

pub(super) fn place() -> ProxyPlace {
    ProxyPlace { proxy: name("edge"), host: name("h1") }
}

pub(super) fn key() -> BackendKey {
    "a.web.8080".parse().expect("a key")
}

pub(super) fn endpoint(port: u16) -> Endpoint {
    Endpoint { address: std::net::Ipv4Addr::LOCALHOST.into(), port }
}

pub(super) fn backend(containers: &[(&str, u16)]) -> Backend {
    let rule = Rule { host: "shop.example.com".into(), path: "/".into() };
    let server = |(name, port): &(&str, u16)| ((*name).to_owned(), endpoint(*port));
    Backend {
        rules: BTreeSet::from([rule]),
        servers: containers.iter().map(server).collect(),
        check: None,
    }
}

pub(super) fn options(holder: &str) -> Options {
    Options {
        keep_failed: false,
        per_host: 4,
        holder: holder.to_owned(),
        purpose: "c0ffee".to_owned(),
        lease: Duration::from_secs(60),
        lease_wait: Duration::ZERO,
    }
}

fn site() -> Site {
    Site {
        place: place(),
        owner: owner(),
        kind: ProxyKind::Nginx,
        path: "/etc/nginx/conf.d/gitdeploy.conf".to_owned(),
        listen: Vec::new(),
        template: None,
        version: "1.27.4".to_owned(),
        ask_from: Vec::new(),
        socket: None,
    }
}

pub(super) fn step(stack: &str, op: Op, needs: &[usize]) -> Step {
    Step {
        id: StepId(0),
        stack: name(stack),
        service: Some(ServiceName::new("web")),
        slot: None,
        host: name("h1"),
        op,
        needs: needs.iter().copied().map(StepId).collect(),
        cause: Cause::Changed,
    }
}

pub(super) fn plan(mut steps: Vec<Step>) -> Plan {
    for (at, step) in steps.iter_mut().enumerate() {
        step.id = StepId(at);
    }
    Plan {
        id: PlanId("0123456789abcdef".into()),
        owner: owner(),
        commit: Some(CommitId::new("c0ffee")),
        commits: BTreeMap::new(),
        stacks: BTreeMap::new(),
        files: Vec::new(),
        steps,
        blind: Vec::new(),
        strays: BTreeMap::new(),
        basis: Basis::default(),
    }
}

/// Each op needs the one before.
pub(super) fn chain(ops: Vec<Op>) -> Plan {
    let needs = |at: usize| at.checked_sub(1).into_iter().collect::<Vec<_>>();
    let steps = ops.into_iter().enumerate();
    plan(steps.map(|(at, op)| step("a", op, &needs(at))).collect())
}

pub(super) fn switch(from: Option<&[(&str, u16)]>, to: &[(&str, u16)]) -> Op {
    let change = BackendChange { from: from.map(backend), to: Some(backend(to)) };
    Op::Switch { place: place(), change: RouteChange { set: BTreeMap::from([(key(), change)]) } }
}

fn identity() -> Identity {
    Identity {
        owner: owner(),
        stack: name("a"),
        service: ServiceName::new("web"),
        slot: 1,
        spec: SpecHash::new("ab12"),
        inputs: String::new(),
        generation: 1,
        commit: CommitId::new("c0ffee"),
    }
}

pub(super) fn replica(container: &str) -> Replica {
    Replica {
        name: container.to_owned(),
        host: name("h1"),
        identity: identity(),
        image: None,
        digest: None,
        body: json!({"Env": ["PASSWORD=hunter2hunter2"]}),
        files: vec![PlacedFile {
            target: "/run/secrets/token".into(),
            content: ContentKey::Variable("TOKEN".into()),
            uid: 0,
            gid: 0,
            mode: 0o400,
            is_secret: true,
        }],
        endpoints: BTreeMap::new(),
    }
}

fn live(container: &str, status: Status) -> LiveContainer {
    let started_at = if status == Status::Created { 0 } else { 1 };
    LiveContainer {
        id: format!("id-{container}"),
        name: container.to_owned(),
        identity: identity(),
        state: ContainerState { status, started_at, exit_code: 0, restarts: 0, health: None },
        image: "sha256:1".into(),
        config: json!({"Env": ["PASSWORD=hunter2hunter2"]}).into(),
        addresses: crate::model::Addresses::default(),
    }
}

fn servers(text: Option<&str>) -> BTreeSet<String> {
    match proxy::read(&owner(), text) {
        Managed::Ours { table, .. } => {
            table.backends.into_values().flat_map(|it| it.servers.into_keys()).collect()
        }
        Managed::Absent | Managed::Foreign { .. } => BTreeSet::new(),
    }
}

fn generation(text: Option<&str>) -> Option<Generation> {
    match proxy::read(&owner(), text) {
        Managed::Ours { table, .. } => Some(table.generation),
        Managed::Absent | Managed::Foreign { .. } => None,
    }
}

fn applied(is_changed: bool) -> Applied {
    if is_changed { Applied::Changed } else { Applied::AlreadyTrue }
}

impl Clock for Fake {
    fn now(&self) -> Millis {
        1_700_000_000_000 + u64::try_from(self.began.elapsed().as_millis()).expect("not so long")
    }
}

#[async_trait]
impl Engine for Fake {
    async fn survey(&self, _: &Owner, _: &Wanted) -> Result<HostState, PortError> {
        Ok(HostState::default())
    }

    async fn inspect(&self, name: &str) -> Result<Option<LiveContainer>, PortError> {
        self.call("inspect", |state, _| Ok(state.containers.get(name).cloned())).await
    }

    async fn registry_image(&self, _: &str) -> Result<RegistryImage, PortError> {
        unreachable!("the executor asks no registry")
    }

    async fn pull(&self, it: &str, _: Option<&str>, _: Option<&str>) -> Result<Applied, PortError> {
        self.call("pull", |state, _| Ok(applied(state.things.insert(it.to_owned())))).await
    }

    async fn room(&self) -> Result<Option<Room>, PortError> {
        Ok(self.state().room)
    }

    async fn create_network(&self, name: &str, _: &Value) -> Result<Applied, PortError> {
        self.call("create_network", |state, _| Ok(applied(state.things.insert(name.into())))).await
    }

    async fn create_volume(&self, name: &str, _: &Value) -> Result<Applied, PortError> {
        self.call("create_volume", |state, _| Ok(applied(state.things.insert(name.into())))).await
    }

    async fn create(&self, replica: &Replica, files: &[Vec<u8>]) -> Result<Applied, PortError> {
        assert_eq!(files.len(), replica.files.len());
        self.call("create", |state, _| {
            let is_new = !state.containers.contains_key(&replica.name);
            state.containers.insert(replica.name.clone(), live(&replica.name, Status::Created));
            Ok(applied(is_new))
        })
        .await
    }

    async fn start(&self, name: &str) -> Result<Applied, PortError> {
        self.call("start", |state, now| {
            let gone = || PortError::NotFound(name.to_owned());
            let live = state.containers.get_mut(name).ok_or_else(gone)?;
            if live.state.is_running() {
                return Ok(Applied::AlreadyTrue);
            }
            live.state.status = Status::Running;
            live.state.started_at = now;
            Ok(Applied::Changed)
        })
        .await
    }

    async fn run_hook(&self, _: &str, _: &Hook) -> Result<HookEnd, PortError> {
        let output = "said hunter2hunter2".to_owned();
        self.call("run_hook", |state, _| Ok(HookEnd { code: state.hook_code, output })).await
    }

    async fn ask(&self, _: Question<'_>) -> Result<(), String> {
        let said = self.call("ask", |state, _| Ok(state.no_answer.clone())).await;
        said.map_err(|error| error.to_string())?.map_or(Ok(()), Err)
    }

    async fn stop(&self, it: &str, _: Option<&str>, _: Duration) -> Result<Applied, PortError> {
        self.call("stop", |state, _| {
            let Some(live) = state.containers.get_mut(it) else { return Ok(Applied::AlreadyTrue) };
            live.state.status = Status::Exited;
            Ok(Applied::Changed)
        })
        .await
    }

    async fn remove(&self, it: &str, _: Option<&str>) -> Result<Applied, PortError> {
        self.call("remove", |state, _| Ok(applied(state.containers.remove(it).is_some()))).await
    }

    async fn remove_network(&self, name: &str) -> Result<Applied, PortError> {
        self.call("remove_network", |state, _| Ok(applied(state.things.remove(name)))).await
    }

    async fn remove_volume(&self, name: &str) -> Result<Applied, PortError> {
        self.call("remove_volume", |state, _| Ok(applied(state.things.remove(name)))).await
    }

    async fn record(&self, _: &Owner, _: &StackName, _: &Release) -> Result<Applied, PortError> {
        self.call("record", |state, _| Ok(applied(state.things.insert("release".into())))).await
    }

    async fn logs(
        &self,
        _: &str,
        _: &LogOptions,
        line: &mut (dyn FnMut(LogLine) -> bool + Send),
    ) -> Result<(), PortError> {
        let output = self.call("logs", |state, _| Ok(state.output.clone())).await?;
        for text in output {
            line(LogLine { is_error: false, text });
        }
        Ok(())
    }
}
