//! One stack: rendered, loaded, resolved.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::snapshot::{Choice, stack_name};
use super::tree::TreeError;
use super::whence::values_named;
use crate::compose::dotenv_files::Loaded;
use crate::compose::{self, Project};
use crate::diag::{Diagnostic, Sources, words};
use crate::files::{Files, Reads, Report, Tracked, join};
use crate::model::{Owner, StackName, StackTarget};
use crate::resolve::{Places, Surroundings, resolve};
use crate::settings::{Inventory, Settings, StackFolder, Values};
use crate::template::{CommitInfo, Context, Engine, Rendered};

/// What a stack came to.
#[derive(Debug)]
pub struct StackOutcome {
    /// Its name.
    pub name: StackName,
    /// Its desired state; `None` when it has errors.
    pub target: Option<Arc<StackTarget>>,
    /// What is wrong or odd about it.
    pub report: Report,
    /// Where it claims what only one stack can have.
    pub(super) places: Places,
}

impl StackOutcome {
    /// A stack whose tree cannot be read.
    pub(super) fn unreadable(folder: &StackFolder, error: &TreeError) -> Self {
        Self {
            name: stack_name(folder),
            target: None,
            report: unreadable(error),
            places: Places::default(),
        }
    }
}

/// A stack's Compose model, for showing.
pub struct StackModel {
    /// The stack.
    pub name: StackName,
    /// Its model; `None` when it has errors.
    pub project: Option<Project>,
    /// What is wrong or odd about it.
    pub report: Report,
}

impl StackModel {
    /// A stack whose tree cannot be read.
    pub(super) fn unreadable(folder: &StackFolder, error: &TreeError) -> Self {
        Self { name: stack_name(folder), project: None, report: unreadable(error) }
    }
}

fn unreadable(error: &TreeError) -> Report {
    let problem = Diagnostic::error("repository/unreadable", words(error));
    Report::new(vec![problem], Sources::default())
}

/// What all stacks of a snapshot share.
pub(super) struct Stacks<'a> {
    pub(super) settings: &'a Settings,
    pub(super) inventory: &'a Inventory,
    pub(super) owner: Owner,
    pub(super) values: &'a minijinja::Value,
    pub(super) hosts: &'a minijinja::Value,
    pub(super) engine: &'a Engine,
    pub(super) commit: &'a Arc<CommitInfo>,
    pub(super) choice: &'a Choice,
    /// Where each value was written, and the texts these places are in.
    pub(super) places: &'a Values,
    pub(super) place_sources: &'a Sources,
}

impl Stacks<'_> {
    /// A stack's desired state, what it read, and whether its templates asked for the commit.
    pub(super) fn resolve(
        &self,
        files: &dyn Files,
        folder: &StackFolder,
    ) -> (StackOutcome, Reads, bool) {
        let tracked = Tracked::new(files);
        let context = self.context(folder);
        let rendered = Rendered::new(&tracked, self.engine, &context);
        let sources = Sources::default();
        let (target, problems, places) =
            match self.load(&rendered, &sources, folder, compose::Options::default()) {
                Ok(project) => {
                    let surroundings = Surroundings {
                        files: &rendered,
                        sources: &sources,
                        settings: self.settings,
                        inventory: self.inventory,
                    };
                    let (target, problems) = resolve(&project, &surroundings);
                    let places = Places::of(&project);
                    let problems: Vec<_> = project.warnings.into_iter().chain(problems).collect();
                    let has_errors = problems.iter().any(Diagnostic::is_error);
                    ((!has_errors).then(|| Arc::new(target)), problems, places)
                }
                Err(problems) => (None, problems, Places::default()),
            };
        let problems =
            problems.into_iter().map(|problem| self.explain(problem, &sources)).collect();
        let asked_for_commit = rendered.asked_for_commit();
        drop(rendered);
        let report = Report::new(problems, sources);
        let outcome = StackOutcome { name: stack_name(folder), target, report, places };
        (outcome, tracked.into_reads(), asked_for_commit)
    }

    /// A stack's Compose model.
    pub(super) fn model(
        &self,
        files: &dyn Files,
        folder: &StackFolder,
        options: compose::Options,
    ) -> StackModel {
        let context = self.context(folder);
        let rendered = Rendered::new(files, self.engine, &context);
        let sources = Sources::default();
        let name = stack_name(folder);
        match self.load(&rendered, &sources, folder, options) {
            Ok(mut project) => {
                let warnings = std::mem::take(&mut project.warnings);
                StackModel { name, project: Some(project), report: Report::new(warnings, sources) }
            }
            Err(problems) => {
                StackModel { name, project: None, report: Report::new(problems, sources) }
            }
        }
    }

    pub(super) fn context(&self, folder: &StackFolder) -> Context {
        Context {
            values: self.values.clone(),
            environment: self.owner.environment.to_string(),
            stack: folder.name.as_str().to_owned(),
            commit: Arc::clone(self.commit),
            hosts: self.hosts.clone(),
        }
    }

    /// Adds where the values stand that the template names at the place of a finding.
    fn explain(&self, mut finding: Diagnostic, sources: &Sources) -> Diagnostic {
        let Some(label) = &finding.primary else { return finding };
        if sources.get(label.span.source).origin.is_none() || finding.rule.starts_with("template/")
        {
            return finding;
        }
        let at = sources.locate(label.span);
        let expression = at.source.text.get(at.range).unwrap_or_default();
        for step in values_named(expression, self.places, self.place_sources) {
            finding = finding.help(format!("{} is set at {}", step.what, step.at));
        }
        finding
    }

    fn load(
        &self,
        files: &dyn Files,
        sources: &Sources,
        folder: &StackFolder,
        options: compose::Options,
    ) -> Result<Project, Vec<Diagnostic>> {
        let Loaded { variables, warnings } = self.variables(files, sources, folder)?;
        let profiles = self.profiles(&variables);
        let name = self.owner.compose_project(&stack_name(folder));
        let loaded = compose::load(&compose::Request {
            files,
            sources,
            compose_files: &folder.compose_files,
            project_dir: &folder.dir,
            name: compose::ProjectName::Fallback(&name),
            variables: &variables,
            home: None,
            profiles: &profiles,
            services: &[],
            options,
        });
        compose::with_warnings(loaded, warnings)
    }

    /// Variables for `${…}`: the stack's `.env`, then `--env-file`, then what `pass_env` lets in;
    /// later ones win.
    fn variables(
        &self,
        files: &dyn Files,
        sources: &Sources,
        folder: &StackFolder,
    ) -> Result<Loaded, Vec<Diagnostic>> {
        let passed: BTreeMap<String, String> = self
            .settings
            .pass_env
            .iter()
            .filter_map(|name| {
                Some((name.value.clone(), self.choice.variables.get(&name.value)?.clone()))
            })
            .collect();
        let paths = self.variable_files(files, folder);
        let mut loaded = compose::dotenv_files::load(files, sources, &paths, &passed)?;
        loaded.variables.extend(passed);
        Ok(loaded)
    }

    /// The files that variables come from.
    pub(super) fn variable_files(&self, files: &dyn Files, folder: &StackFolder) -> Vec<String> {
        let usual = join(&folder.dir, ".env");
        if self.choice.env_files.is_empty() && files.is_file(&usual).unwrap_or(false) {
            return vec![usual];
        }
        self.choice.env_files.clone()
    }

    fn profiles(&self, variables: &BTreeMap<String, String>) -> Vec<String> {
        if !self.choice.profiles.is_empty() {
            return self.choice.profiles.clone();
        }
        let named = variables.get("COMPOSE_PROFILES").map(String::as_str).unwrap_or_default();
        named.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    }
}
