//! What a template sees besides its own text.
//!
//! Values and hosts come ready made and are shared: a context costs a few small allocations,
//! however large the values are and however many stacks are rendered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use minijinja::Value;
use minijinja::value::{Enumerator, Object, ObjectRepr};
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
    /// The root of all lookups. `asked` is set once a template looks at `commit`.
    pub(super) fn root(&self, asked: &Arc<AtomicBool>) -> Value {
        let Self { values, environment, stack, commit, hosts } = self;
        let commit = WatchedCommit { info: Arc::clone(commit), asked: Arc::clone(asked) };
        Value::from_pairs([
            ("values", values.clone()),
            ("environment", Value::from(environment.as_str())),
            ("stack", Value::from(stack.as_str())),
            ("commit", Value::from_object(commit)),
            ("hosts", hosts.clone()),
        ])
    }
}

/// `commit`, which takes note of being looked at.
///
/// A stack whose templates never ask for the commit comes out the same at the next one.
#[derive(Debug)]
struct WatchedCommit {
    info: Arc<CommitInfo>,
    asked: Arc<AtomicBool>,
}

const COMMIT_KEYS: &[&str] = &["hash", "short", "subject"];

impl Object for WatchedCommit {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.asked.store(true, Ordering::Relaxed);
        let CommitInfo { hash, short, subject } = &*self.info;
        match key.as_str()? {
            "hash" => Some(Value::from(hash.as_str())),
            "short" => Some(Value::from(short.as_str())),
            "subject" => Some(Value::from(subject.as_str())),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        self.asked.store(true, Ordering::Relaxed);
        Enumerator::Str(COMMIT_KEYS)
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
