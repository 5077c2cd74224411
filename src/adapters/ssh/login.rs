//! From a fresh connection to a session that may be used: the host proves who it is, then we do.
//!
//! Host keys are judged by `crate::ssh` alone. Passwords are never sent. Whatever waits for a
//! person or a program, the agent, waits on a thread of its own.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ssh2::{Agent, ErrorCode, MethodType, PublicKey};

use super::engine::{Engine, is_again};
use super::quote::quoted;
use crate::ports::PortError;
use crate::ssh::{KeyFile, KnownHosts, Verdict, fingerprint, known_hosts};

/// The longest that both sides may take to agree on keys.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The longest that logging in may take; an agent may ask a person.
const LOGIN: Duration = Duration::from_secs(30);

/// The kinds of host key that libssh2 can check, the best first, as they are asked for.
const KINDS: [(&str, &str); 5] = [
    ("ssh-ed25519", "ssh-ed25519"),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp256"),
    ("ecdsa-sha2-nistp384", "ecdsa-sha2-nistp384"),
    ("ecdsa-sha2-nistp521", "ecdsa-sha2-nistp521"),
    ("ssh-rsa", "rsa-sha2-512,rsa-sha2-256"),
];

/// A machine to log in to, and with what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// As whom.
    pub user: String,
    /// The private keys to offer, in this order.
    pub keys: Vec<Key>,
    /// Whether somebody named these keys, so that they are offered before those of the agent.
    pub keys_are_named: bool,
    /// The socket of an agent.
    pub agent: Option<PathBuf>,
    /// What hosts are known by. The first file is the one that a new key belongs in.
    pub known_hosts: Arc<[KnownHosts]>,
    /// The machines to go through, in the order of travel; theirs are empty.
    pub jumps: Vec<Self>,
}

/// A private key.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// The file's name, for people.
    pub shown: String,
    /// The file's text, or why there is none.
    pub text: Result<String, String>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("shown", &self.shown).finish_non_exhaustive()
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, host, port, .. } = self;
        match (host.contains(':'), port) {
            (true, _) => write!(f, "{user}@[{host}]:{port}"),
            (false, 22) => write!(f, "{user}@{host}"),
            (false, _) => write!(f, "{user}@{host}:{port}"),
        }
    }
}

/// Makes `engine`, connected to `target`, a session that is logged in.
pub(super) async fn log_in(engine: &mut Engine, target: &Target) -> Result<(), PortError> {
    let late = |what: &str, limit: Duration| {
        PortError::Unreachable(format!("{target} did not {what} within {} s", limit.as_secs()))
    };
    tokio::time::timeout(HANDSHAKE, shake_hands(engine, target))
        .await
        .map_err(|_| late("answer in SSH", HANDSHAKE))??;
    check_host_key(engine, target)?;
    tokio::time::timeout(LOGIN, authenticate(engine, target))
        .await
        .map_err(|_| late("let us in", LOGIN))?
}

async fn shake_hands(engine: &mut Engine, target: &Target) -> Result<(), PortError> {
    let failed = |error: ssh2::Error| {
        PortError::Unreachable(format!(
            "{target} does not agree on a way to talk: {}",
            said(&error)
        ))
    };
    let kinds = wanted_kinds(target);
    engine.session.method_pref(MethodType::HostKey, &kinds).map_err(failed)?;
    engine.call(|session| session.handshake()).await.map_err(failed)
}

/// The kinds of key to ask for, those that are known of the host before the others.
fn wanted_kinds(target: &Target) -> String {
    let noted = known_hosts::noted_kinds(&target.known_hosts, &target.host, target.port);
    let is_noted = |kind: &str| noted.iter().any(|noted| noted == kind);
    let (mut first, second): (Vec<_>, Vec<_>) = KINDS.iter().partition(|(kind, _)| is_noted(kind));
    first.extend(second);
    first.iter().map(|(_, asked)| *asked).collect::<Vec<_>>().join(",")
}

fn check_host_key(engine: &Engine, target: &Target) -> Result<(), PortError> {
    let (key, _) = engine
        .session
        .host_key()
        .ok_or_else(|| PortError::Refused(format!("{target} has shown no host key")))?;
    match refusal(target, key) {
        None => Ok(()),
        Some(why) => Err(PortError::Refused(why)),
    }
}

/// Why `key` is not taken for the key of `target`, and what to do; `None` when it is.
fn refusal(target: &Target, key: &[u8]) -> Option<String> {
    let Target { host, port, known_hosts: known, .. } = target;
    let kind = known_hosts::kind(key).unwrap_or("unknown");
    let print = fingerprint(key);
    let name = known_hosts::name(host, *port);
    let file = |file: &std::path::Path| {
        let shown = file.display().to_string();
        quoted(&shown).unwrap_or(shown)
    };
    match known_hosts::judge(known, host, *port, key) {
        Verdict::Known => None,
        Verdict::Unknown => {
            let added_to = known.first().map(|known| file(&known.file)).unwrap_or_default();
            let noted = match known_hosts::noted_kinds(known, host, *port).join(", ") {
                none if none.is_empty() => String::new(),
                kinds => format!("; known of it: {kinds}"),
            };
            let line = format!("{name} {kind} {}", STANDARD.encode(key));
            Some(format!(
                "the host key of {target} is not known: {kind} {print}{noted}; compare it with \
                 what its owner says (`ssh-keygen -lf` of the key there), then run `echo '{line}' \
                 >> {added_to}`"
            ))
        }
        Verdict::Changed { file: noted, line } => Some(format!(
            "the host key of {target} has changed: it is now {kind} {print}, and not the one in {} \
             line {line}; somebody may be listening in; if its owner did change the key, run \
             `ssh-keygen -R {} -f {}` and add the new one",
            noted.display(),
            quoted(&name).unwrap_or(name),
            file(&noted)
        )),
        Verdict::Revoked { file, line } => Some(format!(
            "the host key of {target}, {kind} {print}, is revoked in {} line {line}; do not connect, \
             and ask its owner for the new key",
            file.display()
        )),
    }
}

/// One way to log in.
enum Way<'a> {
    Agent(&'a std::path::Path),
    Key(&'a Key),
}

async fn authenticate(engine: &mut Engine, target: &Target) -> Result<(), PortError> {
    let user = &target.user;
    let methods = engine.call(|session| session.auth_methods(user).map(str::to_owned)).await;
    if engine.session.authenticated() {
        return Ok(());
    }
    let methods = methods.map_err(|error| {
        PortError::Unreachable(format!("{target} does not say how to log in: {}", said(&error)))
    })?;
    if !methods.split(',').any(|method| method == "publickey") {
        return Err(PortError::Refused(format!(
            "{target} lets nobody in with a key; it takes: {methods}"
        )));
    }
    let keys = target.keys.iter().map(Way::Key);
    let agent = target.agent.iter().map(|socket| Way::Agent(socket));
    let ways: Vec<Way<'_>> = match target.keys_are_named {
        true => keys.chain(agent).collect(),
        false => agent.chain(keys).collect(),
    };
    let mut tried = Vec::new();
    for way in ways {
        let outcome = match way {
            Way::Key(key) => offer_key(engine, user, key).await,
            Way::Agent(socket) => offer_agent(engine, user, socket).await,
        };
        match outcome {
            Ok(()) => return Ok(()),
            Err(Denial::Passed(words)) => tried.push(words),
            Err(Denial::Final(words)) => {
                tried.push(words);
                break;
            }
        }
    }
    if tried.is_empty() {
        tried.push("no key was found".to_owned());
    }
    Err(PortError::Refused(format!(
        "{target} did not let us in; tried: {}; put the public key into ~/.ssh/authorized_keys of \
         `{user}` there, or name the right one as `ssh: {{identity: …}}` of the host",
        tried.join(", ")
    )))
}

/// Why a way did not lead in.
enum Denial {
    /// Another one may.
    Passed(String),
    /// The host has hung up.
    Final(String),
}

impl Denial {
    fn of(shown: &str, error: &ssh2::Error) -> Self {
        match error.code() {
            ErrorCode::Session(-18 | -19) => Self::Passed(shown.to_owned()),
            // Not ours to send, or too many wrong ones.
            ErrorCode::Session(-7 | -13 | -43) => {
                Self::Final(format!("{shown} (then it hung up: {})", said(error)))
            }
            _ => Self::Passed(format!("{shown} ({})", said(error))),
        }
    }
}

async fn offer_key(engine: &mut Engine, user: &str, key: &Key) -> Result<(), Denial> {
    let shown = &key.shown;
    let text = key.text.as_ref().map_err(|why| Denial::Passed(format!("{shown} ({why})")))?;
    match KeyFile::of(text) {
        KeyFile::Plain => {}
        KeyFile::Locked => {
            let words = format!("{shown} (has a passphrase: `ssh-add` it)");
            return Err(Denial::Passed(words));
        }
        KeyFile::Foreign => return Err(Denial::Passed(format!("{shown} (not a private key)"))),
    }
    let offer =
        |session: &mut ssh2::Session| session.userauth_pubkey_memory(user, None, text, None);
    engine.call(offer).await.map_err(|error| Denial::of(shown, &error))
}

async fn offer_agent(
    engine: &mut Engine,
    user: &str,
    socket: &std::path::Path,
) -> Result<(), Denial> {
    let failed = |error: ssh2::Error| Denial::Passed(format!("the agent ({})", said(&error)));
    let mut agent = engine.session.agent().map_err(failed)?;
    agent.set_identity_path(socket).map_err(failed)?;
    let (agent, listed) = apart(move || {
        let listed = identities(&mut agent);
        (agent, listed)
    })
    .await?;
    let identities = listed.map_err(failed)?;
    if identities.is_empty() {
        return Err(Denial::Passed("the agent (has no keys)".into()));
    }
    let count = identities.len();
    let agent = Arc::new(agent);
    for identity in identities {
        let identity = Arc::new(identity);
        let shown = format!("{} of the agent", identity.comment());
        match sign_with(engine, user, &agent, &identity).await? {
            Ok(()) => return Ok(()),
            Err(error) => match Denial::of(&shown, &error) {
                Denial::Passed(_) => {}
                end @ Denial::Final(_) => return Err(end),
            },
        }
    }
    Err(Denial::Passed(format!("the agent ({count} keys)")))
}

async fn sign_with(
    engine: &mut Engine,
    user: &str,
    agent: &Arc<Agent>,
    identity: &Arc<PublicKey>,
) -> Result<Result<(), ssh2::Error>, Denial> {
    loop {
        let (agent, identity, user) = (Arc::clone(agent), Arc::clone(identity), user.to_owned());
        match apart(move || agent.userauth(&user, &identity)).await? {
            Err(error) if is_again(&error) => {
                let gone = |_| Denial::Final("the agent (then the connection broke)".into());
                engine.moved().await.map_err(gone)?;
            }
            answer => return Ok(answer),
        }
    }
}

fn identities(agent: &mut Agent) -> Result<Vec<PublicKey>, ssh2::Error> {
    agent.connect()?;
    agent.list_identities()?;
    agent.identities()
}

/// Does what may wait for somebody on a thread that nobody waits for longer than they like.
async fn apart<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Denial> {
    let (done, result) = tokio::sync::oneshot::channel();
    let spawned = std::thread::Builder::new().name("ssh-agent".into()).spawn(move || {
        drop(done.send(work()));
    });
    let failed = || Denial::Passed("the agent (no thread to ask it)".into());
    drop(spawned.map_err(|_| failed())?);
    result.await.map_err(|_| failed())
}

fn said(error: &ssh2::Error) -> &str {
    error.message()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(kind: &str, body: u8) -> Vec<u8> {
        let mut key = u32::try_from(kind.len()).expect("short").to_be_bytes().to_vec();
        key.extend_from_slice(kind.as_bytes());
        key.extend_from_slice(&[body; 8]);
        key
    }

    fn target(noted: &str) -> Target {
        let known = KnownHosts { file: "/home/me/.ssh/known_hosts".into(), text: noted.to_owned() };
        Target {
            host: "web-1".into(),
            port: 2222,
            user: "deploy".into(),
            keys: Vec::new(),
            keys_are_named: false,
            agent: None,
            known_hosts: [known].into(),
            jumps: Vec::new(),
        }
    }

    fn noted(key: &[u8]) -> String {
        let kind = known_hosts::kind(key).expect("a kind");
        format!("[web-1]:2222 {kind} {}\n", STANDARD.encode(key))
    }

    #[test]
    fn the_command_of_an_unknown_host_makes_it_known() {
        let key = key("ssh-ed25519", 1);
        let said = refusal(&target(""), &key).expect("a refusal");
        let line = said.split('\'').nth(1).expect("a line");
        assert_eq!(format!("{line}\n"), noted(&key));
        assert!(said.contains(&fingerprint(&key)), "{said}");
        assert_eq!(refusal(&target(line), &key), None);
    }

    #[test]
    fn a_host_with_a_key_of_another_kind_is_unknown_and_says_so() {
        let said = refusal(&target(&noted(&key("ssh-rsa", 1))), &key("ssh-ed25519", 1));
        assert!(said.expect("a refusal").contains("known of it: ssh-rsa"));
    }

    #[test]
    fn a_changed_key_is_never_offered_as_a_line_to_add() {
        let said = refusal(&target(&noted(&key("ssh-ed25519", 1))), &key("ssh-ed25519", 2));
        let said = said.expect("a refusal");
        assert!(said.contains("has changed") && !said.contains("echo"), "{said}");
    }

    #[test]
    fn the_kinds_that_are_known_are_asked_for_first() {
        let kinds = wanted_kinds(&target(&noted(&key("ssh-rsa", 1))));
        assert!(kinds.starts_with("rsa-sha2-512,rsa-sha2-256,ssh-ed25519,"), "{kinds}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_says_nothing_is_given_up() {
        let (line, _silent) = tokio::io::duplex(1 << 16);
        let mut engine = Engine::new(Box::new(line)).expect("a session");
        let error = log_in(&mut engine, &target("")).await.expect_err("no answer");
        let expected = "deploy@web-1:2222 did not answer in SSH within 10 s";
        assert_eq!(error, PortError::Unreachable(expected.into()));
    }

    #[tokio::test]
    async fn a_server_that_hangs_up_or_is_none_is_told() {
        use tokio::io::AsyncWriteExt as _;
        for greeting in [&b""[..], b"HTTP/1.1 400 Bad Request\r\n\r\n"] {
            let (line, mut server) = tokio::io::duplex(1 << 16);
            server.write_all(greeting).await.expect("room");
            drop(server);
            let mut engine = Engine::new(Box::new(line)).expect("a session");
            let error = log_in(&mut engine, &target("")).await.expect_err("no server");
            assert!(matches!(error, PortError::Unreachable(_)), "{error}");
        }
    }
}
