//! Compose files on disk's terms: loading is total, and what was rendered loads as itself if it loads
//! at all (the reference renders some projects that it then refuses, such as one with a nameless
//! label).

#![no_main]

use std::collections::BTreeMap;

use gitdeploy::compose::{self, Options, Project, ProjectName, Request};
use gitdeploy::diag::{Diagnostic, Sources};
use gitdeploy::files::{Files, Memory};
use gitdeploy::yaml::to_text;
use gitdeploy_fuzz::{assert_sound, tree};
use libfuzzer_sys::fuzz_target;
use serde_json::Value as Json;

const DIR: &str = "/case";
const FILE: &str = "/case/compose.yaml";

fn load(
    files: &Memory,
    sources: &Sources,
    variables: &BTreeMap<String, String>,
    options: Options,
) -> Result<Project, Vec<Diagnostic>> {
    compose::load(&Request {
        files,
        sources,
        compose_files: &[FILE.to_owned()],
        project_dir: DIR,
        name: ProjectName::Fallback("case"),
        variables,
        home: Some("/home/me"),
        profiles: &["*".to_owned()],
        services: &[],
        options,
    })
}

fn variables(files: &Memory, sources: &Sources) -> BTreeMap<String, String> {
    let path = format!("{DIR}/.env");
    let mut variables = BTreeMap::from([("SET".to_owned(), "value".to_owned())]);
    if files.is_file(&path).is_ok_and(|is_file| is_file) {
        match compose::dotenv_files::load(files, sources, &[path], &variables) {
            Ok(loaded) => {
                assert_sound(&loaded.warnings, sources);
                variables.extend(loaded.variables);
            }
            Err(problems) => assert_sound(&problems, sources),
        }
    }
    variables
}

/// Whether a key has a dollar sign. The reference doubles it on rendering, though no reader replaces
/// variables in keys, so that each round doubles it again.
fn has_dollar_key(json: &Json) -> bool {
    match json {
        Json::Object(object) => {
            object.iter().any(|(key, value)| key.contains('$') || has_dollar_key(value))
        }
        Json::Array(items) => items.iter().any(has_dollar_key),
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => false,
    }
}

fuzz_target!(|input: &str| {
    let files = tree(input, "compose.yaml", DIR);
    let sources = Sources::default();
    let variables = variables(&files, &sources);

    let raw = Options { interpolate: false, ..Options::default() };
    match load(&files, &sources, &variables, raw) {
        Ok(project) => drop(project.to_json()),
        Err(problems) => assert_sound(&problems, &sources),
    }

    let project = match load(&files, &sources, &variables, Options::default()) {
        Ok(project) => project,
        Err(problems) => return assert_sound(&problems, &sources),
    };
    assert_sound(&project.warnings, &sources);
    project.model();
    let rendered = project.to_json();
    if has_dollar_key(&rendered) {
        return;
    }
    let text = to_text(&rendered);
    let files = files.with(FILE, &text);
    match load(&files, &sources, &variables, Options::default()) {
        Ok(again) => assert_eq!(again.to_json(), rendered, "rendered as\n{text}"),
        Err(problems) => assert_sound(&problems, &sources),
    }
});
