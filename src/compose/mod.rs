//! compose.

pub mod forms;
