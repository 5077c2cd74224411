//! The shapes of the files, for JSON Schemas and reference pages.

use serde_json::Value;

pub use super::daemon::DAEMON;
pub use super::extension::EXTENSION;
pub use super::inventory::INVENTORY;
pub use super::repository::SETTINGS;
use crate::shape::{Record, Shape, json_schema};

/// The JSON Schema of `gitdeploy.yaml`.
pub fn settings_schema() -> Value {
    schema("gitdeploy.yaml", &SETTINGS)
}

/// The JSON Schema of `inventory.yaml`.
pub fn inventory_schema() -> Value {
    schema("inventory.yaml of gitdeploy", &INVENTORY)
}

/// The JSON Schema of `sync.yaml`.
pub fn daemon_schema() -> Value {
    schema("sync.yaml of gitdeploy", &DAEMON)
}

/// The JSON Schema of `x-gitdeploy` in a service.
pub fn extension_schema() -> Value {
    schema("x-gitdeploy of a Compose service", &EXTENSION)
}

/// The JSON Schema of a Compose file, with `x-gitdeploy` in its services.
pub fn compose_schema() -> Value {
    let mut compose = schema("Compose file", &crate::compose::schema::FILE);
    let extension = extension_schema();
    if let Some(Value::Object(definitions)) = extension.get("definitions") {
        for (name, definition) in definitions {
            compose["definitions"][name.as_str()] = definition.clone();
        }
    }
    let reference = extension.get("$ref").cloned().unwrap_or_default();
    compose["definitions"]["service"]["properties"]["x-gitdeploy"] =
        serde_json::json!({ "$ref": reference });
    compose
}

fn schema(title: &str, record: &'static Record) -> Value {
    json_schema(title, &Shape::Record(record))
}
