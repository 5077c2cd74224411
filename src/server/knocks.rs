//! How often somebody may knock at a webhook, and which deliveries were there before.
//!
//! Plain values with the time as an argument. All of it is bounded: a flood makes nothing grow.

use std::collections::BTreeMap;

use super::hooks::Rejection;
use super::signature::Claim;
use crate::model::Millis;

/// How long the number of a delivery is remembered.
const IDS_FOR: Millis = 60 * 60 * 1000;
/// How long a body is remembered. Shorter, because two real pushes could be alike.
const BODIES_FOR: Millis = 5 * 60 * 1000;
/// Deliveries that one hook remembers.
const SEEN_MAX: usize = 1024;

/// What one webhook has seen lately.
#[derive(Debug)]
pub(super) struct Gate {
    seen: BTreeMap<String, Millis>,
    knocks: Bucket,
    wakes: Bucket,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            seen: BTreeMap::new(),
            // Before anything is read: what a stranger may cost us.
            knocks: Bucket::new(20.0, 60.0),
            // After the proof: a push a second is more than people do.
            wakes: Bucket::new(1.0, 10.0),
        }
    }
}

impl Gate {
    /// Somebody is at the door; nothing has been read.
    pub(super) fn knock(&mut self, now: Millis) -> Result<(), Rejection> {
        if self.knocks.take(now) { Ok(()) } else { Err(Rejection::Flooded) }
    }

    /// A delivery that is proved. Its number may have been exchanged on the way by whoever heard
    /// it, so the body counts as well.
    pub(super) fn enter(
        &mut self,
        claim: &Claim,
        digest: String,
        now: Millis,
    ) -> Result<(), Rejection> {
        self.seen.retain(|_, until| *until > now);
        let id = claim.id.as_ref().map(|id| format!("id {id}"));
        if self.seen.contains_key(&digest)
            || id.as_ref().is_some_and(|id| self.seen.contains_key(id))
        {
            return Err(Rejection::Replayed);
        }
        if !self.wakes.take(now) {
            return Err(Rejection::Flooded);
        }
        if let Some(id) = id {
            self.remember(id, now.saturating_add(IDS_FOR));
        }
        self.remember(digest, now.saturating_add(BODIES_FOR));
        Ok(())
    }

    fn remember(&mut self, what: String, until: Millis) {
        if self.seen.len() >= SEEN_MAX {
            let oldest = self.seen.iter().min_by_key(|(_, until)| **until);
            if let Some(oldest) = oldest.map(|(what, _)| what.clone()) {
                self.seen.remove(&oldest);
            }
        }
        self.seen.insert(what, until);
    }
}

/// So many a second, and some at once.
#[derive(Debug)]
struct Bucket {
    per_second: f64,
    most: f64,
    left: f64,
    at: Millis,
}

impl Bucket {
    fn new(per_second: f64, most: f64) -> Self {
        Self { per_second, most, left: most, at: 0 }
    }

    fn take(&mut self, now: Millis) -> bool {
        // A clock that was put back gives nothing and takes nothing.
        let seconds = std::time::Duration::from_millis(now.saturating_sub(self.at)).as_secs_f64();
        self.left = (self.left + seconds * self.per_second).min(self.most);
        self.at = now;
        let has_one = self.left >= 1.0;
        if has_one {
            self.left -= 1.0;
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderMap;

    use super::*;
    use crate::sync::HookKind;

    fn claim(id: &str) -> Claim {
        let mut headers = HeaderMap::new();
        headers.insert("x-gitlab-token", "x".parse().expect("a value"));
        headers.insert("idempotency-key", id.parse().expect("a value"));
        Claim::of(HookKind::Gitlab, &headers, 0).expect("a claim")
    }

    #[test]
    fn a_delivery_is_taken_once() {
        let mut gate = Gate::default();
        assert_eq!(gate.enter(&claim("1"), "a".into(), 0), Ok(()));
        assert_eq!(gate.enter(&claim("1"), "b".into(), 10), Err(Rejection::Replayed));
        assert_eq!(gate.enter(&claim("2"), "a".into(), 20), Err(Rejection::Replayed));
        assert_eq!(gate.enter(&claim("2"), "b".into(), 30), Ok(()));
    }

    #[test]
    fn equal_bodies_are_taken_again_after_some_minutes_and_equal_numbers_after_an_hour() {
        let mut gate = Gate::default();
        assert_eq!(gate.enter(&claim("1"), "a".into(), 0), Ok(()));
        assert_eq!(gate.enter(&claim("2"), "a".into(), BODIES_FOR), Ok(()));
        assert_eq!(gate.enter(&claim("1"), "c".into(), BODIES_FOR), Err(Rejection::Replayed));
        assert_eq!(gate.enter(&claim("1"), "c".into(), IDS_FOR), Ok(()));
    }

    #[test]
    fn a_flood_is_refused_until_it_ends() {
        let mut gate = Gate::default();
        let taken = (0..1000).filter(|_| gate.knock(0).is_ok()).count();
        assert_eq!(taken, 60);
        assert_eq!(gate.knock(1000), Ok(()));
    }

    #[test]
    fn a_flood_of_true_deliveries_is_refused_too() {
        let mut gate = Gate::default();
        let taken =
            (0..100).filter(|n| gate.enter(&claim(&n.to_string()), n.to_string(), 0).is_ok());
        assert_eq!(taken.count(), 10);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut gate = Gate::default();
        for n in 0..3000 {
            let (id, now) = (format!("n{n}"), n * 1000);
            assert_eq!(gate.enter(&claim(&id), format!("{n}"), now), Ok(()));
        }
        assert!(gate.seen.len() <= SEEN_MAX);
    }

    #[test]
    fn a_clock_that_jumps_back_opens_no_gate_and_closes_none_for_good() {
        let mut gate = Gate::default();
        while gate.knock(1_000_000).is_ok() {}
        assert_eq!(gate.knock(0), Err(Rejection::Flooded));
        assert_eq!(gate.knock(1000), Ok(()));
    }
}
