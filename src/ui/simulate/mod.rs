//! How a simulated rollout looks: who served at every moment, what each fault would do, what other
//! settings would cost.
//!
//! Everything is counted by now; here it is only shown, as text, JSON or a picture.

mod json;
mod svg;
mod text;

use crate::model::{Millis, ServiceName, StackName};

pub use json::json;
pub use svg::svg;
pub use text::text;

/// Why writing to a text cannot fail.
const TEXT: &str = "text takes all text";

/// What is no part of a simulation.
pub const LEFT_OUT: &str = "Not modelled: the applications themselves (each is ready and ends as \
said above), what they say to each other, processors, memory, disks, packets, idle connections, \
names inside networks, the time that a pull takes.";

/// A whole simulation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Simulation {
    /// What it began with, in a few words: `the hosts as they are now`.
    pub from: String,
    /// The commit that was rolled out, in short.
    pub to: String,
    /// What was taken for granted, in sentences.
    pub assumed: String,
    /// Faults that were asked for, as they are written.
    pub faults: Vec<String>,
    /// What was seen.
    pub timeline: Timeline,
    /// What each fault would do; empty when nobody asked.
    pub what_if: Vec<WhatIf>,
    /// What other settings would cost; empty when nobody asked.
    pub settings: Vec<Setting>,
}

/// What was seen in one rollout.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Timeline {
    /// Services in the order of their names.
    pub services: Vec<Line>,
    /// What must never be, and was: requests that were lost.
    pub lost: Vec<Lost>,
    /// How each run ended, in a word or a sentence.
    pub runs: Vec<String>,
    /// How long it all took.
    pub took: Millis,
    /// Requests through the proxies; `None` when there were none.
    pub requests: Option<Requests>,
}

/// Requests that were sent while it lasted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requests {
    /// All of them.
    pub sent: u64,
    /// Those that nobody answered, or whose process ended before the answer.
    pub failed: u64,
}

/// One service in the course of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its stack.
    pub stack: StackName,
    /// Its name.
    pub service: ServiceName,
    /// How many replicas are wanted; `None` when that is said by the hosts there are.
    pub wanted: Option<u32>,
    /// Its counts, each from its moment on. Never empty.
    pub moments: Vec<Moment>,
}

/// How many replicas there are from a moment on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moment {
    /// Since the beginning.
    pub at: Millis,
    /// That run.
    pub running: usize,
    /// That answer.
    pub ready: usize,
    /// That answer and are sent requests.
    pub routed: usize,
    /// That only finish what they have begun.
    pub draining: usize,
}

/// Requests that went where nobody answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Since the beginning.
    pub at: Millis,
    /// What was wrong.
    pub what: String,
}

/// One kind of fault, tried at many moments.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WhatIf {
    /// What happens: `shop/web/2 dies`.
    pub what: String,
    /// How to see one of them: the value of `--fault`.
    pub fault: String,
    /// At how many moments it was tried.
    pub tried: usize,
    /// Services that serve with fewer replicas than without the fault, with the least number.
    pub least: Vec<(String, usize)>,
    /// What was lost, in the words of the first loss; `None` when nothing was.
    pub lost: Option<String>,
    /// How it ends, each way once, in the order of how often.
    pub ends: Vec<String>,
    /// The longest it took.
    pub took: Millis,
}

/// A rollout with other settings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Setting {
    /// `STACK/SERVICE`.
    pub service: String,
    /// The settings, `parallelism=1 order=stop-first`; empty for those of the commit.
    pub what: String,
    /// How long it takes.
    pub took: Millis,
    /// The least number that served at any time.
    pub least: usize,
    /// The most that ran at the same time.
    pub most: usize,
    /// How it ends, when it does not end well.
    pub ends: Option<String>,
}

impl Line {
    /// `STACK/SERVICE`.
    pub fn name(&self) -> String {
        format!("{}/{}", self.stack, self.service)
    }

    /// The least number that served at any time, and what serving means here: being routed, or,
    /// where no proxy knows the service, being ready. A service that is new serves from its first
    /// replica on, one that goes until its last.
    pub fn least(&self) -> (usize, &'static str) {
        let is_routed = self.moments.iter().any(|it| it.routed > 0);
        let (serving, word): (fn(&Moment) -> usize, _) = match is_routed {
            true => (|it| it.routed, "routed"),
            false => (|it| it.ready, "ready"),
        };
        let mut counts: Vec<usize> = self.moments.iter().map(serving).collect();
        let first = counts.iter().position(|count| *count > 0).unwrap_or(counts.len());
        counts.drain(..first);
        if self.wanted == Some(0) {
            while counts.last() == Some(&0) {
                counts.pop();
            }
        }
        (counts.into_iter().min().unwrap_or(0), word)
    }

    /// The most that ran at the same time.
    pub fn most(&self) -> usize {
        self.moments.iter().map(|it| it.running).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
