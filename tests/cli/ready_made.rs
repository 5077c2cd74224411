//! The files under `templates/ci`, with their steps run as the runner of a forge does.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::environment::{Repo, Run};
use crate::review::{Forge, TOKEN, gitlab_job, job, left, pull_request, reviewed};

/// A file under `templates/ci`.
fn text_of(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates/ci").join(file);
    std::fs::read_to_string(path).expect("a template")
}

fn page(file: &str) -> Value {
    serde_yaml::from_str(&text_of(file)).expect("YAML")
}

/// The steps of a ready-made action, with the expressions that it uses filled in.
fn steps(
    file: &str,
    at: &[&str],
    given: &dyn Fn(&str) -> String,
) -> Vec<(Vec<(String, String)>, String)> {
    let page = page(file);
    let list = at.iter().fold(&page, |page, key| &page[*key]);
    let run = list.as_array().expect("steps").iter().filter(|step| step["run"].is_string());
    run.map(|step| own_step(step, given)).collect()
}

/// The variables and the script of a step that runs one.
fn own_step(step: &Value, given: &dyn Fn(&str) -> String) -> (Vec<(String, String)>, String) {
    let env = step["env"].as_object().into_iter().flatten();
    let env = env.map(|(name, value)| (name.clone(), given(value.as_str().expect("text"))));
    let script = step["run"].as_str().expect("text");
    assert!(!script.contains("${{"), "an expression in a script can be broken out of: {script}");
    (env.collect(), script.to_owned())
}

/// Runs a script as a runner does.
pub(crate) fn played(script: &str, folder: &Path, variables: &[(String, String)]) -> Run {
    let program = Path::new(env!("CARGO_BIN_EXE_gitdeploy")).parent().expect("a folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").expect("a path"));
    let output = Command::new("sh")
        .args(["-e", "-c", script])
        .current_dir(folder)
        .env_clear()
        .envs(variables.iter().cloned())
        .env("PATH", path)
        .env("HOME", folder)
        .output()
        .expect("a shell");
    Run {
        code: output.status.code().expect("an exit code"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// A clone as a job has it: one commit, and the others only where they came from.
pub(crate) fn shallow(repo: &Repo, at: &str) -> std::path::PathBuf {
    let folder = repo.path().parent().expect("a folder").join("job");
    let git = |arguments: &[&str]| {
        let done =
            Command::new("git").args(arguments).current_dir(repo.path()).output().expect("git");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["config", "uploadpack.allowAnySHA1InWant", "true"]);
    git(&["branch", "-f", "for-the-job", at]);
    let from = format!("file://{}", repo.path().display());
    let to = folder.display().to_string();
    git(&["clone", "-q", "--depth=1", "--branch", "for-the-job", &from, &to]);
    folder
}

#[test]
fn the_action_for_github_reviews_a_commit_that_is_not_checked_out() {
    let (repo, base, head) = pull_request();
    let forge = Forge::at(&head, None);
    let clone = shallow(&repo, &base);
    let given = |expression: &str| match expression.trim_matches(['$', '{', '}', ' ']) {
        "inputs.command" => "review".to_owned(),
        "inputs.arguments" => "--against base --detailed-exitcode".to_owned(),
        "inputs.directory" => ".".to_owned(),
        "inputs.program" => "gitdeploy".to_owned(),
        "inputs.environment" => String::new(),
        "inputs.token" => TOKEN.to_owned(),
        "github.event.pull_request.base.sha" => base.clone(),
        "github.event.pull_request.head.sha" => head.clone(),
        other => panic!("{other} is unknown"),
    };
    let mut codes = Vec::new();
    for (own, script) in steps("github/action.yml", &["runs", "steps"], &given) {
        let mut variables = job(&repo, &forge.url, &base, &head);
        variables.retain(|(name, _)| name != "GITDEPLOY_FORGE_TOKEN");
        variables.extend(own);
        let run = played(&script, &clone, &variables);
        assert!(run.code == 0 || run.code == 2, "{}{}", run.stdout, run.stderr);
        codes.push(run.code);
    }
    assert_eq!(codes, [0, 2]);
    assert!(forge.comment().expect("a comment").contains("`shop`"));
    assert!(left(&repo, "output").contains("changes=true"));
}

#[test]
fn the_outputs_of_the_action_are_those_that_a_run_leaves() {
    let page = page("github/action.yml");
    let (repo, base, head) = pull_request();
    let forge = Forge::at(&head, None);
    reviewed(&repo, &job(&repo, &forge.url, &base, &head), &[]);
    let output = left(&repo, "output");
    for (name, value) in page["outputs"].as_object().expect("outputs") {
        assert!(output.contains(&format!("{name}=")), "{name}: {output}");
        assert_eq!(value["value"], format!("${{{{ steps.gitdeploy.outputs.{name} }}}}"));
    }
}

/// The script of a job of GitLab, whose lines are one for a shell.
fn script_on_gitlab(job: &str) -> String {
    let page = page("gitlab/gitdeploy.gitlab-ci.yml");
    let lines = page[job]["script"].as_array().expect("a script");
    let lines: Vec<&str> = lines.iter().map(|line| line.as_str().expect("text")).collect();
    lines.join("\n")
}

#[test]
fn the_template_for_gitlab_validates_and_reviews() {
    let (repo, base, head) = pull_request();
    let clone = shallow(&repo, &head);
    let prepare = format!(
        "git -C {} update-ref refs/heads/main {base}; git fetch -q --unshallow origin",
        repo.path().display()
    );
    assert_eq!(played(&prepare, &clone, &[]).code, 0);
    let variables = gitlab_job("http://127.0.0.1:1/api/v4", &head);
    for (job, files) in [
        ("gitdeploy:validate", ["gl-code-quality.json", "gitdeploy.xml"].as_slice()),
        ("gitdeploy:review", &["gitdeploy-terraform.json"]),
    ] {
        // The job would look for hosts that are not there.
        let script = script_on_gitlab(job).replace("review $", "review --against base $");
        let run = played(&script, &clone, &variables);
        assert_eq!(run.code, 0, "{job}: {}", run.stderr);
        for file in files {
            assert!(clone.join(file).is_file(), "{file}");
        }
    }
    let report = std::fs::read_to_string(clone.join("gitdeploy-terraform.json")).expect("a file");
    assert_eq!(report, "{\"create\":1,\"update\":0,\"delete\":1}\n");
}

/// What the deploying job signs snapshots with; no other job has it.
#[cfg(debug_assertions)]
const KEY: &str = "5f0c7a1b9d3e4f60718293a4b5c6d7e8";

/// Plays the steps of a job of an example, those of our action included; the last one's end.
#[cfg(debug_assertions)]
fn example(
    file: &str,
    job: &str,
    clone: &Path,
    variables: &[(String, String)],
    pull: [&str; 2],
) -> Run {
    let said = |expression: &str| match expression.trim_matches(['$', '{', '}', ' ']) {
        "github.event.pull_request.number" => "7".to_owned(),
        "github.event.pull_request.base.sha" => pull[0].to_owned(),
        "github.event.pull_request.head.sha" => pull[1].to_owned(),
        "secrets.GITDEPLOY_FORGE_TOKEN" | "github.token" => TOKEN.to_owned(),
        "secrets.GITDEPLOY_SNAPSHOT_KEY" if job == "deploy" => KEY.to_owned(),
        other => panic!("{job} has no {other}"),
    };
    let (page, action) = (page(file), page("github/action.yml"));
    let mut played_steps = Vec::new();
    for step in page["jobs"][job]["steps"].as_array().expect("steps") {
        let given = |expression: &str| {
            let name = expression.trim_matches(['$', '{', '}', ' ']).strip_prefix("inputs.");
            let Some(name) = name else { return said(expression) };
            let default = || action["inputs"][name]["default"].as_str().expect("an input");
            match step["with"][name].as_str().unwrap_or_else(default) {
                text if text.starts_with("${{") => said(text),
                text => text.to_owned(),
            }
        };
        if step["run"].is_string() {
            played_steps.push(own_step(step, &given));
        } else if step["uses"].as_str().is_some_and(|uses| uses.contains("templates/ci/github")) {
            let own = action["runs"]["steps"].as_array().expect("steps");
            played_steps.extend(own.iter().map(|step| own_step(step, &given)));
        }
    }
    let mut last = None;
    for (own, script) in played_steps {
        let run = played(&script, clone, &[variables, &own].concat());
        assert_eq!(run.code, 0, "{script}: {}{}", run.stdout, run.stderr);
        last = Some(run);
    }
    last.expect("a step")
}

/// A repository whose settings trust the deploying job's key, and its commit.
#[cfg(debug_assertions)]
fn trusting() -> (Repo, String) {
    let repo = crate::scripts::shop();
    let public = repo.run_with(&["snapshot", "--public-key"], &[("GITDEPLOY_SNAPSHOT_KEY", KEY)]);
    let settings = std::fs::read_to_string(repo.path().join("gitdeploy.yaml")).expect("a file");
    let trust = format!("snapshot: {{trusted_keys: [{}]}}\n", public.stdout.trim());
    let base = repo.commit(&[("gitdeploy.yaml", &format!("{settings}{trust}"))]);
    (repo, base)
}

/// What lets a job deploy to a world of its own.
#[cfg(debug_assertions)]
fn simulated() -> Vec<(String, String)> {
    let world = [("GITDEPLOY_SIMULATED_WORLD", "../world.json"), ("HOSTNAME", "runner")];
    world.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// A commit that wants one replica less.
#[cfg(debug_assertions)]
fn one_replica_less(repo: &Repo) -> String {
    let compose = "stacks/shop/compose.yaml";
    let text = std::fs::read_to_string(repo.path().join(compose)).expect("a file");
    repo.commit(&[(compose, &text.replace("replicas: 2", "replicas: 1"))])
}

/// Deploys as an example does, and reviews a pull request where neither hosts nor secrets are.
#[cfg(debug_assertions)]
fn deployed_and_reviewed(file: &str, forge_of: (&str, &str)) {
    let (repo, base) = trusting();
    let git = git2::Repository::open(repo.path()).expect("a repository");
    let clone = shallow(&repo, &base);
    example(file, "deploy", &clone, &simulated(), ["", ""]);

    let head = one_replica_less(&repo);
    let id = git2::Oid::from_str(&head).expect("a hash");
    git.reference("refs/pull/7/head", id, true, "opened").expect("a reference");
    assert_eq!(played("git fetch -q --unshallow origin", &clone, &[]).code, 0);
    let forge = Forge::at(&head, None);
    let mut job = job(&repo, &forge.url, &base, &head);
    // A step that needs it says so itself.
    job.retain(|(name, _)| name != "GITDEPLOY_FORGE_TOKEN");
    job.push((forge_of.0.to_owned(), forge_of.1.to_owned()));
    let run = example(file, "review", &clone, &job, [&base, &head]);
    let comment = forge.comment().expect("a comment");
    assert!(comment.contains("for the hosts as a snapshot of"), "{comment}{}", run.stderr);
    assert!(comment.contains("signed with the trusted key SHA256:"), "{comment}");
    assert!(comment.contains("`shop`"), "{comment}");
}

#[test]
#[cfg(debug_assertions)]
fn the_example_for_forgejo_reviews_without_hosts_what_it_has_deployed() {
    deployed_and_reviewed("forgejo/workflow.yaml", ("FORGEJO_ACTIONS", "true"));
}

#[test]
#[cfg(debug_assertions)]
fn the_example_for_github_reviews_without_hosts_what_it_has_deployed() {
    deployed_and_reviewed("github/workflow.yaml", ("GITHUB_ACTIONS", "true"));
}

#[test]
fn a_pull_request_can_rewrite_no_example_that_has_a_login() {
    for file in ["forgejo/workflow.yaml", "github/workflow.yaml"] {
        let (page, text) = (page(file), text_of(file));
        let events: Vec<&String> = page["on"].as_object().expect("events").keys().collect();
        assert_eq!(events, ["pull_request_target", "push"], "{file}");
        assert!(!text.contains("pull_request.head"), "{file} checks out what somebody wishes");
    }
}

/// The same on GitLab, whose jobs share a token.
#[test]
#[cfg(debug_assertions)]
fn the_template_for_gitlab_reviews_without_hosts_what_it_has_deployed() {
    let (repo, base) = trusting();
    let clone = shallow(&repo, &base);
    // Where GitLab would be pushed to.
    let remote = format!("https://oauth2:{TOKEN}@gitlab.example.com/acme/shop.git");
    let config = format!(
        "[url \"file://{}\"]\n\tinsteadOf = {remote}\n[protocol]\n\tallow = always\n",
        repo.path().display()
    );
    std::fs::write(clone.join(".gitconfig"), config).expect("a file");
    let named = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let forge = "http://127.0.0.1:1/api/v4";
    let mut variables = gitlab_job(forge, &base);
    variables.extend(simulated());
    variables.extend(
        [
            ("CI_PROJECT_URL", "https://gitlab.example.com/acme/shop"),
            ("GITLAB_TOKEN", TOKEN),
            ("GITDEPLOY_SNAPSHOT_KEY", KEY),
        ]
        .map(named),
    );
    for job in ["gitdeploy:plan", "gitdeploy:apply", "gitdeploy:snapshot"] {
        let run = played(&script_on_gitlab(job), &clone, &variables);
        assert_eq!(run.code, 0, "{job}: {}{}", run.stdout, run.stderr);
    }

    let head = one_replica_less(&repo);
    let prepare = format!(
        "git -C {} update-ref refs/heads/main {base}; git fetch -q --unshallow origin; \
         git fetch -q origin {head}; git checkout -q {head}",
        repo.path().display()
    );
    assert_eq!(played(&prepare, &clone, &[]).code, 0);
    let run = played(&script_on_gitlab("gitdeploy:review"), &clone, &gitlab_job(forge, &head));
    assert_eq!(run.code, 0, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("for the hosts as a snapshot of"), "{}", run.stdout);
    assert!(run.stdout.contains("signed with the trusted key SHA256:"), "{}", run.stdout);
    let report = std::fs::read_to_string(clone.join("gitdeploy-terraform.json")).expect("a file");
    assert_eq!(report, "{\"create\":0,\"update\":1,\"delete\":1}\n");
}
