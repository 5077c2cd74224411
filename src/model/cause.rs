//! Why a plan does something, and the words for it.

use std::collections::BTreeSet;
use std::fmt;

use super::ServiceName;

/// Why something is done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// It is new in the commit.
    Added,
    /// It is not in the commit any more.
    Gone,
    /// The commit wants another number of replicas.
    Scaled,
    /// The commit wants it otherwise.
    Changed,
    /// It was changed by hand, or its tag has moved.
    Drifted,
    /// A replica is missing.
    Missing,
    /// A replica's process has ended.
    Stopped,
    /// A replica's process is frozen.
    Paused,
    /// A replica is not healthy; with what its check says.
    Unhealthy(String),
    /// A proxy does something else than its file says.
    NotServed,
    /// A proxy does so, and sends to one of several replicas in one place: to this one only where none
    /// of these, which are younger, is ready.
    Standby(BTreeSet<String>),
    /// A replica runs and is not routed, or the other way round.
    NotRouted,
    /// Its proxies know it otherwise than the commit wants.
    RoutesChanged,
    /// It was left over by a run that did not end.
    LeftOver,
    /// A service it depends on is replaced.
    Dependency(ServiceName),
    /// Its host may not have it any more.
    Misplaced,
    /// Its host is drained.
    Drained,
    /// A host needs it that does not have it, while others do.
    Placed,
    /// Nothing on its host needs it any more.
    Unused,
    /// `--replace` asks for it.
    Asked,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Added => "new in the commit",
            Self::Gone => "not in the commit any more",
            Self::Scaled => "another number of replicas",
            Self::Changed => "changed in the commit",
            Self::Drifted => "changed outside of the repository",
            Self::Missing => "a replica is missing",
            Self::Stopped => "it has ended",
            Self::Paused => "it is paused",
            Self::NotServed => "it serves something else than its file says",
            Self::Standby(younger) => {
                let names: Vec<&str> = younger.iter().map(String::as_str).collect();
                return write!(f, "in case {} is not ready", names.join(", "));
            }
            Self::Unhealthy(_) => "not healthy",
            Self::NotRouted => "not routed",
            Self::RoutesChanged => "routes",
            Self::LeftOver => "left over by a run that did not end",
            Self::Dependency(service) => return write!(f, "it depends on {service}"),
            Self::Misplaced => "its host may not have it any more",
            Self::Drained => "its host is drained",
            Self::Placed => "one more host needs it",
            Self::Unused => "nothing on its host needs it any more",
            Self::Asked => "asked for",
        })
    }
}
