//! A tree of files as the rest of the program sees it, wherever it lies.
//!
//! [`Files`] is the one road to file contents: a commit's tree, an uncommitted work tree, plain
//! files on disk, or values in memory. Whatever includes, extends, templates and `env_file` ask
//! for goes through it, so "nothing outside the commit" is enforced in one place.
//!
//! Paths are `/`-separated strings, already [`clean`]: relative to the tree's root (`""` is the
//! root itself), or absolute for files on disk.

mod disk;
mod memory;
mod overlay;
mod path;
mod tracked;

use std::sync::Arc;

use thiserror::Error;

use crate::diag::{Diagnostic, Origin, Sources};

pub use disk::Disk;
pub(crate) use disk::is_executable;
pub use memory::Memory;
pub use overlay::Overlay;
pub use path::{clean, file_name, join, parent};
pub use tracked::{Reads, Tracked};

/// The largest file that is read, in bytes; a Compose file has thousands of bytes, not millions.
pub const FILE_SIZE_MAX: u64 = 16 * 1024 * 1024;

/// A file's content, and what it was made from.
#[derive(Debug, Clone)]
pub struct File {
    /// The path people know: `shop/compose.yaml.j2` even when `shop/compose.yaml` was asked for.
    pub name: Arc<str>,
    /// The bytes, after rendering.
    pub content: Arc<[u8]>,
    /// Whether it may be executed: the one permission that Git keeps.
    pub is_executable: bool,
    /// Set when the content was rendered from a template.
    pub origin: Option<Arc<dyn Origin>>,
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// The last part of its path.
    pub name: String,
    /// What stands behind the name.
    pub kind: EntryKind,
}

/// What an [`Entry`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link, submodule or device: listed so that it can be refused by name.
    Refused(Refusal),
}

/// Why something in a tree is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// Its target may lie anywhere.
    Symlink,
    /// Its content lies in another repository.
    Submodule,
    /// A socket, pipe or device.
    Special,
}

/// A fingerprint of a file or of a whole directory, equal only for equal content.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub Vec<u8>);

/// Why a path of a tree cannot be read. Absence is not an error: it is `None`.
#[derive(Debug, Clone, Error)]
pub enum FileError {
    /// A symbolic link on the way to `path`, or `path` itself.
    #[error(
        "`{path}` is a symbolic link; links are not followed, since they may leave the repository"
    )]
    Symlink {
        /// The link.
        path: String,
    },
    /// `path` belongs to another repository.
    #[error("`{path}` lies in a submodule; submodules are not read")]
    Submodule {
        /// The submodule.
        path: String,
    },
    /// Neither a file nor a directory.
    #[error("`{path}` is neither a file nor a directory")]
    Special {
        /// The device, pipe or socket.
        path: String,
    },
    /// `..` or an absolute path led out of the tree.
    #[error("`{path}` leads out of the repository")]
    Outside {
        /// The path as it was asked for.
        path: String,
    },
    /// A directory where a file was asked for, or the other way round.
    #[error("`{path}` is {found}, not {wanted}")]
    WrongKind {
        /// The path asked for.
        path: String,
        /// What is there.
        found: &'static str,
        /// What was asked for.
        wanted: &'static str,
    },
    /// Larger than is read.
    #[error("`{path}` has {size} bytes; at most {limit} are read")]
    TooLarge {
        /// The file.
        path: String,
        /// Its size in bytes.
        size: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A name in the tree is not UTF-8.
    #[error("a name in `{dir}` is not UTF-8: {name}")]
    NotUtf8 {
        /// The directory that has it.
        dir: String,
        /// The name, escaped.
        name: String,
    },
    /// A placeholder that Git LFS left in the commit: the content lies on another server.
    #[error("`{path}` is a Git LFS pointer; only files whose content is in Git itself are read")]
    LfsPointer {
        /// The pointer file.
        path: String,
    },
    /// `path` and `path.j2` both exist, so it cannot be told which one is meant.
    #[error("both `{path}` and `{path}.j2` exist")]
    Ambiguous {
        /// The path without `.j2`.
        path: String,
    },
    /// The file is a template, and rendering it failed.
    #[error("render `{path}`")]
    Template {
        /// The template.
        path: String,
        /// What is wrong in it. The spans point into `sources`.
        report: Arc<Report>,
    },
    /// The tree itself could not be read.
    #[error("read `{path}`: {reason}")]
    Io {
        /// The path asked for.
        path: String,
        /// What the system or the object database said.
        reason: String,
    },
}

impl FileError {
    /// The error as findings of `rule`; what is wrong in a template, at its place there.
    pub fn findings(&self, rule: &'static str, sources: &Sources) -> Vec<Diagnostic> {
        match self {
            Self::Template { report, .. } => {
                let moved = sources.adopt(&report.sources);
                report.diagnostics.iter().map(|finding| finding.clone().moved(moved)).collect()
            }
            _ => vec![Diagnostic::error(rule, self.to_string())],
        }
    }
}

/// Findings together with the texts they point into.
#[derive(Debug, Default)]
pub struct Report {
    /// The findings.
    pub diagnostics: Vec<Diagnostic>,
    /// The texts.
    pub sources: Sources,
}

impl Report {
    /// Bundles findings with their texts.
    pub fn new(diagnostics: Vec<Diagnostic>, sources: Sources) -> Self {
        Self { diagnostics, sources }
    }
}

/// A tree of files.
pub trait Files {
    /// The content of `path`; `None` when nothing is there.
    fn read(&self, path: &str) -> Result<Option<File>, FileError>;

    /// The names in directory `path`, sorted; `None` when nothing is there.
    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, FileError>;

    /// A fingerprint of the file or directory `path`, got without reading contents where possible.
    fn fingerprint(&self, path: &str) -> Result<Option<Fingerprint>, FileError>;

    /// Whether `path` is a file.
    fn is_file(&self, path: &str) -> Result<bool, FileError>;
}
