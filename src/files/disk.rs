//! Plain files on disk, for `render -f FILE` outside any repository.
//!
//! Nothing is refused here but size: the user names the files, as with Compose itself.

use std::io::Read as _;
use std::path::Path;
use std::{fs, io};

use sha2::{Digest, Sha256};

use super::{Entry, EntryKind, FILE_SIZE_MAX, File, FileError, Files, Fingerprint, Refusal};

/// The file system as it is; relative paths are seen from the working directory.
#[derive(Debug, Clone, Copy, Default)]
pub struct Disk;

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

/// Whether its owner may execute it, which is what Git asks too.
#[cfg(unix)]
pub(crate) fn is_executable(meta: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    meta.permissions().mode() & 0o100 != 0
}

/// Nothing is told of it here.
#[cfg(not(unix))]
pub(crate) fn is_executable(_: &fs::Metadata) -> bool {
    false
}

fn at(path: &str) -> &Path {
    Path::new(if path.is_empty() { "." } else { path })
}

impl Files for Disk {
    fn read(&self, path: &str) -> Result<Option<File>, FileError> {
        let Some(meta) = there(path, fs::metadata(at(path)))? else { return Ok(None) };
        if meta.is_dir() {
            return Err(FileError::WrongKind {
                path: path.to_owned(),
                found: "a directory",
                wanted: "a file",
            });
        }
        let Some(file) = there(path, fs::File::open(at(path)))? else { return Ok(None) };
        // Devices and pipes have no length beforehand, and some have no end.
        let mut content = Vec::new();
        file.take(FILE_SIZE_MAX + 1)
            .read_to_end(&mut content)
            .map_err(|error| failed(path, &error))?;
        let size = meta.len().max(content.len() as u64);
        if size > FILE_SIZE_MAX {
            return Err(FileError::TooLarge { path: path.to_owned(), size, limit: FILE_SIZE_MAX });
        }
        Ok(Some(File {
            name: path.into(),
            content: content.into(),
            is_executable: is_executable(&meta),
            origin: None,
        }))
    }

    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, FileError> {
        let Some(listing) = there(path, fs::read_dir(at(path)))? else { return Ok(None) };
        let mut entries = Vec::new();
        for entry in listing {
            let entry = entry.map_err(|error| failed(path, &error))?;
            let name = entry.file_name().into_string().map_err(|name| FileError::NotUtf8 {
                dir: path.to_owned(),
                name: format!("{name:?}"),
            })?;
            // Links are followed: the user's own disk is the boundary here.
            let kind = match fs::metadata(entry.path()) {
                Ok(meta) if meta.is_dir() => EntryKind::Directory,
                Ok(meta) if meta.is_file() => EntryKind::File,
                Ok(_) => EntryKind::Refused(Refusal::Special),
                Err(_) => EntryKind::Refused(Refusal::Symlink),
            };
            entries.push(Entry { name, kind });
        }
        entries.sort();
        Ok(Some(entries))
    }

    fn fingerprint(&self, path: &str) -> Result<Option<Fingerprint>, FileError> {
        if self.is_file(path)? {
            let file = self.read(path)?;
            return Ok(file.map(|file| Fingerprint(Sha256::digest(&file.content).to_vec())));
        }
        let Some(entries) = self.list(path)? else { return Ok(None) };
        let mut hash = Sha256::new();
        for entry in entries {
            let below = super::join(path, &entry.name);
            hash.update((entry.name.len() as u64).to_le_bytes());
            hash.update(&entry.name);
            if let Some(Fingerprint(bytes)) = self.fingerprint(&below)? {
                hash.update(bytes);
            }
        }
        Ok(Some(Fingerprint(hash.finalize().to_vec())))
    }

    fn is_file(&self, path: &str) -> Result<bool, FileError> {
        Ok(there(path, fs::metadata(at(path)))?.is_some_and(|meta| meta.is_file()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn a_device_without_end_is_too_large() {
        assert!(matches!(Disk.read("/dev/zero"), Err(FileError::TooLarge { .. })));
        assert!(Disk.read("/dev/null").is_ok_and(|file| file.is_some()));
    }
}
