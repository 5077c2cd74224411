//! What is kept for the daemon that comes after this one, and how that takes it up.

use super::State;
use super::source::SourceState;
use super::stack::StackState;
use crate::model::Millis;
use crate::sync::{Decision, Memory, Notice, NoticeKind, StackRules};

/// What is wrong with what the daemon before has left, or with what this one leaves.
#[derive(Debug, Default)]
pub(super) struct Lapse {
    /// Why nobody can know what was held: then nothing begins by itself.
    pub(super) unread: Option<String>,
    /// Why the next one will not know what is held now.
    pub(super) unkept: Option<String>,
}

impl Lapse {
    pub(super) fn trouble(&self) -> Option<String> {
        self.unread.clone().or_else(|| self.unkept.clone())
    }
}

impl State {
    /// Takes up what an earlier daemon has left. What is known already is left as it is.
    pub fn recall(&mut self, now: Millis, memory: &Memory) -> Vec<Decision> {
        for (name, stacks) in &memory.sources {
            let Some(source) = self.sources.get_mut(name) else { continue };
            for (stack, kept) in stacks {
                let rules = self.rules.sources.get(name).map(|it| it.rules(stack).clone());
                let head = source.news.as_ref().map(|news| &news.head);
                let state = source.stacks.entry(stack.clone()).or_default();
                state.recall(kept, &rules.unwrap_or_default(), head, now);
            }
        }
        let is_new = self.lapse.unread.take().is_some();
        self.set_unread(false);
        if is_new { self.tell_all(now, &NoticeKind::Recovered) } else { Vec::new() }
    }

    /// Nobody knows what an earlier daemon held: from now on every plan waits to be approved.
    pub fn hold(&mut self, now: Millis, why: String) -> Vec<Decision> {
        self.set_unread(true);
        let is_new = self.lapse.unread.as_ref() != Some(&why);
        self.lapse.unread = Some(why.clone());
        match is_new {
            true => self.tell_all(now, &NoticeKind::Troubled { message: why }),
            false => Vec::new(),
        }
    }

    /// Whether what is held now could be kept, or why it could not.
    pub fn note_kept(&mut self, now: Millis, kept: Result<(), String>) -> Vec<Decision> {
        let (before, after) = (self.lapse.unkept.take(), kept.err());
        self.lapse.unkept.clone_from(&after);
        match after {
            Some(message) if before.as_ref() != Some(&message) => {
                self.tell_all(now, &NoticeKind::Troubled { message })
            }
            None if before.is_some() => self.tell_all(now, &NoticeKind::Recovered),
            _ => Vec::new(),
        }
    }

    /// What a daemon that comes after this one must know.
    pub fn memory(&self, now: Millis) -> Memory {
        let sources = self.sources.iter();
        let kept = sources.map(|(name, source)| (name.clone(), source.kept(now)));
        Memory { sources: kept.filter(|(_, stacks)| !stacks.is_empty()).collect() }
    }

    fn set_unread(&mut self, is_unread: bool) {
        self.sources.values_mut().for_each(|source| source.is_unread = is_unread);
    }

    fn tell_all(&self, now: Millis, kind: &NoticeKind) -> Vec<Decision> {
        let sources = self.sources.keys().cloned();
        let notices = sources.map(|source| Notice {
            number: 0,
            at: now,
            source,
            stack: None,
            kind: kind.clone(),
        });
        notices.map(Decision::Tell).collect()
    }
}

impl SourceState {
    pub(super) fn kept(
        &self,
        now: Millis,
    ) -> std::collections::BTreeMap<crate::model::StackName, crate::sync::Kept> {
        let stacks = self.stacks.iter();
        let kept = stacks.map(|(name, state)| (name, state.kept(self.rules.rules(name), now)));
        kept.filter(|(_, kept)| !kept.is_nothing()).map(|(name, it)| (name.clone(), it)).collect()
    }

    /// Takes up what is known of stacks of the same name at another place: what people ordered holds
    /// for the name.
    pub(super) fn take_over(&mut self, before: &Self, now: Millis) {
        self.is_unread = before.is_unread;
        for (name, kept) in before.kept(now) {
            let rules: StackRules = self.rules.rules(&name).clone();
            let state: &mut StackState = self.stacks.entry(name).or_default();
            state.recall(&kept, &rules, None, now);
        }
    }
}
