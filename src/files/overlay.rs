//! A few files laid over a tree: standard input over the disk.

use super::{Disk, Entry, File, FileError, Files, Fingerprint, Memory};

/// Files in memory that hide those of the same path on disk.
#[derive(Debug, Clone)]
pub struct Overlay {
    above: Memory,
    below: Disk,
}

impl Overlay {
    /// Lays `above` over `below`.
    pub fn new(above: Memory, below: Disk) -> Self {
        Self { above, below }
    }
}

impl Files for Overlay {
    fn read(&self, path: &str) -> Result<Option<File>, FileError> {
        match self.above.read(path)? {
            Some(file) => Ok(Some(file)),
            None => self.below.read(path),
        }
    }

    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, FileError> {
        self.below.list(path)
    }

    fn fingerprint(&self, path: &str) -> Result<Option<Fingerprint>, FileError> {
        match self.above.fingerprint(path)? {
            Some(fingerprint) => Ok(Some(fingerprint)),
            None => self.below.fingerprint(path),
        }
    }

    fn is_file(&self, path: &str) -> Result<bool, FileError> {
        Ok(self.above.is_file(path)? || self.below.is_file(path)?)
    }
}
