//! The one file of the daemon: where what must outlive it is written, and read again.
//!
//! A file is replaced whole: written beside its place, flushed to the disk, renamed. Whoever works
//! with it holds a lock beside it as long as it lives, so two daemons with one file do not forget
//! for each other. Nothing is decided here; what cannot be read is said, and never left out.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::sync::Memory;

/// The largest file that is read: some hundred times what a thousand stacks in quarantine need.
const BYTES_MAX: u64 = 64 << 20;

/// Where what must outlive the daemon is kept.
#[derive(Debug)]
pub enum Store {
    /// Nowhere: whoever relies on it is told why.
    Nowhere(&'static str),
    /// In a file.
    File(StoreFile),
}

/// A file that is kept.
#[derive(Debug)]
pub struct StoreFile {
    path: PathBuf,
    /// Ours as long as it is open.
    lock: Option<File>,
    /// What is in the file now, as far as we wrote it.
    written: Option<Memory>,
}

impl Store {
    /// In this file. Its folder is made when it is needed.
    pub fn at(path: PathBuf) -> Self {
        Self::File(StoreFile { path, lock: None, written: None })
    }

    /// What an earlier daemon has left, or why nobody can know it.
    pub(super) fn read(&self) -> Result<Memory, String> {
        match self {
            Self::Nowhere(_) => Ok(Memory::default()),
            Self::File(file) => file.read(),
        }
    }

    /// Makes the file ours. `Ok(true)`: it became so just now, and who had it may have written since
    /// it was read.
    pub(super) fn take(&mut self) -> Result<bool, String> {
        match self {
            Self::Nowhere(_) => Ok(false),
            Self::File(file) => file.take(),
        }
    }

    /// Writes what must be kept, unless it is there already.
    pub(super) fn write(&mut self, memory: &Memory) -> Result<(), String> {
        match self {
            Self::Nowhere(_) => Ok(()),
            Self::File(file) => file.write(memory),
        }
    }

    /// Why what is ordered will be forgotten.
    pub(super) fn is_nowhere(&self) -> Option<&'static str> {
        match self {
            Self::Nowhere(why) => Some(why),
            Self::File(_) => None,
        }
    }
}

impl StoreFile {
    fn read(&self) -> Result<Memory, String> {
        let shown = self.path.display();
        let why = match self.text() {
            Ok(None) => return Ok(Memory::default()),
            Ok(Some(text)) => match Memory::read(&text) {
                Ok(memory) => return Ok(memory),
                Err(why) => why.to_string(),
            },
            Err(error) => error.to_string(),
        };
        Err(format!(
            "what was paused and in quarantine cannot be read from {shown}: {why}; until that is \
             mended every plan waits to be approved: mend the file or move it away, then send the \
             daemon SIGHUP"
        ))
    }

    fn text(&self) -> io::Result<Option<String>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut text = String::new();
        file.take(BYTES_MAX).read_to_string(&mut text)?;
        Ok(Some(text))
    }

    fn take(&mut self) -> Result<bool, String> {
        if self.lock.is_some() {
            return Ok(false);
        }
        let failed = |error: io::Error| self.unkept(&error.to_string());
        if let Some(folder) = self.path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        }
        let lock = opened(&self.path.with_extension("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {
                self.lock = Some(lock);
                Ok(true)
            }
            Err(fs::TryLockError::WouldBlock) => Err(self.unkept("another daemon works with it")),
            Err(fs::TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    fn write(&mut self, memory: &Memory) -> Result<(), String> {
        self.take()?;
        if self.written.as_ref() == Some(memory) {
            return Ok(());
        }
        put(&self.path, &memory.text()).map_err(|error| self.unkept(&error.to_string()))?;
        self.written = Some(memory.clone());
        Ok(())
    }

    fn unkept(&self, why: &str) -> String {
        let shown = self.path.display();
        format!("what is paused and in quarantine cannot be written to {shown}: {why}")
    }
}

/// For us alone, whoever else may look into the folder.
fn opened(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)
}

fn put(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("next");
    let mut file = opened(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    // A crash of the machine after this must not bring the old file back.
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use tempfile::TempDir;

    use super::*;
    use crate::model::Name;
    use crate::sync::{Kept, Pause};

    fn folder() -> TempDir {
        tempfile::tempdir().expect("a folder")
    }

    fn store(folder: &TempDir) -> Store {
        Store::at(folder.path().join("state/sync.json"))
    }

    fn paused(reason: &str) -> Memory {
        let name = |text: &str| Name::parse(text).expect("a name");
        let pause = Some(Pause { until: None, reason: reason.to_owned() });
        let kept = Kept { pause, ..Kept::default() };
        let stacks = BTreeMap::from([(name("web").into(), kept)]);
        Memory { sources: BTreeMap::from([(name("shop"), stacks)]) }
    }

    #[test]
    fn what_one_daemon_writes_the_next_one_reads() {
        let folder = folder();
        assert_eq!(store(&folder).read(), Ok(Memory::default()), "nothing is there yet");
        let mut first = store(&folder);
        for reason in ["one", "two"] {
            assert_eq!(first.write(&paused(reason)), Ok(()));
        }
        assert_eq!(store(&folder).read(), Ok(paused("two")));
    }

    #[test]
    fn nobody_else_may_read_it() {
        let folder = folder();
        store(&folder).write(&paused("one")).expect("it is written");
        let mode = |path: &str| {
            let found = fs::metadata(folder.path().join(path)).expect("it is there");
            found.permissions().mode() & 0o777
        };
        assert_eq!((mode("state"), mode("state/sync.json")), (0o700, 0o600));
    }

    #[test]
    fn of_two_daemons_with_one_file_the_second_has_it_when_the_first_is_gone() {
        let folder = folder();
        let (mut first, mut second) = (store(&folder), store(&folder));
        assert_eq!(first.take(), Ok(true));
        assert_eq!(first.take(), Ok(false));
        let why = second.write(&paused("two")).expect_err("it is not its own");
        assert!(why.contains("another daemon works with it"), "{why}");
        drop(first);
        assert_eq!(second.take(), Ok(true));
        assert_eq!(second.write(&paused("two")), Ok(()));
    }

    #[test]
    fn a_damaged_file_is_told_and_never_taken_for_none() {
        let folder = folder();
        store(&folder).write(&paused("one")).expect("it is written");
        let path = folder.path().join("state/sync.json");
        for text in [&b""[..], b"{", b"{\"version\": 9}", b"\xff"] {
            fs::write(&path, text).expect("a file");
            let why = store(&folder).read().expect_err("it is damaged");
            assert!(why.contains("sync.json") && why.contains("SIGHUP"), "{why}");
        }
        fs::remove_file(&path).and_then(|()| fs::create_dir(&path)).expect("a folder");
        assert!(store(&folder).read().is_err(), "a folder is no file");
    }

    #[test]
    fn a_full_disk_leaves_the_file_as_it_was_and_is_told() {
        let folder = folder();
        let mut store = store(&folder);
        store.write(&paused("one")).expect("it is written");
        // Writing to this is answered as on a disk that is full.
        symlink("/dev/full", folder.path().join("state/sync.next")).expect("a link");
        let why = store.write(&paused("two")).expect_err("it is full");
        assert!(why.contains("No space left"), "{why}");
        assert_eq!(store.read(), Ok(paused("one")));
        fs::remove_file(folder.path().join("state/sync.next")).expect("it is there");
        assert_eq!(store.write(&paused("two")), Ok(()));
        assert_eq!(store.read(), Ok(paused("two")));
    }
}
