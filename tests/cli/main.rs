//! The program as a user runs it: arguments, streams, exit codes.

mod environment;

mod diff;
mod render;
mod repository;
mod usage;
mod validate;
