//! How containers come and go when a commit asks for it.

use insta::assert_snapshot;

use super::{WEB, WORKER};
use crate::model::{Downtime, Health};
use crate::planner::fixture::{Fleet, TWO};

/// The plan from one release to the next, on one host.
fn from_to(before: &str, after: &str) -> String {
    let mut fleet = Fleet::one();
    fleet.want("shop", before);
    fleet.deploy();
    fleet.want("shop", after);
    let text = fleet.text();
    if fleet.plan().is_ok() {
        fleet.deploy();
    }
    text
}

/// Why the only service of the plan is away for a while.
fn reason(before: &str, after: &str) -> String {
    let mut fleet = Fleet::one();
    fleet.want("shop", before);
    fleet.deploy();
    fleet.want("shop", after);
    let plan = fleet.plan().expect("a plan");
    let change = &plan.stacks.values().next().expect("a stack").changes[0];
    match &change.downtime {
        Downtime::None => format!("{} none", change.action.symbol()),
        Downtime::About { time, reason } => format!("{} {time}: {reason}", change.action.symbol()),
    }
}

#[test]
fn a_first_deployment_makes_proves_and_then_routes() {
    let mut fleet = Fleet::one();
    fleet.want("shop", WEB);
    assert_snapshot!(fleet.text(), @"
    [] -> #0 shop@local create network shop_default (new in the commit)
    [0] -> #1 web.1@local create shop-web-1.g1 (new in the commit)
    [0] -> #2 web.2@local create shop-web-2.g1 (new in the commit)
    [1] -> #3 web.1@local start shop-web-1.g1 (new in the commit)
    [3] -> #4 web.1@local wait until shop-web-1.g1 is ready (new in the commit)
    [2] -> #5 web.2@local start shop-web-2.g1 (new in the commit)
    [5] -> #6 web.2@local wait until shop-web-2.g1 is ready (new in the commit)
    [4, 6] -> #7 web@local switch edge on local: web.8080 = shop-web-1.g1 shop-web-2.g1 (new in the commit)
    [7] -> #8 shop@local record 0000001 (changed in the commit)
    ");
}

#[test]
fn what_is_as_it_shall_be_is_left_alone() {
    let mut fleet = Fleet::one();
    fleet.want("shop", WEB);
    fleet.deploy();
    fleet.want("shop", WEB);
    assert_snapshot!(fleet.text(), @"nothing to do");
}

#[test]
fn a_new_image_comes_before_the_old_one_goes() {
    assert_snapshot!(from_to(WEB, &WEB.replace("shop:1", "shop:2")), @"
    [] -> #0 web.1@local create shop-web-1.g2 (changed in the commit)
    [] -> #1 web.2@local create shop-web-2.g2 (changed in the commit)
    [0] -> #2 web.1@local start shop-web-1.g2 (changed in the commit)
    [2] -> #3 web.1@local wait until shop-web-1.g2 is ready (changed in the commit)
    [1] -> #4 web.2@local start shop-web-2.g2 (changed in the commit)
    [4] -> #5 web.2@local wait until shop-web-2.g2 is ready (changed in the commit)
    [3, 5] -> #6 web@local switch edge on local: web.8080 = shop-web-1.g2 shop-web-2.g2 (changed in the commit)
    [6] -> #7 web@local wait until edge has let go of shop-web-1.g1, shop-web-2.g1 (changed in the commit)
    [7] -> #8 web.1@local stop shop-web-1.g1 (changed in the commit)
    [7] -> #9 web.2@local stop shop-web-2.g1 (changed in the commit)
    [8] -> #10 web.1@local remove shop-web-1.g1 (changed in the commit)
    [9] -> #11 web.2@local remove shop-web-2.g1 (changed in the commit)
    [10, 11] -> #12 shop@local record 0000002 (changed in the commit)
    ");
}

#[test]
fn a_changed_variable_is_shown_by_its_name() {
    let mut fleet = Fleet::one();
    fleet.want("shop", "services: {a: {image: i, environment: {CACHE: '64', DB_PASSWORD: x}}}");
    fleet.deploy();
    fleet.want("shop", "services: {a: {image: i, environment: {CACHE: '256', DB_PASSWORD: y}}}");
    let plan = fleet.plan().expect("a plan");
    let change = &plan.stacks.values().next().expect("a stack").changes[0];
    assert_snapshot!(format!("{:?}", change.fields), @r#"[FieldDifference { path: "env.CACHE", old: Some(Text("64")), new: Some(Text("256")) }, FieldDifference { path: "env.DB_PASSWORD", old: Some(Hidden), new: Some(Hidden) }]"#);
}

#[test]
fn more_replicas_leave_those_that_run() {
    assert_snapshot!(from_to(WEB, &WEB.replace("replicas: 2", "replicas: 3")), @"
    [] -> #0 web.3@local create shop-web-3.g2 (another number of replicas)
    [0] -> #1 web.3@local start shop-web-3.g2 (another number of replicas)
    [1] -> #2 web.3@local wait until shop-web-3.g2 is ready (another number of replicas)
    [2] -> #3 web@local switch edge on local: web.8080 = shop-web-1.g1 shop-web-2.g1 shop-web-3.g2 (another number of replicas)
    [3] -> #4 shop@local record 0000002 (changed in the commit)
    ");
}

#[test]
fn fewer_replicas_are_let_go_before_they_end() {
    assert_snapshot!(from_to(WEB, &WEB.replace("replicas: 2", "replicas: 1")), @"
    [] -> #0 web@local switch edge on local: web.8080 = shop-web-1.g1 (another number of replicas)
    [0] -> #1 web@local wait until edge has let go of shop-web-2.g1 (another number of replicas)
    [1] -> #2 web.2@local stop shop-web-2.g1 (another number of replicas)
    [2] -> #3 web.2@local remove shop-web-2.g1 (another number of replicas)
    [3] -> #4 shop@local record 0000002 (changed in the commit)
    ");
}

#[test]
fn no_replicas_at_all_leave_a_backend_without_servers() {
    assert_snapshot!(from_to(WEB, &WEB.replace("replicas: 2", "replicas: 0")), @r"
    [] -> #0 web@local switch edge on local: web.8080 = nobody (another number of replicas)
    [0] -> #1 web@local wait until edge has let go of shop-web-1.g1, shop-web-2.g1 (another number of replicas)
    [1] -> #2 web.1@local stop shop-web-1.g1 (another number of replicas)
    [1] -> #3 web.2@local stop shop-web-2.g1 (another number of replicas)
    [2] -> #4 web.1@local remove shop-web-1.g1 (another number of replicas)
    [3] -> #5 web.2@local remove shop-web-2.g1 (another number of replicas)
    [4, 5] -> #6 shop@local remove network shop_default (nothing on its host needs it any more)
    [6] -> #7 shop@local record 0000002 (changed in the commit)
    ");
}

#[test]
fn a_service_without_routes_is_replaced_once_the_new_one_is_proved() {
    assert_snapshot!(from_to(WORKER, &WORKER.replace(":1", ":2")), @"
    [] -> #0 worker.1@local create shop-worker-1.g2 (changed in the commit)
    [0] -> #1 worker.1@local start shop-worker-1.g2 (changed in the commit)
    [1] -> #2 worker.1@local wait until shop-worker-1.g2 is ready (changed in the commit)
    [2] -> #3 worker.1@local stop shop-worker-1.g1 (changed in the commit)
    [3] -> #4 worker.1@local remove shop-worker-1.g1 (changed in the commit)
    [4] -> #5 shop@local record 0000002 (changed in the commit)
    ");
}

#[test]
fn a_fixed_port_is_freed_before_the_new_one_starts() {
    let db = "services: {db: {image: 'db:1', ports: ['5432:5432']}}";
    assert_snapshot!(from_to(db, &db.replace("db:1", "db:2")), @"
    [] -> #0 db.1@local create shop-db-1.g2 (changed in the commit)
    [0] -> #1 db.1@local stop shop-db-1.g1 (changed in the commit)
    [1] -> #2 db.1@local start shop-db-1.g2 (changed in the commit)
    [2] -> #3 db.1@local wait until shop-db-1.g2 is ready (changed in the commit)
    [3] -> #4 db.1@local remove shop-db-1.g1 (changed in the commit)
    [4] -> #5 shop@local record 0000002 (changed in the commit)
    ");
    assert_snapshot!(reason(db, &db.replace("db:1", "db:2")), @"-/+ 7s: host port 5432 is fixed");
}

#[test]
fn a_volume_of_one_replica_has_one_writer() {
    let db = "
services: {db: {image: 'db:1', volumes: ['data:/data']}}
volumes: {data: {}}";
    assert_snapshot!(from_to(db, &db.replace("db:1", "db:2")), @"
    [] -> #0 db.1@local create shop-db-1.g2 (changed in the commit)
    [0] -> #1 db.1@local stop shop-db-1.g1 (changed in the commit)
    [1] -> #2 db.1@local start shop-db-1.g2 (changed in the commit)
    [2] -> #3 db.1@local wait until shop-db-1.g2 is ready (changed in the commit)
    [3] -> #4 db.1@local remove shop-db-1.g1 (changed in the commit)
    [4] -> #5 shop@local record 0000002 (changed in the commit)
    ");
    assert_snapshot!(reason(db, &db.replace("db:1", "db:2")), @"-/+ 7s: volume data is used by one container at a time");
}

#[test]
fn a_volume_that_is_only_read_forces_nothing() {
    let db = "
services: {db: {image: 'db:1', volumes: ['data:/data:ro']}}
volumes: {data: {}}";
    assert_snapshot!(reason(db, &db.replace("db:1", "db:2")), @"+/- none");
}

#[test]
fn a_written_start_first_outweighs_the_volume() {
    let db = "
services: {db: {image: 'db:1', volumes: ['data:/data'], deploy: {update_config: {order: start-first}}}}
volumes: {data: {}}";
    assert_snapshot!(reason(db, &db.replace("db:1", "db:2")), @"+/- none");
}

#[test]
fn a_fixed_name_is_freed_before_the_new_one_is_made() {
    let db = "services: {db: {image: 'db:1', container_name: main-db}}";
    assert_snapshot!(from_to(db, &db.replace("db:1", "db:2")), @"
    [] -> #0 db.1@local stop main-db (changed in the commit)
    [0] -> #1 db.1@local remove main-db (changed in the commit)
    [1] -> #2 db.1@local create main-db (changed in the commit)
    [2] -> #3 db.1@local start main-db (changed in the commit)
    [3] -> #4 db.1@local wait until main-db is ready (changed in the commit)
    [4] -> #5 shop@local record 0000002 (changed in the commit)
    ");
    assert_snapshot!(reason(db, &db.replace("db:1", "db:2")), @"-/+ 7s: container_name is fixed");
}

#[test]
fn a_routed_replica_that_stops_first_is_drained_first() {
    let web = WEB.replace("replicas: 2", "replicas: 1, update_config: {order: stop-first}");
    assert_snapshot!(from_to(&web, &web.replace("shop:1", "shop:2")), @"
    [] -> #0 web.1@local create shop-web-1.g2 (changed in the commit)
    [0] -> #1 web@local switch edge on local: web.8080 = nobody (changed in the commit)
    [1] -> #2 web@local wait until edge has let go of shop-web-1.g1 (changed in the commit)
    [2] -> #3 web.1@local stop shop-web-1.g1 (changed in the commit)
    [3] -> #4 web.1@local start shop-web-1.g2 (changed in the commit)
    [4] -> #5 web.1@local wait until shop-web-1.g2 is ready (changed in the commit)
    [5] -> #6 web@local switch edge on local: web.8080 = shop-web-1.g2 (changed in the commit)
    [5] -> #7 web.1@local remove shop-web-1.g1 (changed in the commit)
    [6, 7] -> #8 shop@local record 0000002 (changed in the commit)
    ");
    assert_snapshot!(reason(&web, &web.replace("shop:1", "shop:2")), @"-/+ 3s: order: stop-first");
}

#[test]
fn several_replicas_that_stop_first_go_one_by_one_and_nobody_waits() {
    let web = WEB.replace("replicas: 2", "replicas: 2, update_config: {order: stop-first}");
    assert_snapshot!(from_to(&web, &web.replace("shop:1", "shop:2")), @"
    [] -> #0 web.1@local create shop-web-1.g2 (changed in the commit)
    [0] -> #1 web@local switch edge on local: web.8080 = shop-web-2.g1 (changed in the commit)
    [1] -> #2 web@local wait until edge has let go of shop-web-1.g1 (changed in the commit)
    [2] -> #3 web.1@local stop shop-web-1.g1 (changed in the commit)
    [3] -> #4 web.1@local start shop-web-1.g2 (changed in the commit)
    [4] -> #5 web.1@local wait until shop-web-1.g2 is ready (changed in the commit)
    [5] -> #6 web@local switch edge on local: web.8080 = shop-web-1.g2 shop-web-2.g1 (changed in the commit)
    [5] -> #7 web.1@local remove shop-web-1.g1 (changed in the commit)
    [6, 7] -> #8 web.2@local create shop-web-2.g2 (changed in the commit)
    [8] -> #9 web@local switch edge on local: web.8080 = shop-web-1.g2 (changed in the commit)
    [9] -> #10 web@local wait until edge has let go of shop-web-2.g1 (changed in the commit)
    [10] -> #11 web.2@local stop shop-web-2.g1 (changed in the commit)
    [11] -> #12 web.2@local start shop-web-2.g2 (changed in the commit)
    [12] -> #13 web.2@local wait until shop-web-2.g2 is ready (changed in the commit)
    [13] -> #14 web@local switch edge on local: web.8080 = shop-web-1.g2 shop-web-2.g2 (changed in the commit)
    [13] -> #15 web.2@local remove shop-web-2.g1 (changed in the commit)
    [14, 15] -> #16 shop@local record 0000002 (changed in the commit)
    ");
    assert_snapshot!(reason(&web, &web.replace("shop:1", "shop:2")), @"-/+ none");
}

#[test]
fn all_that_stop_first_at_once_are_away() {
    let more = "replicas: 2, update_config: {order: stop-first, parallelism: 0}";
    let web = WEB.replace("replicas: 2", more);
    assert_snapshot!(reason(&web, &web.replace("shop:1", "shop:2")), @"-/+ 3s: order: stop-first");
}

#[test]
fn one_of_four_is_replaced_at_a_time() {
    let web = WEB.replace("replicas: 2", "replicas: 4, update_config: {parallelism: 1}");
    assert_snapshot!(from_to(&web, &web.replace("shop:1", "shop:2")), @"
    [] -> #0 web.1@local create shop-web-1.g2 (changed in the commit)
    [0] -> #1 web.1@local start shop-web-1.g2 (changed in the commit)
    [1] -> #2 web.1@local wait until shop-web-1.g2 is ready (changed in the commit)
    [2] -> #3 web@local switch edge on local: web.8080 = shop-web-1.g2 shop-web-2.g1 shop-web-3.g1 shop-web-4.g1 (changed in the commit)
    [3] -> #4 web@local wait until edge has let go of shop-web-1.g1 (changed in the commit)
    [4] -> #5 web.1@local stop shop-web-1.g1 (changed in the commit)
    [5] -> #6 web.1@local remove shop-web-1.g1 (changed in the commit)
    [6] -> #7 web.2@local create shop-web-2.g2 (changed in the commit)
    [7] -> #8 web.2@local start shop-web-2.g2 (changed in the commit)
    [8] -> #9 web.2@local wait until shop-web-2.g2 is ready (changed in the commit)
    [9] -> #10 web@local switch edge on local: web.8080 = shop-web-1.g2 shop-web-2.g2 shop-web-3.g1 shop-web-4.g1 (changed in the commit)
    [10] -> #11 web@local wait until edge has let go of shop-web-2.g1 (changed in the commit)
    [11] -> #12 web.2@local stop shop-web-2.g1 (changed in the commit)
    [12] -> #13 web.2@local remove shop-web-2.g1 (changed in the commit)
    [13] -> #14 web.3@local create shop-web-3.g2 (changed in the commit)
    [14] -> #15 web.3@local start shop-web-3.g2 (changed in the commit)
    [15] -> #16 web.3@local wait until shop-web-3.g2 is ready (changed in the commit)
    [16] -> #17 web@local switch edge on local: web.8080 = shop-web-1.g2 shop-web-2.g2 shop-web-3.g2 shop-web-4.g1 (changed in the commit)
    [17] -> #18 web@local wait until edge has let go of shop-web-3.g1 (changed in the commit)
    [18] -> #19 web.3@local stop shop-web-3.g1 (changed in the commit)
    [19] -> #20 web.3@local remove shop-web-3.g1 (changed in the commit)
    [20] -> #21 web.4@local create shop-web-4.g2 (changed in the commit)
    [21] -> #22 web.4@local start shop-web-4.g2 (changed in the commit)
    [22] -> #23 web.4@local wait until shop-web-4.g2 is ready (changed in the commit)
    [23] -> #24 web@local switch edge on local: web.8080 = shop-web-1.g2 shop-web-2.g2 shop-web-3.g2 shop-web-4.g2 (changed in the commit)
    [24] -> #25 web@local wait until edge has let go of shop-web-4.g1 (changed in the commit)
    [25] -> #26 web.4@local stop shop-web-4.g1 (changed in the commit)
    [26] -> #27 web.4@local remove shop-web-4.g1 (changed in the commit)
    [27] -> #28 shop@local record 0000002 (changed in the commit)
    ");
}

#[test]
fn two_of_four_are_replaced_at_a_time_with_a_pause() {
    let web =
        WEB.replace("replicas: 2", "replicas: 4, update_config: {parallelism: 2, delay: 10s}");
    assert_snapshot!(from_to(&web, &web.replace("shop:1", "shop:2")), @"
    [] -> #0 web.1@local create shop-web-1.g2 (changed in the commit)
    [] -> #1 web.2@local create shop-web-2.g2 (changed in the commit)
    [0] -> #2 web.1@local start shop-web-1.g2 (changed in the commit)
    [2] -> #3 web.1@local wait until shop-web-1.g2 is ready (changed in the commit)
    [1] -> #4 web.2@local start shop-web-2.g2 (changed in the commit)
    [4] -> #5 web.2@local wait until shop-web-2.g2 is ready (changed in the commit)
    [3, 5] -> #6 web@local switch edge on local: web.8080 = shop-web-1.g2 shop-web-2.g2 shop-web-3.g1 shop-web-4.g1 (changed in the commit)
    [6] -> #7 web@local wait until edge has let go of shop-web-1.g1, shop-web-2.g1 (changed in the commit)
    [7] -> #8 web.1@local stop shop-web-1.g1 (changed in the commit)
    [7] -> #9 web.2@local stop shop-web-2.g1 (changed in the commit)
    [8] -> #10 web.1@local remove shop-web-1.g1 (changed in the commit)
    [9] -> #11 web.2@local remove shop-web-2.g1 (changed in the commit)
    [10, 11] -> #12 web@local wait 10s (changed in the commit)
    [12] -> #13 web.3@local create shop-web-3.g2 (changed in the commit)
    [12] -> #14 web.4@local create shop-web-4.g2 (changed in the commit)
    [13] -> #15 web.3@local start shop-web-3.g2 (changed in the commit)
    [15] -> #16 web.3@local wait until shop-web-3.g2 is ready (changed in the commit)
    [14] -> #17 web.4@local start shop-web-4.g2 (changed in the commit)
    [17] -> #18 web.4@local wait until shop-web-4.g2 is ready (changed in the commit)
    [16, 18] -> #19 web@local switch edge on local: web.8080 = shop-web-1.g2 shop-web-2.g2 shop-web-3.g2 shop-web-4.g2 (changed in the commit)
    [19] -> #20 web@local wait until edge has let go of shop-web-3.g1, shop-web-4.g1 (changed in the commit)
    [20] -> #21 web.3@local stop shop-web-3.g1 (changed in the commit)
    [20] -> #22 web.4@local stop shop-web-4.g1 (changed in the commit)
    [21] -> #23 web.3@local remove shop-web-3.g1 (changed in the commit)
    [22] -> #24 web.4@local remove shop-web-4.g1 (changed in the commit)
    [23, 24] -> #25 shop@local record 0000002 (changed in the commit)
    ");
}

#[test]
fn rolling_goes_one_by_one_when_nothing_else_is_said() {
    let web = format!("{WEB}      rollout: {{strategy: rolling}}\n");
    assert_snapshot!(from_to(&web, &web.replace("shop:1", "shop:2")), @"
    [] -> #0 web.1@local create shop-web-1.g2 (changed in the commit)
    [0] -> #1 web.1@local start shop-web-1.g2 (changed in the commit)
    [1] -> #2 web.1@local wait until shop-web-1.g2 is ready (changed in the commit)
    [2] -> #3 web@local switch edge on local: web.8080 = shop-web-1.g2 shop-web-2.g1 (changed in the commit)
    [3] -> #4 web@local wait until edge has let go of shop-web-1.g1 (changed in the commit)
    [4] -> #5 web.1@local stop shop-web-1.g1 (changed in the commit)
    [5] -> #6 web.1@local remove shop-web-1.g1 (changed in the commit)
    [6] -> #7 web.2@local create shop-web-2.g2 (changed in the commit)
    [7] -> #8 web.2@local start shop-web-2.g2 (changed in the commit)
    [8] -> #9 web.2@local wait until shop-web-2.g2 is ready (changed in the commit)
    [9] -> #10 web@local switch edge on local: web.8080 = shop-web-1.g2 shop-web-2.g2 (changed in the commit)
    [10] -> #11 web@local wait until edge has let go of shop-web-2.g1 (changed in the commit)
    [11] -> #12 web.2@local stop shop-web-2.g1 (changed in the commit)
    [12] -> #13 web.2@local remove shop-web-2.g1 (changed in the commit)
    [13] -> #14 shop@local record 0000002 (changed in the commit)
    ");
}

#[test]
fn a_service_starts_after_what_it_depends_on_is_healthy() {
    let stack = "
services:
  web: {image: 'i:1', depends_on: {db: {condition: service_healthy}}}
  db: {image: 'i:1', healthcheck: {test: [CMD, ok]}}";
    let mut fleet = Fleet::one();
    fleet.want("shop", stack);
    assert_snapshot!(fleet.text(), @"
    [] -> #0 shop@local create network shop_default (new in the commit)
    [0] -> #1 db.1@local create shop-db-1.g1 (new in the commit)
    [1] -> #2 db.1@local start shop-db-1.g1 (new in the commit)
    [2] -> #3 db.1@local wait until shop-db-1.g1 is ready (new in the commit)
    [0] -> #4 web.1@local create shop-web-1.g1 (new in the commit)
    [3, 4] -> #5 web.1@local start shop-web-1.g1 (new in the commit)
    [5] -> #6 web.1@local wait until shop-web-1.g1 is ready (new in the commit)
    [6] -> #7 shop@local record 0000001 (changed in the commit)
    ");
    fleet.deploy();
    assert_eq!(fleet.container("db", 1).state.health, Some(Health::Healthy));
}

const JOB: &str = "
services:
  web: {image: 'i:1', depends_on: {migrate: {condition: service_completed_successfully}}}
  migrate: {image: 'i:1', command: [migrate]}";

#[test]
fn a_job_ends_before_what_waits_for_it_starts() {
    let mut fleet = Fleet::one();
    fleet.want("shop", JOB);
    assert_snapshot!(fleet.text(), @"
    [] -> #0 shop@local create network shop_default (new in the commit)
    [0] -> #1 migrate.1@local create shop-migrate-1.g1 (new in the commit)
    [1] -> #2 migrate.1@local start shop-migrate-1.g1 (new in the commit)
    [2] -> #3 migrate.1@local wait until shop-migrate-1.g1 has ended (new in the commit)
    [0] -> #4 web.1@local create shop-web-1.g1 (new in the commit)
    [3, 4] -> #5 web.1@local start shop-web-1.g1 (new in the commit)
    [5] -> #6 web.1@local wait until shop-web-1.g1 is ready (new in the commit)
    [6] -> #7 shop@local record 0000001 (changed in the commit)
    ");
}

#[test]
fn a_job_is_done_again_for_a_new_release_only() {
    assert_eq!(from_to(JOB, JOB), "nothing to do");
    assert_snapshot!(from_to(JOB, &JOB.replace("i:1", "i:2")), @"
    [] -> #0 migrate.1@local create shop-migrate-1.g2 (changed in the commit)
    [0] -> #1 migrate.1@local start shop-migrate-1.g2 (changed in the commit)
    [1] -> #2 migrate.1@local wait until shop-migrate-1.g2 has ended (changed in the commit)
    [2] -> #3 migrate.1@local remove shop-migrate-1.g1 (changed in the commit)
    [] -> #4 web.1@local create shop-web-1.g2 (changed in the commit)
    [2, 4] -> #5 web.1@local start shop-web-1.g2 (changed in the commit)
    [5] -> #6 web.1@local wait until shop-web-1.g2 is ready (changed in the commit)
    [6] -> #7 web.1@local stop shop-web-1.g1 (changed in the commit)
    [7] -> #8 web.1@local remove shop-web-1.g1 (changed in the commit)
    [3, 8] -> #9 shop@local record 0000002 (changed in the commit)
    ");
}

#[test]
fn a_job_that_failed_is_done_again() {
    let mut fleet = Fleet::one();
    fleet.want("shop", JOB);
    fleet.deploy();
    fleet.container("migrate", 1).state.exit_code = 1;
    assert_snapshot!(fleet.text(), @"
    [] -> #0 migrate.1@local create shop-migrate-1.g2 (it has ended)
    [0] -> #1 migrate.1@local start shop-migrate-1.g2 (it has ended)
    [1] -> #2 migrate.1@local wait until shop-migrate-1.g2 has ended (it has ended)
    [2] -> #3 migrate.1@local remove shop-migrate-1.g1 (it has ended)
    [3] -> #4 shop@local record 0000001 (changed in the commit)
    ");
}

#[test]
fn a_service_is_replaced_with_the_one_it_restarts_with() {
    let stack = "
services:
  web: {image: 'i:1', depends_on: {db: {condition: service_started, restart: true}}}
  db: {image: 'db:1'}";
    assert_snapshot!(from_to(stack, &stack.replace("db:1", "db:2")), @"
    [] -> #0 db.1@local create shop-db-1.g2 (changed in the commit)
    [0] -> #1 db.1@local start shop-db-1.g2 (changed in the commit)
    [1] -> #2 db.1@local wait until shop-db-1.g2 is ready (changed in the commit)
    [2] -> #3 db.1@local stop shop-db-1.g1 (changed in the commit)
    [3] -> #4 db.1@local remove shop-db-1.g1 (changed in the commit)
    [] -> #5 web.1@local create shop-web-1.g2 (it depends on db)
    [1, 5] -> #6 web.1@local start shop-web-1.g2 (it depends on db)
    [6] -> #7 web.1@local wait until shop-web-1.g2 is ready (it depends on db)
    [7] -> #8 web.1@local stop shop-web-1.g1 (it depends on db)
    [8] -> #9 web.1@local remove shop-web-1.g1 (it depends on db)
    [4, 9] -> #10 shop@local record 0000002 (changed in the commit)
    ");
}

#[test]
fn a_service_that_is_gone_is_unrouted_drained_and_removed() {
    let stack = format!("{WEB}  worker: {{image: w}}\n");
    let without = "services: {worker: {image: w}}";
    assert_snapshot!(from_to(&stack, without), @"
    [] -> #0 web@local switch edge on local: web.8080 gone (not in the commit any more)
    [0] -> #1 web@local wait until edge has let go of shop-web-1.g1, shop-web-2.g1 (not in the commit any more)
    [1] -> #2 web.1@local stop shop-web-1.g1 (not in the commit any more)
    [1] -> #3 web.2@local stop shop-web-2.g1 (not in the commit any more)
    [2] -> #4 web.1@local remove shop-web-1.g1 (not in the commit any more)
    [3] -> #5 web.2@local remove shop-web-2.g1 (not in the commit any more)
    [4, 5] -> #6 shop@local record 0000002 (changed in the commit)
    ");
}

#[test]
fn hooks_run_after_the_start_and_before_the_stop() {
    let web = "
services:
  web:
    image: i:1
    post_start: [{command: [warm]}]
    pre_stop: [{command: [bye]}]";
    assert_snapshot!(from_to(web, &web.replace("i:1", "i:2")), @"
    [] -> #0 web.1@local create shop-web-1.g2 (changed in the commit)
    [0] -> #1 web.1@local start shop-web-1.g2 (changed in the commit)
    [1] -> #2 web.1@local run post_start in shop-web-1.g2 (changed in the commit)
    [2] -> #3 web.1@local wait until shop-web-1.g2 is ready (changed in the commit)
    [3] -> #4 web.1@local run pre_stop in shop-web-1.g1 (changed in the commit)
    [4] -> #5 web.1@local stop shop-web-1.g1 (changed in the commit)
    [5] -> #6 web.1@local remove shop-web-1.g1 (changed in the commit)
    [6] -> #7 shop@local record 0000002 (changed in the commit)
    ");
}

#[test]
fn an_image_that_is_not_there_is_pulled_once_a_host() {
    let mut fleet = Fleet::new(TWO);
    fleet.want("shop", "services: {a: {image: i, deploy: {replicas: 3}}, b: {image: i}}");
    for host in ["a", "b"] {
        let image = fleet.host(host).images.get_mut("i").expect("it").as_mut().expect("an image");
        (image.id, image.needs_pull, image.digest) = (None, true, Some("sha256:d1".into()));
    }
    assert_snapshot!(fleet.text(), @r"
    [] -> #0 a@a pull i (new in the commit)
    [] -> #1 a@b pull i (new in the commit)
    [0, 1] -> #2 shop@a create network shop_default (new in the commit)
    [0, 1] -> #3 shop@b create network shop_default (new in the commit)
    [2] -> #4 a.1@a create shop-a-1.g1 (new in the commit)
    [3] -> #5 a.2@b create shop-a-2.g1 (new in the commit)
    [2] -> #6 a.3@a create shop-a-3.g1 (new in the commit)
    [4] -> #7 a.1@a start shop-a-1.g1 (new in the commit)
    [7] -> #8 a.1@a wait until shop-a-1.g1 is ready (new in the commit)
    [5] -> #9 a.2@b start shop-a-2.g1 (new in the commit)
    [9] -> #10 a.2@b wait until shop-a-2.g1 is ready (new in the commit)
    [6] -> #11 a.3@a start shop-a-3.g1 (new in the commit)
    [11] -> #12 a.3@a wait until shop-a-3.g1 is ready (new in the commit)
    [3] -> #13 b.1@b create shop-b-1.g1 (new in the commit)
    [13] -> #14 b.1@b start shop-b-1.g1 (new in the commit)
    [14] -> #15 b.1@b wait until shop-b-1.g1 is ready (new in the commit)
    [8, 10, 12, 15] -> #16 shop@a record 0000001 (changed in the commit)
    [8, 10, 12, 15] -> #17 shop@b record 0000001 (changed in the commit)
    ");
    fleet.deploy();
}

#[test]
fn a_tag_that_moved_replaces_what_runs() {
    let mut fleet = Fleet::one();
    fleet.want("shop", WORKER);
    fleet.deploy();
    let image = fleet.host("local").images.get_mut("worker:1").expect("it").as_mut().expect("one");
    image.id = Some("sha256:other".into());
    assert_snapshot!(fleet.text(), @"
    [] -> #0 worker.1@local create shop-worker-1.g2 (changed outside of the repository)
    [0] -> #1 worker.1@local start shop-worker-1.g2 (changed outside of the repository)
    [1] -> #2 worker.1@local wait until shop-worker-1.g2 is ready (changed outside of the repository)
    [2] -> #3 worker.1@local stop shop-worker-1.g1 (changed outside of the repository)
    [3] -> #4 worker.1@local remove shop-worker-1.g1 (changed outside of the repository)
    [4] -> #5 shop@local record 0000001 (changed in the commit)
    ");
    fleet.deploy();
}

/// Images are shared by tags that have nothing to do with each other, and what other repositories
/// call one may change between two looks.
#[test]
fn a_plan_does_not_depend_on_digests_of_other_repositories() {
    let mut fleet = Fleet::one();
    fleet.want("shop", WORKER);
    fleet.deploy();
    let host = fleet.host("local");
    let image = host.images.get_mut("worker:1").expect("it").as_mut().expect("one");
    let mut own = image.clone();
    let id = own.id.clone().expect("it is there");
    (image.needs_pull, image.digest) = (true, Some("sha256:d2".into()));
    own.digests = ["docker.io/library/worker@sha256:d1".to_owned()].into();
    host.images.insert(id.clone(), Ok(own));
    let plan = fleet.plan().expect("a plan");
    let stack = plan.stacks.values().next().expect("a stack");
    let fields = stack.changes.iter().flat_map(|change| &change.fields);
    let old: Vec<_> = fields.map(|field| (field.path.as_str(), &field.old)).collect();
    let seen = Some(crate::model::Seen::Text("worker:1 (sha256:d1)".into()));
    assert_eq!(old, [("image", &seen)]);
    let own = fleet.host("local").images.get_mut(&id).expect("it").as_mut().expect("one");
    own.digests.insert("docker.io/another/name@sha256:d0".into());
    assert_eq!(fleet.plan().expect("a plan").id, plan.id);
}

#[test]
fn a_service_that_is_renamed_keeps_its_fixed_port_free() {
    let db = "services: {db: {image: i, ports: ['5432:5432']}}";
    assert_snapshot!(from_to(db, &db.replace("{db:", "{store:")), @"
    [] -> #0 db.1@local stop shop-db-1.g1 (not in the commit any more)
    [0] -> #1 db.1@local remove shop-db-1.g1 (not in the commit any more)
    [] -> #2 store.1@local create shop-store-1.g2 (new in the commit)
    [0, 2] -> #3 store.1@local start shop-store-1.g2 (new in the commit)
    [3] -> #4 store.1@local wait until shop-store-1.g2 is ready (new in the commit)
    [1, 4] -> #5 shop@local record 0000002 (changed in the commit)
    ");
}

#[test]
fn what_comes_before_a_start_runs_in_a_container_of_its_own() {
    let web = "
services:
  web:
    image: i:1
    deploy: {replicas: 2}
    pre_start: [{command: [migrate], image: tool}, {command: [warm], per_replica: true}]";
    let mut fleet = Fleet::one();
    fleet.want("shop", web);
    assert_snapshot!(fleet.text(), @"
    [] -> #0 shop@local create network shop_default (new in the commit)
    [0] -> #1 web.1@local create shop-web-1.g1 (new in the commit)
    [0] -> #2 web.2@local create shop-web-2.g1 (new in the commit)
    [1] -> #3 web.1@local create shop-web-0.g1 (new in the commit)
    [3] -> #4 web.1@local start shop-web-0.g1 (new in the commit)
    [4] -> #5 web.1@local wait until shop-web-0.g1 has ended (new in the commit)
    [5] -> #6 web.1@local remove shop-web-0.g1 (new in the commit)
    [6] -> #7 web.1@local create shop-web-0.g1 (new in the commit)
    [7] -> #8 web.1@local start shop-web-0.g1 (new in the commit)
    [8] -> #9 web.1@local wait until shop-web-0.g1 has ended (new in the commit)
    [9] -> #10 web.1@local remove shop-web-0.g1 (new in the commit)
    [10] -> #11 web.1@local start shop-web-1.g1 (new in the commit)
    [11] -> #12 web.1@local wait until shop-web-1.g1 is ready (new in the commit)
    [2, 10] -> #13 web.2@local create shop-web-0.g1 (new in the commit)
    [13] -> #14 web.2@local start shop-web-0.g1 (new in the commit)
    [14] -> #15 web.2@local wait until shop-web-0.g1 has ended (new in the commit)
    [15] -> #16 web.2@local remove shop-web-0.g1 (new in the commit)
    [16] -> #17 web.2@local start shop-web-2.g1 (new in the commit)
    [17] -> #18 web.2@local wait until shop-web-2.g1 is ready (new in the commit)
    [12, 18] -> #19 shop@local record 0000001 (changed in the commit)
    ");
    fleet.deploy();
}
