//! The JSON Schema of a plan's JSON form, as data. The tests hold every output against it.
//!
//! Readers must let pass what they do not know: within one first number of the version, keys are
//! added.

use serde_json::{Value, json};

/// The schema, in draft 7.
pub fn schema() -> Value {
    let text = json!({"type": "string"});
    let number = json!({"type": "integer", "minimum": 0});
    record_file(&json!({
        "format_version": described(&text, "The first number changes when a reader could break."),
        "id": described(&text, "Equal inputs give equal plans with equal ids."),
        "project": text,
        "environment": text,
        "commit": described(&maybe("string"), "The full hash; null for uncommitted files, and when a stack is destroyed."),
        "commit_label": described(&text, "The commit's short hash, or `uncommitted`."),
        "commit_subject": text,
        "applyable": described(&json!({"type": "boolean"}), "Whether there is something to do."),
        "complete": described(&json!({"type": "boolean"}), "Whether everything could be seen."),
        "stacks": list(&text),
        "resource_changes": list(&reference("resource_change")),
        "proxies": list(&reference("proxy")),
        "hosts": list(&record(&json!({"name": text, "steps": number}))),
        "steps": list(&reference("step")),
        "downtime": list(&record(&json!({
            "stack": text, "service": text, "seconds": {"type": "number"}, "reason": text,
        }))),
        "totals": record(&json!({"create": number, "change": number, "remove": number})),
        "notes": list(&record(&json!({
            "stack": text, "service": maybe("string"), "message": text,
        }))),
        "placements": described(&list(&record(&json!({
            "stack": text, "service": text, "slot": number, "host": text, "reason": text,
            "excluded": list(&record(&json!({"hosts": list(&text), "reason": text}))),
        }))), "Why each replica is on its host; empty without `--explain`."),
        "errors": list(&record(&json!({
            "severity": {"enum": ["error", "warning"]}, "summary": text, "detail": text,
        }))),
        "summary": described(&text, "The last line of the text form."),
    }))
}

fn record_file(properties: &Value) -> Value {
    let mut file = json!({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "gitdeploy plan",
    });
    if let (Some(file), Value::Object(root)) = (file.as_object_mut(), record(properties)) {
        file.extend(root);
    }
    file["definitions"] = json!({
        "actions": {
            "description": "A replacement is two actions in their order: `create`, `delete` has no downtime by itself.",
            "enum": [["create"], ["delete"], ["update"], ["create", "delete"], ["delete", "create"]],
        },
        "reason": {"enum": [
            "added", "delete_because_no_resource_config", "scaled", "replace_because_cannot_update",
            "drifted", "missing", "stopped", "paused", "unhealthy", "not_served",
            "not_routed", "routes_changed", "left_over", "dependency", "misplaced", "drained",
            "placed", "unused", "replace_by_request",
        ]},
        "resource_change": resource_change(),
        "proxy": proxy(),
        "step": step(),
    });
    file
}

fn resource_change() -> Value {
    let text = json!({"type": "string"});
    let number = json!({"type": "integer", "minimum": 0});
    let fields =
        json!({"type": ["object", "null"], "additionalProperties": {"type": ["string", "null"]}});
    let sensitive = json!({"type": "object", "additionalProperties": {"const": true}});
    record(&json!({
        "address": described(&text, "`stack/type/name`."),
        "mode": {"const": "managed"},
        "stack": text,
        "type": {"enum": ["service", "network", "volume"]},
        "name": text,
        "change": record(&json!({
            "actions": reference("actions"),
            "before": described(&fields, "The fields that differ, as they are; null when there is nothing yet."),
            "after": described(&fields, "The same fields as they will be; null when it goes."),
            "before_sensitive": described(&sensitive, "Fields that are left out of `before`."),
            "after_sensitive": described(&sensitive, "Fields that are left out of `after`."),
        })),
        "action_reason": {"anyOf": [reference("reason"), {"type": "null"}]},
        "reasons": list(&text),
        "replicas": list(&record(&json!({
            "slot": number,
            "host": text,
            "actions": reference("actions"),
            "action_reason": reference("reason"),
            "before": described(&maybe("string"), "The container that goes or stays."),
            "after": described(&maybe("string"), "The container that comes."),
        }))),
        "replicas_before": number,
        "replicas_after": number,
        "downtime": {"anyOf": [
            {"type": "null"},
            record(&json!({"seconds": {"type": "number"}, "reason": text})),
        ]},
    }))
}

fn proxy() -> Value {
    let text = json!({"type": "string"});
    record(&json!({
        "proxy": text,
        "host": text,
        "kind": {"enum": ["nginx", "haproxy"]},
        "path": text,
        "actions": reference("actions"),
        "action_reason": reference("reason"),
        "servers": described(&json!({"type": "integer", "minimum": 0}), "Servers that come, go or change."),
        "diff": described(&text, "A unified diff of the file without its header."),
    }))
}

fn step() -> Value {
    let text = json!({"type": "string"});
    let number = json!({"type": "integer", "minimum": 0});
    record(&json!({
        "id": number,
        "stack": text,
        "service": maybe("string"),
        "slot": maybe("integer"),
        "host": text,
        "operation": {"enum": [
            "pull", "create_network", "create_volume", "create", "start", "run_hook", "await_ready",
            "await_completed", "switch", "await_drained", "stop", "remove", "remove_network",
            "remove_volume", "pause", "record",
        ]},
        "words": text,
        "needs": described(&list(&number), "Steps that must have succeeded before."),
        "reason": reference("reason"),
    }))
}

/// An object with these keys, all of them there.
fn record(properties: &Value) -> Value {
    let required: Vec<&String> =
        properties.as_object().into_iter().flat_map(|it| it.keys()).collect();
    json!({"type": "object", "required": required, "properties": properties})
}

fn list(items: &Value) -> Value {
    json!({"type": "array", "items": items})
}

fn maybe(kind: &str) -> Value {
    json!({"type": [kind, "null"]})
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/definitions/{name}")})
}

fn described(schema: &Value, words: &str) -> Value {
    let mut schema = schema.clone();
    schema["description"] = words.into();
    schema
}
