use super::*;
use crate::files::Memory;
use crate::settings::testing::told;
use crate::settings::{Strategy, shapes};

fn load_with(files: Memory, text: &str) -> (Settings, String) {
    let sources = Sources::default();
    let mut problems = Vec::new();
    let settings = Settings::load(&files.with("gitdeploy.yaml", text), &sources, &mut problems);
    (settings, told(&sources, &problems))
}

fn problems(text: &str) -> String {
    load_with(Memory::new(), text).1
}

fn good(text: &str) -> Settings {
    let files = Memory::new()
        .with("hosts/staging.yaml", "")
        .with("hosts/production.yaml", "")
        .with("values/staging.yaml", "")
        .with("values/production.yaml", "");
    let (settings, told) = load_with(files, text);
    assert_eq!(told, "");
    settings
}

const FULL: &str = "\
project: acme
stacks: [stacks/*, apps/shop]
pass_env: [RELEASE]
environments:
  staging:    {inventory: hosts/staging.yaml, values: [values/staging.yaml], branch: develop}
  production: {inventory: hosts/production.yaml, values: [./values/production.yaml], branch: main}
defaults:
  drain: {timeout: 45s}
  health: {http: /healthz, interval: 500ms}
  rollout: {strategy: rolling}
protect: {max_deletes: 5}
snapshot:
  trusted_keys:
    - ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH laptop
";

#[test]
fn every_key_is_read() {
    let settings = good(FULL);
    assert_eq!(settings.file.as_deref(), Some("gitdeploy.yaml"));
    let production = settings.environment(Some("production")).expect("described");
    assert_eq!(production.values[0].value, "values/production.yaml");
    assert_eq!(production.branch.map(|branch| branch.value).as_deref(), Some("main"));
    assert_eq!(settings.protect.max_deletes.map(|it| it.value), Some(5));
    assert_eq!(settings.trusted_keys[0].value, PublicKey::new([7; 32]));
    assert_eq!(settings.defaults.rollout.strategy.map(|it| it.value), Some(Strategy::Rolling));
    assert_eq!(settings.pass_env[0].value, "RELEASE");
    assert_eq!(
        settings.project_name("x").map(|name| name.to_string()).ok().as_deref(),
        Some("acme")
    );
}

#[test]
fn a_trusted_key_is_a_whole_public_key() {
    let told = problems("snapshot: {trusted_keys: [ssh-ed25519 AAAA, ssh-rsa AAAA]}");
    insta::assert_snapshot!(told, @r"
    gitdeploy.yaml:1:27: `snapshot.trusted_keys[0]`: `ssh-ed25519 AAAA` is no public key: what follows `ssh-ed25519` is not a whole key
        help: a public key looks like `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH`
    gitdeploy.yaml:1:45: `snapshot.trusted_keys[1]`: `ssh-rsa AAAA` is no public key: a public key begins with `ssh-ed25519`
        help: a public key looks like `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH`
    ");
    // None at all would look as if nobody were trusted, and is that anybody is.
    insta::assert_snapshot!(problems("snapshot: {trusted_keys: []}"), @"gitdeploy.yaml:1:26: `snapshot.trusted_keys` needs at least one item");
}

#[test]
fn nothing_is_needed() {
    for text in ["", "# later\n", "environments: {}", "x-any: 1"] {
        let settings = good(text);
        assert_eq!(settings.environment(None).expect("the implicit one").name.as_str(), "default");
        assert_eq!(settings.project_name("My.Repo").expect("a name").as_str(), "myrepo");
    }
    let mut problems = Vec::new();
    let none = Settings::load(&Memory::new(), &Sources::default(), &mut problems);
    assert_eq!((none.file, problems.len()), (None, 0));
}

#[test]
fn everything_wrong_is_told_at_once() {
    let files = Memory::new().with("values/production.yaml", "").with("dir/x", "");
    let (_, told) = load_with(
        files,
        "projekt: acme\n\
         project: Acme\n\
         stacks: [/stacks, ../x, 'a[b]']\n\
         pass_env: [1A, 'A*', A=b, B, B]\n\
         environments:\n\
         \x20 Prod: {}\n\
         \x20 a: {inventory: /etc/hosts.yaml, values: values/production.yaml}\n\
         \x20 b: {inventory: ../hosts.yaml, values: [values/prodution.yaml, dir], branch: refs/heads/main}\n\
         \x20 c: {branch: 'a b', valeus: []}\n\
         \x20 d:\n\
         defaults: {drain: {timeout: 30}, rollout: {strategy: canary}, health: {http: /, tcp: 1}}\n\
         protect: {max_deletes: -1}\n",
    );
    insta::assert_snapshot!(told, @r"
    gitdeploy.yaml:1:1: `projekt` is no key of the file
        help: did you mean `project`?
    gitdeploy.yaml:2:10: `project`: `Acme` is no name: `A` is not a lowercase letter, a digit, `-` or `_`
        help: a name looks like `web-1`
    gitdeploy.yaml:3:10: `stacks[0]`: `/stacks` is no pattern of folders: it is seen from the repository's root and does not start with `/`
        help: a pattern of folders looks like `stacks/*`
    gitdeploy.yaml:3:19: `stacks[1]`: `../x` is no pattern of folders: it must stay inside the repository
        help: a pattern of folders looks like `stacks/*`
    gitdeploy.yaml:3:25: `stacks[2]`: `a[b]` is no pattern of folders: `[` has no meaning here; there are `*`, `?` and `**`
        help: a pattern of folders looks like `stacks/*`
    gitdeploy.yaml:4:12: `pass_env[0]`: `1A` is no variable name: it must start with a letter or `_`
        help: a variable name looks like `RELEASE`
    gitdeploy.yaml:4:16: `pass_env[1]`: `A*` is no variable name: every variable is named by itself; there are no patterns
        help: a variable name looks like `RELEASE`
    gitdeploy.yaml:4:22: `pass_env[2]`: `A=b` is no variable name: only the name is written; the value comes from the environment
        help: a variable name looks like `RELEASE`
    gitdeploy.yaml:4:30: `pass_env` has the same item twice
        gitdeploy.yaml:4:27: first here
    gitdeploy.yaml:6:3: `Prod` is no name: `P` is not a lowercase letter, a digit, `-` or `_`
    gitdeploy.yaml:7:43: `environments.a.values` must be a list (a string each), not a string
    gitdeploy.yaml:8:79: `environments.b.branch`: `refs/heads/main` is no branch: write it as `main`
        help: a branch looks like `main`
    gitdeploy.yaml:9:15: `environments.c.branch`: `a b` is no branch: ' ' cannot stand in the name of a branch
        help: a branch looks like `main`
    gitdeploy.yaml:9:22: `valeus` is no key of environment (`environments.c`)
        help: did you mean `values`?
    gitdeploy.yaml:11:29: `defaults.drain.timeout` must be a duration, not a whole number
    gitdeploy.yaml:11:54: the strategy `canary` is planned, but cannot be used yet
        help: until then, use `all-at-once` or `rolling`
    gitdeploy.yaml:12:24: `protect.max_deletes` must be from 0 to 4294967295, not -1
    gitdeploy.yaml:7:18: `/etc/hosts.yaml` leads out of the repository
        help: only files of the commit are read; write a path inside the repository
    gitdeploy.yaml:8:18: `../hosts.yaml` leads out of the repository
        help: only files of the commit are read; write a path inside the repository
    gitdeploy.yaml:8:42: there is no file `values/prodution.yaml` in the repository
        help: did you mean `values/production.yaml`?
    gitdeploy.yaml:8:65: there is no file `dir` in the repository
        help: it is a directory; name a file in it
    gitdeploy.yaml:11:78: `http` cannot stand beside `tcp`
        gitdeploy.yaml:11:86: `tcp` names the port itself
        help: keep one of them
    ");
}

#[test]
fn both_spellings_of_the_file_are_one_too_many() {
    let files = Memory::new().with("gitdeploy.yml", "");
    insta::assert_snapshot!(load_with(files, "").1, @r"
    both `gitdeploy.yaml` and `gitdeploy.yml` exist, and only one can be meant
        help: move everything into `gitdeploy.yaml` and remove `gitdeploy.yml`
    ");
    insta::assert_snapshot!(problems("a: 1\n---\nb: 2\n"), @r"
    gitdeploy.yaml:3:1: `gitdeploy.yaml` has more than one document
        help: put everything into one document, without `---` between
    gitdeploy.yaml:1:1: `a` is no key of the file
    ");
}

#[test]
fn the_environment_is_asked_for_or_the_only_one() {
    let ask = |text: &str, wanted: Option<&str>| {
        let sources = Sources::default();
        let files = Memory::new().with("gitdeploy.yaml", text);
        let settings = Settings::load(&files, &sources, &mut Vec::new());
        match settings.environment(wanted) {
            Ok(environment) => environment.name.to_string(),
            Err(problem) => told(&sources, &[problem]),
        }
    };
    let two = "environments: {production: {}, staging: {}}";
    assert_eq!(ask("environments: {only:}", None), "only");
    assert_eq!(ask(two, Some("staging")), "staging");
    assert_eq!(ask("", Some("default")), "default");
    insta::assert_snapshot!(ask(two, None), @r"
    gitdeploy.yaml:1:1: there are several environments: `production`, `staging`
        help: say which one with `--env NAME`
    ");
    insta::assert_snapshot!(ask(two, Some("prodution")), @r"
    gitdeploy.yaml:1:1: there is no environment `prodution`; there are `production`, `staging`
        help: did you mean `production`?
    ");
    insta::assert_snapshot!(ask("", Some("production")), @r"
    there is no environment `production`: the repository describes none
        help: describe it under `environments:` in gitdeploy.yaml, or leave out `--env`
    ");
    insta::assert_snapshot!(ask("environments: {only: {}}", Some("default")), @"gitdeploy.yaml:1:1: there is no environment `default`; there are `only`");
}

#[test]
fn the_schemas_name_every_key() {
    let settings = shapes::settings_schema().to_string();
    for key in [
        "project",
        "stacks",
        "pass_env",
        "environments",
        "inventory",
        "values",
        "branch",
        "defaults",
        "drain",
        "health",
        "rollout",
        "protect",
        "max_deletes",
        "snapshot",
        "trusted_keys",
        "strategy",
    ] {
        assert!(settings.contains(&format!("\"{key}\":{{")), "{key}");
    }
    let extension = shapes::extension_schema().to_string();
    for key in ["routes", "host", "path", "port", "proxy", "http", "tcp", "within", "timeout"] {
        assert!(extension.contains(&format!("\"{key}\":{{")), "{key}");
    }
}
