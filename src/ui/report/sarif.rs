//! SARIF 2.1.0, within the limits of GitHub's code scanning.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::{Value, json};

use super::{Finding, Level, fingerprints};

/// The most results of one run that GitHub takes.
const RESULTS_MAX: usize = 25_000;

/// The findings of one run, which ended with this exit code.
pub fn sarif(findings: &[Finding], exit: u8) -> Value {
    let findings = &findings[..findings.len().min(RESULTS_MAX)];
    let rules: BTreeSet<&str> = findings.iter().map(|finding| finding.rule.as_str()).collect();
    let rules: Vec<&str> = rules.into_iter().collect();
    let results = findings.iter().zip(fingerprints(findings));
    let results = results.map(|(finding, print)| result(finding, &rules, &print));
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "gitdeploy",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules.iter().map(|rule| {
                    json!({"id": rule, "shortDescription": {"text": rule}})
                }).collect::<Vec<_>>(),
            }},
            "invocations": [{"executionSuccessful": exit == 0 || exit == 2, "exitCode": exit}],
            "columnKind": "unicodeCodePoints",
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

fn result(finding: &Finding, rules: &[&str], print: &str) -> Value {
    let mut result = json!({
        "ruleId": finding.rule,
        "ruleIndex": rules.binary_search(&finding.rule.as_str()).unwrap_or_default(),
        "level": match finding.level {
            Level::Error => "error",
            Level::Warning => "warning",
        },
        "message": {"text": finding.text()},
        "partialFingerprints": {"gitdeploy/v1": print},
    });
    if let Some(place) = &finding.place {
        result["locations"] = json!([{"physicalLocation": {
            "artifactLocation": {"uri": uri(&place.file), "uriBaseId": "%SRCROOT%"},
            "region": {
                "startLine": place.line,
                "startColumn": place.column,
                "endLine": place.end_line,
                "endColumn": place.end_column,
            },
        }}]);
    }
    result
}

/// A path as a relative URI.
fn uri(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            _ => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    uri
}
