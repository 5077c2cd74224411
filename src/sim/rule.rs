//! What must always be true, by the names that people read.

use std::fmt;

/// One of the rules in `docs/how-it-works.md`, "What is always true".
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// I1: what a proxy sends to ends only after it has been let go of.
    LetGoFirst,
    /// I2: enough replicas serve at any time.
    EnoughServe,
    /// I3: requests meet only what is ready and meant.
    OnlyReady,
    /// I4: only what is ours is touched.
    OnlyOurs,
    /// I7: no secret is told.
    NoSecret,
    /// I9: two runs never act at once.
    OneAtATime,
    /// I10: what was let go of is never sent to again.
    NeverAgain,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LetGoFirst => "I1",
            Self::EnoughServe => "I2",
            Self::OnlyReady => "I3",
            Self::OnlyOurs => "I4",
            Self::NoSecret => "I7",
            Self::OneAtATime => "I9",
            Self::NeverAgain => "I10",
        })
    }
}
