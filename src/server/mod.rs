//! The daemon's HTTP: webhooks that wake it, an API, a page, health, metrics.
//!
//! It decides nothing about stacks. It shows a picture, passes notices on and hands in orders, all
//! through [`Doors`]. Who may use which route stands beside the route, in one table; what is in no
//! table is refused.

mod api;
mod counts;
mod doors;
mod guard;
mod health;
mod hooks;
mod knocks;
mod metrics;
mod page;
mod patience;
mod routes;
mod serve;
mod signature;
mod stream;
mod supervisor;
mod view;
mod when;

pub use doors::{Clock, Doors, HookKey, Key, KeyError, Keys, Limits, OrderSender};
pub use serve::serve;
pub use supervisor::{Supervisor, Word};
