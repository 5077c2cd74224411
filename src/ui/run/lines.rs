//! A run as plain lines: one for each step that ended, few for those that last. Fit for a log.

use std::collections::BTreeMap;

use super::tally::{Tally, name};
use super::{details, headline};
use crate::diag::printable_name;
use crate::model::{Event, Millis, Outcome, Plan, StepEvent, StepId};
use crate::ui::words::{Tint, counted, paint, took, width};

/// Characters that are shown of what a step does.
const WORDS_MAX: usize = 110;

/// Writes lines.
#[derive(Debug)]
pub struct Lines {
    tally: Tally,
    color: bool,
    /// Columns of the names.
    names: usize,
    /// What steps that run have said: the last message, and how many there were.
    said: BTreeMap<StepId, (String, u32)>,
}

impl Lines {
    pub(super) fn new(plan: &Plan, color: bool) -> Self {
        let of = |step: &crate::model::Step| {
            let service = step.service.as_ref().map_or(0, |it| 1 + width(it.as_str()));
            let slot = step.slot.map_or(0, |slot| 1 + slot.to_string().len());
            width(step.stack.as_str()) + service + slot
        };
        let names = plan.steps.iter().map(of).max().unwrap_or(0);
        Self { tally: Tally::of(plan), color, names, said: BTreeMap::new() }
    }

    pub(super) fn event(&mut self, event: &Event) -> Vec<String> {
        self.tally.event(event);
        match event {
            Event::Began { plan, steps } => {
                self.said.clear();
                vec![format!("plan {}: {}", printable_name(&plan.0), counted(*steps, "step"))]
            }
            // What ends soon is told when it has ended, what lasts says so itself.
            Event::Started(_) => Vec::new(),
            Event::Progress { step, message } => self.progress(step, message),
            Event::Ended { step, outcome, took } => self.ended(step, outcome, *took),
            // The step that failed has told the details.
            Event::RollingBack { stack, reason } => {
                let line = format!("{stack}  rolling back: {}", headline(reason));
                vec![paint(Tint::Bad, &line, self.color)]
            }
            Event::Warned { message } => self.warning(message),
            Event::Interrupted { message } => self.warning(message),
            Event::Finished { verdict, took } => vec![self.tally.sentence(verdict, *took)],
        }
    }

    fn warning(&self, message: &str) -> Vec<String> {
        let word = paint(Tint::Notice, "warning", self.color);
        let mut lines = vec![format!("{word}: {}", headline(message))];
        lines.extend(details(message));
        lines
    }

    /// The first message of a step is shown, and of those that differ from the one before, the
    /// second, the fourth, the eighth: a wait of hours fills no log.
    fn progress(&mut self, step: &StepEvent, message: &str) -> Vec<String> {
        let (last, count) = self.said.entry(step.id).or_default();
        if *count > 0 && last == message {
            return Vec::new();
        }
        message.clone_into(last);
        *count += 1;
        if count.is_power_of_two() {
            vec![self.line(step, &format!("… {}", printable_name(message)))]
        } else {
            Vec::new()
        }
    }

    fn ended(&mut self, step: &StepEvent, outcome: &Outcome, time: Millis) -> Vec<String> {
        self.said.remove(&step.id);
        let time = took(time);
        let (tint, end, reason) = match outcome {
            Outcome::Applied => (None, format!("done {time}"), ""),
            Outcome::AlreadyTrue => (None, "was so already".to_owned(), ""),
            Outcome::Tolerated(reason) => {
                let end = format!("failed, and may: {} ({time})", headline(reason));
                (Some(Tint::Notice), end, reason.as_str())
            }
            Outcome::Failed(reason) => {
                (Some(Tint::Bad), format!("failed: {} ({time})", headline(reason)), reason.as_str())
            }
            Outcome::Superseded(reason) => {
                (Some(Tint::Bad), format!("stopped: {}", headline(reason)), reason.as_str())
            }
            Outcome::Unknown(reason) => {
                let why = headline(reason);
                let end = format!("nobody knows whether it was done: {why} ({time})");
                (Some(Tint::Bad), end, reason.as_str())
            }
            // They are many, and the last line counts them.
            Outcome::Skipped => return Vec::new(),
        };
        let line = self.line(step, &end);
        let mut lines = vec![tint.map_or_else(|| line.clone(), |it| paint(it, &line, self.color))];
        lines.extend(details(reason));
        lines
    }

    fn line(&self, step: &StepEvent, end: &str) -> String {
        let names = self.names;
        format!("{:<names$}  {}  {end}", name(step), shortened(&printable_name(&step.words)))
    }
}

/// A drain may name a hundred servers; the beginning tells which step it is.
fn shortened(words: &str) -> String {
    match words.char_indices().nth(WORDS_MAX) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words.to_owned(),
    }
}
