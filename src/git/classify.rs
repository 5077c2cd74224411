//! Tells from libgit2's errors what has happened.
//!
//! libgit2 has few codes and often drops them on the way, so its words are looked at too. Whatever
//! is not recognised keeps its words, scrubbed of secrets, under [`FetchError::Protocol`].

use std::io;
use std::path::{Path, PathBuf};

use git2::{ErrorClass, ErrorCode};

use super::{FetchError, RemoteUrl};

/// The last is what OpenSSL makes of a wait that ended.
const TIMED_OUT: [&str; 3] = ["timed out", "timeout", "resource temporarily unavailable"];
const HUNG_UP: [&str; 9] = [
    "failed to connect",
    "connection refused",
    "connection reset",
    "unreachable",
    "ssl error",
    "from socket",
    "unexpected eof",
    "banner",
    "disconnect",
];

/// An error that comes from our own side of the fetch.
pub(super) fn local(dir: &Path, error: &git2::Error) -> FetchError {
    FetchError::CacheFailed { dir: dir.to_owned(), reason: error.message().to_owned() }
}

/// An error of the conversation with `url`, written to the repository `dir`.
pub(super) fn remote(
    dir: &Path,
    url: &RemoteUrl,
    tried: Vec<String>,
    error: &git2::Error,
) -> FetchError {
    let reason = url.scrub(error.message().trim());
    let says = |words: &[&str]| {
        let reason = reason.to_ascii_lowercase();
        words.iter().any(|word| reason.contains(word))
    };
    let url = url.clone();
    let is_http_status = |codes: &[&str]| {
        error.class() == ErrorClass::Http && codes.iter().any(|code| reason.ends_with(code))
    };

    if error.code() == ErrorCode::Owner {
        FetchError::Owner { url }
    } else if says(&["known_hosts"]) {
        // libgit2 reads this file too, to choose the kind of key it asks the host for.
        let file = PathBuf::from("~/.ssh/known_hosts");
        FetchError::KnownHosts { file, source: io::Error::other(reason) }
    } else if error.code() == ErrorCode::Timeout || says(&TIMED_OUT) {
        FetchError::Timeout { url }
    } else if error.code() == ErrorCode::Certificate || says(&["certificate"]) {
        FetchError::Certificate { url, reason }
    } else if says(&["failed to resolve address"]) {
        FetchError::HostNotFound { url, reason }
    } else if says(&HUNG_UP) {
        FetchError::Unreachable { url, reason }
    } else if is_http_status(&[": 401", ": 403"]) || says(&["authenticat"]) {
        FetchError::AuthRefused { url, tried }
    } else if is_http_status(&[": 404", ": 410"]) || is_missing(&url, error, says) {
        FetchError::RepositoryNotFound { url, reason }
    } else if is_about_storage(error) {
        FetchError::CacheFailed { dir: dir.to_owned(), reason }
    } else {
        FetchError::Protocol { url, reason }
    }
}

fn is_missing(url: &RemoteUrl, error: &git2::Error, says: impl Fn(&[&str]) -> bool) -> bool {
    if url.is_ssh() {
        // All a host can do is to print a sentence and hang up.
        let sentences =
            ["not found", "does not appear", "does not exist", "no such", "access denied"];
        return error.class() == ErrorClass::Ssh
            && (error.code() == ErrorCode::Eof || says(&sentences));
    }
    let is_local = url.host().is_none();
    is_local
        && (error.code() == ErrorCode::NotFound
            || says(&["could not find repository", "failed to resolve path"]))
}

fn is_about_storage(error: &git2::Error) -> bool {
    matches!(
        error.class(),
        ErrorClass::Os
            | ErrorClass::NoMemory
            | ErrorClass::Odb
            | ErrorClass::Indexer
            | ErrorClass::Filesystem
            | ErrorClass::Repository
    )
}
