//! The canonical Compose model of a stack as its desired state.
//!
//! What is not chosen here, because it needs the live fleet in view: host, port, image digest.

mod clash;
mod container;
mod contents;
mod extension_name;
mod fields;
mod fit;
mod hash;
mod image;
mod place;
mod places;
mod service;
mod stack;

use std::collections::BTreeMap;

use crate::compose::Project;
use crate::diag::{Diagnostic, Sources};
use crate::files::Files;
use crate::model::{ServiceName, Settled, StackTarget};
use crate::settings::{Inventory, Settings};
use fields::Fields;

pub use clash::{Clashes, Neighbour, clashes};
#[cfg(test)]
pub(crate) use hash::spec_hash;
pub(crate) use hash::{content_digest, tree};
pub use places::Places;

/// What a stack is resolved against.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The files of the commit, rendered.
    pub files: &'a dyn Files,
    /// Where texts are kept that findings point into.
    pub sources: &'a Sources,
    /// The repository's settings.
    pub settings: &'a Settings,
    /// Hosts and proxies.
    pub inventory: &'a Inventory,
}

use place::Place;

/// A stack's desired state, and all that is wrong or odd about it.
///
/// The findings may be warnings only; with an error among them the target lacks a service.
pub fn resolve(
    project: &Project,
    surroundings: &Surroundings<'_>,
) -> (StackTarget, Vec<Diagnostic>) {
    let model = project.model();
    let stack = Fields::of(&model);
    let nodes = project.root.get("services");
    let mut contents = contents::Contents::new(surroundings.files, surroundings.sources);
    let mut problems = Vec::new();
    let mut services = BTreeMap::new();
    extension_name::check_top(&project.root, &mut problems);
    for (name, value) in stack.fields("services").iter() {
        let node = nodes.and_then(|services| services.get(name));
        let place = Place { service: name, node, fallback: project.root.span };
        let fields = Fields::of(value);
        let target =
            service::service(&place, fields, stack, surroundings, &mut contents, &mut problems);
        if let Some(target) = target {
            services.insert(ServiceName::new(name), Box::new(target));
        }
    }
    let named = |(key, value): (&str, &serde_json::Value)| (key.to_owned(), stack::network(value));
    let networks = stack.fields("networks").iter().map(named).collect();
    let named = |(key, value): (&str, &serde_json::Value)| (key.to_owned(), stack::volume(value));
    let volumes = stack.fields("volumes").iter().map(named).collect();
    let files = contents.kept;
    let settled = Settled::default();
    (StackTarget { services, networks, volumes, files, settled }, problems)
}

#[cfg(test)]
mod tests;
