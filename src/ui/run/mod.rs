//! A run as it goes: plain lines for logs, bars for terminals, events for programs, all made of
//! [`Event`]s.

mod bars;
mod json;
mod lines;
mod tally;

#[cfg(test)]
mod tests;

use crate::diag::printable_name;
use crate::model::{Event, Plan};

pub use json::{EventJson, json, planned};

use bars::Bars;
use lines::Lines;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProgressStyle {
    /// One line for everything that ended.
    Lines {
        /// Whether lines may be coloured.
        color: bool,
    },
    /// One line for each service that is drawn again and again on standard error.
    Bars {
        /// Whether lines may be coloured.
        color: bool,
    },
    /// Not at all.
    Quiet,
}

/// Shows the progress of one run.
#[derive(Debug)]
pub enum Progress {
    /// As lines.
    Lines(Box<Lines>),
    /// As bars.
    Bars(Box<Bars>),
    /// Not at all.
    Quiet,
}

impl Progress {
    /// Shows nothing yet.
    pub fn new(style: ProgressStyle, plan: &Plan) -> Self {
        match style {
            ProgressStyle::Lines { color } => Self::Lines(Box::new(Lines::new(plan, color))),
            ProgressStyle::Bars { color } => Self::Bars(Box::new(Bars::new(plan, color))),
            ProgressStyle::Quiet => Self::Quiet,
        }
    }

    /// Takes in what happened. The lines are to be printed now; bars draw themselves.
    pub fn event(&mut self, event: &Event) -> Vec<String> {
        match self {
            Self::Lines(lines) => lines.event(event),
            Self::Bars(bars) => bars.event(event),
            Self::Quiet => Vec::new(),
        }
    }

    /// Ends the drawing: what was drawn stays on the terminal.
    pub fn finish(&mut self) {
        match self {
            Self::Bars(bars) => bars.finish(),
            Self::Lines(_) | Self::Quiet => {}
        }
    }
}

/// The first line of a reason. The others quote what a container or a proxy said.
fn headline(reason: &str) -> String {
    printable_name(reason.lines().next().unwrap_or_default())
}

/// The other lines, indented: none of them can be taken for a line of ours.
fn details(reason: &str) -> impl Iterator<Item = String> {
    reason.lines().skip(1).map(|line| format!("    {}", printable_name(line)))
}
