//! What goes wrong with a repository on this machine, and what to do next.

use std::path::PathBuf;

use thiserror::Error;

/// Why a repository on this machine cannot be used.
#[derive(Debug, Error)]
pub enum OpenError {
    /// The folder is not there at all.
    #[error("open `{}`: there is no such directory", dir.display())]
    NoDirectory {
        /// The folder asked for.
        dir: PathBuf,
    },
    /// Neither the folder nor one above it is a repository.
    #[error("open a Git repository: neither `{}` nor a directory above it is one", dir.display())]
    NotARepository {
        /// Where the search began.
        dir: PathBuf,
    },
    /// The repository belongs to another user, who could plant configuration in it.
    #[error("open the Git repository at `{}`: it belongs to another user", dir.display())]
    Owner {
        /// The repository.
        dir: PathBuf,
    },
    /// A work tree is needed, and the repository is bare.
    #[error("read the work tree of `{}`: the repository is bare and has none", dir.display())]
    Bare {
        /// The repository.
        dir: PathBuf,
    },
    /// It is damaged or of a kind that is not understood.
    #[error("read the Git repository at `{}`: {}", dir.display(), source.message())]
    Broken {
        /// The repository.
        dir: PathBuf,
        /// What libgit2 said.
        source: git2::Error,
    },
}

impl OpenError {
    /// One thing to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::NoDirectory { .. } => "name an existing directory with `-C DIR`".to_owned(),
            Self::NotARepository { .. } => {
                "make one with `git init`, or name another directory with `-C DIR`".to_owned()
            }
            Self::Owner { dir } => format!(
                "if you trust it, run `git config --global --add safe.directory {}`",
                dir.display()
            ),
            Self::Bare { .. } => "leave `--worktree` out and name a commit instead".to_owned(),
            Self::Broken { dir, .. } => {
                format!("see what is damaged with `git -C {} fsck`", dir.display())
            }
        }
    }
}

/// Why a revision does not lead to a commit.
#[derive(Debug, Error)]
pub enum ResolveError {
    /// Nothing was committed yet.
    #[error("find a commit: branch `{branch}` has none yet")]
    NoCommits {
        /// The branch that `HEAD` names.
        branch: String,
    },
    /// A short hash that several objects begin with.
    #[error("find commit `{revision}`: several objects begin with these digits")]
    Ambiguous {
        /// The revision as it was asked for.
        revision: String,
    },
    /// No branch, tag or commit has this name.
    #[error("find `{revision}`: no branch, tag or commit has this name")]
    Unknown {
        /// The revision as it was asked for.
        revision: String,
        /// A branch or tag that may have been meant.
        nearest: Option<String>,
        /// Whether the history of this clone was cut off.
        is_shallow: bool,
    },
    /// The name is there; what follows it, as in `main~99`, is not.
    #[error("find `{revision}`: `{base}` is there, but the rest leads nowhere")]
    LeadsNowhere {
        /// The revision as it was asked for.
        revision: String,
        /// The part that names something.
        base: String,
        /// Whether the history of this clone was cut off.
        is_shallow: bool,
    },
    /// The text is no revision, or names several.
    #[error("read `{revision}` as the name of one commit")]
    NotARevision {
        /// The text.
        revision: String,
    },
    /// A file or directory was named.
    #[error("use `{revision}` as a commit: it is a {found}")]
    NotACommit {
        /// The revision as it was asked for.
        revision: String,
        /// What it is.
        found: &'static str,
    },
    /// The object database is damaged.
    #[error("read `{revision}`: {}", source.message())]
    Broken {
        /// The revision as it was asked for.
        revision: String,
        /// What libgit2 said.
        source: git2::Error,
    },
}

impl ResolveError {
    /// One thing to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::NoCommits { .. } => {
                "commit something first: `git add . && git commit`".to_owned()
            }
            Self::Ambiguous { .. } => "give more digits of the hash".to_owned(),
            Self::Unknown { revision, .. } if fetched(revision).is_some() => {
                let (remote, branch) = fetched(revision).unwrap_or_default();
                format!("git fetch {remote} +refs/heads/{branch}:{revision}")
            }
            Self::Unknown { nearest: Some(name), .. } => format!("did you mean `{name}`?"),
            Self::Unknown { is_shallow: true, .. }
            | Self::LeadsNowhere { is_shallow: true, .. } => {
                "this clone is shallow; get the rest with `git fetch --unshallow`".to_owned()
            }
            Self::Unknown { .. } => {
                "list the names with `git branch --all` and `git tag`".to_owned()
            }
            Self::LeadsNowhere { base, .. } => {
                format!("see how far its history goes with `git log {base}`")
            }
            Self::NotARevision { .. } => {
                "name a branch, a tag or a commit hash, as in `main` or `HEAD~1`".to_owned()
            }
            Self::NotACommit { .. } => "leave out the path after the commit".to_owned(),
            Self::Broken { .. } => "see what is damaged with `git fsck`".to_owned(),
        }
    }
}

/// Remote and branch of a name that only fetching makes.
fn fetched(revision: &str) -> Option<(&str, &str)> {
    revision.strip_prefix("refs/remotes/")?.split_once('/')
}
