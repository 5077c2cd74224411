//! When an image is pulled: `always`, `missing`, `every_12h`.

use thiserror::Error;

use super::{Duration, DurationProblem, Fault, duration};

/// The words that `pull_policy` takes, for "did you mean"; `every_` needs a duration after it.
pub const PULL_POLICIES: [&str; 8] =
    ["always", "never", "missing", "if_not_present", "build", "refresh", "daily", "weekly"];

/// When an image is pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullPolicy {
    /// At every deployment.
    Always,
    /// Never: it must be there.
    Never,
    /// When it is not there.
    Missing,
    /// Never: it is built, even when it is there.
    Build,
    /// When the last pull lies further back than this.
    Every(Duration),
}

/// Why a text is not a pull policy.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PullPolicyProblem {
    /// It is none of the known words.
    #[error("not a pull policy")]
    Unknown,
    /// What follows `every_` is not a duration.
    #[error("`every_` needs a duration, as in `every_12h`: {problem}")]
    Interval {
        /// What is wrong with it.
        problem: DurationProblem,
    },
}

const DAY_NANOS: i64 = 86_400_000_000_000;

/// Reads one of [`PULL_POLICIES`] or `every_<duration>`.
///
/// `refresh` is let in by the schema but has no interval, and means `missing`.
pub fn pull_policy(text: &str) -> Result<PullPolicy, Fault<PullPolicyProblem>> {
    Ok(match text {
        "always" => PullPolicy::Always,
        "never" => PullPolicy::Never,
        "missing" | "if_not_present" | "refresh" => PullPolicy::Missing,
        "build" => PullPolicy::Build,
        "daily" => PullPolicy::Every(Duration::from_nanos(DAY_NANOS)),
        "weekly" => PullPolicy::Every(Duration::from_nanos(7 * DAY_NANOS)),
        _ => {
            let Some(interval) = text.strip_prefix("every_") else {
                return Err(Fault::new(PullPolicyProblem::Unknown, 0..text.len()));
            };
            let interval = duration(interval).map_err(|fault| {
                let Fault { kind, range } = fault.shifted("every_".len());
                Fault::new(PullPolicyProblem::Interval { problem: kind }, range)
            })?;
            PullPolicy::Every(interval)
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn every(hours: i64) -> PullPolicy {
        PullPolicy::Every(Duration::from_nanos(hours * 3_600_000_000_000))
    }

    #[test]
    fn the_known_words_are_read() {
        for (text, policy) in [
            ("always", PullPolicy::Always),
            ("never", PullPolicy::Never),
            ("missing", PullPolicy::Missing),
            ("if_not_present", PullPolicy::Missing),
            ("refresh", PullPolicy::Missing),
            ("build", PullPolicy::Build),
            ("daily", every(24)),
            ("weekly", every(168)),
            ("every_12h", every(12)),
            ("every_2d", every(48)),
            ("every_1w1d", every(192)),
        ] {
            assert_eq!(pull_policy(text), Ok(policy), "{text}");
        }
        for text in PULL_POLICIES {
            assert!(pull_policy(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_at_its_place() {
        let interval = |problem| PullPolicyProblem::Interval { problem };
        let unit = DurationProblem::UnknownUnit { unit: "y".to_owned() };
        for (text, kind, range) in [
            ("", PullPolicyProblem::Unknown, 0..0),
            ("Always", PullPolicyProblem::Unknown, 0..6),
            ("hourly", PullPolicyProblem::Unknown, 0..6),
            ("every 12h", PullPolicyProblem::Unknown, 0..9),
            ("every_", interval(DurationProblem::Empty), 6..6),
            ("every_12", interval(DurationProblem::NoUnit), 6..8),
            ("every_1y", interval(unit), 7..8),
        ] {
            assert_eq!(pull_policy(text), Err(Fault::new(kind, range)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(every_)?\\PC*") {
            if let Err(fault) = pull_policy(&text) {
                prop_assert!(text.get(fault.range).is_some());
            }
        }
    }
}
