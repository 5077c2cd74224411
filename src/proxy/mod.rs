//! What a proxy's managed file says: rendered from a routing table, and read back. Pure.
//!
//! The file is a header in comments, which carries the table itself, and a body for the proxy. So
//! the file alone says what it means and whose it is, and there is no other record of it.
//! Everything that goes into the body is checked before it does: a name or a path that could end
//! its own quotes is refused, whoever wrote the template.

mod context;
mod header;
mod quoting;
mod server;
mod site;

#[cfg(test)]
mod tests;

pub use header::{Managed, read};
pub use server::{runtime_server, upstream_name};
pub use site::{GENERATION_HOST, GENERATION_PATH, PROBE_HEADER, RenderError, SERVER_HEADER, Site};
