//! The model as JSON.

use serde_json::{Map as Object, Number, Value as Json};

use crate::yaml::{Map, Node, Value};

use super::bind::EXTENSIONS;

/// What becomes of a string.
type Text<'a> = &'a dyn Fn(&str) -> String;

/// A bound project. Dollar signs are doubled, so that the outcome can be loaded again.
pub(super) fn canonical(root: &Node) -> Json {
    project(root, &escape)
}

/// A bound project with its strings as they are.
pub(super) fn unescaped(root: &Node) -> Json {
    project(root, &str::to_owned)
}

fn project(root: &Node, text: Text<'_>) -> Json {
    let mut object = Object::new();
    let Some(map) = root.as_map() else { return Json::Object(object) };
    for (key, item) in map.iter() {
        match key {
            // Shown by the reference only in YAML.
            "models" => {}
            EXTENSIONS => {
                for (key, item) in item.node.as_map().into_iter().flat_map(Map::iter) {
                    object.insert(text(key), plain(&item.node, text));
                }
            }
            "configs" => {
                object.insert(key.to_owned(), configs(&item.node, text));
            }
            _ => {
                object.insert(text(key), model(&item.node, text));
            }
        }
    }
    Json::Object(object)
}

/// The content of a config that comes from a variable is not shown.
fn configs(configs: &Node, text: Text<'_>) -> Json {
    let mut json = model(configs, text);
    for config in json.as_object_mut().into_iter().flat_map(Object::values_mut) {
        if let Some(config) = config.as_object_mut()
            && config.contains_key("environment")
        {
            config.shift_remove("content");
        }
    }
    json
}

fn model(node: &Node, text: Text<'_>) -> Json {
    match &node.value {
        Value::Seq(items) => Json::Array(items.iter().map(|item| model(item, text)).collect()),
        Value::Map(map) => Json::Object(
            map.iter()
                .filter(|(key, item)| *key != EXTENSIONS || item.node.as_map().is_none())
                .map(|(key, item)| (text(key), model(&item.node, text)))
                .collect(),
        ),
        _ => plain(node, text),
    }
}

/// A merged document, with its keys sorted and its strings as they stand.
pub(super) fn raw(root: &Node) -> Json {
    plain(root, &str::to_owned)
}

fn plain(node: &Node, text: Text<'_>) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Int(number) => Json::Number((*number).into()),
        Value::Float(float) => number(*float),
        Value::Str(value) => Json::String(text(value)),
        Value::Seq(items) => Json::Array(items.iter().map(|item| plain(item, text)).collect()),
        Value::Map(map) => {
            let mut pairs: Vec<(String, Json)> =
                map.iter().map(|(key, item)| (text(key), plain(&item.node, text))).collect();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            Json::Object(pairs.into_iter().collect())
        }
    }
}

/// Whole numbers have no fraction.
fn number(float: f64) -> Json {
    #[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
    if float.fract() == 0.0 && float.abs() < 1e15 {
        return Json::Number((float as i64).into());
    }
    Number::from_f64(float).map_or(Json::Null, Json::Number)
}

fn escape(text: &str) -> String {
    text.replace('$', "$$")
}
