//! Where a value of a stack came from, step by step: Compose file, template, values file, `.env`.
//!
//! Nothing is recorded while rendering for this. The value knows its place; the place in a
//! template is an expression, which names values; the text of a scalar names variables. What a
//! template computes (`set`, loops, arguments of macros) is followed no further than its expression.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Snapshot;
use super::stack::Stacks;
use crate::compose::{Options, dotenv, interpolate};
use crate::diag::{Located, Source, Sources, Span};
use crate::files::Files;
use crate::model::StackName;
use crate::settings::{StackFolder, Values};
use crate::template::{Engine, Rendered};
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
        let folder = self.folders.iter().find(|folder| folder.name.as_str() == stack.as_str());
        let (Some(folder), Ok(files)) = (folder, self.tree().files()) else { return Vec::new() };
        let (engine, commit) = (Engine::new(), Arc::new(self.commit_info()));
        let stacks = self.stacks(&engine, &commit);
        let model = stacks.model(files, folder, Options::default());
        let (Some(project), sources) = (model.project, model.report.sources) else {
            return Vec::new();
        };
        let Some(node) = descend(&project.root, path) else { return Vec::new() };
        let at = sources.locate(node.span);
        let written = at.source.text.get(at.range.clone()).unwrap_or_default().to_owned();
        let mut steps = vec![Whence { what: "set here".into(), at }];
        steps.extend(values_named(&written, &self.value_places, &self.warnings.sources));
        let rendered = sources.slice(node.span);
        steps.extend(variables_named(&rendered, &stacks, files, folder));
        steps
    }
}

impl Snapshot {
    /// Where the services of a stack are written: their names in its Compose files, or what stands
    /// for them in a template. Empty when the stack cannot be read.
    pub fn services_written(&self, stack: &StackName) -> BTreeMap<String, Located> {
        let folder = self.folders.iter().find(|folder| folder.name.as_str() == stack.as_str());
        let (Some(folder), Ok(files)) = (folder, self.tree().files()) else {
            return BTreeMap::new();
        };
        let (engine, commit) = (Engine::new(), Arc::new(self.commit_info()));
        let model = self.stacks(&engine, &commit).model(files, folder, Options::default());
        let (Some(project), sources) = (model.project, model.report.sources) else {
            return BTreeMap::new();
        };
        let services = project.root.get("services").and_then(Node::as_map);
        let services = services.into_iter().flat_map(yaml::Map::iter);
        services.map(|(name, item)| (name.to_owned(), sources.locate(item.key))).collect()
    }
}

/// The places of the `values.a.b` that an expression names.
pub(super) fn values_named(expression: &str, values: &Values, sources: &Sources) -> Vec<Whence> {
    let names: BTreeSet<String> = expression
        .replace(['[', ']', '"', '\''], ".")
        .split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-')))
        .filter_map(|word| word.strip_prefix("values."))
        .map(|path| path.split('.').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("."))
        .collect();
    names
        .into_iter()
        .filter_map(|name| {
            let at = sources.locate(values.whence(&name)?);
            Some(Whence { what: format!("`values.{name}`"), at })
        })
        .collect()
}

/// The lines of variable files that set what a text names. A variable that `pass_env` lets in has
/// no line: the process says what it is.
fn variables_named(
    text: &str,
    stacks: &Stacks<'_>,
    files: &dyn Files,
    folder: &StackFolder,
) -> Vec<Whence> {
    let is_passed = |name: &String| {
        let mut passed = stacks.settings.pass_env.iter();
        passed.any(|known| known.value == *name) && stacks.choice.variables.contains_key(name)
    };
    let names: BTreeSet<String> = interpolate::variables(text)
        .into_iter()
        .map(|mention| mention.name)
        .filter(|name| !is_passed(name))
        .collect();
    if names.is_empty() {
        return Vec::new();
    }
    let context = stacks.context(folder);
    let rendered = Rendered::new(files, stacks.engine, &context);
    let paths = stacks.variable_files(&rendered, folder);
    let lines: Vec<Whence> =
        paths.iter().flat_map(|path| env_lines(&rendered, path, &names)).collect();
    // Of several files, the last one that sets a variable wins.
    let last = |name: &String| lines.iter().rev().find(|line| line.what == variable(name));
    names.iter().filter_map(last).cloned().collect()
}

fn variable(name: &str) -> String {
    format!("`${{{name}}}`")
}

fn env_lines(files: &dyn Files, path: &str, names: &BTreeSet<String>) -> Vec<Whence> {
    let Ok(Some(file)) = files.read(path) else { return Vec::new() };
    let Ok(text) = yaml::text_of(&file.content, path) else { return Vec::new() };
    let sources = Sources::default();
    let source = Source { name: file.name, text: text.as_str().into(), origin: file.origin };
    let id = sources.add(source);
    let assignments = dotenv::parse(&text, &|_| None).unwrap_or_default();
    assignments
        .into_iter()
        .filter(|assignment| names.contains(&assignment.key))
        .map(|assignment| Whence {
            what: variable(&assignment.key),
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
