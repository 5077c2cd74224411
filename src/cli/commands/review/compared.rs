//! What a review compares: the base, and what comes of merging the head into it.
//!
//! A head that was begun before the base went on does not undo what came since; so it is merged
//! first, in memory. Where that cannot be done, people are told, and the next best is compared.

use crate::cli::Failure;
use crate::cli::live::Session;
use crate::git::{Commit, Merge};
use crate::pipeline::Tree;

/// The most files in conflict that are named.
const FILES_MAX: usize = 10;

/// Two states of the files.
pub(super) struct Compared {
    /// What would be deployed; its commit is the head.
    pub(super) head: Tree,
    /// What it is compared with, where that is not the base.
    pub(super) ancestor: Option<Tree>,
    /// What people must know of it.
    pub(super) note: Option<String>,
}

impl Compared {
    /// The base is what the session is about.
    pub(super) fn of(session: &Session<'_>, head: &str) -> Result<Self, Failure> {
        let tree = session.tree(head)?;
        let as_it_is = |head, note| Self { head, ancestor: None, note };
        let (Some(base), Some(commit)) = (session.snapshot.tree().commit(), tree.commit()) else {
            return Ok(as_it_is(tree, None));
        };
        let from = |ancestor: &Commit| session.tree(ancestor.id.as_str());
        Ok(match session.merge(base, commit)? {
            Merge::Forward => as_it_is(tree, None),
            Merge::Merged { commit, repository } => {
                let note = match commit.tree == base.tree {
                    true => "The base has all of this already: merging it changes nothing.",
                    false => "The base has gone on since: this is about the head merged into it.",
                };
                as_it_is(session.tree_in(repository, commit), Some(note.to_owned()))
            }
            Merge::Conflicts { files, ancestor } => Self {
                head: tree,
                ancestor: Some(from(&ancestor)?),
                note: Some(conflicts(&files, &ancestor)),
            },
            Merge::Unknown { is_shallow, ancestor } => Self {
                head: tree,
                ancestor: ancestor.as_ref().map(from).transpose()?,
                note: Some(unknown(is_shallow, ancestor.as_ref())),
            },
        })
    }
}

fn conflicts(files: &[String], ancestor: &Commit) -> String {
    let named: Vec<&str> = files.iter().take(FILES_MAX).map(String::as_str).collect();
    let more = match files.len().saturating_sub(FILES_MAX) {
        0 => String::new(),
        rest => format!(" and {rest} more"),
    };
    format!(
        "It cannot be merged as it is: base and head both change {}{more}. It is compared with {}, \
         which both come from, so what the base has changed since is not in it: merge the base into \
         the head and review again.",
        named.join(", "),
        ancestor.id.short()
    )
}

fn unknown(is_shallow: bool, ancestor: Option<&Commit>) -> String {
    let with = match ancestor {
        Some(ancestor) => {
            format!("It is compared with {}, which both come from.", ancestor.id.short())
        }
        None => "What the base has changed since may show as undone.".to_owned(),
    };
    match (is_shallow, ancestor) {
        (true, _) => format!(
            "The head is behind the base, or history is not there: this clone has only the newest \
             commits. {with} Next: git fetch --unshallow"
        ),
        (false, Some(_)) => {
            format!("Base and head could not be merged: objects are missing. {with}")
        }
        (false, None) => {
            "Base and head have no commit in common: they are compared as they are, so \
                          what only the base has shows as removed."
                .to_owned()
        }
    }
}
