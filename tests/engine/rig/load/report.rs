//! What came of the load: counted by class, with the first failures in words.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::super::Executions;

/// How many failures of a class are told in words.
const TOLD: usize = 6;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    Get,
    Post,
    Slow,
    Stream,
    /// A session counts once: well when it ended with a goodbye of either side.
    WebSocket,
    Upload,
}

/// One class in numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    pub(crate) sent: u64,
    pub(crate) ok: u64,
    pub(crate) failed: u64,
    /// The first few.
    pub(crate) failures: Vec<String>,
    pub(crate) slowest: Duration,
}

/// Everything in numbers.
#[derive(Debug, Clone, Default)]
pub(crate) struct Report {
    pub(crate) classes: BTreeMap<Class, Tally>,
    /// How many answers each version gave.
    pub(crate) versions: BTreeMap<String, u64>,
    /// POSTs that were answered well.
    pub(crate) acknowledged: BTreeSet<String>,
    /// WebSockets that the server closed properly.
    pub(crate) goodbyes: u64,
}

/// A report that grows.
pub(super) struct Tallies {
    since: Instant,
    report: Mutex<Report>,
}

impl Default for Tallies {
    fn default() -> Self {
        Self { since: Instant::now(), report: Mutex::default() }
    }
}

impl Tallies {
    pub(super) fn report(&self) -> Report {
        self.report.lock().expect("a report").clone()
    }

    pub(super) fn sent(&self, class: Class) {
        self.change(|report| report.classes.entry(class).or_default().sent += 1);
    }

    /// `body` begins with the version that answered.
    pub(super) fn ok(&self, class: Class, took: Duration, body: &str) {
        let version = body.split([' ', '\n']).next().unwrap_or_default().to_owned();
        self.change(|report| {
            let tally = report.classes.entry(class).or_default();
            tally.ok += 1;
            tally.slowest = tally.slowest.max(took);
            if !version.is_empty() {
                *report.versions.entry(version).or_default() += 1;
            }
        });
    }

    pub(super) fn acknowledged(&self, id: &str) {
        self.change(|report| {
            report.acknowledged.insert(id.to_owned());
        });
    }

    pub(super) fn goodbye(&self) {
        self.change(|report| report.goodbyes += 1);
    }

    pub(super) fn failed(&self, class: Class, why: &str) {
        let at = self.since.elapsed().as_secs_f64();
        self.change(|report| {
            let tally = report.classes.entry(class).or_default();
            tally.failed += 1;
            if tally.failures.len() < TOLD {
                tally.failures.push(format!("at {at:.3} s: {why}"));
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut Report)) {
        change(&mut self.report.lock().expect("a report"));
    }
}

impl Report {
    pub(crate) fn sent(&self) -> u64 {
        self.classes.values().map(|tally| tally.sent).sum()
    }

    pub(crate) fn failed(&self) -> u64 {
        self.classes.values().map(|tally| tally.failed).sum()
    }

    /// Fails the test, and says what happened, if anything was lost.
    pub(crate) fn assert_nothing_lost(&self) {
        assert!(self.sent() > 0, "nothing was sent");
        assert!(self.failed() == 0, "requests were lost:\n{self}");
    }

    /// Fails the test if a POST was carried out twice, or answered well and never carried out.
    pub(crate) fn assert_carried_out_once(&self, executions: &Executions) {
        let counts = executions.counts();
        let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "carried out more than once: {twice:?}");
        let never: Vec<_> =
            self.acknowledged.iter().filter(|id| !counts.contains_key(*id)).take(5).collect();
        assert!(never.is_empty(), "answered and not carried out: {never:?}");
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (class, tally) in &self.classes {
            let Tally { sent, ok, failed, failures, slowest } = tally;
            let class = format!("{class:?}");
            let slowest = slowest.as_millis();
            writeln!(
                f,
                "{class:<9} {sent:>6} sent {ok:>6} ok {failed:>5} failed, slowest {slowest} ms"
            )?;
            for failure in failures {
                writeln!(f, "    {failure}")?;
            }
        }
        writeln!(f, "answers by version: {:?}; goodbyes: {}", self.versions, self.goodbyes)
    }
}
