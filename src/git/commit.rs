//! A commit as the rest of the program knows it: plain values, no handle on the repository.

use std::fmt;

use crate::model::CommitId;

/// The name of a tree: equal for equal content, whatever the commit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TreeId(String);

impl TreeId {
    /// All digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn of(id: git2::Oid) -> Self {
        Self(id.to_string())
    }
}

impl fmt::Display for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commit {
    /// Its name.
    pub id: CommitId,
    /// The tree it holds.
    pub tree: TreeId,
    /// The first line of its message; bytes that are not UTF-8 are replaced.
    pub summary: String,
    /// When it was committed, in seconds since 1970.
    pub committed_at: i64,
    /// Who wrote it.
    pub author: String,
}

impl Commit {
    pub(super) fn of(commit: &git2::Commit<'_>) -> Self {
        Self {
            id: CommitId::new(commit.id().to_string()),
            tree: TreeId::of(commit.tree_id()),
            summary: lossy(commit.summary_bytes().unwrap_or_default()),
            committed_at: commit.time().seconds(),
            author: lossy(commit.author().name_bytes()),
        }
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
