//! A repository on this machine: finding it, and naming commits in it.
//!
//! Nothing is ever written to it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use git2::{ErrorClass, ErrorCode, RepositoryOpenFlags};

use super::merge::Made;
use super::{Commit, CommitFiles, OpenError, ResolveError, Unsigned, WorktreeFiles};
use crate::diag::nearest;
use crate::model::CommitId;

/// A local repository, bare or with a work tree.
///
/// It is `Send`, not `Sync`: a thread that needs one of its own calls [`Repository::reopen`].
pub struct Repository {
    pub(super) inner: git2::Repository,
    /// What a merge has made beside what is stored.
    pub(super) made: Made,
}

impl Repository {
    /// The repository that `dir` lies in, looked for from `dir` upwards as Git does.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        if !dir.is_dir() {
            return Err(OpenError::NoDirectory { dir: dir.to_owned() });
        }
        let none: [&Path; 0] = [];
        let inner = git2::Repository::open_ext(dir, RepositoryOpenFlags::empty(), none)
            .map_err(|error| open_error(dir, error))?;
        Ok(Self { inner, made: Made::default() })
    }

    /// Makes an empty repository in `dir`, unless it is one already.
    pub fn init(dir: &Path) -> Result<(), OpenError> {
        if git2::Repository::open(dir).is_ok() {
            return Ok(());
        }
        let dir = dir.to_owned();
        match git2::Repository::init(&dir) {
            Ok(_) => Ok(()),
            Err(source) => Err(OpenError::Broken { dir, source }),
        }
    }

    /// The repository at exactly `dir`, without looking further up.
    pub(super) fn at(dir: &Path) -> Result<Self, OpenError> {
        Ok(Self { inner: open_exactly(dir)?, made: Made::default() })
    }

    /// A second handle on the same repository, for another thread.
    pub fn reopen(&self) -> Result<Self, OpenError> {
        let inner = reopen(&self.inner)?;
        let broken = |source| OpenError::Broken { dir: inner.path().to_owned(), source };
        self.made.lend(&inner).map_err(broken)?;
        Ok(Self { inner, made: self.made.clone() })
    }

    /// The top of the work tree; `None` for a bare repository.
    pub fn work_dir(&self) -> Option<&Path> {
        self.inner.workdir()
    }

    /// The folder people would name: the work tree, or the repository itself when it is bare.
    pub fn dir(&self) -> &Path {
        self.inner.workdir().unwrap_or_else(|| self.inner.path())
    }

    /// The name people know the repository by: that of its remote `origin`, so that every clone
    /// has the same one wherever it lies; without a remote, its folder's.
    pub fn name(&self) -> String {
        let remote = self.inner.find_remote("origin").ok();
        let url = remote.as_ref().and_then(|remote| remote.url().ok().map(str::to_owned));
        if let Some(url) = url.and_then(|url| super::RemoteUrl::parse(&url, Path::new("/")).ok())
            && !url.name().is_empty()
        {
            return url.name().to_owned();
        }
        let dir = match self.inner.workdir() {
            Some(dir) => dir,
            None => self.inner.path(),
        };
        let name = dir.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.unwrap_or_default();
        name.strip_suffix(".git").map_or(name.clone(), str::to_owned)
    }

    /// The commit that `revision` names: a branch, a tag, a hash or its beginning, `HEAD~2`.
    pub fn resolve(&self, revision: &str) -> Result<Commit, ResolveError> {
        let object = self
            .inner
            .revparse_single(revision)
            .map_err(|error| self.resolve_error(revision, error))?;
        let commit = object.peel_to_commit().map_err(|error| match error.code() {
            ErrorCode::NotFound if error.class() == ErrorClass::Odb => {
                ResolveError::Broken { revision: revision.to_owned(), source: error }
            }
            _ => ResolveError::NotACommit {
                revision: revision.to_owned(),
                found: object.kind().map_or("unknown object", |kind| kind.str()),
            },
        })?;
        Ok(Commit::of(&commit))
    }

    /// The files of `commit`.
    pub fn files(&self, commit: &Commit) -> Result<CommitFiles, OpenError> {
        CommitFiles::new(self.reopen()?, commit)
    }

    /// The files of the work tree as they lie there, committed or not.
    pub fn worktree(&self) -> Result<WorktreeFiles, OpenError> {
        WorktreeFiles::new(reopen(&self.inner)?)
    }

    /// Whether `older` is another commit that `newer` comes from, as far as the history is known.
    pub fn is_ancestor(&self, older: &CommitId, newer: &CommitId) -> bool {
        let id = |commit: &CommitId| git2::Oid::from_str(commit.as_str());
        let (Ok(older), Ok(newer)) = (id(older), id(newer)) else { return false };
        self.inner.graph_descendant_of(newer, older).unwrap_or(false)
    }

    /// A commit's signature, and the text that is signed.
    pub(super) fn signature(&self, commit: &Commit) -> Result<(Vec<u8>, Vec<u8>), Unsigned> {
        let unknown = |error: git2::Error| Unsigned::Unknown(error.message().to_owned());
        let id = git2::Oid::from_str(commit.id.as_str()).map_err(unknown)?;
        match self.inner.extract_signature(&id, None) {
            Ok((signature, signed)) => Ok((signature.to_vec(), signed.to_vec())),
            Err(error) if error.code() == ErrorCode::NotFound => Err(Unsigned::Nobody),
            Err(error) => Err(unknown(error)),
        }
    }

    fn resolve_error(&self, revision: &str, error: git2::Error) -> ResolveError {
        let revision = revision.to_owned();
        if let Some(branch) = self.unborn_branch()
            && (is_about_head(&revision) || self.reference_names().is_empty())
        {
            return ResolveError::NoCommits { branch };
        }
        match error.code() {
            ErrorCode::Ambiguous => ResolveError::Ambiguous { revision },
            ErrorCode::InvalidSpec | ErrorCode::Peel => ResolveError::NotARevision { revision },
            ErrorCode::NotFound => self.unknown(revision),
            _ if revision.is_empty() || revision.contains("..") || revision.contains('\0') => {
                ResolveError::NotARevision { revision }
            }
            _ => ResolveError::Broken { revision, source: error },
        }
    }

    fn unknown(&self, revision: String) -> ResolveError {
        let is_shallow = self.inner.is_shallow();
        let base = base(&revision);
        if base != revision && self.inner.revparse_single(base).is_ok() {
            let base = base.to_owned();
            return ResolveError::LeadsNowhere { revision, base, is_shallow };
        }
        let nearest = self.suggestion(base);
        ResolveError::Unknown { revision, nearest, is_shallow }
    }

    /// The branch that `HEAD` names, when nothing was ever committed on it.
    fn unborn_branch(&self) -> Option<String> {
        let error = self.inner.head().err()?;
        if error.code() != ErrorCode::UnbornBranch {
            return None;
        }
        let head = self.inner.find_reference("HEAD").ok()?;
        let target = head.symbolic_target().ok()??;
        Some(target.strip_prefix("refs/heads/").unwrap_or(target).to_owned())
    }

    /// A branch or tag that may have been meant by `wanted`.
    fn suggestion(&self, wanted: &str) -> Option<String> {
        if wanted.is_empty() {
            return None;
        }
        let names = self.reference_names();
        // `origin/main` where only `main` exists, as in a mirror, and the other way round.
        let same_end = names.iter().find(|name| {
            name.strip_suffix(wanted).is_some_and(|rest| rest.ends_with('/'))
                || wanted.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('/'))
        });
        match same_end {
            Some(name) => Some(name.clone()),
            None => nearest(wanted, names.iter().map(String::as_str)).map(str::to_owned),
        }
    }

    fn reference_names(&self) -> BTreeSet<String> {
        let Ok(mut references) = self.inner.references() else { return BTreeSet::new() };
        references
            .names()
            .filter_map(Result::ok)
            .filter_map(|name| {
                let short = ["refs/heads/", "refs/tags/", "refs/remotes/"]
                    .iter()
                    .find_map(|prefix| name.strip_prefix(prefix))?;
                Some(short.to_owned())
            })
            .collect()
    }
}

fn is_about_head(revision: &str) -> bool {
    matches!(base(revision), "HEAD" | "")
}

/// The name that `revision` begins with, without its `~2` and the like.
fn base(revision: &str) -> &str {
    revision.split(['~', '^', '@', ':']).next().unwrap_or(revision)
}

/// Opens what `repository` is once more, without searching.
pub(super) fn reopen(repository: &git2::Repository) -> Result<git2::Repository, OpenError> {
    open_exactly(repository.workdir().unwrap_or_else(|| repository.path()))
}

fn open_exactly(dir: &Path) -> Result<git2::Repository, OpenError> {
    let none: [&Path; 0] = [];
    git2::Repository::open_ext(dir, RepositoryOpenFlags::NO_SEARCH, none)
        .map_err(|error| open_error(dir, error))
}

fn open_error(dir: &Path, source: git2::Error) -> OpenError {
    let dir: PathBuf = dir.to_owned();
    match source.code() {
        ErrorCode::NotFound => OpenError::NotARepository { dir },
        ErrorCode::Owner => OpenError::Owner { dir },
        _ => OpenError::Broken { dir, source },
    }
}

#[cfg(test)]
mod tests;
