//! The whole road from a commit to settled hosts, in the simulated world: every kind of change,
//! killed at every call, with every answer lost once, and twice at the same time.

mod commit;
mod crash;
mod rounds;
mod scenario;
