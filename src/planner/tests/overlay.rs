//! Networks that reach over hosts.

use insta::assert_snapshot;

use crate::planner::fixture::{Fleet, TWO};

/// One service on each of two hosts, in a network over both.
const PAIR: &str = "
networks: {default: {driver: overlay}}
services: {agent: {image: i, deploy: {mode: global}}}
";

#[test]
fn an_overlay_is_made_once_by_a_manager_and_all_wait_for_it() {
    let mut fleet = Fleet::new(TWO);
    fleet.join("s", &["b", "a"]);
    fleet.want("shop", PAIR);
    assert_snapshot!(fleet.text(), @r"
    [] -> #0 shop@b create network shop_default (new in the commit)
    [0] -> #1 agent.1@a create shop-agent-1.g1 (new in the commit)
    [0] -> #2 agent.2@b create shop-agent-2.g1 (new in the commit)
    [1] -> #3 agent.1@a start shop-agent-1.g1 (new in the commit)
    [3] -> #4 agent.1@a wait until shop-agent-1.g1 is ready (new in the commit)
    [2] -> #5 agent.2@b start shop-agent-2.g1 (new in the commit)
    [5] -> #6 agent.2@b wait until shop-agent-2.g1 is ready (new in the commit)
    [4, 6] -> #7 shop@a record 0000001 (changed in the commit)
    [4, 6] -> #8 shop@b record 0000001 (changed in the commit)
    ");
    fleet.deploy();
}

#[test]
fn an_overlay_goes_once_after_its_last_user_anywhere() {
    let mut fleet = Fleet::new(TWO);
    fleet.join("s", &["b", "a"]);
    fleet.want("shop", PAIR);
    fleet.deploy();
    // As the engine shows it on a host that has a container in it.
    let network = fleet.host("b").networks["shop_default"].clone();
    fleet.host("a").networks.insert("shop_default".into(), network);
    fleet.drop_stack("shop");
    fleet.want("other", super::WORKER);
    assert_snapshot!(fleet.text(), @r"
    [] -> #0 other@a create network other_default (new in the commit)
    [0] -> #1 worker.1@a create other-worker-1.g1 (new in the commit)
    [1] -> #2 worker.1@a start other-worker-1.g1 (new in the commit)
    [2] -> #3 worker.1@a wait until other-worker-1.g1 is ready (new in the commit)
    [3] -> #4 other@a record 0000003 (changed in the commit)
    [] -> #5 agent.1@a stop shop-agent-1.g1 (not in the commit any more)
    [] -> #6 agent.2@b stop shop-agent-2.g1 (not in the commit any more)
    [5] -> #7 agent.1@a remove shop-agent-1.g1 (not in the commit any more)
    [6] -> #8 agent.2@b remove shop-agent-2.g1 (not in the commit any more)
    [7, 8] -> #9 shop@b remove network shop_default (not in the commit any more)
    [9] -> #10 shop@a forget the releases (not in the commit any more)
    [9] -> #11 shop@b forget the releases (not in the commit any more)
    ");
}

#[test]
fn an_overlay_that_is_changed_is_made_anew_once_and_all_its_containers_with_it() {
    let mut fleet = Fleet::new(TWO);
    fleet.join("s", &["b", "a"]);
    fleet.want("shop", PAIR);
    fleet.deploy();
    fleet.want("shop", &PAIR.replace("driver: overlay", "driver: overlay, internal: true"));
    assert_snapshot!(fleet.text(), @r"
    [] -> #0 agent.1@a stop shop-agent-1.g1 (changed in the commit)
    [] -> #1 agent.2@b stop shop-agent-2.g1 (changed in the commit)
    [0] -> #2 agent.1@a remove shop-agent-1.g1 (changed in the commit)
    [1] -> #3 agent.2@b remove shop-agent-2.g1 (changed in the commit)
    [2, 3] -> #4 shop@b remove network shop_default (changed in the commit)
    [4] -> #5 shop@b create network shop_default (changed in the commit)
    [5] -> #6 agent.1@a create shop-agent-1.g2 (changed in the commit)
    [6] -> #7 agent.1@a start shop-agent-1.g2 (changed in the commit)
    [7] -> #8 agent.1@a wait until shop-agent-1.g2 is ready (changed in the commit)
    [5] -> #9 agent.2@b create shop-agent-2.g2 (changed in the commit)
    [9] -> #10 agent.2@b start shop-agent-2.g2 (changed in the commit)
    [10] -> #11 agent.2@b wait until shop-agent-2.g2 is ready (changed in the commit)
    [8, 11] -> #12 shop@a record 0000002 (changed in the commit)
    [8, 11] -> #13 shop@b record 0000002 (changed in the commit)
    ");
    fleet.deploy();
}

#[test]
fn a_host_in_no_swarm_can_have_no_overlay() {
    let mut fleet = Fleet::new(TWO);
    fleet.join("s", &["b"]);
    fleet.want("shop", PAIR);
    assert_snapshot!(fleet.text(), @"Invalid: the network shop_default is an overlay, which reaches over the nodes of a swarm, and a is in none");
}

#[test]
fn hosts_of_two_swarms_cannot_share_an_overlay() {
    let mut fleet = Fleet::new(TWO);
    fleet.join("s", &["a"]);
    fleet.join("t", &["b"]);
    fleet.want("shop", PAIR);
    assert_snapshot!(fleet.text(), @"Invalid: the network shop_default is an overlay, and a and b are nodes of different swarms");
}

#[test]
fn without_a_manager_that_answers_no_overlay_can_be_made() {
    let mut fleet = Fleet::new(TWO);
    fleet.join("s", &["b", "a"]);
    fleet.host("b").engine.swarm.as_mut().expect("a node").is_manager = false;
    fleet.want("shop", PAIR);
    assert_snapshot!(fleet.text(), @r"
    Invalid: the network shop_default is an overlay, and no manager of a's swarm was seen
    Invalid: the network shop_default is an overlay, and no manager of b's swarm was seen
    ");
}
