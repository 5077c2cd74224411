//! How a host's engine is reached, and the files that takes.

use std::fmt;

use crate::files::{clean, parent};
use crate::settings::{Address, Authority};
use crate::shape::Format;

/// The URL of an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// A socket of this machine.
    Unix {
        /// Its path.
        socket: String,
    },
    /// A socket of a machine that is reached over SSH.
    Ssh {
        /// The machine; its name may be an alias of `~/.ssh/config`.
        machine: Authority,
        /// The socket's path there; `/var/run/docker.sock` when it is not said.
        socket: Option<String>,
    },
    /// A TCP port.
    Tcp {
        /// The machine.
        host: Address,
        /// The port.
        port: u16,
        /// `None` when the inventory says `tls: false`.
        tls: Option<Tls>,
    },
}

/// The files that a TLS connection to an engine needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Whom the engine's certificate must be signed by.
    pub ca: Location,
    /// Our certificate, with its key.
    pub client: Option<(Location, Location)>,
}

/// Where a file lies that is needed to reach a host.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Location {
    /// On the machine that runs gitdeploy: an absolute path, or one below `~`.
    Disk(String),
    /// In the commit: a path from the root of the repository.
    Repository(String),
}

pub(super) const ENDPOINT: Format = Format {
    name: "URL of a Docker engine",
    example: "ssh://deploy@10.0.0.11",
    check: |text| Endpoint::parse(text).map(drop),
};

pub(super) const LOCATION: Format =
    Format { name: "path of a file", example: "./known_hosts", check: location };

/// A secret has no place in a repository, so a relative path is refused.
pub(super) const SECRET_LOCATION: Format =
    Format { name: "path of a private key", example: "~/.ssh/id_ed25519", check: secret_location };

impl Endpoint {
    /// Where an engine listens when nothing else is said.
    pub const USUAL_SOCKET: &str = "/var/run/docker.sock";

    /// Reads the URL; TLS is said beside it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err("it does not start with `ssh://`, `unix://` or `tcp://`".into());
        };
        match scheme {
            "unix" => Ok(Self::Unix {
                socket: socket(rest)?.unwrap_or_else(|| Self::USUAL_SOCKET.to_owned()),
            }),
            "ssh" => {
                let (machine, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                Ok(Self::Ssh { machine: Authority::parse(machine)?, socket: socket(path)? })
            }
            "tcp" => tcp(rest),
            "http" | "https" => Err(format!(
                "`{scheme}://` is not taken; write `tcp://HOST:PORT`, with `tls:` beside it"
            )),
            other => Err(format!("`{other}://` is unknown; it is `ssh://`, `unix://` or `tcp://`")),
        }
    }

    /// Where the machine's published ports are reached unless `address:` says otherwise.
    pub fn address(&self) -> Address {
        match self {
            Self::Unix { .. } => Address::Ip(std::net::Ipv4Addr::LOCALHOST.into()),
            Self::Ssh { machine, .. } => machine.host.clone(),
            Self::Tcp { host, .. } => host.clone(),
        }
    }
}

fn tcp(rest: &str) -> Result<Endpoint, String> {
    let Authority { user, host, port } = Authority::parse(rest.trim_end_matches('/'))?;
    if user.is_some() {
        return Err("a user has no meaning here; `tls:` says who we are".into());
    }
    let port = port.ok_or("the port is missing; with TLS it is usually 2376")?;
    Ok(Endpoint::Tcp { host, port, tls: None })
}

/// The path of a socket in a URL; `None` for none or `/` alone.
fn socket(path: &str) -> Result<Option<String>, String> {
    match path {
        "" | "/" => Ok(None),
        path if !path.starts_with('/') => Err("the socket's path must be absolute".into()),
        path if path.contains(['?', '#']) || path.chars().any(char::is_whitespace) => {
            Err("the socket's path has a character that cannot stand in a URL".into())
        }
        path => Ok(Some(clean(path))),
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix { socket } => write!(f, "unix://{socket}"),
            Self::Ssh { machine, socket } => {
                write!(f, "ssh://{machine}{}", socket.as_deref().unwrap_or_default())
            }
            Self::Tcp { host, port, tls: _ } => {
                let authority = Authority { user: None, host: host.clone(), port: Some(*port) };
                write!(f, "tcp://{authority}")
            }
        }
    }
}

impl Location {
    /// The place that `text` means in the file `inventory`; a relative path is seen from there.
    pub(super) fn of(text: &str, inventory: &str) -> Self {
        match text {
            text if text.starts_with('/') => Self::Disk(clean(text)),
            text if text.starts_with("~/") => Self::Disk(text.to_owned()),
            text => Self::Repository(crate::files::join(parent(inventory), text)),
        }
    }

    /// As an absolute path of the machine that runs gitdeploy; `None` for a file of the commit.
    pub fn on_disk(&self, home: &str) -> Option<String> {
        match self {
            Self::Disk(path) => Some(match path.strip_prefix("~/") {
                Some(rest) => crate::files::join(home, rest),
                None => path.clone(),
            }),
            Self::Repository(_) => None,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(path) | Self::Repository(path) => f.write_str(path),
        }
    }
}

fn location(text: &str) -> Result<(), String> {
    if text.is_empty() || text.ends_with('/') {
        return Err("it names no file".into());
    }
    if text.starts_with('~') && !text.starts_with("~/") {
        return Err("only your own home is known: `~/…`".into());
    }
    match text.chars().any(char::is_control) {
        true => Err("it has a control character".into()),
        false => Ok(()),
    }
}

fn secret_location(text: &str) -> Result<(), String> {
    location(text)?;
    match text.starts_with(['/', '~']) {
        true => Ok(()),
        false => Err("a private key does not belong into the repository".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_read_back_as_they_were_written() {
        for text in [
            "unix:///run/docker.sock",
            "ssh://deploy@10.0.0.11:22",
            "ssh://web-1",
            "ssh://[::1]:2222",
            "ssh://me@h/run/user/1000/docker.sock",
            "tcp://10.0.0.11:2376",
        ] {
            assert_eq!(Endpoint::parse(text).map(|it| it.to_string()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_is_no_url_says_why() {
        let why: Vec<String> = [
            "",
            "10.0.0.1",
            "http://h:2375",
            "npipe:////./pipe/x",
            "unix://run/x",
            "ssh://",
            "ssh://u:p@h",
            "ssh://-oProxyCommand=x",
            "tcp://h",
            "tcp://u@h:1",
            "tcp://h:1/x",
            "ssh://h/a?b",
        ]
        .into_iter()
        .map(|text| format!("{text}: {}", Endpoint::parse(text).expect_err("no URL")))
        .collect();
        insta::assert_snapshot!(why.join("\n"), @r"
        : it does not start with `ssh://`, `unix://` or `tcp://`
        10.0.0.1: it does not start with `ssh://`, `unix://` or `tcp://`
        http://h:2375: `http://` is not taken; write `tcp://HOST:PORT`, with `tls:` beside it
        npipe:////./pipe/x: `npipe://` is unknown; it is `ssh://`, `unix://` or `tcp://`
        unix://run/x: the socket's path must be absolute
        ssh://: it is empty
        ssh://u:p@h: a password does not belong into a file; use a key
        ssh://-oProxyCommand=x: `=` cannot stand in a host name
        tcp://h: the port is missing; with TLS it is usually 2376
        tcp://u@h:1: a user has no meaning here; `tls:` says who we are
        tcp://h:1/x: `1/x` is no port from 1 to 65535
        ssh://h/a?b: the socket's path has a character that cannot stand in a URL
        ");
    }

    #[test]
    fn relative_files_are_seen_from_the_inventory() {
        let at = |text| Location::of(text, "hosts/staging.yaml");
        assert_eq!(at("./known_hosts"), Location::Repository("hosts/known_hosts".into()));
        assert_eq!(at("../ca.pem"), Location::Repository("ca.pem".into()));
        assert_eq!(at("~/.ssh/id").on_disk("/home/me").as_deref(), Some("/home/me/.ssh/id"));
        assert_eq!(at("/etc/x").on_disk("/home/me").as_deref(), Some("/etc/x"));
    }
}
