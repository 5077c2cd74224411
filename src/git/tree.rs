//! The files of one commit, read from Git's object database.
//!
//! No work tree is ever made, so there is no link to follow and no file to plant: a path is looked
//! up name by name in tree objects, and whatever is not a plain file or directory is refused under
//! its own name. Directories are parsed once and kept.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use git2::{ObjectType, Oid};

use super::{Commit, OpenError, Repository, lfs};
use crate::files::{
    Entry, EntryKind, FILE_SIZE_MAX, File, FileError, Files, Fingerprint, Refusal, join,
};

/// What a name in a tree stands for.
#[derive(Debug, Clone, Copy)]
enum Node {
    /// Its blob, and whether it may be executed.
    File(Oid, bool),
    Directory(Oid),
    Refused(Refusal),
}

/// One parsed tree object.
#[derive(Debug)]
struct Listing {
    id: Oid,
    nodes: BTreeMap<String, Node>,
    /// The first name that is not UTF-8, escaped: no path can ask for it, but listing must tell.
    not_utf8: Option<String>,
}

/// What stands at a path.
enum Found {
    File(Oid, bool),
    Directory(Arc<Listing>),
}

/// The tree of one commit as [`Files`].
///
/// One value serves one thread at a time (it is `Send`, not `Sync`); [`CommitFiles::reopen`]
/// makes another for the same commit, which costs opening the repository: well below a
/// millisecond.
pub struct CommitFiles {
    repository: Repository,
    root: Oid,
    listings: RefCell<BTreeMap<String, Arc<Listing>>>,
}

impl CommitFiles {
    pub(super) fn new(repository: Repository, commit: &Commit) -> Result<Self, OpenError> {
        let git = &repository.inner;
        let broken = |source| OpenError::Broken { dir: git.path().to_owned(), source };
        let root = Oid::from_str(commit.tree.as_str()).map_err(broken)?;
        git.find_tree(root).map_err(broken)?;
        Ok(Self { repository, root, listings: RefCell::default() })
    }

    /// A second reader of the same commit, for another thread.
    pub fn reopen(&self) -> Result<Self, OpenError> {
        let repository = self.repository.reopen()?;
        Ok(Self { repository, root: self.root, listings: RefCell::default() })
    }

    /// Looks `path` up from the root; `None` when nothing is there.
    fn find(&self, path: &str) -> Result<Option<Found>, FileError> {
        let names = names(path)?;
        let mut listing = self.listing("", self.root)?;
        let mut walked = String::new();
        for (index, name) in names.iter().enumerate() {
            let Some(node) = listing.nodes.get(*name).copied() else { return Ok(None) };
            walked = join(&walked, name);
            match node {
                Node::Refused(refusal) => return Err(refused(refusal, walked)),
                Node::Directory(id) => listing = self.listing(&walked, id)?,
                Node::File(id, may_run) if index + 1 == names.len() => {
                    return Ok(Some(Found::File(id, may_run)));
                }
                Node::File(..) => return Ok(None),
            }
        }
        Ok(Some(Found::Directory(listing)))
    }

    fn listing(&self, path: &str, id: Oid) -> Result<Arc<Listing>, FileError> {
        if let Some(known) = self.listings.borrow().get(path) {
            return Ok(Arc::clone(known));
        }
        self.check(path, id, ObjectType::Tree)?;
        let tree = self.repository.inner.find_tree(id).map_err(|error| failed(path, &error))?;
        let listing = Arc::new(parse(id, &tree));
        self.listings.borrow_mut().insert(path.to_owned(), Arc::clone(&listing));
        Ok(listing)
    }

    fn content(&self, path: &str, id: Oid) -> Result<Vec<u8>, FileError> {
        self.check(path, id, ObjectType::Blob)?;
        let blob = self.repository.inner.find_blob(id).map_err(|error| failed(path, &error))?;
        Ok(blob.content().to_vec())
    }

    /// Refuses an object that is not of the `wanted` kind, or too large, before it is unpacked.
    fn check(&self, path: &str, id: Oid, wanted: ObjectType) -> Result<(), FileError> {
        let failed = |error: git2::Error| failed(path, &error);
        let (size, kind) =
            self.repository.inner.odb().map_err(failed)?.read_header(id).map_err(failed)?;
        if kind != wanted {
            let reason = format!("object {id} is a {kind}, not a {wanted}");
            return Err(FileError::Io { path: path.to_owned(), reason });
        }
        let size = u64::try_from(size).unwrap_or(u64::MAX);
        if size > FILE_SIZE_MAX {
            return Err(FileError::TooLarge { path: path.to_owned(), size, limit: FILE_SIZE_MAX });
        }
        Ok(())
    }
}

impl Files for CommitFiles {
    fn read(&self, path: &str) -> Result<Option<File>, FileError> {
        let (id, is_executable) = match self.find(path)? {
            None => return Ok(None),
            Some(Found::File(id, may_run)) => (id, may_run),
            Some(Found::Directory(_)) => {
                return Err(FileError::WrongKind {
                    path: path.to_owned(),
                    found: "a directory",
                    wanted: "a file",
                });
            }
        };
        let content = self.content(path, id)?;
        if lfs::is_pointer(&content) {
            return Err(FileError::LfsPointer { path: path.to_owned() });
        }
        Ok(Some(File { name: path.into(), content: content.into(), is_executable, origin: None }))
    }

    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, FileError> {
        let Some(Found::Directory(listing)) = self.find(path)? else { return Ok(None) };
        if let Some(name) = &listing.not_utf8 {
            return Err(FileError::NotUtf8 { dir: path.to_owned(), name: name.clone() });
        }
        let entry = |(name, node): (&String, &Node)| Entry {
            name: name.clone(),
            kind: match node {
                Node::File(..) => EntryKind::File,
                Node::Directory(_) => EntryKind::Directory,
                Node::Refused(refusal) => EntryKind::Refused(*refusal),
            },
        };
        Ok(Some(listing.nodes.iter().map(entry).collect()))
    }

    fn fingerprint(&self, path: &str) -> Result<Option<Fingerprint>, FileError> {
        // The kind goes in front, so that a directory never passes for a file.
        let (kind, id) = match self.find(path)? {
            None => return Ok(None),
            Some(Found::File(id, false)) => (b'f', id),
            Some(Found::File(id, true)) => (b'x', id),
            Some(Found::Directory(listing)) => (b'd', listing.id),
        };
        let mut bytes = vec![kind];
        bytes.extend_from_slice(id.as_bytes());
        Ok(Some(Fingerprint(bytes)))
    }

    fn is_file(&self, path: &str) -> Result<bool, FileError> {
        Ok(matches!(self.find(path)?, Some(Found::File(..))))
    }
}

/// The names on the way to `path`; climbing out and absolute paths are refused.
pub(super) fn names(path: &str) -> Result<Vec<&str>, FileError> {
    let names: Vec<&str> =
        path.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
    if path.starts_with('/') || names.contains(&"..") {
        return Err(FileError::Outside { path: path.to_owned() });
    }
    Ok(names)
}

/// The refusal of `path` by its name.
pub(super) fn refused(refusal: Refusal, path: String) -> FileError {
    match refusal {
        Refusal::Symlink => FileError::Symlink { path },
        Refusal::Submodule => FileError::Submodule { path },
        Refusal::Special => FileError::Special { path },
    }
}

fn failed(path: &str, error: &git2::Error) -> FileError {
    FileError::Io { path: path.to_owned(), reason: error.message().to_owned() }
}

fn parse(id: Oid, tree: &git2::Tree<'_>) -> Listing {
    let mut listing = Listing { id, nodes: BTreeMap::new(), not_utf8: None };
    for entry in tree {
        match std::str::from_utf8(entry.name_bytes()) {
            Ok(name) => {
                listing.nodes.insert(name.to_owned(), node(name, &entry));
            }
            Err(_) if listing.not_utf8.is_none() => {
                listing.not_utf8 = Some(entry.name_bytes().escape_ascii().to_string());
            }
            Err(_) => {}
        }
    }
    listing
}

fn node(name: &str, entry: &git2::TreeEntry<'_>) -> Node {
    const KIND: i32 = 0o170_000;
    let id = entry.id();
    // Git never writes such names; a tree object made by hand can hold them.
    if name.is_empty() || name == "." || name == ".." || name.contains('/') {
        return Node::Refused(Refusal::Special);
    }
    match entry.filemode_raw() & KIND {
        0o100_000 => Node::File(id, entry.filemode_raw() & 0o100 != 0),
        0o040_000 => Node::Directory(id),
        0o120_000 => Node::Refused(Refusal::Symlink),
        0o160_000 => Node::Refused(Refusal::Submodule),
        _ => Node::Refused(Refusal::Special),
    }
}

#[cfg(test)]
mod tests;
