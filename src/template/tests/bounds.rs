//! Templates that want too much. None may take a second or much memory.

use super::*;

fn refused(source: &str) -> String {
    match render(source) {
        Ok(text) => panic!("{} bytes were rendered", text.len()),
        Err(error) => {
            error.lines().filter(|line| line.contains(": ")).collect::<Vec<_>>().join("\n")
        }
    }
}

#[test]
fn bombs_are_refused() {
    for (source, words) in [
        (
            "{% for i in range(100000) %}{% for j in range(100000) %}{% endfor %}{% endfor %}",
            "steps",
        ),
        ("{{ range(1000000000) | list }}", "range has more than"),
        ("{{ 'x' * 1000000000 }}", "too large"),
        ("{{ ('x' * 5000000) | upper }}", "4 MiB"),
        ("{{ 'a' | indent(1000000000) }}", "1024 columns"),
        ("{{ '%1000000000d' | format(1) }}", "1024 columns"),
        ("{{ [1] | batch(1000000000, 0) }}", "10000 pieces"),
        ("{{ range(100000) | join('x' * 1000) }}", "4 MiB"),
        ("{{ ('a' * 100000) | replace('a', 'b' * 1000) }}", "4 MiB"),
        ("{{ ('a' * 4000) | regex_replace('a', 'b' * 4000) }}", "4 MiB"),
        ("{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}", "nested too deeply"),
        ("{% macro m(x) %}{{ m(x ~ x) }}{% endmacro %}{{ m('xxxxxxxxxxxx') }}", "MiB"),
        (
            "{% set n = namespace(x='xxxx') %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
            "4 MiB",
        ),
        (
            "{% set n = namespace(x=[1]) %}{% for i in range(99) %}{% set n.x = [n.x, n.x] %}{% endfor %}",
            "MiB",
        ),
        (
            "{% set n = namespace(x=1) %}{% for i in range(99999) %}{% set n.x = [n.x] %}{% endfor %}",
            "nested",
        ),
        ("{% set n = namespace() %}{% set n.n = n %}{{ n }}", "nested"),
        ("{% include 't.j2' %}", "nested too deeply"),
        ("{% set x = 'a' * 4000000 %}{% for i in range(99) %}{{ x }}{% endfor %}", "16 MiB"),
        (
            "{% set x = 'a' * 4000000 %}{% set y %}{% for i in range(99) %}{{ x }}{% endfor %}{% endset %}",
            "64 MiB",
        ),
        ("{{ 'a' is match('(a{1000}){1000}') }}", "too large"),
    ] {
        let error = refused(source);
        assert!(error.contains(words), "{source}\n{error}");
    }
}

#[test]
fn long_text_in_a_captured_loop_is_counted() {
    let text = "y".repeat(1000);
    let source =
        format!("{{% set x %}}{{% for i in range(100000) %}}{text}{{% endfor %}}{{% endset %}}");
    assert!(refused(&source).contains("64 MiB"));
}

#[test]
fn an_expression_has_so_many_operators() {
    let source = format!("{{{{ 'a'{} }}}}", " ~ 'a'".repeat(65));
    assert!(refused(&source).contains("more than 64 operators"));
}

#[test]
fn nothing_of_the_world_can_be_reached() {
    for name in ["debug", "now", "lookup", "env", "open", "lipsum"] {
        assert!(refused(&format!("{{{{ {name}() }}}}")).contains("no function"), "{name}");
    }
}
