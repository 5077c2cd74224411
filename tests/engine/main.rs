//! The program and its parts against a real engine and real proxies.
//!
//! `make test` starts an engine where none answers (`.ci/with-engine`).

#![expect(clippy::disallowed_methods, reason = "tests run programs and read files")]
#![expect(clippy::disallowed_types, reason = "tests wait for the real world")]

mod commands;
mod config;
#[path = "../contract/mod.rs"]
mod contract;
mod crash;
mod demo;
mod docker;
mod drift;
mod failure;
mod fleet;
mod held;
mod image;
mod locks;
mod protection;
mod proxies;
mod registry;
mod rig;
mod rollout;
mod routing;
mod secrets;
mod services;
mod shop;
mod spec;
mod ssh;
mod sync;
