//! `render`: stacks as they are after templates, interpolation and merges.
//!
//! Two roads that share the end: stacks of a repository, and with `-f` plain Compose files on
//! disk, for which the command stands in for `docker compose config`.

use std::io::Read as _;

use serde_json::{Map, Value};

use super::Run;
use crate::cli::args::{ModelFormat, Render};
use crate::cli::{Exit, Failure, repository};
use crate::compose::dotenv_files::Loaded;
use crate::compose::{self, Project};
use crate::diag::{Diagnostic, Sources};
use crate::files::{Disk, Files, Memory, Overlay, Report, clean, file_name, join, parent};
use crate::pipeline::Choice;
use crate::yaml;

/// The name under which standard input is read.
const STDIN: &str = "-";

pub(super) fn run(run: &Run<'_>, args: &Render) -> Result<Exit, Failure> {
    let page = if args.files.is_empty() { stacks(run, args)? } else { plain_files(run, args)? };
    match &args.output {
        Some(path) => std::fs::write(run.world.folder.join(path), page).map_err(|error| {
            Failure::because(&format!("could not write `{}`", path.display()), &error)
        })?,
        None => run.screen.result(&page)?,
    }
    Ok(Exit::Done)
}

fn stacks(run: &Run<'_>, args: &Render) -> Result<String, Failure> {
    let choice = Choice {
        environment: run.cli.global.environment(),
        variables: run.world.variables.clone(),
        env_files: args.inputs.env_files.clone(),
        profiles: args.inputs.profiles.clone(),
        stacks: args.names.clone(),
    };
    let global = &run.cli.global;
    let snapshot = repository::snapshot(global, run.world, run.screen, args.worktree, choice)?;
    let mut models = Vec::new();
    let mut reports = Vec::new();
    for model in snapshot.models(options(args)) {
        match model.project {
            Some(project) => {
                run.screen.findings(&model.report.diagnostics, &model.report.sources);
                models.push((model.name.to_string(), project));
            }
            None => reports.push(model.report),
        }
    }
    if !reports.is_empty() {
        let next = if args.worktree { "validate --worktree" } else { "validate" };
        return Err(Failure::reports(reports).hint(global.next_command(next)));
    }
    if args.worktree {
        run.screen.note("rendered from uncommitted files");
    }
    Ok(match (models.as_slice(), args.format) {
        ([(_, project)], format) => one(project, format),
        (models, ModelFormat::Json) => {
            let all: Map<String, Value> =
                models.iter().map(|(name, project)| (name.clone(), project.to_json())).collect();
            format!("{:#}\n", Value::Object(all))
        }
        (models, ModelFormat::Yaml) => models
            .iter()
            .map(|(name, project)| {
                format!("---\n# stack {name}\n{}", one(project, ModelFormat::Yaml))
            })
            .collect(),
    })
}

fn one(project: &Project, format: ModelFormat) -> String {
    match format {
        ModelFormat::Json => format!("{:#}\n", project.to_json()),
        ModelFormat::Yaml => yaml::to_text(&project.to_yaml()),
    }
}

fn options(args: &Render) -> compose::Options {
    compose::Options {
        interpolate: !args.no_interpolate,
        normalize: !args.no_normalize,
        resolve_paths: !args.no_path_resolution,
        check_consistency: !args.no_consistency,
        resolve_environment: !args.no_env_resolution,
        keep_unused: false,
    }
}

fn plain_files(run: &Run<'_>, args: &Render) -> Result<String, Failure> {
    let folder = run.world.folder.to_string_lossy().into_owned();
    let (files, compose_files) = read_names(&folder, args)?;
    let project_dir = match (&args.project_directory, args.files.first()) {
        (Some(dir), _) => join(&folder, dir),
        (None, Some(first)) if first != STDIN => parent(&join(&folder, first)).to_owned(),
        (None, _) => clean(&folder),
    };
    let sources = Sources::default();
    match load(run, args, &*files, &sources, &compose_files, &project_dir) {
        Ok(project) => {
            run.screen.findings(&project.warnings, &sources);
            Ok(one(&project, args.format))
        }
        Err(problems) => Err(Report::new(problems, sources).into()),
    }
}

/// The files to read, absolute; standard input is laid over the disk as a file of its own.
fn read_names(folder: &str, args: &Render) -> Result<(Box<dyn Files>, Vec<String>), Failure> {
    let paths = args.files.iter().map(|file| join(folder, file)).collect();
    if !args.files.iter().any(|file| file == STDIN) {
        return Ok((Box::new(Disk), paths));
    }
    let mut text = Vec::new();
    std::io::stdin()
        .lock()
        .take(crate::files::FILE_SIZE_MAX + 1)
        .read_to_end(&mut text)
        .map_err(|error| Failure::because("could not read standard input", &error))?;
    let input = Memory::new().with(&join(folder, STDIN), text);
    Ok((Box::new(Overlay::new(input, Disk)), paths))
}

fn load(
    run: &Run<'_>,
    args: &Render,
    files: &dyn Files,
    sources: &Sources,
    compose_files: &[String],
    project_dir: &str,
) -> Result<Project, Vec<Diagnostic>> {
    let Loaded { variables, warnings } = variables(run, args, files, sources, project_dir)?;
    let named = |name: &str| variables.get(name).map(String::as_str).unwrap_or_default();
    let profiles: Vec<String> = match args.inputs.profiles.as_slice() {
        [] => named("COMPOSE_PROFILES").split(',').map(str::trim).map(str::to_owned).collect(),
        profiles => profiles.to_vec(),
    };
    let given = args.project_name.as_deref().unwrap_or_else(|| named("COMPOSE_PROJECT_NAME"));
    let name = match given {
        "" => compose::ProjectName::Fallback(file_name(project_dir)),
        given => compose::ProjectName::Set(given),
    };
    let loaded = compose::load(&compose::Request {
        files,
        sources,
        compose_files,
        project_dir,
        name,
        variables: &variables,
        home: run.world.home(),
        profiles: &profiles,
        services: &args.names,
        options: options(args),
    });
    compose::with_warnings(loaded, warnings)
}

/// The process environment, and below it `--env-file` or `.env`.
fn variables(
    run: &Run<'_>,
    args: &Render,
    files: &dyn Files,
    sources: &Sources,
    project_dir: &str,
) -> Result<Loaded, Vec<Diagnostic>> {
    let environment = &run.world.variables;
    let folder = run.world.folder.to_string_lossy();
    let mut paths: Vec<String> =
        args.inputs.env_files.iter().map(|file| join(&folder, file)).collect();
    let usual = join(project_dir, ".env");
    if paths.is_empty() && files.is_file(&usual).unwrap_or(false) {
        paths.push(usual);
    }
    let mut loaded = compose::dotenv_files::load(files, sources, &paths, environment)?;
    loaded.variables.extend(environment.clone());
    Ok(loaded)
}
