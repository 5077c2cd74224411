//! Everything that the daemon decides, as one machine: a wake goes in, decisions come out.
//!
//! It knows no clock and no network: the moment comes in with each wake, so all of it can be tested
//! with a clock that jumps. It keeps no plan and no commit, only what it must know to decide, and
//! all lists in it are bounded.

mod order;
mod recall;
mod source;
mod stack;
mod view;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use super::{Decision, Notice, NoticeKind, Picture, Rules, Wake};
use crate::model::{Millis, Name, StackName};

use recall::Lapse;
use source::SourceState;

/// Rounds of a stack that are remembered.
const HISTORY: usize = 20;

/// What the daemon knows and decides with.
#[derive(Debug)]
pub struct State {
    rules: Rules,
    started: Millis,
    last: Millis,
    is_ending: bool,
    counter: Counter,
    sources: BTreeMap<Name, SourceState>,
    /// Those that the rules do not have any more, until their rounds are over.
    leaving: Vec<SourceState>,
    lapse: Lapse,
}

/// Numbers that are never given twice.
#[derive(Debug, Default)]
struct Counter {
    rounds: u64,
    looks: u64,
}

/// What one wake leads to, as it is put together.
struct Turn<'a> {
    now: Millis,
    is_ending: bool,
    counter: &'a mut Counter,
    /// How many more rounds may run.
    free: usize,
    decisions: Vec<Decision>,
}

impl Turn<'_> {
    fn tell(&mut self, source: &Name, stack: Option<&StackName>, kind: NoticeKind) {
        let (source, stack) = (source.clone(), stack.cloned());
        let notice = Notice { number: 0, at: self.now, source, stack, kind };
        self.decisions.push(Decision::Tell(notice));
    }
}

impl State {
    /// Nothing is known yet; everything is asked for at the first tick.
    pub fn new(rules: Rules, now: Millis) -> Self {
        let sources = rules.sources.iter().map(|(name, rules)| {
            (name.clone(), SourceState::new(name.clone(), rules.clone(), now))
        });
        let sources = sources.collect();
        let counter = Counter::default();
        let (leaving, lapse) = (Vec::new(), Lapse::default());
        Self { rules, started: now, last: now, is_ending: false, counter, sources, leaving, lapse }
    }

    /// Takes other rules. What is known of sources that stay is kept; rounds that run go on, those of
    /// sources that go too.
    pub fn reload(&mut self, rules: Rules, now: Millis) {
        let before = std::mem::take(&mut self.sources);
        for (name, mut known) in before {
            match rules.sources.get(&name) {
                Some(source) if known.is_same_place(source) => {
                    known.reload(source.clone(), now);
                    self.sources.insert(name, known);
                }
                elsewhere => {
                    if let Some(source) = elsewhere {
                        let mut fresh = SourceState::new(name.clone(), source.clone(), now);
                        fresh.take_over(&known, now);
                        self.sources.insert(name, fresh);
                    }
                    if known.running() > 0 {
                        self.leaving.push(known);
                    }
                }
            }
        }
        for (name, source) in &rules.sources {
            let fresh = || SourceState::new(name.clone(), source.clone(), now);
            self.sources.entry(name.clone()).or_insert_with(fresh);
        }
        let is_unread = self.lapse.unread.is_some();
        self.sources.values_mut().for_each(|source| source.is_unread = is_unread);
        self.rules = rules;
    }

    /// Takes in what happened, and says what is to be done.
    pub fn handle(&mut self, now: Millis, wake: Wake) -> Vec<Decision> {
        self.mind_the_clock(now);
        if wake == Wake::Ending {
            self.is_ending = true;
        }
        let running = self.running();
        let mut turn = Turn {
            now,
            is_ending: self.is_ending,
            counter: &mut self.counter,
            free: self.rules.rounds.saturating_sub(running),
            decisions: Vec::new(),
        };
        let is_of = |it: &&mut SourceState| it.is_told_by(&wake);
        let leaving = self.leaving.iter_mut().find(is_of);
        let staying = wake.source().and_then(|name| self.sources.get_mut(name));
        if let Some(source) = leaving.or(staying) {
            source.take(&mut turn, wake);
            self.leaving.retain(|source| source.running() > 0);
            // A round that has just ended leaves its place to another one.
            let all = self.sources.values().chain(&self.leaving);
            let running: usize = all.map(SourceState::running).sum();
            turn.free = self.rules.rounds.saturating_sub(running);
        }
        for source in self.sources.values_mut() {
            source.go_on(&mut turn);
        }
        turn.decisions
    }

    /// When the next tick is due, if nothing happens before. Whoever is ending waits for rounds alone.
    pub fn next(&self) -> Option<Millis> {
        if self.is_ending {
            return None;
        }
        self.sources.values().filter_map(SourceState::next).min()
    }

    /// How many rounds run.
    pub fn running(&self) -> usize {
        self.sources.values().chain(&self.leaving).map(SourceState::running).sum()
    }

    /// Whether everything was looked at once and nothing is under way or about to be: what
    /// `--once` waits for.
    pub fn is_settled(&self) -> bool {
        self.sources.values().all(SourceState::is_settled)
    }

    /// Whether the newest commit of a source is not signed by anybody who may.
    pub fn has_unsigned(&self) -> bool {
        self.sources.values().any(|source| source.is_unsigned)
    }

    /// What is known, for showing.
    pub fn picture(&self, now: Millis) -> Picture {
        let sources = self.sources.iter();
        let of_sources = || self.sources.values().find_map(SourceState::trouble);
        Picture {
            started: self.started,
            at: now,
            is_ready: self.lapse.unread.is_none()
                && self.sources.values().all(SourceState::is_ready),
            trouble: self.lapse.trouble().or_else(of_sources),
            sources: sources.map(|(name, source)| (name.clone(), source.view(now))).collect(),
        }
    }

    /// A clock that was set back would leave everything waiting for a time that was already there.
    fn mind_the_clock(&mut self, now: Millis) {
        if now < self.last {
            self.sources.values_mut().for_each(|source| source.set_back(self.last - now));
        }
        self.last = now;
    }
}

impl Wake {
    /// The source it is about.
    pub fn source(&self) -> Option<&Name> {
        match self {
            Self::Tick | Self::Ending => None,
            Self::Fetched { source, .. }
            | Self::NotFetched { source, .. }
            | Self::Asked { source, .. }
            | Self::Looked { source, .. }
            | Self::Stirred { source, .. }
            | Self::Progressed { source, .. }
            | Self::Ended { source, .. } => Some(source),
        }
    }
}
