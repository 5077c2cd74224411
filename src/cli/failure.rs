//! How a command ends: exit codes, and errors with one next command.

use crate::diag::words;
use crate::files::Report;

/// What the exit code says. Scripts rely on the numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done, or nothing to do.
    Done,
    /// Failed, or wrong usage; for `diff`, the two differ.
    Failed,
    /// For `diff`: it could not be told.
    Trouble,
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Trouble => 2,
        }
    }
}

/// Why a command could not do its work.
#[derive(Debug, Default)]
pub struct Failure {
    /// One sentence: "could not …". Empty when the findings say it all.
    pub message: String,
    /// Findings with their places.
    pub reports: Vec<Report>,
    /// One next command.
    pub hint: Option<String>,
}

impl Failure {
    /// A failure in one sentence.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// A failure that an error and all its causes tell.
    pub fn because(what: &str, error: &dyn std::error::Error) -> Self {
        Self::new(format!("{what}: {}", words(error)))
    }

    /// Findings that say it all.
    pub fn reports(reports: Vec<Report>) -> Self {
        Self { reports, ..Self::default() }
    }

    /// Adds the next command.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl From<Report> for Failure {
    fn from(report: Report) -> Self {
        Self::reports(vec![report])
    }
}
