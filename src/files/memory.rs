//! A tree held in memory: for tests, fuzzing and the sample repository.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Entry, EntryKind, File, FileError, Files, Fingerprint, clean};

/// Files by path.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    files: BTreeMap<String, Arc<[u8]>>,
    executable: BTreeSet<String>,
}

impl Memory {
    /// An empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a file.
    #[must_use]
    pub fn with(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.insert(path, content);
        self
    }

    /// Adds or replaces a file.
    pub fn insert(&mut self, path: &str, content: impl AsRef<[u8]>) {
        self.files.insert(clean(path), content.as_ref().into());
    }

    /// Makes a file one that may be executed.
    #[must_use]
    pub fn executable(mut self, path: &str) -> Self {
        self.executable.insert(clean(path));
        self
    }

    fn below<'a>(&'a self, dir: &str) -> impl Iterator<Item = (&'a str, &'a Arc<[u8]>)> {
        let prefix = match dir {
            "" => String::new(),
            "/" => "/".to_owned(),
            dir => format!("{dir}/"),
        };
        self.files
            .range(prefix.clone()..)
            .map_while(move |(path, content)| Some((path.strip_prefix(prefix.as_str())?, content)))
    }

    fn inside<'a>(&self, path: &'a str) -> Result<&'a str, FileError> {
        if path == ".." || path.starts_with("../") {
            return Err(FileError::Outside { path: path.to_owned() });
        }
        Ok(path)
    }
}

impl Files for Memory {
    fn read(&self, path: &str) -> Result<Option<File>, FileError> {
        let path = self.inside(path)?;
        Ok(self.files.get(path).map(|content| File {
            name: path.into(),
            content: Arc::clone(content),
            is_executable: self.executable.contains(path),
            origin: None,
        }))
    }

    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, FileError> {
        let path = self.inside(path)?;
        let mut entries: Vec<Entry> = self
            .below(path)
            .map(|(rest, _)| match rest.split_once('/') {
                Some((dir, _)) => Entry { name: dir.to_owned(), kind: EntryKind::Directory },
                None => Entry { name: rest.to_owned(), kind: EntryKind::File },
            })
            .collect();
        entries.sort();
        entries.dedup();
        Ok((!entries.is_empty() || path.is_empty()).then_some(entries))
    }

    fn fingerprint(&self, path: &str) -> Result<Option<Fingerprint>, FileError> {
        let path = self.inside(path)?;
        let mut hash = Sha256::new();
        let mut found = false;
        if let Some(content) = self.files.get(path) {
            found = true;
            hash.update(content);
            hash.update([u8::from(self.executable.contains(path))]);
        }
        for (rest, content) in self.below(path) {
            found = true;
            hash.update((rest.len() as u64).to_le_bytes());
            hash.update(rest);
            hash.update((content.len() as u64).to_le_bytes());
            hash.update(content);
            hash.update([u8::from(self.executable.contains(&super::join(path, rest)))]);
        }
        Ok(found.then(|| Fingerprint(hash.finalize().to_vec())))
    }

    fn is_file(&self, path: &str) -> Result<bool, FileError> {
        Ok(self.files.contains_key(self.inside(path)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_lists_its_directories() {
        let tree = Memory::new().with("a/b.yaml", "x").with("a/c/d", "y").with("e", "z");
        let names: Vec<String> = tree
            .list("a")
            .expect("readable")
            .expect("there")
            .into_iter()
            .map(|entry| entry.name)
            .collect();
        assert_eq!(names, ["b.yaml", "c"]);
        assert!(tree.list("nope").expect("readable").is_none());
        assert!(tree.read("../x").is_err());
    }
}
