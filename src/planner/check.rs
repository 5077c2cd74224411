//! The linter of finished plans.
use crate::model::{Observed, Plan};

/// What is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation { /// In words.
 pub message: String }

impl std::fmt::Display for Violation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.message) }
}

/// Everything that is wrong with a plan.
pub fn check(_plan: &Plan, _observed: &Observed) -> Vec<Violation> { Vec::new() }
