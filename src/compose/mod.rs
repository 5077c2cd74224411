//! Compose files in, one canonical project out.
//!
//! A document is a tree of nodes that know their places, and stays one all the way. Each stage is a
//! file with plain functions over that tree:
//!
//! ```text
//! for each document: reset ─► substitute ─► include ─► extends ─► merge ─► unique ─► schema
//!                    ─► canonical
//! for each project:  defaults ─► paths ─► normalize ─► bind ─► select ─► consistency
//!                    ─► environment ─► output
//! ```
//!
//! What is special about single attributes is said once, in the table of `attribute`; what they
//! may contain in `schema`; of which type they are in `bind`. The outcome is that of the
//! reference implementation, for a project must not change its meaning by changing the tool.

mod attribute;
mod bind;
mod budget;
mod canonical;
mod consistency;
mod defaults;
pub mod dotenv;
pub mod dotenv_files;
mod environment;
mod extends;
mod find;
pub mod forms;
mod go;
mod include;
pub mod interpolate;
mod load;
mod loader;
mod merge;
mod name;
mod normalize;
mod output;
mod paths;
mod plain;
mod remote;
mod reset;
pub mod schema;
mod select;
mod substitute;
mod unique;

#[cfg(test)]
mod tests;

pub use find::{ComposeFiles, find_compose_files};
pub use load::{Options, Project, ProjectName, Request, load, with_warnings};
pub use name::normalize_name;
