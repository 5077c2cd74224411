//! What a plan rests on: everything that, were it otherwise, might make it another plan.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{HostName, StackName};

/// Marks of what a plan rests on: of the stacks in which something is to be done, and of the hosts.
///
/// What is to be done comes out of the whole fleet; but a fleet never stands still, and what
/// happens in a stack that the plan leaves alone is a matter of the plan only when it makes another
/// one of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Basis {
    /// Of each stack: `container acme-shop-web-1-ab12`, `image shop:1`, `file of proxy edge`.
    pub stacks: BTreeMap<StackName, BTreeMap<HostName, Facts>>,
    /// Of hosts, whoever uses them: `drain`.
    pub hosts: BTreeMap<HostName, Facts>,
}

/// Marks by what they are of.
pub type Facts = BTreeMap<String, Mark>;

impl Basis {
    /// Every host that something is noted of, perhaps more than once.
    pub fn all_hosts(&self) -> impl Iterator<Item = &HostName> {
        self.stacks.values().flat_map(BTreeMap::keys).chain(self.hosts.keys())
    }
}

/// How something is, as the first half of a SHA-256: a fleet has hundreds of thousands of things,
/// and all that is ever asked of them is whether they are as they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mark([u8; 16]);

impl Mark {
    /// The mark of what these parts say together.
    pub fn of<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> Self {
        // Most are short: put together they are hashed faster than one by one.
        let mut text = Vec::with_capacity(256);
        for part in parts {
            text.extend_from_slice(&(part.len() as u64).to_le_bytes());
            text.extend_from_slice(part);
        }
        let hash: [u8; 32] = Sha256::digest(text).into();
        let (half, _) = hash.split_first_chunk().expect("a SHA-256 has 32 bytes");
        Self(*half)
    }

    /// Reads one as it is displayed; `None` for any other text.
    pub fn read(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let is_one = text.len() == 32 && text.bytes().all(is_digit);
        let number = is_one.then(|| u128::from_str_radix(text, 16).ok()).flatten()?;
        Some(Self(number.to_be_bytes()))
    }

    /// As bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// 32 hexadecimal digits.
impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl From<Mark> for String {
    fn from(mark: Mark) -> Self {
        mark.to_string()
    }
}

impl TryFrom<String> for Mark {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::read(&text).ok_or_else(|| format!("`{text}` is no mark: 32 hexadecimal digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(parts: &[&str]) -> Mark {
        Mark::of(parts.iter().map(|part| part.as_bytes()))
    }

    #[test]
    fn parts_are_told_apart() {
        assert_eq!(mark(&["ab", "c"]), mark(&["ab", "c"]));
        assert_ne!(mark(&["ab", "c"]), mark(&["a", "bc"]));
        assert_ne!(mark(&["a"]), mark(&["a", ""]));
    }

    #[test]
    fn it_reads_back_and_nothing_else_does() {
        let one = mark(&["a"]);
        assert_eq!(Mark::read(&one.to_string()), Some(one));
        for text in ["", "1", &"g".repeat(32), &"A".repeat(32), &format!("+{}", "1".repeat(31))] {
            assert_eq!(Mark::read(text), None, "{text}");
        }
    }
}
