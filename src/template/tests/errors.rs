//! What is said about templates that are wrong.

use super::*;

/// What is said about each of `sources`.
fn told(sources: &[&str]) -> String {
    let told = |source: &&str| {
        format!("--- {source}\n{}", render(source).expect_err("the template is wrong"))
    };
    sources.iter().map(told).collect::<Vec<_>>().join("\n")
}

#[test]
fn undefined_names_are_told_with_what_was_meant() {
    let sources = [
        "x: {{ values.databse.host }}",
        "x: {{ values['databse'] }}",
        "{{ vlues.x }}",
        "{% macro m(image) %}{{ imaeg }}{% endmacro %}\n{{ m(1) }}",
        "{% for service in values.services %}{{ service.prot }}{% endfor %}",
        "{{ values.database.zzzzzz }}",
        "{{ values.nope | upper }}",
        "{% set x = values.nope %}\n{{ x }}",
        "{% if values.replicsa > 1 %}{% endif %}",
        "é {{ nope }}",
    ];
    insta::assert_snapshot!(told(&sources), @r#"
    --- x: {{ values.databse.host }}
    t.j2:1:7 `values.databse`
    template/undefined: `values.databse` is not defined
    help: did you mean `values.database`?
    --- x: {{ values['databse'] }}
    t.j2:1:7 `values['databse']`
    template/undefined: `values['databse']` is not defined
    help: did you mean `values.database`?
    --- {{ vlues.x }}
    t.j2:1:4 `vlues`
    template/undefined: `vlues` is not defined
    help: did you mean `values`?
    --- {% macro m(image) %}{{ imaeg }}{% endmacro %}
    {{ m(1) }}
    t.j2:1:24 `imaeg`
    template/undefined: `imaeg` is not defined
    help: did you mean `image`?
    --- {% for service in values.services %}{{ service.prot }}{% endfor %}
    t.j2:1:40 `service.prot`
    template/undefined: `service.prot` is not defined
    help: did you mean `service.port`?
    --- {{ values.database.zzzzzz }}
    t.j2:1:4 `values.database.zzzzzz`
    template/undefined: `values.database.zzzzzz` is not defined
    help: `values.database` has `host`, `port`
    --- {{ values.nope | upper }}
    t.j2:1:4 `values.nope`
    template/undefined: `values.nope` is not defined
    help: `values` has `image`, `replicas`, `database`, `labels`, `services`
    --- {% set x = values.nope %}
    {{ x }}
    t.j2:2:4 `x` its value comes from line 1
    template/undefined: `values.nope` is not defined
    help: `values` has `image`, `replicas`, `database`, `labels`, `services`
    --- {% if values.replicsa > 1 %}{% endif %}
    t.j2:1:7 `values.replicsa`
    template/undefined: `values.replicsa` is not defined
    help: did you mean `values.replicas`?
    --- é {{ nope }}
    t.j2:1:6 `nope`
    template/undefined: `nope` is not defined
    help: `| default(…)` gives a value to use instead; `is defined` asks whether there is one
    "#);
}

#[test]
fn wrong_syntax_is_told_where_it_stands() {
    let sources = ["a\n{% fro x in y %}", "{% if true %}\nx", "{{ 'a }}", "{{ a b }}"];
    insta::assert_snapshot!(told(&sources), @r#"
    --- a
    {% fro x in y %}
    t.j2:2:4 `fro`
    template/syntax: there is no statement `fro`
    help: did you mean `for`?
    --- {% if true %}
    x
    t.j2:1:1 `{% if true %}`
    template/syntax: this `if` is never closed with `{% endif %}`
    --- {{ 'a }}
    t.j2:1:1 `{{ 'a }}`
    template/syntax: this string is never closed
    --- {{ a b }}
    t.j2:1:6 `b`
    template/syntax: expected `}}`, found a name
    "#);
}

#[test]
fn unknown_names_are_told_with_what_was_meant() {
    let sources = ["{{ values.image | uper }}", "{{ 1 is od }}", "{{ rnage(3) }}"];
    insta::assert_snapshot!(told(&sources), @r#"
    --- {{ values.image | uper }}
    t.j2:1:19 `uper`
    template/unknown-name: there is no filter `uper`
    help: did you mean `upper`?
    --- {{ 1 is od }}
    t.j2:1:9 `od`
    template/unknown-name: there is no test `od`
    help: did you mean `odd`?
    --- {{ rnage(3) }}
    t.j2:1:4 `rnage(3)`
    template/unknown-name: there is no function `rnage`
    help: did you mean `range`?
    "#);
}

#[test]
fn failures_are_told_in_plain_words() {
    let sources = [
        "{{ values.image.foo() }}",
        "{{ 1 + 'a' }}",
        "{{ fail('replicas must be odd') }}",
        "{{ values.nope | required('say values.nope') }}",
        "{% for x in 5 %}{% endfor %}",
        "{{ 'x' | from_yaml }}{{ '[' | from_yaml }}",
        "{{ 'a' | regex_search('(') }}",
        "{% set x = 'ab' * 4000000 %}",
    ];
    insta::assert_snapshot!(told(&sources), @r#"
    --- {{ values.image.foo() }}
    t.j2:1:16 `.foo()`
    template/failed: there is no such method: string has no method named foo
    --- {{ 1 + 'a' }}
    t.j2:1:4 `1 + 'a'`
    template/failed: tried to use + operator on unsupported types number and string
    --- {{ fail('replicas must be odd') }}
    t.j2:1:4 `fail('replicas must be odd')`
    template/fail: replicas must be odd
    --- {{ values.nope | required('say values.nope') }}
    t.j2:1:18 `required('say values.nope')`
    template/fail: say values.nope
    --- {% for x in 5 %}{% endfor %}
    t.j2:1:13 `5`
    template/failed: number is not iterable
    --- {{ 'x' | from_yaml }}{{ '[' | from_yaml }}
    t.j2:1:31 `from_yaml`
    template/failed: this is not YAML: unclosed bracket '[' (line 1 of the text)
    --- {{ 'a' | regex_search('(') }}
    t.j2:1:10 `regex_search('(')`
    template/failed: `(` is not a regular expression: unclosed group
    --- {% set x = 'ab' * 4000000 %}
    t.j2:1:1 `{% set x = 'ab' * 4000000 %}`
    template/limit: a value has more than 4 MiB
    "#);
}

#[test]
fn wrong_includes_name_the_paths() {
    let sources = ["{% include 'nope' %}", "{% include '../../nope' %}"];
    insta::assert_snapshot!(told(&sources), @r#"
    --- {% include 'nope' %}
    t.j2:1:4 `include 'nope'`
    template/not-found: there is no file `nope`
    help: looked for `nope`
    --- {% include '../../nope' %}
    t.j2:1:4 `include '../../nope'`
    template/unreadable: `../../nope` leads out of the repository
    "#);
}

#[test]
fn errors_of_other_files_are_shown_there() {
    let tree = Memory::new()
        .with("t.j2", "a\n{% include 'p' %}\n")
        .with("p", "{% for s in values.services %}\n{{ s.imgae }}{% endfor %}")
        .with("u.j2", "\n{% extends 'nope' %}")
        .with("v.j2", b"\xff")
        .with("w.j2", "{% import '../x' as x %}");
    let told = ["t", "u", "v", "w"].map(|path| {
        format!("--- {path}\n{}", read(&tree, path).expect_err("the template is wrong"))
    });
    insta::assert_snapshot!(told.join("\n"), @r#"
    --- t
    p:2:4 `s.imgae`
    see t.j2:2:4 `include 'p'` included from here
    template/undefined: `s.imgae` is not defined
    help: `s` has `name`, `port`
    --- u
    u.j2:2:4 `extends 'nope'`
    template/not-found: there is no file `nope`
    help: looked for `nope`
    --- v
    template/not-utf8: `v.j2` is a template but not UTF-8 text (byte 0)
    help: save it as UTF-8, or drop the `.j2` from its name to take it as it is
    --- w
    w.j2:1:4 `import '../x' as x`
    template/unreadable: `../x` leads out of the repository
    "#);
}

#[test]
fn a_string_that_is_never_closed_may_end_in_any_character() {
    let told = render("{% include 'é").expect_err("unclosed");
    assert!(told.ends_with("this string is never closed"), "{told}");
}

#[test]
fn an_import_takes_a_name_and_nothing_else() {
    for import in ["as b is safe", "as b.c", "as true", "as 1", "as b | upper", "as"] {
        let told = render(&format!("{{% import 'a' {import} %}}")).expect_err("no name");
        assert!(told.contains("`as` is followed by no single name"), "{import}: {told}");
    }
    let tree = Memory::new().with("a", "{% macro m() %}x{% endmacro %}");
    for import in ["as b", "as b with context"] {
        let tree = tree.clone().with("t.j2", format!("{{% import 'a' {import} %}}{{{{ b.m() }}}}"));
        assert_eq!(read(&tree, "t"), Ok("x".to_owned()), "{import}");
    }
}
