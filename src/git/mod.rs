//! Everything about Git: repositories, commits, the files in them, and mirrors of remote ones.
//!
//! The rest of the program asks for a [`Commit`] and reads it through
//! [`Files`](crate::files::Files); nobody else names `git2`. Two trees implement it:
//! [`CommitFiles`], which never touches a work tree, and [`WorktreeFiles`] for what is not
//! committed yet. Everything here is blocking.

mod commit;
mod error;
mod lfs;
mod repository;
mod tree;
mod worktree;

#[cfg(test)]
mod fixture;

pub use commit::{Commit, TreeId};
pub use error::{OpenError, ResolveError};
pub use repository::Repository;
pub use tree::CommitFiles;
pub use worktree::WorktreeFiles;
