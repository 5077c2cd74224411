//! Decisions, with a clock that the tests hold.
