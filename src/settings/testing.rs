//! Findings as lines of text, for the tests of this module.

use crate::diag::{Diagnostic, Severity, Sources};

/// One line each: place, severity, message; then its help and the other places, indented.
pub(super) fn told(sources: &Sources, problems: &[Diagnostic]) -> String {
    let mut lines = Vec::new();
    for problem in problems {
        let place = match &problem.primary {
            Some(label) => format!("{}: ", sources.locate(label.span)),
            None => String::new(),
        };
        let severity = match problem.severity {
            Severity::Error => "",
            Severity::Warning => "warning: ",
        };
        lines.push(format!("{place}{severity}{}", problem.message));
        for label in &problem.related {
            lines.push(format!("    {}: {}", sources.locate(label.span), label.text));
        }
        lines.extend(problem.help.iter().map(|help| format!("    help: {help}")));
    }
    lines.join("\n")
}
