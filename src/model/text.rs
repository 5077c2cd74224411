//! Text that a fleet repeats many times: copies share their memory, and two of the same memory are
//! compared without a look at it.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Text that never changes.
#[derive(Clone, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Text(Arc<str>);

impl Text {
    /// Takes the memory of an equal one that is known, or makes its own known.
    pub(super) fn share(&mut self, known: &mut BTreeSet<Arc<str>>) {
        match known.get(&self.0) {
            Some(equal) => self.0 = equal.clone(),
            None => drop(known.insert(self.0.clone())),
        }
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0 == other.0
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) { Ordering::Equal } else { self.0.cmp(&other.0) }
    }
}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// As a `str` does, whatever the memory.
impl Hash for Text {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_compared_by_their_letters_whatever_their_memory() {
        let (one, equal, other) = (Text::from("a"), Text::from("a"), Text::from("b"));
        assert_eq!(one, equal);
        assert_eq!(one.cmp(&equal), Ordering::Equal);
        assert_eq!(one, one.clone());
        assert!(one < other && one != other);
    }

    #[test]
    fn equal_texts_have_one_memory_once_they_are_shared() {
        let (mut one, mut equal, mut other) = (Text::from("a"), Text::from("a"), Text::from("b"));
        assert!(!Arc::ptr_eq(&one.0, &equal.0));
        let mut known = BTreeSet::new();
        [&mut one, &mut equal, &mut other].into_iter().for_each(|text| text.share(&mut known));
        assert!(Arc::ptr_eq(&one.0, &equal.0));
        assert_eq!((&*other, known.len()), ("b", 2));
    }
}
