//! The daemon's HTTP on a real socket, byte by byte, and the page in a real browser.

#![expect(clippy::disallowed_methods, reason = "tests run programs and read their files")]
#![expect(clippy::disallowed_types, reason = "a browser that is stuck must end")]

mod api;
mod browser;
mod commands;
mod fleet;
mod hooks;
mod rig;
mod service;
