//! What the daemon tells whoever listens: pages that are open, forges, people.

use serde::Serialize;

use super::{Carried, RoundEnd};
use crate::model::{CommitId, Millis, Name, StackName};

/// Something that happened. No notice holds a secret.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Notice {
    /// Counts up from 1 over the life of the process, without gaps.
    pub number: u64,
    /// When.
    pub at: Millis,
    /// Which source it is about.
    pub source: Name,
    /// Which stack; `None` when it is about the whole source.
    pub stack: Option<StackName>,
    /// What.
    #[serde(flatten)]
    pub kind: NoticeKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum NoticeKind {
    /// A new commit is at the head of the branch.
    Fetched {
        /// Which.
        commit: CommitId,
    },
    /// A round began.
    Began {
        /// Its number.
        round: u64,
        /// The commit it brings about.
        commit: CommitId,
    },
    /// A round says how far it is.
    Progress {
        /// Its number.
        round: u64,
        /// One line, as a terminal would show it.
        line: String,
    },
    /// A round ended.
    Ended {
        /// Its number.
        round: u64,
        /// The commit it was to bring about.
        commit: CommitId,
        /// How it ended.
        end: RoundEnd,
        /// One sentence: what failed, or what was done.
        message: String,
        /// What carrying its plan out came to; `None` when it did not come to that.
        #[serde(skip_serializing_if = "Option::is_none")]
        carried: Option<Carried>,
    },
    /// What runs is not what the last synced commit wants any more.
    Drifted {
        /// What differs, a line each.
        what: Vec<String>,
    },
    /// A plan waits for a person, a window or a time.
    Waits {
        /// Why, in one sentence.
        reason: String,
    },
    /// Something is wrong with the whole source: it cannot be fetched, is not signed.
    Troubled {
        /// What, in one sentence.
        message: String,
    },
    /// The trouble is over.
    Recovered,
}
