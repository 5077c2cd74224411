//! Where a value of a stack came from, step by step: Compose file, template, values file, `.env`.
//!
//! Nothing is recorded while rendering for this. The value knows its place; the place in a
//! template is an expression, which names values; the text of a scalar names variables.

use std::collections::BTreeSet;

use super::Snapshot;
use crate::compose::{Options, dotenv, interpolate};
use crate::diag::{Located, Source, Sources, Span};
use crate::files::{Files, join};
use crate::model::StackName;
use crate::yaml::{self, Node, Value};

/// One step back on the way a value came.
#[derive(Debug, Clone)]
pub struct Whence {
    /// What stands there, in words: "set here", "`values.web.tag`".
    pub what: String,
    /// Where.
    pub at: Located,
}

impl Snapshot {
    /// The places that made the value at `path` of a stack (`services`, `web`, `image`) what it is:
    /// the Compose file or template first, then what that names. Empty when there is no such value.
    pub fn whence(&self, stack: &StackName, path: &[&str]) -> Vec<Whence> {
        let is_meant = |model: &super::StackModel| model.name == *stack;
        let model = self.models(Options::default()).into_iter().find(is_meant);
        let Some((project, sources)) =
            model.and_then(|model| Some((model.project?, model.report.sources)))
        else {
            return Vec::new();
        };
        let Some(node) = descend(&project.root, path) else { return Vec::new() };
        let at = sources.locate(node.span);
        let written = at.source.text.get(at.range.clone()).unwrap_or_default().to_owned();
        let rendered = sources.slice(node.span);
        let mut steps = vec![Whence { what: "set here".into(), at }];
        steps.extend(self.values_named(&written));
        steps.extend(self.variables_named(stack, &rendered));
        steps
    }

    /// The places of `values.a.b` that an expression names.
    fn values_named(&self, expression: &str) -> Vec<Whence> {
        let names: BTreeSet<&str> = expression
            .split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-')))
            .filter_map(|word| word.strip_prefix("values."))
            .collect();
        names
            .into_iter()
            .filter_map(|name| {
                let span = self.value_places.whence(name)?;
                let at = self.warnings.sources.locate(span);
                Some(Whence { what: format!("`values.{name}`"), at })
            })
            .collect()
    }

    /// The lines of the stack's `.env` with the variables that a text names.
    fn variables_named(&self, stack: &StackName, text: &str) -> Vec<Whence> {
        let names: BTreeSet<String> =
            interpolate::variables(text).into_iter().map(|mention| mention.name).collect();
        let folder = self.folders.iter().find(|folder| folder.name.as_str() == stack.as_str());
        let (Some(folder), false) = (folder, names.is_empty()) else { return Vec::new() };
        let Ok(files) = self.tree().files() else { return Vec::new() };
        env_lines(&*files, &join(&folder.dir, ".env"), &names)
    }
}

fn env_lines(files: &dyn Files, path: &str, names: &BTreeSet<String>) -> Vec<Whence> {
    let Ok(Some(file)) = files.read(path) else { return Vec::new() };
    let Ok(text) = yaml::text_of(&file.content, path) else { return Vec::new() };
    let sources = Sources::default();
    let id = sources.add(Source::verbatim(path, text.as_str()));
    let assignments = dotenv::parse(&text, &|_| None).unwrap_or_default();
    assignments
        .into_iter()
        .filter(|assignment| names.contains(&assignment.key))
        .map(|assignment| Whence {
            what: format!("`${{{}}}`", assignment.key),
            at: sources.locate(Span::new(id, assignment.range.start, assignment.range.end)),
        })
        .collect()
}

fn descend<'a>(root: &'a Node, path: &[&str]) -> Option<&'a Node> {
    path.iter().try_fold(root, |node, part| match &node.value {
        Value::Map(map) => map.get(part),
        Value::Seq(items) => items.get(part.parse::<usize>().ok()?),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => None,
    })
}
