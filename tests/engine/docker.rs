//! What `adapters::docker` does to a real engine. Without an engine every test here fails.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

mod inside;
mod leases;
mod life;
mod survey;
mod tls;
pub(crate) mod world;
