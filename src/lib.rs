//! `gitdeploy`: from a commit to running containers.
//!
//! The road, in the order the data goes:
//!
//! ```text
//! git ─► files ─► template ─► yaml ─► compose ─► resolve ─► model::desired ─► diff
//!                                ▲        ▲
//!                              shape   settings (gitdeploy.yaml, inventory.yaml)
//! ```
//!
//! Everything between `files` and `diff` is a plain function over values: no clock, no network, no
//! process environment. The world is touched by `git`, `adapters`, `daemon`, `forge`, `server` and
//! `cli`, each in its own way.

pub mod adapters;
pub mod cli;
pub mod compose;
pub mod daemon;
pub mod diag;
pub mod diff;
pub mod exec;
pub mod files;
pub mod forge;
pub mod git;
pub mod model;
pub mod pipeline;
pub mod planner;
pub mod ports;
pub mod proxy;
pub mod resolve;
pub mod server;
pub mod settings;
pub mod shape;
pub mod sim;
pub mod spec;
pub mod ssh;
pub mod sync;
pub mod template;
pub mod ui;
pub mod yaml;
