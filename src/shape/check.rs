//! Compares a document with its shape and reports all that is wrong, not only the first.

use super::{Field, List, MapOf, Record, Shape};
use crate::diag::{Diagnostic, Span};
use crate::yaml::{Map, Node, Value};

/// Everything in `node` that `shape` does not allow, in the order of the text.
///
/// `path` names the place of `node` in messages: `services.web`, or `""` for a whole file.
pub fn check(node: &Node, shape: &Shape, path: &str) -> Vec<Diagnostic> {
    let mut checker = Checker { path: Vec::new(), problems: Vec::new() };
    if !path.is_empty() {
        checker.path.push(path.to_owned());
    }
    checker.value(node, shape);
    checker.problems
}

struct Checker {
    path: Vec<String>,
    problems: Vec<Diagnostic>,
}

impl Checker {
    fn value(&mut self, node: &Node, shape: &Shape) {
        match (shape, &node.value) {
            (Shape::Any, _)
            | (Shape::Null, Value::Null)
            | (Shape::Bool, Value::Bool(_))
            | (Shape::Number, Value::Int(_) | Value::Float(_))
            | (Shape::Str, Value::Str(_)) => {}
            (Shape::Int { min, max } | Shape::Integral { min, max }, Value::Int(number)) => {
                if number < min || number > max {
                    self.out_of_range(node, *number, *min, *max);
                }
            }
            (Shape::Integral { min, max }, Value::Float(number)) if number.fract() == 0.0 => {
                #[expect(clippy::cast_possible_truncation, reason = "a cast saturates")]
                let number = *number as i64;
                if number < *min || number > *max {
                    self.out_of_range(node, number, *min, *max);
                }
            }
            (Shape::Text(format), Value::Str(text)) => {
                if let Err(reason) = (format.check)(text) {
                    self.bad_text(node, format.name, format.example, text, &reason);
                }
            }
            (Shape::Enum(words), Value::Str(text)) => {
                if !words.contains(&text.as_str()) {
                    self.not_one_of(node, words, text);
                }
            }
            (Shape::List(list), Value::Seq(items)) => self.list(node, list, items),
            (Shape::Map(of), Value::Map(map)) => self.map(of, map),
            (Shape::Record(record), Value::Map(map)) => {
                self.record(node, record, map, |checker, item, key| {
                    checker.unknown_key(item, record, key);
                });
            }
            (Shape::Open(record), Value::Map(map)) => {
                self.record(node, record, map, |_, _, _| {});
            }
            (Shape::OneOf(shapes), _) => self.one_of(node, shapes),
            _ => self.wrong_kind(node, shape),
        }
    }

    /// The alternatives that take this kind of value decide; with several, the one that fits best.
    fn one_of(&mut self, node: &Node, shapes: &'static [Shape]) {
        let mut fewest: Option<Vec<Diagnostic>> = None;
        for shape in shapes.iter().filter(|shape| takes(shape, &node.value)) {
            let mut attempt = Self { path: self.path.clone(), problems: Vec::new() };
            attempt.value(node, shape);
            if attempt.problems.is_empty() {
                return;
            }
            if fewest.as_ref().is_none_or(|fewest| attempt.problems.len() < fewest.len()) {
                fewest = Some(attempt.problems);
            }
        }
        match fewest {
            Some(problems) => self.problems.extend(problems),
            None => self.wrong_kind(node, &Shape::OneOf(shapes)),
        }
    }

    fn list(&mut self, node: &Node, list: &List, items: &[Node]) {
        if items.len() < list.min {
            let least =
                if list.min == 1 { "one item".into() } else { format!("{} items", list.min) };
            self.problems.push(
                Diagnostic::error(
                    "shape/too-few",
                    format!("{} needs at least {least}", self.name()),
                )
                .at(node.span),
            );
        }
        for (index, item) in items.iter().enumerate() {
            self.below(format!("[{index}]"), |checker| checker.value(item, &list.item));
            if list.unique
                && let Some(first) = items[..index].iter().find(|other| are_same(other, item))
            {
                self.problems.push(
                    Diagnostic::error(
                        "shape/duplicate-item",
                        format!("{} has the same item twice", self.name()),
                    )
                    .at(item.span)
                    .related(first.span, "first here"),
                );
            }
        }
    }

    fn map(&mut self, of: &MapOf, map: &Map) {
        for (key, item) in map.iter() {
            if of.extensions && key.starts_with("x-") {
                continue;
            }
            if let Some(format) = of.key
                && let Err(reason) = (format.check)(key)
            {
                let message = format!("`{key}` is no {}: {reason}", format.name);
                self.problems.push(Diagnostic::error("shape/bad-key", message).at(item.key));
            }
            self.below(format!(".{key}"), |checker| checker.value(&item.node, &of.value));
        }
    }

    fn record(
        &mut self,
        node: &Node,
        record: &Record,
        map: &Map,
        unknown: impl Fn(&mut Self, Span, &str),
    ) {
        for (key, item) in map.iter() {
            if record.extensions && key.starts_with("x-") {
                continue;
            }
            match record.field(key) {
                Some(field) => {
                    self.below(format!(".{key}"), |checker| {
                        checker.value(&item.node, &field.shape);
                    });
                }
                None => unknown(self, item.key, key),
            }
        }
        for Field { name, .. } in record.fields.iter().filter(|field| field.required) {
            if map.get(name).is_none() {
                self.problems.push(
                    Diagnostic::error(
                        "shape/missing-key",
                        format!("{} needs the key `{name}`", self.name()),
                    )
                    .at(node.span),
                );
            }
        }
    }

    fn below(&mut self, part: String, check: impl FnOnce(&mut Self)) {
        self.path.push(part);
        check(self);
        self.path.pop();
    }

    fn name(&self) -> String {
        let path = self.path.concat();
        match path.trim_start_matches('.') {
            "" => "the file".into(),
            path => format!("`{path}`"),
        }
    }

    fn unknown_key(&mut self, at: crate::diag::Span, record: &Record, key: &str) {
        let owner = match self.name() {
            file if file == "the file" => file,
            name => format!("{} ({name})", record.name),
        };
        let names = record.fields.iter().map(|field| field.name);
        self.problems.push(
            Diagnostic::error("shape/unknown-key", format!("`{key}` is no key of {owner}"))
                .at(at)
                .did_you_mean(key, names),
        );
    }

    fn wrong_kind(&mut self, node: &Node, shape: &Shape) {
        let message = format!("{} must be {}, not {}", self.name(), shape.words(), node.kind());
        self.problems.push(Diagnostic::error("shape/wrong-kind", message).at(node.span));
    }

    fn out_of_range(&mut self, node: &Node, number: i64, min: i64, max: i64) {
        let range = match (min, max) {
            (min, i64::MAX) => format!("{min} or more"),
            (i64::MIN, max) => format!("{max} or less"),
            (min, max) => format!("from {min} to {max}"),
        };
        let message = format!("{} must be {range}, not {number}", self.name());
        self.problems.push(Diagnostic::error("shape/out-of-range", message).at(node.span));
    }

    fn bad_text(&mut self, node: &Node, name: &str, example: &str, text: &str, reason: &str) {
        let message = format!("{}: `{text}` is no {name}: {reason}", self.name());
        self.problems.push(
            Diagnostic::error("shape/bad-value", message)
                .at(node.span)
                .help(format!("a {name} looks like `{example}`")),
        );
    }

    fn not_one_of(&mut self, node: &Node, words: &'static [&'static str], text: &str) {
        let message = format!("{} must be {}, not `{text}`", self.name(), super::one_of(words));
        self.problems.push(
            Diagnostic::error("shape/bad-value", message)
                .at(node.span)
                .did_you_mean(text, words.iter().copied()),
        );
    }
}

/// Whether `shape` is meant for this kind of value.
fn takes(shape: &Shape, value: &Value) -> bool {
    match (shape, value) {
        (Shape::Any, _)
        | (Shape::Null, Value::Null)
        | (Shape::Bool, Value::Bool(_))
        | (Shape::Int { .. } | Shape::Integral { .. }, Value::Int(_))
        | (Shape::Number, Value::Int(_) | Value::Float(_))
        | (Shape::Str | Shape::Text(_) | Shape::Enum(_), Value::Str(_))
        | (Shape::List(_), Value::Seq(_))
        | (Shape::Map(_) | Shape::Record(_) | Shape::Open(_), Value::Map(_)) => true,
        (Shape::Integral { .. }, Value::Float(number)) => number.fract() == 0.0,
        (Shape::OneOf(shapes), value) => shapes.iter().any(|shape| takes(shape, value)),
        _ => false,
    }
}

/// Whether a list that wants no item twice takes `later` for `earlier`.
///
/// A number is the same as an earlier text that reads as it, but not the other way round: so it is
/// with the validator of the reference.
fn are_same(earlier: &Node, later: &Node) -> bool {
    match (&earlier.value, &later.value) {
        (Value::Str(text), Value::Int(number)) => text.parse() == Ok(*number),
        (earlier, later) => earlier == later,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Format, INT};
    use super::*;
    use crate::diag::{Source, Sources};

    const UPPER: Format = Format {
        name: "shout",
        example: "HEY",
        check: |text| if text == text.to_uppercase() { Ok(()) } else { Err("it is quiet".into()) },
    };
    const INNER: Record = Record {
        name: "inner",
        fields: &[
            Field::required("size", INT, "How large."),
            Field::optional("mode", Shape::Enum(&["fast", "slow"]), "How."),
            Field::optional("cry", Shape::Text(&UPPER), "What."),
        ],
        extensions: true,
    };
    const ROOT: Record = Record {
        name: "file",
        fields: &[
            Field::optional(
                "one",
                Shape::OneOf(&[Shape::Str, Shape::Record(&INNER)]),
                "Text or more.",
            ),
            Field::optional(
                "many",
                Shape::List(&List { item: Shape::Record(&INNER), min: 1, unique: true }),
                "Several.",
            ),
        ],
        extensions: false,
    };

    fn problems(text: &str) -> String {
        let sources = Sources::default();
        let id = sources.add(Source::verbatim("f", text));
        let root = crate::yaml::parse(text, id).expect("valid").remove(0);
        let lines: Vec<String> = check(&root, &Shape::Record(&ROOT), "")
            .iter()
            .map(|problem| {
                let at = sources.locate(problem.primary.as_ref().expect("a place").span);
                format!("{at}: {} {:?}", problem.message, problem.help)
            })
            .collect();
        lines.join("\n")
    }

    #[test]
    fn all_that_is_wrong_is_reported_with_its_place() {
        insta::assert_snapshot!(
            problems("onw: x\none: 3\nmany:\n- {size: 1, mode: fats, x-ok: 1}\n- {cry: hey}\n"),
            @r#"
        f:1:1: `onw` is no key of the file ["did you mean `one`?"]
        f:2:6: `one` must be a string or a mapping, not a whole number []
        f:4:19: `many[0].mode` must be `fast` or `slow`, not `fats` ["did you mean `fast`?"]
        f:5:9: `many[1].cry`: `hey` is no shout: it is quiet ["a shout looks like `HEY`"]
        f:5:3: `many[1]` needs the key `size` []
        "#
        );
    }

    #[test]
    fn lists_have_limits() {
        insta::assert_snapshot!(problems("many: []"), @"f:1:7: `many` needs at least one item []");
        insta::assert_snapshot!(
            problems("many: [{size: 1}, {size: 1}]"),
            @"f:1:19: `many` has the same item twice []"
        );
        assert_eq!(problems("one: {size: 3}"), "");
    }
}
