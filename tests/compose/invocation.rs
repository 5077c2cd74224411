//! A command line in the manner of `docker compose`, as far as the cases use it.

use std::collections::BTreeMap;

use gitdeploy::files::{join, parent};

use super::archive::Case;

/// Where every case lies; nothing is on disk.
pub(crate) const DIRECTORY: &str = "/case";

/// The names of a project's file, the first that is there is taken.
const FILE_NAMES: [&str; 4] =
    ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// The names of the file laid over it when no file is named.
const OVERRIDE_NAMES: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// What to load and how, with absolute paths.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Invocation {
    pub(crate) compose_files: Vec<String>,
    /// Files of variables; empty for the project directory's `.env`, if there is one.
    pub(crate) variable_files: Vec<String>,
    pub(crate) project_directory: String,
    pub(crate) project_name: Option<String>,
    pub(crate) profiles: Vec<String>,
    pub(crate) services: Vec<String>,
    pub(crate) environment: BTreeMap<String, String>,
}

impl Invocation {
    /// Reads the arguments and the environment of `case`.
    pub(crate) fn of(case: &Case) -> Self {
        let mut invocation = Self { environment: case.environment.clone(), ..Self::default() };
        invocation.environment.entry("PWD".to_owned()).or_insert_with(|| DIRECTORY.to_owned());
        let mut directory = None;
        let mut arguments = case.arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().expect("an option of a case has a value").clone();
            match argument.as_str() {
                "-f" => invocation.compose_files.push(join(DIRECTORY, &value())),
                "--env-file" => invocation.variable_files.push(join(DIRECTORY, &value())),
                "--project-directory" => directory = Some(join(DIRECTORY, &value())),
                "-p" => invocation.project_name = Some(value()),
                "--profile" => invocation.profiles.push(value()),
                service => invocation.services.push(service.to_owned()),
            }
        }
        if let Some(list) = case.environment.get("COMPOSE_FILE") {
            invocation.compose_files = list.split(':').map(|file| join(DIRECTORY, file)).collect();
        }
        if invocation.compose_files.is_empty() {
            invocation.compose_files = default_files(case);
        }
        invocation.project_directory =
            directory.unwrap_or_else(|| match invocation.compose_files.first() {
                Some(file) => parent(file).to_owned(),
                None => DIRECTORY.to_owned(),
            });
        invocation
    }
}

fn default_files(case: &Case) -> Vec<String> {
    [FILE_NAMES, OVERRIDE_NAMES]
        .iter()
        .filter_map(|names| names.iter().find(|name| case.files.contains_key(**name)))
        .map(|name| join(DIRECTORY, name))
        .collect()
}
