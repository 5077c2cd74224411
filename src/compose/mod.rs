//! compose.

pub mod forms;
pub mod interpolate;
