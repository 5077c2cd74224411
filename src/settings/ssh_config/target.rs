//! From a host of the inventory to the connections that reach it, one after the other.
//!
//! For each value the first of these counts: the URL, the host's `ssh:`, the inventory's
//! defaults, `~/.ssh/config`, what `ssh` does by itself.

use super::lookup::{Answer, Question};
use super::parse::SshConfig;
use crate::diag::{Diagnostic, Span};
use crate::settings::{Authority, Endpoint, Host, Inventory, Jump, Location, Placed, SshSettings};

/// The keys that `ssh` tries when none is named, in its order.
const USUAL_KEYS: [&str; 3] = ["id_rsa", "id_ecdsa", "id_ed25519"];

/// The most machines on the way to one host.
const JUMPS_MAX: usize = 8;

/// The user who runs gitdeploy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalUser {
    /// Their name.
    pub name: String,
    /// Their home, an absolute path.
    pub home: String,
}

/// Everything needed to log in to a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshTarget {
    /// Where to connect to: a name or an address.
    pub host: String,
    /// On which port.
    pub port: u16,
    /// As whom.
    pub user: String,
    /// The private keys to try, in order; one that is not there is passed over when it was not
    /// named by anybody.
    pub identities: Vec<Location>,
    /// Whether somebody named these keys.
    pub keys_are_named: bool,
    /// The files with keys that the machine may have.
    pub known_hosts: Vec<Location>,
    /// The machines to go through, in the order of travel; theirs are empty.
    pub jumps: Vec<Self>,
}

/// How to log in to `host`; `None` when its engine is not reached over SSH.
pub fn ssh_target(
    host: &Host,
    inventory: &Inventory,
    config: &SshConfig,
    local: &LocalUser,
    problems: &mut Vec<Diagnostic>,
) -> Option<SshTarget> {
    let Endpoint::Ssh { machine, .. } = &host.endpoint else { return None };
    let mut resolver = Resolver { inventory, config, local, problems, way: Vec::new() };
    Some(resolver.target(machine, Some(&host.ssh), Via::Own))
}

struct Resolver<'a, 'p> {
    inventory: &'a Inventory,
    config: &'a SshConfig,
    local: &'a LocalUser,
    problems: &'p mut Vec<Diagnostic>,
    /// The machines being resolved, as they were written: one of them again would never end.
    way: Vec<Authority>,
}

/// Whether a machine may add jumps of its own. The second and later machine of a `ProxyJump` list
/// is reached through the one before it and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Via {
    Own,
    Given,
}

impl Resolver<'_, '_> {
    fn target(&mut self, machine: &Authority, ssh: Option<&SshSettings>, via: Via) -> SshTarget {
        let local = self.local;
        let written = machine.host.to_string();
        let own_user = ssh.and_then(|ssh| ssh.user.as_ref()).map(|user| user.value.clone());
        let user = machine.user.clone().or(own_user);
        let question =
            Question { host: &written, user: user.as_deref(), local_user: &self.local.name };
        let answer = self.config.lookup(question, self.problems);
        let own_port = ssh.and_then(|ssh| ssh.port).map(|port| port.value);
        let port = machine.port.or(own_port).or(answer.port.map(|port| port.value)).unwrap_or(22);
        let user = user
            .or_else(|| answer.user.as_ref().map(|user| user.value.clone()))
            .unwrap_or_else(|| self.local.name.clone());
        let host = match &answer.host_name {
            Some(name) => {
                let tokens = Tokens { host: &written, written: &written, user: &user, port, local };
                self.expand(&name.value, name.span, &tokens, "hn").unwrap_or(written.clone())
            }
            None => written.clone(),
        };
        let tokens = Tokens { host: &host, written: &written, user: &user, port, local };
        let identities = self.identities(ssh, &answer, &tokens);
        let own_key = ssh.and_then(|ssh| ssh.identity.as_ref());
        let keys_are_named = own_key.is_some() || !answer.identities.is_empty();
        let known_hosts = self.known_hosts(ssh, &answer, &tokens);
        let jumps = match via {
            Via::Own => {
                self.way.push(machine.clone());
                let jumps = self.jumps(ssh, &answer);
                self.way.pop();
                jumps
            }
            Via::Given => Vec::new(),
        };
        SshTarget { host, port, user, identities, keys_are_named, known_hosts, jumps }
    }

    fn jumps(&mut self, ssh: Option<&SshSettings>, answer: &Answer) -> Vec<SshTarget> {
        match ssh.and_then(|ssh| ssh.jump.as_ref()) {
            Some(Placed { value: Jump::None, .. }) => Vec::new(),
            Some(Placed { value: Jump::Machine(machine), span }) => {
                self.through(machine, None, *span)
            }
            Some(Placed { value: Jump::Host(name), span }) => {
                // One that is not there has been reported with the inventory.
                let Some(host) = self.inventory.hosts.get(name) else { return Vec::new() };
                match &host.endpoint {
                    Endpoint::Ssh { machine, .. } => self.through(machine, Some(&host.ssh), *span),
                    Endpoint::Unix { .. } | Endpoint::Tcp { .. } => Vec::new(),
                }
            }
            None => self.proxy_jump(answer),
        }
    }

    fn through(
        &mut self,
        machine: &Authority,
        ssh: Option<&SshSettings>,
        said: Span,
    ) -> Vec<SshTarget> {
        let is_again =
            |before: &Authority| before.host == machine.host && before.port == machine.port;
        if self.way.iter().any(is_again) || self.way.len() > JUMPS_MAX {
            self.warn(said, format!("the jump through `{machine}` is left out: it would not end"));
            return Vec::new();
        }
        let mut last = self.target(machine, ssh, Via::Own);
        let mut jumps = std::mem::take(&mut last.jumps);
        jumps.push(last);
        jumps
    }

    /// `ProxyJump a,b`: to `a` by the way of its own, and from there to `b`.
    fn proxy_jump(&mut self, answer: &Answer) -> Vec<SshTarget> {
        let Some(jump) = answer.jump.as_ref().filter(|jump| jump.value != "none") else {
            return Vec::new();
        };
        let mut jumps = Vec::new();
        for (index, part) in jump.value.split(',').enumerate() {
            let part = part.trim();
            let part = part.strip_prefix("ssh://").unwrap_or(part).trim_end_matches('/');
            let machine = match Authority::parse(part) {
                Ok(machine) => machine,
                Err(why) => {
                    self.warn(jump.span, format!("`{part}` is no machine to go through: {why}"));
                    continue;
                }
            };
            if index == 0 {
                jumps.extend(self.through(&machine, None, jump.span));
            } else {
                jumps.push(self.target(&machine, None, Via::Given));
            }
        }
        jumps
    }

    fn identities(
        &mut self,
        ssh: Option<&SshSettings>,
        answer: &Answer,
        tokens: &Tokens<'_>,
    ) -> Vec<Location> {
        if let Some(identity) = ssh.and_then(|ssh| ssh.identity.as_ref()) {
            return vec![self.at_home(&identity.value)];
        }
        if answer.identities.is_empty() {
            let usual = |key: &&str| Location::Disk(format!("{}/.ssh/{key}", self.local.home));
            return USUAL_KEYS.iter().map(usual).collect();
        }
        let mut identities = Vec::new();
        for path in answer.identities.iter().filter(|path| path.value != "none") {
            identities.extend(self.path(&path.value, path.span, tokens));
        }
        identities
    }

    fn known_hosts(
        &mut self,
        ssh: Option<&SshSettings>,
        answer: &Answer,
        tokens: &Tokens<'_>,
    ) -> Vec<Location> {
        if let Some(known_hosts) = ssh.and_then(|ssh| ssh.known_hosts.as_ref()) {
            return vec![self.at_home(&known_hosts.value)];
        }
        let mut files = Vec::new();
        match &answer.known_hosts {
            Some(paths) => {
                for path in paths.iter().filter(|path| path.value != "none") {
                    files.extend(self.path(&path.value, path.span, tokens));
                }
            }
            None => {
                let usual = |file| Location::Disk(format!("{}/.ssh/{file}", self.local.home));
                files.extend(["known_hosts", "known_hosts2"].map(usual));
            }
        }
        let of_system = ["ssh_known_hosts", "ssh_known_hosts2"];
        files.extend(of_system.map(|file| Location::Disk(format!("/etc/ssh/{file}"))));
        files
    }

    fn at_home(&self, location: &Location) -> Location {
        location.on_disk(&self.local.home).map_or_else(|| location.clone(), Location::Disk)
    }

    /// A path of the configuration: tokens, then `~`; a relative one is seen from `~`'s `.ssh`.
    fn path(&mut self, text: &str, at: Span, tokens: &Tokens<'_>) -> Option<Location> {
        let text = self.expand(text, at, tokens, "dhnpru")?;
        Some(Location::Disk(match text.strip_prefix("~/") {
            Some(rest) => crate::files::join(&self.local.home, rest),
            None => crate::files::join(&format!("{}/.ssh", self.local.home), &text),
        }))
    }

    /// Replaces `%` tokens; `None`, with a warning, for one that is not `known`.
    fn expand(&mut self, text: &str, at: Span, tokens: &Tokens<'_>, known: &str) -> Option<String> {
        let mut expanded = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                expanded.push(c);
                continue;
            }
            match chars.next() {
                Some('%') => expanded.push('%'),
                Some(token) if known.contains(token) => expanded.push_str(&tokens.value(token)),
                token => {
                    let token: String = token.into_iter().collect();
                    self.warn(at, format!("`%{token}` is not known here; the line is passed over"));
                    return None;
                }
            }
        }
        Some(expanded)
    }

    fn warn(&mut self, at: Span, message: String) {
        self.problems.push(Diagnostic::warning("ssh-config/not-used", message).at(at));
    }
}

/// What the `%` tokens stand for.
struct Tokens<'t> {
    host: &'t str,
    written: &'t str,
    user: &'t str,
    port: u16,
    local: &'t LocalUser,
}

impl Tokens<'_> {
    fn value(&self, token: char) -> String {
        match token {
            'd' => self.local.home.clone(),
            'h' => self.host.to_owned(),
            'n' => self.written.to_owned(),
            'p' => self.port.to_string(),
            'r' => self.user.to_owned(),
            'u' => self.local.name.clone(),
            other => other.to_string(),
        }
    }
}
