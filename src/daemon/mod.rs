//! The loop: wakes in, decisions of `sync` carried out, pictures and notices out.
//!
//! Nothing is decided here. Whoever answers HTTP, writes messages or asks for something has a
//! [`Hub`] and nothing else.

mod hub;

pub use hub::{Asked, Host, Hub, hub};
