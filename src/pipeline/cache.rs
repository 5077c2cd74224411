//! What earlier commits came to, so that a commit that touches one stack of a thousand costs one.
//!
//! An entry holds for another commit when everything that was asked for is still the same: all
//! files read, looked for in vain or listed, and everything that does not come from files.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::StackOutcome;
use crate::files::{Files, Reads};
use crate::model::StackName;

/// Outcomes by stack.
#[derive(Debug, Default)]
pub struct Cache {
    entries: BTreeMap<StackName, Entry>,
}

/// One stack's outcome and what it rests on.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    inputs: Arc<str>,
    commit: Option<String>,
    reads: Arc<Reads>,
    outcome: Arc<StackOutcome>,
}

impl Entry {
    /// The outcome, when `files` would give the same answers again.
    pub(super) fn if_still_true(self, files: &dyn Files) -> Option<Arc<StackOutcome>> {
        self.reads.still_hold(files).then_some(self.outcome)
    }
}

impl Cache {
    /// What is known of a stack, when all that does not come from its files is the same.
    ///
    /// `inputs` stands for that; `commit` counts only for stacks whose templates asked for it.
    pub(super) fn get(&self, stack: &StackName, inputs: &str, commit: &str) -> Option<Entry> {
        let entry = self.entries.get(stack)?;
        let holds =
            &*entry.inputs == inputs && entry.commit.as_deref().is_none_or(|then| then == commit);
        holds.then(|| entry.clone())
    }

    /// Keeps an outcome. `commit` is set when the templates asked for it.
    pub(super) fn keep(
        &mut self,
        stack: StackName,
        inputs: &Arc<str>,
        commit: Option<String>,
        reads: Reads,
        outcome: Arc<StackOutcome>,
    ) {
        let (inputs, reads) = (Arc::clone(inputs), Arc::new(reads));
        self.entries.insert(stack, Entry { inputs, commit, reads, outcome });
    }

    /// Forgets stacks that are no more.
    pub(super) fn retain(&mut self, keep: impl Fn(&StackName) -> bool) {
        self.entries.retain(|name, _| keep(name));
    }
}
