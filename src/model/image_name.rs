//! The name of an image in its parts, as every engine reads it: `web` and
//! `docker.io/library/web:latest` are one image.

use std::fmt;

/// The registry of names that say none.
const DEFAULT_REGISTRY: &str = "docker.io";

/// The name of an image. Whether it is a name at all was checked where it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageName {
    /// Its registry, perhaps with a port: `docker.io`, `127.0.0.1:5000`.
    pub registry: String,
    /// Its path in the registry: `library/web`.
    pub path: String,
    /// Its tag; `latest` when neither a tag nor a digest was written.
    pub tag: Option<String>,
    /// Its digest, when it is pinned.
    pub digest: Option<String>,
}

impl ImageName {
    /// The parts of a reference; `None` for the id of an image.
    pub fn parse(text: &str) -> Option<Self> {
        if text.starts_with("sha256:") {
            return None;
        }
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.to_owned())),
            None => (text, None),
        };
        // A colon before the last slash belongs to a registry's port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => (name, Some(tag.to_owned())),
            _ => (rest, None),
        };
        let (registry, path) = match name.split_once('/') {
            Some(("index.docker.io", path)) => (DEFAULT_REGISTRY, path),
            Some((first, path)) if is_registry(first) => (first, path),
            _ => (DEFAULT_REGISTRY, name),
        };
        let is_short = registry == DEFAULT_REGISTRY && !path.contains('/');
        let tag = tag.or_else(|| digest.is_none().then(|| "latest".to_owned()));
        Some(Self {
            registry: registry.to_owned(),
            path: if is_short { format!("library/{path}") } else { path.to_owned() },
            tag,
            digest,
        })
    }

    /// The name without tag and digest.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.registry, self.path)
    }

    /// The same repository's image of this digest.
    pub fn pinned(&self, digest: &str) -> String {
        format!("{}@{digest}", self.repository())
    }
}

/// The whole name, the same for everything that means the same.
impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => write!(f, "{}@{digest}", self.repository()),
            (None, Some(tag)) => write!(f, "{}:{tag}", self.repository()),
            (None, None) => f.write_str(&self.repository()),
        }
    }
}

/// The engine's own way to tell `registry/app` from `team/app`.
fn is_registry(first: &str) -> bool {
    first == "localhost"
        || first.contains(['.', ':'])
        || first.contains(|c: char| c.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_is_the_same() {
        let whole = |text| ImageName::parse(text).expect("a name").to_string();
        for (text, name) in [
            ("web", "docker.io/library/web:latest"),
            ("index.docker.io/web:1", "docker.io/library/web:1"),
            ("team/web:1", "docker.io/team/web:1"),
            ("docker.io/team/web:1", "docker.io/team/web:1"),
            ("r:5000/a/web", "r:5000/a/web:latest"),
            ("r:5000/web:1", "r:5000/web:1"),
            ("localhost/web", "localhost/web:latest"),
            ("web:1@sha256:ab", "docker.io/library/web@sha256:ab"),
        ] {
            assert_eq!(whole(text), name, "{text}");
        }
    }

    #[test]
    fn an_id_is_no_name() {
        assert_eq!(ImageName::parse("sha256:0a0b"), None);
    }
}
