//! `gitdeploy.yaml`: the project, its environments, where its stacks are.
//!
//! **Which environment.** `--env NAME` must be one of `environments:`. Without it, the only one
//! there is is meant; with several, it must be said. A repository without `environments:` has one,
//! called `default`, with the inventory `inventory.yaml` and no values; it may be asked for by that
//! name.

use std::collections::BTreeMap;

use crate::diag::{Diagnostic, Sources, Span};
use crate::files::Files;
use crate::model::Name;
use crate::settings::document::{
    Document, only_one_of, read_checked, referenced, refuse_templates,
};
use crate::settings::extension::{DRAIN, HEALTH, PLACEMENT, ROLLOUT, explain_planned_strategy};
use crate::settings::names::NAME;
use crate::settings::placed::{entries, items, number, parsed, text, texts};
use crate::settings::stacks::{GLOB, Glob};
use crate::settings::{Defaults, Placed};
use crate::shape::{Field, Format, List, MapOf, Record, Shape};
use crate::ssh::PublicKey;
use crate::yaml::{Item, Node};

const PATHS: Shape = Shape::List(&List { item: Shape::Str, min: 0, unique: true });

const VARIABLE: Format = Format { name: "variable name", example: "RELEASE", check: variable };

pub(super) const BRANCH: Format = Format { name: "branch", example: "main", check: branch };

const PUBLIC_KEY: Format = Format {
    name: "public key",
    example: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH",
    check: |text| text.parse::<PublicKey>().map(drop).map_err(|error| error.to_string()),
};

/// `gitdeploy.yaml`.
pub static SETTINGS: Record = Record {
    name: "settings",
    fields: &[
        Field::optional(
            "project",
            Shape::Text(&NAME),
            "The name that owns everything deployed from here. Default: the repository's name.",
        ),
        Field::defaulting(
            "stacks",
            Shape::List(&List { item: Shape::Text(&GLOB), min: 1, unique: true }),
            "[stacks/*]",
            "The folders that are stacks; `*` stands for any name, `**` for any folders. Without \
             this key and without a folder `stacks`, the root's Compose file is the one stack.",
        ),
        Field::optional(
            "pass_env",
            Shape::List(&List { item: Shape::Text(&VARIABLE), min: 0, unique: true }),
            "Variables of the process environment that Compose files may use.",
        ),
        Field::optional(
            "environments",
            Shape::Map(&MapOf {
                key: Some(&NAME),
                value: Shape::OneOf(&[Shape::Record(&ENVIRONMENT), Shape::Null]),
                extensions: false,
            }),
            "Where the stacks are deployed to, by name.",
        ),
        Field::optional(
            "defaults",
            Shape::Record(&DEFAULTS),
            "Laid under `x-gitdeploy` of every service.",
        ),
        Field::optional("protect", Shape::Record(&PROTECT), "What a plan must not do unasked."),
        Field::optional(
            "snapshot",
            Shape::Record(&SNAPSHOT),
            "Which snapshots of the fleet may be planned with.",
        ),
    ],
    extensions: true,
};

static ENVIRONMENT: Record = Record {
    name: "environment",
    fields: &[
        Field::optional(
            "inventory",
            Shape::Str,
            "Its inventory file. Default: `inventory.yaml` when it is there.",
        ),
        Field::optional("values", PATHS, "Files with values for templates; later ones win."),
        Field::optional(
            "branch",
            Shape::Text(&BRANCH),
            "The branch it is deployed from. Default: the one the repository starts on.",
        ),
    ],
    extensions: false,
};

static DEFAULTS: Record = Record {
    name: "defaults",
    fields: &[
        Field::optional(
            "health",
            Shape::Record(&HEALTH),
            "As in a service. `http` and `tcp` hold for services with routes only.",
        ),
        Field::optional("drain", Shape::Record(&DRAIN), "As in a service."),
        Field::optional("rollout", Shape::Record(&ROLLOUT), "As in a service."),
        Field::optional("placement", Shape::Record(&PLACEMENT), "As in a service."),
    ],
    extensions: false,
};

static PROTECT: Record = Record {
    name: "protect",
    fields: &[Field::optional(
        "max_deletes",
        Shape::Int { min: 0, max: u32::MAX as i64 },
        "A plan that removes more than so many things is refused unless told. Default: no limit.",
    )],
    extensions: false,
};

static SNAPSHOT: Record = Record {
    name: "snapshot",
    fields: &[Field::optional(
        "trusted_keys",
        Shape::List(&List { item: Shape::Text(&PUBLIC_KEY), min: 1, unique: true }),
        "A snapshot that none of these signed is refused; `gitdeploy snapshot --public-key` prints \
         one. A review reads them from the base.",
    )],
    extensions: false,
};

/// What `gitdeploy.yaml` says; all of it may be missing.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The file it was read from; `None` when there is none.
    pub file: Option<String>,
    /// The project's name.
    pub project: Option<Placed<Name>>,
    /// The folders that are stacks; `None` when it is not said.
    pub stacks: Option<Vec<Placed<Glob>>>,
    /// Variables that Compose files may use.
    pub pass_env: Vec<Placed<String>>,
    /// The environments by name.
    pub environments: BTreeMap<Name, Environment>,
    /// Laid under every service's `x-gitdeploy`.
    pub defaults: Defaults,
    /// What a plan must not do unasked.
    pub protect: Protect,
    /// Who may have signed a snapshot; with none, anybody.
    pub trusted_keys: Vec<Placed<PublicKey>>,
    /// Where `environments` stands, for messages.
    environments_span: Option<Span>,
}

/// A place to deploy to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// Its name.
    pub name: Name,
    /// Where it is described; `None` for the one that is there without `environments:`.
    pub span: Option<Span>,
    /// Its inventory, from the repository's root; `None` when it is not said.
    pub inventory: Option<Placed<String>>,
    /// Its values, from the repository's root; later ones win.
    pub values: Vec<Placed<String>>,
    /// The branch it is deployed from.
    pub branch: Option<Placed<String>>,
}

/// What a plan must not do unasked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Protect {
    /// The most removals of one plan.
    pub max_deletes: Option<Placed<u32>>,
}

impl Settings {
    /// Reads `gitdeploy.yaml` or `gitdeploy.yml` from the root of `files`.
    pub fn load(files: &dyn Files, sources: &Sources, problems: &mut Vec<Diagnostic>) -> Self {
        let candidates = ["gitdeploy.yaml", "gitdeploy.yml"];
        refuse_templates(files, &candidates, problems);
        let Some(path) = only_one_of(files, &candidates, problems) else {
            return Self::default();
        };
        let before = problems.len();
        match read_checked(files, sources, path, &SETTINGS, problems) {
            Document::Absent => Self::default(),
            Document::Empty => Self { file: Some(path.to_owned()), ..Self::default() },
            Document::Root(root) => {
                if let Some(defaults) = root.get("defaults") {
                    explain_planned_strategy(defaults, &mut problems[before..]);
                }
                Self { file: Some(path.to_owned()), ..Self::read(&root, files, problems) }
            }
        }
    }

    fn read(root: &Node, files: &dyn Files, problems: &mut Vec<Diagnostic>) -> Self {
        let stacks = root.get("stacks").map(|_| {
            texts(root, "stacks")
                .filter_map(|it| Some(Placed::new(Glob::parse(it.value).ok()?, it.span)))
                .collect()
        });
        let pass_env = texts(root, "pass_env").map(|name| name.map(str::to_owned)).collect();
        let environments = entries(root, "environments")
            .filter_map(|(key, item)| {
                let name = Name::parse(key).ok()?;
                let environment = Environment::read(name.clone(), item, files, problems);
                Some((name, environment))
            })
            .collect();
        let defaults = root.get("defaults").map(|node| Defaults::read(node, problems));
        let max_deletes = root.get("protect").and_then(|protect| number(protect, "max_deletes"));
        let trusted_keys = root.get("snapshot").map(|snapshot| {
            texts(snapshot, "trusted_keys")
                .filter_map(|it| Some(Placed::new(it.value.parse().ok()?, it.span)))
                .collect()
        });
        Self {
            file: None,
            project: parsed(root, "project", Name::parse),
            stacks,
            pass_env,
            environments,
            defaults: defaults.unwrap_or_default(),
            protect: Protect { max_deletes },
            trusted_keys: trusted_keys.unwrap_or_default(),
            environments_span: root
                .as_map()
                .and_then(|map| map.0.get("environments"))
                .map(|item| item.key),
        }
    }

    /// The project's name: the one written, else the one the repository's name stands for.
    pub fn project_name(&self, repository: &str) -> Result<Name, Diagnostic> {
        if let Some(project) = &self.project {
            return Ok(project.value.clone());
        }
        Name::from_folder(repository).ok_or_else(|| {
            Diagnostic::error(
                "settings/no-project",
                format!("the repository's name `{repository}` makes no name of a project"),
            )
            .help("write `project: NAME` into gitdeploy.yaml")
        })
    }

    /// The environment meant by `--env`, or without it; the rule stands at the head of this file.
    pub fn environment(&self, wanted: Option<&str>) -> Result<Environment, Diagnostic> {
        let mut all = self.environments.values();
        match (wanted, all.next(), all.next()) {
            (None, None, _) => Ok(Environment::implicit()),
            (Some(wanted), None, _) => {
                let implicit = Environment::implicit();
                if wanted == implicit.name.as_str() {
                    return Ok(implicit);
                }
                Err(Diagnostic::error(
                    "settings/unknown-environment",
                    format!("there is no environment `{wanted}`: the repository describes none"),
                )
                .help("describe it under `environments:` in gitdeploy.yaml, or leave out `--env`"))
            }
            (None, Some(only), None) => Ok(only.clone()),
            (None, Some(_), Some(_)) => Err(self
                .at_environments(Diagnostic::error(
                    "settings/which-environment",
                    format!("there are several environments: {}", self.environment_names()),
                ))
                .help("say which one with `--env NAME`")),
            (Some(wanted), Some(_), _) => self.environments.get(wanted).cloned().ok_or_else(|| {
                self.at_environments(Diagnostic::error(
                    "settings/unknown-environment",
                    format!(
                        "there is no environment `{wanted}`; there are {}",
                        self.environment_names()
                    ),
                ))
                .did_you_mean(wanted, self.environments.keys().map(Name::as_str))
            }),
        }
    }

    fn environment_names(&self) -> String {
        let names: Vec<String> = self.environments.keys().map(|name| format!("`{name}`")).collect();
        names.join(", ")
    }

    fn at_environments(&self, problem: Diagnostic) -> Diagnostic {
        match self.environments_span {
            Some(span) => problem.at(span),
            None => problem,
        }
    }
}

impl Environment {
    fn implicit() -> Self {
        Self {
            name: Name::parse("default").expect("the literal follows the rule of names"),
            span: None,
            inventory: None,
            values: Vec::new(),
            branch: None,
        }
    }

    fn read(name: Name, item: &Item, files: &dyn Files, problems: &mut Vec<Diagnostic>) -> Self {
        let node = &item.node;
        let inventory = text(node, "inventory");
        let inventory = inventory.and_then(|path| referenced(files, "", &path, problems));
        let values = items(node, "values")
            .iter()
            .filter_map(|item| Some(Placed::new(item.as_str()?.to_owned(), item.span)))
            .filter_map(|path| referenced(files, "", &path, problems))
            .collect();
        Self { name, span: Some(item.key), inventory, values, branch: text(node, "branch") }
    }
}

fn variable(text: &str) -> Result<(), String> {
    if text.starts_with(|c: char| c.is_ascii_digit()) || text.is_empty() {
        return Err("it must start with a letter or `_`".into());
    }
    match text.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '_') {
        Some('*') => Err("every variable is named by itself; there are no patterns".into()),
        Some('=') => Err("only the name is written; the value comes from the environment".into()),
        Some(c) => Err(format!("`{c}` cannot stand in the name of a variable")),
        None => Ok(()),
    }
}

/// Git's own rules for the names of branches, as far as people run into them.
fn branch(text: &str) -> Result<(), String> {
    if text.is_empty() {
        return Err("it is empty".into());
    }
    if let Some(short) = text.strip_prefix("refs/heads/") {
        return Err(format!("write it as `{short}`"));
    }
    let is_bad = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    if let Some(c) = text.chars().find(|c| is_bad(*c)) {
        return Err(format!("{c:?} cannot stand in the name of a branch"));
    }
    let is_bad_part =
        |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
    if text.starts_with('-')
        || text.contains("..")
        || text.contains("@{")
        || text.ends_with('.')
        || text.split('/').any(is_bad_part)
    {
        return Err("Git allows no such name".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
