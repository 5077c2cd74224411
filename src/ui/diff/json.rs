//! Differences for programs, with the names of OpenTofu's plan where the meaning is the same.

use serde_json::{Map, Value, json};

use super::{Heading, unified};
use crate::diff::{Action, Differences, FieldChange, ItemDifference, Shown, StackDifference};

/// The version of this form. The first number changes when a reader could break.
const FORMAT_VERSION: &str = "1.0";

/// The whole comparison.
pub fn json(differences: &Differences, heading: &Heading) -> Value {
    let changes: Vec<Value> = differences
        .stacks
        .iter()
        .flat_map(|stack| stack.items.iter().map(|item| resource_change(stack, item)))
        .collect();
    let stacks: Map<String, Value> = differences
        .stacks
        .iter()
        .map(|stack| (stack.name.to_string(), json!(actions(stack.action))))
        .collect();
    json!({
        "format_version": FORMAT_VERSION,
        "project": heading.project,
        "environment": heading.environment,
        "base": heading.base,
        "head": heading.head,
        "stacks": stacks,
        "resource_changes": changes,
    })
}

fn actions(action: Action) -> [&'static str; 1] {
    [match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Delete => "delete",
    }]
}

fn resource_change(stack: &StackDifference, item: &ItemDifference) -> Value {
    let files: Vec<Value> = item
        .files
        .iter()
        .map(|file| json!({"path": file.path, "diff": unified(file).join("\n")}))
        .collect();
    json!({
        "address": format!("{}/{}/{}", stack.name, item.kind.word(), item.name),
        "stack": stack.name,
        "type": item.kind,
        "name": item.name,
        "change": {
            "actions": actions(item.action),
            "before": side(&item.fields, |field| field.old.as_ref()),
            "after": side(&item.fields, |field| field.new.as_ref()),
            "before_sensitive": hidden(&item.fields, |field| field.old.as_ref()),
            "after_sensitive": hidden(&item.fields, |field| field.new.as_ref()),
        },
        "replaces_containers": item.replaces,
        "files": files,
    })
}

/// The fields that differ, by path, with the values of one side.
fn side<'a>(
    fields: &'a [FieldChange],
    side: impl Fn(&'a FieldChange) -> Option<&'a Shown>,
) -> Value {
    let value = |field: &'a FieldChange| match side(field) {
        Some(Shown::Value(value)) => value.clone(),
        Some(Shown::Hidden) | None => Value::Null,
    };
    Value::Object(fields.iter().map(|field| (field.path.clone(), value(field))).collect())
}

fn hidden(fields: &[FieldChange], side: impl Fn(&FieldChange) -> Option<&Shown>) -> Value {
    let is_hidden = |field: &&FieldChange| matches!(side(field), Some(Shown::Hidden));
    Value::Object(
        fields.iter().filter(is_hidden).map(|field| (field.path.clone(), true.into())).collect(),
    )
}
