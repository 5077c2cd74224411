//! The whole road of a stack: templates, settings, inventory, Compose files, desired state.

#![no_main]

use std::sync::{Arc, LazyLock};

use gitdeploy::compose::{self, Options, ProjectName, Request};
use gitdeploy::diag::Sources;
use gitdeploy::resolve::{Surroundings, resolve};
use gitdeploy::settings::{Inventory, Settings};
use gitdeploy::template::{CommitInfo, Context, Engine, Rendered};
use gitdeploy_fuzz::{assert_sound, tree};
use libfuzzer_sys::fuzz_target;

static ENGINE: LazyLock<Engine> = LazyLock::new(Engine::new);

fuzz_target!(|input: &str| {
    // The stack stands in the root, so that a section `inventory.yaml` is the inventory.
    let tree = tree(input, "compose.yaml", "");
    let context = Context {
        values: serde_json::from_str(r#"{"image": "nginx", "replicas": 2}"#).expect("valid"),
        environment: "production".to_owned(),
        stack: "shop".to_owned(),
        commit: Arc::new(CommitInfo::default()),
        hosts: minijinja::Value::from(Vec::<String>::new()),
    };
    let files = Rendered::new(&tree, &ENGINE, &context);
    let sources = Sources::default();
    let mut problems = Vec::new();
    let settings = Settings::load(&files, &sources, &mut problems);
    let inventory = Inventory::load(&files, &sources, None, &mut problems);
    let project = compose::load(&Request {
        files: &files,
        sources: &sources,
        compose_files: &["compose.yaml".to_owned()],
        project_dir: "",
        name: ProjectName::Fallback("shop"),
        variables: &[("SET".to_owned(), "value".to_owned())].into(),
        home: None,
        profiles: &[],
        services: &[],
        options: Options::default(),
    });
    match project {
        Ok(project) => {
            problems.extend(project.warnings.iter().cloned());
            let surroundings = Surroundings {
                files: &files,
                sources: &sources,
                settings: &settings,
                inventory: &inventory,
            };
            let (target, found) = resolve(&project, &surroundings);
            let (again, _) = resolve(&project, &surroundings);
            assert_eq!(target, again);
            serde_json::to_string(&target).expect("a target can be written");
            problems.extend(found);
        }
        Err(found) => problems.extend(found),
    }
    assert_sound(&problems, &sources);
});
