use super::*;
use crate::files::{Files, Memory};
use crate::template::tests::{context, render};
use crate::template::{Engine, Rendered};

#[test]
fn every_example_gives_its_result() {
    let mut wrong = Vec::new();
    for entry in reference() {
        let source = format!("{{{{ {} }}}}", entry.example);
        match render(&source) {
            Ok(text) if text == entry.result => {}
            other => wrong.push(format!("{}: {} gave {other:?}", entry.name, entry.example)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_alias_is_installed() {
    for entry in reference() {
        for name in entry.aliases.iter().chain([&entry.name]) {
            let test = match entry.kind {
                Kind::Filter => "filter",
                Kind::Test => "test",
                Kind::Function => continue,
            };
            let text = render(&format!("{{{{ '{name}' is {test} }}}}"));
            assert_eq!(text.as_deref(), Ok("True"), "{name}");
        }
    }
}

#[test]
fn yaml_written_by_a_filter_can_be_indented() {
    let source = "x:{{ values.labels | to_yaml | nindent(2) }}\n";
    assert_eq!(render(source).as_deref(), Ok("x:\n  a: b\n  c: d\n"));
}

#[test]
fn versions_compare_as_numbers() {
    for (a, operator, b) in [
        ("1.10", ">", "1.9"),
        ("v2", "==", "2.0.0"),
        ("1.0.0-rc1", "<", "1.0.0"),
        ("1.0.0-rc.2", "<", "1.0.0-rc.10"),
    ] {
        let text = render(&format!("{{{{ '{a}' is version('{b}', '{operator}') }}}}"));
        assert_eq!(text.as_deref(), Ok("True"), "{a} {operator} {b}");
    }
}

#[test]
fn methods_of_python_work() {
    let source = "{% for k, v in values.labels.items() %}{{ k.upper() }}={{ v }},{% endfor %}\
                  {{ values.labels.get('zz', 'no') }} {{ ' a '.strip() }} {{ 'a-b'.split('-') }}";
    assert_eq!(render(source).as_deref(), Ok("A=b,C=d,no a ['a', 'b']"));
}

#[test]
fn networks_of_any_size_are_computed() {
    for (source, expected) in [
        ("{{ '0.0.0.0/0' | cidr_host(-1) }}", "255.255.255.255"),
        ("{{ 'fd00::/64' | cidr_host(1) }}", "fd00::1"),
        ("{{ '::/0' | cidr_netmask }}", "::"),
        ("{{ '10.0.0.0/32' | cidr_host(0) }}", "10.0.0.0"),
        ("{{ '::/0' | cidr_subnet(128, 1) }}", "::1/128"),
        ("{{ '10.0.0.0/25' | in_cidr('10.0.0.0/24') }}", "True"),
    ] {
        assert_eq!(render(source).as_deref(), Ok(expected), "{source}");
    }
}

#[test]
fn a_filter_works_in_an_included_file() {
    let tree = Memory::new().with("a.j2", "{% include 'b' %}").with("b", "{{ 'x' | upper }}");
    let rendered = Rendered::new(&tree, &Engine::new(), &context());
    let file = rendered.read("a").expect("renders").expect("is there");
    assert_eq!(&*file.content, b"X");
}
