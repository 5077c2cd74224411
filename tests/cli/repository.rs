//! Where commits come from: folders, revisions, URLs.

use crate::environment::{COMPOSE, Repo, run_in};

#[test]
fn a_folder_below_and_a_bare_repository_will_do() {
    let repo = Repo::with(&[("stacks/a/compose.yaml", COMPOSE)]);
    assert_eq!(run_in(&repo.path().join("stacks"), &["validate"], &[], "").code, 0);
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let bare = elsewhere.path().join("bare.git");
    git2::build::RepoBuilder::new()
        .bare(true)
        .clone(repo.path().to_str().expect("text"), &bare)
        .expect("a clone");
    let bare = bare.to_str().expect("text");
    assert_eq!(run_in(elsewhere.path(), &["validate", "-C", bare], &[], "").code, 0);
    let run = run_in(elsewhere.path(), &["validate", "-C", bare, "--worktree"], &[], "");
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("bare"), "{}", run.stderr);
}

#[test]
fn no_repository_is_said_with_the_next_command() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let run = run_in(folder.path(), &["validate"], &[], "");
    assert_eq!((run.code, run.stdout.as_str()), (1, ""));
    assert!(run.stderr.contains("hint: "), "{}", run.stderr);
}

#[test]
fn a_url_is_mirrored_in_the_cache_folder() {
    let repo = Repo::with(&[("compose.yaml", COMPOSE)]);
    let elsewhere = tempfile::tempdir().expect("a temporary folder");
    let url = format!("file://{}", repo.path().display());
    let cache = elsewhere.path().join("cache");
    let cache = [("XDG_CACHE_HOME", cache.to_str().expect("text"))];
    let run = |arguments: &[&str]| {
        run_in(elsewhere.path(), &[arguments, &["--repo", &url]].concat(), &cache, "")
    };
    let first = run(&["render", "--format", "json"]);
    assert_eq!(first.code, 0, "{}", first.stderr);
    assert!(first.stdout.contains("nginx:1.27"));
    repo.commit(&[("compose.yaml", "services: {web: {image: 'nginx:2'}}\n")]);
    assert!(run(&["render"]).stdout.contains("nginx:2"));
    assert!(run(&["render", "--rev", "HEAD~1"]).stdout.contains("nginx:1.27"));
    assert_eq!(run(&["validate", "--worktree"]).code, 1);
}

#[test]
fn a_symbolic_link_is_refused_by_name() {
    let repo = Repo::with(&[("stacks/a/real.yaml", COMPOSE)]);
    std::os::unix::fs::symlink("real.yaml", repo.path().join("stacks/a/compose.yaml"))
        .expect("a link");
    repo.commit(&[]);
    let run = repo.run(&["validate"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("stacks/a/compose.yaml"), "{}", run.stderr);
    assert!(run.stderr.contains("symbolic link"), "{}", run.stderr);
}

#[test]
fn an_unknown_revision_suggests_a_known_one() {
    let repo = Repo::with(&[("compose.yaml", COMPOSE)]);
    let repository = git2::Repository::open(repo.path()).expect("a repository");
    let head = repository.head().expect("HEAD").peel_to_commit().expect("a commit");
    repository.branch("release", &head, false).expect("a branch");
    assert_eq!(repo.run(&["validate", "--rev", "release"]).code, 0);
    let run = repo.run(&["validate", "--rev", "relase"]);
    assert_eq!(run.code, 1);
    assert!(run.stderr.contains("release"), "{}", run.stderr);
}
