//! Repositories for the tests of this module, made through libgit2.

use std::fs;
use std::path::{Path, PathBuf};

use git2::build::TreeUpdateBuilder;
use git2::{FileMode, ObjectType, Oid, RepositoryInitOptions, Signature, Time};
use tempfile::TempDir;

use super::{Commit, Repository};

/// A repository in a temporary folder.
pub(super) struct Fixture {
    folder: TempDir,
    pub(super) git: git2::Repository,
}

impl Fixture {
    /// A repository with a work tree and branch `main`, without a commit.
    pub(super) fn new() -> Self {
        Self::init(false)
    }

    pub(super) fn bare() -> Self {
        Self::init(true)
    }

    fn init(is_bare: bool) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let mut options = RepositoryInitOptions::new();
        options.bare(is_bare).initial_head("main").external_template(false);
        let git = git2::Repository::init_opts(folder.path(), &options).expect("a repository");
        Self { folder, git }
    }

    pub(super) fn dir(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn open(&self) -> Repository {
        Repository::open(self.dir()).expect("a repository")
    }

    pub(super) fn blob(&self, content: impl AsRef<[u8]>) -> Oid {
        self.git.blob(content.as_ref()).expect("a blob")
    }

    /// Commits `files`, and nothing else, on `branch`.
    pub(super) fn commit(&self, branch: &str, files: &[(&str, &str)]) -> Oid {
        let entries: Vec<_> = files
            .iter()
            .map(|(path, content)| (*path, self.blob(content), FileMode::Blob))
            .collect();
        self.commit_entries(branch, &entries)
    }

    pub(super) fn commit_entries(&self, branch: &str, entries: &[(&str, Oid, FileMode)]) -> Oid {
        let empty = self.git.treebuilder(None).and_then(|tree| tree.write()).expect("a tree");
        let empty = self.git.find_tree(empty).expect("a tree");
        let mut update = TreeUpdateBuilder::new();
        for (path, id, mode) in entries {
            update.upsert(*path, *id, *mode);
        }
        let tree = update.create_updated(&self.git, &empty).expect("a tree");
        self.commit_tree(branch, tree)
    }

    /// Commits a tree object made by hand: modes, names and ids as given.
    pub(super) fn commit_raw(&self, branch: &str, entries: &[(&str, &[u8], Oid)]) -> Oid {
        let mut bytes = Vec::new();
        for (mode, name, id) in entries {
            bytes.extend_from_slice(mode.as_bytes());
            bytes.push(b' ');
            bytes.extend_from_slice(name);
            bytes.push(0);
            bytes.extend_from_slice(id.as_bytes());
        }
        let database = self.git.odb().expect("a database");
        let tree = database.write(ObjectType::Tree, &bytes).expect("a tree");
        self.commit_tree(branch, tree)
    }

    fn commit_tree(&self, branch: &str, tree: Oid) -> Oid {
        let name = format!("refs/heads/{branch}");
        let parent = self.git.find_reference(&name).ok().and_then(|tip| tip.peel_to_commit().ok());
        let count = parent.as_ref().map_or(0, |parent| parent.time().seconds() + 1);
        let who = Signature::new("Ann", "ann@example.org", &Time::new(count, 0)).expect("a name");
        let tree = self.git.find_tree(tree).expect("a tree");
        let parents: Vec<_> = parent.iter().collect();
        let message = format!("{branch} {count}\n\nmore words");
        self.git.commit(Some(&name), &who, &who, &message, &tree, &parents).expect("a commit")
    }

    pub(super) fn point(&self, reference: &str, id: Oid) {
        self.git.reference(reference, id, true, "test").expect("a reference");
    }

    /// An annotated tag.
    pub(super) fn tag(&self, name: &str, id: Oid) -> Oid {
        let who = Signature::new("Ann", "ann@example.org", &Time::new(0, 0)).expect("a name");
        let target = self.git.find_object(id, None).expect("an object");
        self.git.tag(name, &target, &who, "a tag", false).expect("a tag")
    }

    /// Writes a file into the work tree.
    pub(super) fn write(&self, path: &str, content: &str) -> PathBuf {
        let place = self.dir().join(path);
        fs::create_dir_all(place.parent().expect("a parent")).expect("a folder");
        fs::write(&place, content).expect("a file");
        place
    }

    pub(super) fn stage(&self, path: &str) {
        let mut index = self.git.index().expect("an index");
        index.add_path(Path::new(path)).expect("a path");
        index.write().expect("an index");
    }

    pub(super) fn resolve(&self, revision: &str) -> Commit {
        self.open().resolve(revision).expect("a commit")
    }
}
