use std::fs;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::*;
use crate::sim::{Fault, World};

/// A repository in which anna signs, and a place that wants her signature.
struct Case {
    folder: TempDir,
    place: Place,
}

impl Case {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path().to_owned();
        let run = World::default().run(Fault::None);
        let reading = Reading {
            access: Access::default(),
            mirrors: None,
            folder: at.clone(),
            variables: BTreeMap::new(),
            connect: Arc::new(move |_, _| Ok(run.ports())),
            aside: Aside::Threads,
        };
        let signed_by = Some(Signers::Ssh(at.join("allowed")));
        let rules = Source { signed_by, ..Source::of("./repository".to_owned()) };
        let case = Self { folder, place: Place::new(rules, Arc::new(reading)) };
        fs::create_dir(at.join("repository")).expect("a folder");
        case.done("ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", "../key"]);
        #[expect(clippy::disallowed_methods, reason = "a test reads what it has made")]
        let key = fs::read_to_string(at.join("key.pub")).expect("a key");
        fs::write(at.join("allowed"), format!("anna@example.com {key}")).expect("a file");
        let key = at.join("key.pub").display().to_string();
        case.done("git", &["init", "-q", "--initial-branch=main", "."]);
        for (name, value) in [
            ("user.name", "anna"),
            ("user.email", "anna@example.com"),
            ("gpg.format", "ssh"),
            ("user.signingkey", key.as_str()),
        ] {
            case.done("git", &["config", name, value]);
        }
        case
    }

    /// Runs a program in the repository, which must end well.
    fn done(&self, program: &str, arguments: &[&str]) {
        #[expect(clippy::disallowed_methods, reason = "a test makes commits that are signed")]
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path().join("repository"));
        let ended = command.stdin(Stdio::null()).output().expect("it starts");
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success(), "{program} {arguments:?}: {said}");
    }

    /// Commits settings that name this branch, where one is given, and one stack.
    fn commit(&self, branch: Option<&str>, image: &str, is_signed: bool) {
        let at = self.folder.path().join("repository");
        let branch = branch.map(|name| format!("branch: {name}")).unwrap_or_default();
        let settings = format!("project: acme\nenvironments: {{production: {{{branch}}}}}\n");
        fs::create_dir_all(at.join("stacks/web")).expect("a folder");
        fs::write(at.join("gitdeploy.yaml"), settings).expect("a file");
        let stack = format!("services: {{web: {{image: '{image}'}}}}\n");
        fs::write(at.join("stacks/web/compose.yaml"), stack).expect("a file");
        self.done("git", &["add", "-A"]);
        let sign = if is_signed { "-S" } else { "--no-gpg-sign" };
        self.done("git", &["commit", "-q", sign, "-m", image]);
    }

    /// What is wanted now: the summary of the commit, or why nothing is.
    fn newest(&self) -> Result<String, String> {
        match self.place.newest(&AtomicBool::new(false)).0 {
            Ok((news, _)) => Ok(format!("{} of {}", news.summary, news.branch)),
            Err(unread) => {
                assert!(unread.is_unsigned, "{}", unread.message);
                Err(unread.message)
            }
        }
    }
}

#[test]
fn a_branch_that_nobody_has_signed_for_is_not_taken() {
    let case = Case::new();
    case.commit(Some("release"), "app:1", true);
    case.done("git", &["branch", "release"]);
    case.done("git", &["branch", "old"]);
    assert_eq!(case.newest(), Ok("app:1 of release".to_owned()));
    case.commit(Some("old"), "app:2", false);
    let why = case.newest().expect_err("nobody has signed what names the branch");
    assert!(why.ends_with("is not deployed: it is not signed"), "{why}");
}

#[test]
fn a_branch_that_was_moved_back_is_not_followed_to_an_older_commit() {
    let case = Case::new();
    case.commit(None, "app:1", true);
    case.commit(None, "app:2", true);
    assert_eq!(case.newest(), Ok("app:2 of HEAD".to_owned()));
    case.done("git", &["reset", "-q", "--hard", "HEAD~1"]);
    let why = case.newest().expect_err("it is older");
    assert!(why.contains("is not deployed: it is older than"), "{why}");
    case.commit(None, "app:3", true);
    assert_eq!(case.newest(), Ok("app:3 of HEAD".to_owned()), "somebody signed that");
}
