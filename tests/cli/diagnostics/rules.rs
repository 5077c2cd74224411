//! The rules that the sources name, so that none is without a case.
//!
//! A rule is a text `area/what` given to `Diagnostic::error`, `Diagnostic::warning` or passed on to
//! them; a file of tests and what follows `#[cfg(test)]` make up rules of their own.

use std::collections::BTreeSet;
use std::path::Path;

/// Rules that no repository leads to, each with the reason.
pub(crate) const UNREACHABLE: &[(&str, &str)] = &[
    ("compose/more", "only the first findings of a stack are shown, and it comes later"),
    ("repository/unreadable", "the object store of a repository must be damaged"),
    ("resolve/too-many-bytes", "it takes more than 64 MiB, and ten seconds to commit"),
    ("resolve/too-many-files", "it takes 10,001 files; a unit test has them in memory"),
    ("settings/no-project", "every repository here is called `acme`, which is a name"),
    ("stacks/too-many-folders", "it takes 10,000 folders, and as many directories on disk"),
];

/// The first parts of rules. A text with another first part is a path or something else.
const AREAS: [&str; 16] = [
    "compose",
    "health",
    "inventory",
    "repository",
    "resolve",
    "rollout",
    "route",
    "routes",
    "settings",
    "shape",
    "ssh",
    "stacks",
    "template",
    "values",
    "yaml",
    "files",
];

/// All rules, from the text of the program.
pub(crate) fn of_the_program() -> BTreeSet<String> {
    let mut rules = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut rules);
    rules
}

fn collect(folder: &Path, rules: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "tests") {
            collect(&path, rules);
        } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests.rs") {
            let text = std::fs::read_to_string(&path).expect("sources are text");
            let program = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            rules.extend(literals(program));
        }
    }
}

/// The literals of a source that look like rules. Comments are left out.
fn literals(program: &str) -> impl Iterator<Item = String> {
    program
        .lines()
        .map(str::trim_start)
        .filter(|line| !line.starts_with("//"))
        .flat_map(|line| line.split('"').skip(1).step_by(2))
        .filter(|literal| is_rule(literal))
        .map(str::to_owned)
}

fn is_rule(literal: &str) -> bool {
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    literal.split_once('/').is_some_and(|(area, what)| {
        AREAS.contains(&area) && !what.is_empty() && what.chars().all(is_word)
    })
}
