//! Plans that were tampered with, and what the linter says.

use std::collections::BTreeSet;

use insta::assert_snapshot;

use super::WEB;
use crate::model::{Op, Plan, StepId};
use crate::planner::check;
use crate::planner::fixture::Fleet;

/// A rollout of two replicas, and a plan of it that somebody has changed.
fn tampered(change: impl Fn(&mut Fleet, &mut Plan)) -> String {
    let mut fleet = Fleet::one();
    fleet.want("shop", WEB);
    fleet.deploy();
    fleet.want("shop", &WEB.replace("shop:1", "shop:2"));
    let mut plan = fleet.plan().expect("a plan");
    let original = plan.clone();
    change(&mut fleet, &mut plan);
    let found = check(&plan, &fleet.observed);
    let mut text: Vec<String> = found.iter().map(ToString::to_string).collect();
    for (number, step) in original.steps.iter().enumerate() {
        if let Op::Create { replica } = &step.op {
            text.iter_mut()
                .for_each(|line| *line = line.replace(&replica.name, &format!("new{number}")));
        }
        if let Op::Remove { container, .. } = &step.op {
            text.iter_mut().for_each(|line| *line = line.replace(container, "old"));
        }
    }
    text.join("\n")
}

fn needs_nothing(plan: &mut Plan, is_it: impl Fn(&Op) -> bool) {
    for step in plan.steps.iter_mut().filter(|step| is_it(&step.op)) {
        step.needs.clear();
    }
}

#[test]
fn a_plan_as_it_is_made_has_no_fault() {
    assert_eq!(tampered(|_, _| {}), "");
}

#[test]
fn a_stop_without_a_drain_is_found() {
    assert_snapshot!(tampered(|_, plan| needs_nothing(plan, |op| matches!(op, Op::Stop { .. }))), @"
    #8 stop old: edge on local still sends to it
    #9 stop old: edge on local still sends to it
    #10 remove old: edge on local still sends to it
    #11 remove old: edge on local still sends to it
    #12 record 0000002: a step of the stack may come after it
    ");
}

#[test]
fn a_drain_without_a_switch_is_found() {
    let text = tampered(|_, plan| needs_nothing(plan, |op| matches!(op, Op::AwaitDrained { .. })));
    assert_snapshot!(text, @"
    #8 stop old: edge on local still sends to it
    #9 stop old: edge on local still sends to it
    #10 remove old: edge on local still sends to it
    #11 remove old: edge on local still sends to it
    #12 record 0000002: a step of the stack may come after it
    ");
}

#[test]
fn a_switch_to_what_nobody_proved_is_found() {
    let text = tampered(|_, plan| needs_nothing(plan, |op| matches!(op, Op::Switch { .. })));
    assert_snapshot!(text, @"
    #6 switch edge on local: nobody has proved that new0 is ready
    #6 switch edge on local: nobody has proved that new1 is ready
    #12 record 0000002: a step of the stack may come after it
    ");
}

#[test]
fn a_removal_of_what_runs_is_found() {
    let text = tampered(|_, plan| {
        for step in &mut plan.steps {
            if let Op::Remove { .. } = step.op {
                step.needs = BTreeSet::from([StepId(step.id.0 - 3)]);
            }
        }
    });
    assert_snapshot!(text, @"
    #10 remove old: it runs, and nothing stops it before
    #11 remove old: it runs, and nothing stops it before
    #12 record 0000002: a step of the stack may come after it
    ");
}

#[test]
fn a_step_for_another_container_of_that_name_is_found() {
    let text = tampered(|fleet, _| fleet.container("web", 1).id = "another".into());
    assert_snapshot!(text, @"
    #8 stop old: the container of that name has another id
    #10 remove old: the container of that name has another id
    ");
}

#[test]
fn a_backend_that_somebody_else_changed_is_found() {
    let text = tampered(|fleet, _| {
        let table = fleet.proxy("local").table.as_mut().expect("a table");
        table.backends.values_mut().for_each(|backend| backend.check = None);
    });
    assert_snapshot!(text, @"#6 switch edge on local: the backend shop.web.8080 is not as it was when the plan was made");
}

#[test]
fn too_few_servers_in_between_are_found() {
    let text = tampered(|_, plan| {
        let position = plan.steps.iter().position(|step| matches!(step.op, Op::Switch { .. }));
        let position = position.expect("a switch");
        let mut first = plan.steps[position].clone();
        let Op::Switch { change, .. } = &mut first.op else { return };
        change
            .set
            .values_mut()
            .for_each(|change| change.to.iter_mut().for_each(|it| it.servers.clear()));
        let emptied = change.set.values().next().expect("a backend").to.clone();
        for step in &mut plan.steps[position..] {
            step.id = StepId(step.id.0 + 1);
            step.needs = step
                .needs
                .iter()
                .map(|need| StepId(need.0 + usize::from(need.0 >= position)))
                .collect();
        }
        let second = &mut plan.steps[position];
        second.needs.insert(StepId(position));
        if let Op::Switch { change, .. } = &mut second.op {
            change.set.values_mut().for_each(|change| change.from.clone_from(&emptied));
        }
        plan.steps.insert(position, first);
    });
    assert_snapshot!(text, @"#6 switch edge on local: shop.web.8080 has 0 servers at edge on local then, and 2 would do");
}

#[test]
fn a_silent_host_in_a_plan_is_found() {
    let text = tampered(|fleet, _| fleet.silence("local"));
    assert!(text.contains("local did not answer"), "{text}");
}

#[test]
fn a_port_that_is_somebody_elses_is_found() {
    let text = tampered(|fleet, _| {
        fleet.host("local").foreign.ports.insert(20002, "a stranger".into());
    });
    assert_snapshot!(text, @"#0 create new0: the port 20002 is a stranger's");
}

#[test]
fn an_image_that_comes_too_late_is_found() {
    let mut fleet = Fleet::one();
    fleet.want("shop", "services: {a: {image: i}, b: {image: j}}");
    let image = fleet.host("local").images.get_mut("j").expect("it").as_mut().expect("an image");
    (image.id, image.needs_pull, image.digest) = (None, true, Some("sha256:d1".into()));
    let mut plan = fleet.plan().expect("a plan");
    assert_eq!(check(&plan, &fleet.observed), []);
    needs_nothing(&mut plan, |op| matches!(op, Op::CreateNetwork { .. }));
    let found = check(&plan, &fleet.observed);
    assert!(found[0].to_string().ends_with("an image of its stack is brought later"), "{found:?}");
}

#[test]
fn a_record_before_the_end_is_found() {
    let text = tampered(|_, plan| needs_nothing(plan, |op| matches!(op, Op::Record { .. })));
    assert!(text.contains("a step of the stack may come after it"), "{text}");
}

#[test]
fn steps_out_of_order_are_found() {
    assert_snapshot!(tampered(|_, plan| plan.steps.swap(0, 1)), @"
    #1 create new1: it stands at position 0
    #0 create new0: it stands at position 1
    ");
}
