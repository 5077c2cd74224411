//! What containers get as files: mounts, configs and secrets, with digests of what the commit has.
//!
//! A bind mount of a path that the commit has is content: a change of the file is a change of the
//! service. A relative path that the commit lacks is a directory of the stack on its host.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::fields::Fields;
use super::hash::content_digest;
use crate::diag::{Diagnostic, Sources};
use crate::files::{EntryKind, File, FileError, Files, join};
use crate::model::{BindSource, FileMount, FileSource, Mount, MountKind};

/// The most files one bind mount may bring to a host.
const FILES_MAX: usize = 10_000;

/// The most bytes of files one stack may bring to a host.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// The largest file whose text is kept for a diff, in bytes.
const TEXT_MAX: usize = 256 * 1024;

/// The most bytes of texts that are kept of one stack.
const KEPT_MAX: usize = 2 * 1024 * 1024;

/// The files below a mounted path, as [`BindSource::Repository`] has them.
#[derive(Default)]
struct Found {
    files: BTreeMap<String, String>,
    executable: BTreeSet<String>,
}

/// Reads files of the commit and remembers what must be brought to the hosts.
pub(super) struct Contents<'a> {
    files: &'a dyn Files,
    sources: &'a Sources,
    /// By digest.
    pub(super) kept: BTreeMap<String, Arc<[u8]>>,
    seen: BTreeSet<String>,
    bytes: usize,
    kept_bytes: usize,
}

impl<'a> Contents<'a> {
    pub(super) fn new(files: &'a dyn Files, sources: &'a Sources) -> Self {
        Self {
            files,
            sources,
            kept: BTreeMap::new(),
            seen: BTreeSet::new(),
            bytes: 0,
            kept_bytes: 0,
        }
    }

    /// The service's `volumes`.
    pub(super) fn mounts(&mut self, service: Fields<'_>) -> Result<Vec<Mount>, Vec<Diagnostic>> {
        service.list("volumes").iter().map(|mount| self.mount(Fields::of(mount))).collect()
    }

    fn mount(&mut self, mount: Fields<'_>) -> Result<Mount, Vec<Diagnostic>> {
        let source = mount.text("source");
        let kind = match (mount.text("type").as_deref(), source) {
            (Some("bind"), Some(path)) => MountKind::Bind { source: self.bind(&path)? },
            (Some("volume"), Some(source)) => MountKind::Volume { source },
            (Some("volume") | None, _) => MountKind::Anonymous,
            (Some("tmpfs"), _) => MountKind::Tmpfs,
            (Some("image"), Some(source)) => MountKind::Image { source },
            (Some(kind), source) => {
                MountKind::Other { kind: kind.to_owned(), source: source.unwrap_or_default() }
            }
        };
        Ok(Mount {
            target: mount.text("target").unwrap_or_default(),
            kind,
            read_only: mount.flag("read_only"),
            options: mount_options(mount),
        })
    }

    fn bind(&mut self, path: &str) -> Result<BindSource, Vec<Diagnostic>> {
        let Some(inside) = in_repository(path) else {
            return Ok(BindSource::Host { path: path.to_owned() });
        };
        let mut found = Found::default();
        self.collect(&inside, &inside, "", &mut found)?;
        let Found { files, executable } = found;
        if files.is_empty() {
            return Ok(BindSource::Stack { path: inside });
        }
        Ok(BindSource::Repository { path: inside, files, executable })
    }

    fn collect(
        &mut self,
        root: &str,
        path: &str,
        below: &str,
        found: &mut Found,
    ) -> Result<(), Vec<Diagnostic>> {
        if found.files.len() >= FILES_MAX {
            let message = format!(
                "`{root}` has more than {FILES_MAX} files; at most that many are brought to a host"
            );
            return Err(vec![Diagnostic::error("resolve/too-many-files", message)]);
        }
        if self.files.is_file(path).map_err(|error| self.unreadable(&error))? {
            let file = self.read(path)?;
            if file.is_executable {
                found.executable.insert(below.to_owned());
            }
            found.files.insert(below.to_owned(), self.keep(path, file.content)?);
            return Ok(());
        }
        let listing = self.files.list(path).map_err(|error| self.unreadable(&error))?;
        for entry in listing.unwrap_or_default() {
            let inner = join(path, &entry.name);
            match entry.kind {
                EntryKind::File | EntryKind::Directory => {
                    self.collect(root, &inner, &join(below, &entry.name), found)?;
                }
                // Asking for it gives the refusal by name.
                EntryKind::Refused(_) => {
                    self.files.read(&inner).map_err(|error| self.unreadable(&error))?;
                }
            }
        }
        Ok(())
    }

    fn keep(&mut self, path: &str, content: Arc<[u8]>) -> Result<String, Vec<Diagnostic>> {
        let digest = content_digest(&content);
        if self.seen.insert(digest.clone()) {
            self.bytes += content.len();
            if self.bytes > BYTES_MAX {
                let message =
                    format!("`{path}` brings the files of the stack over {} MiB", BYTES_MAX >> 20);
                return Err(vec![Diagnostic::error("resolve/too-many-bytes", message)]);
            }
            self.keep_text(&digest, content);
        }
        Ok(digest)
    }

    /// Keeps what a diff may show; the bytes of all else are read again when they are brought to a
    /// host.
    fn keep_text(&mut self, digest: &str, content: Arc<[u8]>) {
        let is_small = content.len() <= TEXT_MAX && self.kept_bytes + content.len() <= KEPT_MAX;
        if is_small && std::str::from_utf8(&content).is_ok() {
            self.kept_bytes += content.len();
            self.kept.insert(digest.to_owned(), content);
        }
    }

    fn read(&self, path: &str) -> Result<File, Vec<Diagnostic>> {
        match self.files.read(path) {
            Ok(Some(file)) => Ok(file),
            Ok(None) => {
                let message = format!("`{path}` is not in the repository");
                Err(vec![Diagnostic::error("resolve/missing-file", message)])
            }
            Err(error) => Err(self.unreadable(&error)),
        }
    }

    fn unreadable(&self, error: &FileError) -> Vec<Diagnostic> {
        error.findings("resolve/unreadable-file", self.sources)
    }

    /// The service's `configs` or `secrets`, looked up in the stack's.
    pub(super) fn file_mounts(
        &mut self,
        service: Fields<'_>,
        stack: Fields<'_>,
        key: Kind,
    ) -> Result<Vec<FileMount>, Vec<Diagnostic>> {
        service
            .list(key.key())
            .iter()
            .map(|mount| {
                let mount = Fields::of(mount);
                let source = mount.text("source").unwrap_or_default();
                let content = self.source(&source, stack.fields(key.key()).fields(&source), key)?;
                Ok(FileMount {
                    target: mount.text("target").unwrap_or_else(|| key.default_target(&source)),
                    uid: mount.text("uid"),
                    gid: mount.text("gid"),
                    mode: mount.text("mode"),
                    source,
                    content,
                })
            })
            .collect()
    }

    fn source(
        &mut self,
        name: &str,
        definition: Fields<'_>,
        key: Kind,
    ) -> Result<FileSource, Vec<Diagnostic>> {
        if definition.flag("external") == Some(true) {
            let name = definition.text("name").unwrap_or_else(|| name.to_owned());
            return Ok(FileSource::External { name });
        }
        if let Some(name) = definition.text("environment") {
            return Ok(FileSource::Environment { name });
        }
        if let Some(content) = definition.get("content").and_then(Value::as_str) {
            let digest = content_digest(content.as_bytes());
            self.keep_text(&digest, content.as_bytes().into());
            return Ok(FileSource::Repository { path: None, digest });
        }
        let file = definition.text("file").unwrap_or_default();
        let Some(inside) = in_repository(&file) else {
            return Ok(FileSource::Host { path: file });
        };
        let digest = match key {
            Kind::Config => self.keep(&inside, self.read(&inside)?.content)?,
            // The content stays where it is until a container needs it.
            Kind::Secret => content_digest(&self.read(&inside)?.content),
        };
        Ok(FileSource::Repository { path: Some(inside), digest })
    }
}

/// Configs and secrets differ in where they are mounted and in who may see them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Config,
    Secret,
}

impl Kind {
    fn key(self) -> &'static str {
        match self {
            Self::Config => "configs",
            Self::Secret => "secrets",
        }
    }

    fn default_target(self, source: &str) -> String {
        match self {
            Self::Config => format!("/{source}"),
            Self::Secret => format!("/run/secrets/{source}"),
        }
    }
}

/// The loader writes paths of the commit with a leading `./`; all others are the host's.
fn in_repository(path: &str) -> Option<String> {
    path.strip_prefix("./").map(str::to_owned).or_else(|| (path == ".").then(String::new))
}

fn mount_options(mount: Fields<'_>) -> BTreeMap<String, String> {
    let mut options = BTreeMap::new();
    if let Some(consistency) = mount.text("consistency") {
        options.insert("consistency".into(), consistency);
    }
    for group in ["bind", "volume", "tmpfs", "image"] {
        for (key, value) in mount.fields(group).iter() {
            let text = match value {
                Value::String(text) => text.clone(),
                // The default of Compose's own, written out by nobody.
                Value::Bool(true) if key == "create_host_path" => continue,
                Value::Null => continue,
                other => other.to_string(),
            };
            options.insert(format!("{group}.{key}"), text);
        }
    }
    options
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::files::Memory;

    fn mounts(files: &Memory, service: &Value) -> Vec<Mount> {
        Contents::new(files, &Sources::default()).mounts(Fields::of(service)).expect("readable")
    }

    #[test]
    fn a_bind_of_the_commits_files_is_content() {
        let service = json!({"volumes": [
            {"type": "bind", "source": "./s/conf", "target": "/etc/x"},
            {"type": "bind", "source": "./s/data", "target": "/data"},
            {"type": "bind", "source": "/srv", "target": "/srv", "bind": {"create_host_path": true}},
        ]});
        let old = Memory::new().with("s/conf/a", "1").with("s/conf/b/c", "2");
        let before = mounts(&old, &service);
        let after = mounts(&old.clone().with("s/conf/b/c", "3"), &service);
        assert_ne!(before[0], after[0]);
        assert_eq!(before[1..], after[1..]);
        assert_eq!(
            before[1].kind,
            MountKind::Bind { source: BindSource::Stack { path: "s/data".into() } }
        );
        assert_eq!(
            before[2].kind,
            MountKind::Bind { source: BindSource::Host { path: "/srv".into() } }
        );
        assert!(before[2].options.is_empty());
        let run = mounts(&old.clone().executable("s/conf/b/c"), &service);
        let MountKind::Bind { source: BindSource::Repository { executable, .. } } = &run[0].kind
        else {
            panic!("{:?}", run[0].kind)
        };
        assert_eq!(executable.iter().collect::<Vec<_>>(), ["b/c"]);
    }

    #[test]
    fn a_folder_of_too_many_files_is_named() {
        let mut files = Memory::new();
        for index in 0..=FILES_MAX {
            files.insert(&format!("s/many/{}/{index}", index / 1_000), "x");
        }
        let service = json!({"volumes": [{"type": "bind", "source": "./s/many", "target": "/m"}]});
        let sources = Sources::default();
        let problems = Contents::new(&files, &sources)
            .mounts(Fields::of(&service))
            .expect_err("more than are brought to a host");
        assert_eq!(
            problems[0].message,
            "`s/many` has more than 10000 files; at most that many are brought to a host"
        );
    }

    #[test]
    fn the_content_of_a_secret_is_not_kept() {
        let files = Memory::new().with("s/pw", "hunter2").with("s/conf", "x");
        let stack = json!({
            "secrets": {"pw": {"file": "./s/pw"}},
            "configs": {"conf": {"file": "./s/conf"}},
        });
        let service = json!({"secrets": [{"source": "pw"}], "configs": [{"source": "conf"}]});
        let sources = Sources::default();
        let mut contents = Contents::new(&files, &sources);
        let (service, stack) = (Fields::of(&service), Fields::of(&stack));
        let secrets = contents.file_mounts(service, stack, Kind::Secret).expect("readable");
        assert_eq!(secrets[0].target, "/run/secrets/pw");
        assert!(contents.kept.is_empty());
        contents.file_mounts(service, stack, Kind::Config).expect("readable");
        assert_eq!(contents.kept.len(), 1);
    }
}
