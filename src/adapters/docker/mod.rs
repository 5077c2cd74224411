//! One Docker engine over its API alone: what is on a host, containers, images, files in
//! containers, leases.
//!
//! Nothing that lacks our labels is changed: every call that ends or removes something reads the
//! labels of it first. Every call has a deadline.

mod client;
mod fault;
mod inside;
mod wire;

pub use client::Docker;
pub use inside::Executed;
pub use wire::TlsFiles;
