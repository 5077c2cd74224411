//! Paths as text: cleaned by their letters alone, never by asking a file system.

/// The path without `.`, `//` and, where possible, `..`.
///
/// A relative path that climbs above its start keeps the leading `..`, so that whoever reads can
/// refuse it; an absolute one stops at `/`.
pub fn clean(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    if absolute { format!("/{joined}") } else { joined }
}

/// `path` seen from directory `base`; an absolute `path` stays.
pub fn join(base: &str, path: &str) -> String {
    if path.starts_with('/') || base.is_empty() {
        clean(path)
    } else {
        clean(&format!("{base}/{path}"))
    }
}

/// The directory of `path`; `""` for a name at the root.
pub fn parent(path: &str) -> &str {
    match path.rfind('/') {
        Some(0) => "/",
        Some(slash) => &path[..slash],
        None => "",
    }
}

/// The last part of `path`.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_by_their_letters() {
        assert_eq!(clean("./a//b/../c/"), "a/c");
        assert_eq!(clean("a/.."), "");
        assert_eq!(clean("../x"), "../x");
        assert_eq!(clean("a/../../x"), "../x");
        assert_eq!(clean("/../x"), "/x");
        assert_eq!(clean("/"), "/");
    }

    #[test]
    fn joining_keeps_absolute_paths() {
        assert_eq!(join("stacks/shop", "./data"), "stacks/shop/data");
        assert_eq!(join("stacks/shop", "../lib/x.j2"), "stacks/lib/x.j2");
        assert_eq!(join("stacks/shop", "/etc/x"), "/etc/x");
        assert_eq!(join("", "x"), "x");
        assert_eq!(parent("a/b/c"), "a/b");
        assert_eq!(parent("/a"), "/");
        assert_eq!(parent("a"), "");
        assert_eq!(file_name("a/b.yaml"), "b.yaml");
    }
}
