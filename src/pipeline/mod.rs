//! The one road from a commit to its desired state.
//!
//! ```text
//! Tree ─► Snapshot (settings, environment, inventory, values, stack folders) ─► stacks ─► Desired
//! ```
//!
//! Every command walks it; none has a way of its own.

mod cache;
mod contents;
mod hosts;
mod images;
mod live;
mod moved;
mod observe;
mod past;
mod picture;
mod saved;
mod sharing;
mod snapshot;
mod stack;
mod tree;
mod unknown;
mod whence;

pub use crate::resolve::Clashes;
pub use cache::Cache;
pub use contents::Contents;
pub use hosts::{inspect, leases};
pub use images::{Answers, settle_images};
pub use live::{ApplyError, Fleet, Orders, Past, PlanError, Planned, Wish, release_of, words};
pub use moved::{Moved, moved};
pub use observe::{observe, observe_but, wanted};
pub use picture::{
    Beside, KeyError, Picture, PictureError, PictureKey, Trust, Trusted, hide_hashes,
};
pub use saved::{Asked, SavedError, SavedPlan};
pub use sharing::Sharing;
pub use snapshot::{Choice, Outcome, Snapshot};
pub use stack::{StackModel, StackOutcome};
pub use tree::{Tree, TreeError};
pub use unknown::assume_inputs;
pub use whence::Whence;

#[cfg(test)]
mod tests;
