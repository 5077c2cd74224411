//! Who may act on what: every effect is held against the leases there are and against whose it is.

use super::rule::Rule;
use super::state::State;
use crate::model::{HostName, Millis, Owner};
use crate::ports::LeaseKey;

/// The longest time for which a run may believe that a lease is still its own.
const BELIEVED: Millis = 1_000;

/// What a run does to a host.
pub(super) struct Act<'w> {
    /// Its number.
    pub(super) run: usize,
    pub(super) host: &'w HostName,
    /// In words.
    pub(super) what: &'w str,
    /// When the run made the call, which may reach the host much later.
    pub(super) began: Millis,
    /// Whether that brings back what it found: what was begun is ended without a question.
    pub(super) takes_back: bool,
}

impl State {
    /// A run has changed something that `key` protects on a host. I9: it must have taken the lease,
    /// and asked for it just before it `began` the call, and nobody else may have it now. I4: what is
    /// another owner's is not its to change.
    pub(super) fn account(&mut self, key: &LeaseKey, act: &Act<'_>, now: Millis) {
        let Act { run, host, what, began, takes_back } = *act;
        if let LeaseKey::Stack(owner, _) = key
            && self.owners_of(run).next().is_some()
            && !self.owners_of(run).any(|it| it == owner)
        {
            let what = format!("run {run} did `{what}` on {host}, to what is {owner:?}'s");
            return self.blame(now, Rule::OnlyOurs, what);
        }
        if !self.takers.contains(&(run, host.clone(), key.clone())) {
            let what = format!("run {run} did `{what}` on {host} without having taken its lease");
            return self.blame(now, Rule::OneAtATime, what);
        }
        let who = (run, host.clone(), key.clone());
        // What it does at that moment is no fault of a run that was robbed.
        let holder = self.other_holder(&who, now).filter(|_| !self.robbed.contains(&run));
        if let Some(holder) = holder {
            let what = format!("run {run} did `{what}` on {host}, while {holder} holds its lease");
            return self.blame(now, Rule::OneAtATime, what);
        }
        let asked = self.askers.get(&who);
        if !takes_back && asked.is_none_or(|asked| began > asked + BELIEVED) {
            let what = format!("run {run} did `{what}` on {host}, and had not asked for its lease");
            self.blame(now, Rule::OneAtATime, what);
        }
    }

    /// Who else has the lease of a run, as far as the run can know.
    fn other_holder(&self, who: &(usize, HostName, LeaseKey), now: Millis) -> Option<String> {
        let (run, host, key) = who;
        let there = self.hosts.get(host)?;
        let time = there.time(now);
        let holder = there.leases.get(key).filter(|it| it.until > time)?;
        let is_believed = self.forgotten.get(who).is_some_and(|until| now <= *until);
        let is_other = taker(&holder.id) != Some(*run) && !is_believed;
        is_other.then(|| holder.holder.clone())
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
