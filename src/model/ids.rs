//! Names and hashes, each a type of its own so that one is never passed for another.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Name;
use super::text::Text;

macro_rules! name {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $type(pub(super) Name);

        impl $type {
            /// As text.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                Name::parse(&text).map(Self).map_err(serde::de::Error::custom)
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                self.0.as_str()
            }
        }

        impl From<Name> for $type {
            fn from(name: Name) -> Self {
                Self(name)
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
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

name!(
    /// A machine of the inventory.
    HostName
);
name!(
    /// A proxy of the inventory; it may run on several hosts.
    ProxyName
);

/// A service of a stack, by the name Compose gives it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ServiceName(pub(super) Text);

impl ServiceName {
    /// Keeps a service's name; Compose has checked its letters already.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(name.as_ref().into())
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommitId(pub(super) Text);

impl CommitId {
    /// Keeps a full hash in hexadecimal.
    pub fn new(hash: impl AsRef<str>) -> Self {
        Self(hash.as_ref().into())
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SpecHash(pub(super) Text);

impl SpecHash {
    /// Keeps a hash in hexadecimal.
    pub fn new(hex: impl AsRef<str>) -> Self {
        Self(hex.as_ref().into())
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

/// Which of a service's replicas, from 1.
pub type Slot = u32;

/// Counts what was done to a stack or a proxy file: each change has a higher one than all before.
pub type Generation = u64;

/// A moment: milliseconds since 1970, by the clock of whoever observed.
pub type Millis = u64;
