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
    /// With `--detailed-exitcode`: there is something to do, or something was done.
    Changes,
    /// The hosts are not as the saved plan saw them.
    Stale,
    /// Another run holds a lease.
    Locked,
    /// A policy or a protection forbids it.
    Refused,
    /// It failed, and everything is as it was before.
    RolledBack,
    /// Some of it was done.
    Partly,
    /// A host that is needed did not answer.
    Unreachable,
    /// A signature was not verified.
    Unverified,
    /// A signal ended it.
    Interrupted,
    /// For `exec`: the command ended so.
    Command(u8),
}

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Trouble | Self::Changes => 2,
            Self::Stale => 10,
            Self::Locked => 11,
            Self::Refused => 12,
            Self::RolledBack => 13,
            Self::Partly => 14,
            Self::Unreachable => 15,
            Self::Unverified => 16,
            Self::Interrupted => 130,
            Self::Command(code) => code,
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
    /// The exit code, when it is not that of any failure.
    pub exit: Option<Exit>,
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

    /// Ends the program with this code.
    #[must_use]
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = Some(exit);
        self
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
