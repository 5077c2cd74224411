//! Text to trees: events of the YAML parser become [`Node`]s with aliases and merge keys applied.
//!
//! Bounded on purpose. Every count below stops a document that is small on disk and large in
//! memory, long before it hurts.

use std::collections::BTreeMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, Tag as YamlTag};

use super::scalar;
use super::syntax::{Words, words};
use super::{Map, Node, Tag, Value};
use crate::diag::{Diagnostic, SourceId, Span};

/// The deepest nesting that is read. Real Compose files stay below 15.
pub const DEPTH_MAX: usize = 100;

/// The most values a document may have once its aliases are expanded.
pub const NODES_MAX: usize = 300_000;

/// The most text that aliases may repeat in a document, in bytes.
const REPEATED_MAX: usize = 32 * 1024 * 1024;

/// The largest YAML text that is read, in bytes.
pub const TEXT_MAX: usize = 8 * 1024 * 1024;

/// Reads all documents of `text`. The spans point into `source`.
pub fn parse(text: &str, source: SourceId) -> Result<Vec<Node>, Vec<Diagnostic>> {
    match read(text, source) {
        Parsed { documents: Some(documents), problems } if problems.is_empty() => Ok(documents),
        Parsed { problems, .. } => Err(problems),
    }
}

/// What a text came to.
#[derive(Debug)]
pub struct Parsed {
    /// Its documents without what is wrong in them; `None` when the text is no YAML.
    pub documents: Option<Vec<Node>>,
    /// What is wrong.
    pub problems: Vec<Diagnostic>,
}

/// Reads all documents of `text`, also around mistakes such as duplicate keys.
pub fn read(text: &str, source: SourceId) -> Parsed {
    if let Err(problems) = refuse_unreadable(text, source) {
        return Parsed { documents: None, problems };
    }
    let mut reader = Reader::new(text, source);
    match reader.documents() {
        Ok(documents) => Parsed { documents: Some(documents), problems: reader.problems },
        Err(fatal) => {
            reader.problems.push(fatal);
            Parsed { documents: None, problems: reader.problems }
        }
    }
}

/// Reads the bytes of a file: UTF-8, with or without a byte order mark.
pub fn text_of(content: &[u8], name: &str) -> Result<String, Diagnostic> {
    let content = content.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(content);
    if content.len() > TEXT_MAX {
        return Err(Diagnostic::error(
            "yaml/too-large",
            format!("`{name}` has {} bytes; at most {TEXT_MAX} are read as YAML", content.len()),
        ));
    }
    std::str::from_utf8(content).map(str::to_owned).map_err(|error| {
        let valid = &content[..error.valid_up_to()];
        let line = valid.iter().filter(|byte| **byte == b'\n').count() + 1;
        Diagnostic::error(
            "yaml/not-utf8",
            format!(
                "`{name}` is not UTF-8 text: line {line} has a byte that belongs to no character"
            ),
        )
    })
}

fn too_deep(span: Span) -> Diagnostic {
    let message = format!("values are nested more than {DEPTH_MAX} levels deep");
    Diagnostic::error("yaml/too-deep", message).at(span)
}

fn refuse_unreadable(text: &str, source: SourceId) -> Result<(), Vec<Diagnostic>> {
    let forbidden = |c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}');
    let Some((offset, c)) = text.char_indices().find(|(_, c)| forbidden(*c)) else {
        return Ok(());
    };
    let span = Span::new(source, offset, offset + c.len_utf8());
    let message = format!("the control character U+{:04X} cannot stand in YAML", u32::from(c));
    Err(vec![Diagnostic::error("yaml/syntax", message).at(span)])
}

struct Reader<'a> {
    parser: Parser<'a, granit_parser::StrInput<'a>>,
    text: &'a str,
    source: SourceId,
    anchors: BTreeMap<usize, Anchored>,
    nodes: usize,
    /// Bytes of text in them.
    bytes: usize,
    copies: Size,
    problems: Vec<Diagnostic>,
}

/// A value that an alias may repeat; `node` is missing while the value is still being read.
struct Anchored {
    span: Span,
    size: Size,
    node: Option<Node>,
}

/// How much there is of something.
#[derive(Debug, Clone, Copy, Default)]
struct Size {
    nodes: usize,
    bytes: usize,
}

impl Size {
    fn saturating_add(self, more: Self) -> Self {
        Self {
            nodes: self.nodes.saturating_add(more.nodes),
            bytes: self.bytes.saturating_add(more.bytes),
        }
    }
}

type Fatal = Diagnostic;

impl<'a> Reader<'a> {
    fn new(text: &'a str, source: SourceId) -> Self {
        let options = granit_parser::options! {
            flow_nesting_limit: DEPTH_MAX,
            block_nesting_limit: DEPTH_MAX,
        };
        let parser = Parser::new_from_str_with_options(text, options);
        Self {
            parser,
            text,
            source,
            anchors: BTreeMap::new(),
            nodes: 0,
            bytes: 0,
            copies: Size::default(),
            problems: Vec::new(),
        }
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Fatal> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                let span = self.span(span);
                Ok((event, span))
            }
            Some(Err(error)) => Err(self.syntax_error(&error)),
            None => {
                let end = self.text.len();
                Err(Diagnostic::error("yaml/syntax", "the document ends unexpectedly")
                    .at(Span::new(self.source, end, end)))
            }
        }
    }

    fn span(&self, span: granit_parser::Span) -> Span {
        let range = span.byte_range().unwrap_or(0..0);
        // A collection's span reaches to its end only through its last child; trailing line
        // breaks of block scalars are not worth pointing at.
        let end = range.end.min(self.text.len()).max(range.start);
        let trimmed = self.text.get(range.start..end).map_or(0, |text| text.trim_end().len());
        Span::new(self.source, range.start, range.start + trimmed)
    }

    fn syntax_error(&self, error: &ScanError) -> Fatal {
        let at = error.marker().byte_offset().unwrap_or(0).min(self.text.len());
        if let Some(alias) = self.text[at..].strip_prefix('*').filter(|_| is_unknown_anchor(error))
        {
            let ends = |c: char| c.is_whitespace() || matches!(c, ',' | ']' | '}');
            let name = alias.split(ends).next().unwrap_or_default();
            let span = Span::new(self.source, at, at + 1 + name.len());
            let message = format!("the alias `*{name}` has no anchor before it");
            return Diagnostic::error("yaml/alias", message).at(span);
        }
        let end = self.text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
        let span = Span::new(self.source, at, end);
        if error.info().contains("recursion limit") {
            return too_deep(span);
        }
        let Words { message, help } = words(&error.info(), &self.text[at..]);
        let problem = Diagnostic::error("yaml/syntax", message).at(span);
        help.into_iter().fold(problem, Diagnostic::help)
    }

    fn documents(&mut self) -> Result<Vec<Node>, Fatal> {
        let mut documents = Vec::new();
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(documents),
                Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
                event => documents.push(self.node(event, span, 0)?),
            }
        }
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Fatal> {
        self.count(1, span)?;
        if depth > DEPTH_MAX {
            return Err(too_deep(span));
        }
        let before = Size { nodes: self.nodes - 1, bytes: self.bytes };
        match event {
            Event::Alias(id) => self.alias(id, span),
            Event::Scalar(text, style, anchor, tag) => {
                self.bytes = self.bytes.saturating_add(text.len());
                let node = self.scalar(&text, style, tag.as_deref(), span);
                self.keep(anchor, before, &node)?;
                Ok(node)
            }
            Event::SequenceStart(_, anchor, tag) => {
                self.announce(anchor, span);
                let (items, end) = self.sequence(depth)?;
                let node = self.collection(span, end, tag.as_deref(), Value::Seq(items));
                self.keep(anchor, before, &node)?;
                Ok(node)
            }
            Event::MappingStart(_, anchor, tag) => {
                self.announce(anchor, span);
                let (map, end) = self.mapping(depth)?;
                let node = self.collection(span, end, tag.as_deref(), Value::Map(map));
                self.keep(anchor, before, &node)?;
                Ok(node)
            }
            // With the options above no other event stands where a value is expected.
            _ => Err(Diagnostic::error("yaml/syntax", "a value is expected here").at(span)),
        }
    }

    fn count(&mut self, more: usize, span: Span) -> Result<(), Fatal> {
        self.nodes = self.nodes.saturating_add(more);
        if self.nodes > NODES_MAX {
            return Err(Diagnostic::error(
                "yaml/too-many-values",
                format!("the document has more than {NODES_MAX} values once aliases are expanded"),
            )
            .at(span));
        }
        Ok(())
    }

    fn collection(&self, start: Span, end: Span, tag: Option<&YamlTag>, value: Value) -> Node {
        let end = self.text[..end.end as usize].trim_end().len();
        let span = Span::new(self.source, start.start as usize, end.max(start.end as usize));
        Node { span, tag: meaning(tag), value }
    }

    fn sequence(&mut self, depth: usize) -> Result<(Vec<Node>, Span), Fatal> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok((items, span));
            }
            items.push(self.node(event, span, depth + 1)?);
        }
    }

    fn mapping(&mut self, depth: usize) -> Result<(Map, Span), Fatal> {
        let mut map = Map::default();
        let mut merges = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                self.merge(&mut map, merges);
                return Ok((map, span));
            }
            let is_merge =
                matches!(&event, Event::Scalar(text, ScalarStyle::Plain, _, None) if text == "<<");
            let key = self.node(event, span, depth + 1)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span, depth + 1)?;
            match (is_merge, key.value) {
                (true, _) => merges.push((key.span, value)),
                (false, Value::Str(name)) => self.insert(&mut map, name, key.span, value),
                (false, other) => {
                    // A template that is taken as it is: `{{ x }}` is a mapping as a key.
                    let before = self.text[..key.span.start as usize].trim_end();
                    let is_template = before.ends_with('{') && matches!(other, Value::Map(_));
                    let help = match is_template {
                        true => "if this is a template, its file must be named `….j2`",
                        false => "put the key in quotes",
                    };
                    let kind = Node::new(key.span, other).kind();
                    self.problems.push(
                        Diagnostic::error(
                            "yaml/key",
                            format!("a key must be a string, not {kind}"),
                        )
                        .at(key.span)
                        .help(help),
                    );
                }
            }
        }
    }

    fn insert(&mut self, map: &mut Map, name: String, span: Span, value: Node) {
        match map.0.get(&name) {
            Some(first) => self.problems.push(
                Diagnostic::error("yaml/duplicate-key", format!("the key `{name}` is there twice"))
                    .at(span)
                    .related(first.key, "first here"),
            ),
            None => map.insert(name, span, value),
        }
    }

    /// Applies `<<`: keys of the mapping win over merged ones, earlier merges over later ones.
    fn merge(&mut self, map: &mut Map, merges: Vec<(Span, Node)>) {
        if merges.len() > 1 {
            self.problems.push(
                Diagnostic::error("yaml/duplicate-key", "the key `<<` is there twice")
                    .at(merges[1].0)
                    .related(merges[0].0, "first here")
                    .help("merge several mappings with a list: `<<: [*one, *two]`"),
            );
        }
        for (_, node) in merges {
            let span = node.span;
            let bases = match node.value {
                Value::Seq(bases) => bases,
                value => vec![Node::new(span, value)],
            };
            for base in bases {
                let base_span = base.span;
                let Value::Map(from) = base.value else {
                    self.problems.push(
                        Diagnostic::error(
                            "yaml/merge",
                            "`<<` takes a mapping or a list of mappings",
                        )
                        .at(base_span),
                    );
                    continue;
                };
                for (name, item) in from.0 {
                    map.0.entry(name).or_insert(item);
                }
            }
        }
    }

    fn alias(&mut self, id: usize, span: Span) -> Result<Node, Fatal> {
        let Some(anchored) = self.anchors.get(&id) else {
            return Err(Diagnostic::error("yaml/alias", "the alias has no anchor").at(span));
        };
        let Some(node) = anchored.node.clone() else {
            return Err(Diagnostic::error("yaml/alias", "the alias stands inside its own anchor")
                .at(span)
                .related(anchored.span, "the anchored value"));
        };
        let size = anchored.size;
        self.count(size.nodes, span)?;
        self.bytes = self.bytes.saturating_add(size.bytes);
        self.repeat(size, span)?;
        Ok(node)
    }

    fn announce(&mut self, anchor: usize, span: Span) {
        if anchor != 0 {
            self.anchors.insert(anchor, Anchored { span, size: Size::default(), node: None });
        }
    }

    fn keep(&mut self, anchor: usize, before: Size, node: &Node) -> Result<(), Fatal> {
        if anchor != 0 {
            let size = Size { nodes: self.nodes - before.nodes, bytes: self.bytes - before.bytes };
            // Anchors inside anchored values are copied once a level.
            self.repeat(size, node.span)?;
            let anchored = Anchored { span: node.span, size, node: Some(node.clone()) };
            self.anchors.insert(anchor, anchored);
        }
        Ok(())
    }

    /// Counts what is about to be copied.
    fn repeat(&mut self, size: Size, span: Span) -> Result<(), Fatal> {
        self.copies = self.copies.saturating_add(size);
        let message = if self.copies.nodes > 2 * NODES_MAX {
            "too much of the document is anchored".to_owned()
        } else if self.copies.bytes > REPEATED_MAX {
            format!("anchors and aliases repeat more than {} MiB of text", REPEATED_MAX >> 20)
        } else {
            return Ok(());
        };
        Err(Diagnostic::error("yaml/too-many-values", message).at(span))
    }

    fn scalar(
        &mut self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&YamlTag>,
        span: Span,
    ) -> Node {
        let suffix = tag.and_then(|tag| match tag.parts() {
            ("tag:yaml.org,2002:", "binary") => Some("binary"),
            _ => tag.core_suffix(),
        });
        let value = match suffix {
            Some(suffix) => scalar::tagged(suffix, text).unwrap_or_else(|| {
                self.problems.push(
                    Diagnostic::error("yaml/tag", format!("`{text}` is no `!!{suffix}`")).at(span),
                );
                Value::Null
            }),
            None if style != ScalarStyle::Plain => Value::Str(text.to_owned()),
            // A scalar under any other tag is text, `!override` among them: `!override 5` is "5".
            None if tag.is_some() => Value::Str(text.to_owned()),
            None => scalar::plain(text),
        };
        Node { span, tag: meaning(tag), value }
    }
}

fn is_unknown_anchor(error: &ScanError) -> bool {
    error.info().contains("unknown anchor")
}

fn meaning(tag: Option<&YamlTag>) -> Tag {
    match tag.map(YamlTag::parts) {
        Some(("!", "reset")) => Tag::Reset,
        Some(("!", "override")) => Tag::Override,
        _ => Tag::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::{Source, Sources};

    fn read(text: &str) -> Result<Vec<Node>, Vec<String>> {
        let sources = Sources::default();
        let id = sources.add(Source::verbatim("t.yaml", text));
        parse(text, id).map_err(|problems| {
            problems
                .iter()
                .map(|problem| {
                    let at = problem.primary.as_ref().map(|label| sources.locate(label.span));
                    format!(
                        "{}: {}",
                        at.map_or(String::new(), |at| at.to_string()),
                        problem.message
                    )
                })
                .collect()
        })
    }

    fn one(text: &str) -> Node {
        read(text).expect("valid").remove(0)
    }

    #[test]
    fn every_value_knows_its_place() {
        let text = "a:\n  - x\n  - {b: \"two words\"}\nc: |\n  lines\n\nd:\n";
        let sources = Sources::default();
        let id = sources.add(Source::verbatim("t.yaml", text));
        let root = parse(text, id).expect("valid").remove(0);
        let at = |node: &Node| sources.slice(node.span);
        let list = root.get("a").and_then(Node::as_seq).expect("a list");
        assert_eq!(at(&list[0]), "x");
        assert_eq!(at(list[1].get("b").expect("b")), "\"two words\"");
        assert_eq!(at(root.get("a").expect("a")), "- x\n  - {b: \"two words\"}");
        assert!(at(root.get("c").expect("c")).ends_with("lines"));
        assert!(root.get("d").expect("d").is_null());
    }

    #[test]
    fn merge_keys_fill_what_is_missing() {
        let root = one("base: &b {x: 1, y: 2}\nother: &o {y: 3, z: 4}\nm: {<<: [*b, *o], x: 9}\n");
        let merged = root.get("m").expect("m");
        let get = |key| merged.get(key).map(|node| node.value.clone());
        assert_eq!(get("x"), Some(Value::Int(9)));
        assert_eq!(get("y"), Some(Value::Int(2)));
        assert_eq!(get("z"), Some(Value::Int(4)));
    }

    #[test]
    fn all_duplicate_keys_are_reported_with_their_first_place() {
        let problems = read("a: 1\na: 2\nb: {c: 1, c: 2}\n").expect_err("duplicates");
        assert_eq!(
            problems,
            ["t.yaml:2:1: the key `a` is there twice", "t.yaml:3:11: the key `c` is there twice"]
        );
    }

    #[test]
    fn keys_must_be_strings() {
        let problems = read("1: a\n? [x]\n: y\n").expect_err("no strings");
        assert_eq!(
            problems,
            [
                "t.yaml:1:1: a key must be a string, not a whole number",
                "t.yaml:2:3: a key must be a string, not a list"
            ]
        );
    }

    #[test]
    fn tags_change_the_meaning() {
        let root = one("a: !!str 1\nb: !reset null\nc: !override [x]\nd: !mine 3\ne: !reset\n");
        assert_eq!(root.get("a").expect("a").value, Value::Str("1".into()));
        assert_eq!(root.get("b").expect("b").tag, Tag::Reset);
        assert_eq!(root.get("c").expect("c").tag, Tag::Override);
        assert_eq!(root.get("d").expect("d").value, Value::Str("3".into()));
        assert_eq!(root.get("e").expect("e").tag, Tag::Reset);
        assert!(read("a: !!int x\n").is_err());
    }

    #[test]
    fn bombs_are_refused() {
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..10 {
            let refs = vec![format!("*a{}", level - 1); 10].join(",");
            bomb = format!("{bomb}a{level}: &a{level} [{refs}]\n");
        }
        assert!(read(&bomb).expect_err("a bomb")[0].contains("more than 300000 values"));
        let deep = "[".repeat(30_000);
        assert!(read(&deep).is_err());
        let deep_block: String = (0..3_000).map(|i| format!("{}a:\n", " ".repeat(i))).collect();
        assert!(read(&deep_block).is_err());
        assert!(read("a: &a [*a]\n").expect_err("a loop")[0].contains("inside its own anchor"));
        assert!(read("a: b\0c\n").expect_err("a NUL")[0].contains("U+0000"));
        assert!(text_of(b"a: \xff\n", "x").is_err());
    }

    #[test]
    fn aliases_repeat_only_so_much_text() {
        let long = "x".repeat(1_000_000);
        let aliases = |count| vec!["*a"; count].join(", ");
        assert!(read(&format!("a: &a {long}\nb: [{}]\n", aliases(20))).is_ok());
        let problems = read(&format!("a: &a {long}\nb: [{}]\n", aliases(1_000)));
        assert_eq!(
            problems.expect_err("a bomb"),
            ["t.yaml:2:133: anchors and aliases repeat more than 32 MiB of text"]
        );
    }

    #[test]
    fn several_documents_are_read_in_order() {
        assert_eq!(read("a: 1\n---\nb: 2\n").expect("valid").len(), 2);
        assert_eq!(read("").expect("valid").len(), 0);
        assert_eq!(read("# only a comment\n").expect("valid").len(), 0);
    }
}
