//! One source: when it is asked, when its hosts are looked at, what its stacks are to do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::Turn;
use super::stack::{Ground, StackState};
use crate::model::{CommitId, HostName, Millis, Name, StackName};
use crate::sync::{Decision, HostView, Measured, News, NoticeKind, Progress, Sight, Source, Wake};

/// The longest pause after a source could not be asked.
const TROUBLE_MAX: Duration = Duration::from_secs(15 * 60);

/// Narrow looks that may run at the same time, beside a whole one: enough that a stack which died
/// does not wait for one that is slow to answer.
const NARROW: usize = 4;

/// What is known of one source.
#[derive(Debug)]
pub(super) struct SourceState {
    pub(super) name: Name,
    pub(super) rules: Source,
    pub(super) news: Option<News>,
    pub(super) fetched: Option<Millis>,
    pub(super) next_fetch: Millis,
    is_fetching: bool,
    failures: u32,
    pub(super) trouble: Option<String>,
    pub(super) is_unsigned: bool,
    next_look: Option<Millis>,
    wanted: Wanted,
    /// Looks under way; `None` stands for all stacks.
    looks: BTreeMap<u64, Option<BTreeSet<StackName>>>,
    was_seen: bool,
    pub(super) hosts: BTreeMap<HostName, HostView>,
    pub(super) stacks: BTreeMap<StackName, StackState>,
    pub(super) measured: Measured,
    /// Nobody knows what was held before: nothing begins by itself.
    pub(super) is_unread: bool,
}

/// What is to be looked at as soon as it can be.
#[derive(Debug, Default)]
struct Wanted {
    all: bool,
    stacks: BTreeSet<StackName>,
}

impl SourceState {
    pub(super) fn new(name: Name, rules: Source, now: Millis) -> Self {
        Self {
            name,
            rules,
            news: None,
            fetched: None,
            next_fetch: now,
            is_fetching: false,
            failures: 0,
            trouble: None,
            is_unsigned: false,
            next_look: None,
            wanted: Wanted::default(),
            looks: BTreeMap::new(),
            was_seen: false,
            hosts: BTreeMap::new(),
            stacks: BTreeMap::new(),
            measured: Measured::default(),
            is_unread: false,
        }
    }

    /// Whether other rules are about the same repository and environment.
    pub(super) fn is_same_place(&self, other: &Source) -> bool {
        self.rules.repository == other.repository
            && self.rules.branch == other.branch
            && self.rules.environment == other.environment
            && self.rules.signed_by == other.signed_by
    }

    pub(super) fn reload(&mut self, rules: Source, now: Millis) {
        self.rules = rules;
        self.next_fetch = now;
        self.wanted.all |= self.news.is_some();
    }

    pub(super) fn running(&self) -> usize {
        self.stacks.values().filter(|stack| stack.running.is_some()).count()
    }

    /// Whether a wake is about a round that runs here.
    pub(super) fn is_told_by(&self, wake: &Wake) -> bool {
        let (Wake::Progressed { source, stack, .. } | Wake::Ended { source, stack, .. }) = wake
        else {
            return false;
        };
        *source == self.name && self.stacks.get(stack).is_some_and(|it| it.running.is_some())
    }

    pub(super) fn is_ready(&self) -> bool {
        self.was_seen || (self.failures > 0 && self.news.is_none())
    }

    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.as_ref().map(|why| format!("{}: {why}", self.name))
    }

    /// Whether nothing is under way, and nothing will be unless something happens or time passes.
    pub(super) fn is_settled(&self) -> bool {
        let is_idle = !self.is_fetching && self.looks.is_empty() && self.wanted.is_empty();
        let is_known = self.was_seen || self.failures > 0;
        is_idle
            && is_known
            && self.running() == 0
            && !self.stacks.values().any(StackState::is_queued)
    }

    pub(super) fn take(&mut self, turn: &mut Turn<'_>, wake: Wake) {
        match wake {
            Wake::Tick | Wake::Ending => {}
            Wake::Fetched { news, .. } => self.fetched(turn, *news),
            Wake::NotFetched { message, is_unsigned, .. } => {
                self.is_unsigned = is_unsigned;
                self.not_fetched(turn, message);
            }
            Wake::Asked { op, is_done, took, .. } => self.measured.asked(op, is_done, took),
            Wake::Looked { number, sight, .. } => self.looked(turn, number, *sight),
            Wake::Stirred { stack: None, .. } => self.wanted.all = true,
            Wake::Stirred { stack: Some(stack), .. } => self.want(stack),
            Wake::Progressed { stack, progress, .. } => {
                if let Progress::Drained(took) = progress {
                    self.measured.drains.add(took);
                }
                let state = self.stacks.get_mut(&stack);
                for kind in state.map(|it| it.progressed(progress)).unwrap_or_default() {
                    turn.tell(&self.name, Some(&stack), kind);
                }
            }
            Wake::Ended { stack, end, message, .. } => {
                let looks = turn.counter.looks;
                let rules = self.rules.rules(&stack).clone();
                if let Some(state) = self.stacks.get_mut(&stack) {
                    let notices = state.ended(turn.now, looks, end, message, &rules);
                    turn.decisions.extend(notices.into_iter().map(|kind| {
                        let (source, stack) = (self.name.clone(), Some(stack.clone()));
                        let at = turn.now;
                        Decision::Tell(crate::sync::Notice { number: 0, at, source, stack, kind })
                    }));
                    state.unlocked().into_iter().for_each(|it| self.measured.locks.add(it));
                    self.wanted.stacks.insert(stack);
                }
            }
        }
    }

    /// Asks to be looked at a stack; one with a round under way is looked at when that is over.
    pub(super) fn want(&mut self, stack: StackName) {
        self.wanted.stacks.insert(stack);
    }

    pub(super) fn fetch_now(&mut self, now: Millis) {
        self.next_fetch = now;
    }

    fn fetched(&mut self, turn: &mut Turn<'_>, news: News) {
        self.is_fetching = false;
        self.failures = 0;
        self.is_unsigned = false;
        self.fetched = Some(turn.now);
        self.next_fetch = turn.now + spread(self.rules.interval, &self.name, turn.now);
        if self.trouble.take().is_some() {
            turn.tell(&self.name, None, NoticeKind::Recovered);
        }
        let before = self.news.as_ref();
        let is_first = before.is_none();
        let is_moved = before.is_none_or(|before| before.head != news.head);
        let is_ground = before.is_none_or(|before| before.ground != news.ground);
        if is_moved {
            turn.tell(&self.name, None, NoticeKind::Fetched { commit: news.head.clone() });
        }
        self.wanted.all |= is_first || is_ground;
        for (name, target) in news.stacks.iter().filter(|_| is_moved || is_ground) {
            let state = self.stacks.entry(name.clone()).or_default();
            if state.aim(Some(target), &news.head, is_ground) {
                self.wanted.stacks.insert(name.clone());
            }
        }
        let is_left = |name: &StackName| (is_moved || is_ground) && !news.stacks.contains_key(name);
        let left = self.stacks.iter_mut().filter(|(name, _)| is_left(name));
        for (name, state) in left {
            if state.aim(None, &news.head, is_ground) {
                self.wanted.stacks.insert(name.clone());
            }
        }
        self.hosts.retain(|host, _| news.hosts.contains(host));
        self.news = Some(news);
    }

    fn not_fetched(&mut self, turn: &mut Turn<'_>, message: String) {
        self.is_fetching = false;
        self.failures = self.failures.saturating_add(1);
        let pause = self.rules.interval.saturating_mul(1 << self.failures.min(6).saturating_sub(1));
        let pause = pause.min(TROUBLE_MAX.max(self.rules.interval));
        self.next_fetch = turn.now + spread(pause, &self.name, turn.now);
        if self.trouble.as_ref() != Some(&message) {
            turn.tell(&self.name, None, NoticeKind::Troubled { message: message.clone() });
            self.trouble = Some(message);
        }
    }

    fn looked(&mut self, turn: &mut Turn<'_>, number: u64, sight: Sight) {
        let Some(asked) = self.looks.remove(&number) else { return };
        if asked.is_none() {
            // Also one that came to nothing is made again in its time.
            self.next_look = Some(turn.now + spread(self.rules.look, &self.name, turn.now));
        }
        let head = self.news.as_ref().map(|news| news.head.clone());
        let has_returned = self.note_hosts(sight.hosts);
        if sight.is_whole {
            self.was_seen = true;
            let is_gone = |name: &StackName, state: &StackState| {
                !state.is_wanted() && state.running.is_none() && !sight.stacks.contains_key(name)
            };
            self.stacks.retain(|name, state| !is_gone(name, state));
        }
        if sight.head != head {
            // The branch has moved meanwhile: what was compared is not what is wanted any more.
            self.wanted.all |= sight.is_whole;
            self.wanted.stacks.extend(sight.stacks.into_keys());
            return;
        }
        for (name, seen) in sight.stacks {
            let state = self.stacks.entry(name.clone()).or_default();
            state.saw(number, seen, has_returned);
            if let Some(kind) = state.news(self.rules.rules(&name)) {
                turn.tell(&self.name, Some(&name), kind);
            }
        }
    }

    /// Whether a host that did not answer does now.
    fn note_hosts(&mut self, hosts: BTreeMap<HostName, HostView>) -> bool {
        let mut has_returned = false;
        for (name, mut view) in hosts {
            let before = self.hosts.get(&name);
            has_returned |= view.is_up && before.is_some_and(|before| !before.is_up);
            view.seen = view.seen.or(before.and_then(|before| before.seen));
            self.hosts.insert(name, view);
        }
        has_returned
    }

    /// Everything that can begin now.
    pub(super) fn go_on(&mut self, turn: &mut Turn<'_>) {
        if turn.is_ending {
            return;
        }
        if !self.is_fetching && self.next_fetch <= turn.now {
            self.is_fetching = true;
            turn.decisions.push(Decision::Fetch { source: self.name.clone() });
        }
        let Some(news) = &self.news else { return };
        if self.next_look.is_some_and(|next| next <= turn.now) {
            self.next_look = None;
            self.wanted.all = true;
        }
        let ground = Ground {
            source: &self.name,
            head: &news.head,
            max_deletes: news.max_deletes,
            is_unread: self.is_unread,
            now: turn.now,
        };
        for (name, state) in &mut self.stacks {
            let rules = self.rules.rules(name);
            state.consider(turn, &ground, name, rules);
            if state.wants_look() {
                self.wanted.stacks.insert(name.clone());
            }
        }
        self.look(turn);
    }

    fn look(&mut self, turn: &mut Turn<'_>) {
        let is_whole_under_way = self.looks.values().any(Option::is_none);
        if self.wanted.all && !is_whole_under_way {
            self.wanted = Wanted::default();
            let held = self.stacks.iter().filter_map(|(name, it)| Some((name.clone(), it.held()?)));
            let held = held.collect();
            self.begin_look(turn, None, held);
            return;
        }
        let narrow: Vec<&BTreeSet<StackName>> = self.looks.values().flatten().collect();
        if narrow.len() >= NARROW || self.wanted.stacks.is_empty() {
            return;
        }
        let is_busy = |name: &StackName| {
            let runs = self.stacks.get(name).is_some_and(|state| state.running.is_some());
            runs || narrow.iter().any(|stacks| stacks.contains(name))
        };
        let (busy, now): (BTreeSet<_>, BTreeSet<_>) =
            std::mem::take(&mut self.wanted.stacks).into_iter().partition(is_busy);
        self.wanted.stacks = busy;
        if !now.is_empty() {
            let held = |name: &StackName| -> Option<CommitId> { self.stacks.get(name)?.held() };
            let held = now.iter().filter_map(|name| Some((name.clone(), held(name)?))).collect();
            self.begin_look(turn, Some(now), held);
        }
    }

    fn begin_look(
        &mut self,
        turn: &mut Turn<'_>,
        stacks: Option<BTreeSet<StackName>>,
        held: BTreeMap<StackName, CommitId>,
    ) {
        turn.counter.looks += 1;
        let number = turn.counter.looks;
        let looked_at = |name: &StackName| stacks.as_ref().is_none_or(|it| it.contains(name));
        for (name, state) in &mut self.stacks {
            if looked_at(name) {
                state.look_begins();
            }
        }
        self.looks.insert(number, stacks.clone());
        let source = self.name.clone();
        turn.decisions.push(Decision::Look { source, number, stacks, held });
    }

    /// When something is due without a wake.
    pub(super) fn next(&self) -> Option<Millis> {
        let fetch = (!self.is_fetching).then_some(self.next_fetch);
        if self.news.is_none() {
            // Stacks are only known from before: nothing is made of their times yet.
            return fetch;
        }
        let stacks = self.stacks.values().filter_map(StackState::next);
        fetch.into_iter().chain(self.next_look).chain(stacks).min()
    }

    /// Every time that is waited for comes as much earlier as the clock was set back.
    pub(super) fn set_back(&mut self, by: Millis) {
        self.next_fetch = self.next_fetch.saturating_sub(by);
        self.next_look = self.next_look.map(|next| next.saturating_sub(by));
        self.stacks.values_mut().for_each(|stack| stack.set_back(by));
    }
}

impl Wanted {
    fn is_empty(&self) -> bool {
        !self.all && self.stacks.is_empty()
    }
}

/// A time up to a tenth longer than `time`, so that many daemons, and the sources of one, do not
/// all ask in the same second. Which one, the name and the moment say: nothing is random here.
fn spread(time: Duration, name: &Name, now: Millis) -> Millis {
    let time = u64::try_from(time.as_millis()).unwrap_or(Millis::MAX / 4);
    let mixed = name.as_str().bytes().fold(now, |sum, byte| {
        sum.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(u64::from(byte))
    });
    time + (mixed >> 33) % (time / 10).max(1)
}
