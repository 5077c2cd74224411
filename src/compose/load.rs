//! The way from a request to a project, stage by stage.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::diag::{Diagnostic, Sources};
use crate::files::Files;
use crate::yaml::{Map, Node, Value};

use super::loader::{Loader, Scope, Step};
use super::select::Selection;
use super::{bind, consistency, environment, name, normalize, output};

/// What is to be loaded, and from where.
pub struct Request<'a> {
    /// The tree that everything is read from.
    pub files: &'a dyn Files,
    /// Where every text that is read is kept, for the spans of what comes out.
    pub sources: &'a Sources,
    /// The Compose files, later ones over earlier ones.
    pub compose_files: &'a [String],
    /// The project's directory: absolute on disk, below the root (`""`) in a repository.
    ///
    /// In a repository, paths on the host come out below its root, as `./stacks/shop/data`.
    pub project_dir: &'a str,
    /// What the project is called.
    pub name: ProjectName<'a>,
    /// The values of variables: `.env`, `--env-file` and process environment, merged.
    pub variables: &'a BTreeMap<String, String>,
    /// What `~` stands for.
    pub home: Option<&'a str>,
    /// The profiles that are on; `*` is all of them.
    pub profiles: &'a [String],
    /// The services that are wanted, with what they depend on; all when empty.
    pub services: &'a [String],
    /// Which stages run.
    pub options: Options,
}

/// Where the name of a project comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProjectName<'a> {
    /// Set by the user outside the files, and stronger than these.
    Set(&'a str),
    /// Taken when no file has a `name`: the name of a directory, brought into form.
    Fallback(&'a str),
}

/// Which stages run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each switch is one a user has")]
pub struct Options {
    /// Whether variables are replaced. Without, the project is shown as it was merged.
    pub interpolate: bool,
    /// Whether implied networks, names and dependencies are added.
    pub normalize: bool,
    /// Whether relative paths are resolved.
    pub resolve_paths: bool,
    /// Whether references between services and resources are checked.
    pub check_consistency: bool,
    /// Whether `env_file` becomes `environment`.
    pub resolve_environment: bool,
    /// Whether resources that no service uses are kept.
    pub keep_unused: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            interpolate: true,
            normalize: true,
            resolve_paths: true,
            check_consistency: true,
            resolve_environment: true,
            keep_unused: false,
        }
    }
}

/// A project in canonical form.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its name.
    pub name: String,
    /// The tree: `name`, `services`, `networks`, `volumes`, `secrets`, `configs`, `models` and
    /// `x-` keys. Extensions of inner mappings stand below `#extensions`.
    pub root: Node,
    /// Names of services whose profiles are off.
    pub disabled: Vec<String>,
    /// What deserves a look.
    pub warnings: Vec<Diagnostic>,
    /// Whether the tree is only merged, for variables stand in it unreplaced.
    is_raw: bool,
}

impl Project {
    /// The project as `docker compose config --format json` shows it.
    pub fn to_json(&self) -> serde_json::Value {
        if self.is_raw { output::raw(&self.root) } else { output::canonical(&self.root) }
    }

    /// The project as `docker compose config` shows it in YAML, to be read again.
    pub fn to_yaml(&self) -> serde_json::Value {
        if self.is_raw { output::raw(&self.root) } else { output::readable(&self.root) }
    }

    /// The same as values to work with: a `$` is one `$`.
    pub fn model(&self) -> serde_json::Value {
        output::unescaped(&self.root)
    }
}

/// The most errors that are told at once; more help nobody.
const ERRORS_MAX: usize = 200;

/// Loads a project, or says all that is wrong with it; warnings come first.
pub fn load(request: &Request<'_>) -> Result<Project, Vec<Diagnostic>> {
    let mut loader = Loader::new(request);
    run(&mut loader).map_err(|_stop| {
        let more = loader.problems.len().saturating_sub(ERRORS_MAX);
        loader.problems.truncate(ERRORS_MAX);
        if more > 0 {
            let message = format!("{more} more problems are not shown");
            loader.problems.push(Diagnostic::error("compose/more", message));
        }
        loader.warnings.truncate(ERRORS_MAX);
        loader.warnings.append(&mut loader.problems);
        loader.warnings
    })
}

/// `loaded` with warnings of what came before loading.
pub fn with_warnings(
    loaded: Result<Project, Vec<Diagnostic>>,
    warnings: Vec<Diagnostic>,
) -> Result<Project, Vec<Diagnostic>> {
    match loaded {
        Ok(mut project) => {
            project.warnings.splice(0..0, warnings);
            Ok(project)
        }
        Err(mut problems) => {
            problems.splice(0..0, warnings);
            Err(problems)
        }
    }
}

fn run(loader: &mut Loader<'_>) -> Step<Project> {
    let request = loader.request;
    let options = request.options;
    let name = name::determine(loader)?;
    // A project whose variables stay unreplaced is shown without the environment.
    let mut variables =
        if options.interpolate { request.variables.clone() } else { BTreeMap::new() };
    variables.insert("COMPOSE_PROJECT_NAME".to_owned(), name.clone());
    let variables = Rc::new(variables);
    let scope = Scope {
        dir: request.project_dir.to_owned(),
        shown_dir: request.project_dir.to_owned(),
        variables: Rc::clone(&variables),
        chain: Vec::new(),
        is_project: true,
    };
    let paths: Vec<_> = request.compose_files.iter().map(|path| (path.clone(), None)).collect();
    let mut root = loader.load_set(&scope, &paths)?;
    if root.as_map().is_none_or(Map::is_empty) {
        let message = format!("`{}` is empty", request.compose_files.join("`, `"));
        return loader.stop(Diagnostic::error("compose/empty", message));
    }
    if name.is_empty() {
        return loader.stop(
            Diagnostic::error("compose/name", "the project has no name")
                .help("give it one with a top-level `name:`"),
        );
    }
    if options.normalize {
        normalize::normalize(&mut root, &name, &variables);
    }
    if !options.interpolate {
        loader.checked()?;
        let warnings = std::mem::take(&mut loader.warnings);
        return Ok(Project { name, root, disabled: Vec::new(), warnings, is_raw: true });
    }
    if let Some(map) = root.as_map_mut() {
        normalize::set_first(map, "name", &name);
    }
    let earlier = loader.problems.len();
    let mut root = bind::bind(root, request.sources, &mut loader.problems);
    loader.settle(earlier)?;
    let disabled = resolve(loader, &mut root, &variables)?;
    loader.checked()?;
    let warnings = std::mem::take(&mut loader.warnings);
    Ok(Project { name, root, disabled, warnings, is_raw: false })
}

/// Takes the bound project to the services that are wanted; gives the names of the others.
fn resolve(
    loader: &mut Loader<'_>,
    root: &mut Node,
    variables: &BTreeMap<String, String>,
) -> Step<Vec<String>> {
    let request = loader.request;
    let options = request.options;
    let Value::Map(project) = &mut root.value else { return Ok(Vec::new()) };
    let mut selection = Selection::by_profiles(project, request.profiles);
    if options.check_consistency {
        let earlier = loader.problems.len();
        consistency::check(project, &mut selection, &mut loader.problems);
        loader.settle(earlier)?;
    }
    let earlier = loader.problems.len();
    if options.resolve_environment {
        environment::resolve(loader, &mut selection.enabled, variables);
    }
    environment::resolve_labels(loader, &mut selection.enabled);
    loader.settle(earlier)?;
    loader.checked()?;
    selection.restrict(request.services, request.profiles, &mut loader.problems);
    loader.checked()?;
    if options.resolve_environment && !request.services.is_empty() {
        // Services that only the selection has switched on.
        environment::resolve(loader, &mut selection.enabled, variables);
        loader.checked()?;
    }
    if !options.keep_unused {
        selection.prune(project);
    }
    if options.check_consistency {
        consistency::check_container_names(&selection.enabled, &mut loader.problems);
        loader.checked()?;
    }
    let disabled = selection.disabled.keys().map(str::to_owned).collect();
    selection.put_back(project);
    Ok(disabled)
}
