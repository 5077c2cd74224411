//! Templates: every file that ends in `.j2`, rendered on reading.
//!
//! [`Rendered`] wraps a tree of files and shows it as it is after rendering: `compose.yaml` is
//! there when `compose.yaml.j2` is. Rendering is pure (a function of the tree and the
//! [`Context`], nothing else) and bounded in steps, depth, memory and output. A file knows the
//! way back to its template, so what is wrong in rendered text is shown where it was written.
//!
//! How names in `include`, `import`, `from` and `extends` are looked up:
//!
//! 1. `./name` and `../name` are seen from the folder of the file that says so;
//! 2. any other name is seen from the folder of the template that is being rendered (the stack's
//!    folder), and if nothing is there, from the root of the repository.
//!
//! An included file is a template whatever its name is. Absolute paths and `..` that climbs out
//! of the tree are refused.

mod context;
mod engine;
mod failure;
mod filters;
mod instrument;
mod lexer;
mod library;
mod limits;
mod message;
mod methods;
mod plain;
mod provenance;
mod rendered;
mod shared;
mod suggest;

#[cfg(test)]
mod tests;

pub use context::{CommitInfo, Context, node_value};
pub use engine::Engine;
pub use filters::{Entry, Kind, reference};
pub use limits::{
    DEPTH_MAX, FUEL_MAX, OUTPUT_BYTES_MAX, RECURSION_MAX, TEMPLATES_MAX, VALUE_BYTES_MAX,
};
pub use plain::render_text;
pub use rendered::Rendered;
pub use shared::Shared;
