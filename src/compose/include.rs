//! `include`: other projects whose resources become part of this one.
//!
//! An included project is loaded on its own, with its own directory and variables, then each of
//! its resources is laid under those of the including file.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::diag::{Diagnostic, Span};
use crate::files;
use crate::yaml::{Map, Node, Value};

use super::attribute::Place;
use super::dotenv_files;
use super::loader::{DEPTH_MAX, Loader, Scope, Step, Stop};
use super::merge::merge;
use super::remote;
use super::reset::Resets;

/// Sections whose resources are imported.
pub(super) const SECTIONS: [&str; 6] =
    ["services", "volumes", "networks", "secrets", "configs", "models"];

/// One entry of `include`.
struct Entry {
    span: Span,
    paths: Vec<(String, Span)>,
    project_directory: Option<String>,
    env_files: Vec<(String, Span)>,
}

/// Loads what `document` includes and puts it in.
pub(super) fn apply(
    loader: &mut Loader<'_>,
    scope: &Scope,
    document: &mut Node,
    resets: &Resets,
) -> Step {
    let Some(map) = document.as_map_mut() else { return Ok(()) };
    let Some(include) = map.remove("include") else { return Ok(()) };
    let mut outcome = Ok(());
    for entry in entries(loader, include)?.iter().filter(|entry| !entry.paths.is_empty()) {
        let imported = load_entry(loader, scope, entry)
            .and_then(|included| import(loader, included, document, resets));
        if loader.budget.is_spent() {
            return Err(Stop);
        }
        outcome = outcome.and(imported);
    }
    outcome
}

fn entries(loader: &mut Loader<'_>, include: Node) -> Step<Vec<Entry>> {
    let items = match include.value {
        Value::Null => return Ok(Vec::new()),
        Value::Seq(items) => items,
        _ => {
            return loader.stop(
                Diagnostic::error("compose/wrong-kind", "`include` must be a list")
                    .at(include.span),
            );
        }
    };
    let mut entries = Vec::with_capacity(items.len());
    for (index, item) in items.into_iter().enumerate() {
        entries.push(entry(loader, item, index)?);
    }
    Ok(entries)
}

fn entry(loader: &mut Loader<'_>, item: Node, index: usize) -> Step<Entry> {
    let span = item.span;
    let mut entry =
        Entry { span, paths: Vec::new(), project_directory: None, env_files: Vec::new() };
    match &item.value {
        Value::Str(path) => entry.paths.push((path.clone(), span)),
        Value::Map(map) => {
            for (key, item) in map.iter() {
                match key {
                    "path" => entry.paths = strings(&item.node),
                    "env_file" => entry.env_files = strings(&item.node),
                    "project_directory" => {
                        entry.project_directory = item
                            .node
                            .as_str()
                            .filter(|directory| !directory.is_empty())
                            .map(str::to_owned);
                    }
                    _ => {}
                }
            }
            let wrong = map.iter().find_map(|(key, item)| is_wrong(key, &item.node));
            if let Some(problem) = wrong {
                return loader.stop(problem);
            }
        }
        _ => {
            let message = format!("`include[{index}]` must be a path or a mapping");
            return loader.stop(Diagnostic::error("compose/wrong-kind", message).at(span));
        }
    }
    if entry.paths.is_empty() {
        let message = format!("`include[{index}]` has no `path`, so nothing is included");
        loader.warnings.push(Diagnostic::warning("compose/no-path", message).at(span));
    }
    Ok(entry)
}

fn is_wrong(key: &str, node: &Node) -> Option<Diagnostic> {
    const KEYS: [&str; 3] = ["path", "env_file", "project_directory"];
    let is_right = match key {
        "path" | "env_file" => match &node.value {
            Value::Str(_) | Value::Null => true,
            Value::Seq(items) => items.iter().all(|item| item.as_str().is_some()),
            _ => false,
        },
        "project_directory" => matches!(node.value, Value::Str(_) | Value::Null),
        _ => return None,
    };
    (!is_right).then(|| {
        let wanted = if key == KEYS[2] { "a string" } else { "a string or a list of strings" };
        Diagnostic::error("compose/wrong-kind", format!("`{key}` must be {wanted}")).at(node.span)
    })
}

fn strings(node: &Node) -> Vec<(String, Span)> {
    match &node.value {
        Value::Str(text) => vec![(text.clone(), node.span)],
        Value::Seq(items) => items
            .iter()
            .filter_map(|item| item.as_str().map(|text| (text.to_owned(), item.span)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Map(_) => {
            Vec::new()
        }
    }
}

fn load_entry(loader: &mut Loader<'_>, scope: &Scope, entry: &Entry) -> Step<Node> {
    let mut paths = Vec::with_capacity(entry.paths.len());
    for (path, span) in &entry.paths {
        remote::refuse(loader, path, *span)?;
        paths.push((files::join(&scope.dir, path), Some(*span)));
    }
    let first = &paths[0].0;
    if scope.chain.contains(first) {
        let message = format!("`{first}` includes itself: {} → {first}", scope.chain.join(" → "));
        return loader.stop(Diagnostic::error("compose/include-cycle", message).at(entry.span));
    }
    if scope.chain.len() > DEPTH_MAX {
        let message = format!("files include each other more than {DEPTH_MAX} levels deep");
        return loader.stop(Diagnostic::error("compose/include-cycle", message).at(entry.span));
    }
    // A path that leads nowhere is reported itself, not the `.env` beside it.
    loader.is_file(first, entry.paths[0].1)?;
    let (dir, shown_dir) = match &entry.project_directory {
        None => {
            let dir = files::parent(first).to_owned();
            let shown = relative(&scope.dir, &dir);
            (dir, shown)
        }
        Some(directory) if directory.starts_with('/') => {
            (files::clean(directory), files::clean(directory))
        }
        Some(directory) => {
            let dir = files::join(&scope.dir, directory);
            let is_there = loader.is_directory(&dir);
            let seen = if is_there { dir.as_str() } else { files::parent(&dir) };
            let shown = relative(&scope.dir, seen);
            (dir, shown)
        }
    };
    let variables = variables(loader, scope, entry, &dir)?;
    let inner = Scope { dir, shown_dir, variables, chain: scope.chain.clone(), is_project: false };
    loader.load_set(&inner, &paths)
}

/// The variables of the including project and, where those lack one, of the included.
fn variables(
    loader: &mut Loader<'_>,
    scope: &Scope,
    entry: &Entry,
    dir: &str,
) -> Step<Rc<BTreeMap<String, String>>> {
    let mut paths = Vec::new();
    if entry.env_files.is_empty() {
        let path = files::join(dir, ".env");
        if loader.is_file(&path, entry.span)? {
            paths.push(path);
        }
    }
    for (path, span) in &entry.env_files {
        if path == "/dev/null" {
            continue;
        }
        let path = files::join(&scope.dir, path);
        if !loader.is_file(&path, *span)? {
            let message = format!("there is no file `{path}`");
            return loader.stop(Diagnostic::error("compose/no-file", message).at(*span));
        }
        paths.push(path);
    }
    if paths.is_empty() {
        return Ok(Rc::clone(&scope.variables));
    }
    let request = loader.request;
    match dotenv_files::load(request.files, request.sources, &paths, &scope.variables) {
        Ok(loaded) => {
            loader.warnings.extend(loaded.warnings);
            let mut variables = loaded.variables;
            variables
                .extend(scope.variables.iter().map(|(key, value)| (key.clone(), value.clone())));
            Ok(Rc::new(variables))
        }
        Err(problems) => {
            loader.problems.extend(problems);
            Err(Stop)
        }
    }
}

/// Lays the resources of `included` under those of `document`.
fn import(loader: &mut Loader<'_>, included: Node, document: &mut Node, resets: &Resets) -> Step {
    let span = included.span;
    let Value::Map(mut included) = included.value else { return Ok(()) };
    let Value::Map(document) = &mut document.value else { return Ok(()) };
    let root = Place::root();
    for section in SECTIONS {
        let Some(Node { value: Value::Map(from), .. }) = included.remove(section) else { continue };
        if document.get(section).is_none_or(Node::is_null) {
            document.insert(section, span, Node::new(span, Value::Map(Map::default())));
        }
        let place = root.key(section);
        let Some(Node { value: Value::Map(into), .. }) = document.get_mut(section) else {
            let message = format!("`{section}` must be a mapping");
            return loader.stop(Diagnostic::error("compose/wrong-kind", message).at(span));
        };
        for (name, mut item) in from.0 {
            let Some(own) = into.0.get_mut(&name) else {
                into.0.insert(name, item);
                continue;
            };
            resets.apply_below(&[section, &name], &mut item.node);
            let own_node = std::mem::replace(&mut own.node, Node::new(span, Value::Null));
            match merge(item.node, own_node, &place.key(&name)) {
                Ok(merged) => own.node = merged,
                Err(problem) => return loader.stop(problem),
            }
        }
    }
    Ok(())
}

/// How `target` is reached from `base`; both are clean, and either both absolute or neither.
pub(super) fn relative(base: &str, target: &str) -> String {
    if target.starts_with('/') != base.starts_with('/') {
        return target.to_owned();
    }
    let parts = |path: &str| -> Vec<String> {
        path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    let (base, target) = (parts(base), parts(target));
    let common = base.iter().zip(&target).take_while(|(a, b)| a == b).count();
    let up = std::iter::repeat_n("..", base.len() - common);
    let path: Vec<&str> = up.chain(target[common..].iter().map(String::as_str)).collect();
    if path.is_empty() { ".".to_owned() } else { path.join("/") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_are_seen_from_each_other() {
        assert_eq!(relative("/a/b", "/a/b"), ".");
        assert_eq!(relative("/a/b", "/a/b/c/d"), "c/d");
        assert_eq!(relative("/a/b", "/a/x"), "../x");
        assert_eq!(relative("", "lib"), "lib");
        assert_eq!(relative("stacks/shop", ""), "../..");
    }
}
