//! The clock of this machine: the one place that reads it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::model::Millis;
use crate::ports::Clock;

/// The time of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct System;

impl Clock for System {
    #[expect(clippy::disallowed_methods, reason = "everybody else takes the time from here")]
    fn now(&self) -> Millis {
        let passed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Millis::try_from(passed.as_millis()).unwrap_or(Millis::MAX)
    }
}
