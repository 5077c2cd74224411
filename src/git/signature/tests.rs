use std::path::Path;

use git2::Oid;
use tempfile::TempDir;

use super::*;

/// A text that a program has written.
#[expect(clippy::disallowed_methods, reason = "a test reads what it has made")]
fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).expect("a text")
}

/// Runs a program, which must end well.
fn done(folder: &Path, program: &str, arguments: &[&str]) {
    #[expect(clippy::disallowed_methods, reason = "a test makes keys")]
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env("GNUPGHOME", folder.join("gnupg"));
    let ended = command.stdin(Stdio::null()).output().expect("it starts");
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{program} {arguments:?}: {said}");
}

struct Case {
    folder: TempDir,
    repository: Repository,
}

impl Case {
    /// A repository, and two SSH keys of which one may sign.
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = folder.path();
        for name in ["anna", "mallory"] {
            let file = at.join(name);
            let file = file.to_str().expect("text");
            done(at, "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", file]);
        }
        let key = read(at.join("anna.pub"));
        fs::write(at.join("allowed"), format!("anna@example.com {key}")).expect("a file");
        Repository::init(&at.join("repository")).expect("a repository");
        let repository = Repository::open(&at.join("repository")).expect("a repository");
        Self { folder, repository }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The text of a commit that nobody has signed yet.
    fn text(&self) -> String {
        let git = git2::Repository::open(self.path("repository")).expect("a repository");
        let tree = git.treebuilder(None).and_then(|tree| tree.write()).expect("a tree");
        let who = git2::Signature::new("anna", "anna@example.com", &git2::Time::new(1, 0));
        let who = who.expect("a signature");
        let tree = git.find_tree(tree).expect("a tree");
        let text = git.commit_create_buffer(&who, &who, "signed", &tree, &[]).expect("a commit");
        text.as_str().expect("text").to_owned()
    }

    fn commit(&self, text: &str, signature: Option<&str>) -> Commit {
        let git = git2::Repository::open(self.path("repository")).expect("a repository");
        let id: Oid = match signature {
            Some(signature) => git.commit_signed(text, signature, None).expect("a commit"),
            None => {
                let odb = git.odb().expect("objects");
                odb.write(git2::ObjectType::Commit, text.as_bytes()).expect("a commit")
            }
        };
        self.repository.resolve(&id.to_string()).expect("the commit")
    }

    /// What `who` signs with SSH.
    fn signed(&self, who: &str, namespace: &str, text: &str) -> String {
        let (file, key) = (self.path("text"), self.path(who));
        fs::write(&file, text).expect("a file");
        drop(fs::remove_file(self.path("text.sig")));
        let (file, key) = (file.to_str().expect("text"), key.to_str().expect("text"));
        done(self.folder.path(), "ssh-keygen", &["-Y", "sign", "-n", namespace, "-f", key, file]);
        read(self.path("text.sig"))
    }

    fn allowed(&self) -> Keys {
        Keys::Ssh(self.path("allowed"))
    }
}

#[test]
fn a_commit_of_one_who_may_counts() {
    let case = Case::new();
    let text = case.text();
    let commit = case.commit(&text, Some(&case.signed("anna", "git", &text)));
    assert_eq!(case.repository.verify(&commit, &case.allowed()), Ok(()));
}

#[test]
fn a_commit_without_a_signature_does_not() {
    let case = Case::new();
    let commit = case.commit(&case.text(), None);
    assert_eq!(case.repository.verify(&commit, &case.allowed()), Err(Unsigned::Nobody));
}

#[test]
fn a_commit_of_somebody_else_does_not() {
    let case = Case::new();
    let text = case.text();
    let commit = case.commit(&text, Some(&case.signed("mallory", "git", &text)));
    let refused = case.repository.verify(&commit, &case.allowed());
    let why = "its key is not among those that are allowed".to_owned();
    assert_eq!(refused, Err(Unsigned::Refused(why)));
}

#[test]
fn a_signature_of_another_text_does_not() {
    let case = Case::new();
    let text = case.text();
    let commit = case.commit(&text, Some(&case.signed("anna", "git", "something else")));
    let refused = case.repository.verify(&commit, &case.allowed());
    assert!(matches!(refused, Err(Unsigned::Refused(_))), "{refused:?}");
}

#[test]
fn a_signature_for_another_purpose_does_not() {
    let case = Case::new();
    let text = case.text();
    let commit = case.commit(&text, Some(&case.signed("anna", "file", &text)));
    let refused = case.repository.verify(&commit, &case.allowed());
    assert!(matches!(refused, Err(Unsigned::Refused(_))), "{refused:?}");
}

#[test]
fn a_file_of_signers_that_is_not_there_lets_nobody_in() {
    let case = Case::new();
    let text = case.text();
    let commit = case.commit(&text, Some(&case.signed("anna", "git", &text)));
    assert!(case.repository.verify(&commit, &Keys::Ssh(case.path("none"))).is_err());
}

#[test]
fn a_signature_of_another_kind_is_named() {
    let case = Case::new();
    let text = case.text();
    let commit = case.commit(&text, Some(&case.signed("anna", "git", &text)));
    let refused = case.repository.verify(&commit, &Keys::Gpg(case.path("keyring")));
    assert_eq!(refused, Err(Unsigned::Kind("SSH", "GPG")));
}

/// A GPG key, its keyring, and what it signs.
fn by_gpg(case: &Case, text: &str) -> String {
    let at = case.folder.path();
    fs::create_dir(at.join("gnupg")).expect("a folder");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    fs::set_permissions(at.join("gnupg"), mode).expect("a folder");
    let quick = ["--batch", "--passphrase", "", "--quick-gen-key", "anna", "ed25519", "sign"];
    done(at, "gpg", &quick);
    done(at, "gpg", &["--batch", "--output", "keyring", "--export", "anna"]);
    fs::write(at.join("text"), text).expect("a file");
    let sign = ["--batch", "--armor", "--detach-sign", "--output", "text.asc", "text"];
    done(at, "gpg", &sign);
    done(at, "gpgconf", &["--kill", "gpg-agent"]);
    read(at.join("text.asc"))
}

#[test]
fn a_keyring_lets_in_its_own_and_nothing_that_was_changed() {
    let case = Case::new();
    let text = case.text();
    let signature = by_gpg(&case, &text);
    let keys = Keys::Gpg(case.path("keyring"));
    let commit = case.commit(&text, Some(&signature));
    assert_eq!(case.repository.verify(&commit, &keys), Ok(()));
    let changed = text.replace("signed", "changed");
    let commit = case.commit(&changed, Some(&signature));
    let refused = case.repository.verify(&commit, &keys);
    assert!(matches!(refused, Err(Unsigned::Refused(_))), "{refused:?}");
}
