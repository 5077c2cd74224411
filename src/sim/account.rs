//! Who may act on what: every effect is held against the leases there are and against whose it is.

use super::rule::Rule;
use super::state::State;
use crate::model::{HostName, Millis, Owner};
use crate::ports::LeaseKey;

impl State {
    /// A run has changed something that `key` protects on a host. I9: it must have taken the lease,
    /// and nobody else may have it now. I4: what is another owner's is not its to change.
    pub(super) fn account(
        &mut self,
        run: usize,
        host: &HostName,
        key: &LeaseKey,
        what: &str,
        now: Millis,
    ) {
        if let LeaseKey::Stack(owner, _) = key
            && self.owners_of(run).next().is_some()
            && !self.owners_of(run).any(|it| it == owner)
        {
            let what = format!("run {run} did `{what}` on {host}, to what is {owner:?}'s");
            return self.blame(now, Rule::OnlyOurs, what);
        }
        if self.robbed.contains(&run) {
            return;
        }
        if !self.takers.contains(&(run, host.clone(), key.clone())) {
            let what = format!("run {run} did `{what}` on {host} without having taken its lease");
            return self.blame(now, Rule::OneAtATime, what);
        }
        let Some(there) = self.hosts.get(host) else { return };
        let time = there.time(now);
        let holder = there.leases.get(key).filter(|it| it.until > time);
        let Some(holder) = holder.filter(|it| taker(&it.id) != Some(run)) else { return };
        let believed = self.forgotten.get(&(run, host.clone(), key.clone()));
        if believed.is_some_and(|until| now <= *until) {
            return;
        }
        let holder = holder.holder.clone();
        let what = format!("run {run} did `{what}` on {host}, while {holder} holds its lease");
        self.blame(now, Rule::OneAtATime, what);
    }

    fn owners_of(&self, run: usize) -> impl Iterator<Item = &Owner> {
        let own = self.takers.iter().filter(move |(taker, _, _)| *taker == run);
        own.filter_map(|(_, _, key)| match key {
            LeaseKey::Stack(owner, _) => Some(owner),
            LeaseKey::Proxy(_) => None,
        })
    }

    /// I7: no secret is told.
    pub(super) fn listen(&mut self, line: &str, now: Millis) {
        let told = self.secrets.iter().find(|secret| line.contains(secret.as_str())).cloned();
        if let Some(secret) = told {
            let line = line.replace(&secret, "***");
            self.blame(now, Rule::NoSecret, format!("a secret is told: {line}"));
        }
    }
}

/// The id of a lease that a run takes.
pub(super) fn lease_id(run: usize, number: &str) -> String {
    format!("{run}-{number}")
}

/// The run that took the lease of an id.
pub(super) fn taker(id: &str) -> Option<usize> {
    id.split_once('-')?.0.parse().ok()
}
