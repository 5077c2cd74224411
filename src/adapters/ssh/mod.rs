//! Machines over SSH: one session a host carries the engine's API, connections to its sockets and
//! ports, fixed commands and files.
//!
//! Nothing has to be installed there. No line of a shell is made of data: commands are fixed
//! scripts, and what varies is an argument, quoted in one place, or their input. Everything has a
//! deadline.

mod channel;
mod engine;
mod files;
mod host;
mod lane;
mod login;
mod quote;
mod session;

pub use channel::Channel;
pub use host::{Fleet, Host};
pub(in crate::adapters) use lane::Ended;
pub use login::{Key, Target};
pub use session::Place;
