//! Who we are to registries: what the inventory says, else what Docker's own configuration of this
//! machine says, its credential helpers included.
//!
//! A login is read when an image is asked for, goes along with that request, and is kept for a
//! minute. It is never written, and neither shown nor part of an error.

use std::collections::BTreeMap;
use std::fmt;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::ports::PortError;

/// The longest a credential helper may take: some ask a cloud.
const HELPER: Duration = Duration::from_secs(20);

/// How long a login is kept, so that a helper is not run once for each host.
const KEPT: Duration = Duration::from_secs(60);

/// How Docker's configuration calls the registry of names that say none.
const HUB: &str = "https://index.docker.io/v1/";

/// Who we are to one registry.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Login {
    /// A user and a password.
    Password { user: String, password: String },
    /// A token that stands for both.
    Token(String),
}

/// A login that the inventory describes.
pub struct GivenLogin {
    /// The user.
    pub user: String,
    /// The password.
    pub password: Password,
}

/// Where a password comes from.
pub enum Password {
    /// It is this.
    Text(String),
    /// The first line of a file of this machine.
    File(PathBuf),
    /// It cannot be had, for this reason; told when somebody needs it.
    Missing(String),
}

/// All logins there are.
pub struct Logins {
    given: BTreeMap<String, GivenLogin>,
    /// Docker's `config.json`; it need not exist.
    config: Option<PathBuf>,
    kept: Mutex<BTreeMap<String, (Instant, Option<Login>)>>,
}

/// What Docker's configuration says about a registry.
#[derive(Debug, PartialEq, Eq)]
enum Configured {
    /// A program knows.
    Helper(String),
    /// This is it.
    Login(Login),
    /// Nothing.
    Nothing,
}

impl Logins {
    /// Those that the inventory gives, by registry, before those of Docker's `config.json`.
    pub fn new(given: BTreeMap<String, GivenLogin>, config: Option<PathBuf>) -> Self {
        Self { given, config, kept: Mutex::default() }
    }

    /// The login for a registry; `None` to come without.
    pub(super) async fn of(&self, registry: &str) -> Result<Option<Login>, PortError> {
        // Held while a helper runs, so that many hosts wait for one.
        let mut kept = self.kept.lock().await;
        if let Some((at, login)) = kept.get(registry)
            && at.elapsed() < KEPT
        {
            return Ok(login.clone());
        }
        let login = self.find(registry).await.map_err(|why| {
            PortError::Refused(format!("the login for {registry} cannot be had: {why}"))
        })?;
        kept.insert(registry.to_owned(), (Instant::now(), login.clone()));
        Ok(login)
    }

    async fn find(&self, registry: &str) -> Result<Option<Login>, String> {
        if let Some(given) = self.given.get(registry) {
            let password = given.password.read().await?;
            return Ok(Some(Login::Password { user: given.user.clone(), password }));
        }
        let Some(path) = &self.config else { return Ok(None) };
        let text = match tokio::fs::read_to_string(path).await {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(format!("{}: {error}", path.display())),
        };
        let config: Value =
            serde_json::from_str(&text).map_err(|_| format!("{} is not JSON", path.display()))?;
        match configured(&config, registry)? {
            Configured::Nothing => Ok(None),
            Configured::Login(login) => Ok(Some(login)),
            Configured::Helper(helper) => ask(&helper, server(registry)).await,
        }
    }
}

impl Password {
    async fn read(&self) -> Result<String, String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Missing(why) => Err(why.clone()),
            Self::File(path) => {
                let text = tokio::fs::read_to_string(path).await;
                let text = text.map_err(|error| format!("{}: {error}", path.display()))?;
                let line = text.lines().next().unwrap_or_default();
                match line.is_empty() {
                    true => Err(format!("{} has an empty first line", path.display())),
                    false => Ok(line.to_owned()),
                }
            }
        }
    }
}

impl Login {
    /// `text` without what must not be seen.
    pub(super) fn hide(&self, text: &str) -> String {
        let (Self::Password { password: secret, .. } | Self::Token(secret)) = self;
        match secret.is_empty() {
            true => text.to_owned(),
            false => text.replace(secret.as_str(), "(hidden)"),
        }
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}

impl fmt::Debug for Logins {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Logins").finish_non_exhaustive()
    }
}

/// What Docker calls a registry when it keeps its login.
fn server(registry: &str) -> &str {
    if registry == "docker.io" { HUB } else { registry }
}

/// The host of a key in `auths`: people have written addresses there.
fn host(key: &str) -> &str {
    let key = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    match key.split('/').next().unwrap_or(key) {
        "index.docker.io" | "registry-1.docker.io" => "docker.io",
        host => host,
    }
}

/// What `config.json` says about a registry; a helper of its own comes before the general one.
fn configured(config: &Value, registry: &str) -> Result<Configured, String> {
    let of_its_own = config.get("credHelpers").and_then(Value::as_object);
    let mut of_its_own = of_its_own.into_iter().flatten();
    let of_its_own = of_its_own.find(|(key, _)| host(key) == registry);
    let general = config.get("credsStore");
    let helper = of_its_own.map(|(_, helper)| helper).or(general).and_then(Value::as_str);
    if let Some(helper) = helper.filter(|helper| !helper.is_empty()) {
        return Ok(Configured::Helper(helper.to_owned()));
    }
    let auths = config.get("auths").and_then(Value::as_object);
    let auth = auths.into_iter().flatten().find(|(key, _)| host(key) == registry);
    let Some((_, auth)) = auth else { return Ok(Configured::Nothing) };
    let text = |key: &str| auth.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    if let Some(token) = text("identitytoken") {
        return Ok(Configured::Login(Login::Token(token.to_owned())));
    }
    if let (Some(user), Some(password)) = (text("username"), text("password")) {
        let (user, password) = (user.to_owned(), password.to_owned());
        return Ok(Configured::Login(Login::Password { user, password }));
    }
    let Some(encoded) = text("auth") else { return Ok(Configured::Nothing) };
    let bytes = STANDARD.decode(encoded).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = bytes.as_deref().and_then(|pair| pair.split_once(':'));
    let (user, password) = pair.ok_or("its `auth` in Docker's config.json cannot be read")?;
    let (user, password) = (user.to_owned(), password.trim_end_matches('\0').to_owned());
    Ok(Configured::Login(Login::Password { user, password }))
}

/// What a credential helper knows about a server.
async fn ask(helper: &str, server: &str) -> Result<Option<Login>, String> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !helper.chars().all(is_word) {
        return Err(format!("`{helper}` is no name of a credential helper"));
    }
    let program = format!("docker-credential-{helper}");
    let mut command = tokio::process::Command::new(&program);
    command.arg("get").kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child =
        command.spawn().map_err(|error| format!("`{program}` could not be started: {error}"))?;
    let mut stdin = child.stdin.take();
    let talk = async {
        if let Some(stdin) = &mut stdin {
            // A helper may know its answer without having read the question.
            drop(stdin.write_all(server.as_bytes()).await);
        }
        drop(stdin);
        child.wait_with_output().await
    };
    let late = |_| format!("`{program}` did not answer within {} s", HELPER.as_secs());
    let output = tokio::time::timeout(HELPER, talk).await.map_err(late)?;
    let output = output.map_err(|error| format!("`{program}`: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        // The words by which helpers say that they know nothing of a server.
        return match said.contains("credentials not found") {
            true => Ok(None),
            false => Err(format!("`{program} get` failed")),
        };
    }
    let known: Value =
        serde_json::from_str(&said).map_err(|_| format!("`{program} get` gave no JSON"))?;
    let text = |key: &str| known.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(match (text("Username"), text("Secret")) {
        (_, secret) if secret.is_empty() => None,
        (user, secret) if user == "<token>" => Some(Login::Token(secret)),
        (user, password) => Some(Login::Password { user, password }),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(config: &Value, registry: &str) -> String {
        match configured(config, registry) {
            Ok(Configured::Helper(helper)) => format!("helper {helper}"),
            Ok(Configured::Login(Login::Password { user, password })) => {
                format!("{user} {password}")
            }
            Ok(Configured::Login(Login::Token(token))) => format!("token {token}"),
            Ok(Configured::Nothing) => "nothing".to_owned(),
            Err(why) => why,
        }
    }

    #[test]
    fn a_registry_is_found_however_its_key_is_written() {
        let auth = |pair: &str| json!({"auth": STANDARD.encode(pair)});
        let config = json!({"auths": {
            "https://index.docker.io/v1/": auth("hub:a:b"),
            "https://r.example.com": auth("ci:x"),
            "r.example.com:5000/v2/": {"username": "u", "password": "p"},
            "t.example.com": {"auth": "", "identitytoken": "tok"},
            "empty.example.com": {},
            "bad.example.com": {"auth": "%"},
        }});
        for (registry, login) in [
            ("docker.io", "hub a:b"),
            ("r.example.com", "ci x"),
            ("r.example.com:5000", "u p"),
            ("t.example.com", "token tok"),
            ("empty.example.com", "nothing"),
            ("other.example.com", "nothing"),
            ("bad.example.com", "its `auth` in Docker's config.json cannot be read"),
        ] {
            assert_eq!(of(&config, registry), login, "{registry}");
        }
    }

    #[test]
    fn a_helper_comes_before_what_is_written_and_its_own_before_the_general_one() {
        let config = json!({
            "auths": {"r.example.com": {"username": "u", "password": "p"}},
            "credHelpers": {"cloud.example.com": "cloud"},
            "credsStore": "desktop",
        });
        assert_eq!(of(&config, "cloud.example.com"), "helper cloud");
        assert_eq!(of(&config, "r.example.com"), "helper desktop");
    }

    #[test]
    fn no_secret_is_in_its_debug_form() {
        let login = Login::Password { user: "ci".into(), password: "s3cret".into() };
        assert_eq!(format!("{login:?}"), "Login { .. }");
        assert_eq!(login.hide("user ci with s3cret"), "user ci with (hidden)");
    }

    #[tokio::test]
    async fn a_helper_that_is_no_word_is_not_run() {
        let why = ask("../../bin/sh", "r").await.unwrap_err();
        assert_eq!(why, "`../../bin/sh` is no name of a credential helper");
    }

    #[tokio::test]
    async fn what_the_inventory_says_comes_first_and_only_for_its_registry() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config.json");
        let text = r#"{"auths": {"r:1": {"username": "docker", "password": "d"}}}"#;
        tokio::fs::write(&config, text).await.unwrap();
        let given = GivenLogin { user: "ci".into(), password: Password::Text("x".into()) };
        let logins = Logins::new(BTreeMap::from([("r:2".to_owned(), given)]), Some(config));
        let user = async |registry| match logins.of(registry).await.unwrap() {
            Some(Login::Password { user, .. }) => user,
            Some(Login::Token(_)) => "token".to_owned(),
            None => "nobody".to_owned(),
        };
        assert_eq!(user("r:1").await, "docker");
        assert_eq!(user("r:2").await, "ci");
        assert_eq!(user("r:3").await, "nobody");
    }
}
