//! What goes wrong while mirroring, each way under its own name, and what to do next.
//!
//! No text ever holds a password or token: addresses appear only as [`RemoteUrl`], which leaves
//! them out, and words of libgit2 are scrubbed before they get here.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::{RemoteUrl, UrlError};
use crate::ssh::known_hosts;

/// Why a remote repository could not be mirrored. The mirror as it was before stays usable.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The host's name has no address.
    #[error("find the host of `{url}`: {reason}")]
    HostNotFound {
        /// The repository.
        url: RemoteUrl,
        /// What the resolver said.
        reason: String,
    },
    /// Nobody answers at the host's address.
    #[error("connect to `{url}`: {reason}")]
    Unreachable {
        /// The repository.
        url: RemoteUrl,
        /// What the system said.
        reason: String,
    },
    /// The host took too long to answer.
    #[error("fetch `{url}`: the host was silent for too long")]
    Timeout {
        /// The repository.
        url: RemoteUrl,
    },
    /// None of the ways to log in was accepted.
    #[error("log in to `{url}`: {}", tried_text(tried))]
    AuthRefused {
        /// The repository.
        url: RemoteUrl,
        /// The ways that were tried, in order, with why one was passed over.
        tried: Vec<String>,
    },
    /// The host's key is in no `known_hosts` file.
    #[error("trust `{host}`: its {kind} key {fingerprint} is not in `{}`{}",
        file.display(), noted_text(noted))]
    HostKeyUnknown {
        /// The host, without port.
        host: String,
        /// The port.
        port: u16,
        /// The kind of key: `ssh-ed25519`.
        kind: String,
        /// `SHA256:…`, as OpenSSH prints it.
        fingerprint: String,
        /// Where the key was looked for and is to be added.
        file: PathBuf,
        /// The other kinds of key that are known for it.
        noted: Vec<String>,
    },
    /// `known_hosts` has another key of the same kind for this host.
    #[error(
        "trust `{host}`: its {kind} key is now {fingerprint}, not the one in `{}` line {line}",
        file.display()
    )]
    HostKeyChanged {
        /// The host, without port.
        host: String,
        /// The port.
        port: u16,
        /// The kind of key.
        kind: String,
        /// The new key's `SHA256:…`.
        fingerprint: String,
        /// The file with the old key.
        file: PathBuf,
        /// The old key's line, counted from 1.
        line: usize,
    },
    /// `known_hosts` marks the host's key as revoked.
    #[error("trust `{host}`: its key {fingerprint} is revoked in `{}` line {line}", file.display())]
    HostKeyRevoked {
        /// The host, without port.
        host: String,
        /// The key's `SHA256:…`.
        fingerprint: String,
        /// The file that revokes it.
        file: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// A `known_hosts` file is there and cannot be read or understood.
    #[error("read `{}`", file.display())]
    KnownHosts {
        /// The file.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The server's TLS certificate is not valid for the host, or not trusted.
    #[error("trust the certificate of `{url}`: {reason}")]
    Certificate {
        /// The repository.
        url: RemoteUrl,
        /// What is wrong with it.
        reason: String,
    },
    /// The host answers and knows no such repository.
    #[error("find a repository at `{url}`: {reason}")]
    RepositoryNotFound {
        /// The repository.
        url: RemoteUrl,
        /// What the host said.
        reason: String,
    },
    /// The repository is on this machine and belongs to another user, who could plant
    /// configuration in it.
    #[error("use `{url}`: it belongs to another user")]
    Owner {
        /// The repository.
        url: RemoteUrl,
    },
    /// The repository has neither branches nor tags.
    #[error("use `{url}`: the repository is empty")]
    EmptyRepository {
        /// The repository.
        url: RemoteUrl,
    },
    /// Git's own configuration (`url.*.insteadOf`) leads to an address that is not accepted.
    #[error("use `{url}`: Git's `insteadOf` setting turns it into an address that is refused")]
    Rewritten {
        /// The repository as it was asked for.
        url: RemoteUrl,
        /// Why the other address is refused.
        source: UrlError,
    },
    /// The cache folder cannot be written.
    #[error("write the mirror at `{}`", dir.display())]
    CacheNotWritable {
        /// The mirror's folder.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// libgit2 could not store what it fetched.
    #[error("write the mirror at `{}`: {reason}", dir.display())]
    CacheFailed {
        /// The mirror's folder.
        dir: PathBuf,
        /// What libgit2 said.
        reason: String,
    },
    /// The caller asked to stop.
    #[error("fetch `{url}`: cancelled")]
    Cancelled {
        /// The repository.
        url: RemoteUrl,
    },
    /// The host said something that is not understood.
    #[error("fetch `{url}`: {reason}")]
    Protocol {
        /// The repository.
        url: RemoteUrl,
        /// What libgit2 said.
        reason: String,
    },
}

impl FetchError {
    /// One thing to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::HostNotFound { url, .. } => match url.host() {
                Some(host) => format!("check the name with `getent hosts {host}`"),
                None => "check the address".to_owned(),
            },
            Self::Unreachable { url, .. } | Self::Timeout { url } => reach_hint(url),
            Self::AuthRefused { url, .. } => login_hint(url),
            Self::HostKeyUnknown { host, port, file, .. } => format!(
                "compare the fingerprint with the one its owner publishes, then run \
                 `ssh-keyscan -p {port} {host} >> '{}'`",
                file.display()
            ),
            Self::HostKeyChanged { host, port, file, .. } => format!(
                "somebody may be listening in; if its owner did change the key, run \
                 `ssh-keygen -R '{}' -f {}` and add the new one",
                known_hosts::name(host, *port),
                file.display()
            ),
            Self::HostKeyRevoked { .. } => {
                "do not connect; ask the host's owner for its new key".to_owned()
            }
            Self::KnownHosts { file, .. } => {
                format!("see whether `ssh-keygen -l -f '{}'` can read it", file.display())
            }
            Self::Certificate { url, .. } => match url.host() {
                Some(host) => format!(
                    "look at it with `openssl s_client -connect {host}:{}`; a private authority \
                     goes into the system's certificates",
                    url.port().unwrap_or(443)
                ),
                None => "check the server's certificate".to_owned(),
            },
            Self::RepositoryNotFound { url, .. } => {
                format!("check the address, and that you may read it: `git ls-remote {url}`")
            }
            Self::Owner { url } => {
                format!("if you trust it, run `git config --global --add safe.directory {url}`")
            }
            Self::EmptyRepository { .. } => "push a first commit to it".to_owned(),
            Self::Rewritten { .. } => {
                "see the setting with `git config --get-regexp 'url.*insteadof'`".to_owned()
            }
            Self::CacheNotWritable { dir, .. } | Self::CacheFailed { dir, .. } => format!(
                "check free space and permissions of `{}`, or remove it: it is fetched again",
                dir.display()
            ),
            Self::Cancelled { .. } => "run it again; what was there before is untouched".to_owned(),
            Self::Protocol { url, .. } => format!("see whether `git ls-remote {url}` works"),
        }
    }
}

fn reach_hint(url: &RemoteUrl) -> String {
    match (url.host(), url.port()) {
        (Some(host), Some(port)) => format!("check that it answers: `nc -vz {host} {port}`"),
        _ => format!("check that it answers: `git ls-remote {url}`"),
    }
}

fn login_hint(url: &RemoteUrl) -> String {
    if url.is_ssh() {
        "load a key the host knows with `ssh-add`, or name its file".to_owned()
    } else {
        "set GITDEPLOY_GIT_TOKEN to a token that may read the repository".to_owned()
    }
}

fn noted_text(noted: &[String]) -> String {
    if noted.is_empty() {
        return String::new();
    }
    format!(" (only its {} key is)", noted.join(" and "))
}

fn tried_text(tried: &[String]) -> String {
    if tried.is_empty() {
        return "there is nothing to log in with".to_owned();
    }
    format!("tried {}", tried.join(", "))
}
