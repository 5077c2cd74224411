//! Tests of templates as their authors meet them.

mod bounds;
mod errors;
mod places;
mod reading;

use std::fmt::Write as _;
use std::sync::Arc;

use minijinja::Value;

use super::{CommitInfo, Context, Engine, Rendered};
use crate::files::{FileError, Files, Memory, Report};

/// A context with a bit of everything.
pub(super) fn context() -> Context {
    let values = serde_json::json!({
        "image": "nginx",
        "replicas": 3,
        "database": {"host": "db", "port": 5432},
        "labels": {"a": "b", "c": "d"},
        "services": [{"name": "web", "port": 80}, {"name": "api", "port": 81}, {"name": "job", "port": 82}],
    });
    let hosts = serde_json::json!({"web-1": {"name": "web-1", "labels": {"zone": "a"}, "address": "10.0.0.11"}});
    Context {
        values: Value::from(minijinja::value::Serde(values)),
        environment: "production".to_owned(),
        stack: "shop".to_owned(),
        commit: Arc::new(CommitInfo {
            hash: "3f2a1c9d".to_owned(),
            short: "3f2a1c9".to_owned(),
            ..CommitInfo::default()
        }),
        hosts: Value::from(minijinja::value::Serde(hosts)),
    }
}

/// Findings as text: place, marked text, message, related places, help.
pub(super) fn shown(report: &Report) -> String {
    let mut out = String::new();
    for diagnostic in &report.diagnostics {
        let mut line = |prefix: &str, label: &crate::diag::Label| {
            let place = report.sources.locate(label.span);
            let text = report.sources.slice(label.span);
            writeln!(out, "{prefix}{place} `{text}` {}", label.text).expect("text");
        };
        if let Some(label) = &diagnostic.primary {
            line("", label);
        }
        for label in &diagnostic.related {
            line("see ", label);
        }
        writeln!(out, "{}: {}", diagnostic.rule, diagnostic.message).expect("text");
        for help in &diagnostic.help {
            writeln!(out, "help: {help}").expect("text");
        }
    }
    out.lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

/// The file `path` of `tree` as text, or what is wrong.
pub(super) fn read(tree: &Memory, path: &str) -> Result<String, String> {
    match Rendered::new(tree, &Engine::new(), &context()).read(path) {
        Ok(Some(file)) => Ok(String::from_utf8(file.content.to_vec()).expect("text")),
        Ok(None) => Err("nothing".to_owned()),
        Err(FileError::Template { report, .. }) => Err(shown(&report)),
        Err(error) => Err(error.to_string()),
    }
}

/// `source` as the file `t.j2`.
pub(super) fn render(source: &str) -> Result<String, String> {
    read(&Memory::new().with("t.j2", source), "t")
}
