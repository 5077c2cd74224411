//! The project about itself: layers, sizes, documents.

#![expect(clippy::disallowed_methods, reason = "tests read the project itself")]

mod architecture;
mod documents;
