//! What is mounted into a container: volumes, paths of the host, memory.
//!
//! Nothing of the commit is mounted: a directory of it becomes a volume of the container's own,
//! which is filled before the start and goes with the container.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Surroundings;
use super::files::file_volumes;
use super::keys::Keys;
use crate::model::{
    BindSource, ContainerSpec, FileMount, FileSource, Mount, MountKind, Owner, StackName,
};

/// The engine's socket.
const SOCKET: &str = "/var/run/docker.sock";

/// The two forms the engine has for mounts.
pub(super) struct Mounts {
    /// `SOURCE:TARGET:OPTIONS`: makes a path of the host that is not there, as people expect.
    pub(super) binds: Vec<String>,
    /// All else.
    pub(super) mounts: Vec<Value>,
}

/// The name of the volume that stands for a relative path which the commit does not have.
///
/// It belongs to the stack and outlives its containers.
pub fn stack_volume_name(owner: &Owner, stack: &StackName, path: &str) -> String {
    let is_kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let path: String = path.chars().map(|c| if is_kept(c) { c } else { '_' }).collect();
    format!("{}-{}-{stack}-{path}", owner.project, owner.environment)
}

pub(super) fn mounts(s: &Surroundings<'_>, spec: &ContainerSpec) -> Mounts {
    let mut found = Mounts { binds: Vec::new(), mounts: Vec::new() };
    for mount in &spec.volumes {
        match simple_bind(mount) {
            Some(bind) => found.binds.push(bind),
            None => found.mounts.extend(full_mount(s, mount)),
        }
    }
    if spec.use_api_socket == Some(true) {
        found.binds.push(format!("{SOCKET}:{SOCKET}:rw"));
    }
    let files = [(&spec.configs, "/"), (&spec.secrets, "/run/secrets/")];
    for (file, folder) in files.iter().flat_map(|(all, base)| all.iter().map(move |it| (it, *base)))
    {
        if let FileSource::Host { path } = &file.content {
            let target = file_target(file, folder);
            found.mounts.push(
                json!({ "Type": "bind", "Source": path, "Target": target, "ReadOnly": true }),
            );
        }
    }
    let own = file_volumes(spec).into_iter().map(|it| json!({ "Type": "volume", "Target": it }));
    found.mounts.extend(own);
    found
}

/// A config's or secret's absolute path in the container.
pub(super) fn file_target(file: &FileMount, folder: &str) -> String {
    if file.target.starts_with('/') {
        file.target.clone()
    } else {
        format!("{folder}{}", file.target)
    }
}

/// The short form, for binds of the host that need no more than it can say.
fn simple_bind(mount: &Mount) -> Option<String> {
    let MountKind::Bind { source: BindSource::Host { path } } = &mount.kind else { return None };
    let is_sayable = |key: &String| matches!(key.as_str(), "bind.selinux" | "consistency");
    if path.contains(':') || mount.target.contains(':') || !mount.options.keys().all(is_sayable) {
        return None;
    }
    let access = if mount.read_only == Some(true) { "ro" } else { "rw" };
    let label = mount.options.get("bind.selinux").map(|it| format!(",{it}")).unwrap_or_default();
    Some(format!("{path}:{}:{access}{label}", mount.target))
}

fn full_mount(s: &Surroundings<'_>, mount: &Mount) -> Option<Value> {
    let options = Options(&mount.options);
    let mut keys = Keys::default();
    let mut read_only = mount.read_only;
    match &mount.kind {
        MountKind::Bind { source: BindSource::Host { path } } => {
            keys.put("Type", "bind").put("Source", path.as_str());
            keys.object("BindOptions", options.bind());
        }
        MountKind::Bind { source: BindSource::Repository { files, .. } } => {
            if files.contains_key("") {
                return None;
            }
            // It is filled after it was made, which an engine refuses where nothing may be written.
            read_only = None;
            keys.put("Type", "volume");
            keys.put("VolumeOptions", json!({ "NoCopy": true }));
        }
        MountKind::Bind { source: BindSource::Stack { path } } => {
            let name = stack_volume_name(s.owner, s.stack, path);
            keys.put("Type", "volume").put("Source", name);
            keys.put("VolumeOptions", json!({ "NoCopy": true }));
        }
        MountKind::Volume { source } => {
            let volume = s.target.volumes.get(source);
            let name = volume.map_or(source.as_str(), |volume| volume.name.as_str());
            keys.put("Type", "volume").put("Source", name);
            keys.object("VolumeOptions", options.volume());
        }
        MountKind::Anonymous => {
            keys.put("Type", "volume").object("VolumeOptions", options.volume());
        }
        MountKind::Tmpfs => {
            keys.put("Type", "tmpfs").object("TmpfsOptions", options.tmpfs());
        }
        MountKind::Image { source } => {
            keys.put("Type", "image").put("Source", source.as_str());
            keys.object("ImageOptions", options.image());
        }
        // Refused before.
        MountKind::Other { .. } => return None,
    }
    keys.put("Target", mount.target.as_str()).set("ReadOnly", read_only.filter(|it| *it));
    keys.text("Consistency", mount.options.get("consistency"));
    Some(keys.done())
}

/// A mount's options by Compose's names.
struct Options<'a>(&'a BTreeMap<String, String>);

impl Options<'_> {
    fn is_on(&self, key: &str) -> Option<bool> {
        self.0.get(key).map(|value| value == "true").filter(|is_on| *is_on)
    }

    fn bind(&self) -> Keys {
        let mut keys = Keys::default();
        keys.text("Propagation", self.0.get("bind.propagation"));
        match self.0.get("bind.recursive").map(String::as_str) {
            Some("disabled") => {
                keys.put("NonRecursive", true);
            }
            Some("writable") => {
                keys.put("ReadOnlyNonRecursive", true);
            }
            Some("readonly") => {
                keys.put("ReadOnlyForceRecursive", true);
            }
            _ => {}
        }
        keys
    }

    fn volume(&self) -> Keys {
        let mut keys = Keys::default();
        keys.set("NoCopy", self.is_on("volume.nocopy"))
            .text("Subpath", self.0.get("volume.subpath"));
        keys
    }

    fn tmpfs(&self) -> Keys {
        let number = |key: &str| self.0.get(key).and_then(|text| text.parse::<i64>().ok());
        let mut keys = Keys::default();
        keys.set("SizeBytes", number("tmpfs.size")).set("Mode", number("tmpfs.mode"));
        keys
    }

    fn image(&self) -> Keys {
        let mut keys = Keys::default();
        keys.text("Subpath", self.0.get("image.subpath"));
        keys
    }
}
