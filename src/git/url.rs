//! The address of a remote repository: what is accepted, and how it is shown.
//!
//! [`RemoteUrl`] is the only holder of an address, so that a password in it cannot be printed by
//! accident: neither `Display` nor `Debug` shows one. Addresses that run programs (`ext::`), that
//! look like options, or that send secrets in the clear are refused here, before libgit2 sees
//! them.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use thiserror::Error;

/// Why an address is refused. The address itself is left out: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UrlError {
    /// Nothing was given.
    #[error("an address of a repository is needed, as in `https://host/path.git`")]
    Empty,
    /// A control character, which could forge a line of a protocol.
    #[error("the address of the repository has a control character in it")]
    Control,
    /// A part begins with `-`, so that a program might read it as an option.
    #[error("the {part} in the address of the repository begins with `-`")]
    Dash {
        /// Which part.
        part: &'static str,
    },
    /// `ext::…` and the like run a program.
    #[error("`{helper}::` addresses run a program and are not accepted")]
    Helper {
        /// The program's short name.
        helper: String,
    },
    /// A scheme that is not among the accepted ones.
    #[error("`{scheme}://` is not accepted; use https://, ssh://, file:// or user@host:path")]
    Scheme {
        /// The scheme.
        scheme: String,
    },
    /// `http://` to another machine shows and trusts everything on the way.
    #[error("`http://` is not accepted, since anybody on the way can change it; use https://")]
    PlainHttp,
    /// The host is missing or has characters that no host name has.
    #[error("the address of the repository has no proper host name")]
    Host,
    /// The user name has characters that are not accepted.
    #[error("the user name in the address of the repository is not accepted")]
    User,
    /// The port is not a number from 1 to 65535.
    #[error("the port in the address of the repository is not a number from 1 to 65535")]
    Port,
    /// Nothing stands after the host.
    #[error("the address of the repository has no path after the host")]
    NoPath,
}

/// How a repository is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Transport {
    Https,
    /// Only to this machine.
    Http,
    Ssh,
    /// `user@host:path`, whose path is relative to the home directory.
    Scp,
    Local,
}

/// The address of a remote repository, known to be of an accepted kind; cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RemoteUrl(Arc<Parts>);

#[derive(PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Parts {
    transport: Transport,
    user: Option<String>,
    password: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    path: String,
    /// The whole text as libgit2 gets it, secrets and all.
    text: String,
}

impl RemoteUrl {
    /// Reads an address; a relative path is seen from `base`.
    pub fn parse(text: &str, base: &Path) -> Result<Self, UrlError> {
        if text.is_empty() {
            return Err(UrlError::Empty);
        }
        if text.chars().any(char::is_control) {
            return Err(UrlError::Control);
        }
        if text.starts_with('-') {
            return Err(UrlError::Dash { part: "beginning" });
        }
        if let Some((scheme, rest)) = text.split_once("://")
            && !scheme.contains(['/', ':', '@'])
        {
            return Self::with_scheme(&scheme.to_ascii_lowercase(), rest);
        }
        if let Some((helper, _)) = text.split_once("::")
            && !helper.is_empty()
            && helper.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        {
            return Err(UrlError::Helper { helper: helper.to_owned() });
        }
        match text.split_once(':') {
            // As in Git: a `/` before the first `:` makes it a path.
            Some((before, path)) if !before.contains('/') => Self::scp_like(text, before, path),
            _ => Ok(Self::local(&base.join(text).to_string_lossy())),
        }
    }

    /// The host, in lower case, without brackets; `None` for a repository on this machine.
    pub fn host(&self) -> Option<&str> {
        self.0.host.as_deref()
    }

    /// The port that is connected to; `None` for a repository on this machine.
    pub fn port(&self) -> Option<u16> {
        self.0.port.or(match self.0.transport {
            Transport::Https => Some(443),
            Transport::Http => Some(80),
            Transport::Ssh | Transport::Scp => Some(22),
            Transport::Local => None,
        })
    }

    /// Whether it is reached over SSH.
    pub fn is_ssh(&self) -> bool {
        matches!(self.0.transport, Transport::Ssh | Transport::Scp)
    }

    /// Whether it is reached over HTTP, encrypted or to this machine.
    pub fn is_http(&self) -> bool {
        matches!(self.0.transport, Transport::Https | Transport::Http)
    }

    /// A folder name for its mirror: readable, and different for different addresses.
    ///
    /// Passwords and user names of `https` addresses do not count: a new token for the same
    /// repository finds the same mirror.
    pub fn folder_name(&self) -> String {
        let shown = self.to_string();
        let readable: String = self
            .name()
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '-' })
            .take(40)
            .collect();
        let digest = Sha256::digest(shown.as_bytes());
        let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        let readable = readable.trim_matches('-');
        let readable = if readable.is_empty() { "repository" } else { readable };
        format!("{readable}-{hash}")
    }

    /// The repository's name: the last part of its path, without `.git`.
    pub fn name(&self) -> &str {
        let path = self.0.path.trim_end_matches('/');
        // The repository inside a work tree is called after the work tree.
        let path = path.strip_suffix("/.git").unwrap_or(path);
        let last = path.rsplit('/').next().unwrap_or_default();
        last.strip_suffix(".git").unwrap_or(last)
    }

    /// The address with its secrets, for libgit2 alone.
    pub(super) fn text(&self) -> &str {
        &self.0.text
    }

    /// The user name in it.
    pub(super) fn user(&self) -> Option<&str> {
        self.0.user.as_deref()
    }

    /// Whether `other` is an address at the same host and port, reached the same way.
    pub(super) fn is_same_server(&self, other: &str) -> bool {
        Self::parse(other, Path::new("/")).is_ok_and(|other| {
            (self.0.transport, &self.0.host, self.port())
                == (other.0.transport, &other.0.host, other.port())
        })
    }

    /// The words of libgit2, without the secrets of this address.
    pub(super) fn scrub(&self, words: &str) -> String {
        let mut clean = words.replace(&self.0.text, &self.to_string());
        let user = self.0.user.as_deref().filter(|_| self.is_http());
        for secret in [self.0.password.as_deref(), user].into_iter().flatten() {
            if secret.len() > 3 {
                clean = clean.replace(secret, "***");
            }
        }
        clean
    }

    fn with_scheme(scheme: &str, rest: &str) -> Result<Self, UrlError> {
        let transport = match scheme {
            "https" => Transport::Https,
            "http" => Transport::Http,
            "ssh" => Transport::Ssh,
            "file" => return Self::file(rest),
            _ => return Err(UrlError::Scheme { scheme: scheme.to_owned() }),
        };
        let (authority, path) = rest.split_once('/').ok_or(UrlError::NoPath)?;
        if path.trim_matches('/').is_empty() {
            return Err(UrlError::NoPath);
        }
        let (user, host_port) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let (user, password) = match user.map(|user| user.split_once(':').ok_or(user)) {
            Some(Ok((user, password))) => (Some(user), Some(password)),
            Some(Err(user)) => (Some(user), None),
            None => (None, None),
        };
        let user = user.filter(|user| !user.is_empty()).map(check_user).transpose()?;
        // Where the host begins must be beyond doubt, or the wrong host's key would be checked.
        if password.is_some_and(|password| password.contains(['@', '?', '#', '\\', '['])) {
            return Err(UrlError::User);
        }
        let (host, port) = host_and_port(host_port)?;
        if transport == Transport::Http && !is_this_machine(&host) {
            return Err(UrlError::PlainHttp);
        }
        if transport == Transport::Ssh && path.trim_start_matches(['/', '~']).starts_with('-') {
            return Err(UrlError::Dash { part: "path" });
        }
        Ok(Self(Arc::new(Parts {
            transport,
            user,
            password: password.map(str::to_owned),
            host: Some(host),
            port,
            path: format!("/{path}"),
            text: format!("{scheme}://{rest}"),
        })))
    }

    fn file(rest: &str) -> Result<Self, UrlError> {
        let path = rest.strip_prefix("localhost").unwrap_or(rest);
        if !path.starts_with('/') {
            return Err(UrlError::Host);
        }
        let path = decoded(path).ok_or(UrlError::Control)?;
        Ok(Self::local(&path))
    }

    fn scp_like(text: &str, before: &str, path: &str) -> Result<Self, UrlError> {
        let (user, host) = match before.rsplit_once('@') {
            Some((user, host)) => (Some(check_user(user)?), host),
            None => (None, before),
        };
        if path.is_empty() {
            return Err(UrlError::NoPath);
        }
        if path.trim_start_matches(['/', '~']).starts_with('-') {
            return Err(UrlError::Dash { part: "path" });
        }
        Ok(Self(Arc::new(Parts {
            transport: Transport::Scp,
            user,
            password: None,
            host: Some(check_host(host)?),
            port: None,
            path: path.to_owned(),
            text: text.to_owned(),
        })))
    }

    fn local(path: &str) -> Self {
        Self(Arc::new(Parts {
            transport: Transport::Local,
            user: None,
            password: None,
            host: None,
            port: None,
            path: path.to_owned(),
            // libgit2 takes a bare path with a `:` in it for an address over SSH.
            text: format!("file://{}", encoded(path)),
        }))
    }
}

/// Without secrets: a password is never shown, nor the user name of an `https` address, which may
/// be a token, nor anything after `?`.
impl fmt::Display for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.host.as_deref().unwrap_or_default();
        let user = self.0.user.as_deref().map(|user| format!("{user}@")).unwrap_or_default();
        let port = self.0.port.map(|port| format!(":{port}")).unwrap_or_default();
        let host = if host.contains(':') { format!("[{host}]") } else { host.to_owned() };
        let path = &self.0.path;
        match self.0.transport {
            Transport::Https | Transport::Http => {
                let scheme = if self.0.transport == Transport::Https { "https" } else { "http" };
                let path = path.split(['?', '#']).next().unwrap_or(path);
                write!(f, "{scheme}://{host}{port}{path}")
            }
            Transport::Ssh => write!(f, "ssh://{user}{host}{port}{path}"),
            Transport::Scp => write!(f, "{user}{host}:{path}"),
            Transport::Local => f.write_str(path),
        }
    }
}

impl fmt::Debug for RemoteUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteUrl({self})")
    }
}

fn host_and_port(text: &str) -> Result<(String, Option<u16>), UrlError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, rest) = rest.split_once(']').ok_or(UrlError::Host)?;
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(UrlError::Host);
            }
            let port = match rest.strip_prefix(':') {
                Some(port) => port,
                None if rest.is_empty() => "",
                None => return Err(UrlError::Host),
            };
            (host.to_ascii_lowercase(), port)
        }
        None => {
            let (host, port) = text.split_once(':').unwrap_or((text, ""));
            (check_host(host)?, port)
        }
    };
    if port.is_empty() {
        return Ok((host, None));
    }
    let is_number = port.bytes().all(|byte| byte.is_ascii_digit());
    match port.parse::<u16>() {
        Ok(number) if is_number && number > 0 => Ok((host, Some(number))),
        _ => Err(UrlError::Port),
    }
}

fn check_host(host: &str) -> Result<String, UrlError> {
    if host.starts_with('-') {
        return Err(UrlError::Dash { part: "host" });
    }
    let is_proper = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if is_proper { Ok(host.to_ascii_lowercase()) } else { Err(UrlError::Host) }
}

fn check_user(user: &str) -> Result<String, UrlError> {
    if user.starts_with('-') {
        return Err(UrlError::Dash { part: "user name" });
    }
    // libgit2 decodes `%2D` and `%0A`; what such a name would become is not worth allowing.
    let is_hidden = user.split('%').skip(1).any(|after| {
        let digits = after.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok());
        digits.is_none_or(|byte| byte.is_ascii_control() || byte == b'-')
    });
    let is_proper = !user.is_empty()
        && user.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-+%$".contains(&byte));
    if is_proper && !is_hidden { Ok(user.to_owned()) } else { Err(UrlError::User) }
}

fn encoded(path: &str) -> String {
    let escape = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    path.bytes().map(escape).collect()
}

/// `None` when what comes out is not text or has control characters in it.
fn decoded(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = path.as_bytes();
    while let [byte, after @ ..] = rest {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(code) if *byte == b'%' => {
                bytes.push(code);
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*byte);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok().filter(|text| !text.chars().any(char::is_control))
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost"
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<RemoteUrl, UrlError> {
        RemoteUrl::parse(text, Path::new("/base"))
    }

    fn shown(text: &str) -> String {
        parse(text).expect("an accepted address").to_string()
    }

    #[test]
    fn passwords_and_tokens_are_never_shown() {
        assert_eq!(
            shown("https://bob:s3cret@Host.example/a/b.git"),
            "https://host.example/a/b.git"
        );
        assert_eq!(shown("https://ghp_token@host/a"), "https://host/a");
        assert_eq!(shown("https://host/a?token=s3cret"), "https://host/a");
        assert_eq!(shown("ssh://git:s3cret@host:2222/a"), "ssh://git@host:2222/a");
        let url = parse("https://bob:s3cret@host/a").expect("an accepted address");
        assert!(!format!("{url:?}").contains("s3cret"));
        assert_eq!(url.scrub("no s3cret at https://bob:s3cret@host/a"), "no *** at https://host/a");
    }

    #[test]
    fn addresses_of_every_kind_are_read() {
        let url = parse("git@host.example:team/repo.git").expect("scp-like");
        assert!(url.is_ssh());
        assert_eq!(
            (url.host(), url.port(), url.user()),
            (Some("host.example"), Some(22), Some("git"))
        );
        let url = parse("ssh://git@[::1]:2222/repo").expect("IPv6");
        assert_eq!((url.host(), url.port()), (Some("::1"), Some(2222)));
        assert_eq!(url.to_string(), "ssh://git@[::1]:2222/repo");
        assert_eq!(shown("file:///srv/repo.git"), "/srv/repo.git");
        assert_eq!(shown("file:///srv/my%20repo%"), "/srv/my repo%");
        assert_eq!(shown("repo.git"), "/base/repo.git");
        assert_eq!(shown("/srv/a:b.git"), "/srv/a:b.git");
        assert_eq!(shown("http://127.0.0.1:8080/a"), "http://127.0.0.1:8080/a");
        assert_eq!(shown("HTTPS://host/a"), "https://host/a");
    }

    #[test]
    fn dangerous_addresses_are_refused() {
        for (text, error) in [
            ("", UrlError::Empty),
            ("--upload-pack=touch /tmp/x", UrlError::Dash { part: "beginning" }),
            ("ext::sh -c id", UrlError::Helper { helper: "ext".to_owned() }),
            ("git://host/a", UrlError::Scheme { scheme: "git".to_owned() }),
            ("ftp://host/a", UrlError::Scheme { scheme: "ftp".to_owned() }),
            ("http://host/a", UrlError::PlainHttp),
            ("http://bob:pw@host/a", UrlError::PlainHttp),
            ("ssh://-oProxyCommand=id@host/a", UrlError::Dash { part: "user name" }),
            ("ssh://-oProxyCommand=id/a", UrlError::Dash { part: "host" }),
            ("-x@host:a", UrlError::Dash { part: "beginning" }),
            ("git@-x:a", UrlError::Dash { part: "host" }),
            ("git@host:-x", UrlError::Dash { part: "path" }),
            ("ssh://host/-x", UrlError::Dash { part: "path" }),
            ("ssh://%2DoX@host/a", UrlError::User),
            ("ssh://a%0Ab@host/a", UrlError::User),
            ("https://host/a\nb", UrlError::Control),
            ("https://host:99999/a", UrlError::Port),
            ("https://host:+1/a", UrlError::Port),
            ("https://ho st/a", UrlError::Host),
            ("https://user:p@evil@host/a", UrlError::User),
            ("https://user:p?@host/a", UrlError::User),
            ("https://[nonsense]/a", UrlError::Host),
            ("https://host", UrlError::NoPath),
            ("https://host/", UrlError::NoPath),
            ("https:///a", UrlError::Host),
            ("file://other/a", UrlError::Host),
            ("file:///a%00b", UrlError::Control),
            ("host:", UrlError::NoPath),
        ] {
            assert_eq!(parse(text).expect_err(text), error, "{text}");
        }
    }

    #[test]
    fn a_new_token_finds_the_same_mirror() {
        let folder = |text| parse(text).expect("an accepted address").folder_name();
        let name = folder("https://a:one@host/team/my repo.git");
        assert_eq!(name, folder("https://b:two@host/team/my repo.git"));
        assert_ne!(name, folder("https://host/other/my repo.git"));
        assert!(name.starts_with("my-repo-"), "{name}");
        assert!(folder("git@host:..").starts_with("repository-"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_or_refused_and_its_password_kept(
            text in ".{0,40}",
            password in "[a-z]{12}",
        ) {
            drop(parse(&text).map(|url| url.folder_name()));
            if let Ok(url) = parse(&format!("https://u:{password}@{text}")) {
                let shown = format!("{url} {url:?} {}", url.scrub(url.text()));
                proptest::prop_assert!(!shown.contains(&password));
            }
        }
    }
}
