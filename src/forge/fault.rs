//! Why a forge did not do what was asked, in words without the token.

use thiserror::Error;

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ForgeError {
    /// The settings cannot be used.
    #[error("{what}")]
    Settings {
        /// What is wrong with them.
        what: String,
    },
    /// There was no answer, as often as it was asked.
    #[error("{what}: no answer: {why}")]
    Unreachable {
        /// What was asked for: "list the comments".
        what: String,
        /// The reason.
        why: String,
    },
    /// It wants to be asked later than we wait.
    #[error("{what}: too many requests; it wants to be asked again in {seconds} s")]
    Limited {
        /// What was asked for.
        what: String,
        /// How much later.
        seconds: u64,
    },
    /// It said no.
    #[error("{what}: {status} {message}")]
    Refused {
        /// What was asked for.
        what: String,
        /// The status of the answer.
        status: u16,
        /// What it said; at most a line.
        message: String,
    },
    /// Its answer is not what its API promises.
    #[error("{what}: the answer cannot be read: {why}")]
    Unreadable {
        /// What was asked for.
        what: String,
        /// What is wrong with it.
        why: String,
    },
}

impl ForgeError {
    /// What can be done about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Settings { .. } => "--forge, --forge-api, --forge-repository".to_owned(),
            Self::Unreachable { .. } => "see whether the forge can be reached from here".to_owned(),
            Self::Limited { .. } => "run it again later".to_owned(),
            Self::Refused { status: 401, .. } => "give it a token that is still good".to_owned(),
            Self::Refused { status: 403, .. } => {
                "let the token write comments and statuses (on GitHub: `permissions: \
                 {pull-requests: write, statuses: write}`)"
                    .to_owned()
            }
            Self::Refused { status: 404, .. } => {
                "see whether the repository and number are right, and the token may see them"
                    .to_owned()
            }
            Self::Refused { .. } | Self::Unreadable { .. } => {
                "see whether --forge and --forge-api name the right kind of forge".to_owned()
            }
        }
    }

    /// Whether there is no such thing.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404 | 410, .. })
    }

    /// Whether it is not known if something has happened.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}
