//! What a remote repository is logged in to with, and what vouches for its host.
//!
//! libgit2 asks for credentials again and again until one is accepted or we give up, without
//! saying that the last one failed. [`Login`] hands each out once, in order, and remembers them
//! for the error message.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use git2::{Cred, CredentialType, ErrorClass, ErrorCode};

use super::{FetchError, RemoteUrl, Timeouts};
use crate::ssh::{KeyFile, KnownHosts, known_hosts};

/// A secret that no output ever shows.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes a token; `None` when it is empty or could break out of a header line.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let is_proper = !text.is_empty() && !text.chars().any(char::is_control);
        is_proper.then(|| Self(text.to_owned()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(***)")
    }
}

/// How remote repositories are reached.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The home directory, for `~/.ssh`.
    pub home: Option<PathBuf>,
    /// Whether an SSH agent is there to be asked: whether `SSH_AUTH_SOCK` is set. Its value is
    /// read by libssh2 itself.
    pub has_ssh_agent: bool,
    /// The key file to use instead of those in `~/.ssh`.
    pub identity: Option<PathBuf>,
    /// The `known_hosts` file to use instead of `~/.ssh/known_hosts` and the system's.
    pub known_hosts: Option<PathBuf>,
    /// The user to log in as over SSH when the address names none; `git` when this does not.
    pub user: Option<String>,
    /// Whether the credential helpers of Git's own configuration, which are programs, are asked.
    pub asks_credential_helper: bool,
    /// The password for `https` addresses.
    pub token: Option<Token>,
    /// How long a silent host is waited for.
    pub timeouts: Timeouts,
}

impl Access {
    /// The file that holds, or would hold, the keys of known hosts.
    pub(super) fn known_hosts_file(&self) -> PathBuf {
        match (&self.known_hosts, &self.home) {
            (Some(file), _) => file.clone(),
            (None, Some(home)) => home.join(".ssh/known_hosts"),
            (None, None) => PathBuf::from("/etc/ssh/ssh_known_hosts"),
        }
    }

    /// The texts of the `known_hosts` files that are there.
    pub(super) fn read_known_hosts(&self) -> Result<Vec<KnownHosts>, FetchError> {
        let mut files = vec![self.known_hosts_file()];
        if self.known_hosts.is_none() && self.home.is_some() {
            files.push(PathBuf::from("/etc/ssh/ssh_known_hosts"));
        }
        let mut known = Vec::new();
        for file in files {
            match fs::read(&file) {
                Ok(bytes) => {
                    let text = String::from_utf8_lossy(&bytes).into_owned();
                    known.push(KnownHosts { file, text });
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(source) => return Err(FetchError::KnownHosts { file, source }),
            }
        }
        Ok(known)
    }

    /// Names the file and line that libssh2 could not read.
    ///
    /// It reads the one in `~/.ssh` whichever is ours, to choose the kind of key it asks for.
    pub(super) fn strange_known_hosts(&self, source: io::Error) -> FetchError {
        let home = self.home.clone().unwrap_or_else(|| PathBuf::from("~"));
        let file = home.join(".ssh/known_hosts");
        let text = fs::read(&file).unwrap_or_default();
        let source = match known_hosts::strange_line(&String::from_utf8_lossy(&text)) {
            Some(line) => io::Error::other(format!("line {line} is not the key of a host")),
            None => source,
        };
        FetchError::KnownHosts { file, source }
    }

    fn key_files(&self) -> Vec<PathBuf> {
        match (&self.identity, &self.home) {
            (Some(file), _) => vec![file.clone()],
            (None, Some(home)) => ["id_ed25519", "id_ecdsa", "id_rsa"]
                .iter()
                .map(|name| home.join(".ssh").join(name))
                .collect(),
            (None, None) => Vec::new(),
        }
    }

    fn ways(&self, url: &RemoteUrl, asked_for: &RemoteUrl) -> VecDeque<Way> {
        let mut ways = VecDeque::new();
        if url.is_ssh() {
            let keys = self.key_files().into_iter().map(Way::Key);
            let agent = self.has_ssh_agent.then_some(Way::Agent);
            // A key that was named comes first: hosts close the door after a few wrong ones.
            if self.identity.is_some() {
                ways.extend(keys.chain(agent));
            } else {
                ways.extend(agent.into_iter().chain(keys));
            }
        } else if url.is_http() {
            // The token is for the host that was asked for, wherever `insteadOf` leads.
            let is_same_server = url.is_same_server(asked_for.text());
            if let Some(token) = self.token.clone().filter(|_| is_same_server) {
                ways.push_back(Way::Token(token));
            }
            if self.asks_credential_helper {
                ways.push_back(Way::Helper);
            }
        }
        ways
    }
}

/// One way to log in.
enum Way {
    Agent,
    Key(PathBuf),
    Token(Token),
    Helper,
}

/// Hands out each way to log in once.
pub(super) struct Login {
    url: RemoteUrl,
    user: String,
    ways: RefCell<VecDeque<Way>>,
    tried: RefCell<Vec<String>>,
    is_given_up: RefCell<bool>,
}

impl Login {
    /// The ways to log in to `url`, where `asked_for` was before Git's `insteadOf` settings.
    pub(super) fn new(access: &Access, url: &RemoteUrl, asked_for: &RemoteUrl) -> Self {
        let default = if url.is_ssh() {
            access.user.clone().unwrap_or_else(|| "git".to_owned())
        } else {
            // Hosts look at the token alone, but want some name.
            "x-access-token".to_owned()
        };
        Self {
            url: url.clone(),
            user: url.user().map_or(default, str::to_owned),
            ways: RefCell::new(access.ways(url, asked_for)),
            tried: RefCell::default(),
            is_given_up: RefCell::default(),
        }
    }

    /// What was tried so far, in words.
    pub(super) fn tried(&self) -> Vec<String> {
        self.tried.borrow().clone()
    }

    /// Whether everything was tried in vain.
    pub(super) fn is_given_up(&self) -> bool {
        *self.is_given_up.borrow()
    }

    /// Answers libgit2's question for credentials.
    pub(super) fn next(
        &self,
        config: Option<&git2::Config>,
        url: &str,
        user: Option<&str>,
        allowed: CredentialType,
    ) -> Result<Cred, git2::Error> {
        if allowed.contains(CredentialType::USERNAME) {
            return Cred::username(&self.user);
        }
        // After a redirect to another port or host the secrets stay here.
        if self.url.is_http() && !self.url.is_same_server(url) {
            self.note("nothing, since the host redirects elsewhere".to_owned());
            self.ways.borrow_mut().clear();
        }
        let user = user.unwrap_or(&self.user);
        loop {
            let Some(way) = self.ways.borrow_mut().pop_front() else { break };
            if let Some(credential) = self.offer(way, config, url, user, allowed) {
                return Ok(credential);
            }
        }
        *self.is_given_up.borrow_mut() = true;
        Err(git2::Error::new(ErrorCode::Auth, ErrorClass::Callback, "nothing left to log in with"))
    }

    fn offer(
        &self,
        way: Way,
        config: Option<&git2::Config>,
        url: &str,
        user: &str,
        allowed: CredentialType,
    ) -> Option<Cred> {
        match way {
            Way::Agent if allowed.contains(CredentialType::SSH_KEY) => {
                self.note(format!("the SSH agent as `{user}`"));
                Cred::ssh_key_from_agent(user).ok()
            }
            Way::Key(file) if allowed.contains(CredentialType::SSH_MEMORY) => {
                self.offer_key(&file, user)
            }
            Way::Token(token) if allowed.contains(CredentialType::USER_PASS_PLAINTEXT) => {
                self.note("the token".to_owned());
                Cred::userpass_plaintext(user, &token.0).ok()
            }
            Way::Helper if allowed.contains(CredentialType::USER_PASS_PLAINTEXT) => {
                let credential = Cred::credential_helper(config?, url, None).ok()?;
                self.note("Git's credential helper".to_owned());
                Some(credential)
            }
            Way::Agent | Way::Key(_) | Way::Token(_) | Way::Helper => {
                let way =
                    if matches!(way, Way::Agent | Way::Key(_)) { "SSH keys" } else { "a password" };
                let note = format!("{way} (not accepted by the host)");
                if !self.tried.borrow().contains(&note) {
                    self.note(note);
                }
                None
            }
        }
    }

    /// libssh2 ends the whole attempt over a key it cannot read, so such keys are passed over.
    fn offer_key(&self, file: &Path, user: &str) -> Option<Cred> {
        let shown = file.display();
        let text = match fs::read(file).map(String::from_utf8) {
            Ok(Ok(text)) => text,
            Ok(Err(_)) => {
                self.note(format!("`{shown}` (not a key)"));
                return None;
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.note(format!("`{shown}` (no such file)"));
                return None;
            }
            Err(error) => {
                self.note(format!("`{shown}` ({error})"));
                return None;
            }
        };
        match KeyFile::of(&text) {
            KeyFile::Plain => {
                self.note(format!("`{shown}` as `{user}`"));
                Cred::ssh_key_from_memory(user, None, &text, None).ok()
            }
            KeyFile::Locked => {
                self.note(format!("`{shown}` (has a passphrase: `ssh-add` it)"));
                None
            }
            KeyFile::Foreign => {
                self.note(format!("`{shown}` (not a private key)"));
                None
            }
        }
    }

    fn note(&self, what: String) {
        self.tried.borrow_mut().push(what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ssh;

    #[test]
    fn each_way_is_offered_once() {
        let home = tempfile::tempdir().expect("a folder");
        let ssh = home.path().join(".ssh");
        fs::create_dir(&ssh).expect("a folder");
        fs::write(ssh.join("id_ed25519"), ssh::openssh("none")).expect("a key");
        fs::write(ssh.join("id_rsa"), ssh::openssh("aes256-ctr")).expect("a key");
        let access =
            Access { home: Some(home.path().to_owned()), has_ssh_agent: true, ..Access::default() };
        let url = RemoteUrl::parse("ssh://deploy@host/a", Path::new("/")).expect("an address");
        let login = Login::new(&access, &url, &url);
        let allowed = CredentialType::SSH_KEY | CredentialType::SSH_MEMORY;
        let next = || login.next(None, "", Some("deploy"), allowed);
        assert!(next().is_ok_and(|credential| credential.credtype() == 2));
        assert!(next().is_ok_and(|credential| credential.credtype() == 64));
        assert!(!login.is_given_up());
        assert!(next().is_err());
        assert!(login.is_given_up());
        let tried = login.tried().join("; ").replace(&*home.path().to_string_lossy(), "~");
        insta::assert_snapshot!(tried, @"the SSH agent as `deploy`; `~/.ssh/id_ed25519` as `deploy`; `~/.ssh/id_ecdsa` (no such file); `~/.ssh/id_rsa` (has a passphrase: `ssh-add` it)");
    }

    #[test]
    fn a_credential_helper_is_asked_when_that_is_wanted() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("config");
        let helper =
            "[credential]\nhelper = \"!f() { echo username=ann; echo password=pw; }; f\"\n";
        fs::write(&file, helper).expect("a file");
        let config = git2::Config::open(&file).expect("settings");
        let url = RemoteUrl::parse("https://host/a", Path::new("/")).expect("an address");
        for asks_credential_helper in [true, false] {
            let access = Access { asks_credential_helper, ..Access::default() };
            let login = Login::new(&access, &url, &url);
            let allowed = CredentialType::USER_PASS_PLAINTEXT;
            let first = login.next(Some(&config), "https://host/a", None, allowed);
            assert_eq!(first.is_ok(), asks_credential_helper);
            assert!(login.next(Some(&config), "https://host/a", None, allowed).is_err());
        }
    }

    #[test]
    fn nothing_is_sent_to_another_port_of_the_host() {
        let access = Access { token: Token::new("s3cret"), ..Access::default() };
        let url = RemoteUrl::parse("https://host/a", Path::new("/")).expect("an address");
        let allowed = CredentialType::USER_PASS_PLAINTEXT;
        for (asked, is_sent) in
            [("https://host:8443/a", false), ("http://host/a", false), ("https://host/b", true)]
        {
            let login = Login::new(&access, &url, &url);
            assert_eq!(login.next(None, asked, None, allowed).is_ok(), is_sent, "{asked}");
        }
    }

    #[test]
    fn the_token_stays_with_its_host() {
        let access = Access { token: Token::new("s3cret"), ..Access::default() };
        let parse = |text| RemoteUrl::parse(text, Path::new("/")).expect("an address");
        let (asked_for, other) = (parse("https://host/a"), parse("https://mirror/a"));
        let is_token = |way: &Way| matches!(way, Way::Token(_));
        assert!(access.ways(&asked_for, &asked_for).iter().any(is_token));
        assert!(!access.ways(&other, &asked_for).iter().any(is_token));
        assert!(!format!("{access:?}").contains("s3cret"));
        assert_eq!(Token::new("a\nb"), None);
    }
}
