//! What two commits merged would hold, without a work tree and without writing to the repository.
//!
//! libgit2 merges into an object database that is told to keep new objects in memory. They are
//! then carried along as bytes, so that every further handle on the repository can be given them:
//! a merged tree is read as any other one.

use std::collections::BTreeSet;
use std::sync::Arc;

use git2::{ErrorCode, ObjectType, Oid};

use super::{Commit, OpenError, Repository, TreeId, repository};

/// Above packs and loose objects, so that what is new goes there.
const PRIORITY: i32 = 1000;

/// Objects that no repository on disk has.
#[derive(Clone, Default)]
pub(super) struct Made(Arc<Vec<(ObjectType, Vec<u8>)>>);

/// What comes of merging a head into a base.
pub enum Merge {
    /// The head has all of the base: it is what comes of it.
    Forward,
    /// The two can be put together. A base that has all of the head already stays as it is.
    Merged {
        /// The head, holding the merged files.
        commit: Commit,
        /// Where they can be read.
        repository: Repository,
    },
    /// Both changed the same lines.
    Conflicts {
        /// Where, in order.
        files: Vec<String>,
        /// The commit that both come from.
        ancestor: Commit,
    },
    /// It cannot be told.
    Unknown {
        /// Whether that is for want of history, as in a clone that has only the newest commits.
        is_shallow: bool,
        /// The commit that both come from, as far as that is known.
        ancestor: Option<Commit>,
    },
}

impl Repository {
    /// What comes of merging `head` into `base`. Nothing is written.
    pub fn merge(&self, base: &Commit, head: &Commit) -> Result<Merge, OpenError> {
        let handle = self.reopen()?;
        let git = &handle.inner;
        let broken = |source| OpenError::Broken { dir: git.path().to_owned(), source };
        let id = |commit: &Commit| Oid::from_str(commit.id.as_str()).map_err(broken);
        let (base_id, head_id) = (id(base)?, id(head)?);
        if base_id == head_id {
            return Ok(Merge::Forward);
        }
        let ancestor = match git.merge_base(base_id, head_id) {
            Ok(found) if found == base_id => return Ok(Merge::Forward),
            Ok(found) => found,
            // A walk that ends where the history was cut off does not find the base either.
            Err(_) if reaches(git, head_id, base_id) => return Ok(Merge::Forward),
            Err(_) => {
                return Ok(Merge::Unknown { is_shallow: git.is_shallow(), ancestor: None });
            }
        };
        let ancestor = Commit::of(&git.find_commit(ancestor).map_err(broken)?);
        match merged(git, base_id, head_id) {
            Ok(Outcome::Tree(tree)) => {
                let made = made(git, tree, &self.reopen()?.inner).map_err(broken)?;
                let commit = Commit { tree: TreeId::of(tree), ..head.clone() };
                let repository = Self { inner: repository::reopen(git)?, made };
                Ok(Merge::Merged { commit, repository: repository.reopen()? })
            }
            Ok(Outcome::Conflicts(files)) => Ok(Merge::Conflicts { files, ancestor }),
            Err(error) if error.code() == ErrorCode::NotFound => {
                Ok(Merge::Unknown { is_shallow: git.is_shallow(), ancestor: Some(ancestor) })
            }
            Err(error) => Err(broken(error)),
        }
    }
}

enum Outcome {
    Tree(Oid),
    Conflicts(Vec<String>),
}

/// Merges; what is new is known to `git` alone, and lost with it.
fn merged(git: &git2::Repository, base: Oid, head: Oid) -> Result<Outcome, git2::Error> {
    let database = git.odb()?;
    database.add_new_mempack_backend(PRIORITY)?;
    let (base, head) = (git.find_commit(base)?, git.find_commit(head)?);
    let mut index = git.merge_commits(&base, &head, None)?;
    if !index.has_conflicts() {
        return index.write_tree_to(git).map(Outcome::Tree);
    }
    let mut files = BTreeSet::new();
    for conflict in index.conflicts()? {
        let conflict = conflict?;
        let sides = [conflict.our, conflict.their, conflict.ancestor];
        let path = sides.into_iter().flatten().next().map(|entry| entry.path);
        files.extend(path.map(|path| String::from_utf8_lossy(&path).into_owned()));
    }
    Ok(Outcome::Conflicts(files.into_iter().collect()))
}

/// The objects of a tree that the repository on disk does not have.
fn made(git: &git2::Repository, tree: Oid, disk: &git2::Repository) -> Result<Made, git2::Error> {
    let (database, stored) = (git.odb()?, disk.odb()?);
    let mut objects = Vec::new();
    let mut wanted = vec![(tree, true)];
    let mut seen = BTreeSet::new();
    while let Some((id, is_tree)) = wanted.pop() {
        if !seen.insert(id) || stored.exists(id) || !database.exists(id) {
            continue;
        }
        let object = database.read(id)?;
        objects.push((object.kind(), object.data().to_vec()));
        if is_tree {
            let entries = git.find_tree(id)?;
            wanted.extend(entries.iter().map(|entry| {
                let is_tree = entry.kind() == Some(ObjectType::Tree);
                (entry.id(), is_tree)
            }));
        }
    }
    Ok(Made(Arc::new(objects)))
}

/// Whether `wanted` is among what `from` comes from, as far as its history is there.
fn reaches(git: &git2::Repository, from: Oid, wanted: Oid) -> bool {
    let (mut next, mut seen) = (vec![from], BTreeSet::new());
    while let Some(id) = next.pop() {
        if id == wanted {
            return true;
        }
        if let Some(commit) = git.find_commit(id).ok().filter(|_| seen.insert(id)) {
            next.extend(commit.parent_ids());
        }
    }
    false
}

impl Made {
    /// Lets `git` read these objects too, without writing them anywhere.
    pub(super) fn lend(&self, git: &git2::Repository) -> Result<(), git2::Error> {
        if self.0.is_empty() {
            return Ok(());
        }
        let database = git.odb()?;
        database.add_new_mempack_backend(PRIORITY)?;
        for (kind, bytes) in self.0.iter() {
            database.write(*kind, bytes)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
