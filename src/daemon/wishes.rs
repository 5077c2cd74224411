//! What commits want of single stacks, as far as it is known without reading them again.
//!
//! Of the newest commit the snapshot stays open, so that a round has what its containers get
//! without reading the settings of a thousand stacks once more; of earlier ones only what was asked
//! for is kept, and of all of them only the last few. Where something is missing here, the commit
//! is read: nothing depends on what is kept but time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::{CommitId, Desired, StackName};
use crate::pipeline::{Snapshot, Wish};

/// Earlier commits, or parts of them, that are kept.
const EARLIER: usize = 32;

/// What is known.
#[derive(Default)]
pub(super) struct Wishes {
    newest: Option<Newest>,
    /// The one that was used last at the end.
    earlier: Vec<Earlier>,
}

struct Newest {
    commit: CommitId,
    snapshot: Snapshot,
    wish: Arc<Wish>,
}

struct Earlier {
    commit: CommitId,
    /// The stacks that were asked for; `None`: all that it has.
    only: Option<BTreeSet<StackName>>,
    wish: Arc<Wish>,
}

impl Wishes {
    /// There is a new commit; what the one before wanted is an earlier wish from now on.
    pub(super) fn advance(&mut self, snapshot: Snapshot, wish: Arc<Wish>) {
        let Some(commit) = wish.commit.clone() else { return };
        let newest = Newest { commit, snapshot, wish };
        if let Some(before) = self.newest.replace(newest) {
            self.keep(before.commit, None, before.wish);
        }
    }

    /// What the newest commit wants of one stack, with all that its containers get. `None` when it
    /// has to be read: it is not the newest one any more, the stack has errors, a file is gone.
    pub(super) fn of_newest(&self, commit: &CommitId, stack: &StackName) -> Option<Wish> {
        let newest = self.newest.as_ref().filter(|it| it.commit == *commit)?;
        let folders = &newest.snapshot.folders;
        if !folders.iter().any(|folder| folder.name.as_str() == stack.as_str()) {
            return Some(gone(&newest.snapshot, &newest.wish));
        }
        let target = newest.wish.desired.stacks.get(stack)?;
        let stacks = BTreeMap::from([(stack.clone(), Arc::clone(target))]);
        Wish::new(&newest.snapshot, with(&newest.wish, stacks)).ok()
    }

    /// What a commit wants of these stacks, without what their containers get.
    pub(super) fn known(
        &mut self,
        commit: &CommitId,
        stacks: &BTreeSet<StackName>,
    ) -> Option<Arc<Wish>> {
        if let Some(newest) = self.newest.as_ref().filter(|it| it.commit == *commit) {
            return Some(Arc::clone(&newest.wish));
        }
        let has_all = |it: &Earlier| it.only.as_ref().is_none_or(|only| stacks.is_subset(only));
        let at = self.earlier.iter().position(|it| it.commit == *commit && has_all(it))?;
        let found = self.earlier.remove(at);
        let wish = Arc::clone(&found.wish);
        self.earlier.push(found);
        Some(wish)
    }

    /// Keeps what was read of an earlier commit.
    pub(super) fn keep(
        &mut self,
        commit: CommitId,
        only: Option<BTreeSet<StackName>>,
        wish: Arc<Wish>,
    ) {
        if self.earlier.len() >= EARLIER {
            self.earlier.remove(0);
        }
        self.earlier.push(Earlier { commit, only, wish });
    }
}

/// A stack that the commit does not have is wanted to be gone.
fn gone(snapshot: &Snapshot, of: &Wish) -> Wish {
    let mut wish = Wish::nothing(&snapshot.owner());
    wish.commit.clone_from(&of.commit);
    wish.templates.clone_from(&of.templates);
    wish
}

fn with(of: &Wish, stacks: BTreeMap<StackName, Arc<crate::model::StackTarget>>) -> Desired {
    Desired {
        project: of.desired.project.clone(),
        environment: of.desired.environment.clone(),
        stacks,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Name, Owner};

    fn stack(text: &str) -> StackName {
        Name::parse(text).expect("a name").into()
    }

    fn wish() -> Arc<Wish> {
        let name = |text| Name::parse(text).expect("a name");
        let owner = Owner { project: name("a").into(), environment: name("b").into() };
        Arc::new(Wish::nothing(&owner))
    }

    fn asked(wishes: &mut Wishes, commit: &str, stacks: &[&str]) -> bool {
        let stacks = stacks.iter().map(|text| stack(text)).collect();
        wishes.known(&CommitId::new(commit), &stacks).is_some()
    }

    #[test]
    fn a_part_of_a_commit_answers_for_no_other_part() {
        let mut wishes = Wishes::default();
        wishes.keep(CommitId::new("abc"), Some([stack("web"), stack("db")].into()), wish());
        assert!(asked(&mut wishes, "abc", &["web"]));
        assert!(!asked(&mut wishes, "abc", &["web", "mail"]));
        assert!(!asked(&mut wishes, "def", &["web"]));
        wishes.keep(CommitId::new("abc"), None, wish());
        assert!(asked(&mut wishes, "abc", &["web", "mail"]));
    }

    #[test]
    fn what_was_not_used_for_the_longest_time_is_forgotten_first() {
        let mut wishes = Wishes::default();
        for number in 0..EARLIER {
            wishes.keep(CommitId::new(format!("c{number}")), None, wish());
        }
        assert!(asked(&mut wishes, "c0", &["web"]));
        wishes.keep(CommitId::new("new"), None, wish());
        assert!(asked(&mut wishes, "c0", &["web"]));
        assert!(!asked(&mut wishes, "c1", &["web"]));
        assert_eq!(wishes.earlier.len(), EARLIER);
    }
}
