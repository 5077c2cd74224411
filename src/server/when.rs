//! Moments as people read them, and as machines do.

use serde::Serialize;

use crate::model::Millis;
use crate::ui::took;

/// A moment on a page: how long ago or ahead, and exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct When {
    /// `12 s ago`, `in 3 min`.
    words: String,
    /// For `<time datetime>`, and when one points at it.
    exact: String,
}

impl When {
    pub(super) fn new(at: Millis, now: Millis) -> Self {
        let words = match now.checked_sub(at) {
            Some(past) if past < 1000 => "now".to_owned(),
            Some(past) => format!("{} ago", rough(past)),
            None => format!("in {}", rough(at - now)),
        };
        Self { words, exact: exact(at) }
    }
}

/// `2026-01-31 12:00:00Z`.
fn exact(at: Millis) -> String {
    let moment = i64::try_from(at).ok().map(jiff::Timestamp::from_millisecond);
    match moment {
        Some(Ok(moment)) => moment.strftime("%Y-%m-%d %H:%M:%SZ").to_string(),
        Some(Err(_)) | None => "an unknown time".to_owned(),
    }
}

/// Without what nobody reads in a long time: seconds of hours, hours of weeks.
fn rough(time: Millis) -> String {
    const SECOND: Millis = 1000;
    const MINUTE: Millis = 60 * SECOND;
    const DAY: Millis = 24 * 60 * MINUTE;
    match time {
        ..MINUTE => took(time / SECOND * SECOND),
        MINUTE..DAY => took(time / MINUTE * MINUTE),
        _ if time < 2 * DAY => "1 day".to_owned(),
        _ => format!("{} days", time / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_said_roughly_and_exactly() {
        let now = 1_700_000_000_000;
        let words = |at: Millis| When::new(at, now).words;
        assert_eq!(words(now), "now");
        assert_eq!(words(now - 12_345), "12 s ago");
        assert_eq!(words(now - 3_723_000), "1 h 2 min ago");
        assert_eq!(words(now - 100_000_000), "1 day ago");
        assert_eq!(words(now - 400_000_000), "4 days ago");
        assert_eq!(words(now + 90_000), "in 1 min");
        assert_eq!(When::new(now, now).exact, "2023-11-14 22:13:20Z");
        assert_eq!(When::new(u64::MAX, now).exact, "an unknown time");
    }
}
