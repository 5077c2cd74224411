//! What `adapters::docker` does to a real engine. Without an engine every test here fails.

mod inside;
mod leases;
mod life;
mod survey;
mod tls;
mod world;
