//! What a proxy's template sees: the table, checked, sorted and put the way configurations want it.
//!
//! Which rule a request meets is decided here alone, so that both proxies decide alike: the exact
//! name before wildcards, the longer wildcard before the shorter, and under one name the longest
//! path. A name that has no rule for a path answers 404; a wildcard does not step in for it.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::Serialize;

use super::site::{GENERATION_HOST, GENERATION_PATH, PROBE_HEADER, SERVER_HEADER};
use super::{RenderError, Site, quoting, runtime_server, upstream_name};
use crate::model::{Backend, BackendKey, Endpoint, RoutingTable};
use crate::settings::{Listen, ListenTls, ProxyKind};
use crate::template::Shared;

/// Servers that fit into 32 KiB of nginx's shared memory, with room to spare.
const SERVERS_PER_ZONE: usize = 32;

/// The names a proxy's template starts with.
#[derive(Debug, Serialize)]
pub(super) struct Context {
    project: String,
    environment: String,
    proxy: String,
    host: String,
    version: String,
    generation: u64,
    /// A fingerprint of all that a change of servers leaves as it is.
    pub(super) structure: String,
    /// The name and path that the generation is asked for under, the headers of a probe.
    generation_host: &'static str,
    generation_path: &'static str,
    probe_header: &'static str,
    server_header: &'static str,
    /// Addresses that may ask for it.
    ask_from: Vec<String>,
    /// See [`Site::close_flag`].
    close_flag: Option<String>,
    /// See [`Site::is_whole`].
    is_whole: bool,
    socket: Option<String>,
    listeners: Vec<Listener>,
    backends: Vec<Mention>,
    names: Vec<Named>,
}

#[derive(Debug, Serialize)]
struct Listener {
    /// `gitdeploy-80`.
    name: String,
    /// What comes after nginx's `listen` and HAProxy's `bind`.
    binds: Vec<String>,
    tls: Option<Certificate>,
}

#[derive(Debug, Serialize)]
struct Certificate {
    cert: String,
    key: Option<String>,
}

/// A backend wherever it is named.
type Mention = Shared<Target>;

/// A backend.
#[derive(Debug, Serialize)]
struct Target {
    /// `shop.web.8080`: HAProxy's name of it.
    key: String,
    /// nginx's name of it.
    upstream: String,
    check: Option<String>,
    /// Kibibytes of nginx's shared memory.
    zone: usize,
    /// Whether some address needs brackets before a port.
    is_v6: bool,
    servers: Vec<Server>,
}

#[derive(Debug, Serialize)]
struct Server {
    /// The container's name.
    name: String,
    /// `address:port`.
    address: String,
    /// All of it in HAProxy's words.
    line: String,
}

/// A host name with its rules.
#[derive(Debug, Serialize)]
struct Named {
    host: String,
    /// `.example.com` for `*.example.com`.
    suffix: Option<String>,
    /// Longest path first.
    rules: Vec<PathRule>,
    /// The same for nginx, which looks for the longest itself.
    locations: Vec<Location>,
    /// The backends of the rules, each once, that have servers.
    targets: Vec<String>,
}

#[derive(Debug, Serialize)]
struct PathRule {
    path: String,
    /// What a longer path begins with: `/api/` for `/api`.
    below: String,
    backend: Mention,
}

#[derive(Debug, Serialize)]
struct Location {
    is_exact: bool,
    path: String,
    /// `None` answers 404.
    backend: Option<Mention>,
}

type Paths = BTreeMap<String, Mention>;

impl Context {
    pub(super) fn of(site: &Site, table: &RoutingTable) -> Result<Self, RenderError> {
        let mut backends = Vec::new();
        let mut hosts: BTreeMap<String, Paths> = BTreeMap::new();
        for (key, backend) in &table.backends {
            let target = Mention::from(Target::of(key, backend)?);
            for rule in &backend.rules {
                let (host, path) = (quoting::host(&rule.host)?, quoting::path(&rule.path)?);
                let here = format!("{host}{path}");
                let taken = hosts.entry(host).or_default().insert(path, target.clone());
                if let Some(first) = taken {
                    let key = |it: &Mention| it.key.clone();
                    let (first, second) = (key(&first), key(&target));
                    return Err(RenderError::Twice { rule: here, first, second });
                }
            }
            backends.push(target);
        }
        let mut names: Vec<Named> =
            hosts.into_iter().map(|(host, it)| Named::of(host, &it)).collect();
        names.sort_by_key(|name| (name.suffix.is_some(), Reverse(name.host.len())));
        let file = |path: Option<String>| {
            path.map(|path| quoting::file(&path).map(str::to_owned)).transpose()
        };
        Ok(Self {
            project: site.owner.project.to_string(),
            environment: site.owner.environment.to_string(),
            proxy: site.place.proxy.to_string(),
            host: site.place.host.to_string(),
            version: site.version.clone(),
            generation: table.generation,
            structure: String::new(),
            generation_host: GENERATION_HOST,
            generation_path: GENERATION_PATH,
            probe_header: PROBE_HEADER,
            server_header: SERVER_HEADER,
            ask_from: site.ask_from.iter().map(IpAddr::to_string).collect(),
            close_flag: file(site.close_flag())?,
            is_whole: site.is_whole(),
            socket: file(site.socket.clone())?,
            listeners: site
                .listen
                .iter()
                .map(|it| listener(site.kind, it))
                .collect::<Result<_, _>>()?,
            backends,
            names,
        })
    }
}

impl Target {
    fn of(key: &BackendKey, backend: &Backend) -> Result<Self, RenderError> {
        let text = key.to_string();
        quoting::word("backend", &text)?;
        let server = |(name, endpoint): (&String, _)| {
            let line = runtime_server(backend, quoting::word("container", name)?, endpoint);
            let (name, address) = (name.clone(), Endpoint::to_string(endpoint));
            Ok(Server { name, address, line })
        };
        let check = backend.check.as_deref().map(|path| {
            let path = quoting::quotable("check", path)?;
            quoting::path(path.split('?').next().unwrap_or(path)).map(|_| path.to_owned())
        });
        Ok(Self {
            upstream: upstream_name(key),
            key: text,
            check: check.transpose()?,
            zone: 64 + 32 * (backend.servers.len() / SERVERS_PER_ZONE),
            is_v6: backend.servers.values().any(|endpoint| endpoint.address.is_ipv6()),
            servers: backend.servers.iter().map(server).collect::<Result<_, _>>()?,
        })
    }
}

impl Named {
    fn of(host: String, paths: &Paths) -> Self {
        let mut rules: Vec<PathRule> = paths
            .iter()
            .map(|(path, target)| PathRule {
                path: path.clone(),
                below: below(path),
                backend: target.clone(),
            })
            .collect();
        rules.sort_by_key(|rule| Reverse(rule.path.len()));
        let mut targets: Vec<String> = paths
            .values()
            .filter(|target| !target.servers.is_empty())
            .map(|target| target.upstream.clone())
            .collect();
        targets.sort();
        targets.dedup();
        let suffix = host.strip_prefix('*').map(str::to_owned);
        Self { suffix, rules, locations: locations(paths), targets, host }
    }
}

fn below(path: &str) -> String {
    format!("{}/", path.trim_end_matches('/'))
}

/// nginx's `location /api/` leaves `/api` aside (and redirects it when nobody else has it), and
/// `location /api` takes `/apix`: so each rule gets one place for all below and one for itself.
fn locations(paths: &Paths) -> Vec<Location> {
    let mut found: BTreeMap<(String, bool), Option<Mention>> = BTreeMap::new();
    found.insert(("/".into(), false), None);
    for path in paths.keys() {
        let below = below(path);
        found.insert((below.clone(), false), meets(paths, &below));
        let itself = path.trim_end_matches('/');
        if !itself.is_empty() {
            found.insert((itself.to_owned(), true), meets(paths, itself));
        }
    }
    let place = |((path, is_exact), backend)| Location { is_exact, path, backend };
    found.into_iter().map(place).rev().collect()
}

/// The backend that a request for `path` meets.
fn meets(paths: &Paths, path: &str) -> Option<Mention> {
    let takes = |rule: &str| rule == path || path.starts_with(&below(rule));
    let longest = paths.iter().filter(|(rule, _)| takes(rule)).max_by_key(|(rule, _)| rule.len());
    longest.map(|(_, target)| target.clone())
}

fn listener(kind: ProxyKind, listen: &Listen) -> Result<Listener, RenderError> {
    let port = listen.port;
    let (name, binds) = match (listen.address, kind) {
        (Some(ip), _) => {
            let at = std::net::SocketAddr::new(ip, port);
            (format!("gitdeploy-{ip}-{port}"), vec![at.to_string()])
        }
        // Two sockets, so that each address has one form in logs and headers.
        (None, ProxyKind::Nginx) => {
            (format!("gitdeploy-{port}"), vec![port.to_string(), format!("[::]:{port}")])
        }
        (None, ProxyKind::Haproxy) => {
            (format!("gitdeploy-{port}"), vec![format!("*:{port}"), format!("[::]:{port} v6only")])
        }
    };
    let tls = listen.tls.as_ref().map(|tls| certificate(kind, listen, tls)).transpose()?;
    Ok(Listener { name, binds, tls })
}

fn certificate(
    kind: ProxyKind,
    listen: &Listen,
    tls: &ListenTls,
) -> Result<Certificate, RenderError> {
    let refused =
        |why| Err(RenderError::Key { cert: tls.cert.clone(), listen: listen.to_string(), why });
    let cert = quoting::file(&tls.cert)?.to_owned();
    let key = tls.key.as_deref().map(quoting::file).transpose()?.map(str::to_owned);
    match (kind, &key) {
        (ProxyKind::Nginx, None) => refused("nginx needs the `key` beside it"),
        (ProxyKind::Haproxy, Some(key)) if *key != cert && *key != format!("{cert}.key") => {
            refused(
                "HAProxy takes a key from the certificate's own file, or from CERT.key beside it",
            )
        }
        (ProxyKind::Nginx | ProxyKind::Haproxy, _) => Ok(Certificate { cert, key }),
    }
}
