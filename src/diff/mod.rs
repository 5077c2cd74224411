//! Two desired states against each other, field by field.
//!
//! Only what differs is kept. Values that may be secret are marked here, where their names are
//! known, so that no renderer can forget to hide them.

mod fields;
mod sensitive;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::model::{Desired, FileSource, StackName, StackTarget};
use crate::resolve::tree;

pub use fields::{FieldChange, Shown};
use sensitive::is_sensitive_file;
pub(crate) use sensitive::masked;
pub use sensitive::{is_sensitive_name, masked_line};

/// All that differs between two desired states, in the order of the names.
#[derive(Debug, Clone, PartialEq)]
pub struct Differences {
    /// Stacks with at least one difference.
    pub stacks: Vec<StackDifference>,
}

impl Differences {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.stacks.is_empty()
    }

    /// All items of all stacks.
    pub fn items(&self) -> impl Iterator<Item = &ItemDifference> {
        self.stacks.iter().flat_map(|stack| &stack.items)
    }
}

/// What differs in one stack.
#[derive(Debug, Clone, PartialEq)]
pub struct StackDifference {
    /// The stack.
    pub name: StackName,
    /// Whether the stack itself comes, goes or stays.
    pub action: Action,
    /// Its services, networks and volumes that differ.
    pub items: Vec<ItemDifference>,
}

/// Whether something comes, goes or changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is only in the second state.
    Create,
    /// It is in both and differs.
    Update,
    /// It is only in the first state.
    Delete,
}

impl Action {
    /// The sign people know from plans.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Create => "+",
            Self::Update => "~",
            Self::Delete => "-",
        }
    }
}

/// What kind of thing an [`ItemDifference`] is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemKind {
    /// A service.
    Service,
    /// A network.
    Network,
    /// A volume.
    Volume,
}

impl ItemKind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Network => "network",
            Self::Volume => "volume",
        }
    }
}

/// What differs in one service, network or volume.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemDifference {
    /// What it is.
    pub kind: ItemKind,
    /// Its name in the stack.
    pub name: String,
    /// Whether it comes, goes or changes.
    pub action: Action,
    /// Whether its containers are replaced: their specification differs.
    pub replaces: bool,
    /// The fields that differ.
    pub fields: Vec<FieldChange>,
    /// Files that differ, with their contents where these are text.
    pub files: Vec<FileChange>,
}

/// A file of the commit that a service gets, and that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct FileChange {
    /// Its path in the repository, or its place in the Compose file.
    pub path: String,
    /// The content before; `None` when the file is new.
    pub old: Option<Content>,
    /// The content after; `None` when the file is gone.
    pub new: Option<Content>,
}

/// The content of a file as it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// Text; values of telling names are masked.
    Text(String),
    /// Not text, or too large to be compared line by line.
    Opaque,
    /// A secret.
    Hidden,
}

/// Compares two desired states.
pub fn diff<'a>(old: &'a Desired, new: &'a Desired) -> Differences {
    let names: BTreeSet<&StackName> = old.stacks.keys().chain(new.stacks.keys()).collect();
    let stacks = names
        .into_iter()
        .filter_map(|name| {
            let side = |state: &'a Desired| state.stacks.get(name).map(|stack| &**stack);
            stack_difference(name, side(old), side(new))
        })
        .collect();
    Differences { stacks }
}

fn stack_difference(
    name: &StackName,
    old: Option<&StackTarget>,
    new: Option<&StackTarget>,
) -> Option<StackDifference> {
    let action = action(old.is_some(), new.is_some())?;
    let contents = Contents { old: Side(old), new: Side(new) };
    let mut items = Vec::new();
    items.extend(compare(
        ItemKind::Service,
        old.map(|stack| &stack.services),
        new.map(|stack| &stack.services),
        &contents,
    ));
    items.extend(compare(
        ItemKind::Network,
        old.map(|stack| &stack.networks),
        new.map(|stack| &stack.networks),
        &contents,
    ));
    items.extend(compare(
        ItemKind::Volume,
        old.map(|stack| &stack.volumes),
        new.map(|stack| &stack.volumes),
        &contents,
    ));
    let differs = !items.is_empty() || action != Action::Update;
    differs.then(|| StackDifference { name: name.clone(), action, items })
}

struct Contents<'a> {
    old: Side<'a>,
    new: Side<'a>,
}

/// The stack on one side, which has the texts of its files.
#[derive(Clone, Copy)]
struct Side<'a>(Option<&'a StackTarget>);

impl Side<'_> {
    fn show(self, path: &str, digest: &str) -> Content {
        let Some(stack) = self.0 else { return Content::Opaque };
        let content = stack.files.get(digest);
        let text = content.and_then(|content| std::str::from_utf8(content).ok());
        if is_sensitive_file(path, text.unwrap_or_default()) || is_secret(stack, digest) {
            return Content::Hidden;
        }
        match text {
            Some(text) => Content::Text(text.split_inclusive('\n').map(masked_line).collect()),
            None => Content::Opaque,
        }
    }
}

/// Whether the same content is one of the stack's secrets.
fn is_secret(stack: &StackTarget, digest: &str) -> bool {
    let mut mounts = stack.services.values().flat_map(|service| &service.container.secrets);
    mounts.any(
        |mount| matches!(&mount.content, FileSource::Repository { digest: of, .. } if of == digest),
    )
}

fn action(before: bool, after: bool) -> Option<Action> {
    match (before, after) {
        (false, true) => Some(Action::Create),
        (true, true) => Some(Action::Update),
        (true, false) => Some(Action::Delete),
        (false, false) => None,
    }
}

fn compare<K: Ord + ToString, V: Serialize + PartialEq>(
    kind: ItemKind,
    old: Option<&BTreeMap<K, V>>,
    new: Option<&BTreeMap<K, V>>,
    contents: &Contents<'_>,
) -> Vec<ItemDifference> {
    let keys: BTreeSet<&K> = old
        .into_iter()
        .flat_map(BTreeMap::keys)
        .chain(new.into_iter().flat_map(BTreeMap::keys))
        .collect();
    keys.into_iter()
        .filter_map(|key| {
            let (before, after) =
                (old.and_then(|map| map.get(key)), new.and_then(|map| map.get(key)));
            if before == after {
                return None;
            }
            let action = action(before.is_some(), after.is_some())?;
            let (before, after) = (before.map(tree), after.map(tree));
            let (fields, files) = fields::compare(before.as_ref(), after.as_ref());
            let files = files
                .into_iter()
                .map(|file| FileChange {
                    old: file.old.map(|digest| contents.old.show(&file.path, &digest)),
                    new: file.new.map(|digest| contents.new.show(&file.path, &digest)),
                    path: file.path,
                })
                .collect();
            let hash = |side: &Option<serde_json::Value>| {
                side.as_ref().and_then(|item| item.get("spec_hash").cloned())
            };
            Some(ItemDifference {
                kind,
                name: key.to_string(),
                action,
                replaces: action == Action::Update && hash(&before) != hash(&after),
                fields,
                files,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
