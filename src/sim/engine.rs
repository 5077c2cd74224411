//! The simulated engine.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;

use super::account::Act;
use super::state::{App, SimContainer, SimHost, SimImage, State};
use super::{Run, guards};
use crate::model::{
    ContainerState, Drained, EngineInfo, Health, Hook, HostName, HostState, Image, LiveContainer,
    LiveNetwork, LiveVolume, Millis, Owner, RegistryImage, Release, Replica, StackName, Status,
};
use crate::ports::{
    Applied, Engine, HookEnd, LeaseKey, LogLine, LogOptions, PortError, Question, Stir, Wanted,
};

/// Milliseconds that a container takes to end when it is asked to: more than a killed run needs to
/// be followed by the next one.
const ENDING: Millis = 1_000;

/// One run's way to one engine.
pub(super) struct SimEngine {
    pub(super) run: Run,
    pub(super) host: HostName,
}

/// What a change is a change of.
enum Of<'a> {
    /// A container.
    Container(&'a str),
    /// Whatever has these labels.
    Labels(&'a Value),
    /// A network of that name.
    Network(&'a str),
    /// A stack's.
    Stack(&'a Owner, &'a StackName),
}

impl SimEngine {
    /// One look, or whatever else needs no lease.
    async fn call<T>(
        &self,
        what: &str,
        effect: impl Fn(&mut SimHost, &BTreeMap<String, SimImage>, Millis) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        self.done(what, |state, now| {
            let State { hosts, registry, .. } = state;
            effect(hosts.get_mut(&self.host).expect("it was there above"), registry, now)
        })
        .await
    }

    /// One call that changes something, for which a lease must be held.
    async fn act(
        &self,
        what: &str,
        of: Of<'_>,
        effect: impl Fn(&mut SimHost, &BTreeMap<String, SimImage>, Millis) -> Result<Applied, PortError>,
    ) -> Result<Applied, PortError> {
        let began = self.run.world.now();
        self.done(what, |state, now| {
            let key = state.hosts.get(&self.host).and_then(|host| key(host, &of));
            let State { hosts, registry, .. } = &mut *state;
            let host = hosts.get_mut(&self.host).expect("it was there above");
            let applied = effect(host, registry, now)?;
            if applied == Applied::AlreadyTrue {
                return Ok(applied);
            }
            if let Of::Container(name) = of {
                state.cut_ended(&self.host, name, now);
            }
            if let Some(key) = key {
                let act =
                    Act { run: self.run.number, host: &self.host, what, began, takes_back: false };
                state.account(&key, &act, now);
            }
            Ok(applied)
        })
        .await
    }

    async fn done<T>(
        &self,
        what: &str,
        effect: impl Fn(&mut State, Millis) -> Result<T, PortError>,
    ) -> Result<T, PortError> {
        let world = &self.run.world;
        let done = || {
            let now = world.now();
            let mut state = world.state();
            state.hosts.get(&self.host).filter(|it| it.answers()).ok_or_else(SimHost::refused)?;
            state.pass(now);
            let result = effect(&mut state, now);
            state.log.push(format!("{now} {} {what}", self.host));
            state.watch(now);
            result
        };
        self.run.to_engine(&self.host).await;
        self.run.faults.call(done).await
    }
}

fn key(host: &SimHost, of: &Of<'_>) -> Option<LeaseKey> {
    let (owner, stack) = match of {
        Of::Container(name) => {
            let identity = &host.containers.get(*name)?.identity;
            (identity.owner.clone(), identity.stack.clone())
        }
        Of::Labels(body) => Owner::read(&strings(body.get("Labels")))?,
        Of::Network(name) => {
            let stack = host.networks.get(*name)?.stack.clone()?;
            (host.network_owners.get(*name)?.clone(), stack)
        }
        Of::Stack(owner, stack) => ((*owner).clone(), (*stack).clone()),
    };
    Some(LeaseKey::Stack(owner, stack))
}

#[async_trait]
impl Engine for SimEngine {
    async fn survey(&self, owner: &Owner, wanted: &Wanted) -> Result<HostState, PortError> {
        self.call("survey", |host, registry, now| Ok(survey(host, registry, owner, wanted, now)))
            .await
    }

    async fn inspect(&self, name: &str) -> Result<Option<LiveContainer>, PortError> {
        self.call(&format!("inspect {name}"), |host, _, now| {
            guards::container(host, name)?;
            Ok(host.containers.get(name).map(|container| live(name, container, now)))
        })
        .await
    }

    async fn registry_image(&self, reference: &str) -> Result<RegistryImage, PortError> {
        self.call(&format!("ask for {reference}"), |_, registry, _| {
            let found = match reference.split_once('@') {
                Some((_, pinned)) => {
                    registry.values().find(|image| image.digest.as_deref() == Some(pinned))
                }
                None => registry.get(reference),
            };
            let digest = found.and_then(|image| image.digest.clone());
            let digest =
                digest.ok_or_else(|| PortError::NotFound(format!("no image {reference}")))?;
            Ok(RegistryImage { digest, ..RegistryImage::default() })
        })
        .await
    }

    async fn pull(
        &self,
        reference: &str,
        digest: Option<&str>,
        _platform: Option<&str>,
    ) -> Result<Applied, PortError> {
        self.call(&format!("pull {reference}"), |host, registry, _| {
            let image = registry
                .get(reference)
                .ok_or_else(|| PortError::NotFound(format!("no image {reference}")))?;
            host.has_room()?;
            if digest.is_some() && digest != image.digest.as_deref() {
                return Err(PortError::Moved(format!("{reference} is another image now")));
            }
            let before = host.images.insert(reference.to_owned(), image.clone());
            Ok(if before.as_ref() == Some(image) { Applied::AlreadyTrue } else { Applied::Changed })
        })
        .await
    }

    async fn create_network(&self, name: &str, body: &Value) -> Result<Applied, PortError> {
        self.act(&format!("create network {name}"), Of::Labels(body), |host, _, _| {
            host.has_room()?;
            let (labels, stack) = owned(body);
            if let Some(there) = host.networks.get(name) {
                return guards::stands(there.stack.as_ref(), stack.as_ref(), name);
            }
            let subnets = guards::subnets(host, body)?;
            let whose = Owner::read(&strings(body.get("Labels")));
            host.network_owners.extend(whose.map(|(owner, _)| (name.to_owned(), owner)));
            let network = LiveNetwork {
                id: name.to_owned(),
                stack,
                driver: text(body, "Driver").unwrap_or_else(|| "bridge".to_owned()),
                internal: body.get("Internal").and_then(Value::as_bool).unwrap_or(false),
                attachable: body.get("Attachable").and_then(Value::as_bool).unwrap_or(false),
                options: strings(body.get("Options")),
                labels,
                gateways: vec![IpAddr::V4(Ipv4Addr::new(172, 18, 0, 1))],
                subnets,
                ..LiveNetwork::default()
            };
            host.networks.insert(name.to_owned(), network);
            Ok(Applied::Changed)
        })
        .await
    }

    async fn create_volume(&self, name: &str, body: &Value) -> Result<Applied, PortError> {
        self.act(&format!("create volume {name}"), Of::Labels(body), |host, _, _| {
            host.has_room()?;
            let (labels, stack) = owned(body);
            if let Some(there) = host.volumes.get(name) {
                return guards::stands(there.stack.as_ref(), stack.as_ref(), name);
            }
            let volume = LiveVolume {
                stack,
                driver: text(body, "Driver").unwrap_or_else(|| "local".to_owned()),
                options: strings(body.get("DriverOpts")),
                labels,
            };
            host.volumes.insert(name.to_owned(), volume);
            Ok(Applied::Changed)
        })
        .await
    }

    async fn create(&self, replica: &Replica, files: &[Vec<u8>]) -> Result<Applied, PortError> {
        let identity = &replica.identity;
        let of = (identity.stack.clone(), identity.service.clone());
        // Slot 0 is a helper that runs before the others.
        let is_job = identity.slot == 0 || self.run.world.state().jobs.contains(&of);
        self.act(
            &format!("create {}", replica.name),
            Of::Stack(&identity.owner, &identity.stack),
            |host, _, _| create(host, replica, is_job, files, &self.host),
        )
        .await
    }

    async fn start(&self, name: &str) -> Result<Applied, PortError> {
        self.act(&format!("start {name}"), Of::Container(name), |host, _, now| {
            guards::container(host, name)?;
            if found(host, name)?.status_at(now) == Status::Running {
                return Ok(Applied::AlreadyTrue);
            }
            guards::ports(host, name, now)?;
            let container = found(host, name)?;
            container.status = Status::Running;
            container.started_at = now;
            container.ends_at = None;
            Ok(Applied::Changed)
        })
        .await
        .inspect(|_| self.run.world.state().accuse(&self.host, name))
    }

    async fn run_hook(&self, name: &str, hook: &Hook) -> Result<HookEnd, PortError> {
        self.call(&format!("hook in {name}: {}", hook.command.join(" ")), |host, _, now| {
            guards::container(host, name)?;
            if found(host, name)?.status_at(now) != Status::Running {
                return Err(PortError::Refused(format!("{name} does not run")));
            }
            Ok(HookEnd { code: guards::exit_code(hook), output: String::new() })
        })
        .await
    }

    async fn ask(&self, question: Question<'_>) -> Result<(), String> {
        let world = &self.run.world;
        let answer = || {
            let now = world.now();
            let state = world.state();
            let host = state.hosts.get(&self.host);
            host.filter(|it| it.answers()).ok_or_else(SimHost::refused)?;
            let container = state.container_at(&self.host, question.at);
            Ok(match container {
                None => Err("connection refused".to_owned()),
                Some(container) if container.is_ready(now) => Ok(()),
                Some(_) => Err("503".to_owned()),
            })
        };
        self.run.to_engine(&self.host).await;
        self.run.faults.call(answer).await.unwrap_or_else(|error| Err(error.to_string()))
    }

    async fn stop(
        &self,
        name: &str,
        id: Option<&str>,
        _grace: Duration,
    ) -> Result<Applied, PortError> {
        let applied = self
            .act(&format!("stop {name}"), Of::Container(name), |host, _, now| {
                if id.is_none() {
                    guards::container(host, name)?;
                }
                let Some(container) = host.containers.get_mut(name).filter(|it| is_it(it, id))
                else {
                    return Ok(Applied::AlreadyTrue);
                };
                if container.status_at(now) != Status::Running {
                    return Ok(Applied::AlreadyTrue);
                }
                container.ends_at.get_or_insert(now + ENDING);
                Ok(Applied::Changed)
            })
            .await?;
        if applied == Applied::Changed {
            tokio::time::sleep(Duration::from_millis(ENDING)).await;
        }
        Ok(applied)
    }

    async fn remove(&self, name: &str, id: Option<&str>) -> Result<Applied, PortError> {
        self.act(&format!("remove {name}"), Of::Container(name), |host, _, now| {
            if id.is_none() {
                guards::container(host, name)?;
            }
            let Some(container) = host.containers.get(name).filter(|it| is_it(it, id)) else {
                return Ok(Applied::AlreadyTrue);
            };
            if container.status_at(now) == Status::Running {
                return Err(PortError::Refused(format!("{name} runs")));
            }
            host.containers.remove(name);
            Ok(Applied::Changed)
        })
        .await
    }

    async fn remove_network(&self, name: &str) -> Result<Applied, PortError> {
        self.act(&format!("remove network {name}"), Of::Network(name), |host, _, _| {
            guards::owned(host.networks.get(name).map(|it| it.stack.as_ref()), name)?;
            let users = host.containers.values().filter(|it| uses_network(it, name)).count();
            if users > 0 {
                return Err(PortError::Refused(format!("{name} has {users} containers")));
            }
            Ok(gone(host.networks.remove(name)))
        })
        .await
    }

    async fn remove_volume(&self, name: &str) -> Result<Applied, PortError> {
        self.call(&format!("remove volume {name}"), |host, _, _| {
            guards::owned(host.volumes.get(name).map(|it| it.stack.as_ref()), name)?;
            guards::volume_in_use(host, name)?;
            Ok(gone(host.volumes.remove(name)))
        })
        .await
    }

    async fn record(
        &self,
        owner: &Owner,
        stack: &StackName,
        release: &Release,
    ) -> Result<Applied, PortError> {
        self.act(&format!("record {stack}"), Of::Stack(owner, stack), |host, _, _| {
            if release.commits.is_empty() {
                return Ok(gone(host.releases.remove(stack)));
            }
            let before = host.releases.insert(stack.clone(), release.clone());
            let is_same = before.as_ref() == Some(release);
            Ok(if is_same { Applied::AlreadyTrue } else { Applied::Changed })
        })
        .await
    }

    async fn mark_drained(&self, mark: Option<&Drained>) -> Result<Applied, PortError> {
        self.call("mark drained", |host, _, _| {
            let before = std::mem::replace(&mut host.drained, mark.cloned());
            Ok(if before.as_ref() == mark { Applied::AlreadyTrue } else { Applied::Changed })
        })
        .await
    }

    async fn events(
        &self,
        _owner: &Owner,
        told: &mut (dyn FnMut(Stir) -> bool + Send),
    ) -> Result<(), PortError> {
        let mut stirs = self.run.world.stirs.subscribe();
        loop {
            let stir = match stirs.recv().await {
                Ok((host, stir)) if host == self.host => stir,
                Ok(_) => continue,
                Err(_) => Stir { stack: None, what: "missed".to_owned() },
            };
            if !told(stir) {
                return Ok(());
            }
        }
    }

    async fn logs(
        &self,
        name: &str,
        _options: &LogOptions,
        line: &mut (dyn FnMut(LogLine) -> bool + Send),
    ) -> Result<(), PortError> {
        self.call(&format!("logs {name}"), |host, _, _| {
            guards::container(host, name)?;
            found(host, name).map(drop)
        })
        .await?;
        // The worst that an application can do is to print all that it was given.
        let told = self.run.world.state().told(&self.host, name);
        line(LogLine { is_error: false, text: format!("{name}: hello {told}") });
        Ok(())
    }
}

fn create(
    host: &mut SimHost,
    replica: &Replica,
    is_job: bool,
    files: &[Vec<u8>],
    place: &HostName,
) -> Result<Applied, PortError> {
    host.has_room()?;
    if host.foreign.names.contains(&replica.name) {
        return Err(PortError::Moved(format!("the name {} is taken", replica.name)));
    }
    if let Some(there) = host.containers.get(&replica.name) {
        let is_ours = there.identity == replica.identity && there.status == Status::Created;
        return match is_ours {
            true => Ok(Applied::AlreadyTrue),
            false => Err(PortError::Moved(format!("{} is there already", replica.name))),
        };
    }
    let reference = text(&replica.body, "Image").unwrap_or_default();
    let image = host
        .images
        .get(&reference)
        .ok_or_else(|| PortError::NotFound(format!("no image {reference}")))?
        .clone();
    if replica.image.as_ref().is_some_and(|id| *id != image.id) {
        return Err(PortError::Moved(format!("{reference} is another image now")));
    }
    let id = host.next_id(place);
    let last = u8::try_from(host.ids % 250).unwrap_or(0);
    let container = SimContainer {
        id,
        identity: replica.identity.clone(),
        status: Status::Created,
        started_at: 0,
        exit_code: 0,
        image: image.id,
        app: if is_job { App::JOB } else { image.app },
        published: SimContainer::bindings(&replica.body),
        config: replica.body.clone(),
        address: IpAddr::V4(Ipv4Addr::new(172, 18, 1, last.saturating_add(2))),
        ends_at: None,
        restarts: 0,
        flaps_until: 0,
        told: files.iter().map(|it| String::from_utf8_lossy(it).into_owned()).collect(),
    };
    host.containers.insert(replica.name.clone(), container);
    Ok(Applied::Changed)
}

fn survey(
    host: &SimHost,
    registry: &BTreeMap<String, SimImage>,
    owner: &Owner,
    wanted: &Wanted,
    now: Millis,
) -> HostState {
    let is_ours = |(_, container): &(&String, &SimContainer)| container.identity.owner == *owner;
    let containers: BTreeMap<String, LiveContainer> = host
        .containers
        .iter()
        .filter(is_ours)
        .map(|(name, container)| (name.clone(), live(name, container, now)))
        .collect();
    let mut images = BTreeMap::new();
    for (reference, _) in &wanted.images {
        let here = host.images.get(reference).map(image);
        images.insert(reference.clone(), Ok(here.unwrap_or_default()));
    }
    for container in host.containers.values() {
        let known = host.images.values().chain(registry.values());
        if let Some(found) = known.into_iter().find(|image| image.id == container.image) {
            images.insert(container.image.clone(), Ok(image(found)));
        }
    }
    HostState {
        engine: EngineInfo { clock: host.time(now), ..host.engine.clone().unwrap_or_else(unknown) },
        containers,
        networks: host.networks.clone(),
        volumes: host.volumes.clone(),
        images,
        foreign: host.others(owner),
        releases: host.releases.clone(),
        drained: host.drained.clone(),
    }
}

/// An engine that nobody has said anything about.
pub(super) fn unknown() -> EngineInfo {
    EngineInfo {
        version: "simulated".into(),
        cpus: 8,
        memory: 16 << 30,
        platform: "linux/amd64".into(),
        clock: 0,
        labels: BTreeMap::new(),
        swarm: None,
    }
}

fn image(image: &SimImage) -> Image {
    Image {
        id: Some(image.id.clone()),
        digests: image.digest.iter().cloned().collect(),
        config: image.config.clone().into(),
        ..Image::default()
    }
}

fn live(name: &str, container: &SimContainer, now: Millis) -> LiveContainer {
    let has_check = container.config.get("Healthcheck").is_some_and(|check| {
        check.get("Test").and_then(Value::as_array).is_some_and(|test| {
            !test.is_empty() && test.first().and_then(Value::as_str) != Some("NONE")
        })
    });
    let health = || match container.is_ready(now) {
        true => Health::Healthy,
        false if now < container.flaps_until => Health::Unhealthy("no answer".into()),
        false => Health::Starting,
    };
    LiveContainer {
        id: container.id.clone(),
        name: name.to_owned(),
        identity: container.identity.clone(),
        state: ContainerState {
            status: container.status_at(now),
            started_at: container.started_at,
            exit_code: container.exit_code_at(now),
            restarts: container.restarts,
            health: has_check.then(health),
        },
        image: container.image.as_str().into(),
        config: without_identity(container.config.clone()).into(),
        addresses: BTreeMap::from([("default".to_owned(), container.address)]).into(),
    }
}

/// Labels that say whose a container is are no part of its configuration.
fn without_identity(mut config: Value) -> Value {
    if let Some(labels) = config.get_mut("Labels").and_then(Value::as_object_mut) {
        labels.retain(|key, _| !is_reserved(key));
    }
    config
}

fn found<'a>(host: &'a mut SimHost, name: &str) -> Result<&'a mut SimContainer, PortError> {
    host.containers.get_mut(name).ok_or_else(|| PortError::NotFound(format!("no container {name}")))
}

fn is_it(container: &SimContainer, id: Option<&str>) -> bool {
    id.is_none_or(|id| id == container.id)
}

fn uses_network(container: &SimContainer, name: &str) -> bool {
    let networks = container.config.pointer("/NetworkingConfig/EndpointsConfig");
    networks.and_then(Value::as_object).is_some_and(|networks| networks.contains_key(name))
}

fn gone<T>(removed: Option<T>) -> Applied {
    if removed.is_some() { Applied::Changed } else { Applied::AlreadyTrue }
}

fn text(value: &Value, key: &str) -> Option<String> {
    Some(value.get(key)?.as_str()?.to_owned())
}

fn strings(value: Option<&Value>) -> BTreeMap<String, String> {
    let map = value.and_then(Value::as_object).into_iter().flatten();
    map.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
}

/// The user's labels of a request, and the stack it is for.
fn owned(body: &Value) -> (BTreeMap<String, String>, Option<StackName>) {
    let all = strings(body.get("Labels"));
    let stack = Owner::read(&all).map(|(_, stack)| stack);
    let own = all.into_iter().filter(|(key, _)| !is_reserved(key)).collect();
    (own, stack)
}

fn is_reserved(key: &str) -> bool {
    crate::model::RESERVED_LABELS.contains(&key)
}
