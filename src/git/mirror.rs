//! A bare copy of a remote repository, kept in a cache folder.
//!
//! A mirror can always be made again, so nothing in it is worth repairing: when it is damaged, or
//! a fetch into it fails on our side, it is cloned afresh beside the old one and swapped in. One
//! process at a time works on a mirror, guarded by a lock on a file beside it. Readers need no
//! lock: references change one by one, and a sound mirror never loses an object.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::Duration;

use git2::{Oid, RepositoryInitOptions};

use super::fetch::{self, Advertised, Request};
use super::{Access, FetchError, FetchProgress, OpenError, RemoteUrl, Repository, classify};

/// How often a mirror that another process holds is looked at.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// What bringing a mirror up to date came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// It was made, or made again after damage.
    Cloned,
    /// References were added, moved or removed.
    Updated {
        /// How many.
        references: usize,
    },
    /// The remote repository has nothing else than we have; nothing was fetched.
    Unchanged,
}

/// A local mirror of a remote repository.
#[derive(Debug, Clone)]
pub struct Mirror {
    dir: PathBuf,
    freshness: Freshness,
}

impl Mirror {
    /// Brings the mirror of `url` in folder `dir` up to date, and makes it when there is none.
    ///
    /// Setting `cancel` from any thread stops it within the timeouts of `access`. After an error
    /// the mirror is what it was before.
    pub fn update(
        url: &RemoteUrl,
        dir: &Path,
        access: &Access,
        cancel: &AtomicBool,
        progress: &mut dyn FnMut(FetchProgress),
    ) -> Result<Self, FetchError> {
        Self::update_with(url, dir, access, &[], cancel, progress)
    }

    /// The same, with references beside branches and tags, as far as the remote repository has them.
    /// They are there until the next update.
    pub fn update_with(
        url: &RemoteUrl,
        dir: &Path,
        access: &Access,
        also: &[String],
        cancel: &AtomicBool,
        progress: &mut dyn FnMut(FetchProgress),
    ) -> Result<Self, FetchError> {
        let request = Request { url, dir, access, also, cancel };
        let folders = Folders::of(dir);
        let _lock = folders.lock(request, progress)?;
        folders.sweep();
        let freshness = match refresh(dir, request, progress) {
            Some(Ok(freshness)) => freshness,
            // Whatever is wrong on our side, a new clone does not inherit it.
            None | Some(Err(FetchError::CacheFailed { .. })) => {
                folders.clone_afresh(request, progress)?;
                Freshness::Cloned
            }
            Some(Err(error)) => return Err(error),
        };
        Ok(Self { dir: dir.to_owned(), freshness })
    }

    /// What the update came to.
    pub fn freshness(&self) -> Freshness {
        self.freshness
    }

    /// The mirror as a repository.
    pub fn repository(&self) -> Result<Repository, OpenError> {
        Repository::at(&self.dir)
    }

    /// The mirror in `dir` as it was left, without asking the remote repository.
    pub fn stored(dir: &Path) -> Result<Repository, OpenError> {
        Repository::at(dir)
    }
}

/// The mirror's folder and what is needed beside it for a while.
struct Folders {
    mirror: PathBuf,
    lock: PathBuf,
    fresh: PathBuf,
    old: PathBuf,
}

impl Folders {
    fn of(dir: &Path) -> Self {
        let beside = |suffix: &str| {
            let mut name: OsString = dir.as_os_str().to_owned();
            name.push(suffix);
            PathBuf::from(name)
        };
        Self {
            mirror: dir.to_owned(),
            lock: beside(".lock"),
            fresh: beside(".new"),
            old: beside(".old"),
        }
    }

    fn not_writable(&self, source: io::Error) -> FetchError {
        FetchError::CacheNotWritable { dir: self.mirror.clone(), source }
    }

    /// Waits until no other process works on the mirror. Dropping the file lets the next one in.
    fn lock(
        &self,
        request: Request<'_>,
        progress: &mut dyn FnMut(FetchProgress),
    ) -> Result<File, FetchError> {
        let failed = |error| self.not_writable(error);
        if let Some(parent) = self.mirror.parent() {
            make_private(parent).map_err(failed)?;
        }
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&self.lock)
            .map_err(failed)?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) => {}
            }
            if request.is_cancelled() {
                return Err(FetchError::Cancelled { url: request.url.clone() });
            }
            progress(FetchProgress::Waiting);
            thread::sleep(LOCK_PAUSE);
        }
    }

    /// Puts right what a crash in [`Folders::clone_afresh`] left behind.
    fn sweep(&self) {
        if !self.mirror.exists() && self.old.exists() {
            // Without success the mirror is simply cloned.
            fs::rename(&self.old, &self.mirror).ok();
        }
        remove(&self.fresh);
        remove(&self.old);
    }

    fn clone_afresh(
        &self,
        request: Request<'_>,
        progress: &mut dyn FnMut(FetchProgress),
    ) -> Result<(), FetchError> {
        let made = self.clone_into_fresh(request, progress);
        if let Err(error) = made {
            remove(&self.fresh);
            return Err(error);
        }
        if self.mirror.exists() {
            fs::rename(&self.mirror, &self.old).map_err(|error| self.not_writable(error))?;
        }
        fs::rename(&self.fresh, &self.mirror).map_err(|error| self.not_writable(error))?;
        remove(&self.old);
        Ok(())
    }

    fn clone_into_fresh(
        &self,
        request: Request<'_>,
        progress: &mut dyn FnMut(FetchProgress),
    ) -> Result<(), FetchError> {
        make_private(&self.fresh).map_err(|error| self.not_writable(error))?;
        let mut options = RepositoryInitOptions::new();
        // Templates may hold hooks and settings; a mirror has use for neither.
        options.bare(true).external_template(false);
        let repository = git2::Repository::init_opts(&self.fresh, &options)
            .map_err(|error| classify::local(request.dir, &error))?;
        bring_up(&repository, request, progress)?;
        Ok(())
    }
}

/// Fetches into the mirror that is there; `None` when there is none or it is damaged.
fn refresh(
    dir: &Path,
    request: Request<'_>,
    progress: &mut dyn FnMut(FetchProgress),
) -> Option<Result<Freshness, FetchError>> {
    let repository = git2::Repository::open_bare(dir).ok()?;
    is_whole(&repository).ok().filter(|is_whole| *is_whole)?;
    Some(bring_up(&repository, request, progress).map(|references| match references {
        0 => Freshness::Unchanged,
        references => Freshness::Updated { references },
    }))
}

/// Whether every reference leads to an object that is there.
fn is_whole(repository: &git2::Repository) -> Result<bool, git2::Error> {
    let database = repository.odb()?;
    let references = references(repository)?;
    let are_there = references.values().all(|id| database.read_header(*id).is_ok());
    Ok(are_there && !references.is_empty())
}

/// Fetches and lets the references follow; tells how many changed.
fn bring_up(
    repository: &git2::Repository,
    request: Request<'_>,
    progress: &mut dyn FnMut(FetchProgress),
) -> Result<usize, FetchError> {
    let advertised = fetch::download(repository, request, progress)?;
    // An empty list must not remove all we have: it is a repository being set up again.
    if advertised.references.is_empty() {
        return Err(FetchError::EmptyRepository { url: request.url.clone() });
    }
    follow(repository, &advertised).map_err(|error| classify::local(request.dir, &error))
}

fn follow(repository: &git2::Repository, advertised: &Advertised) -> Result<usize, git2::Error> {
    let present = references(repository)?;
    let mut changed = 0;
    // Removing comes first: branch `a` may have made room for `a/b`.
    for name in present.keys().filter(|name| !advertised.references.contains_key(*name)) {
        repository.find_reference(name)?.delete()?;
        changed += 1;
    }
    for (name, id) in &advertised.references {
        if present.get(name) != Some(id) {
            repository.reference(name, *id, true, "fetch")?;
            changed += 1;
        }
    }
    set_head(repository, advertised)?;
    Ok(changed)
}

/// Lets `HEAD` name the branch that the remote repository's does.
fn set_head(repository: &git2::Repository, advertised: &Advertised) -> Result<(), git2::Error> {
    let usual = ["refs/heads/main", "refs/heads/master"].map(str::to_owned);
    let first = advertised.references.keys().find(|name| name.starts_with("refs/heads/")).cloned();
    let branch = advertised
        .default_branch
        .iter()
        .chain(&usual)
        .chain(&first)
        .find(|name| advertised.references.contains_key(*name));
    match branch {
        Some(branch) => repository.set_head(branch),
        None => Ok(()),
    }
}

/// Branches and tags by full name.
fn references(repository: &git2::Repository) -> Result<BTreeMap<String, Oid>, git2::Error> {
    let mut found = BTreeMap::new();
    for reference in repository.references_glob("refs/*")? {
        let reference = reference?;
        if let (Ok(name), Some(id)) = (reference.name(), reference.target()) {
            found.insert(name.to_owned(), id);
        }
    }
    Ok(found)
}

/// Makes a folder that only its owner can look into: repositories are often private.
fn make_private(dir: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(dir)
}

/// Removes leftovers; what cannot be removed is met again, and told of, when it is in the way.
fn remove(path: &Path) {
    match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path).ok(),
        Ok(_) => fs::remove_file(path).ok(),
        Err(_) => None,
    };
}

#[cfg(test)]
mod tests;
