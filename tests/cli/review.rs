//! `review` and the files a run leaves for a CI: what is posted, annotated, kept out of sight.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::environment::{COMPOSE, Repo, Run};
use crate::ready_made::{played, shallow};

pub(crate) const TOKEN: &str = "forge-t0ken";

/// A forge that knows one pull request.
pub(crate) struct Forge {
    pub(crate) url: String,
    /// Method and path, with the body.
    requests: Arc<Mutex<Vec<(String, String)>>>,
}

impl Forge {
    /// Answers as `answer` says: status and body for method and path.
    fn serving(answer: impl Fn(&str) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&requests);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.expect("a connection");
                let (line, body) = request(&mut stream);
                let (status, text) = answer(&line);
                kept.lock().expect("a list").push((line, body));
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    text.len()
                );
                stream.write_all(head.as_bytes()).expect("a client");
                stream.write_all(text.as_bytes()).expect("a client");
            }
        });
        Self { url, requests }
    }

    /// A forge on which the pull request is at `head`, with this comment of ours.
    pub(crate) fn at(head: &str, comment: Option<String>) -> Self {
        let head = head.to_owned();
        Self::serving(move |line| {
            let body = match line {
                "GET /user" => json!({"login": "me"}),
                line if line.starts_with("GET /repos/acme/shop/pulls/7") => {
                    json!({"head": {"sha": head}, "base": {"sha": "00"}})
                }
                line if line.starts_with("GET /repos/acme/shop/issues/7/comments") => {
                    let own =
                        |body: &String| json!({"id": 5, "user": {"login": "me"}, "body": body});
                    comment.iter().map(own).collect::<Vec<_>>().into()
                }
                line if line.starts_with("GET /repos/acme/shop/commits/") => json!([]),
                _ => json!({}),
            };
            (200, body.to_string())
        })
    }

    fn requests(&self) -> Vec<(String, String)> {
        self.requests.lock().expect("a list").clone()
    }

    /// The text that was written into the comment.
    pub(crate) fn comment(&self) -> Option<String> {
        let requests = self.requests();
        let written = requests.iter().find(|(line, _)| {
            line.starts_with("POST") && line.ends_with("/comments") || line.starts_with("PATCH")
        });
        let body: Value = serde_json::from_str(&written?.1).expect("JSON");
        Some(body["body"].as_str().expect("text").to_owned())
    }

    fn status(&self) -> Value {
        let requests = self.requests();
        let set = requests
            .iter()
            .find(|(line, _)| line.starts_with("POST") && line.contains("/statuses/"));
        serde_json::from_str(&set.expect("a status").1).expect("JSON")
    }
}

/// The first line without the version, and the body.
fn request(stream: &mut std::net::TcpStream) -> (String, String) {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.and_then(|it| it.parse().ok()).unwrap_or(0) {
                let line = head.lines().next().unwrap_or_default();
                return (line.trim_end_matches(" HTTP/1.1").to_owned(), body.to_owned());
            }
        }
        let count = stream.read(&mut part).expect("a request");
        assert!(count > 0, "the request ends early: {text}");
        bytes.extend(&part[..count]);
    }
}

/// Two commits; the second has another image.
pub(crate) fn pull_request() -> (Repo, String, String) {
    let repo = Repo::new();
    let base = repo.commit(&[("stacks/shop/compose.yaml", COMPOSE)]);
    let head = repo.commit(&[("stacks/shop/compose.yaml", &COMPOSE.replace("1.27", "1.28"))]);
    (repo, base, head)
}

/// A job of GitHub Actions for pull request 7.
pub(crate) fn job(repo: &Repo, forge: &str, base: &str, head: &str) -> Vec<(String, String)> {
    let folder = repo.path().parent().expect("a folder").to_owned();
    let event =
        json!({"pull_request": {"number": 7, "head": {"sha": head}, "base": {"sha": base}}});
    std::fs::write(folder.join("event.json"), event.to_string()).expect("a file");
    let file = |name: &str| folder.join(name).display().to_string();
    [
        ("GITHUB_ACTIONS", "true".to_owned()),
        ("GITHUB_API_URL", forge.to_owned()),
        ("GITHUB_REPOSITORY", "acme/shop".to_owned()),
        ("GITHUB_EVENT_PATH", file("event.json")),
        ("GITHUB_STEP_SUMMARY", file("summary.md")),
        ("GITHUB_OUTPUT", file("output")),
        ("GITDEPLOY_FORGE_TOKEN", TOKEN.to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

pub(crate) fn reviewed(repo: &Repo, job: &[(String, String)], more: &[&str]) -> Run {
    let variables: Vec<(&str, &str)> =
        job.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let arguments = [&["review", "--against", "base"], more].concat();
    repo.run_with(&arguments, &variables)
}

pub(crate) fn left(repo: &Repo, name: &str) -> String {
    let folder = repo.path().parent().expect("a folder").to_owned();
    std::fs::read_to_string(folder.join(name)).unwrap_or_default()
}

#[test]
fn a_job_comments_sets_the_status_and_leaves_summary_and_outputs() {
    let (repo, base, head) = pull_request();
    let forge = Forge::at(&head, None);
    let run = reviewed(&repo, &job(&repo, &forge.url, &base, &head), &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let comment = forge.comment().expect("a comment");
    let first = format!("<!-- gitdeploy-review:acme/default -->\n<!-- head:{head} -->\n### ");
    assert!(comment.starts_with(&first), "{comment}");
    assert!(
        comment.contains("| `+/-` | `shop` | `+/- web: 1 replica, no downtime (image)` | no |")
    );
    let status = forge.status();
    assert_eq!(status["state"], "success");
    assert_eq!(status["context"], "gitdeploy/default");
    assert!(left(&repo, "summary.md").starts_with("### gitdeploy review: `acme/default`"));
    let output = left(&repo, "output");
    for line in ["changes=true\n", "create=1\n", "remove=1\n", "exitcode=0\n"] {
        assert!(output.contains(line), "{line}: {output}");
    }
    assert!(!run.stdout.contains(TOKEN) && !run.stderr.contains(TOKEN));
}

/// A repository whose `main` has a second stack since `topic` was begun, which changes the first; with
/// the tips of both.
fn parted(main: &[(&str, &str)], topic: &[(&str, &str)]) -> (Repo, String, String) {
    let (repo, _, from) = pull_request();
    let git = git2::Repository::open(repo.path()).expect("a repository");
    let branch = |name: &str, from: &str, files: &[(&str, &str)]| {
        let from = git.revparse_single(from).expect("a commit").peel_to_commit().expect("a commit");
        git.branch(name, &from, true).expect("a branch");
        git.set_head(&format!("refs/heads/{name}")).expect("a branch");
        let clean = &mut git2::build::CheckoutBuilder::new();
        git.checkout_head(Some(clean.force())).expect("files");
        repo.commit(files)
    };
    let base = branch("trunk", &from, main);
    let head = branch("topic", &from, topic);
    (repo, base, head)
}

#[test]
fn a_head_that_is_behind_is_reviewed_as_it_will_be_when_merged() {
    let api = ("stacks/api/compose.yaml", COMPOSE);
    let shop = COMPOSE.replace("1.27", "1.29");
    let (repo, base, head) = parted(&[api], &[("stacks/shop/compose.yaml", &shop)]);
    let run = repo.run(&["review", "--base", "trunk", "--against", "base", "--format", "json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let page: Value = serde_json::from_str(&run.stdout).expect("JSON");
    assert_eq!(page["base"], base[..7]);
    assert_eq!(page["head"], head[..7], "the head keeps its name");
    assert!(page["notes"][0].as_str().expect("a note").starts_with("The base has gone on since"));
    let stacks: Vec<&String> = page["diff"]["stacks"].as_object().expect("stacks").keys().collect();
    assert_eq!(stacks, ["shop"], "{page:#}");
    let changes = page["plan"]["resource_changes"].as_array().expect("changes");
    assert!(!changes.is_empty() && changes.iter().all(|it| it["stack"] == "shop"), "{changes:#?}");
}

#[test]
fn a_head_that_cannot_be_merged_is_compared_with_what_both_come_from() {
    let (one, other) = (COMPOSE.replace("1.27", "1.29"), COMPOSE.replace("1.27", "1.30"));
    let (api, shop) = ("stacks/api/compose.yaml", "stacks/shop/compose.yaml");
    let (repo, _, _) = parted(&[(api, COMPOSE), (shop, &one)], &[(shop, &other)]);
    let run = repo.run(&["review", "--base", "trunk", "--format", "json"]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let page: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let note = page["notes"][0].as_str().expect("a note");
    assert!(note.contains("base and head both change stacks/shop/compose.yaml."), "{note}");
    assert!(page["against"].as_str().expect("words").contains("the commit that both come from"));
    let changes = page["plan"]["resource_changes"].as_array().expect("changes");
    assert!(!changes.is_empty() && changes.iter().all(|it| it["stack"] == "shop"), "{changes:#?}");
    assert!(page["diff"].to_string().contains("1.30"), "{:#}", page["diff"]);
}

#[test]
fn a_clone_without_the_history_says_what_to_fetch() {
    let api = ("stacks/api/compose.yaml", COMPOSE);
    let shop = COMPOSE.replace("1.27", "1.29");
    let (repo, base, head) = parted(&[api], &[("stacks/shop/compose.yaml", &shop)]);
    let clone = shallow(&repo, &base);
    let fetch = format!("git fetch -q --depth=1 origin {head}");
    assert_eq!(played(&fetch, &clone, &[]).code, 0);
    let review = format!("gitdeploy review --base {base} --head {head} --against base");
    let run = played(&review, &clone, &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("The head is behind the base, or history is not there"));
    assert!(run.stdout.contains("Next: git fetch --unshallow"), "{}", run.stdout);
    let fetch = format!("git fetch -q --unshallow origin {base} {head}");
    assert_eq!(played(&fetch, &clone, &[]).code, 0);
    let run = played(&review, &clone, &[]);
    assert!(run.stdout.contains("the head merged into it"), "{}", run.stdout);
}

#[test]
fn a_huge_subject_and_huge_errors_leave_a_comment_that_fits() {
    let (repo, base, _) = pull_request();
    repo.write(
        "stacks/shop/compose.yaml",
        format!("services: {{web: {{{}: 1}}}}\n", "x".repeat(9000)),
    );
    let head = repo.commit_as(&"@`|é".repeat(30_000));
    let forge = Forge::at(&head, None);
    assert_eq!(reviewed(&repo, &job(&repo, &forge.url, &base, &head), &[]).code, 1);
    let comment = forge.comment().expect("a comment");
    assert!(comment.len() <= 65_536, "{}", comment.len());
    assert!(comment.contains("**Cannot be deployed: "), "{comment}");
}

/// A job of GitLab for merge request 7 into `main`.
pub(crate) fn gitlab_job(forge: &str, head: &str) -> Vec<(String, String)> {
    [
        ("GITLAB_CI", "true"),
        ("GITDEPLOY", "gitdeploy"),
        ("CI_API_V4_URL", forge),
        ("CI_PROJECT_ID", "1"),
        ("CI_MERGE_REQUEST_IID", "7"),
        ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
        ("CI_COMMIT_SHA", head),
        ("CI_PIPELINE_ID", "99"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into()
}

/// Makes what a job of GitLab has fetched of `main`.
fn fetched(repo: &Repo, tip: &str) {
    let git = git2::Repository::open(repo.path()).expect("a repository");
    let tip = git.revparse_single(tip).expect("a commit").id();
    git.reference("refs/remotes/origin/main", tip, true, "fetched").expect("a reference");
}

#[test]
fn a_status_on_gitlab_goes_into_the_pipeline_that_runs() {
    let (repo, base, head) = pull_request();
    fetched(&repo, &base);
    let at = head.clone();
    let forge = Forge::serving(move |line| {
        let body = match line {
            "GET /projects/1/merge_requests/7" => {
                json!({"sha": at, "diff_refs": {"base_sha": "00"}})
            }
            line if line.starts_with("GET /user") => json!({"id": 1, "username": "me"}),
            line if line.starts_with("GET") => json!([]),
            _ => json!({}),
        };
        (200, body.to_string())
    });
    let mut job = gitlab_job(&forge.url, &head);
    job.push(("GITLAB_TOKEN".to_owned(), TOKEN.to_owned()));
    let run = reviewed(&repo, &job, &[]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert_eq!(forge.status()["pipeline_id"], 99);
    let stale = forge.requests().iter().any(|(_, body)| body.contains("Stale"));
    assert!(!stale, "GitLab does not say where the target branch is");
    let run = reviewed(&repo, &job, &["--head", &base]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    let of_base = format!("POST /projects/1/statuses/{base}");
    let requests = forge.requests();
    let other = requests.iter().find(|(line, _)| *line == of_base).expect("a status");
    assert!(!other.1.contains("pipeline_id"), "it is not a pipeline of that commit: {}", other.1);
}

#[test]
fn rules_on_gitlab_are_those_of_the_tip_of_the_target_branch() {
    let rules = ("gitdeploy.yaml", "protect: {max_deletes: 0}\n");
    let two = "services:\n  web: {image: x}\n  old: {image: x}\n";
    let repo = Repo::new();
    let from = repo.commit(&[("stacks/shop/compose.yaml", two)]);
    let tip = repo.commit(&[rules]);
    fetched(&repo, &tip);
    let git = git2::Repository::open(repo.path()).expect("a repository");
    let from = git.revparse_single(&from).expect("a commit").peel_to_commit().expect("a commit");
    git.branch("topic", &from, true).expect("a branch");
    git.set_head("refs/heads/topic").expect("a branch");
    std::fs::remove_file(repo.path().join("gitdeploy.yaml")).expect("a file");
    let head = repo.commit(&[("stacks/shop/compose.yaml", "services:\n  web: {image: x}\n")]);
    let mut job = gitlab_job("http://127.0.0.1:1/api/v4", &head);
    job.push(("CI_MERGE_REQUEST_DIFF_BASE_SHA".to_owned(), from.id().to_string()));
    let run = reviewed(&repo, &job, &["--no-post"]);
    assert_eq!(run.code, 12, "{}{}", run.stdout, run.stderr);
}

#[test]
fn a_target_branch_that_was_not_fetched_is_named_with_the_way_to_get_it() {
    let (repo, _, head) = pull_request();
    let run = reviewed(&repo, &gitlab_job("http://127.0.0.1:1/api/v4", &head), &[]);
    assert_eq!(run.code, 1);
    let next = "git fetch origin +refs/heads/main:refs/remotes/origin/main";
    assert!(run.stderr.contains(next), "{}", run.stderr);
}

#[test]
fn a_comment_that_is_there_is_edited_in_place() {
    let (repo, base, head) = pull_request();
    let old = "<!-- gitdeploy-review:acme/default -->\nold".to_owned();
    let forge = Forge::at(&head, Some(old));
    assert_eq!(reviewed(&repo, &job(&repo, &forge.url, &base, &head), &[]).code, 0);
    let lines: Vec<String> = forge.requests().into_iter().map(|(line, _)| line).collect();
    assert!(lines.contains(&"PATCH /repos/acme/shop/issues/comments/5".to_owned()), "{lines:?}");
}

#[test]
fn a_review_that_is_late_says_so() {
    let (repo, base, head) = pull_request();
    let newer = "f".repeat(40);
    let forge = Forge::at(&newer, None);
    assert_eq!(reviewed(&repo, &job(&repo, &forge.url, &base, &head), &[]).code, 0);
    let comment = forge.comment().expect("a comment");
    assert!(comment.contains("**Stale.** This is about"), "{comment}");
    assert!(comment.contains("the head is fffffff now"), "{comment}");
}

#[test]
fn a_review_that_is_late_leaves_a_newer_one_alone() {
    let (repo, base, head) = pull_request();
    let newer = "f".repeat(40);
    let there = format!("<!-- gitdeploy-review:acme/default -->\n<!-- head:{newer} -->\n");
    let forge = Forge::at(&newer, Some(there));
    let run = reviewed(&repo, &job(&repo, &forge.url, &base, &head), &[]);
    assert_eq!(forge.comment(), None);
    assert!(run.stderr.contains("a review of a newer commit"), "{}", run.stderr);
}

#[test]
fn a_forge_that_refuses_changes_no_exit_code() {
    let (repo, base, head) = pull_request();
    let forge =
        Forge::serving(|_| (403, json!({"message": format!("{TOKEN} may not")}).to_string()));
    let run = reviewed(&repo, &job(&repo, &forge.url, &base, &head), &["--detailed-exitcode"]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(
        run.stderr.contains("warning: could not comment on the pull request"),
        "{}",
        run.stderr
    );
    assert!(!run.stderr.contains(TOKEN), "{}", run.stderr);
}

#[test]
fn a_head_with_an_error_is_posted_and_annotated_in_its_place() {
    let (repo, base, _) = pull_request();
    let head =
        repo.commit(&[("stacks/shop/compose.yaml", "services: {web: {image: x, imag: x}}\n")]);
    let forge = Forge::at(&head, None);
    let run = reviewed(&repo, &job(&repo, &forge.url, &base, &head), &[]);
    assert_eq!(run.code, 1);
    assert_eq!(forge.status()["state"], "failure");
    assert!(forge.comment().expect("a comment").contains("stacks/shop/compose.yaml:1:28"));
    let line = run.stderr.lines().find(|line| line.starts_with("::error")).expect("an annotation");
    assert_eq!(
        line,
        "::error file=stacks/shop/compose.yaml,line=1,endLine=1,col=28,endColumn=32,\
         title=shape/unknown-key::`imag` is no key of service (`services.web`)%0Adid you mean `image`?"
    );
}

#[test]
fn a_head_cannot_print_what_is_passed_to_templates() {
    let settings = "pass_env: [DB_PASSWORD]\n";
    let repo = Repo::new();
    let base = repo.commit(&[("gitdeploy.yaml", settings), ("stacks/shop/compose.yaml", COMPOSE)]);
    let evil =
        "services:\n  web:\n    image: x/${DB_PASSWORD}\n    labels: {a: \"x|${DB_PASSWORD}\"}\n";
    let head = repo.commit(&[("stacks/shop/compose.yaml", evil)]);
    let forge = Forge::at(&head, None);
    let mut job = job(&repo, &forge.url, &base, &head);
    job.push(("DB_PASSWORD".to_owned(), "hunter2correct".to_owned()));
    for format in ["text", "json", "markdown"] {
        let run = reviewed(&repo, &job, &["--format", format, "--json-into", "../events.json"]);
        let all = [
            run.stdout,
            run.stderr,
            left(&repo, "summary.md"),
            left(&repo, "events.json"),
            forge.comment().expect("a comment"),
            left(&repo, "output"),
        ]
        .concat();
        assert!(!all.contains("hunter2"), "{format}: {all}");
    }
}

#[test]
fn a_head_cannot_widen_what_the_base_allows() {
    let repo = Repo::new();
    let base = repo.commit(&[
        ("gitdeploy.yaml", "protect: {max_deletes: 0}\n"),
        ("stacks/shop/compose.yaml", "services:\n  web: {image: x}\n  old: {image: x}\n"),
    ]);
    let head = repo.commit(&[
        ("gitdeploy.yaml", "protect: {max_deletes: 9}\npass_env: [HOME]\n"),
        ("stacks/shop/compose.yaml", "services:\n  web: {image: x, labels: {a: \"${HOME-}\"}}\n"),
    ]);
    let run = repo.run(&["review", "--base", &base, "--head", &head, "--against", "base"]);
    assert_eq!(run.code, 12, "{}", run.stderr);
    assert!(run.stdout.contains("it removes 1 containers"), "{}", run.stdout);
    assert!(run.stdout.contains("gitdeploy.yaml changes"), "{}", run.stdout);
    let home = repo.path().display().to_string();
    assert!(!run.stdout.contains(&home), "{}", run.stdout);
}

#[test]
fn reports_are_written_beside_what_is_printed() {
    let repo =
        Repo::with(&[("stacks/shop/compose.yaml", "services: {web: {image: x, imag: x}}\n")]);
    let run = repo.run(&[
        "validate",
        "--report",
        "sarif=../a.sarif",
        "--report",
        "junit=../j.xml",
        "--report",
        "codequality=../q.json",
        "--json-into",
        "../events.json",
    ]);
    assert_eq!(run.code, 1);
    let json = |name: &str| serde_json::from_str::<Value>(&left(&repo, name)).expect("JSON");
    let result = json("a.sarif")["runs"][0]["results"][0].clone();
    assert_eq!(result["ruleId"], "shape/unknown-key");
    assert_eq!(result["locations"][0]["physicalLocation"]["region"]["startColumn"], 28);
    assert_eq!(json("q.json")[0]["location"]["path"], "stacks/shop/compose.yaml");
    assert!(left(&repo, "j.xml").contains("<failure message=\"`imag` is no key"));
    let events = left(&repo, "events.json");
    let events: Vec<Value> =
        events.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(events[0]["type"], "version");
    assert!(events.iter().any(|event| event["type"] == "diagnostic"));
    assert!(!run.stdout.contains("\"@level\""), "{}", run.stdout);
}

#[test]
fn a_log_that_is_read_for_commands_gets_none_from_a_repository() {
    let files = [(
        "compose.yaml",
        "services:\n  web:\n    image: x\n    command: |\n      ::add-mask::x ##[group]y\n",
    )];
    let repo = Repo::with(&files);
    let run = repo.run_with(&["render"], &[("GITHUB_ACTIONS", "true")]);
    let shown = run.stdout.replace('\u{200b}', "");
    assert!(shown.contains("::add-mask::x"), "{shown}");
    let is_command = |line: &str| line.trim_start().starts_with("::") || line.contains("##[");
    assert!(!run.stdout.lines().any(is_command), "{}", run.stdout);
    assert_eq!(repo.run(&["render"]).stdout, shown, "elsewhere it is as it is");
}

#[test]
fn a_marker_is_found_again_whatever_is_hidden() {
    let repo = Repo::new();
    let settings = "project: acme\npass_env: [DB_PASSWORD]\n";
    let base = repo.commit(&[("gitdeploy.yaml", settings), ("stacks/shop/compose.yaml", COMPOSE)]);
    let forge = Forge::at(&base, None);
    let mut job = job(&repo, &forge.url, &base, &base);
    job.push(("DB_PASSWORD".to_owned(), "acme".to_owned()));
    assert_eq!(reviewed(&repo, &job, &[]).code, 0);
    let comment = forge.comment().expect("a comment");
    assert!(comment.starts_with("<!-- gitdeploy-review:acme/default -->\n"), "{comment}");
    assert!(comment.contains("`***/default`"), "{comment}");
}

/// A change that is in no branch of the repository, since it comes from a fork.
#[test]
fn the_head_of_a_pull_request_from_a_fork_is_fetched_by_its_number() {
    for reference in ["refs/pull/7/head", "refs/merge-requests/7/head"] {
        let (repo, base, head) = pull_request();
        let git = |arguments: &[&str]| {
            let ended = Command::new("git").current_dir(repo.path()).args(arguments).output();
            assert!(ended.expect("git runs").status.success(), "{arguments:?}");
        };
        git(&["update-ref", reference, &head]);
        git(&["reset", "-q", "--hard", &base]);
        let url = format!("file://{}", repo.path().display());
        let review = |more: &[&str]| {
            let arguments = ["review", "--repo", &url, "--base", &base, "--against", "base"];
            repo.run(&[&arguments, more].concat())
        };
        let run = review(&["--number", "7"]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        assert!(run.stdout.contains("1.28"), "{reference}: {}", run.stdout);
        // A job names the head by its id.
        let run = review(&["--number", "7", "--head", &head]);
        assert!(run.stdout.contains("1.28"), "{reference}: {}", run.stdout);
        let run = review(&["--number", "8"]);
        assert_eq!((run.code, run.stdout.as_str()), (1, ""), "nothing else is reviewed for it");
        assert!(run.stderr.contains("has no refs/pull/8/head"), "{}", run.stderr);
    }
}
