//! What a run leaves for a CI beside its two streams: report files, annotations, a summary, outputs.
//!
//! Filled while the run goes on, written once at its end. What cannot be written is said, and changes
//! no exit code: the run itself is what counts.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde_json::json;

use super::World;
use crate::diag::{Diagnostic, Located, Severity, Sources};
use crate::model::{Plan, StackName, Totals};
use crate::ui::report::{self, Finding, Level, Place};

/// The most of a summary that GitHub takes of one step.
const SUMMARY_MAX: usize = 1_000_000;

/// A report that was asked for: `sarif=FILE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    kind: Kind,
    file: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Sarif,
    Junit,
    CodeQuality,
    Terraform,
}

const KINDS: [(&str, Kind); 4] = [
    ("sarif", Kind::Sarif),
    ("junit", Kind::Junit),
    ("codequality", Kind::CodeQuality),
    ("terraform", Kind::Terraform),
];

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (kind, file) = text.split_once('=').unwrap_or((text, ""));
        let found = KINDS.iter().find(|(name, _)| *name == kind);
        match found {
            Some((_, kind)) if !file.is_empty() => Ok(Self { kind: *kind, file: file.into() }),
            _ => {
                let names: Vec<String> = KINDS.iter().map(|(it, _)| format!("{it}=FILE")).collect();
                Err(format!("it is one of {}", names.join(", ")))
            }
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = KINDS.iter().find(|(_, kind)| *kind == self.kind).map_or("", |(name, _)| name);
        write!(f, "{name}={}", self.file.display())
    }
}

/// What a run has found so far.
#[derive(Debug, Default)]
pub(super) struct Reports {
    wanted: Vec<Wanted>,
    folder: PathBuf,
    /// Whether a log is read for annotations.
    pub(super) is_actions: bool,
    summary_file: Option<PathBuf>,
    output_file: Option<PathBuf>,
    found: RefCell<Found>,
}

/// Where a stack is written.
pub(super) struct Written {
    /// Its first Compose file.
    pub(super) file: Option<String>,
    /// The names of its services.
    pub(super) services: BTreeMap<String, Located>,
}

impl Written {
    /// The place of a service; that of the stack for anything else.
    fn place(&self, service: &str) -> Option<Place> {
        let whole = || {
            let file = self.file.clone()?;
            Some(Place { file, line: 1, column: 1, end_line: 1, end_column: 1 })
        };
        self.services.get(service).map(place).or_else(whole)
    }
}

fn place(at: &Located) -> Place {
    let (end_line, end_column) =
        super::screen::end_of(&at.source.text, &at.range, at.line, at.column);
    Place {
        file: at.source.name.to_string(),
        line: at.line,
        column: at.column,
        end_line,
        end_column,
    }
}

#[derive(Debug, Default)]
struct Found {
    findings: Vec<Finding>,
    totals: Option<Totals>,
    summary: String,
    outputs: Vec<(String, String)>,
}

impl Reports {
    pub(super) fn new(wanted: &[Wanted], world: &World) -> Self {
        let is_actions = world.variable("GITHUB_ACTIONS") == Some("true");
        let file = |name: &str| world.variable(name).filter(|_| is_actions).map(PathBuf::from);
        Self {
            wanted: wanted.to_vec(),
            folder: world.folder.clone(),
            is_actions,
            summary_file: file("GITHUB_STEP_SUMMARY"),
            output_file: file("GITHUB_OUTPUT"),
            found: RefCell::default(),
        }
    }

    /// Keeps a finding; the same one is kept once.
    pub(super) fn finding(&self, diagnostic: &Diagnostic, sources: &Sources) {
        self.add(Finding {
            level: match diagnostic.severity {
                Severity::Error => Level::Error,
                Severity::Warning => Level::Warning,
            },
            rule: diagnostic.rule.to_owned(),
            message: diagnostic.message.clone(),
            help: diagnostic.help.join("\n"),
            place: diagnostic.primary.as_ref().map(|label| place(&sources.locate(label.span))),
        });
    }

    /// Keeps why the run failed, when no finding says it.
    pub(super) fn failure(&self, message: &str, hint: Option<&str>) {
        let has_errors = self.found.borrow().findings.iter().any(|it| it.level == Level::Error);
        if !has_errors && !message.is_empty() {
            self.add(Finding {
                level: Level::Error,
                rule: "gitdeploy/failed".to_owned(),
                message: message.to_owned(),
                help: hint.unwrap_or_default().to_owned(),
                place: None,
            });
        }
    }

    /// Keeps what a plan says: its numbers, what should be known about it, and how it looks in a
    /// summary. `written` tells where a stack is written; only those are asked for that need it.
    pub(super) fn plan(
        &self,
        plan: &Plan,
        summary: &str,
        sentence: &str,
        written: impl Fn(&StackName) -> Written,
    ) {
        let is_read = self.is_actions || !self.wanted.is_empty();
        for (stack, it) in plan.stacks.iter().filter(|(_, it)| is_read && !it.notes.is_empty()) {
            let written = written(stack);
            for note in &it.notes {
                let of = match note.service.as_str() {
                    "" => stack.to_string(),
                    service => format!("{stack}/{service}"),
                };
                self.add(Finding {
                    level: Level::Warning,
                    rule: "plan/note".to_owned(),
                    message: format!("{of}: {}", note.message),
                    help: String::new(),
                    place: written.place(&note.service),
                });
            }
        }
        let totals = plan.totals();
        let mut found = self.found.borrow_mut();
        found.totals = Some(totals);
        summary.clone_into(&mut found.summary);
        found.outputs = vec![
            ("changes".to_owned(), (!plan.is_empty()).to_string()),
            ("create".to_owned(), totals.create.to_string()),
            ("change".to_owned(), totals.change.to_string()),
            ("remove".to_owned(), totals.remove.to_string()),
            ("summary".to_owned(), sentence.to_owned()),
        ];
    }

    /// A summary without a plan.
    pub(super) fn summary(&self, text: &str) {
        text.clone_into(&mut self.found.borrow_mut().summary);
    }

    fn add(&self, finding: Finding) {
        let mut found = self.found.borrow_mut();
        if !found.findings.contains(&finding) {
            found.findings.push(finding);
        }
    }

    /// Writes everything. Gives what could not be written, and the lines that are for the log.
    pub(super) fn write(&self, command: &str, exit: u8) -> (Vec<String>, Vec<String>) {
        let found = self.found.borrow();
        let mut failed = Vec::new();
        let mut kept = |what: &dyn fmt::Display, done: std::io::Result<()>| {
            if let Err(error) = done {
                failed.push(format!("warning: could not write {what}: {error}"));
            }
        };
        for wanted in &self.wanted {
            let text = found.report(wanted.kind, command, exit);
            kept(wanted, std::fs::write(self.folder.join(&wanted.file), text));
        }
        if let Some(path) = self.summary_file.as_ref().filter(|_| !found.summary.is_empty()) {
            let end = found.summary.floor_char_boundary(SUMMARY_MAX);
            kept(&"the summary", append(path, &format!("{}\n", &found.summary[..end])));
        }
        if let Some(path) = &self.output_file {
            let exit = [("exitcode".to_owned(), exit.to_string())];
            let outputs = found.outputs.iter().chain(&exit);
            let text: String = outputs.map(|(name, value)| report::output(name, value)).collect();
            kept(&"the outputs", append(path, &text));
        }
        let annotations = match self.is_actions {
            true => report::annotations(&found.findings),
            false => Vec::new(),
        };
        (failed, annotations)
    }
}

impl Found {
    fn report(&self, kind: Kind, command: &str, exit: u8) -> String {
        match kind {
            Kind::Sarif => format!("{:#}\n", report::sarif(&self.findings, exit)),
            Kind::Junit => report::junit(&self.findings, command),
            Kind::CodeQuality => format!("{:#}\n", report::code_quality(&self.findings)),
            Kind::Terraform => {
                let totals = self.totals.unwrap_or_default();
                let Totals { create, change, remove } = totals;
                format!("{}\n", json!({"create": create, "update": change, "delete": remove}))
            }
        }
    }
}

fn append(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path)?;
    file.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_written_as_it_is_read() {
        for text in ["sarif=a.sarif", "junit=out/j=1.xml", "codequality=q.json", "terraform=t"] {
            assert_eq!(text.parse::<Wanted>().map(|it| it.to_string()), Ok(text.to_owned()));
        }
        for text in ["sarif", "sarif=", "tap=x", ""] {
            let why = text.parse::<Wanted>().expect_err("no report");
            assert!(why.starts_with("it is one of sarif=FILE, junit=FILE"), "{why}");
        }
    }
}
