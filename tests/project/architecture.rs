//! Who may use whom. The tables are the architecture; a change of them is a decision.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Each module of the crate with the modules it may use.
const LAYERS: &[(&str, &[&str])] = &[
    ("diag", &[]),
    ("ssh", &[]),
    ("model", &[]),
    ("files", &["diag"]),
    ("yaml", &["diag"]),
    ("shape", &["diag", "yaml"]),
    ("git", &["diag", "files", "model", "ssh"]),
    ("template", &["diag", "files", "yaml"]),
    ("compose", &["diag", "files", "shape", "yaml"]),
    ("settings", &["compose", "diag", "files", "model", "shape", "ssh", "sync", "yaml"]),
    ("resolve", &["compose", "diag", "files", "model", "settings", "yaml"]),
    ("diff", &["diag", "files", "model", "resolve"]),
    ("ports", &["model"]),
    ("spec", &["diff", "model"]),
    ("proxy", &["diag", "files", "model", "settings", "template"]),
    ("planner", &["diag", "diff", "model", "proxy", "settings", "spec"]),
    ("exec", &["diag", "model", "ports", "proxy"]),
    ("adapters", &["model", "ports", "proxy", "settings", "ssh"]),
    ("sim", &["model", "ports", "proxy", "spec"]),
    (
        "pipeline",
        &[
            "compose", "diag", "diff", "exec", "files", "git", "model", "planner", "ports",
            "proxy", "resolve", "settings", "spec", "ssh", "template", "yaml",
        ],
    ),
    ("ui", &["diag", "diff", "model"]),
    ("sync", &["model"]),
    ("forge", &["diag", "model", "sync", "template"]),
    ("server", &["model", "sync", "ui"]),
    (
        "daemon",
        &[
            "diag", "exec", "files", "forge", "git", "model", "pipeline", "planner", "ports",
            "server", "settings", "sync", "ui",
        ],
    ),
    (
        "cli",
        &[
            "adapters", "compose", "daemon", "diag", "diff", "exec", "files", "forge", "git",
            "model", "pipeline", "planner", "ports", "proxy", "server", "settings", "shape", "sim",
            "ssh", "sync", "ui", "yaml",
        ],
    ),
];

/// Crates that only some modules may name: what touches the world, and what could be exchanged.
const CRATES: &[(&str, &[&str])] = &[
    ("bollard", &["adapters"]),
    ("hyper", &["adapters"]),
    ("hyper_util", &["adapters"]),
    ("native_tls", &["adapters"]),
    ("axum", &["server"]),
    ("cronexpr", &["sync"]),
    ("lettre", &["forge"]),
    ("reqwest", &["cli", "forge"]),
    ("rustix", &["adapters"]),
    ("tar", &["adapters"]),
    ("tokio", &["adapters", "cli", "daemon", "exec", "forge", "pipeline", "server", "sim"]),
    ("annotate_snippets", &["diag"]),
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("clap_mangen", &["cli"]),
    ("git2", &["git"]),
    ("granit_parser", &["yaml"]),
    ("indicatif", &["cli", "ui"]),
    ("jiff", &["adapters", "cli", "server", "sync"]),
    ("minijinja", &["template", "pipeline", "server"]),
    ("serde_yaml", &["yaml"]),
    ("openssl", &["pipeline"]),
    ("openssl_probe", &["git"]),
    ("similar", &["ui"]),
    ("ssh2", &["adapters"]),
];

/// Lines of code a file may have; tables of data count like any other.
const LINES_MAX: usize = 600;

pub(crate) fn sources() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("text");
                found.insert(path, text);
            }
        }
    }
    found
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The top module that a file belongs to; `None` for `lib.rs` and `main.rs`.
fn module(path: &Path) -> Option<String> {
    let below = path.strip_prefix(root().join("src")).expect("below src");
    let mut parts = below.components();
    let first = parts.next()?.as_os_str().to_str()?.to_owned();
    match first.as_str() {
        "lib.rs" | "main.rs" => None,
        name => Some(name.trim_end_matches(".rs").to_owned()),
    }
}

/// Words that follow `prefix` in the code of a file, comments and test modules left out.
fn used(text: &str, prefix: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]").next().unwrap_or(text);
    let mut names = BTreeSet::new();
    for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
        for rest in line.split(prefix).skip(1) {
            match rest.strip_prefix('{') {
                Some(list) => names.extend(heads(list)),
                None => names.extend(word(rest)),
            }
        }
    }
    names
}

/// The first words of the items of `a::b, c}`.
fn heads(list: &str) -> Vec<String> {
    list.split(',').filter_map(|item| word(item.trim())).collect()
}

fn word(text: &str) -> Option<String> {
    let word: String =
        text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
    word.starts_with(|c: char| c.is_ascii_lowercase()).then_some(word)
}

#[test]
fn modules_use_only_what_lies_below_them() {
    let layers: BTreeMap<&str, &[&str]> = LAYERS.iter().copied().collect();
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(module) = module(&path) else { continue };
        let Some(allowed) = layers.get(module.as_str()) else {
            wrong.push(format!("{module} is not in the table"));
            continue;
        };
        if path
            .file_name()
            .is_some_and(|name| name == "tests.rs" || name == "testing.rs" || name == "fixture.rs")
        {
            continue;
        }
        for name in used(&text, "crate::") {
            if layers.contains_key(name.as_str())
                && name != module
                && !allowed.contains(&name.as_str())
            {
                wrong.push(format!("{}: {module} must not use {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn crates_stay_where_they_belong() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let Some(module) = module(&path) else { continue };
        let code = text.split("#[cfg(test)]").next().unwrap_or(&text);
        let is_test =
            path.file_name().is_some_and(|name| name == "tests.rs" || name == "fixture.rs");
        for (name, allowed) in CRATES.iter().filter(|_| !is_test) {
            let mentions = |line: &str| {
                !line.trim_start().starts_with("//")
                    && (line.contains(&format!("{name}::"))
                        || line.contains(&format!("use {name}")))
            };
            if code.lines().any(mentions) && !allowed.contains(&module.as_str()) {
                wrong.push(format!("{}: {module} must not name {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_says_what_it_is_for_and_stays_small() {
    let mut wrong = Vec::new();
    for (path, text) in sources() {
        let is_test = path.file_name().is_some_and(|name| name == "tests.rs");
        if !is_test && !text.starts_with("//!") {
            wrong.push(format!("{}: no module documentation", path.display()));
        }
        let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or(&text);
        let lines = code.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{}: {lines} lines", path.display()));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
