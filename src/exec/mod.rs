//! Carries a plan out, step by step, and tells what happened.
