//! Files that lie elsewhere: named, and refused.
//!
//! What is deployed is what a commit holds; a file fetched at load time would not be part of it.

use crate::diag::{Diagnostic, Span};

use super::loader::{Loader, Step};

const PREFIXES: [&str; 7] =
    ["https://", "http://", "git://", "ssh://", "git@", "oci://", "github.com/"];

/// Stops at a path that is a URL.
pub(super) fn refuse(loader: &mut Loader<'_>, path: &str, span: Span) -> Step {
    if !PREFIXES.iter().any(|prefix| path.starts_with(prefix)) {
        return Ok(());
    }
    loader.stop(
        Diagnostic::error("compose/remote", format!("`{path}` lies elsewhere and is not fetched"))
            .at(span)
            .help("put a copy of the file beside this one"),
    )
}
