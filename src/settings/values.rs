//! Values for templates: YAML files laid over each other.
//!
//! Mappings are merged key by key; anything else, lists and `null` too, replaces what was there.
//! `null` is a value like any other: a template sees `none`, and a key cannot be unset.

use crate::diag::{Diagnostic, Sources, Span};
use crate::files::Files;
use crate::settings::Placed;
use crate::settings::document::{Document, missing, read};
use crate::yaml::{Map, Node, Value};

/// The values of one environment. Every node knows the file it won from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Values(Map);

impl Values {
    /// Reads `paths` in order; later files win.
    pub fn load(
        files: &dyn Files,
        sources: &Sources,
        paths: &[Placed<String>],
        problems: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut all = Map::default();
        for path in paths {
            let root = match read(files, sources, &path.value, problems) {
                Document::Root(root) => root,
                Document::Empty => continue,
                Document::Absent => {
                    // Where its path stands in `gitdeploy.yaml`, its absence has been reported.
                    let missing = missing(files, path);
                    if !problems.contains(&missing) {
                        problems.push(missing);
                    }
                    continue;
                }
            };
            match root.value {
                Value::Map(map) => merge(&mut all, map),
                _ => problems.push(
                    Diagnostic::error(
                        "values/not-a-mapping",
                        format!("values must be a mapping, not {}", root.kind()),
                    )
                    .at(root.span),
                ),
            }
        }
        Self(all)
    }

    /// The values as a mapping.
    pub fn as_map(&self) -> &Map {
        &self.0
    }

    /// Where the value of a dotted path was written: `web.replicas`, `hosts.0.name`.
    pub fn whence(&self, path: &str) -> Option<Span> {
        let (first, rest) = match path.split_once('.') {
            Some((first, rest)) => (first, Some(rest)),
            None => (path, None),
        };
        let mut node = self.0.get(first)?;
        for part in rest.into_iter().flat_map(|rest| rest.split('.')) {
            node = match &node.value {
                Value::Map(map) => map.get(part)?,
                Value::Seq(items) => items.get(part.parse::<usize>().ok()?)?,
                Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => {
                    return None;
                }
            };
        }
        Some(node.span)
    }
}

/// Recursion is bounded by the depth that the YAML reader allows.
fn merge(below: &mut Map, over: Map) {
    for (key, item) in over.0 {
        let both = match (below.get_mut(&key).map(|node| &mut node.value), &item.node.value) {
            (Some(Value::Map(below)), Value::Map(_)) => Some(below),
            _ => None,
        };
        match (both, item.node) {
            (Some(below), Node { value: Value::Map(over), .. }) => merge(below, over),
            (_, node) => below.insert(key, item.key, node),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::Memory;
    use crate::settings::testing::told;

    fn load(files: &[(&str, &str)], paths: &[&str]) -> (Values, Sources, String) {
        let mut tree = Memory::new();
        for (path, text) in files {
            tree.insert(path, text);
        }
        let sources = Sources::default();
        let list = format!("[{}]", paths.join(", "));
        let id = sources.add(crate::diag::Source::verbatim("gitdeploy.yaml", list));
        let mut at = 1;
        let paths: Vec<Placed<String>> = paths
            .iter()
            .map(|path| {
                let span = Span::new(id, at, at + path.len());
                at += path.len() + 2;
                Placed::new((*path).to_owned(), span)
            })
            .collect();
        let mut problems = Vec::new();
        let values = Values::load(&tree, &sources, &paths, &mut problems);
        let told = told(&sources, &problems);
        (values, sources, told)
    }

    #[test]
    fn later_files_win_and_places_are_kept() {
        let (values, sources, told) = load(
            &[
                ("a.yaml", "web: {replicas: 2, tags: [x, y], gone: 1}\nname: a\n"),
                ("b.yaml", "web:\n  tags: [z]\n  gone: null\n"),
            ],
            &["a.yaml", "b.yaml"],
        );
        assert_eq!(told, "");
        let at = |path| values.whence(path).map(|span| sources.locate(span).to_string());
        assert_eq!(at("web.replicas").as_deref(), Some("a.yaml:1:17"));
        assert_eq!(at("web.tags.0").as_deref(), Some("b.yaml:2:10"));
        assert_eq!(at("web.tags.1"), None);
        assert_eq!(at("web.gone").as_deref(), Some("b.yaml:3:9"));
        assert_eq!(at("name.x"), None);
        let web = values.as_map().get("web").expect("merged");
        assert!(web.get("gone").is_some_and(Node::is_null));
    }

    #[test]
    fn what_is_no_values_file_is_told() {
        let (_, _, told) = load(
            &[
                ("a.yaml", "[1]"),
                ("b.yaml", "x: 1\n---\ny: 2\n"),
                ("c.yaml", ""),
                ("d.yaml", "a: ["),
            ],
            &["a.yaml", "b.yaml", "c.yaml", "d.yaml", "aa.yaml"],
        );
        insta::assert_snapshot!(told, @r"
        a.yaml:1:1: values must be a mapping, not a list
        b.yaml:3:1: `b.yaml` has more than one document
            help: put everything into one document, without `---` between
        d.yaml:1:4: unclosed bracket '['
        gitdeploy.yaml:1:34: there is no file `aa.yaml` in the repository
            help: did you mean `a.yaml`?
        ");
    }
}
