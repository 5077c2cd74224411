//! Containers that were found to be as their stack wants them, so that whoever plans again and
//! again, as a daemon does, does not compare them anew each time.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::Mark;

/// More are not remembered of one stack: all are forgotten, and what is there is found again.
const MOST: usize = 1024;

/// Marks of containers, with all that a comparison depends on beside the stack's target: it belongs
/// to one target, which is not changed once something was compared with it. A copy knows nothing.
///
/// An answer that is remembered is the one that a comparison would give.
#[derive(Debug, Default)]
pub struct Settled(Mutex<BTreeSet<Mark>>);

impl Settled {
    /// Whether such a container is known to be as it is wanted.
    pub fn has(&self, mark: &Mark) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(mark)
    }

    /// Remembers that such a container is as it is wanted.
    pub fn note(&self, mark: Mark) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(mark);
    }
}

impl Clone for Settled {
    fn clone(&self) -> Self {
        Self::default()
    }
}

/// What is remembered is no part of what is wanted.
impl PartialEq for Settled {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(number: usize) -> Mark {
        Mark::of([&number.to_le_bytes()[..]])
    }

    #[test]
    fn what_was_noted_is_known_and_a_copy_knows_nothing() {
        let settled = Settled::default();
        settled.note(mark(1));
        assert!(settled.has(&mark(1)) && !settled.has(&mark(2)));
        assert!(!settled.clone().has(&mark(1)));
    }

    #[test]
    fn no_stack_remembers_without_end() {
        let settled = Settled::default();
        (0..=MOST).for_each(|number| settled.note(mark(number)));
        assert!(settled.has(&mark(MOST)) && !settled.has(&mark(0)));
    }
}
