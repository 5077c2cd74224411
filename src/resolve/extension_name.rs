//! `x-gitdeploy` misspelt or misplaced. Compose allows any `x-` key, so it would be ignored in
//! silence, and with it the routes.

use super::Place;
use crate::diag::{Diagnostic, edits};
use crate::yaml::Node;

const KEY: &str = "x-gitdeploy";

/// As many slips make one name of another.
const EDITS_MAX: usize = 2;

/// Warns of keys of a service that look like the one meant.
pub(super) fn check_service(place: &Place<'_>, problems: &mut Vec<Diagnostic>) {
    let extensions = place.node.and_then(|node| node.get("#extensions")).and_then(Node::as_map);
    for (key, item) in extensions.into_iter().flat_map(|map| map.iter()) {
        if key != KEY && is_near(key) {
            let message = format!("`{key}` of service `{}` has no effect", place.service);
            let problem = Diagnostic::warning("resolve/extension-typo", message).at(item.key);
            problems.push(problem.help(format!("did you mean `{KEY}`?")));
        }
    }
}

/// Warns of keys at the top of a Compose file that belong into a service.
pub(super) fn check_top(root: &Node, problems: &mut Vec<Diagnostic>) {
    for (key, item) in
        root.get("#extensions").and_then(Node::as_map).into_iter().flat_map(|map| map.iter())
    {
        if is_near(key) {
            let message = format!("`{key}` has no effect here");
            let problem = Diagnostic::warning("resolve/extension-typo", message).at(item.key);
            problems.push(problem.help(format!("`{KEY}` belongs into a service")));
        }
    }
}

fn is_near(key: &str) -> bool {
    edits(&key.to_lowercase(), KEY) <= EDITS_MAX
}
