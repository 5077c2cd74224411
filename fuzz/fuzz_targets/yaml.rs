//! YAML: every node knows its place, trees stay within their bounds, and what is written is read
//! back the same.

#![no_main]

use gitdeploy::diag::{Source, Sources};
use gitdeploy::yaml::{NODES_MAX, Node, Value, parse, text_of, to_text};
use gitdeploy_fuzz::{assert_places, assert_sound};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map as Object, Number, Value as Json};

fn json(node: &Node) -> Json {
    match &node.value {
        Value::Null => Json::Null,
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Int(number) => Json::Number((*number).into()),
        Value::Float(number) => Number::from_f64(*number).map_or(Json::Null, Json::Number),
        Value::Str(text) => Json::String(text.clone()),
        Value::Seq(items) => Json::Array(items.iter().map(json).collect()),
        Value::Map(map) => {
            let pairs = map.iter().map(|(key, item)| (key.to_owned(), json(&item.node)));
            Json::Object(pairs.collect::<Object<String, Json>>())
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let sources = Sources::default();
    let text = match text_of(bytes, "t.yaml") {
        Ok(text) => text,
        Err(problem) => return assert_sound(&[problem], &sources),
    };
    let source = Source::verbatim("t.yaml", text.as_str());
    let id = sources.add(source.clone());
    let documents = match parse(&text, id) {
        Ok(documents) => documents,
        Err(problems) => {
            assert!(!problems.is_empty());
            return assert_sound(&problems, &sources);
        }
    };
    let nodes: usize = documents.iter().map(|node| assert_places(node, &source, 0)).sum();
    assert!(nodes <= NODES_MAX);
    for document in &documents {
        let meant = json(document);
        let written = to_text(&meant);
        let id = sources.add(Source::verbatim("written.yaml", written.as_str()));
        match parse(&written, id).as_deref() {
            Ok([again]) => assert_eq!(json(again), meant, "written as\n{written}"),
            other => panic!("{other:?}\nwritten as\n{written}"),
        }
    }
});
