//! Diagnostics as text for people.

use super::{Diagnostic, Sources};

/// How text is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Style {
    /// Whether colour may be used; it only repeats what the words say.
    pub color: bool,
    /// Columns of the terminal; 0 for no limit.
    pub width: usize,
}

/// One finding as text, with a trailing newline.
pub fn render(diagnostic: &Diagnostic, sources: &Sources, style: Style) -> String {
    let _ = (diagnostic, sources, style);
    String::new()
}

/// All findings, in the order of their places.
pub fn render_all(diagnostics: &[Diagnostic], sources: &Sources, style: Style) -> String {
    diagnostics.iter().map(|diagnostic| render(diagnostic, sources, style)).collect()
}
