//! The project about itself: layers, sizes, documents.

mod architecture;
mod documents;
