//! Names and hashes, each a type of its own so that one is never passed for another.

use std::fmt;

use serde::Serialize;
use thiserror::Error;

/// The longest name: with stack, service, slot and hash joined, a container's name stays a valid
/// DNS label where Docker needs one.
const NAME_MAX: usize = 63;

/// Why a text is no name.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// Nothing at all.
    #[error("a name cannot be empty")]
    Empty,
    /// Longer than a DNS label.
    #[error("a name has at most {NAME_MAX} characters")]
    TooLong,
    /// A character that engines, files and DNS do not all take.
    #[error(
        "a name consists of lowercase letters, digits, `-` and `_`, and starts with a letter or digit"
    )]
    Character,
}

fn check(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name.len() > NAME_MAX {
        return Err(NameError::TooLong);
    }
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let first = name.as_bytes()[0];
    let valid = plain(first) && name.bytes().all(|byte| plain(byte) || matches!(byte, b'-' | b'_'));
    if valid { Ok(()) } else { Err(NameError::Character) }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            /// Checks and keeps a name.
            pub fn new(name: impl Into<String>) -> Result<Self, NameError> {
                let name = name.into();
                check(&name)?;
                Ok(Self(name))
            }

            /// As text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// What owns everything this program makes; the repository's name unless said otherwise.
    ProjectName
);
name!(
    /// One of the environments of a repository: `staging`, `production`.
    EnvironmentName
);
name!(
    /// A stack: one folder with a Compose file.
    StackName
);

/// A service of a stack, by the name Compose gives it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ServiceName(String);

impl ServiceName {
    /// Keeps a service's name; Compose has checked its letters already.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A commit, by its full hash.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct CommitId(String);

impl CommitId {
    /// Keeps a full hash in hexadecimal.
    pub fn new(hash: impl Into<String>) -> Self {
        Self(hash.into())
    }

    /// The whole hash.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As many digits as people compare by eye.
    pub fn short(&self) -> &str {
        self.0.get(..7).unwrap_or(&self.0)
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A fingerprint of all that makes a container behave as it does.
///
/// 64 hexadecimal digits. Equal for equal behaviour over releases of this program; the number of
/// replicas, the commit and the order of keys are no part of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct SpecHash(String);

impl SpecHash {
    /// Keeps a hash in hexadecimal.
    pub(crate) fn new(hex: String) -> Self {
        Self(hex)
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SpecHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_what_engines_files_and_dns_all_take() {
        for good in ["a", "shop", "web-1", "0day", "a_b"] {
            assert!(StackName::new(good).is_ok(), "{good}");
        }
        for bad in ["", "-a", "_a", "A", "a.b", "a b", "ä", &"x".repeat(64)] {
            assert!(StackName::new(bad).is_err(), "{bad}");
        }
    }
}
