//! What a template sees besides its own text.
//!
//! Values and hosts come ready made and are shared: a context costs a few small allocations,
//! however large the values are and however many stacks are rendered.

use std::sync::Arc;

use minijinja::Value;
use serde::Serialize;

use crate::yaml;

/// The commit that is rendered, as templates see it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CommitInfo {
    /// The whole hash; empty for an uncommitted tree.
    pub hash: String,
    /// The hash as people write it.
    pub short: String,
    /// The first line of the message.
    pub subject: String,
    /// The branch or tag that was asked for, if any.
    pub reference: String,
}

/// The names a template starts with.
#[derive(Debug, Clone)]
pub struct Context {
    /// `values`: what the environment's values files say.
    pub values: Value,
    /// `environment`: its name.
    pub environment: String,
    /// `stack`: its name.
    pub stack: String,
    /// `commit`: what is rendered.
    pub commit: Arc<CommitInfo>,
    /// `hosts`: the inventory's hosts, each with `name`, `labels` and `address`.
    pub hosts: Value,
}

impl Context {
    /// The root of all lookups.
    pub(super) fn root(&self) -> Value {
        let Self { values, environment, stack, commit, hosts } = self;
        let commit = Value::from_pairs([
            ("hash", Value::from(commit.hash.as_str())),
            ("short", Value::from(commit.short.as_str())),
            ("subject", Value::from(commit.subject.as_str())),
            ("reference", Value::from(commit.reference.as_str())),
        ]);
        Value::from_pairs([
            ("values", values.clone()),
            ("environment", Value::from(environment.as_str())),
            ("stack", Value::from(stack.as_str())),
            ("commit", commit),
            ("hosts", hosts.clone()),
        ])
    }
}

/// A YAML value as templates see it; mappings keep their order.
pub fn node_value(node: &yaml::Node) -> Value {
    match &node.value {
        yaml::Value::Null => Value::from(()),
        yaml::Value::Bool(value) => Value::from(*value),
        yaml::Value::Int(value) => Value::from(*value),
        yaml::Value::Float(value) => Value::from(*value),
        yaml::Value::Str(value) => Value::from(value.as_str()),
        yaml::Value::Seq(items) => items.iter().map(node_value).collect(),
        yaml::Value::Map(map) => {
            Value::from_pairs(map.iter().map(|(key, item)| (key, node_value(&item.node))))
        }
    }
}
