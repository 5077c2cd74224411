//! A shape as JSON Schema (draft 7, which editors understand best).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Record, Shape};

/// The schema of a file whose root is `shape`. Records become definitions of their own.
pub fn json_schema(title: &str, shape: &Shape) -> Value {
    let mut definitions = BTreeMap::new();
    let root = schema(shape, &mut definitions);
    let mut file = Map::new();
    file.insert("$schema".into(), json!("http://json-schema.org/draft-07/schema#"));
    file.insert("title".into(), json!(title));
    if let Value::Object(root) = root {
        file.extend(root);
    }
    let definitions: Map<String, Value> = definitions.into_iter().collect();
    if !definitions.is_empty() {
        file.insert("definitions".into(), Value::Object(definitions));
    }
    Value::Object(file)
}

fn schema(shape: &Shape, definitions: &mut BTreeMap<String, Value>) -> Value {
    match shape {
        Shape::Any => json!({}),
        Shape::Null => json!({"type": "null"}),
        Shape::Bool => json!({"type": "boolean"}),
        Shape::Int { min, max } | Shape::Integral { min, max } => {
            let mut int = json!({"type": "integer"});
            if *min != i64::MIN {
                int["minimum"] = json!(min);
            }
            if *max != i64::MAX {
                int["maximum"] = json!(max);
            }
            int
        }
        Shape::Number => json!({"type": "number"}),
        Shape::Str => json!({"type": "string"}),
        Shape::Text(format) => json!({"type": "string", "examples": [format.example]}),
        Shape::Enum(words) => json!({"enum": words}),
        Shape::List(list) => {
            let mut array = json!({"type": "array", "items": schema(&list.item, definitions)});
            if list.min > 0 {
                array["minItems"] = json!(list.min);
            }
            if list.unique {
                array["uniqueItems"] = json!(true);
            }
            array
        }
        Shape::Map(of) => {
            json!({"type": "object", "additionalProperties": schema(&of.value, definitions)})
        }
        Shape::Record(record) => reference(record, definitions),
        Shape::Open(record) => {
            let mut object = object(record, definitions);
            object["additionalProperties"] = json!(true);
            object
        }
        Shape::OneOf(shapes) => {
            let any: Vec<Value> = shapes.iter().map(|shape| schema(shape, definitions)).collect();
            json!({ "anyOf": any })
        }
    }
}

fn reference(record: &Record, definitions: &mut BTreeMap<String, Value>) -> Value {
    let name = record.name.replace(' ', "_");
    if !definitions.contains_key(&name) {
        // Stands in while the fields are visited, so that a record may contain itself.
        definitions.insert(name.clone(), Value::Null);
        let object = object(record, definitions);
        definitions.insert(name.clone(), object);
    }
    json!({ "$ref": format!("#/definitions/{name}") })
}

fn object(record: &Record, definitions: &mut BTreeMap<String, Value>) -> Value {
    let mut properties = Map::new();
    for field in record.fields {
        let mut value = schema(&field.shape, definitions);
        // Draft 7 ignores what stands beside `$ref`, so the description needs a wrapper.
        if value.get("$ref").is_some() {
            value = json!({ "allOf": [value] });
        }
        value["description"] = json!(field.doc);
        if !field.default.is_empty() {
            let doc = format!("{} Default: {}.", field.doc, field.default);
            value["description"] = json!(doc);
        }
        properties.insert(field.name.to_owned(), value);
    }
    let required: Vec<&str> =
        record.fields.iter().filter(|field| field.required).map(|field| field.name).collect();
    let mut object =
        json!({"type": "object", "properties": properties, "additionalProperties": false});
    if record.extensions {
        object["patternProperties"] = json!({"^x-": {}});
    }
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

#[cfg(test)]
mod tests {
    use super::super::{Field, INT};
    use super::*;

    #[test]
    fn records_become_definitions() {
        static POINT: Record = Record {
            name: "point",
            fields: &[
                Field::required("x", INT, "Across."),
                Field::defaulting("next", Shape::Record(&POINT), "none", "Another."),
            ],
            extensions: true,
        };
        insta::assert_snapshot!(
            serde_json::to_string(&json_schema("Points", &Shape::Record(&POINT))).expect("JSON"),
            @r##"{"$schema":"http://json-schema.org/draft-07/schema#","title":"Points","$ref":"#/definitions/point","definitions":{"point":{"type":"object","properties":{"x":{"type":"integer","description":"Across."},"next":{"allOf":[{"$ref":"#/definitions/point"}],"description":"Another. Default: none."}},"additionalProperties":false,"patternProperties":{"^x-":{}},"required":["x"]}}}"##
        );
    }
}
