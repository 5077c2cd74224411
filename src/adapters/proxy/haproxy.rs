//! HAProxy, as a service or as a container: changed at run time where only servers differ.
//!
//! The configuration in use tells its own generation and what it is built like in two variables of
//! the process, `gitdeploy_generation` and `gitdeploy_structure`. When the file is built the same
//! and differs in servers only, they are added and drained over the runtime socket, the generation
//! is set there, and no connection of a client notices. Else HAProxy reads its file again.

mod runtime;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

use self::runtime::{Runtime, Servers, Stat};
use super::bind;
use super::front::Front;
use super::holding::holding;
use super::kernel::Process;
use super::managed;
use super::shell::{COMMAND_LIMIT, Ran, Shell, words};
use crate::model::{Backend, BackendKey, Endpoint, Generation, ProxyState, RoutingTable, Rule};
use crate::ports::{Activation, Applied, Draining, PortError, Proxy};
use crate::proxy::runtime_server;
use crate::settings;

const GENERATION: &str = "gitdeploy_generation";
const STRUCTURE: &str = "gitdeploy_structure";

/// How long new servers may take to be seen up, and a new process to answer.
const UP_LIMIT: Duration = Duration::from_secs(10);

/// How long connections may hang on a server that shall be taken out.
const FORGET_LIMIT: Duration = Duration::from_secs(5);

const PAUSE: Duration = Duration::from_millis(25);

/// How long a reload may go without a trace before it is asked for again: HAProxy forgets a signal
/// that comes right after its start.
const FORGOTTEN: Duration = Duration::from_millis(1500);

/// How often a reload is asked for at most.
const RELOADS: u32 = 3;

/// One HAProxy.
pub(super) struct Haproxy {
    front: Front,
    test: Vec<String>,
    reload: Vec<String>,
    runtime: Option<Runtime>,
    /// Workers from before the last reload of ours, by the numbers of this machine.
    noted: Mutex<BTreeSet<u32>>,
}

/// What differs between the running servers and a table.
#[derive(Debug, Default, PartialEq, Eq)]
struct Steps {
    /// Servers that shall take requests and do not.
    come: Vec<Coming>,
    /// `backend/server` that take requests and shall not.
    go: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
struct Coming {
    backend: String,
    name: String,
    definition: String,
    has_check: bool,
    is_there: bool,
}

impl Haproxy {
    pub(super) fn new(proxy: &settings::Proxy, shell: Arc<dyn Shell>) -> Self {
        let path = proxy.socket.as_ref().map(|socket| socket.value.clone());
        Self {
            runtime: path.map(|path| Runtime { shell: Arc::clone(&shell), path }),
            front: Front::new(proxy, shell),
            test: proxy.test.clone(),
            reload: proxy.reload.clone(),
            noted: Mutex::default(),
        }
    }

    async fn run(&self, argv: &[String]) -> Result<Ran, PortError> {
        self.front.shell.run(argv, COMMAND_LIMIT).await
    }

    async fn version(&self) -> Result<String, PortError> {
        let words = self.test.iter().take_while(|word| !word.starts_with('-'));
        let argv: Vec<String> = words.cloned().chain(["-v".to_owned()]).collect();
        let said = self.run(&argv).await?.ok(&argv)?.said();
        let words = said.split_whitespace().skip_while(|word| *word != "version");
        let version = words.skip(1).map(|word| word.split('-').next().unwrap_or(word)).next();
        Ok(version.unwrap_or("unknown").to_owned())
    }

    /// The processes that read our file, the master first where there is one.
    async fn family(&self) -> Result<Vec<Process>, PortError> {
        let processes = self.front.shell.processes().await?;
        let mut family: Vec<Process> = processes
            .into_iter()
            .filter(|process| reads(&process.title, &self.front.path))
            .collect();
        let pids: BTreeSet<u32> = family.iter().map(|process| process.pid).collect();
        family.sort_by_key(|process| (pids.contains(&process.parent), process.pid));
        Ok(family)
    }

    /// The processes that handle requests.
    async fn workers(&self) -> Result<Vec<Process>, PortError> {
        let family = self.family().await?;
        let parents: BTreeSet<u32> = family.iter().map(|process| process.parent).collect();
        let masters = family.iter().filter(|process| parents.contains(&process.pid));
        let masters: BTreeSet<u32> = masters.map(|process| process.pid).collect();
        Ok(family.into_iter().filter(|process| !masters.contains(&process.pid)).collect())
    }

    /// The workers that still serve an older configuration.
    async fn old_workers(&self) -> Result<Vec<Process>, PortError> {
        let mut workers = self.workers().await?;
        let current = match &self.runtime {
            Some(runtime) => runtime.pid().await.ok().flatten(),
            None => None,
        };
        if let Some(current) = current {
            workers.retain(|worker| worker.number != current);
            return Ok(workers);
        }
        let alive: BTreeSet<u32> = workers.iter().map(|worker| worker.pid).collect();
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.retain(|pid| alive.contains(pid));
        workers.retain(|worker| noted.contains(&worker.pid));
        Ok(workers)
    }

    /// The checking command with another file in the place of the managed one. A folder is spelled
    /// out as HAProxy reads it: its `*.cfg`, in the order of their names.
    async fn checker(&self, stand_in: &str) -> Result<Vec<String>, PortError> {
        let path = self.front.path.as_str();
        let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let mut argv = Vec::new();
        let mut is_named = false;
        for word in &self.test {
            if word == path {
                is_named = true;
                argv.push(stand_in.to_owned());
            } else if word.trim_end_matches('/') == folder {
                is_named = true;
                let mut files = self.folder(folder).await?;
                files.insert(path.to_owned());
                let exchanged = files.into_iter().map(|file| match file == path {
                    true => stand_in.to_owned(),
                    false => file,
                });
                // The `-f` before the folder is that of the first file.
                let words = exchanged.flat_map(|file| ["-f".to_owned(), file]).skip(1);
                argv.extend(words);
            } else if word != "-q" {
                argv.push(word.clone());
            }
        }
        match is_named {
            true => Ok(argv),
            false => Err(PortError::Refused(format!(
                "`{}` names neither `{path}` nor its folder, so another file cannot be checked in \
                 its place",
                self.test.join(" "),
            ))),
        }
    }

    async fn folder(&self, folder: &str) -> Result<BTreeSet<String>, PortError> {
        let argv = words(&["ls", folder]);
        let names = self.run(&argv).await?.ok(&argv)?.stdout;
        let read = names.lines().filter(|name| name.ends_with(".cfg"));
        Ok(read.map(|name| format!("{folder}/{name}")).collect())
    }

    /// Managed files beside ours that HAProxy reads.
    async fn others(&self, family: &[Process]) -> Result<Vec<String>, PortError> {
        let ours = self.front.path.as_str();
        let folder = ours.rsplit_once('/').map_or("/", |(folder, _)| folder);
        let mut found = Vec::new();
        // A folder that is not there is told of elsewhere.
        let files = self.folder(folder).await.unwrap_or_default();
        for path in files.iter().filter(|path| path.as_str() != ours) {
            if family.iter().any(|process| reads(&process.title, path)) {
                let text = self.front.shell.read(path).await?;
                found.extend(text.and_then(|text| managed::other(path, &text)));
            }
        }
        Ok(found)
    }

    /// Has HAProxy look at `candidate` in the place of the file.
    async fn check_aside(&self, candidate: &str) -> Result<(), PortError> {
        let stand_in = beside(&self.front.path);
        let argv = self.checker(&stand_in).await?;
        self.front.shell.draft(&stand_in, candidate).await?;
        let ran = self.run(&argv).await;
        self.front.shell.remove(&stand_in).await?;
        match ran? {
            Ran { code: 0, .. } => Ok(()),
            ran => Err(PortError::Refused(ran.said().replace(&stand_in, &self.front.path))),
        }
    }

    /// The runtime, if what runs is built as the file says.
    async fn same_structure(&self, text: &str) -> Option<&Runtime> {
        let runtime = self.runtime.as_ref()?;
        if self.front.must_reload() {
            return None;
        }
        let running = runtime.variable(STRUCTURE).await.ok()??;
        (variable_in(text, STRUCTURE) == Some(running.as_str())).then_some(runtime)
    }

    async fn follow_at_runtime(
        &self,
        runtime: &Runtime,
        table: &RoutingTable,
        steps: Steps,
    ) -> Result<Activation, PortError> {
        let is_generation = runtime.variable(GENERATION).await?;
        if is_generation == Some(table.generation.to_string()) && steps == Steps::default() {
            return Ok(Activation::AlreadyTrue);
        }
        if let Err(error) = bring_up(runtime, &steps.come).await {
            back_out(runtime, &steps.come).await?;
            return Err(error);
        }
        for server in &steps.go {
            runtime.set_state(server, "drain").await?;
        }
        runtime.set_variable(GENERATION, &table.generation.to_string()).await?;
        Ok(Activation::Runtime)
    }

    async fn reload(&self, table: &RoutingTable) -> Result<Activation, PortError> {
        let before = match &self.runtime {
            Some(runtime) => runtime.pid().await.ok().flatten(),
            None => None,
        };
        let workers = self.workers().await?;
        self.noted
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(workers.iter().map(|worker| worker.pid));
        let family = self.family().await?;
        self.ask_to_reload().await?;
        self.await_new_worker(before, &family, table).await?;
        self.front.reloaded();
        Ok(Activation::Reload)
    }

    async fn ask_to_reload(&self) -> Result<(), PortError> {
        match self.run(&self.reload).await? {
            Ran { code: 0, .. } => Ok(()),
            ran => Err(PortError::Refused(ran.said())),
        }
    }

    /// HAProxy answers a reload before it has read its file; only a new process is a success. A
    /// master that heeds a reload starts anew with other words, so that a family which is the same
    /// as before has not heard of it.
    async fn await_new_worker(
        &self,
        before: Option<u32>,
        family: &[Process],
        table: &RoutingTable,
    ) -> Result<(), PortError> {
        let end = Instant::now() + UP_LIMIT;
        let mut asked = 1;
        let mut again = Instant::now() + FORGOTTEN;
        while Instant::now() < end {
            let is_new = match (&self.runtime, before) {
                (Some(runtime), Some(before)) => {
                    runtime.pid().await.ok().flatten().is_some_and(|now| now != before)
                }
                _ => true,
            };
            if is_new && self.front.confirm(table.generation).await {
                return Ok(());
            }
            if asked < RELOADS && Instant::now() >= again {
                if self.family().await? == family {
                    self.ask_to_reload().await?;
                    asked += 1;
                }
                again = Instant::now() + FORGOTTEN;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Err(PortError::Refused(format!(
            "HAProxy was told to read its file again, and after {UP_LIMIT:?} no process with \
             generation {} answers; its log says why",
            table.generation
        )))
    }
}

#[async_trait]
impl Proxy for Haproxy {
    async fn observe(&self) -> Result<ProxyState, PortError> {
        let (place, file) = futures_util::try_join!(
            self.front.shell.surroundings(&self.front.path),
            self.front.read()
        )?;
        let table = file.as_deref().and_then(managed::table).map(|(table, _)| table);
        let mut obstacles = place.obstacles;
        if !place.is_running {
            return Ok(ProxyState { file, table, obstacles, ..ProxyState::default() });
        }
        let serving = async { Ok(self.front.serving().await) };
        let (family, version, serving) =
            futures_util::try_join!(self.family(), self.version(), serving)?;
        obstacles.extend(self.others(&family).await?);
        if family.is_empty() {
            let path = &self.front.path;
            obstacles.push(format!("no HAProxy runs whose command names `{path}` or its folder"));
        }
        if let Err(PortError::Refused(why)) = self.checker("").await {
            obstacles.push(why);
        }
        let servers = match &self.runtime {
            Some(runtime) => runtime.servers().await.ok(),
            None => None,
        };
        Ok(ProxyState {
            version,
            table,
            file,
            serving,
            servers,
            replicas_at: place.replicas_at,
            obstacles,
        })
    }

    async fn read(&self) -> Result<Option<String>, PortError> {
        self.front.read().await
    }

    async fn test(&self, candidate: &str) -> Result<(), PortError> {
        let is_free =
            async { bind::refuse_taken(&self.front, "HAProxy", &self.family().await?).await };
        let (checked, is_free) = futures_util::join!(self.check_aside(candidate), is_free);
        checked.and(is_free)
    }

    async fn swap(&self, expect: Option<&str>, new: Option<&str>) -> Result<Applied, PortError> {
        self.front.swap(expect, new).await
    }

    async fn activate(&self, table: &RoutingTable) -> Result<Activation, PortError> {
        let text = self.front.read().await?.unwrap_or_default();
        if let Some(runtime) = self.same_structure(&text).await {
            // A server of that name at another address cannot be changed safely at run time.
            if let Some(steps) = Steps::between(&runtime.servers().await?, table) {
                return self.follow_at_runtime(runtime, table, steps).await;
            }
        } else if self.runtime.is_none()
            && !self.front.was_written()
            && self.front.confirm(table.generation).await
        {
            return Ok(Activation::AlreadyTrue);
        }
        self.reload(table).await
    }

    async fn confirm(&self, generation: Generation) -> Result<bool, PortError> {
        Ok(self.front.confirm(generation).await)
    }

    async fn prove(&self, rule: &Rule) -> Result<Option<Endpoint>, PortError> {
        self.front.prove(rule).await
    }

    async fn draining(
        &self,
        servers: &BTreeMap<BackendKey, BTreeMap<String, Endpoint>>,
    ) -> Result<Draining, PortError> {
        let old = holding(&self.front, &self.old_workers().await?, servers).await?;
        let old_processes = u32::try_from(old).unwrap_or(u32::MAX);
        let Some(runtime) = &self.runtime else {
            return Ok(Draining { in_flight: 0, old_processes });
        };
        let stats = runtime.stats().await?;
        let in_flight = named(servers).filter_map(|key| Some(stats.get(&key)?.in_flight)).sum();
        Ok(Draining { in_flight, old_processes })
    }

    async fn forget(
        &self,
        servers: &BTreeMap<BackendKey, BTreeMap<String, Endpoint>>,
    ) -> Result<Applied, PortError> {
        let Some(runtime) = &self.runtime else { return Ok(Applied::AlreadyTrue) };
        let running = runtime.servers().await?;
        let mut applied = Applied::AlreadyTrue;
        for (backend, name) in named(servers) {
            if running.get(&backend).is_some_and(|servers| servers.contains_key(&name)) {
                take_out(runtime, &format!("{backend}/{name}")).await?;
                applied = Applied::Changed;
            }
        }
        Ok(applied)
    }
}

impl Steps {
    /// What makes the running servers those of the table; `None` when that needs a reload. Only
    /// backends of the table are looked at: others in the configuration are the owner's.
    fn between(running: &Servers, table: &RoutingTable) -> Option<Self> {
        let mut steps = Self::default();
        for (key, backend) in &table.backends {
            let there = running.get(&key.to_string());
            for (name, endpoint) in &backend.servers {
                let live = there.and_then(|servers| servers.get(name));
                match live {
                    Some(live) if live.address != endpoint.to_string() => return None,
                    Some(live) if live.takes_requests => {}
                    _ => steps.come.push(Coming::new(key, backend, name, endpoint, live.is_some())),
                }
            }
            let gone = there
                .into_iter()
                .flatten()
                .filter(|(name, live)| live.takes_requests && !backend.servers.contains_key(*name));
            steps.go.extend(gone.map(|(name, _)| format!("{key}/{name}")));
        }
        Some(steps)
    }
}

impl Coming {
    fn new(
        key: &BackendKey,
        backend: &Backend,
        name: &str,
        endpoint: &Endpoint,
        is_there: bool,
    ) -> Self {
        Self {
            backend: key.to_string(),
            name: name.to_owned(),
            definition: runtime_server(backend, name, endpoint),
            has_check: backend.check.is_some(),
            is_there,
        }
    }

    fn full(&self) -> String {
        format!("{}/{}", self.backend, self.name)
    }
}

/// Adds and enables servers, and waits until HAProxy itself has seen each new one well. One that was
/// there may be down for reasons of its own, which must not hold up a change.
async fn bring_up(runtime: &Runtime, coming: &[Coming]) -> Result<(), PortError> {
    for server in coming {
        if !server.is_there {
            runtime.add(&server.backend, &server.definition).await?;
        }
        runtime.enable(&server.full(), server.has_check).await?;
    }
    let end = Instant::now() + UP_LIMIT;
    loop {
        let stats = runtime.stats().await?;
        let stat = |server: &Coming| stats.get(&(server.backend.clone(), server.name.clone()));
        let is_up = |server: &Coming| server.is_there || stat(server).is_some_and(Stat::is_up);
        let Some(waiting) = coming.iter().find(|server| !is_up(server)) else { return Ok(()) };
        if Instant::now() > end {
            let said = stat(waiting).map_or_else(|| "it is not there".to_owned(), Stat::to_string);
            return Err(PortError::Refused(format!(
                "HAProxy's own check did not find `{}` up within {UP_LIMIT:?}: {said}",
                waiting.full()
            )));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// Undoes what `bring_up` began.
async fn back_out(runtime: &Runtime, coming: &[Coming]) -> Result<(), PortError> {
    for server in coming.iter().filter(|server| !server.is_there) {
        take_out(runtime, &server.full()).await?;
    }
    Ok(())
}

/// Removes a drained server. Connections that hang on it for long are cut by nobody: it stays in
/// maintenance then, out of use, until the next reload.
async fn take_out(runtime: &Runtime, server: &str) -> Result<(), PortError> {
    match runtime.set_state(server, "maint").await {
        Err(PortError::NotFound(_)) => return Ok(()),
        done => done?,
    }
    let end = Instant::now() + FORGET_LIMIT;
    while !runtime.delete(server).await? && Instant::now() < end {
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

fn named(
    servers: &BTreeMap<BackendKey, BTreeMap<String, Endpoint>>,
) -> impl Iterator<Item = (String, String)> {
    servers
        .iter()
        .flat_map(|(key, names)| names.keys().map(move |name| (key.to_string(), name.clone())))
}

/// Whether a command line is that of an HAProxy that reads `path` or the folder it is in.
fn reads(title: &str, path: &str) -> bool {
    let mut words = title.split(' ');
    let program = words.next().and_then(|word| word.rsplit('/').next());
    let folder = path.rsplit_once('/').map_or("/", |(folder, _)| folder);
    program == Some("haproxy")
        && words.any(|word| word == path || word.trim_end_matches('/') == folder)
}

/// A name that HAProxy does not load from a folder, where only `*.cfg` counts.
fn beside(path: &str) -> String {
    match path.rsplit_once('/') {
        Some((folder, name)) => format!("{folder}/.{name}.check"),
        None => format!(".{path}.check"),
    }
}

/// The text that the file gives a variable of the process.
fn variable_in<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let start = format!("set-var proc.{name} str(");
    text.lines().find_map(|line| line.trim().strip_prefix(&start)?.strip_suffix(')'))
}

#[cfg(test)]
mod tests;
