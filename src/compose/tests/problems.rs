//! What is told at once, and what is refused before it grows.

use std::fmt::Write as _;

use super::case;

fn too_large(problems: &[String], place: &str) -> bool {
    problems.len() == 1
        && problems[0].starts_with(place)
        && problems[0].contains("grows to more than")
}

#[test]
fn mistakes_of_all_stages_are_reported_at_once() {
    let text = "services:\n  a:\n    image: ${U:?x}\n    prots: [1]\n    ports: ['80:99999']\n    \
                mem_limit: 5zz\n    stop_grace_period: 5parsecs\n    networks: [nowhere]\n    \
                depends_on: [nobody]\n    environment: {A: a, A: b}\n";
    let places: Vec<String> = case(text)
        .problems()
        .iter()
        .map(|problem| problem.split(": ").next().unwrap_or_default().to_owned())
        .collect();
    let lines = ["10:25", "3:12", "4:5", "5:17", "6:17", "7:25", "8:16", "9:18"];
    assert_eq!(places, lines.map(|line| format!("/p/compose.yaml:{line}")));
}

#[test]
fn what_follows_from_a_mistake_is_not_reported() {
    for text in [
        "services: {a: {image: '${U:?x}'}}",
        "services: {a: {image: [x]}}",
        "services: {a: {image: x, ports: ['${U:?x}:80:bad']}}",
        "services: {a: {image: x, networks: [n]}}\nnetworks: [n]",
        "services: {a: 5}",
    ] {
        assert_eq!(case(text).problems().len(), 1, "{text}: {:?}", case(text).problems());
    }
}

#[test]
fn all_bad_includes_and_files_are_reported() {
    let problems = case("include: [a.yaml, b.yaml]\nservices: {}\n").over("services: 5").problems();
    assert_eq!(problems.len(), 3, "{problems:?}");
}

#[test]
fn warnings_come_with_errors() {
    let problems = case("services: {a: {image: 'x$TAG', ports: ['x']}}").problems();
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems[0].contains("`TAG` is not set"));
}

#[test]
fn services_may_not_be_multiplied_without_end() {
    let mut text = "services:\n  b:\n    image: x\n    environment:\n".to_owned();
    for i in 0..3_000 {
        let _ = writeln!(text, "      K{i}: v");
    }
    for i in 0..3_000 {
        let _ = writeln!(text, "  s{i}: {{extends: b}}");
    }
    assert!(too_large(&case(&text).problems(), "/p/compose.yaml:3:"));
}

#[test]
fn all_ports_fit_once() {
    let text = "services: {a: {image: x, ports: ['1-65535:1-65535']}}";
    assert_eq!(case(text).service("a")["ports"].as_array().map(Vec::len), Some(65_535));
    let twice =
        "services:\n  a: {image: x, ports: ['1-65535']}\n  b: {image: x, ports: ['1-65535']}\n";
    assert!(too_large(&case(twice).problems(), "/p/compose.yaml:3:"));
}

#[test]
fn files_of_variables_may_not_be_multiplied_without_end() {
    let mut text = "services:\n".to_owned();
    for i in 0..200 {
        let _ = writeln!(text, "  s{i}: {{image: x, env_file: e.env}}");
    }
    let variables: String = (0..20_000).map(|i| format!("K{i}=v\n")).collect();
    let project = case(&text).file("/p/e.env", &variables);
    assert!(too_large(&project.problems(), "/p/compose.yaml:"));
}

#[test]
fn only_so_many_errors_are_told() {
    let keys = "      K: v\n".repeat(900);
    let text = format!("services:\n  a:\n    image: x\n    environment:\n{keys}");
    let problems = case(&text).problems();
    assert_eq!(problems.len(), 201);
    assert_eq!(problems[200], "699 more problems are not shown");
}
