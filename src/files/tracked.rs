//! Remembers what was read, so that a later commit can be told to need no reading at all.
//!
//! The result of rendering a stack depends on the files it read, on those it looked for and did
//! not find, and on the directories it listed. [`Reads`] is that list with fingerprints; when
//! all of them are the same in another tree, so is the result.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::{Entry, File, FileError, Files, Fingerprint};

/// Paths that a piece of work asked for, with what they were; `None` for what was not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reads(BTreeMap<String, Option<Fingerprint>>);

impl Reads {
    /// Whether `files` would answer every question the same way.
    pub fn still_hold(&self, files: &dyn Files) -> bool {
        self.0.iter().all(|(path, then)| files.fingerprint(path).is_ok_and(|now| now == *then))
    }

    /// How many paths were asked for.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The paths asked for, in order.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// Passes everything through and takes notes.
pub struct Tracked<'a> {
    inner: &'a dyn Files,
    reads: RefCell<BTreeMap<String, Option<Fingerprint>>>,
}

impl<'a> Tracked<'a> {
    /// Watches over `inner`.
    pub fn new(inner: &'a dyn Files) -> Self {
        Self { inner, reads: RefCell::default() }
    }

    /// What was asked for so far.
    pub fn into_reads(self) -> Reads {
        Reads(self.reads.into_inner())
    }

    fn note(&self, path: &str) -> Result<(), FileError> {
        if !self.reads.borrow().contains_key(path) {
            let fingerprint = self.inner.fingerprint(path)?;
            self.reads.borrow_mut().insert(path.to_owned(), fingerprint);
        }
        Ok(())
    }
}

impl Files for Tracked<'_> {
    fn read(&self, path: &str) -> Result<Option<File>, FileError> {
        self.note(path)?;
        self.inner.read(path)
    }

    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, FileError> {
        self.note(path)?;
        self.inner.list(path)
    }

    fn fingerprint(&self, path: &str) -> Result<Option<Fingerprint>, FileError> {
        self.note(path)?;
        self.inner.fingerprint(path)
    }

    fn is_file(&self, path: &str) -> Result<bool, FileError> {
        self.note(path)?;
        self.inner.is_file(path)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Memory;
    use super::*;

    #[test]
    fn a_change_elsewhere_leaves_the_reads_standing() {
        let tree = Memory::new().with("a/x", "1").with("b/y", "2");
        let tracked = Tracked::new(&tree);
        assert!(tracked.read("a/x").expect("readable").is_some());
        assert!(tracked.read("a/z").expect("readable").is_none());
        let reads = tracked.into_reads();
        assert!(reads.still_hold(&tree));
        assert!(reads.still_hold(&tree.clone().with("b/y", "3")));
        assert!(!reads.still_hold(&tree.clone().with("a/x", "2")));
        assert!(!reads.still_hold(&tree.clone().with("a/z", "new")));
    }
}
