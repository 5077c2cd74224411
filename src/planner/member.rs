//! The containers that a service will have, complete: name, ports, request, files. Everything a
//! step needs to make one is chosen here, once.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;

use super::Problem;
use super::decide::{Decision, Does, SlotDecision};
use super::id::hex;
use super::judge::{held_ports, image_named};
use super::ports::Ports;
use super::probing::probe_at;
use super::readiness::may_end;
use super::replica::{Asked, Asks};
use super::wanted::Wanted;
use super::world::{Sighting, World};
use crate::model::{
    CommitId, ContainerSpec, Endpoint, Generation, Hook, HostName, Identity, Image, Mark,
    ProxyPlace, Replica, ServiceName, Slot,
};
use crate::spec::{self, Published};

/// One container that a service will have.
pub(super) struct Member<'a> {
    pub(super) slot: Slot,
    pub(super) host: HostName,
    pub(super) name: String,
    pub(super) does: Does<'a>,
    pub(super) decision: SlotDecision<'a>,
    /// What is asked for, until it is made.
    pub(super) asks: Asks<'a>,
    /// What is made; `None` when it is there.
    pub(super) replica: Option<Arc<Replica>>,
    /// What runs to its end before it starts, in this order.
    pub(super) helpers: Vec<Arc<Replica>>,
    /// Where each proxy reaches it, by port of the container.
    pub(super) servers: BTreeMap<ProxyPlace, BTreeMap<u16, Endpoint>>,
    /// Where it is asked whether it is ready; `None` for its own address.
    pub(super) probe: Option<Endpoint>,
}

/// Chooses names and ports, so that no two are the same.
pub(super) struct Casting<'w, 'a> {
    world: &'w World<'a>,
    ports: Ports,
    /// Names that were given.
    given: BTreeMap<HostName, BTreeSet<String>>,
}

impl<'w, 'a> Casting<'w, 'a> {
    pub(super) fn new(world: &'w World<'a>) -> Self {
        Self { world, ports: Ports::new(world), given: BTreeMap::new() }
    }

    /// Chooses everything about the members of a decision.
    pub(super) fn members(
        &mut self,
        decision: &mut Decision<'a>,
        generation: Generation,
    ) -> Result<Vec<Member<'a>>, Vec<Problem>> {
        let mut problems = check_files(&decision.wanted).err().into_iter().collect::<Vec<_>>();
        let mut members = Vec::new();
        for slot in std::mem::take(&mut decision.slots) {
            match self.member(&decision.wanted, slot, generation) {
                Ok(mut member) => {
                    let is_first = !members.iter().any(|it: &Member<'a>| starts(&it.does));
                    match self.helpers(&decision.wanted, &member, generation, is_first) {
                        Ok(helpers) => member.asks.helpers = helpers,
                        Err(problem) => problems.push(problem),
                    }
                    members.push(member);
                }
                Err(problem) => problems.push(problem),
            }
        }
        problems.dedup();
        if problems.is_empty() { Ok(members) } else { Err(problems) }
    }

    fn member(
        &mut self,
        wanted: &Wanted<'a>,
        slot: SlotDecision<'a>,
        generation: Generation,
    ) -> Result<Member<'a>, Problem> {
        let ports = match slot.does.current() {
            Some(current) => self.held(wanted, current)?,
            None => self.fresh_ports(wanted, &slot.host)?,
        };
        let addresses = match slot.does {
            Does::Leave(_) => BTreeMap::new(),
            _ => wanted.addresses(self.world, &slot.host)?,
        };
        let own = match slot.does {
            Does::Create => Some(self.create(wanted, &slot, generation, &ports, &addresses)?),
            Does::Finish(current) => Some(self.finish(wanted, current, &ports, &addresses)?),
            Does::Keep(_) | Does::Leave(_) | Does::Prove(_) | Does::Start(_) => None,
        };
        let name = match (&own, slot.does.current()) {
            (Some(own), _) => own.name.clone(),
            (None, Some(current)) => current.live.name.clone(),
            (None, None) => String::new(),
        };
        let at = |address: &std::net::IpAddr| {
            let endpoint = |(port, host_port): (&u16, &u16)| {
                (*port, Endpoint { address: *address, port: *host_port })
            };
            ports.iter().map(endpoint).collect()
        };
        let servers = addresses.iter().map(|(place, it)| (place.clone(), at(it))).collect();
        let probe = match slot.does.is_fresh() && !wanted.is_one_shot && !may_end(wanted.target) {
            true => probe_at(self.world, wanted, &slot.host, &servers)?,
            false => None,
        };
        Ok(Member {
            slot: slot.slot,
            host: slot.host.clone(),
            name,
            does: slot.does,
            asks: Asks { own, helpers: Vec::new() },
            replica: None,
            helpers: Vec::new(),
            servers,
            probe,
            decision: slot,
        })
    }

    fn held(
        &self,
        wanted: &Wanted<'_>,
        current: Sighting<'_>,
    ) -> Result<BTreeMap<u16, u16>, Problem> {
        Ok(held_ports(self.world, wanted, current)?.unwrap_or_default())
    }

    fn fresh_ports(
        &mut self,
        wanted: &Wanted<'_>,
        host: &HostName,
    ) -> Result<BTreeMap<u16, u16>, Problem> {
        let mut ports = BTreeMap::new();
        for port in &wanted.ports {
            let Some(host_port) = self.ports.take(self.world, host) else {
                return Err(Problem::invalid(format!(
                    "{}: no port of {host} is free for it",
                    wanted.path()
                ))
                .hint(format!("give {host} a wider range under `ports:` of the inventory")));
            };
            ports.insert(*port, host_port);
        }
        Ok(ports)
    }

    fn create(
        &mut self,
        wanted: &Wanted<'a>,
        slot: &SlotDecision<'a>,
        generation: Generation,
        ports: &BTreeMap<u16, u16>,
        addresses: &BTreeMap<ProxyPlace, std::net::IpAddr>,
    ) -> Result<Asked<'a>, Problem> {
        let body = Body::of(wanted, &slot.host);
        let identity = self.identity(wanted, slot.slot, generation);
        let mut asked = self.asked(wanted, body, identity, ports, addresses)?;
        asked.name = self.name(wanted, slot, &asked)?;
        Ok(asked)
    }

    fn identity(&self, wanted: &Wanted<'_>, slot: Slot, generation: Generation) -> Identity {
        let request = self.world.request;
        let commit = request.commit_of(wanted.stack);
        Identity {
            owner: request.owner.clone(),
            stack: wanted.stack.clone(),
            service: wanted.service.clone(),
            slot,
            spec: wanted.target.spec_hash.clone(),
            inputs: wanted.inputs.clone(),
            generation,
            commit: commit.cloned().unwrap_or_else(|| CommitId::new("none")),
        }
    }

    /// The containers of `pre_start` that come before a member starts: its own, and before the
    /// first one those of the whole service.
    fn helpers(
        &mut self,
        wanted: &Wanted<'a>,
        member: &Member<'a>,
        generation: Generation,
        is_first: bool,
    ) -> Result<Vec<Asked<'a>>, Problem> {
        let mut helpers = Vec::new();
        if !starts(&member.does) {
            return Ok(helpers);
        }
        let due = |hook: &&Hook| is_first || hook.per_replica == Some(true);
        for hook in wanted.target.pre_start.iter().filter(due) {
            // Nobody shall find it under the name of the service.
            let alias = ServiceName::new(format!("{}-pre-start", wanted.service));
            let body = Body {
                container: Cow::Owned(helper(&wanted.target.container, hook)),
                alias: Cow::Owned(alias),
                host: &member.host,
            };
            let identity = self.identity(wanted, 0, generation);
            let (ports, addresses) = (BTreeMap::new(), BTreeMap::new());
            let mut asked = self.asked(wanted, body, identity, &ports, &addresses)?;
            asked.name = self.free_name(wanted, 0, &asked);
            helpers.push(asked);
        }
        Ok(helpers)
    }

    /// The same container again, so that what was begun is found and made complete.
    fn finish(
        &self,
        wanted: &Wanted<'a>,
        current: Sighting<'a>,
        ports: &BTreeMap<u16, u16>,
        addresses: &BTreeMap<ProxyPlace, std::net::IpAddr>,
    ) -> Result<Asked<'a>, Problem> {
        let identity = current.live.identity.clone();
        let body = Body::of(wanted, current.host);
        let asked = self.asked(wanted, body, identity, ports, addresses)?;
        Ok(Asked { name: current.live.name.clone(), ..asked })
    }

    /// All but its name.
    fn asked(
        &self,
        wanted: &Wanted<'a>,
        body: Body<'_, 'a>,
        identity: Identity,
        ports: &BTreeMap<u16, u16>,
        addresses: &BTreeMap<ProxyPlace, std::net::IpAddr>,
    ) -> Result<Asked<'a>, Problem> {
        let Body { container, alias, host } = body;
        let state = self.world.hosts[host];
        let addresses: BTreeSet<_> = addresses.values().copied().collect();
        let at =
            |port: u16| addresses.iter().map(move |address| Endpoint { address: *address, port });
        let published = ports.iter().map(|(port, host_port)| Published {
            container_port: *port,
            at: at(*host_port).collect(),
        });
        Ok(Asked {
            name: String::new(),
            host: host.clone(),
            state,
            stack: wanted.stack,
            service: wanted.service,
            all: wanted.all,
            image: image_named(wanted, state, &container.image)?,
            container,
            alias,
            identity,
            published: published.collect(),
        })
    }

    /// `<project>-<stack>-<service>-<slot>-<six digits>`, or the one that the commit fixes.
    fn name(
        &mut self,
        wanted: &Wanted<'_>,
        slot: &SlotDecision<'_>,
        asked: &Asked<'_>,
    ) -> Result<String, Problem> {
        if let Some(name) = &wanted.target.container.container_name {
            let is_own =
                slot.olds.iter().any(|old| old.host == &slot.host && old.live.name == *name);
            if !is_own && !self.give(&slot.host, name) {
                return Err(Problem::invalid(format!(
                    "{}: the name {name} is taken by another container on {}",
                    wanted.path(),
                    slot.host
                ))
                .hint("remove that container, or give the service another `container_name`"));
            }
            return Ok(name.clone());
        }
        Ok(self.free_name(wanted, slot.slot, asked))
    }

    fn free_name(&mut self, wanted: &Wanted<'_>, slot: Slot, asked: &Asked<'_>) -> String {
        let owner = &self.world.request.owner;
        let stem = format!("{}-{}-{}-{slot}", owner.project, wanted.stack, wanted.service);
        let mut names =
            (0_u64..).map(|incarnation| format!("{stem}-{}", digits(asked, incarnation)));
        let name = names.find(|name| self.give(&asked.host, name));
        name.expect("an unbounded number of names is not taken")
    }

    /// Gives a name away, unless somebody has it.
    fn give(&mut self, host: &HostName, name: &str) -> bool {
        let is_taken = self.world.hosts.get(host).is_some_and(|state| {
            state.containers.contains_key(name) || state.foreign.names.contains(name)
        });
        !is_taken && self.given.entry(host.clone()).or_default().insert(name.to_owned())
    }
}

/// What a container is asked to be, and where.
struct Body<'b, 'a> {
    container: Cow<'a, ContainerSpec>,
    /// The name it is found by in the stack's networks.
    alias: Cow<'a, ServiceName>,
    host: &'b HostName,
}

impl<'b, 'a> Body<'b, 'a> {
    fn of(wanted: &Wanted<'a>, host: &'b HostName) -> Self {
        let container = Cow::Borrowed(&wanted.target.container);
        Self { container, alias: Cow::Borrowed(wanted.service), host }
    }
}

/// Whether a member's process begins in this plan.
fn starts(does: &Does<'_>) -> bool {
    match does {
        Does::Create | Does::Finish(_) | Does::Start(_) => true,
        Does::Keep(_) | Does::Leave(_) | Does::Prove(_) => false,
    }
}

/// The container that a hook before the start runs in: the service's own, with the hook's command
/// and without what only one that serves has.
fn helper(container: &ContainerSpec, hook: &Hook) -> ContainerSpec {
    let mut helper = container.clone();
    helper.image = hook.image.clone().unwrap_or(helper.image);
    helper.command = Some(hook.command.clone());
    helper.entrypoint = None;
    helper.user = hook.user.clone().or(helper.user);
    helper.privileged = hook.privileged.or(helper.privileged);
    helper.working_dir = hook.working_dir.clone().or(helper.working_dir);
    helper.env.extend(hook.env.clone());
    helper.ports = Vec::new();
    helper.healthcheck = None;
    helper.restart = None;
    helper.container_name = None;
    for attachment in helper.networks.values_mut() {
        attachment.aliases = Vec::new();
        attachment.ipv4_address = None;
        attachment.ipv6_address = None;
        attachment.mac_address = None;
    }
    helper
}

/// Six digits that differ between any two containers that differ, as good as always, and between
/// incarnations. What a container is asked to be follows from what is hashed.
fn digits(asked: &Asked<'_>, incarnation: u64) -> String {
    let Identity { owner, stack: _, service: _, slot: _, spec, inputs, generation, commit } =
        &asked.identity;
    let Image { id, digest, needs_pull, .. } = asked.image;
    let image = if *needs_pull { digest } else { id };
    let mut text = String::with_capacity(256);
    for port in &asked.published {
        for at in &port.at {
            write!(text, "{} {at} ", port.container_port).expect("a text takes what is written");
        }
    }
    let numbers = [generation.to_le_bytes(), incarnation.to_le_bytes()];
    let mark = Mark::of([
        owner.environment.as_str().as_bytes(),
        asked.host.as_str().as_bytes(),
        spec.as_str().as_bytes(),
        image.as_deref().unwrap_or_default().as_bytes(),
        inputs.as_bytes(),
        commit.as_str().as_bytes(),
        text.as_bytes(),
        numbers.as_flattened(),
    ]);
    hex(&mark.as_bytes()[..3])
}

/// A file needs a directory that can become a volume when the container's own file system cannot be
/// written.
pub(super) fn check_files(wanted: &Wanted<'_>) -> Result<(), Problem> {
    let container: &ContainerSpec = &wanted.target.container;
    if !spec::file_volumes(container).contains("/") {
        return Ok(());
    }
    let files = spec::files(container);
    let file = files.iter().find(|file| file.target.rfind('/') == Some(0));
    let target = file.map_or("a file", |file| &file.target);
    Err(Problem::invalid(format!(
        "{}: {target} cannot be brought into a container with `read_only: true`",
        wanted.path()
    ))
    .hint("give it a directory: `target: /etc/shop/name`; that becomes a volume of the container"))
}
