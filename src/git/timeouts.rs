//! How long a silent host is waited for.
//!
//! libgit2 keeps these two numbers once for the whole process and reads them without a lock.
//! [`Timeouts::hold`] therefore lets fetches with equal numbers run side by side and makes one
//! with other numbers wait until they are done.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

/// The longest waits for a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until the next byte comes.
    pub silence: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(15), silence: Duration::from_secs(60) }
    }
}

impl Timeouts {
    /// Waits `silence` for the next byte, and no longer than usual for a connection.
    pub fn with_silence(silence: Duration) -> Self {
        Self { connect: silence.min(Self::default().connect), silence }
    }
}

/// What libgit2 was told last; `None` before the first time.
static CURRENT: RwLock<Option<Timeouts>> = RwLock::new(None);

/// While this lives, libgit2's timeouts stay as they are.
pub(super) struct Held {
    _guard: RwLockReadGuard<'static, Option<Timeouts>>,
}

impl Timeouts {
    /// Makes these the timeouts of libgit2, as soon as nobody needs others.
    pub(super) fn hold(self) -> Result<Held, git2::Error> {
        let guard = CURRENT.read().unwrap_or_else(PoisonError::into_inner);
        if *guard == Some(self) {
            return Ok(Held { _guard: guard });
        }
        drop(guard);
        let mut guard = CURRENT.write().unwrap_or_else(PoisonError::into_inner);
        if *guard != Some(self) {
            self.tell_libgit2()?;
            *guard = Some(self);
        }
        Ok(Held { _guard: RwLockWriteGuard::downgrade(guard) })
    }

    #[expect(unsafe_code, reason = "libgit2 has no other way to bound its waits")]
    fn tell_libgit2(self) -> Result<(), git2::Error> {
        let (connect, silence) = (milliseconds(self.connect), milliseconds(self.silence));
        // SAFETY: the two numbers are plain globals that only connecting reads. Every connection
        // of this program is made under a `Held`, and the caller has the lock for writing.
        unsafe {
            git2::opts::set_server_connect_timeout_in_milliseconds(connect)?;
            git2::opts::set_server_timeout_in_milliseconds(silence)
        }
    }
}

/// At least one: zero would mean to wait for ever.
fn milliseconds(duration: Duration) -> i32 {
    i32::try_from(duration.as_millis()).unwrap_or(i32::MAX).max(1)
}
