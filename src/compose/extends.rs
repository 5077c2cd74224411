//! `extends`: a service that starts from another one, of the same file or of another.
//!
//! A service is resolved from its base upwards without changing the file it stands in, so the
//! order of services does not matter and a base can serve any number of them.

use std::rc::Rc;

use crate::diag::{Diagnostic, Span};
use crate::files;
use crate::yaml::{Item, Map, Node, Value};

use super::attribute::Place;
use super::budget;
use super::include::relative;
use super::loader::{DEPTH_MAX, Loader, Scope, Step, Stop};
use super::merge::merge;
use super::paths::{Base, PathStyle};
use super::remote;
use super::reset::Resets;

/// A file whose services are extended, ready to be merged with.
#[derive(Debug)]
pub(super) struct BaseFile {
    /// The path it was read from.
    path: String,
    services: Map,
    resets: Resets,
}

/// Where a service that is being resolved stands.
struct Home<'a> {
    path: &'a str,
    services: &'a Map,
    resets: &'a Resets,
}

/// What a service says of its base.
struct Extends {
    service: String,
    file: Option<(String, Span)>,
    span: Span,
    /// Where the name of the base stands.
    service_span: Span,
}

/// Replaces every service of `document` that extends another by the outcome.
pub(super) fn apply(
    loader: &mut Loader<'_>,
    scope: &Scope,
    path: &str,
    document: &mut Node,
    resets: &Resets,
) -> Step {
    let services = match document.as_map().and_then(|map| map.0.get("services")) {
        None => return Ok(()),
        Some(Item { node: Node { value: Value::Map(services), .. }, .. }) => services,
        Some(Item { key, node }) => {
            let message = format!("`services` must be a mapping, not {}", node.kind());
            return loader.stop(Diagnostic::error("compose/wrong-kind", message).at(*key));
        }
    };
    let home = Home { path, services, resets };
    let mut resolved = Vec::new();
    for (name, item) in services.iter() {
        if item.node.get("extends").is_some() {
            let earlier = loader.problems.len();
            let outcome = resolve(loader, scope, &home, name, &item.node, &mut Vec::new());
            if is_circle(&loader.problems[earlier..]) {
                return Err(Stop);
            }
            loader.settle(earlier)?;
            if let Ok(service) = outcome {
                resolved.push((name.to_owned(), service));
            }
        }
    }
    if let Some(Node { value: Value::Map(services), .. }) =
        document.as_map_mut().and_then(|map| map.get_mut("services"))
    {
        for (name, service) in resolved {
            if let Some(node) = services.get_mut(&name) {
                *node = service;
            }
        }
    }
    Ok(())
}

fn is_circle(problems: &[Diagnostic]) -> bool {
    problems.iter().any(|problem| problem.rule == "compose/extends-cycle")
}

/// The service `name` of `home` with all it extends; `chain` has the services below it.
fn resolve(
    loader: &mut Loader<'_>,
    scope: &Scope,
    home: &Home<'_>,
    name: &str,
    service: &Node,
    chain: &mut Vec<(String, String)>,
) -> Step<Node> {
    loader.charge(budget::size(service), service.span)?;
    let Some(extends) = extends_of(loader, service, name)? else { return Ok(service.clone()) };
    let link = (home.path.to_owned(), name.to_owned());
    if chain.contains(&link) {
        let names: Vec<String> =
            chain.iter().chain([&link]).map(|(file, name)| format!("{name} ({file})")).collect();
        let message = format!("services extend each other in a circle: {}", names.join(" → "));
        return loader.stop(Diagnostic::error("compose/extends-cycle", message).at(extends.span));
    }
    if chain.len() > DEPTH_MAX {
        let message = format!("services extend each other more than {DEPTH_MAX} levels deep");
        return loader.stop(Diagnostic::error("compose/extends-cycle", message).at(extends.span));
    }
    chain.push(link);
    let mut base = match &extends.file {
        None => {
            let base = base_service(loader, home.services, &extends, name, home.path)?;
            resolve(loader, scope, home, &extends.service, base, chain)?
        }
        Some((path, span)) => {
            let file = base_file(loader, scope, path, *span)?;
            let base = base_service(loader, &file.services, &extends, name, path)?;
            let other = Home { path: &file.path, services: &file.services, resets: &file.resets };
            resolve(loader, scope, &other, &extends.service, base, chain)?
        }
    };
    chain.pop();
    if base.is_null() {
        return Ok(service.clone());
    }
    home.resets.apply_below(&["services", name], &mut base);
    let mut own = service.clone();
    let root = Place::root();
    let services = root.key("services");
    if let Value::Map(own) = &mut own.value {
        own.remove("extends");
    }
    if let Value::Map(base) = &mut base.value {
        base.remove("extends");
    }
    match merge(base, own, &services.key(name)) {
        Ok(merged) => Ok(merged),
        Err(problem) => loader.stop(problem),
    }
}

fn extends_of(loader: &mut Loader<'_>, service: &Node, name: &str) -> Step<Option<Extends>> {
    let map = match &service.value {
        Value::Null => return Ok(None),
        Value::Map(map) => map,
        _ => {
            let message = format!("`services.{name}` must be a mapping, not {}", service.kind());
            return loader.stop(Diagnostic::error("compose/wrong-kind", message).at(service.span));
        }
    };
    let Some(extends) = map.get("extends") else { return Ok(None) };
    let span = extends.span;
    match &extends.value {
        Value::Str(base) => {
            Ok(Some(Extends { service: base.clone(), file: None, span, service_span: span }))
        }
        Value::Map(map) => {
            let Some(Node { value: Value::Str(base), span: service_span, .. }) = map.get("service")
            else {
                let message = format!("`services.{name}.extends` needs the key `service`");
                return loader.stop(Diagnostic::error("compose/missing-key", message).at(span));
            };
            let file = match map.get("file") {
                None => None,
                Some(Node { value: Value::Null, .. }) => None,
                Some(Node { value: Value::Str(path), span, .. }) => Some((path.clone(), *span)),
                Some(other) => {
                    let message = format!("`services.{name}.extends.file` must be a string");
                    return loader
                        .stop(Diagnostic::error("compose/wrong-kind", message).at(other.span));
                }
            };
            Ok(Some(Extends { service: base.clone(), file, span, service_span: *service_span }))
        }
        _ => {
            let message = format!("`services.{name}.extends` must be a string or a mapping");
            loader.stop(Diagnostic::error("compose/wrong-kind", message).at(span))
        }
    }
}

fn base_service<'a>(
    loader: &mut Loader<'_>,
    services: &'a Map,
    extends: &Extends,
    name: &str,
    path: &str,
) -> Step<&'a Node> {
    if let Some(base) = services.get(&extends.service) {
        return Ok(base);
    }
    let base = &extends.service;
    let message = format!("`{name}` extends `{base}`, which is no service of `{path}`");
    loader.stop(
        Diagnostic::error("compose/extends", message)
            .at(extends.service_span)
            .did_you_mean(base, services.keys()),
    )
}

/// The file at `path`, seen from the project's directory; each is read once for a project.
fn base_file(loader: &mut Loader<'_>, scope: &Scope, path: &str, span: Span) -> Step<Rc<BaseFile>> {
    remote::refuse(loader, path, span)?;
    let full = files::join(&scope.dir, path);
    let key = (scope.dir.clone(), Rc::as_ptr(&scope.variables) as usize, full.clone());
    if let Some(known) = loader.base_files.get(&key) {
        return known.clone().ok_or(Stop);
    }
    let file = read_base(loader, scope, path, full, span);
    loader.base_files.insert(key, file.as_ref().ok().cloned());
    file
}

fn read_base(
    loader: &mut Loader<'_>,
    scope: &Scope,
    path: &str,
    full: String,
    span: Span,
) -> Step<Rc<BaseFile>> {
    let (mut document, resets) = loader.load_base(scope, &full, span)?;
    let dir = relative(&scope.dir, files::parent(&full));
    let base = Base { dir: &dir, style: PathStyle::Joined, home: loader.request.home };
    let earlier = loader.problems.len();
    base.resolve(&mut document, &Place::root(), &mut loader.problems);
    loader.settle(earlier)?;
    let services = document.as_map_mut().and_then(|map| map.remove("services"));
    let Some(Node { value: Value::Map(services), .. }) = services else {
        let message = format!("`{path}` has no services that could be extended");
        return loader.stop(Diagnostic::error("compose/extends", message).at(span));
    };
    Ok(Rc::new(BaseFile { path: full, services, resets }))
}
