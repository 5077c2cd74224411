//! Everything about Git: repositories, commits, the files in them, and mirrors of remote ones.
//!
//! The rest of the program asks for a [`Commit`] and reads it through
//! [`Files`](crate::files::Files); nobody else names `git2`. Two trees implement it:
//! [`CommitFiles`], which never touches a work tree, and [`WorktreeFiles`] for what is not
//! committed yet. [`Mirror`] turns a URL into a local repository.
//!
//! Everything here is blocking. Process environment comes in through [`Access`]; only what
//! libgit2 and libssh2 read by themselves (Git's own configuration, proxies, the agent's socket)
//! is taken from the process.

mod access;
mod certificates;
mod classify;
mod commit;
mod error;
mod fetch;
mod fetch_error;
mod lfs;
mod merge;
mod mirror;
mod repository;
mod signature;
mod timeouts;
mod tree;
mod url;
mod worktree;

#[cfg(test)]
mod fixture;

pub use access::{Access, Token};
pub use certificates::start;
pub use commit::{Commit, TreeId};
pub use error::{OpenError, ResolveError};
pub use fetch::FetchProgress;
pub use fetch_error::FetchError;
pub use merge::Merge;
pub use mirror::{Freshness, Mirror};
pub use repository::Repository;
pub use signature::{Keys, Unsigned};
pub use timeouts::Timeouts;
pub use tree::CommitFiles;
pub use url::{RemoteUrl, UrlError};
pub use worktree::WorktreeFiles;
