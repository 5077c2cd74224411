//! The one place that knows how a project is loaded.

use gitdeploy::compose::{self, Options, ProjectName, Request};
use gitdeploy::diag::{Diagnostic, Severity, Sources};
use gitdeploy::files::{Files, Memory, file_name, join};
use serde_json::Value;

use super::archive::Case;
use super::invocation::{DIRECTORY, Invocation};
use super::verdict::{Finding, Outcome};

/// Loads the project of `case` from memory.
pub(crate) fn load(case: &Case) -> Outcome {
    let mut files = Memory::new();
    for (path, content) in &case.files {
        files.insert(&join(DIRECTORY, path), content);
    }
    let sources = Sources::default();
    match load_from(case, &files, &sources) {
        Ok((json, warnings)) => Outcome::Loaded {
            json: portable(json),
            warnings: warnings.iter().map(|warning| finding(warning, &sources).text).collect(),
        },
        Err(diagnostics) => Outcome::Refused(
            diagnostics
                .iter()
                .filter(|diagnostic| diagnostic.severity == Severity::Error)
                .map(|diagnostic| finding(diagnostic, &sources))
                .collect(),
        ),
    }
}

/// Calls the library as the command line would.
fn load_from(
    case: &Case,
    files: &Memory,
    sources: &Sources,
) -> Result<(Value, Vec<Diagnostic>), Vec<Diagnostic>> {
    let mut invocation = Invocation::of(case);
    if invocation.variable_files.is_empty() {
        let default = join(&invocation.project_directory, ".env");
        if files.is_file(&default).is_ok_and(|is_file| is_file) {
            invocation.variable_files.push(default);
        }
    }
    let loaded = compose::dotenv_files::load(
        files,
        sources,
        &invocation.variable_files,
        &invocation.environment,
    )?;
    let mut warnings = loaded.warnings;
    let mut variables = loaded.variables;
    variables.extend(invocation.environment);
    if invocation.profiles.is_empty() {
        let profiles = variables.get("COMPOSE_PROFILES").map_or("", String::as_str);
        invocation.profiles = profiles.split(',').map(|name| name.trim().to_owned()).collect();
    }
    let name = invocation.project_name.or_else(|| variables.get("COMPOSE_PROJECT_NAME").cloned());
    let project = compose::load(&Request {
        files,
        sources,
        compose_files: &invocation.compose_files,
        project_dir: &invocation.project_directory,
        name: match &name {
            Some(name) => ProjectName::Set(name),
            None => ProjectName::Fallback(file_name(&invocation.project_directory)),
        },
        home: variables.get("HOME").map(String::as_str),
        variables: &variables,
        profiles: &invocation.profiles,
        services: &invocation.services,
        options: Options::default(),
    })?;
    warnings.extend(project.warnings.iter().cloned());
    Ok((project.to_json(), warnings))
}

/// With `{{DIR}}` for the case's directory.
fn portable(json: Value) -> Value {
    match json {
        Value::String(text) => Value::String(text.replace(DIRECTORY, "{{DIR}}")),
        Value::Array(items) => items.into_iter().map(portable).collect(),
        Value::Object(map) => {
            map.into_iter().map(|(name, value)| (name, portable(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => json,
    }
}

fn finding(diagnostic: &Diagnostic, sources: &Sources) -> Finding {
    let place = diagnostic.primary.as_ref().map_or("-".to_owned(), |label| {
        let located = sources.locate(label.span);
        let file = located.source.name.as_ref();
        let file = file.strip_prefix(DIRECTORY).map_or(file, |file| file.trim_start_matches('/'));
        format!("{file}:{}", located.line)
    });
    let labels = diagnostic.primary.iter().chain(&diagnostic.related).map(|label| &label.text);
    let sentences: Vec<&str> = [&diagnostic.message]
        .into_iter()
        .chain(labels)
        .chain(&diagnostic.help)
        .map(String::as_str)
        .filter(|sentence| !sentence.is_empty())
        .collect();
    Finding { place, text: sentences.join("; ") }
}
