//! A JSON object under construction that leaves out what was not set.
//!
//! The engine takes a missing key as "not asked for", which is not the same as an empty value: an
//! empty command clears the image's.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Keys and values in the order they were set.
#[derive(Debug, Default)]
pub(super) struct Keys(Map<String, Value>);

impl Keys {
    /// With room for so many keys.
    pub(super) fn with_room(keys: usize) -> Self {
        Self(Map::with_capacity(keys))
    }

    /// Sets a key, whatever the value is.
    pub(super) fn put(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        self.0.insert(key.to_owned(), value.into());
        self
    }

    /// Sets a key if there is a value.
    pub(super) fn set(&mut self, key: &str, value: Option<impl Into<Value>>) -> &mut Self {
        if let Some(value) = value {
            self.put(key, value);
        }
        self
    }

    /// Sets a key if the text is there.
    pub(super) fn text(&mut self, key: &str, text: Option<&String>) -> &mut Self {
        self.set(key, text.map(String::as_str))
    }

    /// Sets a key if the list has items.
    pub(super) fn list<T: Into<Value>>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
    ) -> &mut Self {
        let items: Vec<Value> = items.into_iter().map(Into::into).collect();
        self.set(key, (!items.is_empty()).then_some(items))
    }

    /// Sets a key if the mapping has entries.
    pub(super) fn pairs(&mut self, key: &str, pairs: &BTreeMap<String, String>) -> &mut Self {
        self.set(key, (!pairs.is_empty()).then(|| object(pairs)))
    }

    /// Sets a key if there is anything in the object.
    pub(super) fn object(&mut self, key: &str, inner: Self) -> &mut Self {
        let inner = inner.0;
        self.set(key, (!inner.is_empty()).then_some(Value::Object(inner)))
    }

    /// The finished object.
    pub(super) fn done(self) -> Value {
        Value::Object(self.0)
    }
}

/// A mapping of texts as JSON.
pub(super) fn object<'p>(pairs: impl IntoIterator<Item = (&'p String, &'p String)>) -> Value {
    let pairs = pairs.into_iter();
    pairs.map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect()
}
