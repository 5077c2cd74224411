//! What the targets share: how an input becomes a tree of files, and what holds for every finding.
//!
//! An input that is a tree is text with sections. A section begins with a line `-- path --`, as in
//! the archives of `tests/compose`; what stands before the first goes to a path of the target's
//! choice.

use gitdeploy::diag::{Diagnostic, Label, Source, Sources, Span, Style, render};
use gitdeploy::files::{Memory, join};
use gitdeploy::yaml::{Item, Node, Value};

/// The sections of an input in order: their paths and contents.
pub fn sections<'a>(input: &'a str, first: &'a str) -> Vec<(&'a str, String)> {
    let mut sections = vec![(first, String::new())];
    for line in input.split_inclusive('\n') {
        match header(line) {
            Some(path) => sections.push((path, String::new())),
            None => sections.last_mut().expect("one from the start").1.push_str(line),
        }
    }
    if sections[0].1.is_empty() && sections.len() > 1 {
        sections.remove(0);
    }
    sections
}

fn header(line: &str) -> Option<&str> {
    line.trim_end_matches(['\r', '\n']).strip_prefix("-- ")?.strip_suffix(" --")
}

/// The sections of an input as files below `dir`.
pub fn tree(input: &str, first: &str, dir: &str) -> Memory {
    let mut files = Memory::new();
    for (path, content) in sections(input, first) {
        files.insert(&join(dir, path), content);
    }
    files
}

/// Every finding points at whole characters of a text that is there, and can be shown.
pub fn assert_sound(findings: &[Diagnostic], sources: &Sources) {
    for finding in findings {
        assert!(!finding.message.is_empty(), "a finding without words: {finding:?}");
        for Label { span, .. } in finding.primary.iter().chain(&finding.related) {
            assert_within(*span, &sources.get(span.source), &finding.message);
        }
    }
    for finding in findings {
        render(finding, sources, Style { color: false, width: 80 });
    }
}

/// The span covers whole characters of the source.
pub fn assert_within(span: Span, source: &Source, of: &str) {
    assert!(source.text.get(span.range()).is_some(), "{span:?} of {of:?} lies beside the text");
}

/// All keys and values of a tree point at whole characters of the source; gives their number.
pub fn assert_places(node: &Node, source: &Source, depth: usize) -> usize {
    assert!(depth <= gitdeploy::yaml::DEPTH_MAX + 1, "deeper than the reader allows");
    assert_within(node.span, source, node.kind());
    let below: usize = match &node.value {
        Value::Seq(items) => items.iter().map(|item| assert_places(item, source, depth + 1)).sum(),
        Value::Map(map) => map
            .0
            .iter()
            .map(|(name, Item { key, node })| {
                assert_within(*key, source, name);
                assert_places(node, source, depth + 1)
            })
            .sum(),
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => 0,
    };
    below + 1
}
