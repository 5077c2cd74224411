//! Compose files that others have written load, where a collection of them is at hand.
//!
//! `GITDEPLOY_CORPUS` names the folder; without it, a folder `corpus` in one of the folders beside
//! the project is taken.
//! All files called as Compose calls them are loaded, each with the `.env` beside it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use gitdeploy::compose::{self, Options, ProjectName, Request};
use gitdeploy::diag::{Sources, Style, render};
use gitdeploy::files::Disk;

const NAMES: [&str; 4] =
    ["compose.yaml", "compose.yml", "docker-compose.yaml", "docker-compose.yml"];

#[test]
fn files_of_the_corpus_load_or_the_corpus_is_absent() {
    // Written past the test runner, which keeps what a passing test prints to itself.
    let mut say = std::io::stderr();
    let Some(folder) = std::env::var_os("GITDEPLOY_CORPUS").map(PathBuf::from).or_else(beside)
    else {
        writeln!(say, "SKIPPED: no corpus of Compose files; GITDEPLOY_CORPUS may name one")
            .expect("standard error");
        return;
    };
    let mut found = Vec::new();
    collect(&folder, &mut found);
    assert!(!found.is_empty(), "there are no Compose files in {}", folder.display());
    let complaints: String = found.iter().filter_map(|path| complaint(path)).collect();
    assert!(complaints.is_empty(), "{complaints}");
    writeln!(say, "{} files of a corpus load", found.len()).expect("standard error");
}

/// A folder `corpus` in a folder beside the project.
fn beside() -> Option<PathBuf> {
    let parent = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let folders = std::fs::read_dir(parent).ok()?.filter_map(|entry| Some(entry.ok()?.path()));
    folders.map(|folder| folder.join("corpus")).find(|folder| folder.is_dir())
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        if path.is_dir() {
            collect(&path, found);
        } else if path.file_name().is_some_and(|name| NAMES.iter().any(|known| *known == name)) {
            found.push(path);
        }
    }
    found.sort();
}

/// What keeps the file at `path` from being loaded.
fn complaint(path: &Path) -> Option<String> {
    let path = std::fs::canonicalize(path).expect("the file is there");
    let folder = path.parent().expect("a folder").to_str().expect("UTF-8").to_owned();
    let (files, sources) = (Disk, Sources::default());
    let env = format!("{folder}/.env");
    let env: Vec<String> = Path::new(&env).is_file().then_some(env).into_iter().collect();
    let nothing = BTreeMap::new();
    let project = compose::dotenv_files::load(&files, &sources, &env, &nothing).and_then(|env| {
        compose::load(&Request {
            files: &files,
            sources: &sources,
            compose_files: &[path.to_str().expect("UTF-8").to_owned()],
            project_dir: &folder,
            name: ProjectName::Set("corpus"),
            variables: &env.variables,
            home: Some("/home/user"),
            profiles: &[],
            services: &[],
            options: Options::default(),
        })
    });
    let problems = project.err()?;
    let texts = problems.iter().map(|problem| render(problem, &sources, Style::default()));
    Some(texts.collect())
}
