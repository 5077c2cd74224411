//! The fingerprint of a plan: one text for equal plans, whatever order their inputs came in.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use sha2::{Digest, Sha256};

use super::parts::in_parts;
use crate::model::{
    Basis, Facts, HostName, Mark, Op, Plan, PlanId, ProxyFile, Replica, StackName, StackPlan, Step,
    canonical_into,
};

/// How many digits of the hash name a plan.
const DIGITS: usize = 16;

/// How many bytes are hashed at a time, about.
const HASHED_TOGETHER: usize = 1 << 16;

/// The fingerprint of everything in a plan but its id.
pub(super) fn plan_id(plan: &Plan) -> PlanId {
    let Plan { id: _, owner, commit, commits, stacks, files, steps, blind, strays, basis } = plan;
    let mut hash = Sha256::new();
    hash.update("gitdeploy plan 5\n");
    // A fleet has many short texts: they are hashed many at a time.
    let mut bytes: Vec<u8> = Vec::new();
    let mut feed = |text: &str| {
        if bytes.len() + text.len() > HASHED_TOGETHER {
            hash.update(&bytes);
            bytes.clear();
        }
        bytes.extend((text.len() as u64).to_le_bytes());
        bytes.extend(text.as_bytes());
    };
    feed(&format!("{owner:?} {commit:?}"));
    feed(&format!("{blind:?}"));
    if !commits.is_empty() {
        feed(&format!("{commits:?}"));
    }
    if !strays.is_empty() {
        feed(&format!("{strays:?}"));
    }
    hash.update(&bytes);
    let stacks: Vec<_> = stacks.iter().collect();
    for mark in in_parts(&stacks, |part| part.iter().map(of_stack).collect()) {
        hash.update(mark.as_bytes());
    }
    for mark in in_parts(steps, of_steps) {
        hash.update(mark.as_bytes());
    }
    for mark in in_parts(files, |part| part.iter().map(of_file).collect()) {
        hash.update(mark.as_bytes());
    }
    let Basis { stacks, hosts } = basis;
    let stacks: Vec<_> = stacks.iter().collect();
    for mark in in_parts(&stacks, |part| part.iter().map(rested_on).collect()) {
        hash.update(mark.as_bytes());
    }
    hash.update(of_hosts(hosts).as_bytes());
    PlanId(hex(&hash.finalize())[..DIGITS].to_owned())
}

/// A mark of what people read of a stack's changes.
fn of_stack(stack: &(&StackName, &StackPlan)) -> Mark {
    Mark::of([format!("{stack:?}").as_bytes()])
}

/// A mark of a proxy's file: those of a fleet are too long to be put into other words.
fn of_file(file: &ProxyFile) -> Mark {
    let ProxyFile { place, path, kind, old, new, servers, cause } = file;
    let short = format!("{place:?} {path:?} {kind:?} {} {servers} {cause:?}", old.is_some());
    let old = old.as_deref().unwrap_or_default();
    Mark::of([short.as_bytes(), old.as_bytes(), new.as_bytes()])
}

/// A mark of all that a plan rests on of one stack.
fn rested_on((stack, hosts): &(&StackName, &BTreeMap<HostName, Facts>)) -> Mark {
    Mark::of([stack.as_str().as_bytes(), of_hosts(hosts).as_bytes()])
}

/// A mark of what there is on hosts.
fn of_hosts(hosts: &BTreeMap<HostName, Facts>) -> Mark {
    let of = |(host, facts): (&HostName, &Facts)| {
        let facts = facts.iter().flat_map(|(what, mark)| [what.as_bytes(), mark.as_bytes()]);
        Mark::of([host.as_str().as_bytes()].into_iter().chain(facts))
    };
    let marks: Vec<Mark> = hosts.iter().map(of).collect();
    Mark::of(marks.iter().map(Mark::as_bytes))
}

/// A mark of each step.
fn of_steps(steps: &[Step]) -> Vec<Mark> {
    let mut text = String::new();
    let mark = |step: &Step| {
        text.clear();
        encode(step, &mut text).expect("a text takes what is written to it");
        Mark::of([text.as_bytes()])
    };
    steps.iter().map(mark).collect()
}

/// A step with the keys of its request in one order.
fn encode(step: &Step, text: &mut String) -> fmt::Result {
    let Step { id, stack, service, slot, host, op, needs, cause } = step;
    write!(text, "{} {stack} {service:?} {slot:?} {host} {cause:?} ", id.0)?;
    for need in needs {
        write!(text, "{} ", need.0)?;
    }
    text.push_str(&op.words());
    match op {
        Op::Create { replica } => {
            // Its identity is in the labels that it asks for.
            let Replica { name, host, identity: _, image, digest, body, files, endpoints } =
                replica.as_ref();
            canonical_into(body, text);
            write!(text, "{name} {host} {image:?} {digest:?} {files:?} ")?;
            for (port, at) in endpoints {
                write!(text, "{port} {at} ")?;
            }
            Ok(())
        }
        Op::CreateNetwork { name, body } | Op::CreateVolume { name, body } => {
            canonical_into(body, text);
            text.write_str(name)
        }
        Op::Pull { .. }
        | Op::Start { .. }
        | Op::RunHook { .. }
        | Op::AwaitReady { .. }
        | Op::AwaitCompleted { .. }
        | Op::Switch { .. }
        | Op::AwaitDrained { .. }
        | Op::Stop { .. }
        | Op::Remove { .. }
        | Op::RemoveNetwork { .. }
        | Op::RemoveVolume { .. }
        | Op::Pause { .. }
        | Op::Record { .. } => write!(text, "{op:?}"),
    }
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
