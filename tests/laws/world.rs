//! Loading and resolving from memory.

use std::collections::BTreeMap;

use gitdeploy::compose::{self, Options, ProjectName, Request};
use gitdeploy::diag::{Sources, Style, render};
use gitdeploy::files::Memory;
use gitdeploy::model::StackTarget;
use gitdeploy::resolve::{Surroundings, resolve};
use gitdeploy::settings::{Inventory, Settings};
use serde_json::Value;

/// The project of some files, each laid over the one before.
pub(crate) fn model(texts: &[&str], options: Options) -> Value {
    load(texts, options, compose::Project::to_json)
}

/// The project as YAML.
pub(crate) fn yaml(text: &str, options: Options) -> String {
    load(&[text], options, |project| gitdeploy::yaml::to_text(&project.to_yaml()))
}

/// The desired state of a file's project.
pub(crate) fn target(text: &str) -> StackTarget {
    load(&[text], Options::default(), |project| {
        let surroundings = Surroundings {
            files: &Memory::new(),
            sources: &Sources::default(),
            settings: &Settings::default(),
            inventory: &Inventory::local(),
        };
        let (target, problems) = resolve(project, &surroundings);
        assert!(problems.iter().all(|problem| !problem.is_error()), "{problems:?}\n{text}");
        target
    })
}

fn load<T>(texts: &[&str], options: Options, take: impl FnOnce(&compose::Project) -> T) -> T {
    let mut files = Memory::new();
    let paths: Vec<String> = (0..texts.len()).map(|index| format!("{index}.yaml")).collect();
    for (path, text) in paths.iter().zip(texts) {
        files.insert(path, text);
    }
    let sources = Sources::default();
    let project = compose::load(&Request {
        files: &files,
        sources: &sources,
        compose_files: &paths,
        project_dir: "",
        name: ProjectName::Fallback("shop"),
        variables: &BTreeMap::new(),
        home: None,
        profiles: &[],
        services: &[],
        options,
    });
    match project {
        Ok(project) => take(&project),
        Err(problems) => {
            let texts = problems.iter().map(|it| render(it, &sources, Style::default()));
            panic!("{}", texts.collect::<String>())
        }
    }
}
