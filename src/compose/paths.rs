//! Makes relative paths absolute, or relative to the root of the repository.
//!
//! What an included file or an extended service says is seen from its own directory first, and
//! from the project's directory after that, as every other path.

use crate::diag::Diagnostic;
use crate::files;
use crate::yaml::{Node, Value};

use super::attribute::{PathKind, Place};

/// What relative paths are joined to.
#[derive(Debug, Clone)]
pub(super) struct Base<'a> {
    /// The directory.
    pub(super) dir: &'a str,
    /// How the outcome is written.
    pub(super) style: PathStyle,
    /// What `~` stands for.
    pub(super) home: Option<&'a str>,
}

/// How resolved paths are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PathStyle {
    /// As they are after joining: absolute, or seen from the project that resolves them next.
    Joined,
    /// Below the root of a repository, with a leading `./`.
    Repository,
}

impl Base<'_> {
    /// Resolves all paths of `node`, which stands at `place`.
    pub(super) fn resolve(
        &self,
        node: &mut Node,
        place: &Place<'_>,
        problems: &mut Vec<Diagnostic>,
    ) {
        if place.is_plain() {
            return;
        }
        if let Some(kind) = place.attribute().and_then(|attribute| attribute.path) {
            return self.resolve_one(node, kind, place, problems);
        }
        match &mut node.value {
            Value::Map(map) => {
                for (key, item) in &mut map.0 {
                    self.resolve(&mut item.node, &place.key(key), problems);
                }
            }
            Value::Seq(items) => {
                for (index, item) in items.iter_mut().enumerate() {
                    self.resolve(item, &place.item(index), problems);
                }
            }
            Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => {}
        }
    }

    fn resolve_one(
        &self,
        node: &mut Node,
        kind: PathKind,
        place: &Place<'_>,
        problems: &mut Vec<Diagnostic>,
    ) {
        match kind {
            PathKind::Context => {
                if !node.as_str().is_some_and(is_elsewhere) {
                    self.resolve_one(node, PathKind::File, place, problems);
                }
            }
            PathKind::File => {
                if node.as_str() != Some("") {
                    self.text(node, place, problems);
                }
            }
            PathKind::HostFile => {
                if !node.as_str().is_some_and(is_windows_absolute) {
                    self.text(node, place, problems);
                }
            }
            PathKind::Mount => self.mount(node, place, problems),
            PathKind::DriverOptions => self.driver_options(node, place, problems),
        }
    }

    fn mount(&self, node: &mut Node, place: &Place<'_>, problems: &mut Vec<Diagnostic>) {
        let span = node.span;
        if node.get("type").and_then(Node::as_str) != Some("bind") {
            return;
        }
        match node.as_map_mut().and_then(|map| map.get_mut("source")) {
            Some(source) => {
                self.resolve_one(source, PathKind::HostFile, &place.key("source"), problems);
            }
            None => problems.push(
                Diagnostic::error(
                    "compose/missing-key",
                    format!("`{place}` is a bind and needs `source`"),
                )
                .at(span),
            ),
        }
    }

    fn driver_options(&self, node: &mut Node, place: &Place<'_>, problems: &mut Vec<Diagnostic>) {
        if node.get("driver").and_then(Node::as_str) != Some("local") {
            return;
        }
        let options = node.as_map_mut().and_then(|map| map.get_mut("driver_opts"));
        let Some(options) = options.and_then(Node::as_map_mut) else { return };
        if options.get("o").and_then(Node::as_str) != Some("bind") {
            return;
        }
        if let Some(device) = options.get_mut("device") {
            self.resolve_one(device, PathKind::HostFile, place, problems);
        }
    }

    fn text(&self, node: &mut Node, place: &Place<'_>, problems: &mut Vec<Diagnostic>) {
        let span = node.span;
        let Value::Str(path) = &mut node.value else { return };
        match self.resolved(path) {
            Ok(resolved) => *path = resolved,
            Err(reason) => problems.push(
                Diagnostic::error("compose/path", format!("`{place}`: `{path}` {reason}")).at(span),
            ),
        }
    }

    /// `path` seen from this directory.
    pub(super) fn resolved(&self, path: &str) -> Result<String, &'static str> {
        if let Some(below) = path.strip_prefix('~') {
            match self.home {
                Some(home) => return Ok(files::clean(&format!("{home}/{below}"))),
                None if self.style == PathStyle::Repository => {
                    return Err("starts at a home directory, and it is not known whose");
                }
                None => {}
            }
        }
        // An absolute path stays as it is written.
        if path.starts_with('/') {
            return Ok(path.to_owned());
        }
        let joined = files::join(self.dir, path);
        match self.style {
            PathStyle::Joined if joined.is_empty() => Ok(".".to_owned()),
            PathStyle::Joined => Ok(joined),
            PathStyle::Repository if joined == ".." || joined.starts_with("../") => {
                Err("leads out of the repository")
            }
            PathStyle::Repository if joined.is_empty() => Ok(".".to_owned()),
            PathStyle::Repository => Ok(format!("./{joined}")),
        }
    }
}

/// Whether a build context is a URL, a repository or another service.
fn is_elsewhere(context: &str) -> bool {
    const PREFIXES: [&str; 7] =
        ["https://", "http://", "git://", "ssh://", "github.com/", "git@", "service:"];
    context.contains("://") || PREFIXES.iter().any(|prefix| context.starts_with(prefix))
}

/// Whether a path is absolute on Windows: `C:\x`, `\\host\share`.
fn is_windows_absolute(path: &str) -> bool {
    matches!(path.as_bytes(), [b'\\', b'\\', ..] | [_, b':', b'\\' | b'/', ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_seen_from_the_project() {
        let disk = Base { dir: "/srv/shop", style: PathStyle::Joined, home: Some("/root") };
        assert_eq!(disk.resolved("./data").as_deref(), Ok("/srv/shop/data"));
        assert_eq!(disk.resolved("../x").as_deref(), Ok("/srv/x"));
        assert_eq!(disk.resolved("~/x").as_deref(), Ok("/root/x"));
        assert_eq!(disk.resolved("/a/../b").as_deref(), Ok("/a/../b"));
        let tree = Base { dir: "stacks/shop", style: PathStyle::Repository, home: None };
        assert_eq!(tree.resolved("./data").as_deref(), Ok("./stacks/shop/data"));
        assert_eq!(tree.resolved("../..").as_deref(), Ok("."));
        assert!(tree.resolved("../../../x").is_err());
        assert!(tree.resolved("~/x").is_err());
    }
}
