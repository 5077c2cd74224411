//! The whole road from a commit to settled hosts, in the simulated world: every kind of change,
//! killed at every call, with every answer lost once, and twice at the same time.

#![expect(clippy::disallowed_methods, reason = "tests read files")]

mod back;
mod chaos;
mod checker;
mod commit;
#[path = "../contract/mod.rs"]
mod contract;
mod crash;
mod excused;
mod hands;
mod held;
mod process;
mod repository;
mod rounds;
mod scenario;
mod seeds;
mod watched;
