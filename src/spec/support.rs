//! What this engine cannot be asked for, by name.
//!
//! An engine ignores keys that are newer than itself. So a wish it cannot fulfil must be refused
//! before it is sent.

use super::Surroundings;
use crate::model::{
    BindSource, ContainerSpec, EngineInfo, FileSource, Mount, MountKind, NetworkAttachment,
};

/// The first engine that keeps annotations (API 1.43).
const ANNOTATIONS: (u32, u32) = (24, 0);
/// The first engine with `healthcheck.start_interval` (API 1.44).
const START_INTERVAL: (u32, u32) = (25, 0);
/// The first engine with a hardware address for each network (API 1.44).
pub(super) const MAC_BY_ENDPOINT: (u32, u32) = (25, 0);
/// The first engine with `bind.recursive: writable` and `readonly` (API 1.44).
const BIND_RECURSIVE: (u32, u32) = (25, 0);
/// The first engine that mounts a part of a volume (API 1.45).
const VOLUME_SUBPATH: (u32, u32) = (26, 0);
/// The first engine that mounts images and knows which network has the gateway (API 1.48).
const IMAGE_MOUNTS: (u32, u32) = (28, 0);
/// The first engine that names interfaces (API 1.49).
const INTERFACE_NAMES: (u32, u32) = (28, 1);

/// Whether an engine is at least of this version; one whose version is not known is taken as new.
pub(super) fn has(engine: &EngineInfo, (major, minor): (u32, u32)) -> bool {
    let mut parts = engine.version.split(['.', '-', '+']).map(str::parse::<u32>);
    match (parts.next(), parts.next()) {
        (Some(Ok(a)), Some(Ok(b))) => (a, b) >= (major, minor),
        (Some(Ok(a)), _) => a >= major,
        _ => true,
    }
}

/// The attributes that cannot be asked for, as people wrote them.
pub(super) fn impossible(s: &Surroundings<'_>, spec: &ContainerSpec) -> Vec<String> {
    let mut found = Found { engine: s.engine, names: Vec::new() };
    found.never(spec);
    found.since(ANNOTATIONS, !spec.annotations.is_empty(), || "annotations".to_owned());
    let check = spec.healthcheck.as_ref();
    let has_start = check.is_some_and(|check| check.start_interval.is_some());
    found.since(START_INTERVAL, has_start, || "healthcheck.start_interval".to_owned());
    for (index, mount) in spec.volumes.iter().enumerate() {
        found.mount(index, mount);
    }
    for (key, attachment) in &spec.networks {
        found.attachment(key, attachment);
    }
    found.links(spec);
    found.names
}

struct Found<'a> {
    engine: &'a EngineInfo,
    names: Vec<String>,
}

impl Found<'_> {
    fn since(&mut self, version: (u32, u32), is_used: bool, name: impl FnOnce() -> String) {
        if is_used && !has(self.engine, version) {
            let ((major, minor), name) = (version, name());
            self.names.push(format!("{name} (needs Docker {major}.{minor})"));
        }
    }

    /// What no engine on Linux does, or what needs more than a request.
    fn never(&mut self, spec: &ContainerSpec) {
        let mut add = |is_used: bool, name: &str| {
            if is_used {
                self.names.push(name.to_owned());
            }
        };
        add(!spec.credential_spec.is_empty(), "credential_spec (Windows only)");
        let isolation = spec.isolation.as_deref();
        add(isolation.is_some_and(|it| it != "default"), "isolation (Windows only)");
        add(spec.limits.cpu_count.is_some(), "cpu_count (Windows only)");
        add(spec.limits.cpu_percent.is_some(), "cpu_percent (Windows only)");
        for (name, mode) in
            [("network_mode", &spec.network_mode), ("ipc", &spec.ipc), ("pid", &spec.pid)]
        {
            if let Some(mode) = mode.as_deref().filter(|mode| mode.starts_with("service:")) {
                self.names.push(format!("{name}: {mode}"));
            }
        }
        let of_services = spec.volumes_from.iter().filter(|from| !from.starts_with("container:"));
        self.names.extend(of_services.map(|from| format!("volumes_from: {from}")));
        let files = [("configs", &spec.configs), ("secrets", &spec.secrets)];
        for (kind, mount) in
            files.iter().flat_map(|(kind, all)| all.iter().map(move |it| (kind, it)))
        {
            if let FileSource::External { name } = &mount.content {
                self.names.push(format!("{kind}.{name} (external)"));
            }
        }
        for option in spec.security_opt.iter().filter(|option| is_profile_file(option)) {
            self.names.push(format!("security_opt: {option}"));
        }
    }

    fn mount(&mut self, index: usize, mount: &Mount) {
        let name = |rest: &str| format!("volumes[{index}].{rest}");
        let option = |key: &str| mount.options.get(key).map(String::as_str);
        let has_subpath = option("volume.subpath").is_some();
        self.since(VOLUME_SUBPATH, has_subpath, || name("volume.subpath"));
        let is_new = matches!(option("bind.recursive"), Some("writable" | "readonly"));
        self.since(BIND_RECURSIVE, is_new, || name("bind.recursive"));
        match &mount.kind {
            MountKind::Image { .. } => self.since(IMAGE_MOUNTS, true, || name("type: image")),
            MountKind::Other { kind: word, .. } => {
                self.names.push(format!("{}: {word}", name("type")));
            }
            MountKind::Bind {
                source:
                    BindSource::Host { .. } | BindSource::Repository { .. } | BindSource::Stack { .. },
            }
            | MountKind::Volume { .. }
            | MountKind::Anonymous
            | MountKind::Tmpfs => {}
        }
    }

    fn attachment(&mut self, key: &str, attachment: &NetworkAttachment) {
        let name = |rest: &str| format!("networks.{key}.{rest}");
        let has_gateway = attachment.gw_priority.is_some_and(|priority| priority != 0);
        self.since(IMAGE_MOUNTS, has_gateway, || name("gw_priority"));
        let has_interface = attachment.interface_name.is_some();
        self.since(INTERFACE_NAMES, has_interface, || name("interface_name"));
    }

    /// A link is needed for another name only: services have their own names anyway. A name of the
    /// containers that a service will have is not known to a request.
    fn links(&mut self, spec: &ContainerSpec) {
        let renames =
            |link: &&String| link.split_once(':').is_some_and(|(name, alias)| name != alias);
        self.names.extend(spec.links.iter().filter(renames).map(|link| format!("links: {link}")));
    }
}

/// A seccomp profile is sent as its text; a path would be a file of whoever runs this program.
fn is_profile_file(option: &str) -> bool {
    let Some((name, value)) = option.split_once(['=', ':']) else { return false };
    name == "seccomp" && !matches!(value, "unconfined" | "builtin") && !value.starts_with('{')
}
