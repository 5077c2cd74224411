//! What is done about what nobody asked for.

use insta::assert_snapshot;
use serde_json::json;

use super::{WEB, WORKER};
use crate::model::{Action, Health, Status};
use crate::planner::deletions;
use crate::planner::fixture::{Fleet, name};

fn deployed(text: &str) -> Fleet {
    let mut fleet = Fleet::one();
    fleet.want("shop", text);
    fleet.deploy();
    fleet
}

/// One release deployed, the next one cut off after the first steps of its plan.
fn cut_off(steps: usize) -> Fleet {
    let web = WEB.replace("replicas: 2", "replicas: 1");
    let mut fleet = deployed(&web);
    fleet.want("shop", &web.replace("shop:1", "shop:2"));
    fleet.crash(steps);
    fleet
}

#[test]
fn a_replica_that_has_ended_is_started_again() {
    let mut fleet = deployed(WEB);
    fleet.container("web", 1).state.status = Status::Exited;
    assert_snapshot!(fleet.text(), @"
    [] -> #0 web.1@local start shop-web-1.g1 (it has ended)
    [0] -> #1 web.1@local wait until shop-web-1.g1 is ready (it has ended)
    [1] -> #2 shop@local record 0000001 (changed in the commit)
    ");
    fleet.deploy();
}

/// Found by the laws: the plan was refused, since it did not say what it cost.
#[test]
fn what_goes_before_its_only_follower_comes_is_said_to_be_away() {
    let mut fleet = deployed(&WEB.replace("replicas: 2", "replicas: 3"));
    let gone = fleet.container("web", 1).name.clone();
    fleet.host("local").containers.remove(&gone);
    let fixed = WEB.replace("replicas: 2", "replicas: 1") + "    ports: ['9000:90']\n";
    fleet.want("shop", &fixed);
    let plan = fleet.plan().expect("a plan");
    let change = &plan.stacks["shop"].changes[0];
    assert_eq!(change.action, Action::ReplaceStopFirst);
    assert_snapshot!(format!("{:?}", change.downtime), @r#"About { time: Nanos(3000000000), reason: "host port 9000 is fixed" }"#);
    fleet.deploy();
}

#[test]
fn a_replica_that_is_paused_is_told_so() {
    let mut fleet = deployed(WEB);
    fleet.container("web", 1).state.status = Status::Paused;
    assert!(fleet.text().contains("create shop-web-1.g2 (it is paused)"), "{}", fleet.text());
}

#[test]
fn a_replica_that_is_not_healthy_is_replaced_by_a_fresh_one() {
    let mut fleet = deployed(WEB);
    fleet.container("web", 1).state.health = Some(Health::Unhealthy("503".into()));
    assert_snapshot!(fleet.text(), @"
    [] -> #0 web.1@local create shop-web-1.g2 (not healthy)
    [0] -> #1 web.1@local start shop-web-1.g2 (not healthy)
    [1] -> #2 web.1@local wait until shop-web-1.g2 is ready (not healthy)
    [2] -> #3 web@local switch edge on local: web.8080 = shop-web-1.g2 shop-web-2.g1 (not healthy)
    [3] -> #4 web@local wait until edge has let go of shop-web-1.g1 (not healthy)
    [4] -> #5 web.1@local stop shop-web-1.g1 (not healthy)
    [5] -> #6 web.1@local remove shop-web-1.g1 (not healthy)
    [6] -> #7 shop@local record 0000001 (changed in the commit)
    ");
    fleet.deploy();
}

#[test]
fn a_replica_that_is_missing_is_made_again() {
    let mut fleet = deployed(WEB);
    let name = fleet.container("web", 2).name.clone();
    fleet.host("local").containers.remove(&name);
    assert_snapshot!(fleet.text(), @"
    [] -> #0 web.2@local create shop-web-2.g2 (a replica is missing)
    [0] -> #1 web.2@local start shop-web-2.g2 (a replica is missing)
    [1] -> #2 web.2@local wait until shop-web-2.g2 is ready (a replica is missing)
    [2] -> #3 web@local switch edge on local: web.8080 = shop-web-1.g1 shop-web-2.g2 (a replica is missing)
    [3] -> #4 shop@local record 0000001 (changed in the commit)
    ");
    fleet.deploy();
}

#[test]
fn a_replica_that_is_restarted_again_and_again_is_replaced() {
    let mut fleet = deployed(WORKER);
    fleet.container("worker", 1).state.status = Status::Restarting;
    assert_snapshot!(fleet.text(), @"
    [] -> #0 worker.1@local create shop-worker-1.g2 (not healthy)
    [0] -> #1 worker.1@local start shop-worker-1.g2 (not healthy)
    [1] -> #2 worker.1@local wait until shop-worker-1.g2 is ready (not healthy)
    [2] -> #3 worker.1@local stop shop-worker-1.g1 (not healthy)
    [3] -> #4 worker.1@local remove shop-worker-1.g1 (not healthy)
    [4] -> #5 shop@local record 0000001 (changed in the commit)
    ");
}

#[test]
fn a_container_that_was_changed_by_hand_is_replaced() {
    let mut fleet = deployed(WORKER);
    fleet.container("worker", 1).config["Env"] = json!(["DEBUG=1"]);
    assert_snapshot!(fleet.text(), @"
    [] -> #0 worker.1@local create shop-worker-1.g2 (changed outside of the repository)
    [0] -> #1 worker.1@local start shop-worker-1.g2 (changed outside of the repository)
    [1] -> #2 worker.1@local wait until shop-worker-1.g2 is ready (changed outside of the repository)
    [2] -> #3 worker.1@local stop shop-worker-1.g1 (changed outside of the repository)
    [3] -> #4 worker.1@local remove shop-worker-1.g1 (changed outside of the repository)
    [4] -> #5 shop@local record 0000001 (changed in the commit)
    ");
}

#[test]
fn cut_off_after_the_creation_the_same_container_is_finished() {
    assert_snapshot!(cut_off(1).text(), @"
    [] -> #0 web.1@local create shop-web-1.g2 (changed in the commit)
    [0] -> #1 web.1@local start shop-web-1.g2 (changed in the commit)
    [1] -> #2 web.1@local wait until shop-web-1.g2 is ready (changed in the commit)
    [2] -> #3 web@local switch edge on local: web.8080 = shop-web-1.g2 (changed in the commit)
    [3] -> #4 web@local wait until edge has let go of shop-web-1.g1 (changed in the commit)
    [4] -> #5 web.1@local stop shop-web-1.g1 (changed in the commit)
    [5] -> #6 web.1@local remove shop-web-1.g1 (changed in the commit)
    [6] -> #7 shop@local record 0000002 (changed in the commit)
    ");
}

#[test]
fn cut_off_after_the_start_the_same_container_is_proved() {
    assert_snapshot!(cut_off(2).text(), @"
    [] -> #0 web.1@local wait until shop-web-1.g2 is ready (changed in the commit)
    [0] -> #1 web@local switch edge on local: web.8080 = shop-web-1.g2 (changed in the commit)
    [1] -> #2 web@local wait until edge has let go of shop-web-1.g1 (changed in the commit)
    [2] -> #3 web.1@local stop shop-web-1.g1 (changed in the commit)
    [3] -> #4 web.1@local remove shop-web-1.g1 (changed in the commit)
    [4] -> #5 shop@local record 0000002 (changed in the commit)
    ");
}

#[test]
fn cut_off_after_the_switch_the_old_one_still_ends_its_requests() {
    assert_snapshot!(cut_off(4).text(), @"
    [] -> #0 web@local wait until edge has let go of shop-web-1.g1 (changed in the commit)
    [0] -> #1 web.1@local stop shop-web-1.g1 (changed in the commit)
    [1] -> #2 web.1@local remove shop-web-1.g1 (changed in the commit)
    [2] -> #3 shop@local record 0000002 (changed in the commit)
    ");
}

#[test]
fn cut_off_before_the_removal_only_that_is_left() {
    assert_snapshot!(cut_off(6).text(), @"
    [] -> #0 web.1@local remove shop-web-1.g1 (changed in the commit)
    [0] -> #1 shop@local record 0000002 (changed in the commit)
    ");
}

#[test]
fn cut_off_before_the_record_only_that_is_left() {
    assert_snapshot!(cut_off(7).text(), @"[] -> #0 shop@local record 0000002 (changed in the commit)");
}

#[test]
fn another_commit_clears_away_what_the_last_one_began() {
    let mut fleet = cut_off(2);
    fleet.want("shop", &WEB.replace("replicas: 2", "replicas: 1").replace("shop:1", "shop:3"));
    assert_snapshot!(fleet.text(), @"
    [] -> #0 web.1@local create shop-web-1.g3 (changed in the commit)
    [0] -> #1 web.1@local start shop-web-1.g3 (changed in the commit)
    [1] -> #2 web.1@local wait until shop-web-1.g3 is ready (changed in the commit)
    [2] -> #3 web@local switch edge on local: web.8080 = shop-web-1.g3 (changed in the commit)
    [3] -> #4 web@local wait until edge has let go of shop-web-1.g1 (changed in the commit)
    [3] -> #5 web.1@local stop shop-web-1.g2 (changed in the commit)
    [4] -> #6 web.1@local stop shop-web-1.g1 (changed in the commit)
    [5] -> #7 web.1@local remove shop-web-1.g2 (changed in the commit)
    [6] -> #8 web.1@local remove shop-web-1.g1 (changed in the commit)
    [7, 8] -> #9 shop@local record 0000003 (changed in the commit)
    ");
    fleet.deploy();
}

#[test]
fn going_back_keeps_the_old_one_that_still_serves() {
    let mut fleet = cut_off(3);
    fleet.want("shop", &WEB.replace("replicas: 2", "replicas: 1"));
    assert_snapshot!(fleet.text(), @"
    [] -> #0 web.1@local stop shop-web-1.g2 (changed in the commit)
    [0] -> #1 web.1@local remove shop-web-1.g2 (changed in the commit)
    [1] -> #2 shop@local record 0000003 (changed in the commit)
    ");
    assert_eq!(deletions(&fleet.plan().expect("a plan")), 0);
    fleet.deploy();
}

#[test]
fn going_back_after_the_switch_makes_it_anew_since_the_old_one_may_be_ending() {
    let mut fleet = cut_off(4);
    fleet.want("shop", &WEB.replace("replicas: 2", "replicas: 1"));
    assert_snapshot!(fleet.text(), @r"
    [] -> #0 web.1@local create shop-web-1.g3 (changed in the commit)
    [0] -> #1 web.1@local start shop-web-1.g3 (changed in the commit)
    [1] -> #2 web.1@local wait until shop-web-1.g3 is ready (changed in the commit)
    [2] -> #3 web@local switch edge on local: web.8080 = shop-web-1.g3 (changed in the commit)
    [3] -> #4 web@local wait until edge has let go of shop-web-1.g2, shop-web-1.g1 (changed in the commit)
    [4] -> #5 web.1@local stop shop-web-1.g2 (changed in the commit)
    [4] -> #6 web.1@local stop shop-web-1.g1 (changed in the commit)
    [5] -> #7 web.1@local remove shop-web-1.g2 (changed in the commit)
    [6] -> #8 web.1@local remove shop-web-1.g1 (changed in the commit)
    [7, 8] -> #9 shop@local record 0000003 (changed in the commit)
    ");
    fleet.deploy();
}

#[test]
fn a_helper_that_was_left_over_is_removed() {
    let mut fleet = deployed(WORKER);
    let mut helper = fleet.container("worker", 1).clone();
    helper.name = "acme-shop-worker-0-abcdef".into();
    helper.identity.slot = 0;
    fleet.host("local").containers.insert(helper.name.clone(), helper);
    assert_snapshot!(fleet.text(), @"
    [] -> #0 worker.0@local stop shop-worker-0.g1 (left over by a run that did not end)
    [0] -> #1 worker.0@local remove shop-worker-0.g1 (left over by a run that did not end)
    [1] -> #2 shop@local record 0000001 (changed in the commit)
    ");
    fleet.deploy();
}

#[test]
fn names_and_ports_of_others_are_planned_around() {
    let mut fleet = Fleet::one();
    fleet.want("shop", &WEB.replace("replicas: 2", "replicas: 1"));
    let created = |fleet: &Fleet| {
        let plan = fleet.plan().expect("a plan");
        let steps = plan.steps.iter();
        let mut made = steps.filter_map(|step| match &step.op {
            crate::model::Op::Create { replica } => Some(replica.clone()),
            _ => None,
        });
        made.next().expect("one is made")
    };
    let first = created(&fleet);
    fleet.host("local").foreign.names.insert(first.name.clone());
    fleet.host("local").foreign.ports.insert(20000, "somebody".into());
    let second = created(&fleet);
    assert_ne!(first.name, second.name);
    assert_eq!(first.endpoints[&8080].port, 20000);
    assert_eq!(second.endpoints[&8080].port, 20001);
    fleet.scope.taken.insert(name("local").into(), [20001, 20002].into());
    assert_eq!(created(&fleet).endpoints[&8080].port, 20003);
}
