//! A repository at one point: its settings read, its stacks found.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use super::stack::{StackModel, StackOutcome, Stacks};
use super::{Cache, Tree, TreeError};
use crate::diag::{Diagnostic, Sources, words};
use crate::files::{Files, Report};
use crate::model::{Desired, EnvironmentName, Owner, ProjectName, StackName};
use crate::resolve::{Clashes, Neighbour, clashes};
use crate::settings::{Environment, Inventory, Settings, StackFolder, Values, discover};
use crate::template::{CommitInfo, Engine, node_value};

/// What the user chose, and what of the process may flow in.
#[derive(Debug, Clone, Default)]
pub struct Choice {
    /// The environment's name, when it was said.
    pub environment: Option<String>,
    /// The process environment, of which only the names under `pass_env` are used.
    pub variables: BTreeMap<String, String>,
    /// More files of variables, read before `.env`'s place in the order is taken.
    pub env_files: Vec<String>,
    /// Profiles to enable.
    pub profiles: Vec<String>,
    /// The stacks to look at; empty for all.
    pub stacks: Vec<String>,
}

/// A repository at one point.
pub struct Snapshot {
    tree: Tree,
    /// The project's name.
    pub project: ProjectName,
    /// The repository's settings.
    pub settings: Settings,
    /// The chosen environment.
    pub environment: Environment,
    /// Its hosts and proxies.
    pub inventory: Inventory,
    /// The stacks asked for, by name.
    pub folders: Vec<StackFolder>,
    /// What is odd about the settings.
    pub warnings: Report,
    /// Where each value was written.
    pub(super) value_places: Values,
    values: minijinja::Value,
    hosts: minijinja::Value,
    choice: Choice,
    inputs: Arc<str>,
}

/// What all stacks came to.
#[derive(Debug)]
pub struct Outcome {
    /// The desired state; without the stacks that have errors.
    pub desired: Desired,
    /// All stacks with their findings, in the order of their names.
    pub stacks: Vec<Arc<StackOutcome>>,
    /// Findings over several stacks.
    pub conflicts: Clashes,
    /// How many stacks were rendered now; the others were known already.
    pub rendered: usize,
}

impl Outcome {
    /// Whether anything has an error.
    pub fn has_errors(&self) -> bool {
        self.conflicts.has_errors() || self.stacks.iter().any(|stack| stack.target.is_none())
    }
}

impl Snapshot {
    /// Reads settings, inventory and values, and finds the stacks.
    pub fn open(tree: Tree, choice: Choice) -> Result<Self, Report> {
        Self::read(tree, None, choice)
    }

    /// The same with the settings and the inventory of another tree: what a commit that nobody has
    /// agreed to says of hosts, protections and variables must not count.
    pub fn open_under(tree: Tree, rules: &Tree, choice: Choice) -> Result<Self, Report> {
        Self::read(tree, Some(rules), choice)
    }

    fn read(tree: Tree, rules: Option<&Tree>, choice: Choice) -> Result<Self, Report> {
        let unreadable = |error: TreeError| {
            let problem = Diagnostic::error("repository/unreadable", words(&error));
            Report::new(vec![problem], Sources::default())
        };
        let files = tree.files().map_err(unreadable)?;
        let rules = rules.map(Tree::files).transpose().map_err(unreadable)?;
        let rules = rules.unwrap_or(files);
        let sources = Sources::default();
        let mut problems = Vec::new();
        let from = Reading { files, rules, sources: &sources };
        match read(&tree, &from, &choice, &mut problems) {
            Some(read) if !problems.iter().any(Diagnostic::is_error) => Ok(Self {
                project: read.project,
                settings: read.settings,
                environment: read.environment,
                inventory: read.inventory,
                folders: read.folders,
                value_places: read.value_places,
                values: read.values,
                hosts: read.hosts,
                inputs: read.inputs,
                warnings: Report::new(problems, sources),
                choice,
                tree,
            }),
            _ => Err(Report::new(problems, sources)),
        }
    }

    /// The tree it was read from.
    pub fn tree(&self) -> &Tree {
        &self.tree
    }

    /// The variables of the process that may flow in: those under `pass_env`.
    pub fn passed_variables(&self) -> BTreeMap<String, String> {
        let passed = self.settings.pass_env.iter().filter_map(|name| {
            Some((name.value.clone(), self.choice.variables.get(&name.value)?.clone()))
        });
        passed.collect()
    }

    /// Renders and resolves all stacks, on as many threads as there are processors.
    ///
    /// Stacks that `cache` knows to come out the same are taken from it.
    pub fn resolve(&self, cache: &mut Cache) -> Outcome {
        let engine = Engine::new();
        let commit = Arc::new(self.commit_info());
        let stacks = self.stacks(&engine, &commit);
        let known = Mutex::new(std::mem::take(cache));
        let (outcomes, rendered) = self.in_parallel(&stacks, &known);
        *cache = known.into_inner().unwrap_or_else(PoisonError::into_inner);
        let names: BTreeSet<StackName> =
            outcomes.iter().map(|outcome| outcome.name.clone()).collect();
        if self.choice.stacks.is_empty() {
            cache.retain(|name| names.contains(name));
        }
        let desired = Desired {
            project: self.project.clone(),
            environment: environment_name(&self.environment),
            stacks: outcomes
                .iter()
                .filter_map(|outcome| Some((outcome.name.clone(), outcome.target.clone()?)))
                .collect(),
        };
        let conflicts = conflicts(&outcomes, &self.inventory);
        Outcome { desired, stacks: outcomes, conflicts, rendered }
    }

    /// This thread works along with the others, on the handle that is open already.
    fn in_parallel(
        &self,
        stacks: &Stacks<'_>,
        known: &Mutex<Cache>,
    ) -> (Vec<Arc<StackOutcome>>, usize) {
        let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let threads = threads.min(self.folders.len().div_ceil(4)).max(1);
        let queue = Queue {
            stacks,
            folders: &self.folders,
            inputs: &self.inputs,
            known,
            next: AtomicUsize::new(0),
            rendered: AtomicUsize::new(0),
            results: Mutex::default(),
        };
        std::thread::scope(|scope| {
            // A handle that cannot be had again costs speed only: this thread does the work then.
            for tree in (1..threads).filter_map(|_| self.tree.reopen().ok()) {
                let queue = &queue;
                scope.spawn(move || queue.work(&tree));
            }
            queue.work(&self.tree);
        });
        let results = queue.results.into_inner().unwrap_or_else(PoisonError::into_inner);
        (results.into_values().collect(), queue.rendered.into_inner())
    }

    /// The Compose models of all stacks, for showing.
    pub fn models(&self, options: crate::compose::Options) -> Vec<StackModel> {
        let engine = Engine::new();
        let commit = Arc::new(self.commit_info());
        let stacks = self.stacks(&engine, &commit);
        let files = self.tree.files();
        self.folders
            .iter()
            .map(|folder| match &files {
                Ok(files) => stacks.model(*files, folder, options),
                Err(error) => StackModel::unreadable(folder, error),
            })
            .collect()
    }

    /// Whose everything is.
    pub fn owner(&self) -> Owner {
        Owner { project: self.project.clone(), environment: environment_name(&self.environment) }
    }

    /// What all stacks share.
    pub(super) fn stacks<'a>(
        &'a self,
        engine: &'a Engine,
        commit: &'a Arc<CommitInfo>,
    ) -> Stacks<'a> {
        Stacks {
            settings: &self.settings,
            inventory: &self.inventory,
            owner: self.owner(),
            values: &self.values,
            hosts: &self.hosts,
            engine,
            commit,
            choice: &self.choice,
            places: &self.value_places,
            place_sources: &self.warnings.sources,
        }
    }

    pub(super) fn commit_info(&self) -> CommitInfo {
        match self.tree.commit() {
            Some(commit) => CommitInfo {
                hash: commit.id.to_string(),
                short: commit.id.short().to_owned(),
                subject: commit.summary.clone(),
            },
            None => {
                let label = self.tree.label().to_owned();
                CommitInfo { hash: label.clone(), short: label.clone(), subject: label }
            }
        }
    }
}

/// Stacks that wait for a thread.
struct Queue<'a> {
    stacks: &'a Stacks<'a>,
    folders: &'a [StackFolder],
    inputs: &'a Arc<str>,
    known: &'a Mutex<Cache>,
    next: AtomicUsize,
    rendered: AtomicUsize,
    results: Mutex<BTreeMap<usize, Arc<StackOutcome>>>,
}

impl Queue<'_> {
    fn work(&self, tree: &Tree) {
        let files = tree.files();
        loop {
            let index = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(folder) = self.folders.get(index) else { break };
            let outcome = match &files {
                Ok(files) => self.one(*files, folder),
                Err(error) => Arc::new(StackOutcome::unreadable(folder, error)),
            };
            self.results.lock().unwrap_or_else(PoisonError::into_inner).insert(index, outcome);
        }
    }

    fn one(&self, files: &dyn Files, folder: &StackFolder) -> Arc<StackOutcome> {
        let name = stack_name(folder);
        let commit = self.stacks.commit.hash.as_str();
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = known().get(&name, self.inputs, commit);
        if let Some(outcome) = entry.and_then(|entry| entry.if_still_true(files)) {
            return outcome;
        }
        self.rendered.fetch_add(1, Ordering::Relaxed);
        let (outcome, reads, asked_for_commit) = self.stacks.resolve(files, folder);
        let outcome = Arc::new(outcome);
        let commit = asked_for_commit.then(|| commit.to_owned());
        known().keep(name, self.inputs, commit, reads, Arc::clone(&outcome));
        outcome
    }
}

/// What [`read`] makes of a tree.
struct Read {
    project: ProjectName,
    settings: Settings,
    environment: Environment,
    inventory: Inventory,
    folders: Vec<StackFolder>,
    value_places: Values,
    values: minijinja::Value,
    hosts: minijinja::Value,
    inputs: Arc<str>,
}

/// What [`read`] reads.
struct Reading<'a> {
    /// Stacks and values.
    files: &'a dyn Files,
    /// Settings and inventory.
    rules: &'a dyn Files,
    sources: &'a Sources,
}

fn read(
    tree: &Tree,
    from: &Reading<'_>,
    choice: &Choice,
    problems: &mut Vec<Diagnostic>,
) -> Option<Read> {
    let Reading { files, rules, sources } = *from;
    let settings = Settings::load(rules, sources, problems);
    let project = kept(settings.project_name(tree.name()), problems);
    let environment = kept(settings.environment(choice.environment.as_deref()), problems);
    let folders = discover(files, &settings, tree.name(), problems);
    let folders = chosen(folders, &choice.stacks, problems);
    let (project, environment) = (project?, environment?);
    let inventory = Inventory::load(rules, sources, environment.inventory.as_ref(), problems);
    let values = Values::load(files, sources, &environment.values, problems);
    say_once(problems);
    let inputs = inputs(from, &environment, &settings, choice);
    Some(Read {
        project: ProjectName::from(project),
        values: minijinja::Value::from_pairs(
            values.as_map().iter().map(|(key, item)| (key, node_value(&item.node))),
        ),
        value_places: values,
        hosts: hosts(&inventory),
        settings,
        environment,
        inventory,
        folders,
        inputs,
    })
}

fn kept<T>(result: Result<T, Diagnostic>, problems: &mut Vec<Diagnostic>) -> Option<T> {
    result.map_err(|problem| problems.push(problem)).ok()
}

/// The folders that were asked for.
fn chosen(
    folders: Vec<StackFolder>,
    wanted: &[String],
    problems: &mut Vec<Diagnostic>,
) -> Vec<StackFolder> {
    if wanted.is_empty() {
        return folders;
    }
    for name in wanted {
        let names = || folders.iter().map(|folder| folder.name.as_str());
        if !names().any(|known| known == name) {
            let known: Vec<&str> = names().collect();
            problems.push(
                Diagnostic::error(
                    "repository/no-such-stack",
                    format!("there is no stack `{name}`"),
                )
                .did_you_mean(name, names())
                .help(format!("the stacks are: {}", known.join(", "))),
            );
        }
    }
    let is_wanted = |folder: &StackFolder| wanted.iter().any(|name| name == folder.name.as_str());
    folders.into_iter().filter(is_wanted).collect()
}

/// The hosts as templates see them: a list in the order of the names.
fn hosts(inventory: &Inventory) -> minijinja::Value {
    inventory
        .hosts
        .values()
        .map(|host| {
            let labels = host.labels.iter().map(|(key, value)| (key.as_str(), value.as_str()));
            let labels = minijinja::Value::from_pairs(labels);
            minijinja::Value::from_pairs([
                ("name", minijinja::Value::from(host.name.as_str())),
                ("address", minijinja::Value::from(host.address.to_string())),
                ("labels", labels),
            ])
        })
        .collect()
}

/// A fingerprint of everything that does not come from a stack's own files.
fn inputs(
    from: &Reading<'_>,
    environment: &Environment,
    settings: &Settings,
    choice: &Choice,
) -> Arc<str> {
    let mut hash = Sha256::new();
    let mut feed = |text: &str| {
        hash.update((text.len() as u64).to_le_bytes());
        hash.update(text);
    };
    feed(env!("CARGO_PKG_VERSION"));
    feed(environment.name.as_str());
    let usual = ["gitdeploy.yaml", "gitdeploy.yml", "inventory.yaml", "inventory.yml"];
    let rules = environment.inventory.iter().map(|path| path.value.as_str()).chain(usual);
    let rules = rules.map(|path| (from.rules, path));
    let values = environment.values.iter().map(|path| (from.files, path.value.as_str()));
    for (files, path) in rules.chain(values) {
        let print = files.fingerprint(path).ok().flatten();
        feed(&format!("{path} {print:?}"));
    }
    for name in &settings.pass_env {
        feed(&format!("{} {:?}", name.value, choice.variables.get(&name.value)));
    }
    for path in &choice.env_files {
        feed(&format!("{path} {:?}", from.files.fingerprint(path).ok().flatten()));
    }
    feed(&format!("{:?}", choice.profiles));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>().into()
}

fn conflicts(stacks: &[Arc<StackOutcome>], inventory: &Inventory) -> Clashes {
    let neighbours: Vec<Neighbour<'_>> = stacks
        .iter()
        .filter_map(|stack| {
            Some(Neighbour {
                name: &stack.name,
                target: stack.target.as_deref()?,
                places: &stack.places,
                sources: &stack.report.sources,
            })
        })
        .collect();
    clashes(&neighbours, inventory)
}

/// Settings and the loader of what they name both miss a file that is not there.
fn say_once(problems: &mut Vec<Diagnostic>) {
    let mut said: Vec<Diagnostic> = Vec::new();
    problems.retain(|problem| {
        let is_new = !said.contains(problem);
        if is_new {
            said.push(problem.clone());
        }
        is_new
    });
}

pub(super) fn stack_name(folder: &StackFolder) -> StackName {
    StackName::from(folder.name.clone())
}

fn environment_name(environment: &Environment) -> EnvironmentName {
    EnvironmentName::from(environment.name.clone())
}
