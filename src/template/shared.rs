//! A value that a context names several times.

use std::ops::Deref;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::Serde;
use serde::{Serialize, Serializer};

/// A value that is kept and put into a template's words once, wherever it is named.
#[derive(Debug)]
pub struct Shared<T> {
    value: Arc<T>,
    shown: Value,
}

impl<T: Serialize> From<T> for Shared<T> {
    fn from(value: T) -> Self {
        Self { shown: Value::from(Serde(&value)), value: Arc::new(value) }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), shown: self.shown.clone() }
    }
}

impl<T> Deref for Shared<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> Serialize for Shared<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.shown.serialize(serializer)
    }
}
