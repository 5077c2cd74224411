//! GitLab's code quality artefact.

use serde_json::{Value, json};

use super::{Finding, Level, fingerprints};

/// The findings as a list. One without a place is put at the first line of the settings: GitLab
/// drops what has none.
pub fn code_quality(findings: &[Finding]) -> Value {
    let items = findings.iter().zip(fingerprints(findings)).map(|(finding, print)| {
        let (file, line) = match &finding.place {
            Some(place) => (place.file.as_str(), place.line),
            None => ("gitdeploy.yaml", 1),
        };
        json!({
            "description": finding.text(),
            "check_name": finding.rule,
            "fingerprint": print,
            "severity": match finding.level {
                Level::Error => "critical",
                Level::Warning => "minor",
            },
            "location": {"path": file, "lines": {"begin": line}},
        })
    });
    Value::Array(items.collect())
}
