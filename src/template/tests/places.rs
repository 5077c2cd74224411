//! From rendered text back to the template.

use super::*;
use crate::diag::Source;
use crate::template::instrument::{Purpose, instrument};

/// The place of `needle` (its last occurrence) in what `tree` gives for `t`.
fn place_in(tree: &Memory, needle: &str) -> String {
    let file = match Rendered::new(tree, &Engine::new(), &context()).read("t") {
        Ok(file) => file.expect("is there"),
        Err(error) => panic!("{error:?}"),
    };
    let text = std::str::from_utf8(&file.content).expect("text");
    let start = text.rfind(needle).unwrap_or_else(|| panic!("{needle} in {text}"));
    let sources = crate::diag::Sources::default();
    let id = sources.add(Source {
        name: Arc::clone(&file.name),
        text: text.into(),
        origin: file.origin.clone(),
    });
    let located = sources.locate(crate::diag::Span::new(id, start, start + needle.len()));
    format!("{located} `{}`", &located.source.text[located.range.clone()])
}

fn place(source: &str, needle: &str) -> String {
    place_in(&Memory::new().with("t.j2", source), needle)
}

#[test]
fn plain_text_maps_byte_by_byte() {
    assert_eq!(place("a: 1\nb: {{ stack }}\nimgae: x\n", "imgae"), "t.j2:3:1 `imgae`");
    assert_eq!(place("{{ stack }}é: ü\n", "ü"), "t.j2:1:15 `ü`");
}

#[test]
fn what_an_expression_made_maps_to_it() {
    assert_eq!(place("a: {{ values.image }}\n", "nginx"), "t.j2:1:4 `{{ values.image }}`");
    assert_eq!(
        place("{{ stack }}{{ environment }}", "production"),
        "t.j2:1:12 `{{ environment }}`"
    );
}

#[test]
fn text_around_an_expression_maps_to_all_of_it() {
    assert_eq!(
        place("a: x/{{ values.image }}:1\n", "x/nginx:1"),
        "t.j2:1:4 `x/{{ values.image }}:1`"
    );
}

#[test]
fn the_third_round_of_a_loop_maps_to_its_body() {
    let source = "services:\n{% for s in values.services %}\n  {{ s.name }}:\n    bad: {{ s.port }}\n{% endfor %}";
    assert_eq!(place(source, "bad"), "t.j2:4:5 `bad`");
    assert_eq!(place(source, "82"), "t.j2:4:10 `{{ s.port }}`");
}

#[test]
fn whitespace_control_keeps_places() {
    let source = "a\n{%- for s in values.services -%}\n   [{{- s.port -}}]  \n{%- endfor %}\n  z: {# c -#} 1\n";
    assert_eq!(place(source, "z"), "t.j2:5:3 `z`");
    assert_eq!(place(source, "1\n"), "t.j2:5:15 `1\n`");
    assert_eq!(place(source, "["), "t.j2:3:4 `[`");
    assert_eq!(place(source, "82"), "t.j2:3:5 `{{- s.port -}}`");
}

#[test]
fn raw_blocks_map_byte_by_byte() {
    assert_eq!(place("x {% raw -%}  {{ y }}{% endraw %}", "y"), "t.j2:1:18 `y`");
}

#[test]
fn included_files_have_places_of_their_own() {
    let tree =
        Memory::new().with("t.j2", "a\n{% include 'p' %}\nb").with("p", "one\ntwo {{ stack }}\n");
    assert_eq!(place_in(&tree, "two"), "p:2:1 `two`");
    assert_eq!(place_in(&tree, "shop"), "p:2:5 `{{ stack }}`");
    assert_eq!(place_in(&tree, "b"), "t.j2:3:1 `b`");
}

#[test]
fn inherited_blocks_have_places() {
    let tree = Memory::new()
        .with("base", "top\n{% block x %}old{% endblock %}\nend\n")
        .with("t.j2", "{% extends 'base' %}\n{% block x %}new {{ super() }}{% endblock %}");
    assert_eq!(place_in(&tree, "top"), "base:1:1 `top`");
    assert_eq!(place_in(&tree, "new"), "t.j2:2:14 `new`");
    assert_eq!(place_in(&tree, "old"), "base:2:14 `old`");
}

#[test]
fn macros_map_into_their_bodies() {
    let source = "{% macro m(x) %}\nport: {{ x }}\n{% endmacro %}\n{{ m(1) | indent(2) }}\n";
    assert_eq!(place(source, "port"), "t.j2:2:1 `port`");
}

#[test]
fn macros_whose_text_is_looked_at_map_to_the_call() {
    let source = "{% macro m(x) %} port: {{ x }}{% endmacro %}a\n{{ m(1) | trim | length }} {{ m(2) | trim }}\n";
    assert_eq!(place(source, "port"), "t.j2:2:28 `{{ m(2) | trim }}`");
}

#[test]
fn filtered_blocks_map_to_the_filter() {
    let source = "a\n{% filter upper %}\nx: y\n{% endfilter %}\nb\n";
    assert_eq!(place(source, "X: Y"), "t.j2:2:1 `{% filter upper %}`");
    assert_eq!(place(source, "b"), "t.j2:5:1 `b`");
}

#[test]
fn call_blocks_map_into_their_bodies() {
    let source = "{% macro m() %}<{{ caller() }}>{% endmacro %}\n{% call m() %}in{% endcall %}\nz";
    assert_eq!(place(source, "in"), "t.j2:2:15 `in`");
    assert_eq!(place(source, "z"), "t.j2:3:1 `z`");
}

#[test]
fn captured_text_maps_to_where_it_was_written() {
    let source = "{% set x %}\nabc: 1\n{% endset %}\n{{ x }}\nz: 2";
    assert_eq!(place(source, "abc"), "t.j2:2:1 `abc`");
    assert_eq!(place(source, "z"), "t.j2:5:1 `z`");
}

#[test]
fn text_that_looks_like_markers_is_searched_by_line() {
    let source = "a\u{10F001}\nb: c\n{{ stack }}\n";
    assert_eq!(place(source, "b"), "t.j2:2:1 `b: c`");
}

const PARTS: &[&str] = &[
    "{{",
    "}}",
    "{%",
    "%}",
    "{{-",
    "-}}",
    "{%-",
    "-%}",
    "{#",
    "#}",
    "raw",
    "endraw",
    " x ",
    "é",
    "\n",
    "'",
    "\"",
    "\\",
    "(",
    ")",
    "=",
    "set",
    "for i in [1]",
    "endfor",
    "macro m(a)",
    "endmacro",
    "m(1)",
    "filter upper",
    "endfilter",
    "call m()",
    "{% endset %}",
    "values.image",
    "{{ stack }}",
    "{% set q %}",
    "{{ q }}",
    "\u{10F001}",
    "~",
    "+",
    "  text  ",
    "|",
    "indent",
];

proptest::proptest! {
    #[test]
    fn any_source_ends_in_text_or_an_error(picks in proptest::collection::vec(0..PARTS.len(), 0..40)) {
        let source: String = picks.into_iter().map(|pick| PARTS[pick]).collect();
        let tree = Memory::new().with("t.j2", &source);
        if let Ok(Some(file)) = Rendered::new(&tree, &Engine::new(), &context()).read("t") {
            let origin = file.origin.expect("was rendered");
            for start in 0..=file.content.len() + 1 {
                let (source, range) = origin.locate(start..start + 3).expect("a template");
                assert!(source.text.get(range).is_some());
            }
        }
    }

    #[test]
    fn what_is_added_never_breaks_a_source(picks in proptest::collection::vec(0..PARTS.len(), 0..40)) {
        let source: String = picks.into_iter().map(|pick| PARTS[pick]).collect();
        let prepared = instrument(&source, Purpose::Render);
        let engine = minijinja::Environment::new();
        let is_valid = engine.template_from_str(&source).is_ok();
        assert_eq!(engine.template_from_str(&prepared.text).is_ok(), is_valid, "{}", prepared.text);
    }
}
