//! The flag file that makes every answer close its connection.
//!
//! Whoever raised it knows it by its words. Nothing is idle any more once those connections are gone
//! that were there when it was raised: those that came later end with their first answer.

use std::collections::BTreeSet;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::Nginx;
use crate::ports::PortError;

/// How long connections are given to run out before a reload, at most. Measured: nothing is lost with
/// 2 s at a round trip of 80 ms and 10 requests a second per client.
const CLOSING: Duration = Duration::from_secs(2);

/// How long old workers are waited for before the flag is left to somebody later.
const CLOSED: Duration = Duration::from_secs(2);

/// More connections than this are not watched: the kernel's table is long then, it would be read again
/// and again, and so many do not all end before the time is over.
const WATCHED_MAX: usize = 1_000;

/// After so long a flag is one that somebody left behind.
const FORGOTTEN_SECONDS: u64 = 60;

const PAUSE: Duration = Duration::from_millis(20);

/// Tells the flags of one process apart.
static RAISED: AtomicU64 = AtomicU64::new(0);

/// A flag of ours.
#[derive(Clone)]
pub(super) struct Raised {
    /// What the file says.
    text: String,
    since: Instant,
    /// The connections of clients that were there right after it; `None` when they cannot be seen, or
    /// are too many.
    before: Option<BTreeSet<u64>>,
}

impl Nginx {
    /// The flag file that makes every answer close its connection.
    fn flag(&self) -> String {
        format!("{}.close", self.front.path)
    }

    /// Takes the flag away when no old worker is left; one that somebody left behind too.
    pub(super) async fn lower_flag(&self) -> Result<(), PortError> {
        self.front.shell.remove(&self.flag()).await
    }

    /// Takes away a flag that no running activation can still need.
    pub(super) async fn lower_left_over_flag(&self) -> Result<(), PortError> {
        let Some(text) = self.front.shell.read(&self.flag()).await? else { return Ok(()) };
        let since = text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(0);
        match unix_seconds().saturating_sub(since) > FORGOTTEN_SECONDS {
            true => self.lower_flag().await,
            false => Ok(()),
        }
    }

    /// Raises it before it is needed, where the file in use can make something of it.
    pub(super) async fn raise_flag_early(&self) -> Result<(), PortError> {
        let flag = self.flag();
        let has_switch = self.front.read().await?.is_some_and(|text| text.contains(&flag));
        // One that is up is somebody else's, who lowers it after a reload of their own.
        if has_switch && self.front.shell.read(&flag).await?.is_none() {
            self.put_flag().await?;
        }
        Ok(())
    }

    /// Takes it back if it is ours and nobody made use of it.
    pub(super) async fn take_back_flag(&self) -> Result<(), PortError> {
        match self.own_flag().await? {
            Some(_) if self.take_raised() => self.lower_flag().await,
            _ => Ok(()),
        }
    }

    /// Lets idle connections run out, where the file in use can do that. What has passed since
    /// [`Proxy::prepare`] counts if nobody has touched the flag since.
    pub(super) async fn raise_flag(&self) -> Result<bool, PortError> {
        let text = self.front.read().await?.unwrap_or_default();
        if !text.contains(&self.flag()) {
            return Ok(false);
        }
        loop {
            let raised = match self.own_flag().await? {
                Some(raised) => raised,
                None => self.put_flag().await?,
            };
            let end = raised.since + CLOSING;
            let is_over = Instant::now() >= end || self.has_run_out(&raised).await;
            // Whoever takes it owns it: a flag that is made use of is not taken back.
            if is_over && self.take_raised() {
                return Ok(true);
            }
            // Looked at once more after each wait: somebody may lower it meanwhile.
            let next = Instant::now() + PAUSE;
            tokio::time::sleep_until(if raised.before.is_some() { next } else { end }).await;
        }
    }

    async fn has_run_out(&self, raised: &Raised) -> bool {
        raised.before.is_some()
            && has_run_out(raised.before.as_ref(), self.clients().await.as_ref())
    }

    /// The connections that clients have to our listeners; `None` when they cannot be seen.
    async fn clients(&self) -> Option<BTreeSet<u64>> {
        let ports: BTreeSet<u16> = self.front.listen.iter().map(|listen| listen.port).collect();
        let all = self.front.shell.connected().await.ok().flatten()?;
        let of_clients = all.into_iter().filter(|connection| ports.contains(&connection.port));
        Some(of_clients.map(|connection| connection.inode).collect())
    }

    /// The flag, if it is the one that we raised.
    async fn own_flag(&self) -> Result<Option<Raised>, PortError> {
        let raised = self.raised.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(raised) = raised else { return Ok(None) };
        let is_up = self.front.shell.read(&self.flag()).await?.as_ref() == Some(&raised.text);
        Ok(is_up.then_some(raised))
    }

    fn take_raised(&self) -> bool {
        self.raised.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }

    /// Raises the flag in words of its own, so that it is known again.
    async fn put_flag(&self) -> Result<Raised, PortError> {
        let count = RAISED.fetch_add(1, Ordering::Relaxed);
        let text = format!("{} {}-{count}", unix_seconds(), std::process::id());
        let note = |raised: Raised| {
            *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(raised.clone());
            raised
        };
        // Before it is there too: whoever gives up in between must know it.
        let raised = note(Raised { text, since: Instant::now(), before: None });
        self.front.shell.replace(&self.flag(), &raised.text).await?;
        let raised = note(Raised { since: Instant::now(), ..raised });
        // Only now: one that is opened before the flag is up may stay after its answer.
        let before = self.clients().await.filter(|clients| clients.len() <= WATCHED_MAX);
        Ok(note(Raised { before, ..raised }))
    }

    pub(super) async fn lower_flag_with_old_workers(&self) -> Result<(), PortError> {
        let end = Instant::now() + CLOSED;
        while Instant::now() < end {
            if self.old_workers().await?.is_empty() {
                return self.lower_flag().await;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }
}

/// Whether none of the connections of `before` is left. What cannot be seen is there.
fn has_run_out(before: Option<&BTreeSet<u64>>, now: Option<&BTreeSet<u64>>) -> bool {
    match (before, now) {
        (Some(before), Some(now)) => before.is_disjoint(now),
        (None, _) | (_, None) => false,
    }
}

#[expect(clippy::disallowed_methods, reason = "the age of a file that outlives this process")]
fn unix_seconds() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sees(before: Option<&[u64]>, now: Option<&[u64]>) -> bool {
        let set = |inodes: &[u64]| inodes.iter().copied().collect();
        has_run_out(before.map(set).as_ref(), now.map(set).as_ref())
    }

    #[test]
    fn connections_that_came_under_the_flag_are_not_waited_for() {
        assert!(sees(Some(&[1, 2]), Some(&[3])));
        assert!(sees(Some(&[]), Some(&[3])));
    }

    #[test]
    fn one_that_was_there_before_is_waited_for() {
        assert!(!sees(Some(&[1, 2]), Some(&[2, 3])));
    }

    #[test]
    fn where_connections_cannot_be_seen_the_whole_time_is_waited() {
        assert!(!sees(None, Some(&[])));
        assert!(!sees(Some(&[1]), None));
    }
}
