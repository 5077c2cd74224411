//! Ranges of addresses that cannot be on one host together: an engine would refuse the second, in
//! the middle of a rollout. And ranges that would cut a host off from another one.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Problem;
use super::draft::Draft;
use super::world::World;
use crate::model::{HostName, Op, Subnet};
use crate::settings::Address;

/// The driver when none is named: its networks are routes of their host.
const BRIDGE: &str = "bridge";
/// The driver whose networks are no host's.
const OVERLAY: &str = "overlay";

/// A network that the plan makes, or that is there.
struct Range<'a> {
    network: &'a str,
    subnet: Subnet,
    text: &'a str,
    driver: &'a str,
}

/// What is wrong with the networks that a plan makes.
pub(super) fn check(draft: &Draft<'_, '_>) -> Vec<Problem> {
    let world = draft.world;
    let mut problems = Vec::new();
    let mut made: BTreeMap<&HostName, Vec<Range<'_>>> = BTreeMap::new();
    for step in &draft.graph.steps {
        let Op::CreateNetwork { name, body } = &step.op else { continue };
        for range in ranges(name, body) {
            if let Some(name) = cut_off(world, &range) {
                problems.push(unreachable(&range, name));
            }
            let known = made.entry(&step.host).or_default();
            let mut others = there(world, &step.host);
            others.retain(|it| it.network != range.network);
            if let Some(other) = known.iter().chain(&others).find(|it| meets(it, &range)) {
                problems.push(clash(&range, other, &step.host));
            }
            known.push(range);
        }
    }
    problems
}

/// The ranges that a request to make a network names.
fn ranges<'a>(network: &'a str, body: &'a Value) -> Vec<Range<'a>> {
    let driver = body.get("Driver").and_then(Value::as_str).unwrap_or(BRIDGE);
    let pools = body.pointer("/IPAM/Config").and_then(Value::as_array);
    let texts = pools.into_iter().flatten().filter_map(|it| it.get("Subnet")?.as_str());
    texts.filter_map(|text| range(network, text, driver)).collect()
}

fn range<'a>(network: &'a str, text: &'a str, driver: &'a str) -> Option<Range<'a>> {
    Some(Range { network, subnet: Subnet::parse(text)?, text, driver })
}

/// The ranges of the networks that a host has.
fn there<'a>(world: &World<'a>, host: &HostName) -> Vec<Range<'a>> {
    let Some(state) = world.hosts.get(host) else { return Vec::new() };
    let known = state.networks.iter().flat_map(|(name, live)| {
        live.subnets.iter().filter_map(move |text| range(name, text, &live.driver))
    });
    let foreign = state.foreign.subnets.iter();
    let foreign =
        foreign.flat_map(|(name, all)| all.iter().filter_map(move |it| range(name, it, BRIDGE)));
    known.chain(foreign).collect()
}

/// The engine keeps the ranges of overlays apart from those of the host.
fn meets(one: &Range<'_>, other: &Range<'_>) -> bool {
    (one.driver == OVERLAY) == (other.driver == OVERLAY)
        && one.network != other.network
        && one.subnet.overlaps(&other.subnet)
}

/// A host of the inventory whose address would lead into the network. Other drivers than the
/// bridge may well be in the network of the hosts.
fn cut_off<'a>(world: &World<'a>, range: &Range<'_>) -> Option<&'a str> {
    if range.driver != BRIDGE {
        return None;
    }
    let lies_within = |address: &Address| match address {
        Address::Ip(ip) => !ip.is_loopback() && range.subnet.has(*ip),
        Address::Name(_) => false,
    };
    let mut hosts = world.request.inventory.hosts.iter();
    hosts.find(|(_, settings)| lies_within(&settings.address)).map(|(name, _)| name.as_str())
}

fn clash(range: &Range<'_>, other: &Range<'_>, host: &HostName) -> Problem {
    Problem::invalid(format!(
        "the network {} with {} cannot be on {host} together with the network {}, which has {}",
        range.network, range.text, other.network, other.text
    ))
    .hint("give it another `subnet`, or none: then the engine chooses one that is free")
}

fn unreachable(range: &Range<'_>, host: &str) -> Problem {
    Problem::invalid(format!(
        "the network {} with {} has the address of {host} in it, which its containers and its own \
         host could not reach any more",
        range.network, range.text
    ))
    .hint("give it another `subnet`, or none: then the engine chooses one that is free")
}
