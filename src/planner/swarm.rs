//! Which engines must join which swarm, so that one overlay can reach over all of them.
//!
//! The swarm is used for its networks alone: nothing of ours is scheduled by it.

use std::collections::BTreeMap;
use std::net::IpAddr;

use super::Problem;
use crate::model::{HostName, HostState, Joining};
use crate::settings::{Address, Inventory};

/// How many managers a swarm of enough hosts has: one of three may be lost, and networks can still
/// be made.
const MANAGERS: usize = 3;

/// What is left to do until all these hosts are nodes of one swarm, in order.
pub fn joinings(
    hosts: &BTreeMap<HostName, HostState>,
    inventory: &Inventory,
) -> Result<Vec<Joining>, Vec<Problem>> {
    let nodes = hosts.iter().filter_map(|(name, state)| Some((name, state.engine.swarm.as_ref()?)));
    let nodes: Vec<_> = nodes.collect();
    let manager = nodes.iter().find(|(_, swarm)| swarm.is_manager);
    if let Some((first, one)) = manager.or(nodes.first()) {
        let apart = nodes.iter().find(|(_, swarm)| !swarm.is_one_with(one));
        if let Some((other, _)) = apart {
            return Err(vec![
                Problem::policy(format!("{first} and {other} are nodes of different swarms"))
                    .hint(format!("take one of them out: docker swarm leave (on {other})")),
            ]);
        }
        if manager.is_none() {
            return Err(vec![
                Problem::invalid(format!("no manager of {first}'s swarm is in the inventory"))
                    .hint("add one to the inventory, or take the host out: docker swarm leave"),
            ]);
        }
    }
    let goal = if hosts.len() < MANAGERS { 1 } else { MANAGERS };
    let mut managers = nodes.iter().filter(|(_, swarm)| swarm.is_manager).count();
    let mut by = manager.map(|(name, _)| (*name).clone());
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for (host, _) in hosts.iter().filter(|(_, state)| state.engine.swarm.is_none()) {
        match address(host, inventory) {
            Ok(address) => {
                let as_manager = managers < goal;
                managers += usize::from(as_manager);
                found.push(Joining { host: host.clone(), address, by: by.clone(), as_manager });
                by.get_or_insert_with(|| host.clone());
            }
            Err(problem) => problems.push(problem),
        }
    }
    if problems.is_empty() { Ok(found) } else { Err(problems) }
}

fn address(host: &HostName, inventory: &Inventory) -> Result<IpAddr, Problem> {
    let address = inventory.hosts.get(host.as_str()).map(|settings| &settings.address);
    match address {
        Some(Address::Ip(ip)) if !ip.is_loopback() => Ok(*ip),
        Some(other) => Err(Problem::invalid(format!(
            "the other nodes need an address to reach {host}, and `{other}` is none for them"
        ))
        .hint(format!("give {host} an `address:` in the inventory"))),
        None => Err(Problem::invalid(format!("the host {host} is not in the inventory"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::planner::fixture::Fleet;

    const THREE: &str = "\
hosts:
  a: {docker: 'ssh://10.0.0.1'}
  b: {docker: 'ssh://10.0.0.2'}
  c: {docker: 'ssh://10.0.0.3'}
  d: {docker: 'ssh://10.0.0.4'}
";

    /// Who joins: `b by a as manager`.
    fn said(fleet: &Fleet) -> String {
        let hosts = fleet.observed.hosts.iter();
        let hosts = hosts.map(|(name, state)| (name.clone(), state.clone().expect("answers")));
        match joinings(&hosts.collect(), &fleet.inventory) {
            Ok(found) => {
                let line = |it: &Joining| {
                    let by = it.by.as_ref().map_or("itself", HostName::as_str);
                    format!("{} {} by {by}, manager: {}", it.host, it.address, it.as_manager)
                };
                found.iter().map(line).collect::<Vec<_>>().join("\n")
            }
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn the_first_makes_the_swarm_and_three_manage_it() {
        insta::assert_snapshot!(said(&Fleet::new(THREE)), @r"
        a 10.0.0.1 by itself, manager: true
        b 10.0.0.2 by a, manager: true
        c 10.0.0.3 by a, manager: true
        d 10.0.0.4 by a, manager: false
        ");
    }

    #[test]
    fn two_hosts_have_one_manager() {
        let two: String = THREE.lines().take(3).map(|line| format!("{line}\n")).collect();
        insta::assert_snapshot!(said(&Fleet::new(&two)), @r"
        a 10.0.0.1 by itself, manager: true
        b 10.0.0.2 by a, manager: false
        ");
    }

    #[test]
    fn a_new_host_joins_the_swarm_that_is_there() {
        let mut fleet = Fleet::new(THREE);
        fleet.join("s", &["c", "a", "b"]);
        insta::assert_snapshot!(said(&fleet), @"d 10.0.0.4 by c, manager: true");
    }

    #[test]
    fn nothing_is_left_when_all_are_in() {
        let mut fleet = Fleet::new(THREE);
        fleet.join("s", &["c", "a", "b", "d"]);
        assert_eq!(said(&fleet), "");
    }

    #[test]
    fn two_swarms_are_not_made_one() {
        let mut fleet = Fleet::new(THREE);
        fleet.join("s", &["a"]);
        fleet.join("t", &["b"]);
        insta::assert_snapshot!(said(&fleet), @"a and b are nodes of different swarms");
    }

    #[test]
    fn a_name_is_no_address_for_other_nodes() {
        let fleet = Fleet::new("hosts: {a: {docker: 'ssh://one'}}\n");
        insta::assert_snapshot!(said(&fleet), @"the other nodes need an address to reach a, and `one` is none for them");
    }
}
