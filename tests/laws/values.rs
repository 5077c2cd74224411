//! Values: later files win, mapping by mapping.

use gitdeploy::diag::{Source, Sources, Span};
use gitdeploy::files::Memory;
use gitdeploy::settings::{Placed, Values};
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::cases;

/// The merged values of some files.
fn merged(files: &[&Value]) -> Value {
    let mut tree = Memory::new();
    let sources = Sources::default();
    let span = Span::new(sources.add(Source::verbatim("gitdeploy.yaml", "")), 0, 0);
    let mut paths = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let path = format!("{index}.yaml");
        tree.insert(&path, file.to_string());
        paths.push(Placed::new(path, span));
    }
    let mut problems = Vec::new();
    let values = Values::load(&tree, &sources, &paths, &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    let pairs = values.as_map().iter();
    let pairs = pairs.map(|(key, item)| {
        let value = gitdeploy::template::node_value(&item.node);
        (key.to_owned(), serde_json::to_value(value).expect("plain data"))
    });
    pairs.collect::<Map<_, _>>().into()
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any::<bool>().prop_map(Value::from), "[a-c]{1,2}".prop_map(Value::from)];
    let any_value = leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[a-d]", inner, 0..4).prop_map(object),
        ]
    });
    proptest::collection::btree_map("[a-d]", any_value, 0..4).prop_map(object)
}

fn object(map: std::collections::BTreeMap<String, Value>) -> Value {
    Value::Object(map.into_iter().collect())
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn nothing_and_oneself_change_nothing(a in values()) {
        let nothing = Value::Object(Map::new());
        prop_assert_eq!(&merged(&[&a]), &a);
        prop_assert_eq!(&merged(&[&a, &a]), &a);
        prop_assert_eq!(&merged(&[&a, &nothing]), &a);
        prop_assert_eq!(&merged(&[&nothing, &a]), &a);
    }

    #[test]
    fn files_may_be_merged_in_steps(a in values(), b in values(), c in values()) {
        let all = merged(&[&a, &b, &c]);
        prop_assert_eq!(&all, &merged(&[&merged(&[&a, &b]), &c]));
        // A list or a text between two mappings cuts the first off, so only where it does not.
        if merged(&[&b, &c]) == merged(&[&c, &b]) {
            prop_assert_eq!(&merged(&[&a, &b, &b]), &merged(&[&a, &b]));
        }
    }

    #[test]
    fn the_last_file_is_in_the_outcome(a in values(), b in values()) {
        prop_assert_eq!(&merged(&[&merged(&[&a, &b]), &b]), &merged(&[&a, &b]));
    }
}
