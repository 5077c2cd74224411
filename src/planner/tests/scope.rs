//! What was asked to be touched, and whole stacks that go.

use insta::assert_snapshot;

use super::{WEB, WORKER};
use crate::model::Op;
use crate::planner::fixture::{Fleet, name};
use crate::planner::{Selector, deletions, without};

const BOTH: &str = "services: {a: {image: 'i:1'}, b: {image: 'i:1', deploy: {replicas: 2}}}";

fn selector(text: &str) -> Selector {
    text.parse().expect("a selector")
}

fn changed() -> Fleet {
    let mut fleet = Fleet::one();
    fleet.want("shop", BOTH);
    fleet.deploy();
    fleet.want("shop", &BOTH.replace("i:1", "i:2"));
    fleet
}

#[test]
fn a_name_that_stands_for_nothing_is_no_empty_plan() {
    let mut fleet = changed();
    fleet.scope.stacks = Some([name("shpo").into()].into());
    assert_snapshot!(fleet.text(), @"Invalid: there is no stack `shpo`, neither in the commit nor on the hosts");
    fleet.scope.stacks = None;
    fleet.scope.targets.insert(selector("shop/c"));
    assert_snapshot!(fleet.text(), @"Invalid: there is no service `shop/c`, neither in the commit nor on the hosts");
}

#[test]
fn only_a_target_is_touched() {
    let mut fleet = changed();
    fleet.scope.targets.insert(selector("shop/a"));
    assert_snapshot!(fleet.text(), @"
    [] -> #0 a.1@local create shop-a-1.g2 (changed in the commit)
    [0] -> #1 a.1@local start shop-a-1.g2 (changed in the commit)
    [1] -> #2 a.1@local wait until shop-a-1.g2 is ready (changed in the commit)
    [2] -> #3 a.1@local stop shop-a-1.g1 (changed in the commit)
    [3] -> #4 a.1@local remove shop-a-1.g1 (changed in the commit)
    ");
}

#[test]
fn one_replica_can_be_a_target() {
    let mut fleet = changed();
    fleet.scope.targets.insert(selector("shop/b/2"));
    assert_snapshot!(fleet.text(), @"
    [] -> #0 b.2@local create shop-b-2.g2 (changed in the commit)
    [0] -> #1 b.2@local start shop-b-2.g2 (changed in the commit)
    [1] -> #2 b.2@local wait until shop-b-2.g2 is ready (changed in the commit)
    [2] -> #3 b.2@local stop shop-b-2.g1 (changed in the commit)
    [3] -> #4 b.2@local remove shop-b-2.g1 (changed in the commit)
    ");
}

#[test]
fn what_is_excluded_stays() {
    let mut fleet = changed();
    fleet.scope.excludes.insert(selector("shop/b"));
    assert_snapshot!(fleet.text(), @"
    [] -> #0 a.1@local create shop-a-1.g2 (changed in the commit)
    [0] -> #1 a.1@local start shop-a-1.g2 (changed in the commit)
    [1] -> #2 a.1@local wait until shop-a-1.g2 is ready (changed in the commit)
    [2] -> #3 a.1@local stop shop-a-1.g1 (changed in the commit)
    [3] -> #4 a.1@local remove shop-a-1.g1 (changed in the commit)
    ");
}

#[test]
fn what_runs_well_is_replaced_when_asked() {
    let mut fleet = Fleet::one();
    fleet.want("shop", BOTH);
    fleet.deploy();
    fleet.scope.replace.insert(selector("shop/b/1"));
    assert_snapshot!(fleet.text(), @"
    [] -> #0 b.1@local create shop-b-1.g2 (asked for)
    [0] -> #1 b.1@local start shop-b-1.g2 (asked for)
    [1] -> #2 b.1@local wait until shop-b-1.g2 is ready (asked for)
    [2] -> #3 b.1@local stop shop-b-1.g1 (asked for)
    [3] -> #4 b.1@local remove shop-b-1.g1 (asked for)
    [4] -> #5 shop@local record 0000001 (changed in the commit)
    ");
}

#[test]
fn a_target_of_a_routed_service_leaves_the_other_replica_routed() {
    let mut fleet = Fleet::one();
    fleet.want("shop", WEB);
    fleet.deploy();
    fleet.want("shop", &WEB.replace("shop:1", "shop:2"));
    fleet.scope.targets.insert(selector("shop/web/1"));
    assert_snapshot!(fleet.text(), @"
    [] -> #0 web.1@local create shop-web-1.g2 (changed in the commit)
    [0] -> #1 web.1@local start shop-web-1.g2 (changed in the commit)
    [1] -> #2 web.1@local wait until shop-web-1.g2 is ready (changed in the commit)
    [2] -> #3 web@local switch edge on local: web.8080 = shop-web-1.g2 shop-web-2.g1 (changed in the commit)
    [3] -> #4 web@local wait until edge has let go of shop-web-1.g1 (changed in the commit)
    [4] -> #5 web.1@local stop shop-web-1.g1 (changed in the commit)
    [5] -> #6 web.1@local remove shop-web-1.g1 (changed in the commit)
    ");
}

#[test]
fn a_stack_that_is_gone_takes_its_networks_and_leaves_its_volumes() {
    let mut fleet = Fleet::one();
    fleet.want("keep", WORKER);
    fleet.want(
        "shop",
        "
services: {a: {image: i, volumes: ['data:/data']}}
volumes: {data: {}}",
    );
    fleet.deploy();
    fleet.drop_stack("shop");
    assert_snapshot!(fleet.text(), @"
    [] -> #0 a.1@local stop shop-a-1.g1 (not in the commit any more)
    [0] -> #1 a.1@local remove shop-a-1.g1 (not in the commit any more)
    [1] -> #2 shop@local remove network shop_default (not in the commit any more)
    [2] -> #3 shop@local forget the releases (not in the commit any more)
    ");
    assert_eq!(deletions(&fleet.plan().expect("a plan")), 2);
    fleet.deploy();
    assert!(fleet.host("local").volumes.contains_key("shop_data"));
}

#[test]
fn volumes_go_when_that_is_asked() {
    let mut fleet = Fleet::one();
    fleet.want(
        "shop",
        "
services: {a: {image: i, volumes: ['data:/data']}}
volumes: {data: {}}",
    );
    fleet.deploy();
    fleet.drop_stack("shop");
    fleet.scope.stacks = Some([name("shop").into()].into());
    fleet.scope.removes_volumes = true;
    assert_snapshot!(fleet.text(), @"
    [] -> #0 a.1@local stop shop-a-1.g1 (not in the commit any more)
    [0] -> #1 a.1@local remove shop-a-1.g1 (not in the commit any more)
    [1] -> #2 shop@local remove network shop_default (not in the commit any more)
    [1] -> #3 shop@local remove volume shop_data (not in the commit any more)
    [2, 3] -> #4 shop@local forget the releases (not in the commit any more)
    ");
    fleet.deploy();
}

#[test]
fn a_network_that_changes_is_made_anew_between_its_containers() {
    let mut fleet = Fleet::one();
    fleet.want("shop", BOTH);
    fleet.deploy();
    fleet.want("shop", &format!("{BOTH}\nnetworks: {{default: {{internal: true}}}}"));
    assert_snapshot!(fleet.text(), @"
    [] -> #0 a.1@local stop shop-a-1.g1 (changed in the commit)
    [0] -> #1 a.1@local remove shop-a-1.g1 (changed in the commit)
    [] -> #2 b.1@local stop shop-b-1.g1 (changed in the commit)
    [] -> #3 b.2@local stop shop-b-2.g1 (changed in the commit)
    [2] -> #4 b.1@local remove shop-b-1.g1 (changed in the commit)
    [3] -> #5 b.2@local remove shop-b-2.g1 (changed in the commit)
    [1, 4, 5] -> #6 shop@local remove network shop_default (changed in the commit)
    [6] -> #7 shop@local create network shop_default (changed in the commit)
    [7] -> #8 a.1@local create shop-a-1.g2 (changed in the commit)
    [8] -> #9 a.1@local start shop-a-1.g2 (changed in the commit)
    [9] -> #10 a.1@local wait until shop-a-1.g2 is ready (changed in the commit)
    [7] -> #11 b.1@local create shop-b-1.g2 (changed in the commit)
    [11] -> #12 b.1@local start shop-b-1.g2 (changed in the commit)
    [12] -> #13 b.1@local wait until shop-b-1.g2 is ready (changed in the commit)
    [7] -> #14 b.2@local create shop-b-2.g2 (changed in the commit)
    [14] -> #15 b.2@local start shop-b-2.g2 (changed in the commit)
    [15] -> #16 b.2@local wait until shop-b-2.g2 is ready (changed in the commit)
    [10, 13, 16] -> #17 shop@local record 0000002 (changed in the commit)
    ");
    fleet.deploy();
}

#[test]
fn a_network_goes_with_its_last_user() {
    let mut fleet = Fleet::one();
    fleet.want(
        "shop",
        "
services: {a: {image: i}, b: {image: i, networks: [inner]}}
networks: {inner: {}}",
    );
    fleet.deploy();
    fleet.want("shop", "services: {a: {image: i}}");
    assert_snapshot!(fleet.text(), @"
    [] -> #0 b.1@local stop shop-b-1.g1 (not in the commit any more)
    [0] -> #1 b.1@local remove shop-b-1.g1 (not in the commit any more)
    [1] -> #2 shop@local remove network shop_inner (not in the commit any more)
    [2] -> #3 shop@local record 0000002 (changed in the commit)
    ");
    fleet.deploy();
}

#[test]
fn steps_that_are_left_out_leave_no_gap() {
    let mut fleet = changed();
    fleet.scope.targets.insert(selector("shop/a"));
    let mut plan = fleet.plan().expect("a plan");
    without(&mut plan, |op| matches!(op, Op::Start { .. } | Op::Stop { .. }));
    assert_snapshot!(fleet.lines(&plan), @"
    [] -> #0 a.1@local create shop-a-1.g2 (changed in the commit)
    [0] -> #1 a.1@local wait until shop-a-1.g2 is ready (changed in the commit)
    [1] -> #2 a.1@local remove shop-a-1.g1 (changed in the commit)
    ");
}

#[test]
fn selectors_are_read_as_they_are_shown() {
    for text in ["shop", "shop/web", "shop/web/2"] {
        assert_eq!(selector(text).to_string(), text);
    }
    for wrong in ["", "Shop", "shop/", "shop/web/0", "shop/web/x"] {
        assert!(wrong.parse::<Selector>().is_err(), "{wrong}");
    }
}

#[test]
fn a_service_without_any_check_is_told_of() {
    let mut fleet = Fleet::one();
    fleet.want("shop", WORKER);
    let plan = fleet.plan().expect("a plan");
    let notes = &plan.stacks.values().next().expect("a stack").notes;
    assert_snapshot!(notes[0].message, @"it has neither a health check nor `x-gitdeploy.health`: a replica counts as ready when it has run for 5s");
}
