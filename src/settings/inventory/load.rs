//! The inventory as a whole: read from its file, defaults laid under, names looked up.

use std::collections::{BTreeMap, BTreeSet};

use super::endpoint::{Endpoint, Location};
use super::host::{Host, Jump, SshSettings};
use super::network;
use super::proxy::Proxy;
use super::registry::Registry;
use super::shape::INVENTORY;
use crate::diag::{Diagnostic, Sources};
use crate::files::Files;
use crate::model::Name;
use crate::settings::Placed;
use crate::settings::document::{
    Document, inside, missing, only_one_of, read_checked, refuse_templates, unreadable,
};
use crate::settings::placed::{entries, text};
use crate::yaml::Node;

/// The hosts and proxies of one environment.
#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    /// The file it was read from; `None` when there is none.
    pub file: Option<String>,
    /// The hosts by name.
    pub hosts: BTreeMap<Name, Host>,
    /// The proxies by name.
    pub proxies: BTreeMap<Name, Proxy>,
    /// Logins for registries, by the name that images begin with.
    pub registries: BTreeMap<String, Registry>,
    /// What a plan does about a host that does not answer.
    pub unreachable: Unreachable,
}

/// What a plan does about a host that does not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unreachable {
    /// It fails.
    #[default]
    Fail,
    /// It goes on without the host, and says so.
    Skip,
}

impl Inventory {
    /// One host `local`, the Docker engine of this machine, and no proxy.
    pub fn local() -> Self {
        let local = Host::local();
        Self {
            file: None,
            hosts: BTreeMap::from([(local.name.clone(), local)]),
            proxies: BTreeMap::new(),
            registries: BTreeMap::new(),
            unreachable: Unreachable::Fail,
        }
    }

    /// Reads the file that an environment names, else `inventory.yaml`, else [`Self::local`].
    pub fn load(
        files: &dyn Files,
        sources: &Sources,
        named: Option<&Placed<String>>,
        problems: &mut Vec<Diagnostic>,
    ) -> Self {
        let path = match named {
            Some(named) => named.value.as_str(),
            None => {
                let candidates = ["inventory.yaml", "inventory.yml"];
                refuse_templates(files, &candidates, problems);
                match only_one_of(files, &candidates, problems) {
                    Some(path) => path,
                    None => return Self::local(),
                }
            }
        };
        match read_checked(files, sources, path, &INVENTORY, problems) {
            // Where its path stands in `gitdeploy.yaml`, its absence has been reported.
            Document::Absent => {
                let missing = named.map(|named| missing(files, named));
                let missing = missing.filter(|it| !problems.contains(it));
                problems.extend(missing);
                Self::local()
            }
            Document::Empty => Self { file: Some(path.to_owned()), ..Self::local() },
            Document::Root(root) => Reader { files, path, root: &root, problems }.inventory(),
        }
    }
}

struct Reader<'a> {
    files: &'a dyn Files,
    path: &'a str,
    root: &'a Node,
    problems: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn inventory(mut self) -> Inventory {
        let hosts = self.hosts();
        // A host that could not be read is still a host: naming it is no second mistake.
        let mut described: BTreeSet<Name> =
            entries(self.root, "hosts").filter_map(|(key, _)| Name::parse(key).ok()).collect();
        described.extend(hosts.keys().cloned());
        self.check_jumps(&hosts, &described);
        let proxies = self.proxies(&hosts, &described);
        self.problems.extend(network::check(&hosts, &proxies));
        let unreachable = match text(self.root, "unreachable") {
            Some(word) if word.value == "skip" => Unreachable::Skip,
            _ => Unreachable::Fail,
        };
        let registries = self.registries();
        let file = Some(self.path.to_owned());
        Inventory { file, hosts, proxies, registries, unreachable }
    }

    fn hosts(&mut self) -> BTreeMap<Name, Host> {
        let Some(node) = self.root.get("hosts") else { return Inventory::local().hosts };
        if node.as_map().is_some_and(crate::yaml::Map::is_empty) {
            self.problems.push(
                Diagnostic::error("inventory/no-hosts", "`hosts` names no host")
                    .at(node.span)
                    .help("leave the key out to deploy to the Docker engine of this machine"),
            );
        }
        let mut hosts = BTreeMap::new();
        for (key, item) in entries(self.root, "hosts") {
            let Ok(name) = Name::parse(key) else { continue };
            let host = Host::read(name.clone(), item.key, &item.node, self.path, self.problems);
            if let Some(host) = host {
                hosts.insert(name, host);
            }
        }
        self.check_locations(&hosts);
        self.lay_defaults(&mut hosts);
        hosts
    }

    fn registries(&mut self) -> BTreeMap<String, Registry> {
        let mut registries = BTreeMap::new();
        for (server, item) in entries(self.root, "registries") {
            if let Some(registry) = Registry::read(server, item, self.path, self.problems) {
                registries.insert(server.to_owned(), registry);
            }
        }
        registries
    }

    fn lay_defaults(&mut self, hosts: &mut BTreeMap<Name, Host>) {
        let Some(node) = self.root.get("defaults").and_then(|node| node.get("ssh")) else { return };
        let defaults = SshSettings::read(node, self.path);
        if let Some(location) = &defaults.known_hosts {
            self.check_location(location);
        }
        let on_the_way = match defaults.jump.as_ref().map(|jump| &jump.value) {
            Some(Jump::Host(first)) => way_through(hosts, first),
            Some(Jump::None | Jump::Machine(_)) | None => BTreeSet::new(),
        };
        for (name, host) in hosts {
            let SshSettings { user, port, identity, known_hosts, jump } = &mut host.ssh;
            *user = user.take().or_else(|| defaults.user.clone());
            *port = port.take().or(defaults.port);
            *identity = identity.take().or_else(|| defaults.identity.clone());
            *known_hosts = known_hosts.take().or_else(|| defaults.known_hosts.clone());
            if !on_the_way.contains(name) {
                *jump = jump.take().or_else(|| defaults.jump.clone());
            }
        }
    }

    fn check_locations(&mut self, hosts: &BTreeMap<Name, Host>) {
        for location in hosts.values().filter_map(|host| host.ssh.known_hosts.as_ref()) {
            self.check_location(location);
        }
        for (_, item) in entries(self.root, "hosts") {
            let Some(tls) = item.node.get("tls") else { continue };
            for location in ["ca", "cert"].into_iter().filter_map(|key| text(tls, key)) {
                let location = location.map(|path| Location::of(&path, self.path));
                self.check_location(&location);
            }
        }
    }

    /// A file of the commit must be there; one on disk is somebody else's to find. Private keys are
    /// never of the commit, which their format says.
    fn check_location(&mut self, location: &Placed<Location>) {
        let Location::Repository(path) = &location.value else { return };
        self.check_file(&Placed::new(path.clone(), location.span));
    }

    fn check_file(&mut self, path: &Placed<String>) {
        let Some(path) = inside("", path, self.problems) else { return };
        match self.files.is_file(&path.value) {
            Ok(true) => {}
            Ok(false) => self.problems.push(missing(self.files, &path)),
            Err(error) => self.problems.push(unreadable(&error).at(path.span)),
        }
    }

    fn check_jumps(&mut self, hosts: &BTreeMap<Name, Host>, described: &BTreeSet<Name>) {
        let mut reported: BTreeSet<&Name> = BTreeSet::new();
        let mut unknown = BTreeSet::new();
        for (name, host) in hosts {
            let Some(Placed { value: Jump::Host(jump), span }) = &host.ssh.jump else { continue };
            if !described.contains(jump) {
                // A default is laid under many hosts; one finding for its place is enough.
                if unknown.insert(*span) {
                    self.problems.push(unknown_jump(jump, *span, described));
                }
                continue;
            }
            if let Some(other) = hosts.get(jump)
                && !matches!(other.endpoint, Endpoint::Ssh { .. })
                && unknown.insert(*span)
            {
                self.problems.push(
                    Diagnostic::error(
                        "inventory/bad-jump",
                        format!("the jump leads through `{jump}`, which is not reached over SSH"),
                    )
                    .at(*span),
                );
            }
            let way = way_through(hosts, jump);
            if way.contains(name) && !reported.contains(name) {
                let others = way.iter().filter(|other| *other != name);
                let others: Vec<String> = others.map(|name| format!("`{name}`")).collect();
                let by_way = match others.is_empty() {
                    true => String::new(),
                    false => format!(", by way of {}", others.join(", ")),
                };
                self.problems.push(
                    Diagnostic::error(
                        "inventory/jump-cycle",
                        format!("`{name}` is reached through itself{by_way}"),
                    )
                    .at(*span)
                    .help("one of them must be reached directly: `jump: none`"),
                );
                reported.extend(hosts.keys().filter(|name| way.contains(*name)));
            }
        }
    }

    fn proxies(
        &mut self,
        hosts: &BTreeMap<Name, Host>,
        described: &BTreeSet<Name>,
    ) -> BTreeMap<Name, Proxy> {
        let mut proxies = BTreeMap::new();
        for (key, item) in entries(self.root, "proxies") {
            let Ok(name) = Name::parse(key) else { continue };
            let known = super::proxy::KnownHosts { hosts, described };
            let proxy = Proxy::read(name.clone(), item, self.path, known, self.problems);
            if let Some(proxy) = proxy {
                if let Some(template) = &proxy.template {
                    self.check_file(template);
                }
                proxies.insert(name, proxy);
            }
        }
        proxies
    }
}

/// The hosts that a way starting at `first` leads through, by the jumps of each; ends at a cycle.
fn way_through(hosts: &BTreeMap<Name, Host>, first: &Name) -> BTreeSet<Name> {
    let mut way = BTreeSet::new();
    let mut next = Some(first);
    while let Some(name) = next {
        if !way.insert(name.clone()) {
            break;
        }
        let jump = hosts.get(name).and_then(|host| host.ssh.jump.as_ref());
        next = match jump.map(|jump| &jump.value) {
            Some(Jump::Host(name)) => Some(name),
            Some(Jump::None | Jump::Machine(_)) | None => None,
        };
    }
    way
}

fn unknown_jump(jump: &Name, at: crate::diag::Span, described: &BTreeSet<Name>) -> Diagnostic {
    Diagnostic::error(
        "inventory/unknown-host",
        format!("the jump leads through `{jump}`, which is no host of this inventory"),
    )
    .at(at)
    .did_you_mean(jump.as_str(), described.iter().map(Name::as_str))
    .help("a machine without an engine of its own is written `ssh://user@host:port`")
}
