//! A folder of its own with a repository in it, and the program run in nothing but that.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A temporary folder with a Git repository.
pub(crate) struct Repo {
    folder: TempDir,
}

/// What a run came to.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Repo {
    /// An empty repository in a folder called `acme`.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let repo = Self { folder };
        git2::Repository::init(repo.path()).expect("a repository");
        repo
    }

    /// A repository with these files in one commit.
    pub(crate) fn with(files: &[(&str, &str)]) -> Self {
        let repo = Self::new();
        repo.commit(files);
        repo
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("acme")
    }

    pub(crate) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, text).expect("a file");
    }

    /// Writes files and commits all that is there; gives the hash.
    pub(crate) fn commit(&self, files: &[(&str, &str)]) -> String {
        for (path, text) in files {
            self.write(path, text);
        }
        self.commit_as("A change")
    }

    /// Commits all that is there; gives the hash.
    pub(crate) fn commit_as(&self, message: &str) -> String {
        let repository = git2::Repository::open(self.path()).expect("a repository");
        let mut index = repository.index().expect("an index");
        index.add_all(["*"], git2::IndexAddOption::DEFAULT, None).expect("files");
        index.update_all(["*"], None).expect("files");
        index.write().expect("an index");
        let tree = repository.find_tree(index.write_tree().expect("a tree")).expect("a tree");
        let time = git2::Time::new(1_700_000_000, 0);
        let who = git2::Signature::new("test", "test@example.com", &time).expect("a signature");
        let parent = repository.head().ok().and_then(|head| head.peel_to_commit().ok());
        let parents: Vec<&git2::Commit<'_>> = parent.iter().collect();
        let id = repository.commit(Some("HEAD"), &who, &who, message, &tree, &parents);
        id.expect("a commit").to_string()
    }

    /// Runs the program in the repository with no environment but `HOME`.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        run_in(&self.path(), arguments, &[], "")
    }

    pub(crate) fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Run {
        run_in(&self.path(), arguments, variables, "")
    }
}

pub(crate) fn run_in(
    folder: &Path,
    arguments: &[&str],
    variables: &[(&str, &str)],
    input: &str,
) -> Run {
    let mut child = Command::new(env!("CARGO_BIN_EXE_gitdeploy"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .env("HOME", folder)
        .envs(variables.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    // A program that ends without reading its input closes the pipe, which is its right.
    drop(child.stdin.take().expect("a pipe").write_all(input.as_bytes()));
    let output = child.wait_with_output().expect("the program ends");
    Run {
        code: output.status.code().expect("an exit code"),
        stdout: String::from_utf8(output.stdout).expect("text"),
        stderr: String::from_utf8(output.stderr).expect("text"),
    }
}

/// The smallest stack there is.
pub(crate) const COMPOSE: &str = "services:\n  web:\n    image: nginx:1.27\n";
