//! Templates: rendering is total and bounded, and every part of the outcome can be asked for its
//! origin.

#![no_main]

use std::sync::{Arc, LazyLock};

use gitdeploy::diag::Origin;
use gitdeploy::files::{FileError, Files};
use gitdeploy::template::{CommitInfo, Context, Engine, Rendered};
use gitdeploy_fuzz::{assert_sound, tree};
use libfuzzer_sys::fuzz_target;

static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::new);
static CONTEXT: LazyLock<Context> = LazyLock::new(|| {
    let values = r#"{
        "image": "nginx", "replicas": 3, "on": true, "none": null, "text": "línea\nzwei",
        "labels": {"a": "b", "c": "d"}, "list": [3, 1, 2], "services": [{"name": "web", "port": 80}]
    }"#;
    let hosts = r#"[{"name": "web-1", "labels": {"zone": "a"}, "address": "10.0.0.11"}]"#;
    Context {
        values: serde_json::from_str(values).expect("valid"),
        environment: "production".to_owned(),
        stack: "shop".to_owned(),
        commit: Arc::new(CommitInfo { hash: "3f2a1c9d".to_owned(), ..CommitInfo::default() }),
        hosts: serde_json::from_str(hosts).expect("valid"),
    }
});

/// Asks for the first and last bytes, for everything, and for a few places between.
fn locate(origin: &dyn Origin, length: usize) {
    let step = length / 8 + 1;
    let ranges = (0..=length).step_by(step).flat_map(|at| [at..at, at..length.min(at + step)]);
    for range in ranges.chain([0..length, length..length, length..length + 9]) {
        if let Some((source, place)) = origin.locate(range.clone()) {
            assert!(
                source.text.get(place.clone()).is_some(),
                "{range:?} came from {place:?}, beside the text of {}",
                source.name
            );
        }
    }
}

fuzz_target!(|input: &str| {
    let tree = tree(input, "t.j2", "");
    match Rendered::new(&tree, &ENGINE, &CONTEXT).read("t") {
        Ok(Some(file)) => {
            let origin = file.origin.as_ref().expect("rendered from a template");
            locate(origin.as_ref(), file.content.len());
        }
        Ok(None) => {}
        Err(FileError::Template { report, .. }) => {
            assert_sound(&report.diagnostics, &report.sources);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
