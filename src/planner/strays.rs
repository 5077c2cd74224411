//! Proxies that had routes of ours when a stack was released, and that nobody knows any more: what
//! their files say cannot be read, and is never changed.

use std::collections::{BTreeMap, BTreeSet};

use super::reach::Reach;
use super::world::World;
use crate::model::{ProxyPlace, Release, StackName};

/// Proxies that are in the inventory no more and may still send to a stack.
pub(super) fn strays(
    world: &World<'_>,
    reach: &Reach<'_>,
) -> BTreeMap<ProxyPlace, BTreeSet<StackName>> {
    let mut found: BTreeMap<ProxyPlace, BTreeSet<StackName>> = BTreeMap::new();
    for stack in &reach.stacks {
        let places = last(world, stack).into_iter().flat_map(|release| &release.proxies);
        for place in places.filter(|place| !is_known(world, place)) {
            found.entry(place.clone()).or_default().insert((*stack).clone());
        }
    }
    found
}

/// The proxies to remember with a release: those that `send` to the stack, and those that did
/// before it and do not answer now.
pub(super) fn remembered(
    world: &World<'_>,
    stack: &StackName,
    send: BTreeSet<ProxyPlace>,
) -> BTreeSet<ProxyPlace> {
    let before = last(world, stack).into_iter().flat_map(|release| &release.proxies);
    let silent = before.filter(|place| world.silent_proxies.contains_key(place));
    silent.cloned().chain(send).collect()
}

fn last<'a>(world: &World<'a>, stack: &StackName) -> Option<&'a Release> {
    let releases = world.hosts_of(stack).filter_map(|(_, state)| state.releases.get(stack));
    releases.max_by_key(|release| release.generation)
}

fn is_known(world: &World<'_>, place: &ProxyPlace) -> bool {
    let proxy = world.proxy(place.proxy.as_str());
    proxy.is_some_and(|it| it.hosts.iter().any(|host| host.as_str() == place.host.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::fixture::{Fleet, TWO_PROXIES};

    const WEB: &str = "
services:
  web:
    image: shop:1
    x-gitdeploy: {routes: [{host: shop.example.com, port: 8080, proxy: edge}]}
";

    /// The proxies that are said to be unknown, after one on `b` was taken out.
    fn found(fleet: &Fleet) -> Vec<String> {
        let plan = fleet.plan().expect("a plan");
        let said = |(place, stacks): (&ProxyPlace, &BTreeSet<StackName>)| {
            let stacks: Vec<&str> = stacks.iter().map(StackName::as_str).collect();
            format!("{} on {}: {}", place.proxy, place.host, stacks.join(", "))
        };
        plan.strays.iter().map(said).collect()
    }

    fn without_b() -> Fleet {
        let mut fleet = Fleet::new(TWO_PROXIES);
        fleet.want("shop", WEB);
        fleet.deploy();
        fleet.want("mail", "services: {mail: {image: m}}");
        fleet.deploy();
        assert_eq!(found(&fleet), Vec::<String>::new());
        let proxy = fleet.inventory.proxies.values_mut().next().expect("a proxy");
        proxy.hosts.retain(|host| host.as_str() == "a");
        fleet.observed.proxies.retain(|place, _| place.host.as_str() == "a");
        fleet.sites.retain(|place, _| place.host.as_str() == "a");
        fleet
    }

    #[test]
    fn a_proxy_that_left_the_inventory_with_our_routes_is_named() {
        assert_eq!(found(&without_b()), ["edge on b: shop"]);
    }

    #[test]
    fn the_next_release_is_recorded_without_it() {
        let mut fleet = without_b();
        fleet.want("shop", &WEB.replace("shop:1", "shop:2"));
        assert_eq!(found(&fleet), ["edge on b: shop"]);
        fleet.deploy();
        assert_eq!(found(&fleet), Vec::<String>::new());
    }

    #[test]
    fn one_whose_routes_went_first_is_not_named() {
        let mut fleet = Fleet::new(TWO_PROXIES);
        fleet.want("shop", WEB);
        fleet.deploy();
        fleet.want("shop", "services: {web: {image: 'shop:1'}}");
        fleet.deploy();
        fleet.inventory.proxies.clear();
        fleet.observed.proxies.clear();
        fleet.sites.clear();
        assert_eq!(found(&fleet), Vec::<String>::new());
    }
}
