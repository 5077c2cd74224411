//! `env_file` and `label_file`: variables and labels that services keep in files.

use std::collections::BTreeMap;
use std::sync::Arc;

use indexmap::IndexMap;

use crate::diag::{Diagnostic, Source, Span};
use crate::files;
use crate::yaml::{Item, Map, Node, Value, text_of};

use super::dotenv::{Assignment, DotenvError, parse_after, parse_raw};
use super::dotenv_files::{fault, unset};
use super::interpolate::Lookup;
use super::loader::Loader;

/// Reads a file of variables, after those read before.
type Parser<'a> = dyn Fn(&str) -> Result<Vec<Assignment>, DotenvError> + 'a;

/// Puts the variables of `env_file` into `environment`, which has the last word.
pub(super) fn resolve(
    loader: &mut Loader<'_>,
    services: &mut Map,
    variables: &BTreeMap<String, String>,
) {
    for item in services.0.values_mut() {
        if let Value::Map(service) = &mut item.node.value {
            service_environment(loader, service, variables);
        }
    }
}

fn service_environment(
    loader: &mut Loader<'_>,
    service: &mut Map,
    variables: &BTreeMap<String, String>,
) {
    if let Some(Node { value: Value::Map(environment), .. }) = service.get_mut("environment") {
        for (name, item) in &mut environment.0 {
            if let (true, Some(value)) = (item.node.is_null(), variables.get(name)) {
                item.node.value = Value::Str(value.clone());
            }
        }
    }
    let Some((index, _, file_item)) = service.0.shift_remove_full("env_file") else { return };
    let own = match service.get("environment") {
        Some(Node { value: Value::Map(environment), .. }) => environment.clone(),
        _ => Map::default(),
    };
    let text = |node: &Node| node.as_str().map(str::to_owned);
    // Earlier files and the service itself can be named in values.
    let mut earlier: IndexMap<String, String> =
        own.iter().filter_map(|(name, item)| Some((name.to_owned(), text(&item.node)?))).collect();
    let lookup = |name: &str| variables.get(name).cloned().or_else(|| own.get(name).and_then(text));
    let mut merged = Map::default();
    for file in file_item.node.as_seq().unwrap_or_default() {
        let variables = variables_of(loader, file, &lookup, &earlier);
        if loader.charge_texts(&variables, file.span).is_err() {
            return;
        }
        for (name, span, value) in variables {
            earlier.insert(name.clone(), value.clone());
            merged.insert(name, span, Node::str(span, value));
        }
    }
    merged.0.extend(own.0);
    if merged.is_empty() {
        return;
    }
    merged.0.sort_unstable_keys();
    match service.get_mut("environment") {
        Some(environment) => environment.value = Value::Map(merged),
        None => {
            let node = Node::new(file_item.node.span, Value::Map(merged));
            let item = Item { key: file_item.key, node };
            service.0.shift_insert(index, "environment".to_owned(), item);
        }
    }
}

fn variables_of(
    loader: &mut Loader<'_>,
    file: &Node,
    lookup: &Lookup<'_>,
    earlier: &IndexMap<String, String>,
) -> Vec<(String, Span, String)> {
    let is_required = file.get("required").is_none();
    let Some(path) = file.get("path").and_then(Node::as_str) else {
        if is_required {
            let message = "the path of the env file is empty";
            loader.problems.push(Diagnostic::error("compose/env-file", message).at(file.span));
        }
        return Vec::new();
    };
    let span = file.get("path").map_or(file.span, |path| path.span);
    match file.get("format").and_then(Node::as_str) {
        None => read(loader, path, span, is_required, &|text| parse_after(text, lookup, earlier)),
        Some(".env") => {
            read(loader, path, span, is_required, &|text| parse_after(text, lookup, earlier))
        }
        Some("raw") => read(loader, path, span, is_required, &|text| parse_raw(text, lookup)),
        Some(other) => {
            let message = format!("`{other}` is no format of an env file");
            loader.problems.push(
                Diagnostic::error("compose/env-file", message)
                    .at(file.get("format").map_or(span, |format| format.span))
                    .did_you_mean(other, ["raw"]),
            );
            Vec::new()
        }
    }
}

/// Puts the labels of `label_file` into `labels`, which has the last word.
pub(super) fn resolve_labels(loader: &mut Loader<'_>, services: &mut Map) {
    for item in services.0.values_mut() {
        if let Value::Map(service) = &mut item.node.value {
            service_labels(loader, service);
        }
    }
}

fn service_labels(loader: &mut Loader<'_>, service: &mut Map) {
    let Some((index, _, file_item)) = service.0.shift_remove_full("label_file") else { return };
    let mut merged = Map::default();
    for file in file_item.node.as_seq().unwrap_or_default() {
        let Some(path) = file.as_str() else { continue };
        let known = merged.clone();
        let lookup =
            |name: &str| known.get(name).and_then(|label| label.as_str().map(str::to_owned));
        let parse = |text: &str| parse_after(text, &lookup, &IndexMap::new());
        let labels = read(loader, path, file.span, true, &parse);
        if loader.charge_texts(&labels, file.span).is_err() {
            return;
        }
        for (name, span, value) in labels {
            merged.insert(name, span, Node::str(span, value));
        }
    }
    if let Some(Node { value: Value::Map(own), .. }) = service.get_mut("labels") {
        merged.0.extend(std::mem::take(&mut own.0));
    }
    merged.0.sort_unstable_keys();
    match service.get_mut("labels") {
        Some(labels) => labels.value = Value::Map(merged),
        None if merged.is_empty() => {}
        None => {
            let node = Node::new(file_item.node.span, Value::Map(merged));
            let item = Item { key: file_item.key, node };
            service.0.shift_insert(index, "labels".to_owned(), item);
        }
    }
}

/// The variables of the file at `path` of the model, with their places.
fn read(
    loader: &mut Loader<'_>,
    path: &str,
    span: Span,
    is_required: bool,
    parse: &Parser<'_>,
) -> Vec<(String, Span, String)> {
    if loader.budget.is_spent() {
        return Vec::new();
    }
    let request = loader.request;
    let place = if request.options.resolve_paths {
        files::clean(path)
    } else {
        files::join(request.project_dir, path)
    };
    if let Some((text, whole)) = loader.texts.get(&place) {
        let (text, whole) = (Arc::clone(text), *whole);
        return assigned(loader, &text, whole, parse);
    }
    let found = if path.is_empty() { Ok(None) } else { request.files.read(&place) };
    let file = match found {
        Ok(Some(file)) => file,
        Ok(None) if !is_required => return Vec::new(),
        Ok(None) => {
            let message = format!("there is no file `{place}`");
            loader.problems.push(Diagnostic::error("compose/no-file", message).at(span));
            return Vec::new();
        }
        Err(error) => {
            let findings = error.findings("compose/read", request.sources);
            loader.problems.extend(findings.into_iter().map(|finding| match finding.primary {
                Some(_) => finding,
                None => finding.at(span),
            }));
            return Vec::new();
        }
    };
    let text = match text_of(&file.content, &file.name) {
        Ok(text) => text,
        Err(problem) => {
            loader.problems.push(problem.at(span));
            return Vec::new();
        }
    };
    let text: Arc<str> = text.into();
    let source = Source { name: file.name, text: Arc::clone(&text), origin: file.origin };
    let whole = Span::new(request.sources.add(source), 0, 0);
    loader.texts.insert(place, (Arc::clone(&text), whole));
    assigned(loader, &text, whole, parse)
}

/// The variables of the text that starts at `whole`, with their places.
fn assigned(
    loader: &mut Loader<'_>,
    text: &str,
    whole: Span,
    parse: &Parser<'_>,
) -> Vec<(String, Span, String)> {
    match parse(text) {
        Ok(assignments) => {
            loader.warnings.extend(unset(&assignments, whole));
            assignments
                .into_iter()
                .filter_map(|assignment| {
                    Some((assignment.key, whole.slice(assignment.range), assignment.value?))
                })
                .collect()
        }
        Err(error) => {
            let sources = loader.request.sources;
            // The text is kept once more, without its values.
            if loader.charge(super::budget::text(text), whole).is_ok() {
                loader.problems.push(fault(&error, text, whole.source, sources));
            }
            Vec::new()
        }
    }
}
