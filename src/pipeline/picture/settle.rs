//! A picture beside a desired state: hashes of values that are as they are wanted become those
//! values, so that the planner sees no difference; others stay hashes and differ.
//!
//! Without the key, what cannot be compared is taken to be as it is wanted, and told.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::redact::{INPUTS, PREFIX, SPEC, token};
use super::{Picture, PictureKey, Trust};
use crate::model::{
    Blind, Desired, HostState, Image, LiveContainer, LiveNetwork, LiveVolume, Observed,
    ServiceTarget, SpecHash, StackName, StackTarget,
};
use crate::pipeline::{Wish, wanted};
use crate::planner::inputs_digest;
use crate::spec::{self, Surroundings};

/// In place of the digest of an image that nobody has looked for: no container runs it.
const UNKNOWN: &str = "not known";

/// What a picture is laid beside.
pub struct Beside<'a> {
    /// What is wanted.
    pub wish: &'a Wish,
    /// Variables whose values are not known here.
    pub missing: &'a BTreeSet<String>,
    /// What was wanted before: what a commit changes is changed, whatever is not known.
    pub earlier: Option<&'a Desired>,
    /// What its values were hashed with.
    pub key: Option<&'a PictureKey>,
}

/// Compares hashes, and counts what it could not compare.
struct Judge<'a> {
    key: Option<&'a PictureKey>,
    unknown: usize,
}

impl Picture {
    /// What was seen, as far as it can be compared, and what could not be known.
    pub fn settled(&self, beside: &Beside<'_>) -> (Observed, Vec<Blind>) {
        let mut observed = self.observed.clone();
        let mut blind = Vec::new();
        match self.trust {
            Trust::Vouched(_) => {}
            Trust::Unknown(_) => blind.push(Blind {
                what: "the snapshot".to_owned(),
                message:
                    "nobody vouches for it: neither its key nor one that is trusted is given, and \
                          `snapshot.trusted_keys` of gitdeploy.yaml names none"
                        .to_owned(),
            }),
        }
        blind.extend(self.not_looked_for(beside.wish, &mut observed));
        let mut unknown: BTreeMap<String, usize> = BTreeMap::new();
        let stacks = &beside.wish.desired.stacks;
        for state in observed.hosts.values_mut().flatten() {
            for (stack, target) in stacks {
                for (name, count) in host(state, stack, target, beside, &self.owner) {
                    *unknown.entry(name).or_default() += count;
                }
            }
        }
        blind.extend(unknown.into_iter().filter(|(_, count)| *count > 0).map(|(of, _)| {
            Blind {
                what: format!("values of {of}"),
                message:
                    "what could be secret is not in a snapshot; without its key, or without the \
                      variables that secrets come from, it is taken to be as the commit wants it"
                        .to_owned(),
            }
        }));
        (observed, blind)
    }

    /// Images, networks and volumes that nobody had looked for are taken to be there.
    fn not_looked_for(&self, wish: &Wish, observed: &mut Observed) -> Vec<Blind> {
        let wanted = wanted(&wish.desired);
        let stacks = || wish.desired.stacks.values();
        let networks = stacks().flat_map(|stack| stack.networks.values());
        let networks = networks.filter(|it| it.external == Some(true)).map(|it| &it.name);
        let networks: BTreeSet<&String> =
            networks.filter(|name| !self.looked_for.networks.contains(*name)).collect();
        let volumes = stacks().flat_map(|stack| stack.volumes.values());
        let volumes = volumes.filter(|it| it.external == Some(true)).map(|it| &it.name);
        let volumes: BTreeSet<&String> =
            volumes.filter(|name| !self.looked_for.volumes.contains(*name)).collect();
        let mut images = BTreeSet::new();
        for state in observed.hosts.values_mut().flatten() {
            for (reference, _) in &wanted.images {
                if !state.images.contains_key(reference) {
                    let image = running(state, reference).unwrap_or_else(|| Image {
                        digest: Some(UNKNOWN.to_owned()),
                        needs_pull: true,
                        ..Image::default()
                    });
                    state.images.insert(reference.clone(), Ok(image));
                    images.insert(reference);
                }
            }
            for name in &networks {
                let live = || LiveNetwork { id: (*name).clone(), ..LiveNetwork::default() };
                state.networks.entry((*name).clone()).or_insert_with(live);
            }
            for name in &volumes {
                state.volumes.entry((*name).clone()).or_insert_with(LiveVolume::default);
            }
        }
        let told = |what: &str, names: BTreeSet<&String>| {
            names.into_iter().map(move |name| format!("{what} {name}")).collect::<Vec<_>>()
        };
        let mut all = told("image", images);
        all.extend(told("network", networks));
        all.extend(told("volume", volumes));
        let message = "nobody had looked for it when the snapshot was taken: it is taken to be \
                       within reach";
        all.into_iter().map(|what| Blind { what, message: message.to_owned() }).collect()
    }
}

/// The image that a container was made of under this reference.
fn running(state: &HostState, reference: &str) -> Option<Image> {
    let mut containers = state.containers.values();
    let container = containers.find(|it| it.config["Image"].as_str() == Some(reference))?;
    state.images.get(&*container.image)?.as_ref().ok().cloned()
}

/// One stack on one host; gives how much of each service could not be compared.
fn host(
    state: &mut HostState,
    stack: &StackName,
    target: &StackTarget,
    beside: &Beside<'_>,
    owner: &crate::model::Owner,
) -> Vec<(String, usize)> {
    let mut unknown = Vec::new();
    for spec in target.networks.values() {
        let mut judge = Judge { key: beside.key, unknown: 0 };
        if let Some(live) = state.networks.get_mut(&spec.name) {
            judge.pairs(&mut live.options, &spec.driver_opts);
            judge.pairs(&mut live.labels, &spec.labels);
        }
        unknown.push((format!("network {}", spec.name), judge.unknown));
    }
    for spec in target.volumes.values() {
        let mut judge = Judge { key: beside.key, unknown: 0 };
        if let Some(live) = state.volumes.get_mut(&spec.name) {
            judge.pairs(&mut live.options, &spec.driver_opts);
            judge.pairs(&mut live.labels, &spec.labels);
        }
        unknown.push((format!("volume {}", spec.name), judge.unknown));
    }
    let engine = &state.engine;
    for live in state.containers.values_mut() {
        if live.identity.stack != *stack || live.identity.slot == 0 {
            continue;
        }
        let Some(wanted) = target.services.get(&live.identity.service) else { continue };
        let mut judge = Judge { key: beside.key, unknown: 0 };
        judge.identity(live, wanted, beside);
        let service = live.identity.service.clone();
        let around = Surroundings { owner, stack, service: &service, target, engine };
        if let Ok(want) = spec::body(&around, &wanted.container, &live.identity, &[]) {
            judge.config(&mut live.config, &want);
        }
        unknown.push((format!("{stack}/{service}"), judge.unknown));
    }
    unknown
}

impl Judge<'_> {
    /// Whether a hash stands for this value; not knowing counts as yes.
    fn is(&mut self, hash: &str, name: &str, value: &str) -> bool {
        match self.key {
            Some(key) => token(key, name, value) == hash,
            None => {
                self.unknown += 1;
                true
            }
        }
    }

    fn identity(&mut self, live: &mut LiveContainer, wanted: &ServiceTarget, beside: &Beside<'_>) {
        let identity = &mut live.identity;
        if let Ok(inputs) = inputs_digest(wanted, &beside.wish.variables)
            && identity.inputs.starts_with(PREFIX)
        {
            let known = inputs_digest(wanted, &without(&beside.wish.variables, beside.missing));
            if known.is_err() {
                self.unknown += 1;
                identity.inputs = inputs;
            } else if self.is(&identity.inputs, INPUTS, &inputs) {
                identity.inputs = inputs;
            }
        }
        let spec = &wanted.spec_hash;
        let earlier = beside.earlier.and_then(|desired| {
            desired.stacks.get(&identity.stack)?.services.get(&identity.service)
        });
        let is_changed = earlier.is_some_and(|earlier| earlier.spec_hash != *spec);
        if identity.spec.as_str().starts_with(PREFIX)
            && !(self.key.is_none() && is_changed)
            && self.is(identity.spec.as_str(), SPEC, spec.as_str())
        {
            identity.spec = SpecHash::new(spec.as_str());
        }
    }

    fn pairs(&mut self, live: &mut BTreeMap<String, String>, want: &BTreeMap<String, String>) {
        for (name, value) in live.iter_mut().filter(|(_, value)| value.starts_with(PREFIX)) {
            if let Some(want) = want.get(name)
                && self.is(value, name, want)
            {
                value.clone_from(want);
            }
        }
    }

    fn config(&mut self, live: &mut Value, want: &Value) {
        let variables = want["Env"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let wanted: BTreeMap<&str, &str> = variables.filter_map(|it| it.split_once('=')).collect();
        for variable in live.get_mut("Env").and_then(Value::as_array_mut).into_iter().flatten() {
            let Some((name, hash)) = variable.as_str().and_then(|it| it.split_once('=')) else {
                continue;
            };
            if let Some(want) = wanted.get(name)
                && hash.starts_with(PREFIX)
                && self.is(hash, name, want)
            {
                *variable = format!("{name}={want}").into();
            }
        }
        for (name, value) in live.as_object_mut().into_iter().flatten() {
            if name != "Env" {
                self.any(name, value, &want[name]);
            }
        }
    }

    fn any(&mut self, name: &str, live: &mut Value, want: &Value) {
        match (live, want) {
            (Value::String(hash), Value::String(want))
                if hash.starts_with(PREFIX) && self.is(hash, name, want) =>
            {
                hash.clone_from(want);
            }
            (Value::Array(items), Value::Array(wanted)) => {
                for (item, want) in items.iter_mut().zip(wanted) {
                    self.any("", item, want);
                }
            }
            (Value::Object(fields), Value::Object(wanted)) => {
                for (name, value) in fields {
                    if let Some(want) = wanted.get(name) {
                        self.any(name, value, want);
                    }
                }
            }
            _ => {}
        }
    }
}

fn without(
    variables: &BTreeMap<String, String>,
    missing: &BTreeSet<String>,
) -> BTreeMap<String, String> {
    let known = variables.iter().filter(|(name, _)| !missing.contains(*name));
    known.map(|(name, digest)| (name.clone(), digest.clone())).collect()
}
