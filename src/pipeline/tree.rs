//! Where files come from: a commit, or the uncommitted work tree.

use std::cell::OnceCell;

use thiserror::Error;

use crate::files::Files;
use crate::git::{Commit, OpenError, Repository};

/// A state of a repository's files.
pub struct Tree {
    repository: Repository,
    commit: Option<Commit>,
    name: String,
    /// Opened once: each opening reads Git's settings again.
    files: OnceCell<Box<dyn Files + Send>>,
}

/// A tree could not be read.
#[derive(Debug, Error)]
pub enum TreeError {
    /// The object database or the work tree could not be opened.
    #[error("open the repository's files")]
    Open(#[from] OpenError),
}

impl Tree {
    /// The files of `commit`. `name` is the repository's name.
    pub fn of_commit(repository: Repository, commit: Commit, name: &str) -> Self {
        Self { repository, commit: Some(commit), name: name.to_owned(), files: OnceCell::new() }
    }

    /// The files of the work tree, committed or not.
    pub fn uncommitted(repository: Repository, name: &str) -> Self {
        Self { repository, commit: None, name: name.to_owned(), files: OnceCell::new() }
    }

    /// The repository's name: the last part of its folder or URL.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The commit; `None` for the work tree.
    pub fn commit(&self) -> Option<&Commit> {
        self.commit.as_ref()
    }

    /// A short name for headings: the commit's, or `uncommitted`.
    pub fn label(&self) -> &str {
        self.commit.as_ref().map_or("uncommitted", |commit| commit.id.short())
    }

    /// The files. Each thread reads a tree of its own.
    pub fn files(&self) -> Result<&dyn Files, TreeError> {
        if let Some(files) = self.files.get() {
            return Ok(&**files);
        }
        let opened: Box<dyn Files + Send> = match &self.commit {
            Some(commit) => Box::new(self.repository.files(commit)?),
            None => Box::new(self.repository.worktree()?),
        };
        Ok(&**self.files.get_or_init(|| opened))
    }

    /// A second handle on the same tree, for another thread.
    pub fn reopen(&self) -> Result<Self, TreeError> {
        Ok(Self {
            repository: self.repository.reopen()?,
            commit: self.commit.clone(),
            name: self.name.clone(),
            files: OnceCell::new(),
        })
    }
}
