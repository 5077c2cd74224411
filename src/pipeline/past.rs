//! What earlier commits want of single stacks, put together as one wish.
//!
//! The rules are those of today: settings, inventory and the proxies' templates are not taken back
//! with a stack. So the commits are read with [`Snapshot::open_under`], and a stack that is not
//! brought back keeps everything it has.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::live::variables;
use super::{Snapshot, Wish};
use crate::model::{CommitId, Desired, StackName, StackTarget};

impl Wish {
    /// Takes one stack as `snapshot` has it, which is of `commit`. `Err` says what of it cannot be
    /// read; then nothing is taken.
    pub fn take(
        &mut self,
        snapshot: &Snapshot,
        commit: &CommitId,
        (stack, target): (&StackName, &Arc<StackTarget>),
    ) -> Result<(), String> {
        let alone = Desired {
            project: self.desired.project.clone(),
            environment: self.desired.environment.clone(),
            stacks: BTreeMap::from([(stack.clone(), Arc::clone(target))]),
        };
        let contents = snapshot.contents(&alone.stacks)?;
        self.variables.extend(variables(&alone, &contents)?);
        self.contents.join(contents);
        self.desired.stacks.extend(alone.stacks);
        if self.commit.as_ref() != Some(commit) {
            self.commits.insert(stack.clone(), commit.clone());
        }
        Ok(())
    }
}
