//! One proxy of the inventory: what runs where, what it listens on, how it is told of a change.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;

use super::host::Host;
use crate::diag::{Diagnostic, Span};
use crate::files::parent;
use crate::model::Name;
use crate::settings::address::{parse_port, split_port};
use crate::settings::placed::{items, parsed, text, texts};
use crate::settings::{HostSelector, Placed};
use crate::shape::Format;
use crate::yaml::{Item, Node, Value};

/// A proxy that somebody runs, and that routes are written for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// Its name.
    pub name: Name,
    /// Where it is described.
    pub span: Span,
    /// What it is.
    pub kind: ProxyKind,
    /// Where it runs; selectors have been looked up. In the order of the names, without repeats.
    pub hosts: Vec<Name>,
    /// As what it runs there.
    pub runs: Runs,
    /// The one file that is written.
    pub config: Placed<String>,
    /// Where it takes requests.
    pub listen: Vec<Listen>,
    /// The command that checks its configuration, run where the proxy runs.
    pub test: Vec<String>,
    /// The command that makes it read its configuration, run where the proxy runs.
    pub reload: Vec<String>,
    /// HAProxy's runtime socket.
    pub socket: Option<Placed<String>>,
    /// A template of the commit instead of the built-in one, from the repository's root.
    pub template: Option<Placed<String>>,
}

/// The proxies that are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyKind {
    /// nginx.
    Nginx,
    /// HAProxy.
    Haproxy,
}

/// As what a proxy runs on its hosts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Runs {
    /// A service of the host.
    Host,
    /// A container of that name; its commands run in it, its paths lie in it.
    Container(String),
}

/// One place where a proxy takes requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// The address; `None` for all.
    pub address: Option<IpAddr>,
    /// The port.
    pub port: u16,
    /// Set for HTTPS.
    pub tls: Option<ListenTls>,
    /// Where it is written; at the proxy's key when it was left out.
    pub span: Span,
}

/// A certificate, as paths where the proxy runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenTls {
    /// The certificate with its chain.
    pub cert: String,
    /// Its key; HAProxy may have it in `cert`.
    pub key: Option<String>,
}

pub(super) const CONTAINER_OR_HOST: Format = Format {
    name: "place of a proxy",
    example: "container:edge-nginx",
    check: |text| Runs::parse(text).map(drop),
};

pub(super) const TEMPLATE: Format =
    Format { name: "template of this repository", example: "./edge.conf.j2", check: template };

pub(super) const LISTEN_TEXT: Format = Format {
    name: "listening address",
    example: "127.0.0.1:8080",
    check: |text| listen_text(text).map(drop),
};

/// The hosts that can be named: those that could be read, and all that are described.
#[derive(Debug, Clone, Copy)]
pub(super) struct KnownHosts<'a> {
    pub(super) hosts: &'a BTreeMap<Name, Host>,
    pub(super) described: &'a BTreeSet<Name>,
}

impl Proxy {
    /// Reads the entry of `name` in `file`, whose shape has been checked. `None` when something
    /// that makes it a proxy is missing.
    pub(super) fn read(
        name: Name,
        item: &Item,
        file: &str,
        known: KnownHosts<'_>,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let node = &item.node;
        let hosts = hosts(node, known, problems);
        let listen = listen(node, item.key, problems);
        let kind = parsed(node, "kind", ProxyKind::parse)?;
        let config = text(node, "config").filter(|path| path.value.starts_with('/'))?;
        let runs = parsed(node, "runs", Runs::parse).map_or(Runs::Host, |runs| runs.value);
        let socket = text(node, "socket");
        if let (ProxyKind::Nginx, Some(socket)) = (kind.value, &socket) {
            problems.push(
                Diagnostic::error("inventory/no-socket", "nginx has no runtime socket")
                    .at(socket.span)
                    .related(kind.span, "the proxy is an nginx"),
            );
        }
        if kind.value == ProxyKind::Nginx {
            refuse_missing_keys(node, problems);
        }
        let words = |key: &str| -> Vec<String> {
            texts(node, key).map(|word| word.value.to_owned()).collect()
        };
        let or = |said: Vec<String>, usual: Vec<String>| if said.is_empty() { usual } else { said };
        Some(Self {
            name,
            span: item.key,
            hosts,
            test: or(words("test"), usual_test(kind.value, &runs, &config.value)),
            reload: or(words("reload"), usual_reload(kind.value, &runs)),
            kind: kind.value,
            runs,
            config,
            listen,
            socket,
            template: text(node, "template")
                .map(|path| path.map(|path| crate::files::join(parent(file), &path))),
        })
    }
}

impl ProxyKind {
    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "nginx" => Ok(Self::Nginx),
            "haproxy" => Ok(Self::Haproxy),
            other => Err(format!("`{other}` is unknown")),
        }
    }
}

impl Runs {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "host" {
            return Ok(Self::Host);
        }
        let Some(container) = text.strip_prefix("container:") else {
            return Err("it is neither `host` nor `container:NAME`".into());
        };
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        match container.starts_with(|c: char| c.is_ascii_alphanumeric())
            && container.chars().all(is_allowed)
        {
            true => Ok(Self::Container(container.to_owned())),
            false => Err(format!("`{container}` is no name of a container")),
        }
    }
}

impl fmt::Display for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host => f.write_str("host"),
            Self::Container(name) => write!(f, "container:{name}"),
        }
    }
}

fn template(path: &str) -> Result<(), String> {
    if path.starts_with(['/', '~']) {
        return Err("it is seen from this file and lies in the repository".into());
    }
    match path.ends_with(".j2") && !path.chars().any(char::is_control) {
        true => Ok(()),
        false => Err("its name must end in `.j2`".into()),
    }
}

fn argv(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn usual_test(kind: ProxyKind, runs: &Runs, config: &str) -> Vec<String> {
    let main = match (kind, runs) {
        (ProxyKind::Nginx, _) => return argv(&["nginx", "-t"]),
        (ProxyKind::Haproxy, Runs::Host) => "/etc/haproxy/haproxy.cfg",
        // Where the official image has it.
        (ProxyKind::Haproxy, Runs::Container(_)) => "/usr/local/etc/haproxy/haproxy.cfg",
    };
    match config == main {
        true => argv(&["haproxy", "-c", "-f", main]),
        false => argv(&["haproxy", "-c", "-f", main, "-f", config]),
    }
}

fn usual_reload(kind: ProxyKind, runs: &Runs) -> Vec<String> {
    match (kind, runs) {
        (ProxyKind::Nginx, _) => argv(&["nginx", "-s", "reload"]),
        (ProxyKind::Haproxy, Runs::Host) => argv(&["systemctl", "reload", "haproxy"]),
        // The master is the container's first process and reads its files again on this signal.
        (ProxyKind::Haproxy, Runs::Container(_)) => argv(&["kill", "-USR2", "1"]),
    }
}

fn hosts(node: &Node, known: KnownHosts<'_>, problems: &mut Vec<Diagnostic>) -> Vec<Name> {
    let mut found = BTreeSet::new();
    for term in texts(node, "hosts") {
        let selector = match HostSelector::parse(term.value) {
            Ok(selector) => selector,
            Err(why) => {
                let message = format!("`{}` selects no host: {why}", term.value);
                problems.push(Diagnostic::error("inventory/bad-selector", message).at(term.span));
                continue;
            }
        };
        let matching =
            known.hosts.values().filter(|host| selector.matches(&host.name, &host.labels));
        let matching: Vec<Name> = matching.map(|host| host.name.clone()).collect();
        let is_empty = matching.is_empty();
        found.extend(matching);
        if is_empty && !known.described.contains(term.value) {
            problems.push(no_such_host(&term, known));
        }
    }
    found.into_iter().collect()
}

fn no_such_host(term: &Placed<&str>, known: KnownHosts<'_>) -> Diagnostic {
    let message = match Name::parse(term.value) {
        Ok(name) => format!("`{name}` is no host of this inventory"),
        Err(_) => format!("no host has labels that fit `{}`", term.value),
    };
    Diagnostic::error("inventory/unknown-host", message)
        .at(term.span)
        .did_you_mean(term.value, known.described.iter().map(Name::as_str))
}

fn listen(node: &Node, key: Span, problems: &mut Vec<Diagnostic>) -> Vec<Listen> {
    if node.get("listen").is_none() {
        return vec![Listen { address: None, port: 80, tls: None, span: key }];
    }
    items(node, "listen").iter().filter_map(|item| listener(item, problems)).collect()
}

fn listener(node: &Node, problems: &mut Vec<Diagnostic>) -> Option<Listen> {
    let port_of = |number: i64| u16::try_from(number).ok().filter(|port| *port > 0);
    let (address, port, tls) = match &node.value {
        Value::Int(port) => (None, port_of(*port)?, None),
        Value::Str(text) => {
            let (address, port) = listen_text(text).ok()?;
            (address, port, None)
        }
        Value::Map(map) => {
            let port = match map.get("port")?.value {
                Value::Int(port) => port_of(port)?,
                _ => return None,
            };
            let address = text(node, "address");
            let ip = address.as_ref().and_then(|address| address.value.parse().ok());
            if let (Some(address), None) = (&address, &ip) {
                problems.push(
                    Diagnostic::error(
                        "inventory/listen-address",
                        format!("`{}` is no IP address; a proxy listens on one", address.value),
                    )
                    .at(address.span),
                );
            }
            let tls = node.get("tls").and_then(|tls| {
                let key = text(tls, "key").map(|key| key.value);
                Some(ListenTls { cert: text(tls, "cert")?.value, key })
            });
            (ip, port, tls)
        }
        Value::Null | Value::Bool(_) | Value::Float(_) | Value::Seq(_) => return None,
    };
    Some(Listen { address, port, tls, span: node.span })
}

fn refuse_missing_keys(node: &Node, problems: &mut Vec<Diagnostic>) {
    for tls in items(node, "listen").iter().filter_map(|item| item.get("tls")) {
        if tls.get("cert").is_some() && tls.get("key").is_none() {
            problems.push(
                Diagnostic::error("inventory/half-a-pair", "nginx needs the `key` beside `cert`")
                    .at(tls.span),
            );
        }
    }
}

/// Reads `80`, `127.0.0.1:8080`, `[::1]:8080`, `*:80` and `:80`.
fn listen_text(text: &str) -> Result<(Option<IpAddr>, u16), String> {
    if let Ok(port) = parse_port(text) {
        return Ok((None, port));
    }
    let (host, port) = split_port(text)?;
    let port = port.ok_or("the port is missing")?;
    match host {
        "" | "*" => Ok((None, port)),
        host => match host.parse() {
            Ok(ip) => Ok((Some(ip), port)),
            Err(_) => Err(format!("`{host}` is no IP address")),
        },
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(IpAddr::V6(ip)) => write!(f, "[{ip}]:{}", self.port),
            Some(ip) => write!(f, "{ip}:{}", self.port),
            None => write!(f, "port {}", self.port),
        }
    }
}
