//! Finds services that depend on each other in a circle.

use std::collections::BTreeMap;

use crate::diag::Diagnostic;
use crate::yaml::{Map, Node};

/// How far a service has been followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Open,
    Done,
}

/// Reports the first circle that each service leads into.
pub(super) fn check(services: &Map, problems: &mut Vec<Diagnostic>) {
    let mut marks: BTreeMap<&str, Mark> = BTreeMap::new();
    for name in services.keys() {
        if !marks.contains_key(name) {
            follow(services, name, &mut marks, problems);
        }
    }
}

fn dependencies<'a>(services: &'a Map, name: &str) -> Vec<&'a str> {
    let depends_on = services.get(name).and_then(|service| service.get("depends_on"));
    let names = depends_on.and_then(Node::as_map).into_iter().flat_map(Map::keys);
    names.filter(|name| services.get(name).is_some()).collect()
}

/// Walks in depth, with a stack of its own: chains can be as long as there are services.
fn follow<'a>(
    services: &'a Map,
    start: &'a str,
    marks: &mut BTreeMap<&'a str, Mark>,
    problems: &mut Vec<Diagnostic>,
) {
    marks.insert(start, Mark::Open);
    let mut path = vec![(start, dependencies(services, start))];
    while let Some((name, open)) = path.last_mut() {
        let Some(next) = open.pop() else {
            marks.insert(name, Mark::Done);
            path.pop();
            continue;
        };
        match marks.get(next) {
            Some(Mark::Done) => {}
            Some(Mark::Open) => {
                let names: Vec<&str> = path
                    .iter()
                    .map(|(name, _)| *name)
                    .skip_while(|name| *name != next)
                    .chain([next])
                    .collect();
                report(services, &names, problems);
            }
            None => {
                marks.insert(next, Mark::Open);
                path.push((next, dependencies(services, next)));
            }
        }
    }
}

fn report(services: &Map, names: &[&str], problems: &mut Vec<Diagnostic>) {
    let message = format!("services depend on each other in a circle: {}", names.join(" → "));
    let mut problem = Diagnostic::error("compose/dependency-cycle", message);
    let place = names
        .first()
        .and_then(|name| services.get(name))
        .and_then(|service| service.get("depends_on"));
    if let Some(place) = place {
        problem = problem.at(place.span);
    }
    problems.push(problem);
}
