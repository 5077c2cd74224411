//! Room on hosts, reasons in words, and hosts that are drained.

use insta::assert_snapshot;

use super::WEB;
use crate::model::{Count, Drained};
use crate::planner::fixture::{Fleet, TWO};

const THREE: &str = "\
hosts:
  a: {docker: 'ssh://10.0.0.1', labels: {zone: x}}
  b: {docker: 'ssh://10.0.0.2', labels: {zone: x}, capacity: {memory: 16g}}
  c: {docker: 'ssh://10.0.0.3', labels: {zone: y}}
";

fn service(deploy: &str) -> String {
    format!("services: {{s: {{image: i, deploy: {{{deploy}}}}}}}")
}

fn drain(fleet: &mut Fleet, host: &str, is_forced: bool) {
    fleet.host(host).drained = Some(Drained { by: "ann".into(), is_forced });
}

fn hosts(fleet: &Fleet, service: &str) -> String {
    let mut found = Vec::new();
    for (host, state) in &fleet.observed.hosts {
        for live in state.as_ref().expect("answers").containers.values() {
            if live.identity.service.as_str() == service {
                found.push(format!("{}@{host}", live.identity.slot));
            }
        }
    }
    found.sort();
    found.join(" ")
}

fn notes(fleet: &Fleet) -> String {
    let plan = fleet.plan().expect("a plan");
    let notes = plan.stacks.values().flat_map(|it| it.notes.clone());
    let about = notes.filter(|note| !note.message.contains("health check"));
    about.map(|note| format!("{}: {}", note.service, note.message)).collect::<Vec<_>>().join("\n")
}

fn explained(fleet: &mut Fleet) -> String {
    fleet.scope.explain = true;
    let plan = fleet.plan().expect("a plan");
    let mut lines = Vec::new();
    for seating in plan.stacks.values().flat_map(|it| &it.seatings) {
        lines
            .push(format!("{}.{}@{} {}", seating.service, seating.slot, seating.host, seating.why));
        for (why, hosts) in &seating.barred {
            let hosts: Vec<&str> = hosts.iter().map(crate::model::HostName::as_str).collect();
            lines.push(format!("  not {}: {why}", hosts.join(", ")));
        }
    }
    lines.join("\n")
}

const PACKED: &str = "\
services:
  s:
    image: i
    deploy: {replicas: 4, resources: {reservations: {memory: 3g}}}
    x-gitdeploy: {placement: {strategy: binpack}}";

#[test]
fn packing_fills_one_host_before_the_next() {
    let mut fleet = Fleet::new(THREE);
    fleet.want("shop", PACKED);
    fleet.deploy();
    assert_snapshot!(hosts(&fleet, "s"), @"1@a 2@a 3@c 4@c");
}

#[test]
fn what_other_services_run_is_counted_whoever_is_decided_first() {
    let mut fleet = Fleet::new(THREE);
    let runs = "z: {image: i, deploy: {resources: {reservations: {memory: 7g}}, placement: {constraints: [node.hostname == a]}}}";
    fleet.want("shop", &format!("services: {{{runs}}}"));
    fleet.deploy();
    let new = "s: {image: i, deploy: {resources: {reservations: {memory: 2g}}, placement: {constraints: [node.hostname == a]}}}";
    fleet.want("shop", &format!("services: {{{new}, {runs}}}"));
    assert_snapshot!(fleet.text(), @"Invalid: shop/s: replica 1 fits on no host (a: 2GiB of memory asked for, 1GiB of 8GiB free; b, c: `node.hostname == a` does not hold)");
}

#[test]
fn a_new_replica_needs_room_beside_the_old_one() {
    let mut fleet = Fleet::new(TWO);
    let pinned =
        "resources: {reservations: {memory: 5g}}, placement: {constraints: [node.hostname == a]}";
    fleet.want("shop", &service(pinned));
    fleet.deploy();
    fleet.want("shop", &service(pinned).replace("image: i", "image: 'i:2'"));
    assert_snapshot!(fleet.text(), @"Invalid: shop/s: replica 1 fits on no host (a: 10GiB of memory asked for (for the new replica and the old one beside it), 8GiB of 8GiB free; b: `node.hostname == a` does not hold)");
    let stop = format!("{pinned}, update_config: {{order: stop-first}}");
    fleet.want("shop", &service(&stop).replace("image: i", "image: 'i:2'"));
    fleet.deploy();
}

#[test]
fn a_new_replica_goes_elsewhere_when_there_is_no_room_beside_the_old_one() {
    let mut fleet = Fleet::new(TWO);
    let deploy = "resources: {reservations: {cpus: '3'}}";
    fleet.want("shop", &service(deploy));
    fleet.deploy();
    assert_eq!(hosts(&fleet, "s"), "1@a");
    fleet.want("shop", &service(deploy).replace("image: i", "image: 'i:2'"));
    fleet.deploy();
    assert_eq!(hosts(&fleet, "s"), "1@b");
}

#[test]
fn rolling_needs_room_for_one_batch_only() {
    let mut fleet = Fleet::new(TWO);
    let stack = "\
services:
  s:
    image: i
    deploy: {replicas: 6, resources: {reservations: {memory: 2g}}}
    x-gitdeploy: {rollout: {strategy: rolling}}";
    fleet.want("shop", stack);
    fleet.deploy();
    let next = stack.replace("image: i", "image: 'i:2'");
    fleet.want("shop", &next.replace("strategy: rolling", "strategy: all-at-once"));
    assert_snapshot!(fleet.text(), @r"
    Invalid: shop/s: replica 3 fits on no host (a, b: 8GiB of memory asked for (for the new replica and 3 old ones beside it), 6GiB of 8GiB free)
    Invalid: shop/s: replica 4 fits on no host (a, b: 8GiB of memory asked for (for the new replica and 3 old ones beside it), 6GiB of 8GiB free)
    Invalid: shop/s: replica 5 fits on no host (a, b: 8GiB of memory asked for (for the new replica and 3 old ones beside it), 6GiB of 8GiB free)
    Invalid: shop/s: replica 6 fits on no host (a, b: 8GiB of memory asked for (for the new replica and 3 old ones beside it), 6GiB of 8GiB free)
    ");
    fleet.want("shop", &next);
    fleet.deploy();
}

#[test]
fn a_fixed_port_of_somebody_else_is_told_before_anything_starts() {
    let mut fleet = Fleet::new(TWO);
    fleet.host("a").foreign.ports.insert(5432, "container db".into());
    fleet.want("shop", "services: {s: {image: i, ports: ['5432:5432']}}");
    fleet.deploy();
    assert_eq!(hosts(&fleet, "s"), "1@b");
    fleet.want("blog", "services: {s: {image: i, ports: ['5432:5432']}}");
    assert_snapshot!(fleet.text(), @"Invalid: blog/s: replica 1 fits on no host (a: the host port 5432 is taken by container db; b: the host port 5432 is that of shop/s)");
}

#[test]
fn every_placement_is_explained() {
    let mut fleet = Fleet::new(THREE);
    fleet.want("shop", &service("replicas: 3, placement: {constraints: [node.labels.zone == x], max_replicas_per_node: 2}"));
    assert_snapshot!(explained(&mut fleet), @r"
    s.1@a replicas of it there: 0, containers: 0
      not c: `node.labels.zone == x` does not hold
    s.2@b replicas of it there: 0, containers: 0
      not c: `node.labels.zone == x` does not hold
    s.3@a replicas of it there: 1, containers: 1
      not c: `node.labels.zone == x` does not hold
    ");
    let id = fleet.plan().expect("a plan").id;
    fleet.scope.explain = false;
    assert_eq!(fleet.plan().expect("a plan").id, id);
}

#[test]
fn labels_of_the_engine_are_asked_for() {
    let mut fleet = Fleet::new(TWO);
    fleet.host("b").engine.labels.insert("disk".into(), "ssd".into());
    fleet.want(
        "shop",
        &service("replicas: 2, placement: {constraints: [engine.labels.disk == ssd]}"),
    );
    fleet.deploy();
    assert_eq!(hosts(&fleet, "s"), "1@b 2@b");
}

#[test]
fn a_drained_host_is_left_new_before_old() {
    let mut fleet = Fleet::new(TWO);
    fleet.want("shop", WEB);
    fleet.deploy();
    drain(&mut fleet, "b", false);
    assert_snapshot!(fleet.text(), @r"
    [] -> #0 web.2@a create shop-web-2.g2 (its host is drained)
    [0] -> #1 web.2@a start shop-web-2.g2 (its host is drained)
    [1] -> #2 web.2@a wait until shop-web-2.g2 is ready (its host is drained)
    [2] -> #3 web@a switch edge on a: web.8080 = shop-web-1.g1 shop-web-2.g2 (its host is drained)
    [3] -> #4 web@a wait until edge has let go of shop-web-2.g1 (its host is drained)
    [4] -> #5 web.2@b stop shop-web-2.g1 (its host is drained)
    [5] -> #6 web.2@b remove shop-web-2.g1 (its host is drained)
    [6] -> #7 shop@b remove network shop_default (its host is drained)
    [7] -> #8 shop@a record 0000001 (changed in the commit)
    [7] -> #9 shop@b record 0000001 (changed in the commit)
    ");
    fleet.deploy();
    assert_eq!(hosts(&fleet, "web"), "1@a 2@a");
    fleet.host("b").drained = None;
    assert_eq!(fleet.text(), "nothing to do");
}

const DATA: &str = "
services: {db: {image: i, volumes: ['data:/data'], deploy: {placement: {constraints: [node.hostname == b]}}}}
volumes: {data: {}}";

#[test]
fn what_is_bound_to_a_drained_host_stays_and_is_told() {
    let mut fleet = Fleet::new(TWO);
    fleet.want("shop", DATA);
    fleet.deploy();
    drain(&mut fleet, "b", false);
    assert_eq!(fleet.text(), "nothing to do");
    assert_snapshot!(notes(&fleet), @"db: it stays on b, which is drained: no other host may have it or has its volumes; `gitdeploy drain b --force` stops it");
    fleet.want("shop", &DATA.replace("image: i", "image: 'i:2'"));
    fleet.deploy();
    assert_eq!(hosts(&fleet, "db"), "1@b");
}

#[test]
fn by_force_it_is_stopped_and_comes_back_afterwards() {
    let mut fleet = Fleet::new(TWO);
    fleet.want("shop", DATA);
    fleet.deploy();
    drain(&mut fleet, "b", true);
    assert_snapshot!(fleet.text(), @r"
    [] -> #0 db.1@b stop shop-db-1.g1 (its host is drained)
    [0] -> #1 db.1@b remove shop-db-1.g1 (its host is drained)
    [1] -> #2 shop@b remove network shop_default (its host is drained)
    [2] -> #3 shop@b record 0000001 (changed in the commit)
    ");
    assert_snapshot!(notes(&fleet), @"db: it is stopped, since b is drained by force; `gitdeploy undrain b` brings it back");
    fleet.deploy();
    assert_eq!(hosts(&fleet, "db"), "");
    fleet.host("b").drained = None;
    fleet.deploy();
    assert_eq!(hosts(&fleet, "db"), "1@b");
}

#[test]
fn nothing_new_comes_to_a_drained_host() {
    let mut fleet = Fleet::new(TWO);
    drain(&mut fleet, "b", false);
    fleet.want("shop", DATA);
    assert_snapshot!(fleet.text(), @"Invalid: shop/db: replica 1 fits on no host (a: `node.hostname == b` does not hold; b: it is drained by ann)");
    fleet.want("shop", &service("mode: global"));
    fleet.deploy();
    assert_eq!(hosts(&fleet, "s"), "1@a");
    assert_eq!(fleet.stacks.values().next().expect("one").services.len(), 1);
}

#[test]
fn a_global_service_leaves_a_drained_host_and_returns() {
    let mut fleet = Fleet::new(TWO);
    fleet.want("shop", &service("mode: global"));
    fleet.deploy();
    drain(&mut fleet, "a", false);
    assert_snapshot!(fleet.text(), @r"
    [] -> #0 s.1@a stop shop-s-1.g1 (its host is drained)
    [0] -> #1 s.1@a remove shop-s-1.g1 (its host is drained)
    [1] -> #2 shop@a remove network shop_default (its host is drained)
    [2] -> #3 shop@a record 0000001 (changed in the commit)
    [2] -> #4 shop@b record 0000001 (changed in the commit)
    ");
    fleet.deploy();
    fleet.host("a").drained = None;
    fleet.deploy();
    let stack = fleet.stacks.values().next().expect("one").clone();
    assert!(stack.services.values().all(|it| it.replicas == Count::Global));
    assert_eq!(hosts(&fleet, "s"), "1@a 2@b");
}

#[test]
fn a_plan_made_before_a_drain_is_not_the_plan_after_it() {
    let mut fleet = Fleet::new(TWO);
    fleet.want("shop", DATA);
    let before = fleet.plan().expect("a plan");
    drain(&mut fleet, "a", false);
    let after = fleet.plan().expect("a plan");
    assert_ne!(before.id, after.id);
    assert!(after.basis.hosts.values().any(|facts| facts.contains_key("drain")));
}

/// A fleet never stands still.
#[test]
fn what_happens_in_a_stack_that_is_left_alone_makes_no_other_plan() {
    let mut fleet = Fleet::new(TWO);
    fleet.want("blog", "services: {site: {image: i}}");
    fleet.want("shop", DATA);
    fleet.deploy();
    fleet.want("shop", &DATA.replace("image: i", "image: j"));
    let before = fleet.plan().expect("a plan");
    assert!(!before.is_empty());
    let mut changed = 0;
    for host in ["a", "b"] {
        for live in fleet.host(host).containers.values_mut() {
            if live.identity.stack.as_str() == "blog" {
                live.id = "made anew".into();
                changed += 1;
            }
        }
    }
    assert_eq!(changed, 1);
    assert_eq!(fleet.plan().expect("a plan").id, before.id);
    for live in fleet.host("b").containers.values_mut() {
        live.id = "made anew".into();
    }
    assert_ne!(fleet.plan().expect("a plan").id, before.id);
}
