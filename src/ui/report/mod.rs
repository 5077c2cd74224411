//! Findings in the forms that CIs read: SARIF, JUnit, GitLab's code quality, GitHub's annotations.
//!
//! A finding here is text with a place; whoever has a diagnostic or a plan makes one of it. No text
//! of a repository can leave the place it is put in.

mod actions;
mod code_quality;
mod junit;
mod sarif;

use sha2::{Digest as _, Sha256};

pub use actions::{annotations, neutral, output};
pub use code_quality::code_quality;
pub use junit::junit;
pub use sarif::sarif;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It stops the work.
    Error,
    /// It is worth a look.
    Warning,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The rule, stable over releases: `compose/unknown-key`.
    pub rule: String,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What can be done about it; may be empty.
    pub help: String,
    /// Where, when there is a place.
    pub place: Option<Place>,
}

/// A place in a file of the repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file, from the repository's root.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// The last line.
    pub end_line: usize,
    /// Behind the last column.
    pub end_column: usize,
}

impl Finding {
    /// Message and help in one text.
    fn text(&self) -> String {
        match self.help.as_str() {
            "" => self.message.clone(),
            help => format!("{}\n{help}", self.message),
        }
    }
}

/// A name for each finding that stays when lines move: of its rule, file and message, and of how
/// many like it came before.
fn fingerprints(findings: &[Finding]) -> Vec<String> {
    let mut seen: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    let print = |finding: &Finding| {
        let file = finding.place.as_ref().map_or("", |place| place.file.as_str());
        let mut hash = Sha256::new();
        for part in [finding.rule.as_str(), file, finding.message.as_str()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let hash: String = hash.finalize().iter().take(16).map(|it| format!("{it:02x}")).collect();
        let count = seen.entry(hash.clone()).or_default();
        *count += 1;
        if *count == 1 { hash } else { format!("{hash}{count}") }
    };
    findings.iter().map(print).collect()
}

#[cfg(test)]
mod tests;
