//! The shapes of the files, for JSON Schemas and reference pages.

use serde_json::Value;

pub use super::inventory::INVENTORY;
use crate::shape::{Record, Shape, json_schema};

/// The JSON Schema of `inventory.yaml`.
pub fn inventory_schema() -> Value {
    schema("inventory.yaml of gitdeploy", &INVENTORY)
}

fn schema(title: &str, record: &'static Record) -> Value {
    json_schema(title, &Shape::Record(record))
}
