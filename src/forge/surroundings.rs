//! Which pull request a job of a CI is about, from the variables the CI sets. Nothing is asked.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{ForgeKind, ForgeToken};

/// What a CI says of the job it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Surroundings {
    /// Whose CI it is.
    pub kind: ForgeKind,
    /// The address of its API.
    pub api: Option<String>,
    /// The repository there.
    pub repository: Option<String>,
    /// The number of the pull request, when the job is about one.
    pub number: Option<u64>,
    /// What the pull request would be merged into.
    pub base: Option<String>,
    /// What would be merged.
    pub head: Option<String>,
    /// Where people see the job.
    pub url: Option<String>,
    /// The pipeline that runs for the head, on GitLab.
    pub pipeline: Option<u64>,
    /// The login, when there is one.
    pub token: Option<ForgeToken>,
}

/// Ours comes first, so that a job can be given another login than the usual one.
const TOKEN: &str = "GITDEPLOY_FORGE_TOKEN";

impl Surroundings {
    /// The file with the event that started a job of GitHub's kind.
    pub fn event_file(variables: &BTreeMap<String, String>) -> Option<&str> {
        variables.get("GITHUB_EVENT_PATH").map(String::as_str).filter(|path| !path.is_empty())
    }

    /// What the variables and that file say; `None` outside of any CI that is known.
    pub fn of(variables: &BTreeMap<String, String>, event: Option<&str>) -> Option<Self> {
        let get = |name: &str| variables.get(name).filter(|value| !value.is_empty()).cloned();
        let is_on = |name: &str| get(name).is_some_and(|value| value == "true");
        if is_on("GITLAB_CI") {
            return Some(gitlab(&get));
        }
        let kind = match () {
            () if is_on("FORGEJO_ACTIONS") => ForgeKind::Forgejo,
            () if is_on("GITEA_ACTIONS") => ForgeKind::Gitea,
            () if is_on("GITHUB_ACTIONS") => ForgeKind::Github,
            () => return None,
        };
        Some(actions(kind, &get, event))
    }
}

fn actions(
    kind: ForgeKind,
    get: &dyn Fn(&str) -> Option<String>,
    event: Option<&str>,
) -> Surroundings {
    let event: Value = event.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let text = |at: &str| event.pointer(at).and_then(Value::as_str).map(str::to_owned);
    let number = event.pointer("/pull_request/number").or_else(|| event.get("number"));
    let api = get("GITHUB_API_URL").or_else(|| match kind {
        ForgeKind::Github => Some("https://api.github.com".to_owned()),
        ForgeKind::Gitea | ForgeKind::Forgejo | ForgeKind::Gitlab => {
            Some(format!("{}/api/v1", get("GITHUB_SERVER_URL")?))
        }
    });
    let repository = get("GITHUB_REPOSITORY");
    let url = || {
        let (server, repository, run) =
            (get("GITHUB_SERVER_URL")?, repository.clone()?, get("GITHUB_RUN_ID")?);
        Some(format!("{server}/{repository}/actions/runs/{run}"))
    };
    let names = [TOKEN, "GITHUB_TOKEN", "GH_TOKEN", "GITEA_TOKEN", "FORGEJO_TOKEN"];
    Surroundings {
        kind,
        api,
        url: url(),
        number: number.and_then(Value::as_u64),
        base: text("/pull_request/base/sha"),
        head: text("/pull_request/head/sha"),
        pipeline: None,
        token: names.iter().find_map(|name| ForgeToken::new(&get(name)?).ok()),
        repository,
    }
}

fn gitlab(get: &dyn Fn(&str) -> Option<String>) -> Surroundings {
    // A job's own token cannot write comments, so it is not even tried.
    let names = [TOKEN, "GITLAB_TOKEN"];
    let number = |name: &str| get(name)?.parse::<u64>().ok();
    // In a pipeline of merged results, the job's own commit is one that nobody pushed, and the
    // pipeline is not that of the head.
    let source = get("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA");
    // Not what the diff begins at: whoever begins at an old commit would choose old rules.
    let target = || {
        let branch = get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME")?;
        Some(format!("refs/remotes/origin/{branch}"))
    };
    Surroundings {
        kind: ForgeKind::Gitlab,
        api: get("CI_API_V4_URL"),
        repository: get("CI_MERGE_REQUEST_PROJECT_ID").or_else(|| get("CI_PROJECT_ID")),
        number: number("CI_MERGE_REQUEST_IID"),
        base: get("CI_MERGE_REQUEST_TARGET_BRANCH_SHA").or_else(target),
        pipeline: number("CI_PIPELINE_ID").filter(|_| source.is_none()),
        head: source.or_else(|| get("CI_COMMIT_SHA")),
        url: get("CI_JOB_URL"),
        token: names.iter().find_map(|name| ForgeToken::new(&get(name)?).ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)], event: Option<&str>) -> Option<Surroundings> {
        let variables = variables.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
        Surroundings::of(&variables.collect(), event)
    }

    #[test]
    fn a_job_of_github_names_its_pull_request_in_a_file() {
        let event =
            r#"{"pull_request": {"number": 7, "head": {"sha": "bb"}, "base": {"sha": "aa"}}}"#;
        let variables = [
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REPOSITORY", "acme/shop"),
            ("GITHUB_SERVER_URL", "https://github.com"),
            ("GITHUB_RUN_ID", "12"),
            ("GITHUB_TOKEN", "t"),
        ];
        let found = of(&variables, Some(event)).expect("a job");
        assert_eq!((found.kind, found.number), (ForgeKind::Github, Some(7)));
        assert_eq!(found.api.as_deref(), Some("https://api.github.com"));
        assert_eq!((found.base.as_deref(), found.head.as_deref()), (Some("aa"), Some("bb")));
        assert_eq!(found.url.as_deref(), Some("https://github.com/acme/shop/actions/runs/12"));
        assert_eq!(found.token, ForgeToken::new("t").ok());
    }

    #[test]
    fn jobs_of_gitea_and_forgejo_look_like_those_of_github() {
        let variables = [
            ("GITHUB_ACTIONS", "true"),
            ("GITEA_ACTIONS", "true"),
            ("GITHUB_SERVER_URL", "https://git.example.com"),
        ];
        let found = of(&variables, None).expect("a job");
        assert_eq!(found.kind, ForgeKind::Gitea);
        assert_eq!(found.api.as_deref(), Some("https://git.example.com/api/v1"));
        let variables = [("FORGEJO_ACTIONS", "true"), ("GITEA_ACTIONS", "true")];
        assert_eq!(of(&variables, None).expect("a job").kind, ForgeKind::Forgejo);
    }

    #[test]
    fn a_job_of_gitlab_names_its_merge_request_in_variables() {
        let variables = [
            ("GITLAB_CI", "true"),
            ("CI_API_V4_URL", "https://gitlab.com/api/v4"),
            ("CI_PROJECT_ID", "42"),
            ("CI_MERGE_REQUEST_IID", "3"),
            ("CI_MERGE_REQUEST_DIFF_BASE_SHA", "old"),
            ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "release/1"),
            ("CI_COMMIT_SHA", "bb"),
            ("CI_PIPELINE_ID", "99"),
            ("CI_JOB_TOKEN", "cannot write"),
        ];
        let found = of(&variables, None).expect("a job");
        assert_eq!(found.pipeline, Some(99));
        assert_eq!((found.repository.as_deref(), found.number), (Some("42"), Some(3)));
        let base = Some("refs/remotes/origin/release/1");
        assert_eq!((found.base.as_deref(), found.head.as_deref()), (base, Some("bb")));
        assert_eq!(found.token, None);
    }

    #[test]
    fn a_pipeline_of_merged_results_names_the_tip_of_its_target() {
        let variables = [
            ("GITLAB_CI", "true"),
            ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"),
            ("CI_MERGE_REQUEST_TARGET_BRANCH_SHA", "aa"),
            ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "bb"),
            ("CI_COMMIT_SHA", "made for the job"),
            ("CI_PIPELINE_ID", "99"),
        ];
        let found = of(&variables, None).expect("a job");
        assert_eq!((found.base.as_deref(), found.head.as_deref()), (Some("aa"), Some("bb")));
        assert_eq!(found.pipeline, None);
    }

    #[test]
    fn a_broken_event_says_nothing() {
        let found = of(&[("GITHUB_ACTIONS", "true")], Some("{")).expect("a job");
        assert_eq!((found.number, found.base), (None, None));
    }

    #[test]
    fn elsewhere_there_is_no_job() {
        assert_eq!(of(&[("CI", "true")], None), None);
    }
}
