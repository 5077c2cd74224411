//! From the inventory, `~/.ssh/config` and the files they name to machines that can be logged in
//! to.
//!
//! Files are read here, once each; what they mean is decided elsewhere. Nothing is connected yet.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{Screen, World};
use crate::adapters::ssh::{self, Key, Target};
use crate::diag::Sources;
use crate::files::Files;
use crate::settings::{
    Endpoint, Host, Included, Inventory, LocalUser, Location, SshConfig, SshTarget, ssh_target,
};
use crate::ssh::KnownHosts;

/// The hosts of an inventory that are reached over SSH.
pub(super) struct Machines<'a> {
    inventory: &'a Inventory,
    files: &'a dyn Files,
    local: LocalUser,
    config: SshConfig,
    agent: Option<PathBuf>,
    fleet: ssh::Fleet,
    known: BTreeMap<Vec<Location>, Arc<[KnownHosts]>>,
}

/// What is the matter with a file.
enum Unread {
    Missing,
    Because(String),
}

impl<'a> Machines<'a> {
    /// Reads the user's configuration, if any host needs it. Its findings are warnings. Machines that
    /// `fleet` has already are shared.
    pub(super) fn new(
        inventory: &'a Inventory,
        files: &'a dyn Files,
        world: &World,
        screen: &Screen,
        fleet: &ssh::Fleet,
    ) -> Self {
        let is_needed =
            inventory.hosts.values().any(|host| matches!(host.endpoint, Endpoint::Ssh { .. }));
        let local = local_user(world);
        let config = match is_needed {
            true => read_config(&local, screen),
            false => SshConfig::default(),
        };
        Self {
            inventory,
            files,
            config,
            agent: world.variable("SSH_AUTH_SOCK").map(PathBuf::from),
            local,
            fleet: fleet.clone(),
            known: BTreeMap::new(),
        }
    }

    /// The machine of a host; `None` when its engine is not reached over SSH.
    pub(super) fn of(&mut self, host: &Host) -> Result<Option<Arc<ssh::Host>>, String> {
        let mut problems = Vec::new();
        let target = ssh_target(host, self.inventory, &self.config, &self.local, &mut problems);
        let Some(target) = target else { return Ok(None) };
        let target = self.target(&target)?;
        Ok(Some(self.fleet.host(&target)))
    }

    fn target(&mut self, target: &SshTarget) -> Result<Target, String> {
        let jumps = target.jumps.iter().map(|jump| self.target(jump)).collect::<Result<_, _>>()?;
        let keys = target.identities.iter();
        let keys = keys.filter_map(|file| self.key(file, target.keys_are_named)).collect();
        Ok(Target {
            host: target.host.clone(),
            port: target.port,
            user: target.user.clone(),
            keys,
            keys_are_named: target.keys_are_named,
            agent: self.agent.clone(),
            known_hosts: self.known_hosts(&target.known_hosts)?,
            jumps,
        })
    }

    /// A private key; one that nobody named and that is not there is none.
    fn key(&self, file: &Location, is_named: bool) -> Option<Key> {
        let text = match self.read(file) {
            Ok(text) => Ok(text),
            Err(Unread::Missing) if is_named => Err("no such file".to_owned()),
            Err(Unread::Missing) => return None,
            Err(Unread::Because(why)) => Err(why),
        };
        Some(Key { shown: file.to_string(), text })
    }

    fn known_hosts(&mut self, files: &[Location]) -> Result<Arc<[KnownHosts]>, String> {
        if let Some(known) = self.known.get(files) {
            return Ok(Arc::clone(known));
        }
        let mut known = Vec::new();
        for file in files {
            let text = match self.read(file) {
                Ok(text) => text,
                Err(Unread::Missing) => String::new(),
                Err(Unread::Because(why)) => return Err(format!("could not read `{file}`: {why}")),
            };
            known.push(KnownHosts { file: PathBuf::from(file.to_string()), text });
        }
        let known: Arc<[KnownHosts]> = known.into();
        self.known.insert(files.to_vec(), Arc::clone(&known));
        Ok(known)
    }

    fn read(&self, location: &Location) -> Result<String, Unread> {
        match location {
            Location::Repository(path) => match self.files.read(path) {
                Ok(Some(file)) => Ok(String::from_utf8_lossy(&file.content).into_owned()),
                Ok(None) => Err(Unread::Missing),
                Err(error) => Err(Unread::Because(crate::diag::words(&error))),
            },
            Location::Disk(_) => {
                read(Path::new(&location.on_disk(&self.local.home).unwrap_or_default()))
            }
        }
    }
}

fn read(file: &Path) -> Result<String, Unread> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Unread::Missing),
        Err(error) => Err(Unread::Because(error.to_string())),
    }
}

fn local_user(world: &World) -> LocalUser {
    let home = world.home().unwrap_or("/root").to_owned();
    let named = world.variable("USER").or(world.variable("LOGNAME"));
    let by_home = home.rsplit('/').next().filter(|name| !name.is_empty());
    LocalUser { name: named.or(by_home).unwrap_or("root").to_owned(), home }
}

fn read_config(local: &LocalUser, screen: &Screen) -> SshConfig {
    let folder = format!("{}/.ssh", local.home);
    let Ok(text) = read(&Path::new(&folder).join("config")) else { return SshConfig::default() };
    let (sources, mut problems) = (Sources::default(), Vec::new());
    let include = |pattern: &str| included(pattern, &local.home, &folder);
    let config = SshConfig::parse("~/.ssh/config", &text, &include, &sources, &mut problems);
    screen.findings(&problems, &sources);
    config
}

/// The files that a pattern of `Include` names, in the order of their names. Stars may stand in
/// the last part only.
fn included(pattern: &str, home: &str, folder: &str) -> Vec<Included> {
    let path = match pattern.strip_prefix("~/") {
        Some(rest) => crate::files::join(home, rest),
        None => crate::files::join(folder, pattern),
    };
    let path = PathBuf::from(path);
    let mut files = vec![path.clone()];
    if let (Some(name), Some(parent)) =
        (path.file_name().and_then(|name| name.to_str()), path.parent())
        && name.contains(['*', '?'])
    {
        let entries = std::fs::read_dir(parent).into_iter().flatten().flatten();
        let is_meant = |path: &PathBuf| {
            let file = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            !file.starts_with('.') && crate::ssh::known_hosts::matches(name, file)
        };
        files = entries.map(|entry| entry.path()).filter(is_meant).collect();
        files.sort();
    }
    let texts = files.into_iter().filter_map(|file| {
        Some(Included { name: file.display().to_string(), text: read(&file).ok()? })
    });
    texts.collect()
}
