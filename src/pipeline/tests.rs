//! Snapshots of real repositories in temporary folders.

use std::path::Path;

use tempfile::TempDir;

use super::{Cache, Choice, Snapshot, Tree};
use crate::git::Repository;
use crate::model::{Name, StackName};

fn repository(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    git2::Repository::init(folder.path()).expect("a repository");
    commit(folder.path(), files);
    folder
}

fn commit(folder: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("a file");
    }
    let repository = git2::Repository::open(folder).expect("a repository");
    let mut index = repository.index().expect("an index");
    index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).expect("files");
    let tree = repository.find_tree(index.write_tree().expect("a tree")).expect("a tree");
    let who = git2::Signature::now("test", "test@example.com").expect("a signature");
    let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
    let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
    repository.commit(Some("HEAD"), &who, &who, "state", &tree, &parents).expect("a commit");
}

fn open(folder: &TempDir) -> Snapshot {
    let repository = Repository::open(folder.path()).expect("a repository");
    let commit = repository.resolve("HEAD").expect("a commit");
    let tree = Tree::of_commit(repository, commit, "test");
    match Snapshot::open(tree, Choice::default()) {
        Ok(snapshot) => snapshot,
        Err(report) => panic!("{:?}", report.diagnostics),
    }
}

const SETTINGS: &str = "environments: {production: {values: [common.yaml, production.yaml]}}\n";

#[test]
fn a_value_knows_every_place_it_came_from() {
    let folder = repository(&[
        ("gitdeploy.yaml", SETTINGS),
        ("common.yaml", "web:\n  tag: '1'\n  name: shop\n"),
        ("production.yaml", "web:\n  tag: '2'\n"),
        (
            "stacks/shop/compose.yaml.j2",
            "services:\n  web:\n    image: {{ values.web.name }}:{{ values.web.tag }}\n    user: ${WHO}\n",
        ),
        ("stacks/shop/.env", "# who it runs as\nWHO=1000\n"),
    ]);
    let snapshot = open(&folder);
    let stack = StackName::from(Name::parse("shop").expect("a name"));
    let steps = |path: &[&str]| -> Vec<String> {
        snapshot
            .whence(&stack, path)
            .into_iter()
            .map(|step| format!("{} {}", step.at, step.what))
            .collect()
    };
    assert_eq!(
        steps(&["services", "web", "image"]),
        [
            "stacks/shop/compose.yaml.j2:3:12 set here",
            "common.yaml:3:9 `values.web.name`",
            "production.yaml:2:8 `values.web.tag`",
        ]
    );
    assert_eq!(
        steps(&["services", "web", "user"]),
        ["stacks/shop/compose.yaml.j2:4:11 set here", "stacks/shop/.env:2:1 `${WHO}`"]
    );
    assert!(steps(&["services", "web", "nope"]).is_empty());
}

#[test]
fn only_what_a_commit_touches_is_rendered_again() {
    let folder = repository(&[
        ("gitdeploy.yaml", SETTINGS),
        ("common.yaml", "a: 1\n"),
        ("production.yaml", "b: 1\n"),
        ("lib/image.j2", "nginx"),
        (
            "stacks/a/compose.yaml.j2",
            "services: {web: {image: '{% include \"lib/image.j2\" %}'}}\n",
        ),
        (
            "stacks/b/compose.yaml",
            "services: {web: {image: b, env_file: [{path: x.env, required: false}]}}\n",
        ),
        ("stacks/c/compose.yaml.j2", "services: {web: {image: 'c:{{ commit.short }}'}}\n"),
    ]);
    let mut cache = Cache::default();
    let mut rendered = |files: &[(&str, &str)]| {
        commit(folder.path(), files);
        open(&folder).resolve(&mut cache).rendered
    };
    assert_eq!(rendered(&[]), 3);
    assert_eq!(rendered(&[("README.md", "x")]), 1, "`c` shows the commit");
    assert_eq!(rendered(&[("lib/image.j2", "nginx:2")]), 2, "`a` includes it");
    assert_eq!(rendered(&[("stacks/b/x.env", "A=1")]), 2, "`b` had looked for it in vain");
    assert_eq!(rendered(&[("common.yaml", "a: 2\n")]), 3, "values may be in all of them");
}

#[test]
fn the_same_commit_gives_the_same_bytes() {
    let files: Vec<(String, String)> = (0..40)
        .map(|index| {
            let text =
                format!("services: {{web: {{image: 'x:{index}', environment: {{B: 1, A: 2}}}}}}\n");
            (format!("stacks/s{index:02}/compose.yaml"), text)
        })
        .collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let folder = repository(&files);
    let bytes = || {
        let desired = open(&folder).resolve(&mut Cache::default()).desired;
        let stacks: Vec<_> = desired.stacks.iter().map(|(name, stack)| (name, &**stack)).collect();
        serde_json::to_string(&stacks).expect("plain data")
    };
    let first = bytes();
    assert!((0..5).all(|_| bytes() == first));
}
