//! Where replicas go, and what a host that does not answer means.

use insta::assert_snapshot;

use super::WEB;
use crate::model::{Fault, FaultKind};
use crate::planner::fixture::{Fleet, TWO};

#[test]
fn replicas_are_spread_and_stay_where_they_are() {
    let mut fleet = Fleet::new(TWO);
    fleet.want("shop", "services: {a: {image: i, deploy: {replicas: 3}}}");
    assert_snapshot!(fleet.text(), @"
    [] -> #0 shop@a create network shop_default (new in the commit)
    [] -> #1 shop@b create network shop_default (new in the commit)
    [0] -> #2 a.1@a create shop-a-1.g1 (new in the commit)
    [1] -> #3 a.2@b create shop-a-2.g1 (new in the commit)
    [0] -> #4 a.3@a create shop-a-3.g1 (new in the commit)
    [2] -> #5 a.1@a start shop-a-1.g1 (new in the commit)
    [5] -> #6 a.1@a wait until shop-a-1.g1 is ready (new in the commit)
    [3] -> #7 a.2@b start shop-a-2.g1 (new in the commit)
    [7] -> #8 a.2@b wait until shop-a-2.g1 is ready (new in the commit)
    [4] -> #9 a.3@a start shop-a-3.g1 (new in the commit)
    [9] -> #10 a.3@a wait until shop-a-3.g1 is ready (new in the commit)
    [6, 8, 10] -> #11 shop@a record 0000001 (changed in the commit)
    [6, 8, 10] -> #12 shop@b record 0000001 (changed in the commit)
    ");
    fleet.deploy();
    fleet.want("shop", "services: {a: {image: 'i:2', deploy: {replicas: 3}}}");
    fleet.deploy();
    let count = |fleet: &mut Fleet, host: &str| fleet.host(host).containers.len();
    assert_eq!((count(&mut fleet, "a"), count(&mut fleet, "b")), (2, 1));
}

#[test]
fn host_by_host_the_replicas_of_a_host_go_together() {
    let mut fleet = Fleet::new(TWO);
    let web = WEB.replace("replicas: 2", "replicas: 4");
    let web = format!("{web}      rollout: {{strategy: host-by-host}}\n");
    fleet.want("shop", &web);
    fleet.deploy();
    fleet.want("shop", &web.replace("shop:1", "shop:2"));
    let text = fleet.text();
    let turns = text.lines().filter(|line| line.contains("switch") || line.contains(" stop "));
    assert_snapshot!(turns.collect::<Vec<_>>().join("\n"), @r"
    [3, 5] -> #6 web@a switch edge on a: web.8080 = shop-web-1.g2 shop-web-2.g1 shop-web-3.g2 shop-web-4.g1 (changed in the commit)
    [7] -> #8 web.1@a stop shop-web-1.g1 (changed in the commit)
    [7] -> #9 web.3@a stop shop-web-3.g1 (changed in the commit)
    [15, 17] -> #18 web@a switch edge on a: web.8080 = shop-web-1.g2 shop-web-2.g2 shop-web-3.g2 shop-web-4.g2 (changed in the commit)
    [19] -> #20 web.2@b stop shop-web-2.g1 (changed in the commit)
    [19] -> #21 web.4@b stop shop-web-4.g1 (changed in the commit)
    ");
    let both = web.replace("replicas: 4", "replicas: 4, update_config: {parallelism: 2}");
    fleet.want("shop", &both.replace("shop:1", "shop:2"));
    assert_eq!(fleet.text().matches("switch").count(), 1);
}

#[test]
fn host_by_host_stop_first_is_away_only_where_one_host_has_all() {
    let mut fleet = Fleet::new(TWO);
    let deploy = "replicas: 4, update_config: {order: stop-first}";
    let web = WEB.replace("replicas: 2", deploy);
    let web = format!("{web}      rollout: {{strategy: host-by-host}}\n");
    let downtime = |fleet: &mut Fleet, web: &str| {
        fleet.want("shop", web);
        fleet.deploy();
        fleet.want("shop", &web.replace("shop:1", "shop:2"));
        let plan = fleet.plan().expect("a plan");
        let change = plan.stacks.values().next().and_then(|it| it.changes.first()).cloned();
        change.expect("a change").downtime != crate::model::Downtime::None
    };
    assert!(!downtime(&mut fleet, &web));
    let on_one = format!("{deploy}, placement: {{constraints: [node.hostname == a]}}");
    assert!(downtime(&mut Fleet::new(TWO), &web.replace(deploy, &on_one)));
}

#[test]
fn a_constraint_moves_a_replica_new_before_old() {
    let mut fleet = Fleet::new(TWO);
    let web = WEB.replace("replicas: 2", "replicas: 1");
    fleet.want("shop", &web);
    fleet.deploy();
    let there = "replicas: 1, placement: {constraints: [node.labels.zone == y]}";
    fleet.want("shop", &web.replace("replicas: 1", there));
    assert_snapshot!(fleet.text(), @r"
    [] -> #0 shop@b create network shop_default (one more host needs it)
    [0] -> #1 web.1@b create shop-web-1.g2 (its host may not have it any more)
    [1] -> #2 web.1@b start shop-web-1.g2 (its host may not have it any more)
    [2] -> #3 web.1@b wait until shop-web-1.g2 is ready (its host may not have it any more)
    [3] -> #4 web@a switch edge on a: web.8080 = shop-web-1.g2 (its host may not have it any more)
    [4] -> #5 web@a wait until edge has let go of shop-web-1.g1 (its host may not have it any more)
    [5] -> #6 web.1@a stop shop-web-1.g1 (its host may not have it any more)
    [6] -> #7 web.1@a remove shop-web-1.g1 (its host may not have it any more)
    [7] -> #8 shop@a remove network shop_default (nothing on its host needs it any more)
    [8] -> #9 shop@a record 0000002 (changed in the commit)
    [8] -> #10 shop@b record 0000002 (changed in the commit)
    ");
    fleet.deploy();
}

#[test]
fn a_global_service_has_one_replica_on_each_host() {
    let mut fleet = Fleet::new(TWO);
    fleet.want("shop", "services: {agent: {image: i, deploy: {mode: global}}}");
    assert_snapshot!(fleet.text(), @"
    [] -> #0 shop@a create network shop_default (new in the commit)
    [] -> #1 shop@b create network shop_default (new in the commit)
    [0] -> #2 agent.1@a create shop-agent-1.g1 (new in the commit)
    [1] -> #3 agent.2@b create shop-agent-2.g1 (new in the commit)
    [2] -> #4 agent.1@a start shop-agent-1.g1 (new in the commit)
    [4] -> #5 agent.1@a wait until shop-agent-1.g1 is ready (new in the commit)
    [3] -> #6 agent.2@b start shop-agent-2.g1 (new in the commit)
    [6] -> #7 agent.2@b wait until shop-agent-2.g1 is ready (new in the commit)
    [5, 7] -> #8 shop@a record 0000001 (changed in the commit)
    [5, 7] -> #9 shop@b record 0000001 (changed in the commit)
    ");
    fleet.deploy();
}

#[test]
fn a_volume_keeps_a_service_where_its_data_is() {
    let mut fleet = Fleet::new(TWO);
    let stack = "
services:
  db: {image: i, volumes: ['data:/data'], deploy: {placement: {constraints: [node.hostname == b]}}}
volumes: {data: {}}";
    fleet.want("shop", stack);
    fleet.deploy();
    let both = "
services:
  backup: {image: i, volumes: ['data:/data:ro']}
  db: {image: i, volumes: ['data:/data']}
volumes: {data: {}}";
    fleet.want("shop", both);
    assert_snapshot!(fleet.text(), @"
    [] -> #0 backup.1@b create shop-backup-1.g2 (new in the commit)
    [0] -> #1 backup.1@b start shop-backup-1.g2 (new in the commit)
    [1] -> #2 backup.1@b wait until shop-backup-1.g2 is ready (new in the commit)
    [2] -> #3 shop@b record 0000002 (changed in the commit)
    ");
}

#[test]
fn no_more_is_reserved_than_a_host_has() {
    let mut fleet = Fleet::new(TWO);
    let stack =
        "services: {a: {image: i, deploy: {replicas: 3, resources: {reservations: {memory: 5g}}}}}";
    fleet.want("shop", stack);
    assert_snapshot!(fleet.text(), @"Invalid: shop/a: replica 3 fits on no host (a, b: 5GiB of memory asked for, 3GiB of 8GiB free)");
}

#[test]
fn a_host_that_may_be_needed_and_is_silent_ends_the_plan() {
    let mut fleet = Fleet::new(TWO);
    fleet.want("shop", "services: {a: {image: i, deploy: {replicas: 2}}}");
    fleet.deploy();
    fleet.silence("b");
    assert_snapshot!(fleet.text(), @"Unreachable: the host b did not answer, and shop/a may be on it: connection refused");
}

#[test]
fn a_silent_host_that_is_not_needed_is_no_matter() {
    let mut fleet = Fleet::new(TWO);
    let stack =
        "services: {a: {image: 'i:1', deploy: {placement: {constraints: [node.hostname == a]}}}}";
    fleet.want("shop", stack);
    fleet.deploy();
    fleet.silence("b");
    assert_snapshot!(fleet.text(), @"nothing to do");
}

#[test]
fn a_silent_host_is_left_as_it_is_where_that_is_allowed() {
    let mut fleet = Fleet::new(TWO);
    fleet.want("shop", WEB);
    fleet.deploy();
    fleet.silence("b");
    fleet.scope.skip_unreachable = true;
    fleet.want("shop", &WEB.replace("shop:1", "shop:2"));
    assert_snapshot!(fleet.text(), @r"
    [] -> #0 web.1@a create shop-web-1.g2 (changed in the commit)
    [0] -> #1 web.1@a start shop-web-1.g2 (changed in the commit)
    [1] -> #2 web.1@a wait until shop-web-1.g2 is ready (changed in the commit)
    [2] -> #3 web@a switch edge on a: web.8080 = shop-web-1.g2 acme-shop-web-2-c03b29 (changed in the commit)
    [3] -> #4 web@a wait until edge has let go of shop-web-1.g1 (changed in the commit)
    [4] -> #5 web.1@a stop shop-web-1.g1 (changed in the commit)
    [5] -> #6 web.1@a remove shop-web-1.g1 (changed in the commit)
    [6] -> #7 shop@a record 0000002 (changed in the commit)
    ");
    let plan = fleet.plan().expect("a plan");
    assert_snapshot!(format!("{:?}\n{}", plan.blind, plan.stacks.values().next().expect("one").notes[0].message), @r#"
    [Blind { what: "b", message: "connection refused" }]
    replica 2 may be on b, which was not seen; it is not made elsewhere
    "#);
}

#[test]
fn what_a_silent_proxy_may_send_to_is_not_touched() {
    let mut fleet = Fleet::new(TWO);
    fleet.want("shop", &format!("{WEB}  job: {{image: 'j:1', deploy: {{placement: {{constraints: [node.hostname == b]}}}}}}\n"));
    fleet.deploy();
    fleet.silence("a");
    fleet.scope.skip_unreachable = true;
    fleet.want("shop", &format!("{WEB}  job: {{image: 'j:2', deploy: {{placement: {{constraints: [node.hostname == b]}}}}}}\n").replace("shop:1", "shop:2"));
    assert_snapshot!(fleet.text(), @"
    [] -> #0 job.1@b create shop-job-1.g2 (changed in the commit)
    [0] -> #1 job.1@b start shop-job-1.g2 (changed in the commit)
    [1] -> #2 job.1@b wait until shop-job-1.g2 is ready (changed in the commit)
    [2] -> #3 job.1@b stop shop-job-1.g1 (changed in the commit)
    [3] -> #4 job.1@b remove shop-job-1.g1 (changed in the commit)
    [4] -> #5 shop@b record 0000002 (changed in the commit)
    ");
}

#[test]
fn services_that_will_not_find_each_other_are_told_of() {
    let mut fleet = Fleet::new(TWO);
    let stack = "
services:
  web: {image: i, depends_on: [db], deploy: {placement: {constraints: [node.hostname == a]}}}
  db: {image: i, deploy: {placement: {constraints: [node.hostname == b]}}}";
    fleet.want("shop", stack);
    let plan = fleet.plan().expect("a plan");
    let notes = &plan.stacks.values().next().expect("a stack").notes;
    let notes: Vec<_> =
        notes.iter().map(|note| format!("{}: {}", note.service, note.message)).collect();
    assert_snapshot!(notes.join("\n"), @"
    db: it has neither a health check nor `x-gitdeploy.health`: a replica counts as ready when it has run for 5s
    web: it has neither a health check nor `x-gitdeploy.health`: a replica counts as ready when it has run for 5s
    web: on a it will not find db by name: a network does not reach beyond its host
    ");
}

#[test]
fn a_host_that_is_refused_is_not_said_to_be_silent() {
    let mut fleet = Fleet::new(TWO);
    fleet.want("shop", WEB);
    fleet.deploy();
    fleet.silence("a");
    let refused = Fault { kind: FaultKind::Refused, message: "its host key has changed".into() };
    *fleet.observed.hosts.get_mut("a").expect("a host") = Err(refused);
    assert_snapshot!(fleet.text(), @"Unreachable: the host a cannot be used, and shop/web may be on it: its host key has changed");
}

#[test]
fn a_proxy_that_is_silent_beside_an_engine_that_answers_is_told() {
    let mut fleet = Fleet::new(TWO);
    fleet.want("shop", WEB);
    fleet.deploy();
    for state in fleet.observed.proxies.values_mut() {
        *state = Err(Fault::silent("connection refused"));
    }
    assert_snapshot!(fleet.text(), @"Unreachable: the proxy edge on a did not answer, and it may send to shop/web: connection refused");
}
