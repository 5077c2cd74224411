//! What GitHub Actions, and those like it, read from a log: annotations; and how a log keeps text of
//! a repository from being read so.

use super::{Finding, Level};
use crate::diag::printable_name;

/// As many of each level as GitHub shows of one step.
const SHOWN_MAX: usize = 10;

/// The findings as annotations, a line each: errors first, as many as are shown.
pub fn annotations(findings: &[Finding]) -> Vec<String> {
    let of = |level: Level| findings.iter().filter(move |it| it.level == level).take(SHOWN_MAX);
    of(Level::Error).chain(of(Level::Warning)).map(annotation).collect()
}

fn annotation(finding: &Finding) -> String {
    let word = match finding.level {
        Level::Error => "error",
        Level::Warning => "warning",
    };
    let mut properties = Vec::new();
    if let Some(place) = &finding.place {
        properties.push(format!("file={}", property(&place.file)));
        properties.push(format!("line={}", place.line));
        properties.push(format!("endLine={}", place.end_line));
        // Columns count only within one line.
        if place.line == place.end_line {
            properties.push(format!("col={}", place.column));
            properties.push(format!("endColumn={}", place.end_column));
        }
    }
    properties.push(format!("title={}", property(&finding.rule)));
    format!("::{word} {}::{}", properties.join(","), data(&finding.text()))
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Text for a log in which no line is a command: GitHub takes one that begins with `::`, and
/// anything behind `##[`. A character without width keeps them apart.
pub fn neutral(text: &str) -> String {
    let line = |line: &str| {
        let start = line.len() - line.trim_start().len();
        let (space, rest) = line.split_at(start);
        let rest = match rest.strip_prefix("::") {
            Some(rest) => format!(":\u{200b}:{rest}"),
            None => rest.to_owned(),
        };
        format!("{space}{}", rest.replace("##[", "#\u{200b}#["))
    };
    // A carriage return ends a line there too.
    text.split_inclusive(['\n', '\r']).map(line).collect()
}

/// One output of a step, as a line of the file that `GITHUB_OUTPUT` names.
pub fn output(name: &str, value: &str) -> String {
    format!("{name}={}\n", printable_name(value))
}
