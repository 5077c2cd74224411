use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::exec::fixture::{plan, step};
use crate::model::{Nanos, Step};

fn start(name: &str) -> Op {
    Op::Start { container: name.to_owned() }
}

/// a0 ← a1 ← a2 of stack `a`; b3 alone; c4 needs a1.
fn machine() -> Machine {
    let steps = vec![
        step("a", start("0"), &[]),
        step("a", start("1"), &[0]),
        step("a", start("2"), &[1]),
        step("b", start("3"), &[]),
        step("c", start("4"), &[1]),
    ];
    Machine::new(&plan(steps), 9)
}

fn failed() -> Outcome {
    Outcome::Failed("no".into())
}

fn ids(of: &[usize]) -> Vec<StepId> {
    of.iter().copied().map(StepId).collect()
}

#[test]
fn the_end_of_a_step_lets_begin_or_skips_what_it_should() {
    let tolerated = Outcome::Tolerated("slow".into());
    let table: [(Outcome, &[usize], &[usize]); 7] = [
        (Outcome::Applied, &[1], &[]),
        (Outcome::AlreadyTrue, &[1], &[]),
        (tolerated, &[1], &[]),
        (failed(), &[], &[1, 2, 4]),
        (Outcome::Superseded("moved".into()), &[], &[1, 2, 4]),
        (Outcome::Unknown("lost".into()), &[], &[1, 2, 4]),
        (Outcome::Skipped, &[], &[1, 2, 4]),
    ];
    for (outcome, launched, skipped) in table {
        let mut machine = machine();
        assert_eq!(machine.launch(), ids(&[0, 3]));
        machine.finish(StepId(0), outcome.clone()).unwrap();
        assert_eq!(machine.launch(), ids(launched), "{outcome:?}");
        let is_skipped = |at: &usize| machine.nodes[*at].status == Status::Done(Outcome::Skipped);
        assert!(skipped.iter().all(is_skipped), "{outcome:?}");
    }
}

#[test]
fn only_a_running_step_can_end() {
    let mut machine = machine();
    machine.launch();
    machine.finish(StepId(0), Outcome::Applied).unwrap();
    for id in [0, 1, 2, 99].map(StepId) {
        assert_eq!(machine.finish(id, Outcome::Applied), Err(IllegalTransition(id)));
    }
}

#[test]
fn nothing_begins_after_a_stop_and_what_runs_may_end() {
    let mut machine = machine();
    machine.launch();
    machine.stop();
    machine.finish(StepId(0), Outcome::Applied).unwrap();
    machine.finish(StepId(3), Outcome::Applied).unwrap();
    assert_eq!(machine.launch(), ids(&[]));
    use Outcome::{Applied, Skipped};
    assert_eq!(machine.outcomes(), [Applied, Skipped, Skipped, Applied, Skipped]);
}

#[test]
fn a_wait_takes_no_room_on_its_host() {
    let pause = || Op::Pause { time: Nanos(1) };
    let steps = vec![
        step("a", pause(), &[]),
        step("a", start("1"), &[]),
        step("a", start("2"), &[]),
        step("a", pause(), &[]),
    ];
    let mut machine = Machine::new(&plan(steps), 1);
    assert_eq!(machine.launch(), ids(&[0, 1, 3]));
    machine.finish(StepId(1), Outcome::Applied).unwrap();
    assert_eq!(machine.launch(), ids(&[2]));
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        6 => Just(Outcome::Applied),
        1 => Just(Outcome::AlreadyTrue),
        1 => Just(failed()),
        1 => Just(Outcome::Unknown("lost".into())),
    ]
}

proptest! {
    #[test]
    fn whatever_the_order_of_ends_the_first_begin_that_have_what_they_need(
        shapes in prop::collection::vec((0..3_usize, prop::collection::btree_set(0..20_usize, 0..3)), 1..20),
        ends in prop::collection::vec(outcome(), 20),
        per_host in 1..4_usize,
    ) {
        let steps: Vec<_> = shapes
            .iter()
            .enumerate()
            .map(|(at, (stack, needs))| {
                let needs: Vec<usize> = needs.iter().copied().filter(|need| *need < at).collect();
                step(["a", "b", "c"][*stack], start("x"), &needs)
            })
            .collect();
        let plan = plan(steps);
        let mut machine = Machine::new(&plan, per_host);
        let mut begun: BTreeSet<StepId> = BTreeSet::new();
        let mut running = BTreeSet::new();
        let mut succeeded = BTreeSet::new();
        let mut broken = BTreeSet::new();
        let mut ends = ends.into_iter();
        loop {
            let may_begin = |step: &&Step| {
                !begun.contains(&step.id)
                    && !broken.contains(&step.stack)
                    && step.needs.is_subset(&succeeded)
            };
            let first = plan.steps.iter().filter(may_begin).take(per_host - running.len());
            let first: Vec<StepId> = first.map(|step| step.id).collect();
            prop_assert_eq!(machine.launch(), &*first);
            begun.extend(&first);
            running.extend(&first);
            prop_assert!(running.len() <= per_host);
            let Some(id) = running.iter().copied().cycle().nth(ends.len()) else { break };
            let outcome = ends.next().expect("as many ends as steps");
            running.remove(&id);
            if outcome.unblocks() {
                succeeded.insert(id);
            } else {
                broken.insert(plan.steps[id.0].stack.clone());
            }
            machine.finish(id, outcome).unwrap();
        }
        let left = machine.nodes.iter().filter(|node| node.status == Status::Pending).count();
        prop_assert_eq!(left, 0);
    }
}
