//! The files of a work tree as they lie there: what would be committed by `git add --all`.
//!
//! Every name on the way to a file is looked at without following it, so a link is refused by
//! name wherever it leads. Ignored files are invisible unless they are tracked, and so is `.git`.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::tree::{names, refused};
use super::{OpenError, lfs};
use crate::files::{
    Entry, EntryKind, FILE_SIZE_MAX, File, FileError, Files, Fingerprint, Refusal, is_executable,
    join,
};

/// Deeper trees than this are not fingerprinted.
const DEPTH_MAX: usize = 128;

/// The uncommitted work tree of a local repository as [`Files`].
///
/// What is tracked is read once, when the value is made.
pub struct WorktreeFiles {
    repository: git2::Repository,
    root: PathBuf,
    tracked: BTreeSet<String>,
    submodules: BTreeSet<String>,
}

/// What stands at a path.
enum Found {
    File(PathBuf, Metadata),
    Directory(PathBuf),
}

impl WorktreeFiles {
    pub(super) fn new(repository: git2::Repository) -> Result<Self, OpenError> {
        let dir = repository.path().to_owned();
        let Some(root) = repository.workdir().map(Path::to_owned) else {
            return Err(OpenError::Bare { dir });
        };
        let index = repository.index().map_err(|source| OpenError::Broken { dir, source })?;
        let (mut tracked, mut submodules) = (BTreeSet::new(), BTreeSet::new());
        for entry in index.iter() {
            // Names that are not UTF-8 are refused when their directory is listed.
            let Ok(path) = String::from_utf8(entry.path) else { continue };
            if entry.mode & 0o170_000 == 0o160_000 {
                submodules.insert(path.clone());
            }
            tracked.insert(path);
        }
        Ok(Self { repository, root, tracked, submodules })
    }

    /// Looks `path` up from the root; `None` when nothing visible is there.
    fn find(&self, path: &str) -> Result<Option<Found>, FileError> {
        let names = names(path)?;
        let (mut walked, mut place) = (String::new(), self.root.clone());
        for (index, name) in names.iter().enumerate() {
            if name.eq_ignore_ascii_case(".git") {
                return Ok(None);
            }
            walked = join(&walked, name);
            place.push(name);
            let Some(meta) = there(&walked, fs::symlink_metadata(&place))? else {
                return Ok(None);
            };
            let is_last = index + 1 == names.len();
            match self.kind(&walked, &place, &meta) {
                // A link that is ignored is not part of the tree: it is absent, not refused.
                EntryKind::Refused(_) | EntryKind::File if !self.is_visible(&walked, false)? => {
                    return Ok(None);
                }
                EntryKind::Refused(refusal) => return Err(refused(refusal, walked)),
                EntryKind::File if is_last => return Ok(Some(Found::File(place, meta))),
                EntryKind::File => return Ok(None),
                EntryKind::Directory if !self.is_visible(&walked, true)? => return Ok(None),
                EntryKind::Directory => {}
            }
        }
        Ok(Some(Found::Directory(place)))
    }

    fn kind(&self, path: &str, place: &Path, meta: &Metadata) -> EntryKind {
        let kind = meta.file_type();
        if kind.is_symlink() {
            EntryKind::Refused(Refusal::Symlink)
        } else if kind.is_dir() {
            // A submodule that was never fetched is an empty folder.
            let is_repository = fs::symlink_metadata(place.join(".git")).is_ok();
            if is_repository || self.submodules.contains(path) {
                EntryKind::Refused(Refusal::Submodule)
            } else {
                EntryKind::Directory
            }
        } else if kind.is_file() {
            EntryKind::File
        } else {
            EntryKind::Refused(Refusal::Special)
        }
    }

    /// Whether `path` is tracked, or holds something that is, or is not ignored.
    fn is_visible(&self, path: &str, is_directory: bool) -> Result<bool, FileError> {
        if self.tracked.contains(path) {
            return Ok(true);
        }
        if is_directory {
            let below = format!("{path}/");
            let first = self.tracked.range(below.clone()..).next();
            if first.is_some_and(|first| first.starts_with(&below)) {
                return Ok(true);
            }
        }
        let is_ignored = self.repository.is_path_ignored(path).map_err(|error| FileError::Io {
            path: path.to_owned(),
            reason: error.message().to_owned(),
        })?;
        Ok(!is_ignored)
    }

    fn fingerprint_within(
        &self,
        path: &str,
        depth: usize,
    ) -> Result<Option<Fingerprint>, FileError> {
        if depth > DEPTH_MAX {
            let reason = format!("more than {DEPTH_MAX} directories deep");
            return Err(FileError::Io { path: path.to_owned(), reason });
        }
        let mut hash = Sha256::new();
        match self.find(path)? {
            None => return Ok(None),
            Some(Found::File(place, meta)) => {
                hash.update(if is_executable(&meta) { b"x" } else { b"f" });
                hash.update(content(path, &place, &meta)?);
            }
            Some(Found::Directory(_)) => {
                hash.update(b"d");
                for entry in self.list(path)?.unwrap_or_default() {
                    hash.update((entry.name.len() as u64).to_le_bytes());
                    hash.update(&entry.name);
                    // What is refused counts by its name: it has no content for us.
                    if !matches!(entry.kind, EntryKind::Refused(_)) {
                        let below = self.fingerprint_within(&join(path, &entry.name), depth + 1)?;
                        hash.update(below.map(|Fingerprint(bytes)| bytes).unwrap_or_default());
                    }
                }
            }
        }
        Ok(Some(Fingerprint(hash.finalize().to_vec())))
    }
}

impl Files for WorktreeFiles {
    fn read(&self, path: &str) -> Result<Option<File>, FileError> {
        let (place, meta) = match self.find(path)? {
            None => return Ok(None),
            Some(Found::File(place, meta)) => (place, meta),
            Some(Found::Directory(_)) => {
                return Err(FileError::WrongKind {
                    path: path.to_owned(),
                    found: "a directory",
                    wanted: "a file",
                });
            }
        };
        let content = content(path, &place, &meta)?;
        if lfs::is_pointer(&content) {
            return Err(FileError::LfsPointer { path: path.to_owned() });
        }
        let is_executable = is_executable(&meta);
        Ok(Some(File { name: path.into(), content: content.into(), is_executable, origin: None }))
    }

    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, FileError> {
        let Some(Found::Directory(place)) = self.find(path)? else { return Ok(None) };
        let Some(listing) = there(path, fs::read_dir(&place))? else { return Ok(None) };
        let mut entries = Vec::new();
        for entry in listing {
            let entry = entry.map_err(|error| failed(path, &error))?;
            let name = entry.file_name().into_string().map_err(|name| FileError::NotUtf8 {
                dir: path.to_owned(),
                name: name.as_encoded_bytes().escape_ascii().to_string(),
            })?;
            if name.eq_ignore_ascii_case(".git") {
                continue;
            }
            let below = join(path, &name);
            let Some(meta) = there(&below, fs::symlink_metadata(entry.path()))? else { continue };
            let kind = self.kind(&below, &entry.path(), &meta);
            if self.is_visible(&below, meta.is_dir())? {
                entries.push(Entry { name, kind });
            }
        }
        entries.sort();
        Ok(Some(entries))
    }

    fn fingerprint(&self, path: &str) -> Result<Option<Fingerprint>, FileError> {
        self.fingerprint_within(path, 0)
    }

    fn is_file(&self, path: &str) -> Result<bool, FileError> {
        Ok(matches!(self.find(path)?, Some(Found::File(..))))
    }
}

/// The content of the file that `meta` was read from.
fn content(path: &str, place: &Path, meta: &Metadata) -> Result<Vec<u8>, FileError> {
    let too_large =
        |size| FileError::TooLarge { path: path.to_owned(), size, limit: FILE_SIZE_MAX };
    if meta.len() > FILE_SIZE_MAX {
        return Err(too_large(meta.len()));
    }
    let file = fs::File::open(place).map_err(|error| failed(path, &error))?;
    let opened = file.metadata().map_err(|error| failed(path, &error))?;
    // Opening follows links, so one that was put there since the look must show itself.
    if !is_same(meta, &opened) {
        let reason = "it was replaced while it was read".to_owned();
        return Err(FileError::Io { path: path.to_owned(), reason });
    }
    let mut content = Vec::new();
    file.take(FILE_SIZE_MAX + 1).read_to_end(&mut content).map_err(|error| failed(path, &error))?;
    let size = content.len() as u64;
    if size > FILE_SIZE_MAX { Err(too_large(size)) } else { Ok(content) }
}

#[cfg(unix)]
fn is_same(seen: &Metadata, opened: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    (seen.dev(), seen.ino()) == (opened.dev(), opened.ino())
}

#[cfg(not(unix))]
fn is_same(_seen: &Metadata, opened: &Metadata) -> bool {
    opened.is_file()
}

fn failed(path: &str, error: &io::Error) -> FileError {
    FileError::Io { path: path.to_owned(), reason: error.to_string() }
}

/// `None` for an error that only says that nothing is there.
fn there<T>(path: &str, result: io::Result<T>) -> Result<Option<T>, FileError> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
            _ => Err(failed(path, &error)),
        },
    }
}

#[cfg(test)]
mod tests;
