//! What must not be in a picture, replaced by keyed hashes: every value of an environment, every
//! option of a driver, everything of a telling name, arguments of telling options, what a check said,
//! files that are not ours.

use std::collections::BTreeMap;

use serde_json::Value;

use super::PictureKey;
use crate::diff::{is_sensitive_name, masked, masked_line};
use crate::model::{Health, HostState, Observed, Owner, ProxyState, SpecHash};
use crate::proxy::{self, Managed};

/// What a hash begins with.
pub(super) const PREFIX: &str = "gitdeploy-hidden:";

/// The name that the hash of a specification is hashed under.
pub(super) const SPEC: &str = "gitdeploy.spec";

/// That of what secrets come from.
pub(super) const INPUTS: &str = "gitdeploy.inputs";

/// In place of what a check has said: it may quote anything.
const UNTOLD: &str = "what its check said is not in a snapshot";

/// In place of a file of somebody else's.
const FOREIGN: &str = "# not shown in a snapshot\n";

/// Takes out what could be secret. When values of the process are part of specifications, so is
/// the hash of one: it could be tried out.
pub(super) fn observed(observed: &mut Observed, owner: &Owner, passes: bool, key: &PictureKey) {
    for state in observed.hosts.values_mut().flatten() {
        host(state, passes, key);
    }
    for state in observed.proxies.values_mut().flatten() {
        proxy(state, owner);
    }
}

fn host(state: &mut HostState, passes: bool, key: &PictureKey) {
    for container in state.containers.values_mut() {
        config(&mut container.config, key);
        let identity = &mut container.identity;
        if !identity.inputs.is_empty() {
            identity.inputs = token(key, INPUTS, &identity.inputs);
        }
        if passes {
            identity.spec = SpecHash::new(token(key, SPEC, identity.spec.as_str()));
        }
        if let Some(Health::Unhealthy(said)) = &mut container.state.health {
            UNTOLD.clone_into(said);
        }
    }
    for image in state.images.values_mut().flatten() {
        config(&mut image.config, key);
    }
    for network in state.networks.values_mut() {
        pairs(&mut network.options, |_| true, key);
        pairs(&mut network.labels, is_sensitive_name, key);
    }
    for volume in state.volumes.values_mut() {
        pairs(&mut volume.options, |_| true, key);
        pairs(&mut volume.labels, is_sensitive_name, key);
    }
}

fn pairs(pairs: &mut BTreeMap<String, String>, is_hidden: fn(&str) -> bool, key: &PictureKey) {
    for (name, value) in pairs {
        if is_hidden(name) || !is_plain(value) {
            *value = token(key, name, value);
        }
    }
}

/// A configuration in the engine's words.
pub(super) fn config(config: &mut Value, key: &PictureKey) {
    if let Some(variables) = config.get_mut("Env").and_then(Value::as_array_mut) {
        for variable in variables {
            let Some((name, value)) = variable.as_str().and_then(|it| it.split_once('=')) else {
                continue;
            };
            *variable = format!("{name}={}", token(key, name, value)).into();
        }
    }
    if let Some(fields) = config.as_object_mut() {
        for (name, value) in fields.iter_mut().filter(|(name, _)| *name != "Env") {
            any(name, value, key);
        }
    }
}

fn any(name: &str, value: &mut Value, key: &PictureKey) {
    match value {
        Value::String(text) => {
            if is_sensitive_name(name) || !is_plain(text) {
                *text = token(key, name, text);
            }
        }
        Value::Array(_) => {
            // What is a secret among arguments, only their row tells.
            let shown = masked(value);
            let shown = shown.as_array().cloned().unwrap_or_default();
            for (item, shown) in value.as_array_mut().into_iter().flatten().zip(&shown) {
                match item {
                    Value::String(text) if shown.as_str() != Some(text.as_str()) => {
                        *text = token(key, "", text);
                    }
                    Value::String(_) => {}
                    other => any("", other, key),
                }
            }
        }
        Value::Object(fields) => {
            fields.iter_mut().for_each(|(name, value)| any(name, value, key));
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Whether nothing in a text looks like a secret.
fn is_plain(text: &str) -> bool {
    let value = Value::from(text);
    masked(&value) == value
}

/// A file that we wrote and nobody changed is made of the repository alone. What else is there may
/// be anything.
fn proxy(state: &mut ProxyState, owner: &Owner) {
    let Some(file) = &mut state.file else { return };
    match proxy::read(owner, Some(file)) {
        Managed::Absent | Managed::Ours { edited: false, .. } => {}
        Managed::Ours { edited: true, .. } => {
            *file = file.split_inclusive('\n').map(masked_line).collect();
        }
        Managed::Foreign { .. } => FOREIGN.clone_into(file),
    }
}

/// Stands for a value.
pub(super) fn token(key: &PictureKey, name: &str, value: &str) -> String {
    // An empty value is no secret, and engines take it for none.
    if value.is_empty() { String::new() } else { format!("{PREFIX}{}", key.hash(name, value)) }
}
