//! A repository that daemons watch: commits of stacks, and a branch that is moved by hand.

use std::collections::BTreeMap;
use std::path::Path;

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, RepositoryInitOptions, Signature, Time};
use gitdeploy::git;
use gitdeploy::model::CommitId;
use gitdeploy::pipeline::{Cache, Choice, Snapshot, Tree, Wish};
use tempfile::TempDir;

use super::commit::SECRET;

/// Whose everything is says the same as `commit::owner`.
const SETTINGS: &str = "project: acme\npass_env: [TOKEN]\nenvironments: {production: {}}\n";

/// What is moved when somebody pushes.
pub(crate) const BRANCH: &str = "main";

/// A bare repository in a folder of its own.
pub(crate) struct Repository {
    folder: TempDir,
    git: git2::Repository,
    inventory: &'static str,
}

impl Repository {
    /// One without commits, whose commits will have this inventory.
    pub(crate) fn new(inventory: &'static str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut options = RepositoryInitOptions::new();
        options.bare(true).initial_head(BRANCH).external_template(false);
        let git = git2::Repository::init_opts(folder.path(), &options).expect("a repository");
        Self { folder, git, inventory }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// The process environment that its commits are read with.
    pub(crate) fn variables() -> BTreeMap<String, String> {
        BTreeMap::from([("TOKEN".to_owned(), SECRET.to_owned())])
    }

    /// Makes a commit with these stacks and nothing else. The same words make the same commit.
    pub(crate) fn commit(&self, summary: &str, stacks: &[(&str, String)]) -> CommitId {
        let empty = self.git.treebuilder(None).and_then(|tree| tree.write()).expect("a tree");
        let empty = self.git.find_tree(empty).expect("a tree");
        let mut update = TreeUpdateBuilder::new();
        let mut add = |path: String, text: &str| {
            let blob = self.git.blob(text.as_bytes()).expect("a blob");
            update.upsert(path, blob, FileMode::Blob);
        };
        add("gitdeploy.yaml".to_owned(), SETTINGS);
        add("inventory.yaml".to_owned(), self.inventory);
        stacks.iter().for_each(|(name, text)| add(format!("stacks/{name}/compose.yaml"), text));
        let tree = update.create_updated(&self.git, &empty).expect("a tree");
        let tree = self.git.find_tree(tree).expect("a tree");
        let who = Signature::new("anna", "anna@example.com", &Time::new(1, 0)).expect("somebody");
        let id = self.git.commit(None, &who, &who, summary, &tree, &[]).expect("a commit");
        CommitId::new(id.to_string())
    }

    /// Makes a commit the newest one.
    pub(crate) fn push(&self, commit: &CommitId) {
        let id = commit.as_str().parse().expect("an id");
        let branch = format!("refs/heads/{BRANCH}");
        self.git.reference(&branch, id, true, "pushed").expect("a branch");
    }

    /// What a commit wants, as a person at a terminal has it read.
    pub(crate) fn wish(&self, commit: &CommitId) -> Wish {
        let opened = git::Repository::open(self.path()).expect("a repository");
        let commit = opened.resolve(commit.as_str()).expect("a commit");
        let choice = Choice { variables: Self::variables(), ..Choice::default() };
        let snapshot = Snapshot::open(Tree::of_commit(opened, commit, "acme"), choice);
        let snapshot = snapshot.unwrap_or_else(|report| panic!("{:?}", report.diagnostics));
        let outcome = snapshot.resolve(&mut Cache::default());
        assert!(!outcome.has_errors());
        Wish::new(&snapshot, outcome.desired).expect("its files are there")
    }
}
