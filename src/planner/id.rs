//! The fingerprint of a plan: one text for equal plans, whatever order their inputs came in.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::parts::in_parts;
use crate::model::{
    Basis, Facts, HostName, Mark, Op, Plan, PlanId, ProxyFile, Replica, StackName, Step,
    canonical_into,
};

/// How many digits of the hash name a plan.
const DIGITS: usize = 16;

/// How many bytes are hashed at a time, about.
const HASHED_TOGETHER: usize = 1 << 16;

/// How many steps are put into words at a time: a few MiB of text.
const ENCODED_TOGETHER: usize = 1 << 13;

/// The fingerprint of everything in a plan but its id.
pub(super) fn plan_id(plan: &Plan) -> PlanId {
    let Plan { id: _, owner, commit, commits, stacks, files, steps, blind, strays, basis } = plan;
    let mut hash = Sha256::new();
    hash.update("gitdeploy plan 3\n");
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
    stacks.iter().for_each(|stack| feed(&format!("{stack:?}")));
    for some in steps.chunks(ENCODED_TOGETHER) {
        let texts = in_parts(some, |part| part.iter().map(encode).collect());
        texts.iter().for_each(|text| feed(text));
    }
    feed(&format!("{blind:?}"));
    if !commits.is_empty() {
        feed(&format!("{commits:?}"));
    }
    if !strays.is_empty() {
        feed(&format!("{strays:?}"));
    }
    hash.update(&bytes);
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

/// A step with the keys of its request in one order.
fn encode(step: &Step) -> String {
    let Step { id, stack, service, slot, host, op, needs, cause } = step;
    let mut text = format!("{id:?} {stack} {service:?} {slot:?} {host} {needs:?} {cause:?} ");
    let rest = match op {
        Op::Create { replica } => {
            let Replica { name, host, identity, image, digest, body, files, endpoints } =
                replica.as_ref();
            canonical_into(body, &mut text);
            format!("{name} {host} {identity:?} {image:?} {digest:?} {files:?} {endpoints:?}")
        }
        Op::CreateNetwork { name, body } | Op::CreateVolume { name, body } => {
            canonical_into(body, &mut text);
            name.clone()
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
        | Op::Record { .. } => format!("{op:?}"),
    };
    text + &op.words() + &rest
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
