//! One look at a host: the engine, what is ours, and what stands around it.
//!
//! The lists come at once, and what they lead to is looked at in detail, several at a time, as soon
//! as its list is there: containers of ours, those that rest, images. What disappears in between was
//! not there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use bollard::models::{ContainerSummary, LocalNodeState, Network, SwarmInfo, SystemInfo, Volume};
use bollard::query_parameters::{ListContainersOptions, ListNetworksOptions, ListVolumesOptions};
use futures_util::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;

use super::client::{Docker, SLOW, within};
use super::drains;
use super::foreign;
use super::listening::listening;
use super::live::live_container;
use super::moment::millis;
use super::releases;
use super::resources::{owned, sorted};
use crate::model::{
    EngineInfo, HostState, Image, ImageFault, LiveContainer, LiveNetwork, LiveVolume, Owner,
    RESERVED_LABELS, Release, StackName, Swarm,
};
use crate::ports::{PortError, Wanted};

/// How many detailed looks are under way at a time: more bring nothing.
pub(super) const AT_A_TIME: usize = 16;

/// Images by what was asked for.
type Images = BTreeMap<String, Result<Image, ImageFault>>;

/// All containers of a host, ours in detail.
struct Around {
    ours: Vec<ContainerSummary>,
    others: Vec<ContainerSummary>,
    containers: BTreeMap<String, LiveContainer>,
    /// Others that do not run, in the engine's words.
    resting: Vec<Value>,
    /// Of ours.
    images: Images,
}

impl Docker {
    pub(super) async fn look(
        &self,
        owner: &Owner,
        wanted: &Wanted,
    ) -> Result<HostState, PortError> {
        let api = self.api().await?;
        let all = ListContainersOptions { all: true, ..ListContainersOptions::default() };
        let host = async {
            futures_util::try_join!(
                within(SLOW, "ask the engine about itself", api.info()),
                within(SLOW, "list networks", api.list_networks(None::<ListNetworksOptions>)),
                within(SLOW, "list volumes", api.list_volumes(None::<ListVolumesOptions>)),
            )
        };
        let containers = async {
            let all = within(SLOW, "list containers", api.list_containers(Some(all))).await?;
            self.around(owner, all).await
        };
        let asked_for = self.images(wanted.images.iter().cloned());
        let ((info, networks, volumes), around, asked_for, listening) =
            futures_util::try_join!(host, containers, asked_for, listening(self.way()))?;
        let Around { ours, others, containers, resting, mut images } = around;
        images.extend(asked_for);
        let mut foreign = foreign::foreign(&ours, &others, &containers, &resting, &listening);
        let known = live_networks(owner, wanted, &networks, &others);
        foreign.subnets = other_subnets(&networks, &known);
        let volumes = volumes.volumes.unwrap_or_default();
        Ok(HostState {
            engine: engine(&info),
            networks: known,
            releases: last_releases(owner, &volumes),
            drained: volumes.iter().find_map(drains::read),
            volumes: live_volumes(owner, wanted, volumes),
            containers,
            images,
            foreign,
        })
    }

    /// Containers in the engine's words; those that have gone are left out.
    pub(super) async fn details(&self, ids: Vec<String>) -> Result<Vec<Value>, PortError> {
        let looks = ids.into_iter().map(|id| async move { self.inspect_raw(&id).await });
        let seen: Vec<Option<Value>> =
            stream::iter(looks).buffered(AT_A_TIME).try_collect().await?;
        Ok(seen.into_iter().flatten().collect())
    }

    /// What the list of all containers leads to, at the same time.
    async fn around(
        &self,
        owner: &Owner,
        listed: Vec<ContainerSummary>,
    ) -> Result<Around, PortError> {
        let (ours, others): (Vec<_>, Vec<_>) =
            listed.into_iter().partition(|it| is_of(owner, &labels_of(it)));
        let ids = |listed: &mut dyn Iterator<Item = &ContainerSummary>| -> Vec<String> {
            listed.filter_map(|it| it.id.clone()).collect()
        };
        let own = ids(&mut ours.iter());
        let rest = ids(&mut others.iter().filter(|it| !foreign::is_running(it)));
        let used: BTreeSet<String> = ours.iter().filter_map(|it| it.image_id.clone()).collect();
        let (seen, resting, images) = futures_util::try_join!(
            self.details(own),
            self.details(rest),
            self.images(used.into_iter().map(|id| (id, None))),
        )?;
        let containers = seen.iter().filter_map(live_container);
        let containers = containers.map(|container| (container.name.clone(), container)).collect();
        Ok(Around { ours, others, containers, resting, images })
    }

    async fn images(
        &self,
        questions: impl Iterator<Item = (String, Option<String>)>,
    ) -> Result<Images, PortError> {
        let looks = questions.map(|(reference, platform)| async move {
            let image = self.image_here(&reference, platform.as_deref()).await?;
            Ok((reference, Ok(image)))
        });
        stream::iter(looks).buffered(AT_A_TIME).try_collect().await
    }
}

/// The engine about itself.
pub(super) fn engine(info: &SystemInfo) -> EngineInfo {
    let number = |number: Option<i64>| number.and_then(|it| u64::try_from(it).ok()).unwrap_or(0);
    let pairs = info.labels.iter().flatten();
    let os = info.os_type.as_deref().unwrap_or("linux");
    EngineInfo {
        version: info.server_version.clone().unwrap_or_default(),
        cpus: number(info.ncpu),
        memory: number(info.mem_total),
        platform: format!("{os}/{}", architecture(info.architecture.as_deref())),
        clock: clock(info),
        labels: pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect(),
        swarm: info.swarm.as_ref().and_then(swarm),
    }
}

/// The engine as a node; `None` when it is in no swarm, or does not take part in it now.
fn swarm(info: &SwarmInfo) -> Option<Swarm> {
    let node = info.node_id.clone().filter(|id| !id.is_empty())?;
    if info.local_node_state != Some(LocalNodeState::ACTIVE) {
        return None;
    }
    let managers = info.remote_managers.iter().flatten().filter_map(|peer| peer.node_id.clone());
    let is_manager = info.control_available.unwrap_or(false);
    let own = is_manager.then(|| node.clone());
    Some(Swarm { managers: managers.chain(own).collect(), node, is_manager })
}

/// The engine's own clock.
pub(super) fn clock(info: &SystemInfo) -> u64 {
    millis(info.system_time.as_deref().unwrap_or_default())
}

/// The engine says what the kernel says; platforms of images are spelled otherwise.
fn architecture(kernel: Option<&str>) -> &str {
    match kernel.unwrap_or_default() {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "armv7l" => "arm/v7",
        "armv6l" => "arm/v6",
        "i686" | "i386" => "386",
        other => other,
    }
}

/// A container's labels in a list.
pub(super) fn labels_of(listed: &ContainerSummary) -> BTreeMap<String, String> {
    sorted(listed.labels.iter().flatten())
}

/// A container's name in a list.
pub(super) fn name_of(listed: &ContainerSummary) -> Option<&str> {
    // A name with another slash is a link of an old kind.
    let names = listed.names.iter().flatten().map(|name| name.trim_start_matches('/'));
    names.into_iter().find(|name| !name.contains('/'))
}

fn is_of(owner: &Owner, labels: &BTreeMap<String, String>) -> bool {
    stack_of(owner, labels).is_some()
}

fn stack_of(owner: &Owner, labels: &BTreeMap<String, String>) -> Option<StackName> {
    Owner::read(labels).filter(|(whose, _)| whose == owner).map(|(_, stack)| stack)
}

fn own_labels(labels: BTreeMap<String, String>) -> BTreeMap<String, String> {
    labels.into_iter().filter(|(key, _)| !RESERVED_LABELS.contains(&key.as_str())).collect()
}

fn live_networks(
    owner: &Owner,
    wanted: &Wanted,
    networks: &[Network],
    others: &[ContainerSummary],
) -> BTreeMap<String, LiveNetwork> {
    let mut found: BTreeMap<String, LiveNetwork> = BTreeMap::new();
    for network in networks {
        let labels = owned(network);
        let stack = stack_of(owner, &labels);
        let Some(name) = network.name.clone() else { continue };
        // Names are not unique: ours counts.
        let is_known = found.get(&name).is_some_and(|known| known.stack.is_some());
        if is_known || stack.is_none() && !wanted.networks.contains(&name) {
            continue;
        }
        let live = live_network(network, stack, labels, inside(&name, others));
        found.insert(name, live);
    }
    found
}

/// Ranges of the networks of the host that are not `known`.
fn other_subnets(
    networks: &[Network],
    known: &BTreeMap<String, LiveNetwork>,
) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for network in networks {
        let Some(name) = &network.name else { continue };
        let is_overlay = network.driver.as_deref() == Some("overlay");
        let pools = network.ipam.iter().flat_map(|ipam| ipam.config.iter().flatten());
        let subnets: Vec<String> = pools.filter_map(|pool| pool.subnet.clone()).collect();
        if !known.contains_key(name) && !is_overlay && !subnets.is_empty() {
            found.insert(name.clone(), subnets);
        }
    }
    found
}

fn live_network(
    network: &Network,
    stack: Option<StackName>,
    labels: BTreeMap<String, String>,
    others: BTreeSet<String>,
) -> LiveNetwork {
    let ranges = network.ipam.iter().flat_map(|ipam| ipam.config.iter().flatten());
    let driver = network.driver.clone().unwrap_or_default();
    LiveNetwork {
        id: network.id.clone().unwrap_or_default(),
        stack,
        internal: network.internal.unwrap_or(false),
        attachable: network.attachable.unwrap_or(false),
        options: sorted(network.options.iter().flatten()),
        labels: own_labels(labels),
        subnets: ranges.clone().filter_map(|range| range.subnet.clone()).collect(),
        gateways: ranges
            .filter_map(|range| match &range.gateway {
                Some(gateway) => gateway.split('/').next()?.parse().ok(),
                // The engine takes the first address and does not say so.
                None if driver == "bridge" => first_address(range.subnet.as_deref()?),
                None => None,
            })
            .collect(),
        driver,
        others,
    }
}

fn first_address(subnet: &str) -> Option<IpAddr> {
    let base: Ipv4Addr = subnet.split('/').next()?.parse().ok()?;
    Some(IpAddr::V4(Ipv4Addr::from(u32::from(base).checked_add(1)?)))
}

/// Names of the containers in a network that are not ours.
fn inside(network: &str, others: &[ContainerSummary]) -> BTreeSet<String> {
    let is_inside = |it: &&ContainerSummary| {
        let places = it.network_settings.as_ref().and_then(|it| it.networks.as_ref());
        places.is_some_and(|places| places.contains_key(network))
    };
    let inside = others.iter().filter(is_inside);
    inside.filter_map(name_of).map(str::to_owned).collect()
}

fn live_volumes(
    owner: &Owner,
    wanted: &Wanted,
    volumes: Vec<Volume>,
) -> BTreeMap<String, LiveVolume> {
    let mut found = BTreeMap::new();
    for volume in volumes {
        let labels = sorted(&volume.labels);
        let stack = stack_of(owner, &labels);
        let is_asked_for = stack.is_some() || wanted.volumes.contains(&volume.name);
        if is_asked_for && releases::read(&volume).is_none() {
            let live = LiveVolume {
                stack,
                driver: volume.driver,
                options: sorted(volume.options),
                labels: own_labels(labels),
            };
            found.insert(volume.name, live);
        }
    }
    found
}

fn last_releases(owner: &Owner, volumes: &[Volume]) -> BTreeMap<StackName, Release> {
    let mut last: BTreeMap<StackName, Release> = BTreeMap::new();
    for (whose, stack, release) in volumes.iter().filter_map(releases::read) {
        let is_newer = last.get(&stack).is_none_or(|it| it.generation < release.generation);
        if whose == *owner && is_newer {
            last.insert(stack, release);
        }
    }
    last
}
