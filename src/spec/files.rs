//! Files that a container gets before it starts: what the commit has for it, and secrets.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::mounts::file_target;
use crate::model::{
    BindSource, ContainerSpec, ContentKey, FileMount, FileSource, Mount, MountKind, PlacedFile,
};

/// The mode of a config or secret, as Compose has it.
const FILE_MODE: u32 = 0o444;

/// The modes of a mounted file of the commit: as `git checkout` gives them where nobody chose
/// another mask.
const MOUNTED_MODE: u32 = 0o644;
const EXECUTABLE_MODE: u32 = 0o755;

/// All files of a container, by their path in it.
pub fn files(spec: &ContainerSpec) -> Vec<PlacedFile> {
    let mut placed = BTreeMap::new();
    let kinds = [(&spec.configs, "/", false), (&spec.secrets, "/run/secrets/", true)];
    for (all, folder, is_secret) in kinds {
        for file in all.iter().filter_map(|file| of_mount(file, folder)) {
            placed.insert(file.target.clone(), PlacedFile { is_secret, ..file });
        }
    }
    for mount in &spec.volumes {
        let MountKind::Bind { source: BindSource::Repository { files, executable, .. } } =
            &mount.kind
        else {
            continue;
        };
        for (below, digest) in files {
            let root = mount.target.trim_end_matches('/');
            let target = if below.is_empty() { root.to_owned() } else { format!("{root}/{below}") };
            let content = ContentKey::Digest(digest.clone());
            let may_run = executable.contains(below);
            let (uid, gid) = (0, 0);
            let mode = if may_run { EXECUTABLE_MODE } else { MOUNTED_MODE };
            let file = PlacedFile { target, content, uid, gid, mode, is_secret: false };
            placed.insert(file.target.clone(), file);
        }
    }
    placed.into_values().collect()
}

/// The directories that become volumes of the container's own, because files are to be brought into
/// them and nothing can be brought into a root file system that is read-only. What the image has in
/// them stays. `/` stands for a file that has no directory of its own: it cannot be brought.
pub fn file_volumes(spec: &ContainerSpec) -> BTreeSet<String> {
    if spec.read_only != Some(true) {
        return BTreeSet::new();
    }
    let alone = files(spec).into_iter().filter(|file| !is_in_volume(spec, &file.target));
    let folder = |file: PlacedFile| Path::new(&file.target).parent()?.to_str().map(str::to_owned);
    alone.filter_map(folder).collect()
}

fn is_in_volume(spec: &ContainerSpec, target: &str) -> bool {
    let holds = |mount: &&Mount| match &mount.kind {
        MountKind::Volume { .. }
        | MountKind::Anonymous
        | MountKind::Bind { source: BindSource::Stack { .. } } => true,
        MountKind::Bind { source: BindSource::Repository { files, .. } } => !files.contains_key(""),
        MountKind::Bind { source: BindSource::Host { .. } }
        | MountKind::Tmpfs
        | MountKind::Image { .. }
        | MountKind::Other { .. } => false,
    };
    spec.volumes.iter().filter(holds).any(|mount| Path::new(target).starts_with(&mount.target))
}

fn of_mount(file: &FileMount, folder: &str) -> Option<PlacedFile> {
    let content = match &file.content {
        FileSource::Repository { digest, .. } => ContentKey::Digest(digest.clone()),
        FileSource::Environment { name } => ContentKey::Variable(name.clone()),
        // One is mounted, the other refused.
        FileSource::Host { .. } | FileSource::External { .. } => return None,
    };
    let id = |text: &Option<String>| text.as_deref().and_then(|it| it.parse().ok()).unwrap_or(0);
    let mode = file.mode.as_deref().map(|text| text.trim_start_matches("0o"));
    Some(PlacedFile {
        target: file_target(file, folder),
        content,
        uid: id(&file.uid),
        gid: id(&file.gid),
        mode: mode.and_then(|it| u32::from_str_radix(it, 8).ok()).unwrap_or(FILE_MODE),
        is_secret: false,
    })
}
