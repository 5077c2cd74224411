//! `init`: a small repository that works.

use std::fs;
use std::path::Path;

use super::Run;
use crate::cli::args::Init;
use crate::cli::{Exit, Failure};
use crate::git::Repository;

/// The files, as they are written. The text of each says what it is for.
const FILES: &[(&str, &str)] = &[
    ("gitdeploy.yaml", include_str!("../../../templates/init/gitdeploy.yaml")),
    ("inventory.yaml", include_str!("../../../templates/init/inventory.yaml")),
    ("values/production.yaml", include_str!("../../../templates/init/values/production.yaml")),
    (
        "stacks/hello/compose.yaml.j2",
        include_str!("../../../templates/init/stacks/hello/compose.yaml.j2"),
    ),
    (
        "stacks/hello/index.html.j2",
        include_str!("../../../templates/init/stacks/hello/index.html.j2"),
    ),
];

pub(super) fn run(run: &Run<'_>, args: &Init) -> Result<Exit, Failure> {
    let folder = run.world.folder.join(&run.cli.global.directory).join(&args.folder);
    if let Some((name, _)) = FILES.iter().find(|(name, _)| folder.join(name).exists()) {
        return Err(Failure::new(format!(
            "could not start a repository in `{}`: `{name}` is there already; nothing was written",
            args.folder.display()
        ))
        .hint("gitdeploy init NEW_FOLDER"));
    }
    for (name, text) in FILES {
        write(&folder.join(name), text)?;
    }
    Repository::init(&folder)
        .map_err(|error| Failure::because("could not make a Git repository", &error))?;
    for (name, _) in FILES {
        run.screen.note(&format!("wrote {name}"));
    }
    let cd = match args.folder.to_str() {
        Some(".") | None => String::new(),
        Some(folder) => format!("cd {folder} && "),
    };
    run.screen.note(&format!(
        "\nOnly a commit is deployed. Next:\n  {cd}git add -A && git commit -m \"First stack\"\n  gitdeploy validate"
    ));
    Ok(Exit::Done)
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let failed = |error: &std::io::Error| {
        Failure::because(&format!("could not write `{}`", path.display()), error)
    };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| failed(&error))?;
    }
    fs::write(path, text).map_err(|error| failed(&error))
}
