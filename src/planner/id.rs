//! The fingerprint of a plan: one text for equal plans, whatever order their inputs came in.

use std::sync::Arc;

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::model::{Op, Plan, PlanId, Step};

/// How many digits of the hash name a plan.
const DIGITS: usize = 16;

/// The fingerprint of everything in a plan but its id.
pub(super) fn plan_id(plan: &Plan) -> PlanId {
    let Plan { id: _, owner, commit, stacks, files, steps, blind, basis } = plan;
    let mut hash = Sha256::new();
    hash.update("gitdeploy plan 1\n");
    let mut feed = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    feed(&format!("{owner:?} {commit:?}"));
    feed(&format!("{stacks:?}"));
    feed(&format!("{files:?}"));
    steps.iter().for_each(|step| feed(&encode(step)));
    feed(&format!("{blind:?} {basis:?}"));
    PlanId(hex(&hash.finalize())[..DIGITS].to_owned())
}

/// A step with the keys of its request in one order.
fn encode(step: &Step) -> String {
    let mut step = step.clone();
    match &mut step.op {
        Op::Create { replica } => {
            let mut plain = replica.as_ref().clone();
            plain.body = Value::String(canonical(&plain.body));
            *replica = Arc::new(plain);
        }
        Op::CreateNetwork { body, .. } | Op::CreateVolume { body, .. } => {
            *body = Value::String(canonical(body));
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
        | Op::Record { .. } => {}
    }
    format!("{step:?}")
}

/// A value as text with the keys of every object in the order of their names.
pub(super) fn canonical(value: &Value) -> String {
    fn sorted(value: &Value) -> Value {
        match value {
            Value::Array(items) => Value::Array(items.iter().map(sorted).collect()),
            Value::Object(fields) => {
                let mut fields: Vec<_> = fields.iter().collect();
                fields.sort_by_key(|(key, _)| key.as_str());
                fields.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect()
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
        }
    }
    sorted(value).to_string()
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
