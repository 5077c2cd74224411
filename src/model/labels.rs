//! The labels on what this program owns: the only file that spells their keys.
//!
//! A label cannot change after its container was created, so only what never changes is in one.
//! Never a secret, never a rendered environment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    CommitId, EnvironmentName, Generation, Name, ProjectName, ServiceName, Slot, SpecHash,
    StackName,
};

/// The project that owns it.
pub const PROJECT: &str = "gitdeploy.project";
/// The environment it is part of.
pub const ENVIRONMENT: &str = "gitdeploy.environment";
/// The stack it is part of.
pub const STACK: &str = "gitdeploy.stack";
const SERVICE: &str = "gitdeploy.service";
const SLOT: &str = "gitdeploy.slot";
const SPEC: &str = "gitdeploy.spec";
const INPUTS: &str = "gitdeploy.inputs";
const GENERATION: &str = "gitdeploy.generation";
const COMMIT: &str = "gitdeploy.commit";
/// On a volume that remembers a release: what it remembers, as JSON.
pub const RELEASE: &str = "gitdeploy.release";
/// On a volume that says that its host is to be empty: by whom, as JSON.
pub const DRAINED: &str = "gitdeploy.drained";
/// On a container that stands for a lease: what it protects, as JSON.
pub const LEASE: &str = "gitdeploy.lease";
/// Who holds it.
pub const LEASE_HOLDER: &str = "gitdeploy.lease.holder";
/// What for.
pub const LEASE_PURPOSE: &str = "gitdeploy.lease.purpose";
/// Since when, in milliseconds since 1970 by the host's clock.
pub const LEASE_SINCE: &str = "gitdeploy.lease.since";
/// Tells two takings by one holder apart.
pub const LEASE_TAKING: &str = "gitdeploy.lease.taking";
const COMPOSE_PROJECT: &str = "com.docker.compose.project";
const COMPOSE_SERVICE: &str = "com.docker.compose.service";
const COMPOSE_NUMBER: &str = "com.docker.compose.container-number";

/// The environment of a repository that names none.
const UNNAMED: &str = "default";

/// Every key that is ours or that we write: not a field of the user's.
pub const RESERVED: [&str; 12] = [
    PROJECT,
    ENVIRONMENT,
    STACK,
    SERVICE,
    SLOT,
    SPEC,
    INPUTS,
    GENERATION,
    COMMIT,
    COMPOSE_PROJECT,
    COMPOSE_SERVICE,
    COMPOSE_NUMBER,
];

/// Whose something is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Owner {
    /// The project.
    pub project: ProjectName,
    /// Its environment.
    pub environment: EnvironmentName,
}

/// What a container says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Whose it is.
    pub owner: Owner,
    /// The stack.
    pub stack: StackName,
    /// The service.
    pub service: ServiceName,
    /// Which replica.
    pub slot: Slot,
    /// The fingerprint of what the commit wanted.
    pub spec: SpecHash,
    /// A fingerprint of the inputs that are not in the commit: secrets of the process environment.
    /// Empty when there are none.
    pub inputs: String,
    /// The stack's generation when it was created.
    pub generation: Generation,
    /// The commit it was created for.
    pub commit: CommitId,
}

impl Identity {
    /// Keeps each name and hash where an equal one is known, or makes it known.
    pub(crate) fn share(&mut self, known: &mut BTreeSet<Arc<str>>) {
        let Self { owner, stack, service, spec, commit, .. } = self;
        let names = [&mut owner.project.0, &mut owner.environment.0, &mut stack.0];
        names.into_iter().for_each(|name| name.0.share(known));
        [&mut service.0, &mut spec.0, &mut commit.0].into_iter().for_each(|it| it.share(known));
    }
}

impl Owner {
    /// The labels of a network, volume or helper of a stack.
    pub fn labels(&self, stack: &StackName) -> BTreeMap<String, String> {
        BTreeMap::from([
            (PROJECT.to_owned(), self.project.to_string()),
            (ENVIRONMENT.to_owned(), self.environment.to_string()),
            (STACK.to_owned(), stack.to_string()),
        ])
    }

    /// What Compose would call the project that a stack is: networks and volumes get their names
    /// from it. Two environments may share a host, so it has all that tells them apart; what says
    /// nothing more is left out, so that a plain Compose project keeps the names it has.
    pub fn compose_project(&self, stack: &StackName) -> String {
        let (project, environment) = (self.project.as_str(), self.environment.as_str());
        let mut parts = Vec::new();
        if project != stack.as_str() {
            parts.push(project);
        }
        if environment != UNNAMED {
            parts.push(environment);
        }
        parts.push(stack.as_str());
        parts.join("-")
    }

    /// The filter that finds everything of this owner, as the engine takes it.
    pub fn filter(&self) -> [String; 2] {
        [format!("{PROJECT}={}", self.project), format!("{ENVIRONMENT}={}", self.environment)]
    }

    /// Whose something with these labels is, and of which stack; `None` when it is not ours.
    pub fn read(labels: &BTreeMap<String, String>) -> Option<(Self, StackName)> {
        let name = |key: &str| Name::parse(labels.get(key)?).ok();
        let owner = Self { project: name(PROJECT)?.into(), environment: name(ENVIRONMENT)?.into() };
        Some((owner, name(STACK)?.into()))
    }
}

impl Identity {
    /// As labels, Compose's included, so that the tools people already use group the containers.
    pub fn labels(&self) -> BTreeMap<String, String> {
        let mut labels = self.owner.labels(&self.stack);
        let mut add = |key: &str, value: String| drop(labels.insert(key.to_owned(), value));
        add(SERVICE, self.service.to_string());
        add(SLOT, self.slot.to_string());
        add(SPEC, self.spec.to_string());
        if !self.inputs.is_empty() {
            add(INPUTS, self.inputs.clone());
        }
        add(GENERATION, self.generation.to_string());
        add(COMMIT, self.commit.to_string());
        add(COMPOSE_PROJECT, self.owner.compose_project(&self.stack));
        add(COMPOSE_SERVICE, self.service.to_string());
        add(COMPOSE_NUMBER, self.slot.to_string());
        labels
    }

    /// Reads them back; `None` when one is missing or not as we write it.
    pub fn read(labels: &BTreeMap<String, String>) -> Option<Self> {
        let (owner, stack) = Owner::read(labels)?;
        Some(Self {
            owner,
            stack,
            service: ServiceName::new(labels.get(SERVICE)?),
            slot: labels.get(SLOT)?.parse().ok()?,
            spec: SpecHash::new(labels.get(SPEC)?),
            inputs: labels.get(INPUTS).cloned().unwrap_or_default(),
            generation: labels.get(GENERATION)?.parse().ok()?,
            commit: CommitId::new(labels.get(COMMIT)?),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        let name = |text| Name::parse(text).expect("a name");
        Identity {
            owner: Owner { project: name("acme").into(), environment: name("production").into() },
            stack: name("shop").into(),
            service: ServiceName::new("web"),
            slot: 2,
            spec: SpecHash::new("ab12"),
            inputs: String::new(),
            generation: 7,
            commit: CommitId::new("c0ffee"),
        }
    }

    #[test]
    fn labels_read_back_as_they_were_written() {
        let with_inputs = Identity { inputs: "99".into(), ..identity() };
        for identity in [identity(), with_inputs] {
            assert_eq!(Identity::read(&identity.labels()), Some(identity));
        }
    }

    #[test]
    fn what_lacks_a_label_is_not_ours() {
        for key in [PROJECT, ENVIRONMENT, STACK, SERVICE, SLOT, SPEC, GENERATION, COMMIT] {
            let mut labels = identity().labels();
            labels.remove(key);
            assert_eq!(Identity::read(&labels), None, "{key}");
        }
    }
}
