//! One conversation with a remote repository: what it has, and the objects we lack.
//!
//! Only the object database is written; which references follow is the mirror's business. Host
//! keys are judged by us and not by libgit2, whose own look into `known_hosts` knows neither
//! `@revoked` nor a file of our choice.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use git2::{
    AutotagOption, CertificateCheckStatus, ErrorClass, ErrorCode, FetchOptions, Oid, ProxyOptions,
    RemoteCallbacks, RemoteRedirect,
};

use super::access::Login;
use super::{Access, FetchError, RemoteUrl, certificates, classify};
use crate::ssh::{self, KnownHosts, Verdict, known_hosts};

/// How far a fetch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FetchProgress {
    /// Another process works on the same mirror.
    Waiting,
    /// Nothing has come yet.
    Connecting,
    /// Objects come in.
    Receiving {
        /// Objects that are here.
        objects: usize,
        /// Objects that will come.
        total: usize,
        /// Bytes that are here.
        bytes: usize,
    },
    /// All is here and is being unpacked.
    Resolving {
        /// Deltas done.
        deltas: usize,
        /// Deltas in all.
        total: usize,
    },
}

impl FetchProgress {
    fn of(progress: &git2::Progress<'_>) -> Self {
        let (objects, total) = (progress.received_objects(), progress.total_objects());
        if total > 0 && objects == total && progress.total_deltas() > 0 {
            let (deltas, total) = (progress.indexed_deltas(), progress.total_deltas());
            return Self::Resolving { deltas, total };
        }
        Self::Receiving { objects, total, bytes: progress.received_bytes() }
    }
}

/// What to fetch, and how.
#[derive(Clone, Copy)]
pub(super) struct Request<'a> {
    pub(super) url: &'a RemoteUrl,
    /// The mirror's folder, for messages.
    pub(super) dir: &'a Path,
    pub(super) access: &'a Access,
    /// References that are brought too, by their full names, where the remote repository has them.
    pub(super) also: &'a [String],
    /// Set by the caller, from any thread, to stop.
    pub(super) cancel: &'a AtomicBool,
}

impl Request<'_> {
    pub(super) fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Relaxed)
    }
}

/// What a remote repository has.
pub(super) struct Advertised {
    /// Its branches and tags under their full names.
    pub(super) references: BTreeMap<String, Oid>,
    /// The full name of the branch that its `HEAD` names.
    pub(super) default_branch: Option<String>,
}

/// What the callbacks saw; they can tell libgit2 no more than "no".
struct Witness {
    login: Login,
    refusal: RefCell<Option<FetchError>>,
}

/// Brings the objects of all branches and tags into `repository`; asks for none that are there.
pub(super) fn download(
    repository: &git2::Repository,
    request: Request<'_>,
    progress: &mut dyn FnMut(FetchProgress),
) -> Result<Advertised, FetchError> {
    let local = |error: &git2::Error| classify::local(request.dir, error);
    let mut remote =
        repository.remote_anonymous(request.url.text()).map_err(|error| local(&error))?;
    let final_url = remote.url().map_err(|error| local(&error))?.to_owned();
    // Git's `insteadOf` settings may have put another address in its place.
    let url = RemoteUrl::parse(&final_url, Path::new("/"))
        .map_err(|source| FetchError::Rewritten { url: request.url.clone(), source })?;
    let known = if url.is_ssh() { request.access.read_known_hosts()? } else { Vec::new() };
    if !url.is_ssh() {
        // When none can be read nobody is trusted, and the connection says so.
        drop(certificates::load());
    }
    let config = repository.config().ok();
    let witness = Witness {
        login: Login::new(request.access, &url, request.url),
        refusal: RefCell::default(),
    };

    progress(FetchProgress::Connecting);
    let held = request.access.timeouts.hold().map_err(|error| local(&error))?;
    let result = {
        let mut callbacks = RemoteCallbacks::new();
        callbacks
            .credentials(|url, user, allowed| {
                witness.login.next(config.as_ref(), url, user, allowed)
            })
            .certificate_check(|certificate, _| {
                witness.check_host_key(request.access, &known, &url, certificate)
            })
            .sideband_progress(|_| !request.is_cancelled())
            .transfer_progress(|now| {
                progress(FetchProgress::of(&now));
                !request.is_cancelled()
            });
        let mut proxy = ProxyOptions::new();
        proxy.auto();
        let mut options = FetchOptions::new();
        options
            .remote_callbacks(callbacks)
            .proxy_options(proxy)
            .download_tags(AutotagOption::None)
            // Redirects to the same host are followed all the same.
            .follow_redirects(RemoteRedirect::None)
            .update_fetchhead(false);
        let usual = ["refs/heads/*", "refs/tags/*"].into_iter();
        let wanted = usual.chain(request.also.iter().map(String::as_str));
        let wanted: Vec<String> = wanted.map(|name| format!("+{name}:{name}")).collect();
        remote.download(&wanted, Some(&mut options))
    };
    drop(held);
    if let Err(error) = result {
        return Err(witness.explain(request, &url, &error));
    }
    advertised(&remote, request.also).map_err(|error| witness.explain(request, &url, &error))
}

fn advertised(remote: &git2::Remote<'_>, also: &[String]) -> Result<Advertised, git2::Error> {
    let references = remote
        .list()?
        .iter()
        .filter(|head| {
            let name = head.name();
            let is_usual = name.starts_with("refs/heads/") || name.starts_with("refs/tags/");
            is_usual || also.iter().any(|wanted| wanted == name)
        })
        // Leaves out the `^{}` lines of tags, and names meant to climb out of a folder.
        .filter(|head| git2::Reference::is_valid_name(head.name()))
        .map(|head| (head.name().to_owned(), head.oid()))
        .collect();
    let default_branch =
        remote.default_branch().ok().and_then(|name| name.as_str().ok().map(str::to_owned));
    Ok(Advertised { references, default_branch })
}

impl Witness {
    fn explain(self, request: Request<'_>, url: &RemoteUrl, error: &git2::Error) -> FetchError {
        if let Some(refusal) = self.refusal.into_inner() {
            return refusal;
        }
        if request.is_cancelled() {
            return FetchError::Cancelled { url: request.url.clone() };
        }
        if self.login.is_given_up() || error.code() == ErrorCode::Auth {
            return FetchError::AuthRefused { url: url.clone(), tried: self.login.tried() };
        }
        match classify::remote(request.dir, url, self.login.tried(), error) {
            FetchError::KnownHosts { source, .. } => request.access.strange_known_hosts(source),
            other => other,
        }
    }

    /// Judges the key of an SSH host; TLS certificates are left to libgit2.
    fn check_host_key(
        &self,
        access: &Access,
        known: &[KnownHosts],
        url: &RemoteUrl,
        certificate: &git2::cert::Cert<'_>,
    ) -> Result<CertificateCheckStatus, git2::Error> {
        if !url.is_ssh() {
            return Ok(CertificateCheckStatus::CertificatePassthrough);
        }
        let key = certificate.as_hostkey().and_then(|key| key.hostkey());
        match refusal(access, known, url, key.unwrap_or_default()) {
            None => Ok(CertificateCheckStatus::CertificateOk),
            Some(refusal) => {
                *self.refusal.borrow_mut() = Some(refusal);
                Err(git2::Error::new(ErrorCode::Certificate, ErrorClass::Ssh, "host key refused"))
            }
        }
    }
}

/// Why `key` is not taken for the key of `url`'s host; `None` when it is.
fn refusal(
    access: &Access,
    known: &[KnownHosts],
    url: &RemoteUrl,
    key: &[u8],
) -> Option<FetchError> {
    // libgit2 tells the callback the host without its port; the address has both.
    let host = url.host().unwrap_or_default().to_owned();
    let port = url.port().unwrap_or(22);
    let kind = known_hosts::kind(key).unwrap_or("unknown").to_owned();
    let fingerprint = ssh::fingerprint(key);
    match known_hosts::judge(known, &host, port, key) {
        Verdict::Known => None,
        Verdict::Unknown => {
            let file = access.known_hosts_file();
            let noted = known_hosts::noted_kinds(known, &host, port);
            Some(FetchError::HostKeyUnknown { host, port, kind, fingerprint, file, noted })
        }
        Verdict::Changed { file, line } => {
            Some(FetchError::HostKeyChanged { host, port, kind, fingerprint, file, line })
        }
        Verdict::Revoked { file, line } => {
            Some(FetchError::HostKeyRevoked { host, fingerprint, file, line })
        }
    }
}

#[cfg(test)]
mod tests;
