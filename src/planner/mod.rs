//! From what is wanted and what was seen to a plan. Pure.
