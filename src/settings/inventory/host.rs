//! One host of the inventory, read from its entry.

use std::collections::BTreeMap;
use std::fmt;

use super::endpoint::{Endpoint, Location, Tls};
use crate::diag::{Diagnostic, Span};
use crate::model::Name;
use crate::settings::Placed;
use crate::settings::address::{Address, Authority};
use crate::settings::formats::parse_size;
use crate::settings::placed::{entries, number, parsed};
use crate::shape::Format;
use crate::yaml::{Node, Value};

/// A machine with a Docker engine.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// Its name.
    pub name: Name,
    /// Where it is described; `None` for the host that is there without an inventory.
    pub span: Option<Span>,
    /// How its engine is reached.
    pub endpoint: Endpoint,
    /// Where proxies reach its published ports.
    pub address: Address,
    /// Words that constraints and selectors ask for.
    pub labels: BTreeMap<String, String>,
    /// What replicas may use of it.
    pub capacity: Capacity,
    /// What replicas are published in.
    pub ports: PortRange,
    /// How to log in; the inventory's defaults are in it.
    pub ssh: SshSettings,
}

/// What replicas may use of a host; `None` stands for what the engine reports.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Capacity {
    /// Processors.
    pub cpus: Option<f64>,
    /// Memory in bytes.
    pub memory: Option<u64>,
}

/// A range of TCP ports with both its ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    /// The first port.
    pub first: u16,
    /// The last port.
    pub last: u16,
}

/// How to log in to a host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SshSettings {
    /// Who, when the URL does not say.
    pub user: Option<Placed<String>>,
    /// On which port, when the URL does not say.
    pub port: Option<Placed<u16>>,
    /// With which private key.
    pub identity: Option<Placed<Location>>,
    /// The keys the host may have.
    pub known_hosts: Option<Placed<Location>>,
    /// Through which machine.
    pub jump: Option<Placed<Jump>>,
}

/// A machine to go through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Jump {
    /// None, whatever the defaults or `~/.ssh/config` say.
    None,
    /// A host of the inventory.
    Host(Name),
    /// Any other machine.
    Machine(Authority),
}

pub(super) const JUMP: Format = Format {
    name: "machine to go through",
    example: "ssh://deploy@bastion.example.com",
    check: |text| Jump::parse(text).map(drop),
};

pub(super) const PORTS: Format = Format {
    name: "range of ports",
    example: "20000-29999",
    check: |text| PortRange::parse(text).map(drop),
};

impl Host {
    /// The host that is there without an inventory.
    pub(super) fn local() -> Self {
        let endpoint = Endpoint::Unix { socket: Endpoint::USUAL_SOCKET.to_owned() };
        Self {
            name: Name::parse("local").expect("the literal follows the rule of names"),
            span: None,
            address: endpoint.address(),
            endpoint,
            labels: BTreeMap::new(),
            capacity: Capacity::default(),
            ports: PortRange::USUAL,
            ssh: SshSettings::default(),
        }
    }

    /// Reads the entry of `name`, whose shape has been checked, in the file `inventory`. `None`
    /// when its `docker:` cannot be read.
    pub(super) fn read(
        name: Name,
        key: Span,
        node: &Node,
        inventory: &str,
        problems: &mut Vec<Diagnostic>,
    ) -> Option<Self> {
        let ssh = node.get("ssh").map(|ssh| SshSettings::read(ssh, inventory)).unwrap_or_default();
        let mut endpoint = parsed(node, "docker", Endpoint::parse)?;
        if !matches!(endpoint.value, Endpoint::Ssh { .. }) {
            warn_unused(node, "ssh", "ssh://", &endpoint, problems);
        }
        refuse_contradiction(&endpoint, &ssh, problems);
        match &mut endpoint.value {
            Endpoint::Tcp { tls, .. } => *tls = read_tls(node, endpoint.span, inventory, problems),
            Endpoint::Unix { .. } | Endpoint::Ssh { .. } => {
                warn_unused(node, "tls", "tcp://", &endpoint, problems);
            }
        }
        let address = parsed(node, "address", Address::parse).map(|address| address.value);
        Some(Self {
            name,
            span: Some(key),
            address: address.unwrap_or_else(|| endpoint.value.address()),
            endpoint: endpoint.value,
            labels: labels(node),
            capacity: Capacity::read(node, problems),
            ports: parsed(node, "ports", PortRange::parse).map_or(PortRange::USUAL, |it| it.value),
            ssh,
        })
    }
}

fn labels(node: &Node) -> BTreeMap<String, String> {
    entries(node, "labels")
        .filter_map(|(key, item)| {
            let value = match &item.node.value {
                Value::Str(text) => text.clone(),
                Value::Int(number) => number.to_string(),
                Value::Bool(flag) => flag.to_string(),
                Value::Null | Value::Float(_) | Value::Seq(_) | Value::Map(_) => return None,
            };
            Some((key.to_owned(), value))
        })
        .collect()
}

fn warn_unused(
    node: &Node,
    key: &str,
    scheme: &str,
    endpoint: &Placed<Endpoint>,
    problems: &mut Vec<Diagnostic>,
) {
    if let Some(item) = node.as_map().and_then(|map| map.0.get(key)) {
        problems.push(
            Diagnostic::warning(
                "inventory/unused",
                format!("`{key}` has no effect: it is for `{scheme}` only"),
            )
            .at(item.key)
            .related(endpoint.span, "the engine is reached so"),
        );
    }
}

/// The URL and `ssh:` of one host may both name the user and the port, if they agree.
fn refuse_contradiction(
    endpoint: &Placed<Endpoint>,
    ssh: &SshSettings,
    problems: &mut Vec<Diagnostic>,
) {
    let Endpoint::Ssh { machine, .. } = &endpoint.value else { return };
    let mut refuse = |what: &str, at: Span| {
        problems.push(
            Diagnostic::error("inventory/contradiction", format!("the URL names another {what}"))
                .at(at)
                .related(endpoint.span, "the URL"),
        );
    };
    match (&machine.user, &ssh.user) {
        (Some(url), Some(own)) if *url != own.value => refuse("user", own.span),
        _ => {}
    }
    match (machine.port, ssh.port) {
        (Some(url), Some(own)) if url != own.value => refuse("port", own.span),
        _ => {}
    }
}

fn read_tls(
    node: &Node,
    url: Span,
    inventory: &str,
    problems: &mut Vec<Diagnostic>,
) -> Option<Tls> {
    let file = |node: &Node, key: &str| parsed(node, key, |text| Ok(Location::of(text, inventory)));
    let Some(tls) = node.get("tls") else {
        problems.push(
            Diagnostic::error("inventory/no-tls", "a `tcp://` engine needs `tls` beside its URL")
                .at(url)
                .help("write `tls: {ca: …, cert: …, key: …}`, with paths of files")
                .help(
                    "an engine without TLS makes everybody on its network root of the host; if \
                       that is meant, write `tls: false`",
                ),
        );
        return None;
    };
    if let Value::Bool(true) = tls.value {
        problems.push(
            Diagnostic::error("inventory/no-tls", "`tls: true` does not say which files")
                .at(tls.span)
                .help("write `tls: {ca: …, cert: …, key: …}`"),
        );
    }
    let client = match (file(tls, "cert"), file(tls, "key")) {
        (Some(cert), Some(key)) => Some((cert.value, key.value)),
        (None, None) => None,
        (Some(alone), None) | (None, Some(alone)) => {
            problems.push(
                Diagnostic::error("inventory/half-a-pair", "`cert` and `key` belong together")
                    .at(alone.span),
            );
            None
        }
    };
    Some(Tls { ca: file(tls, "ca")?.value, client })
}

impl Capacity {
    fn read(node: &Node, problems: &mut Vec<Diagnostic>) -> Self {
        let Some(node) = node.get("capacity") else { return Self::default() };
        let memory = node.get("memory").and_then(|memory| match &memory.value {
            Value::Int(bytes) => u64::try_from(*bytes).ok(),
            Value::Str(text) => parse_size(text).ok(),
            _ => None,
        });
        let cpus = node.get("cpus").and_then(|cpus| {
            let number = match cpus.value {
                #[expect(clippy::cast_precision_loss, reason = "no host has 2^52 processors")]
                Value::Int(number) => number as f64,
                Value::Float(number) => number,
                _ => return None,
            };
            if number > 0.0 && number.is_finite() {
                return Some(number);
            }
            problems.push(
                Diagnostic::error("inventory/no-capacity", "`cpus` must be more than 0")
                    .at(cpus.span),
            );
            None
        });
        Self { cpus, memory }
    }
}

impl PortRange {
    /// The range that is used when none is said. It lies below the ports that Linux hands out to
    /// outgoing connections.
    pub const USUAL: Self = Self { first: 20000, last: 29999 };

    /// Reads `20000-29999`.
    pub fn parse(text: &str) -> Result<Self, String> {
        let port = |text: &str| crate::settings::address::parse_port(text.trim());
        let (first, last) = text.split_once('-').ok_or("it has no `-` between two ports")?;
        let (first, last) = (port(first)?, port(last)?);
        if first > last {
            return Err(format!("{first} is above {last}"));
        }
        if first < 1024 {
            return Err("ports below 1024 belong to the system".into());
        }
        Ok(Self { first, last })
    }

    /// Whether `port` lies in it.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.first, self.last)
    }
}

impl SshSettings {
    pub(super) fn read(node: &Node, inventory: &str) -> Self {
        let location = |text: &str| Ok(Location::of(text, inventory));
        Self {
            user: parsed(node, "user", |text| Ok(text.to_owned())),
            port: number(node, "port"),
            identity: parsed(node, "identity", location),
            known_hosts: parsed(node, "known_hosts", location),
            jump: parsed(node, "jump", Jump::parse),
        }
    }
}

impl Jump {
    fn parse(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        match text.strip_prefix("ssh://") {
            Some(machine) => Authority::parse(machine.trim_end_matches('/')).map(Self::Machine),
            None => Name::parse(text).map(Self::Host).map_err(|why| {
                format!("{why}; a machine outside the inventory is written `ssh://user@host`")
            }),
        }
    }
}
