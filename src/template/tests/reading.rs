//! Files as templates see and leave them.

use super::*;
use crate::diag::Sources;
use crate::files::Tracked;
use crate::template::node_value;
use crate::yaml;

#[test]
fn a_template_stands_in_for_the_file_it_makes() {
    let tree = Memory::new().with("a/compose.yaml.j2", "image: {{ values.image }}\n");
    let rendered = Rendered::new(&tree, &Engine::new(), &context());
    let file = rendered.read("a/compose.yaml").expect("renders").expect("is there");
    assert_eq!(&*file.name, "a/compose.yaml.j2");
    assert_eq!(&*file.content, b"image: nginx\n");
    assert!(file.origin.is_some());
    assert!(rendered.is_file("a/compose.yaml").expect("readable"));
    assert_eq!(read(&tree, "a/compose.yaml.j2").as_deref(), Ok("image: nginx\n"));
}

#[test]
fn a_plain_file_is_taken_verbatim() {
    let tree = Memory::new().with("x", b"{{ nope }}\xff");
    let rendered = Rendered::new(&tree, &Engine::new(), &context());
    let file = rendered.read("x").expect("readable").expect("is there");
    assert_eq!(&*file.content, b"{{ nope }}\xff");
    assert!(rendered.read("y").expect("readable").is_none());
}

#[test]
fn a_file_beside_its_template_is_ambiguous() {
    let tree = Memory::new().with("x", "").with("x.j2", "");
    assert_eq!(read(&tree, "x"), Err("both `x` and `x.j2` exist".to_owned()));
}

#[test]
fn a_template_sees_its_context() {
    let source = "{{ environment }} {{ stack }} {{ commit.short }} {{ hosts['web-1'].address }} {{ values.database.port }}";
    assert_eq!(render(source).as_deref(), Ok("production shop 3f2a1c9 10.0.0.11 5432"));
}

#[test]
fn the_last_newline_is_kept() {
    assert_eq!(render("a\n").as_deref(), Ok("a\n"));
    assert_eq!(render("a").as_deref(), Ok("a"));
}

#[test]
fn names_are_seen_from_the_file_the_stack_and_the_root() {
    let tree = Memory::new()
        .with(
            "stacks/shop/t.j2",
            "{% include 'own' %}{% include 'lib/root' %}{% include './own' %}",
        )
        .with("stacks/shop/own", "own ")
        .with("own", "wrong ")
        .with(
            "lib/root",
            "root {% include './near' %}{% include '../lib/near' %}{% include 'own' %}",
        )
        .with("lib/near", "near ");
    assert_eq!(read(&tree, "stacks/shop/t").as_deref(), Ok("own root near near own own "));
}

#[test]
fn names_that_are_computed_are_found() {
    let tree = Memory::new()
        .with("t.j2", "{% for n in ['a', 'b'] %}{% include 'part-' ~ n %}{% endfor %}{% include 'no' ~ 'pe' ignore missing %}")
        .with("part-a", "A")
        .with("part-b", "B");
    assert_eq!(read(&tree, "t").as_deref(), Ok("AB"));
}

#[test]
fn macros_blocks_and_imports_work_together() {
    let tree = Memory::new()
        .with("base", "<{% block body %}base{% endblock %}>\n")
        .with("lib", "{% macro m(x, y=2) %}{{ x }}+{{ y }}{% endmacro %}")
        .with("t.j2", "{% extends 'base' %}{% from 'lib' import m %}{% block body %}{{ super() }} {{ m(1) }}{% endblock %}");
    assert_eq!(read(&tree, "t").as_deref(), Ok("<base 1+2>\n"));
}

#[test]
fn what_is_looked_for_in_vain_is_tracked() {
    let tree = Memory::new().with("s/t.j2", "{% include 'x' ignore missing %}-");
    let tracked = Tracked::new(&tree);
    Rendered::new(&tracked, &Engine::new(), &context()).read("s/t").expect("renders");
    let reads = tracked.into_reads();
    assert_eq!(reads.paths().collect::<Vec<_>>(), ["s/t", "s/t.j2", "s/x", "x"]);
    assert!(reads.still_hold(&tree));
    assert!(!reads.still_hold(&tree.clone().with("x", "")));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let source = "{% for k, v in values.labels|dictsort %}{{ k }}{{ v|to_json }}{% endfor %}{{ values|to_yaml }}{{ hosts }}";
    assert_eq!(render(source), render(source));
}

#[test]
fn a_missing_value_can_be_asked_for() {
    let source = "{{ values.no is defined }} {{ values.no | default('x') }} {{ nope | d(1) }}";
    assert_eq!(render(source).as_deref(), Ok("False x 1"));
}

#[test]
fn whitespace_control_is_not_disturbed() {
    let long = "x".repeat(60);
    let source = format!(
        "a\n  {{%- set y = 1 -%}}\n  {long}\n {{%- if y -%}}  {long}  {{%- endif %}}\n{{#- c -#}}  b {{%- raw -%}}  {long}{{{{ {{%- endraw -%}}  z {{%- for i in [1,2] -%}} {long} {{%- endfor -%}} end"
    );
    let expected = format!("a{long}{long}b{long}{{{{z{long}{long}end");
    assert_eq!(render(&source), Ok(expected));
}

#[test]
fn a_yaml_tree_becomes_a_value_in_order() {
    let sources = Sources::default();
    let text = "z: 1\na: [true, null, 1.5, x]\n";
    let id = sources.add(crate::diag::Source::verbatim("v", text));
    let documents = yaml::parse(text, id).expect("YAML");
    assert_eq!(node_value(&documents[0]).to_string(), "{'z': 1, 'a': [True, None, 1.5, 'x']}");
}

#[test]
fn a_thousand_stacks_are_rendered_in_no_time() {
    let tree =
        Memory::new().with("t.j2", "{% for s in values.services %}{{ s.name }}\n{% endfor %}");
    let (engine, context) = (Engine::new(), context());
    for _ in 0..1000 {
        assert!(Rendered::new(&tree, &engine, &context).read("t").is_ok());
    }
}
