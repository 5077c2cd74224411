//! nginx and HAProxy behind `ports::Proxy`, each as a service of the host and as a container.

mod bind;
mod connect;
mod container;
mod front;
mod haproxy;
mod holding;
mod kernel;
mod local;
mod managed;
mod nginx;
mod remote;
mod shell;

pub use connect::connect;
