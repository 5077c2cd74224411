//! The program as a user runs it: arguments, streams, exit codes.

#![expect(clippy::disallowed_methods, reason = "tests run the program")]

mod environment;

mod demo;
mod diagnostics;
mod diff;
mod ready_made;
mod render;
mod repository;
mod review;
mod scripts;
mod simulate;
mod snapshot;
mod transport;
mod usage;
mod validate;
