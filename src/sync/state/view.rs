//! What is known, as it is shown.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::source::SourceState;
use super::stack::StackState;
use crate::model::Millis;
use crate::sync::{Finding, Health, SourceView, StackRules, StackView, Sync};

impl SourceState {
    pub(super) fn view(&self, now: Millis) -> SourceView {
        let news = self.news.as_ref();
        let stacks = self.stacks.iter();
        let written = self.rules.environment.as_ref().map(ToString::to_string);
        let branch = news.map(|news| news.branch.clone()).or_else(|| self.rules.branch.clone());
        SourceView {
            repository: without_login(&self.rules.repository),
            branch: branch.unwrap_or_default(),
            environment: news.map(|it| it.environment.clone()).or(written).unwrap_or_default(),
            head: news.map(|news| news.head.clone()),
            summary: news.map(|news| news.summary.clone()),
            fetched: self.fetched,
            next_fetch: Some(self.next_fetch),
            trouble: self.trouble.clone(),
            hosts: self.hosts.clone(),
            stacks: stacks
                .map(|(name, stack)| {
                    (name.clone(), stack.view(self.rules.rules(name), self.is_unread, now))
                })
                .collect(),
            measured: self.measured,
        }
    }
}

impl StackState {
    fn view(&self, rules: &StackRules, is_unread: bool, now: Millis) -> StackView {
        let seen = self.seen.as_ref();
        let sync = match seen.map(|seen| &seen.head) {
            Some(Finding::Same) if self.fault().is_none() => Sync::Synced,
            Some(Finding::Same | Finding::Differs(_)) => Sync::OutOfSync,
            Some(Finding::NoPlan { is_unreachable: false, .. }) => Sync::OutOfSync,
            Some(Finding::NoPlan { is_unreachable: true, .. }) | None => Sync::Unknown,
        };
        let health = match (&self.running, seen) {
            (Some(_), _) => Health::Progressing,
            (None, Some(seen)) => seen.health,
            (None, None) => Health::Unknown,
        };
        let difference = seen.and_then(|seen| seen.head.difference());
        let mut drifted = BTreeMap::new();
        for host in self.deviations(rules).flat_map(|it| &it.hosts) {
            *drifted.entry(host.clone()).or_default() += 1;
        }
        StackView {
            sync: if self.running.is_some() { Sync::OutOfSync } else { sync },
            health,
            mode: self.mode(rules, is_unread, now).clone(),
            synced: self.synced.clone(),
            synced_at: self.synced_at,
            waiting: self.waiting.clone(),
            drift: self.drift(rules),
            drifted,
            plan: difference.map(|it| it.plan.clone()).or_else(|| self.plan.clone()),
            running: self.running.clone(),
            history: self.history.iter().cloned().collect(),
            replicas: seen.map(|seen| Arc::clone(&seen.replicas)).unwrap_or_default(),
        }
    }
}

/// An address without what is before the `@` of its host, unless it is only a user's name.
fn without_login(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else { return address.to_owned() };
    let host_end = rest.find('/').unwrap_or(rest.len());
    match rest[..host_end].rfind('@') {
        Some(at) => format!("{scheme}://{}", &rest[at + 1..]),
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_login() {
        for (address, shown) in [
            ("https://anna:secret@git.example.com/a.git", "https://git.example.com/a.git"),
            ("https://git.example.com/a@b.git", "https://git.example.com/a@b.git"),
            ("git@git.example.com:a.git", "git@git.example.com:a.git"),
            ("/srv/git/a", "/srv/git/a"),
        ] {
            assert_eq!(without_login(address), shown);
        }
    }
}
