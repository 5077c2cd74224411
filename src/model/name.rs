//! Names of projects, environments, stacks, hosts and proxies: one rule for all of them.
//!
//! The rule is that of Compose's project names, because a name ends up in container names, labels
//! and file names on hosts, and must mean the same in all of them.

use std::borrow::Borrow;
use std::fmt;

use serde::Serialize;

use super::text::Text;

/// The longest name, in characters: what a DNS label may have.
const LENGTH_MAX: usize = 63;

/// Lowercase letters, digits, `-` and `_`, starting with a letter or a digit, at most 63.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(pub(super) Text);

impl<'de> serde::Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl Name {
    /// The name, or what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some(first) = text.chars().next() else { return Err("it is empty".into()) };
        if let Some(c) = text.chars().find(|c| !is_allowed(*c)) {
            return Err(format!("`{c}` is not a lowercase letter, a digit, `-` or `_`"));
        }
        if !first.is_ascii_alphanumeric() {
            return Err("it must start with a letter or a digit".into());
        }
        if text.len() > LENGTH_MAX {
            return Err(format!("it has {} characters; at most {LENGTH_MAX} fit", text.len()));
        }
        Ok(Self(text.into()))
    }

    /// The name that a repository or folder stands for, as Compose derives a project's name:
    /// lowercase, without the characters that a name cannot have. `None` when nothing is left.
    pub fn from_folder(folder: &str) -> Option<Self> {
        let folder = folder.strip_suffix(".git").unwrap_or(folder).to_lowercase();
        let kept: String = folder.chars().filter(|c| is_allowed(*c)).collect();
        let kept = kept.trim_start_matches(['-', '_']);
        Self::parse(kept.get(..LENGTH_MAX).unwrap_or(kept)).ok()
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn is_allowed(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_')
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_one_rule() {
        for good in ["a", "1", "web-1", "a_b", &"x".repeat(63)] {
            assert!(Name::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "_a", "Web", "a.b", "ä", "a b", &"x".repeat(64)] {
            assert!(Name::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_folder_gives_a_name_as_compose_does() {
        let name = |folder| Name::from_folder(folder).map(|name| name.to_string());
        assert_eq!(name("My.Shop.git").as_deref(), Some("myshop"));
        assert_eq!(name("_-x").as_deref(), Some("x"));
        assert_eq!(name("ÄÖ"), None);
        assert_eq!(name(&"y".repeat(99)).map(|name| name.len()), Some(63));
    }
}
