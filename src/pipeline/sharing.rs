//! Equal configurations, names and ids of images kept once: the replicas of a service differ in
//! little, and a fleet has hundreds of thousands of them.
//!
//! Nothing that anybody sees depends on it, only memory and the time to compare.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{Config, HostState};

/// The configurations and texts there are so far.
#[derive(Default)]
pub struct Sharing {
    /// By their fingerprints.
    known: BTreeMap<[u8; 32], Config>,
    /// Names, hashes and the ids of images.
    texts: BTreeSet<Arc<str>>,
}

impl Sharing {
    /// Lets the containers and images of a host share what is equal among them, and with hosts
    /// before. The fingerprints stay with what they are of.
    pub fn host(&mut self, state: &mut HostState) {
        for container in state.containers.values_mut() {
            self.config(&mut container.config);
            container.identity.share(&mut self.texts);
            self.image(&mut container.image);
        }
        for image in state.images.values_mut().flatten() {
            self.config(&mut image.config);
        }
    }

    fn config(&mut self, config: &mut Config) {
        match self.known.get(config.fingerprint()) {
            Some(equal) => *config = equal.clone(),
            None => drop(self.known.insert(*config.fingerprint(), config.clone())),
        }
    }

    fn image(&mut self, id: &mut Arc<str>) {
        match self.texts.get(id) {
            Some(equal) => *id = equal.clone(),
            None => drop(self.texts.insert(id.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::{
        Addresses, CommitId, ContainerState, Identity, LiveContainer, Name, Owner, ServiceName,
        SpecHash, Status,
    };

    fn container(name: &str, image: &str) -> (String, LiveContainer) {
        let word = |text| Name::parse(text).expect("a name");
        let owner = Owner { project: word("acme").into(), environment: word("test").into() };
        let identity = Identity {
            owner,
            stack: word("shop").into(),
            service: ServiceName::new("web"),
            slot: 1,
            spec: SpecHash::new("1"),
            inputs: String::new(),
            generation: 1,
            commit: CommitId::new("1"),
        };
        let state = ContainerState {
            status: Status::Running,
            started_at: 1,
            exit_code: 0,
            restarts: 0,
            health: None,
        };
        let config = json!({"Image": image, "Env": ["A=1"], "HostConfig": {"Memory": 1}}).into();
        let live = LiveContainer {
            id: name.to_owned(),
            name: name.to_owned(),
            identity,
            state,
            image: image.into(),
            config,
            addresses: Addresses::default(),
        };
        (name.to_owned(), live)
    }

    #[test]
    fn equal_configurations_of_two_hosts_are_kept_once_and_no_others() {
        let host = |containers: [(String, LiveContainer); 2]| HostState {
            containers: BTreeMap::from(containers),
            ..HostState::default()
        };
        let before = [
            host([container("a", "1"), container("b", "2")]),
            host([container("c", "1"), container("d", "1")]),
        ];
        let mut after = before.clone();
        let mut sharing = Sharing::default();
        after.iter_mut().for_each(|state| sharing.host(state));
        let config = |host: usize, name: &str| &after[host].containers[name].config;
        assert!(config(0, "a").is_shared_with(config(1, "d")));
        assert!(config(1, "c").is_shared_with(config(1, "d")));
        assert!(!config(0, "a").is_shared_with(config(0, "b")));
        let image = |host: usize, name: &str| &after[host].containers[name].image;
        assert!(Arc::ptr_eq(image(0, "a"), image(1, "d")));
        let stack = |host: usize, name: &str| after[host].containers[name].identity.stack.as_str();
        assert!(std::ptr::eq(stack(0, "a"), stack(1, "d")));
        assert_eq!(before[1].containers, after[1].containers);
    }
}
