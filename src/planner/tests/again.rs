//! Plans one after the other, as a daemon makes them: what was found before never hides what is
//! there now.

use serde_json::json;

use super::WEB;
use crate::model::Cause;
use crate::planner::fixture::{Fleet, TWO};

/// The causes that a plan has something to do for.
fn causes(fleet: &Fleet) -> Vec<Cause> {
    let plan = fleet.plan().expect("a plan");
    let changes = plan.stacks.values().flat_map(|stack| &stack.changes);
    changes.flat_map(|change| change.causes.clone()).collect()
}

/// Every image with these variables, which its containers then have too.
fn images_say(fleet: &mut Fleet, variables: &[&str]) {
    for host in ["a", "b"] {
        for image in fleet.host(host).images.values_mut().flatten() {
            image.config["Env"] = json!(variables);
        }
    }
}

fn known() -> Fleet {
    let mut fleet = Fleet::new(TWO);
    fleet.want("shop", WEB);
    fleet.deploy();
    images_say(&mut fleet, &["A=1"]);
    fleet.container("web", 1).config["Env"] = json!(["A=1"]);
    assert!(causes(&fleet).is_empty());
    fleet
}

#[test]
fn each_way_to_differ_is_seen_after_all_was_found_to_be_well() {
    type Way = (&'static str, fn(&mut Fleet));
    let ways: [Way; 3] = [
        ("another configuration", |fleet| {
            fleet.container("web", 1).config["HostConfig"]["Memory"] = 104_857_600.into();
        }),
        ("a port of the host that we did not give", |fleet| {
            let ports = &mut fleet.container("web", 1).config["HostConfig"]["PortBindings"];
            ports["8080/tcp"][0]["HostPort"] = "9".into();
        }),
        ("an image that never had a variable", |fleet| images_say(fleet, &[])),
    ];
    for (way, change) in ways {
        let mut fleet = known();
        change(&mut fleet);
        assert!(!causes(&fleet).is_empty(), "{way}");
        // And again, with what the plan before has found.
        assert!(!causes(&fleet).is_empty(), "{way}, again");
    }
}

#[test]
fn what_is_put_right_is_well_again() {
    let mut fleet = known();
    let before = fleet.container("web", 1).config.clone();
    fleet.container("web", 1).config["HostConfig"]["Memory"] = 104_857_600.into();
    assert_eq!(causes(&fleet), [Cause::Drifted]);
    fleet.container("web", 1).config = before;
    assert!(causes(&fleet).is_empty());
}

#[test]
fn a_wish_that_changes_is_not_taken_for_the_one_before() {
    let mut fleet = known();
    fleet.want("shop", &WEB.replace("shop:1", "shop:2"));
    assert_eq!(causes(&fleet), [Cause::Changed]);
    fleet.want("shop", WEB);
    assert!(causes(&fleet).is_empty());
}
