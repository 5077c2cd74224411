use super::*;
use crate::diag::Sources;
use crate::files::Memory;
use crate::settings::testing::told;

/// The stacks of a tree with these (empty) files, then what is wrong. The first may be the text
/// of `gitdeploy.yaml`.
fn found(settings: &str, paths: &[&str]) -> String {
    let mut files = Memory::new();
    for path in paths {
        files.insert(path, "");
    }
    if !settings.is_empty() {
        files.insert("gitdeploy.yaml", settings);
    }
    let sources = Sources::default();
    let mut problems = Vec::new();
    let settings = Settings::load(&files, &sources, &mut problems);
    let stacks = discover(&files, &settings, "Acme.git", &mut problems);
    let mut lines: Vec<String> = stacks
        .iter()
        .map(|stack| format!("{}: {}", stack.name, stack.compose_files.join(" ")))
        .collect();
    let told = told(&sources, &problems);
    lines.extend((!told.is_empty()).then_some(told));
    lines.join("\n")
}

#[test]
fn folders_of_stacks_with_a_compose_file_are_stacks() {
    insta::assert_snapshot!(found("", &[
        "stacks/shop/compose.yaml.j2",
        "stacks/shop/compose.override.yaml",
        "stacks/db/docker-compose.yml",
        "stacks/db/docker-compose.override.yml.j2",
        "stacks/lib/macros.j2",
        "stacks/.hidden/compose.yaml",
        "stacks/README.md",
        "compose.yaml",
    ]), @r"
    db: stacks/db/docker-compose.yml stacks/db/docker-compose.override.yml
    shop: stacks/shop/compose.yaml stacks/shop/compose.override.yaml
    ");
}

#[test]
fn an_existing_compose_project_is_one_stack() {
    insta::assert_snapshot!(found("", &["compose.yaml", "src/main.rs"]), @"acme: compose.yaml");
    insta::assert_snapshot!(found("project: shop", &["docker-compose.yaml"]), @"shop: docker-compose.yaml");
    insta::assert_snapshot!(found("stacks: [.]", &["compose.yml", "stacks/a/compose.yaml"]), @"acme: compose.yml");
}

#[test]
fn patterns_reach_as_far_as_they_say() {
    let paths = [
        "apps/a/compose.yaml",
        "apps/team/b/compose.yaml",
        "apps/team/deep/c/compose.yaml",
        "apps/.d/compose.yaml",
    ];
    insta::assert_snapshot!(found("stacks: [apps/*]", &paths), @"a: apps/a/compose.yaml");
    insta::assert_snapshot!(found("stacks: [apps/**]", &paths), @r"
    a: apps/a/compose.yaml
    b: apps/team/b/compose.yaml
    c: apps/team/deep/c/compose.yaml
    ");
    insta::assert_snapshot!(found("stacks: ['**/team/?']", &paths), @"b: apps/team/b/compose.yaml");
    insta::assert_snapshot!(found("stacks: [apps/*, apps/a, apps/team/b]", &paths), @r"
    a: apps/a/compose.yaml
    b: apps/team/b/compose.yaml
    ");
}

#[test]
fn composes_preference_holds_with_a_warning() {
    insta::assert_snapshot!(found("", &[
        "stacks/a/docker-compose.yml",
        "stacks/a/compose.yml",
        "stacks/a/compose.override.yml",
        "stacks/a/compose.override.yaml",
    ]), @r"
    a: stacks/a/compose.yml stacks/a/compose.override.yml
    warning: stacks/a has several Compose files; `compose.yml` is used, as Compose does
        help: remove `docker-compose.yml`, or merge it with `include`
    warning: stacks/a has several override files; `compose.override.yml` is used, as Compose does
        help: remove `compose.override.yaml`, or merge it with `include`
    ");
    insta::assert_snapshot!(found("", &["compose.yaml", "compose.yaml.j2"]), @r"
    acme: compose.yaml
    both `compose.yaml` and `compose.yaml.j2` exist
        help: a file is either a template or taken as it is; remove one of them
    ");
}

#[test]
fn what_is_named_must_be_there() {
    insta::assert_snapshot!(
        found("stacks: [apps/a, apps/b, apps/c]", &["apps/a/compose.yaml", "apps/b/x"]), @r"
    a: apps/a/compose.yaml
    gitdeploy.yaml:1:18: `apps/b` has no Compose file
        help: add `apps/b/compose.yaml`
    gitdeploy.yaml:1:26: there is no folder `apps/c` in the repository
    "
    );
}

#[test]
fn names_are_checked_and_stand_for_one_folder() {
    insta::assert_snapshot!(found("stacks: ['*/*']", &[
        "a/shop/compose.yaml",
        "b/shop/compose.yaml",
        "b/Web.1/compose.yaml",
        "b/ok/compose.yaml",
    ]), @r"
    ok: b/ok/compose.yaml
    shop: a/shop/compose.yaml
    gitdeploy.yaml:1:10: the folder `b/Web.1` cannot name a stack: `W` is not a lowercase letter, a digit, `-` or `_`
        help: rename it, for example to `web1`
    gitdeploy.yaml:1:10: `a/shop` and `b/shop` are both the stack `shop`
        help: a stack is called by its folder; rename one of them
    ");
}

#[test]
fn nothing_found_says_what_to_do_next() {
    insta::assert_snapshot!(found("", &["README.md"]), @r"
    there is no stack: neither a folder `stacks/*` with a Compose file nor a Compose file at the root
        help: run `gitdeploy init` to start with a first stack
    ");
    insta::assert_snapshot!(found("", &["stacks/x/README.md"]), @r"
    there is no stack: neither a folder `stacks/*` with a Compose file nor a Compose file at the root
        help: run `gitdeploy init` to start with a first stack
    ");
    insta::assert_snapshot!(found("stacks: [apps/*]", &["README.md"]), @r"
    gitdeploy.yaml:1:10: no folder of `apps/*` has a Compose file
        help: run `gitdeploy init` to start with a first stack
    ");
}

#[test]
fn what_cannot_be_read_is_not_passed_over_in_silence() {
    struct Linked(Memory);
    impl Files for Linked {
        fn read(&self, path: &str) -> Result<Option<crate::files::File>, FileError> {
            self.0.read(path)
        }
        fn list(&self, path: &str) -> Result<Option<Vec<crate::files::Entry>>, FileError> {
            let mut entries = self.0.list(path)?;
            if path == "stacks" {
                let kind = EntryKind::Refused(Refusal::Symlink);
                let link = |name: &str| crate::files::Entry { name: name.into(), kind };
                entries.get_or_insert_default().extend([link("README.md"), link("x")]);
            }
            if path == "stacks/x" {
                return Err(FileError::Symlink { path: path.to_owned() });
            }
            Ok(entries)
        }
        fn fingerprint(&self, path: &str) -> Result<Option<crate::files::Fingerprint>, FileError> {
            self.0.fingerprint(path)
        }
        fn is_file(&self, path: &str) -> Result<bool, FileError> {
            self.0.is_file(path)
        }
    }
    let files = Linked(Memory::new().with("stacks/a/compose.yaml", ""));
    let mut problems = Vec::new();
    let stacks = discover(&files, &Settings::default(), "r", &mut problems);
    let names: Vec<&str> = stacks.iter().map(|stack| stack.name.as_str()).collect();
    assert_eq!(names, ["a", "x"], "a link is a stack whose files are not read");
    insta::assert_snapshot!(told(&Sources::default(), &problems), @"`stacks/README.md` is a symbolic link; links are not followed, since they may leave the repository");
}
