//! Commits and inventories from memory.

use std::collections::BTreeMap;
use std::sync::Arc;

use gitdeploy::compose::{self, Options, ProjectName, Request};
use gitdeploy::diag::{Diagnostic, Sources};
use gitdeploy::files::Memory;
use gitdeploy::model::{CommitId, Desired, Name, Owner, StackTarget};
use gitdeploy::pipeline::{Contents, Wish};
use gitdeploy::resolve::{Surroundings, resolve};
use gitdeploy::settings::{Inventory, Settings};

/// What nobody may ever read anywhere: the value of the variable `TOKEN`.
pub(crate) const SECRET: &str = "hunter2hunter2";

/// A name that follows the rule.
pub(crate) fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

/// Whose everything is in these tests.
pub(crate) fn owner() -> Owner {
    Owner { project: name("acme").into(), environment: name("production").into() }
}

/// An inventory from its text.
pub(crate) fn inventory(text: &str) -> Inventory {
    let files = Memory::new().with("inventory.yaml", text);
    let mut problems = Vec::new();
    let inventory = Inventory::load(&files, &Sources::default(), None, &mut problems);
    assert!(problems.is_empty(), "{problems:?}");
    inventory
}

/// What a commit wants: its stacks by name, each a Compose file.
pub(crate) fn wish(commit: &str, inventory: &Inventory, stacks: &[(&str, String)]) -> Wish {
    let stacks: BTreeMap<_, _> = stacks
        .iter()
        .map(|(stack, text)| (name(stack).into(), Arc::new(target(stack, text, inventory))))
        .collect();
    let Owner { project, environment } = owner();
    let contents = Contents::inline(&stacks).with_variable("TOKEN", SECRET);
    Wish {
        desired: Desired { project, environment, stacks },
        commit: Some(CommitId::new(commit)),
        commits: BTreeMap::new(),
        contents,
        templates: BTreeMap::new(),
        variables: BTreeMap::from([("TOKEN".to_owned(), "the digest of the token".to_owned())]),
    }
}

fn target(stack: &str, text: &str, inventory: &Inventory) -> StackTarget {
    let path = format!("stacks/{stack}/compose.yaml");
    let files = Memory::new().with(&path, text);
    let sources = Sources::default();
    let project = compose::load(&Request {
        files: &files,
        sources: &sources,
        compose_files: std::slice::from_ref(&path),
        project_dir: &format!("stacks/{stack}"),
        name: ProjectName::Fallback(stack),
        variables: &BTreeMap::new(),
        home: None,
        profiles: &[],
        services: &[],
        options: Options::default(),
    });
    let project = project.unwrap_or_else(|problems| panic!("{problems:?}\n{text}"));
    let surroundings = Surroundings {
        files: &files,
        sources: &sources,
        settings: &Settings::default(),
        inventory,
    };
    let (target, problems) = resolve(&project, &surroundings);
    assert!(!problems.iter().any(Diagnostic::is_error), "{problems:?}\n{text}");
    target
}
