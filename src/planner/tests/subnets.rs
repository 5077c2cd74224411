//! Ranges of addresses that would meet.

use insta::assert_snapshot;

use crate::planner::fixture::{Fleet, TWO};

fn stack(driver: &str, subnet: &str) -> String {
    format!(
        "services: {{s: {{image: i, deploy: {{placement: {{constraints: [node.hostname == a]}}}}}}}}
networks: {{default: {{driver: {driver}, ipam: {{config: [{{subnet: {subnet}}}]}}}}}}"
    )
}

#[test]
fn two_stacks_with_one_range_are_refused_before_anything_starts() {
    let mut fleet = Fleet::new(TWO);
    fleet.want("one", &stack("bridge", "10.5.0.0/16"));
    fleet.want("two", &stack("bridge", "10.5.7.0/24"));
    assert_snapshot!(fleet.text(), @"Invalid: the network two_default with 10.5.7.0/24 cannot be on a together with the network one_default, which has 10.5.0.0/16");
}

#[test]
fn a_range_of_a_network_that_is_there_is_refused() {
    let mut fleet = Fleet::new(TWO);
    fleet.want("one", &stack("bridge", "10.5.0.0/16"));
    fleet.deploy();
    fleet.host("a").foreign.subnets.insert("office".into(), vec!["10.6.0.0/16".into()]);
    fleet.want("two", &stack("bridge", "10.4.0.0/14"));
    assert_snapshot!(fleet.text(), @"Invalid: the network two_default with 10.4.0.0/14 cannot be on a together with the network one_default, which has 10.5.0.0/16");
    fleet.want("two", &stack("bridge", "10.6.1.0/24"));
    assert_snapshot!(fleet.text(), @"Invalid: the network two_default with 10.6.1.0/24 cannot be on a together with the network office, which has 10.6.0.0/16");
}

#[test]
fn a_range_with_a_hosts_address_is_refused() {
    let mut fleet = Fleet::new(TWO);
    fleet.want("one", &stack("bridge", "10.0.0.0/24"));
    assert_snapshot!(fleet.text(), @"Invalid: the network one_default with 10.0.0.0/24 has the address of a in it, which its containers and its own host could not reach any more");
    fleet.want("one", &stack("macvlan", "10.0.0.0/24"));
    fleet.deploy();
}

#[test]
fn ranges_on_different_hosts_are_no_clash() {
    let mut fleet = Fleet::new(TWO);
    let other = stack("bridge", "10.5.0.0/16").replace("== a", "== b");
    fleet.want("one", &stack("bridge", "10.5.0.0/16"));
    fleet.want("two", &other);
    fleet.deploy();
}
