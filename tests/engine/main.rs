//! What needs the real programs: their checkers, their engine.

mod config;
mod routing;
