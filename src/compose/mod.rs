//! compose.

pub mod dotenv;
pub mod forms;
pub mod interpolate;
