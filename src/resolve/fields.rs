//! Reads the canonical Compose model, whose every field has one kind only.
//!
//! The model was checked and brought to one form before, so a field of another kind cannot occur;
//! it would read as absent.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::compose::forms;
use crate::model::{Bytes, NanoCpus, Nanos};

/// A mapping of the canonical model.
#[derive(Clone, Copy)]
pub(super) struct Fields<'a>(Option<&'a Map<String, Value>>);

impl<'a> Fields<'a> {
    pub(super) fn of(value: &'a Value) -> Self {
        Self(value.as_object())
    }

    pub(super) fn get(self, key: &str) -> Option<&'a Value> {
        self.0?.get(key).filter(|value| !value.is_null())
    }

    pub(super) fn fields(self, key: &str) -> Self {
        Self(self.get(key).and_then(Value::as_object))
    }

    pub(super) fn is_there(self) -> bool {
        self.0.is_some()
    }

    pub(super) fn iter(self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.0.into_iter().flatten().map(|(key, value)| (key.as_str(), value))
    }

    pub(super) fn text(self, key: &str) -> Option<String> {
        self.get(key).and_then(text_of).filter(|text| !text.is_empty())
    }

    pub(super) fn flag(self, key: &str) -> Option<bool> {
        self.get(key)?.as_bool()
    }

    pub(super) fn int(self, key: &str) -> Option<i64> {
        int_of(self.get(key)?)
    }

    pub(super) fn count(self, key: &str) -> Option<u64> {
        u64::try_from(self.int(key)?).ok()
    }

    pub(super) fn float(self, key: &str) -> Option<f64> {
        let value = self.get(key)?;
        value.as_f64().or_else(|| value.as_str()?.parse().ok())
    }

    /// A duration such as `1m30s`.
    pub(super) fn nanos(self, key: &str) -> Option<Nanos> {
        let duration = forms::duration(self.get(key)?.as_str()?).ok()?;
        u64::try_from(duration.nanos()).ok().map(Nanos)
    }

    /// A share of processors such as `0.5`; 0 means that nothing is said.
    pub(super) fn cpus(self, key: &str) -> Option<NanoCpus> {
        let cpus = self.float(key)?;
        #[expect(clippy::cast_possible_truncation, reason = "float to int casts saturate")]
        let nano = (cpus * 1e9).round() as i64;
        (nano != 0).then_some(NanoCpus(nano))
    }

    /// An amount of memory.
    pub(super) fn bytes(self, key: &str) -> Option<Bytes> {
        self.int(key).map(Bytes)
    }

    pub(super) fn texts(self, key: &str) -> Vec<String> {
        self.list(key).iter().filter_map(text_of).collect()
    }

    pub(super) fn list(self, key: &str) -> &'a [Value] {
        self.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// A mapping from names to texts.
    pub(super) fn pairs(self, key: &str) -> BTreeMap<String, String> {
        self.fields(key)
            .iter()
            .map(|(key, value)| (key.to_owned(), text_of(value).unwrap_or_default()))
            .collect()
    }

    /// A mapping from names to texts or nothing.
    pub(super) fn optional_pairs(self, key: &str) -> BTreeMap<String, Option<String>> {
        self.fields(key).iter().map(|(key, value)| (key.to_owned(), text_of(value))).collect()
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

fn int_of(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}
