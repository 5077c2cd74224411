//! A commit's desired state: the same every time, and rendered anew only where something changed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use gitdeploy::git::Repository;
use gitdeploy::pipeline::{Cache, Choice, Outcome, Snapshot, Tree};
use proptest::prelude::*;

use crate::cases;
use crate::generate::{Service, service};

const SHARED: &str = "library/labels.j2";

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

/// Stacks in the order given; those of an even number read a file in common.
fn repository(root: &Path, stacks: &[(usize, Service)]) {
    git2::Repository::init(root).expect("a repository");
    write(root, SHARED, "one");
    for (number, service) in stacks {
        let text = format!("{{% raw %}}{}{{% endraw %}}\n", service.file());
        let shared = match number % 2 {
            0 => format!("x-shared: {{% include '{SHARED}' %}}\n"),
            _ => String::new(),
        };
        write(root, &format!("stacks/s{number}/compose.yaml.j2"), &(text + &shared));
    }
}

fn resolved(root: &Path, cache: &mut Cache) -> Outcome {
    let tree = Tree::uncommitted(Repository::open(root).expect("a repository"), "acme");
    match Snapshot::open(tree, Choice::default()) {
        Ok(snapshot) => {
            let outcome = snapshot.resolve(cache);
            let report = outcome.stacks.iter().map(|stack| &stack.report.diagnostics);
            assert!(!outcome.has_errors(), "{:?}", report.collect::<Vec<_>>());
            outcome
        }
        Err(report) => panic!("{:?}", report.diagnostics),
    }
}

fn bytes(outcome: &Outcome) -> String {
    format!("{:?}", outcome.desired)
}

proptest! {
    #![proptest_config(cases(12))]

    #[test]
    fn a_commit_means_the_same_in_any_order_and_from_a_cache(
        services in proptest::collection::vec(service(), 1..14),
        changed in any::<prop::sample::Index>(),
    ) {
        let numbered: BTreeMap<usize, Service> = services.into_iter().enumerate().collect();
        let forwards: Vec<(usize, Service)> = numbered.into_iter().collect();
        let backwards: Vec<(usize, Service)> = forwards.iter().rev().cloned().collect();
        let (one, other) = (tempfile::tempdir()?, tempfile::tempdir()?);
        repository(one.path(), &forwards);
        repository(other.path(), &backwards);

        let mut cache = Cache::default();
        let first = resolved(one.path(), &mut cache);
        prop_assert_eq!(first.rendered, forwards.len());
        let again = resolved(one.path(), &mut cache);
        prop_assert_eq!(again.rendered, 0);
        prop_assert_eq!(bytes(&first), bytes(&again));
        prop_assert_eq!(bytes(&first), bytes(&resolved(other.path(), &mut Cache::default())));

        write(one.path(), SHARED, "two");
        let readers = forwards.iter().filter(|(number, _)| number % 2 == 0).count();
        prop_assert_eq!(resolved(one.path(), &mut cache).rendered, readers);
        let (number, _) = changed.get(&forwards);
        let path = format!("stacks/s{number}/compose.yaml.j2");
        write(one.path(), &path, "services: {web: {image: 'changed:1'}}\n");
        let after = resolved(one.path(), &mut cache);
        prop_assert_eq!(after.rendered, 1);
        prop_assert_eq!(bytes(&after), bytes(&resolved(one.path(), &mut Cache::default())));
    }
}
