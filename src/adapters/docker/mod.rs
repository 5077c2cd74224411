//! One Docker engine over its API alone: what is on a host, containers, images, files in
//! containers, leases.
//!
//! Nothing that lacks our labels is changed: every call that ends or removes something reads the
//! labels of it first. Every call has a deadline.

mod asking;
mod attaching;
mod client;
mod containers;
mod drains;
mod engine;
mod events;
mod fault;
mod foreign;
mod images;
mod inside;
mod leases;
mod listening;
mod live;
mod logins;
mod logs;
mod moment;
mod ours;
mod placing;
mod releases;
mod request;
mod resources;
mod room;
mod survey;
mod swarm;
mod wire;

pub use client::Docker;
pub(in crate::adapters) use client::Way;
pub use inside::Executed;
pub use logins::{GivenLogin, Logins, Password};
pub use wire::TlsFiles;
