//! Every kind of finding as a person sees it, exactly: `fixtures/diagnostics/*.txt`.
//!
//! A case is a small repository, a command line, and what the program then writes. To accept new
//! output: `UPDATE_DIAGNOSTICS=1 cargo test --test cli diagnostics`, and read the difference.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use similar::TextDiff;

use crate::environment::Repo;

mod archive;
mod rules;

use archive::{Archive, Case, Entry};

#[test]
fn every_finding_reads_as_recorded() {
    let update = std::env::var_os("UPDATE_DIAGNOSTICS").is_some();
    let mut complaints = String::new();
    for (path, archive) in archives() {
        let found = run_all(&archive);
        let wanted = archive.to_string();
        let found = found.to_string();
        if wanted == found {
            continue;
        }
        if update {
            std::fs::write(&path, &found).expect("the archive can be written");
        }
        let diff = TextDiff::from_lines(&wanted, &found);
        let name = path.display().to_string();
        complaints += &diff.unified_diff().context_radius(12).header(&name, "found").to_string();
    }
    assert!(update || complaints.is_empty(), "{complaints}\nUPDATE_DIAGNOSTICS=1 accepts this");
}

#[test]
fn every_rule_has_a_case() {
    let text: String = archives().iter().map(|(_, archive)| archive.to_string()).collect();
    let unreachable: BTreeSet<&str> = rules::UNREACHABLE.iter().map(|(rule, _)| *rule).collect();
    let known = rules::of_the_program();
    assert!(known.len() > 100, "the rules are found in the sources: {known:?}");
    let is_shown = |rule: &str| {
        text.contains(&format!("[{rule}]")) || text.contains(&format!("\"rule\":\"{rule}\""))
    };
    let lacking: Vec<&String> = known
        .iter()
        .filter(|rule| !is_shown(rule) && !unreachable.contains(rule.as_str()))
        .collect();
    assert!(lacking.is_empty(), "rules without a case in fixtures/diagnostics: {lacking:#?}");
    for rule in unreachable {
        assert!(known.contains(rule), "`{rule}` is no rule any more");
        assert!(!is_shown(rule), "`{rule}` has a case; it is not unreachable");
    }
}

/// The archives with their paths, in order of their names.
fn archives() -> Vec<(PathBuf, Archive)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/diagnostics");
    let entries = std::fs::read_dir(folder).expect("the archives are there");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| {
            let text = std::fs::read_to_string(&path).expect("an archive is text");
            let archive = text.parse().unwrap_or_else(|why| panic!("{}: {why}", path.display()));
            (path, archive)
        })
        .collect()
}

/// The archive with what the program writes now.
fn run_all(archive: &Archive) -> Archive {
    let next = AtomicUsize::new(0);
    let found: Mutex<Vec<Option<Case>>> = Mutex::new(vec![None; archive.cases.len()]);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some((index, case)) = {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    archive.cases.get(index).map(|case| (index, case))
                } {
                    found.lock().expect("no thread panics with it")[index] = Some(run(case));
                }
            });
        }
    });
    let cases = found.into_inner().expect("no thread panicked");
    Archive { cases: cases.into_iter().map(|case| case.expect("every case was run")).collect() }
}

fn run(case: &Case) -> Case {
    let repo = Repo::new();
    for (path, entry) in case.files() {
        match entry {
            Entry::File(content) => repo.write(&path, content),
            Entry::Link(target) => {
                let link = repo.path().join(path);
                std::fs::create_dir_all(link.parent().expect("a folder")).expect("a folder");
                std::os::unix::fs::symlink(target, link).expect("a link");
            }
        }
    }
    repo.commit(&[]);
    let arguments = case.arguments();
    let variables = case.variables();
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let run = repo.run_with(&arguments, &variables);
    let folder = std::fs::canonicalize(repo.path()).expect("the folder is there");
    let portable = |text: &str| {
        let text = text.replace(&folder.display().to_string(), "/acme");
        text.lines().map(|line| format!("{}\n", without_time(line))).collect::<String>()
    };
    case.with(&portable(&run.stdout), &portable(&run.stderr))
}

/// An event without the one part of it that is never the same twice.
fn without_time(line: &str) -> String {
    const KEY: &str = "\"@timestamp\":\"";
    let Some((before, rest)) = line.split_once(KEY) else { return line.to_owned() };
    let after = rest.split_once('"').map_or("", |(_, after)| after);
    format!("{before}{KEY}…\"{after}")
}
