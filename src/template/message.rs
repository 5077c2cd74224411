//! What the engine says, in words for people.

use std::error::Error as _;
use std::ops::Range;

use minijinja::{Error, ErrorKind};

use super::engine::Job;
use super::failure::Place;
use super::lexer::{PieceKind, pieces};
use super::library::{Found, shown_name};
use super::limits::{FUEL_MAX, Stop};
use super::suggest;
use crate::diag::nearest;

/// One error in words.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) rule: &'static str,
    pub(super) text: String,
    pub(super) label: String,
    pub(super) help: Vec<String>,
    /// A better place than the engine's, in the same template.
    pub(super) range: Option<Range<usize>>,
}

impl Message {
    fn new(rule: &'static str, text: impl Into<String>) -> Self {
        Self { rule, text: text.into(), ..Self::default() }
    }

    fn help(mut self, text: impl Into<String>) -> Self {
        self.help.push(text.into());
        self
    }
}

/// The error at `place` in words.
pub(super) fn explain(job: &Job, error: &Error, place: Option<&Place>) -> Message {
    if let Some(stop) = error.source().and_then(|source| source.downcast_ref::<Stop>()) {
        return stopped(stop);
    }
    let detail = error.detail().unwrap_or_default();
    match error.kind() {
        ErrorKind::SyntaxError => syntax(detail, place),
        ErrorKind::UndefinedError => undefined(job, detail, place),
        ErrorKind::TemplateNotFound => not_found(job, detail, place),
        ErrorKind::UnknownFilter => unknown_filter(job, detail),
        ErrorKind::UnknownTest => unknown_test(detail),
        ErrorKind::UnknownFunction => unknown_function(job, detail, place),
        ErrorKind::OutOfFuel => {
            Message::new("template/limit", format!("the template takes more than {FUEL_MAX} steps"))
                .help("a loop runs too often; rendering is limited so that it always ends")
        }
        ErrorKind::WriteFailure => Message::new("template/limit", "the rendered text is too long"),
        _ if detail.contains("recursion limit exceeded") => {
            Message::new("template/limit", "macros, includes or loops are nested too deeply")
                .help("does a macro call itself, or a file include itself, without end?")
        }
        _ if suggest::undefined_expression(detail).is_some() => undefined(job, detail, place),
        kind => Message::new("template/failed", plain(kind, detail)),
    }
}

fn stopped(stop: &Stop) -> Message {
    match stop {
        Stop::Limit(text) => Message::new("template/limit", text),
        Stop::Fail(text) => Message::new("template/fail", text),
        Stop::Unreadable(text) => Message::new("template/unreadable", text),
    }
}

fn plain(kind: ErrorKind, detail: &str) -> String {
    let what = match kind {
        ErrorKind::InvalidOperation if detail.starts_with("invalid float literal") => {
            return "this text is no number".to_owned();
        }
        ErrorKind::InvalidOperation if !detail.is_empty() => return detail.to_owned(),
        ErrorKind::TooManyArguments => "too many arguments",
        ErrorKind::MissingArgument => "an argument is missing",
        ErrorKind::CannotUnpack => "the value does not have as many parts as there are names",
        ErrorKind::BadSerialization => "the value cannot be written in this format",
        ErrorKind::NonKey => "this value cannot be the key of a mapping",
        ErrorKind::UnknownMethod => "there is no such method",
        ErrorKind::UnknownBlock => "there is no such block",
        ErrorKind::BadEscape => "unknown escape in a string",
        _ => return if detail.is_empty() { kind.to_string() } else { detail.to_owned() },
    };
    if detail.is_empty() { what.to_owned() } else { format!("{what}: {detail}") }
}

/// Statements that the engine knows.
const STATEMENTS: &[&str] = &[
    "for",
    "endfor",
    "if",
    "elif",
    "else",
    "endif",
    "with",
    "endwith",
    "set",
    "endset",
    "autoescape",
    "filter",
    "endfilter",
    "block",
    "endblock",
    "extends",
    "include",
    "import",
    "from",
    "call",
    "endcall",
    "macro",
    "endmacro",
    "raw",
    "endraw",
    "do",
];

fn syntax(detail: &str, place: Option<&Place>) -> Message {
    if let Some(name) = detail.strip_prefix("unknown statement ") {
        let message = Message::new("template/syntax", format!("there is no statement `{name}`"));
        return with_nearest(message, name, STATEMENTS.iter().copied());
    }
    let text = match detail {
        "unexpected end of comment" => "this comment is never closed with `#}`".to_owned(),
        "unexpected end of raw block" => {
            "this `raw` is never closed with `{% endraw %}`".to_owned()
        }
        "unexpected end of string" => "this string is never closed".to_owned(),
        "unexpected character" => "this character has no meaning here".to_owned(),
        _ => match detail.split_once(", expected ") {
            Some((found, expected)) => {
                let found = found.strip_prefix("unexpected ").unwrap_or(found);
                let found = found.replace("end of input", "the end of the file");
                let found = found.replace("identifier", "a name");
                format!(
                    "expected {}, found {found}",
                    expected
                        .replace("end of block", "`%}`")
                        .replace("end of variable block", "`}}`")
                )
            }
            None => {
                detail.replace("unexpected end of input", "the file ends in the middle of a tag")
            }
        },
    };
    let message = Message::new("template/syntax", text);
    if !detail.contains("end of input") {
        return message;
    }
    let Some((keyword, range)) = place.and_then(|place| unclosed(&place.template.text)) else {
        return message.help("is an `{% endif %}`, `{% endfor %}` or another end missing?");
    };
    let text = format!("this `{keyword}` is never closed with `{{% end{keyword} %}}`");
    Message { range: Some(range), ..Message::new("template/syntax", text) }
}

/// The innermost block that is open at the end of a template.
fn unclosed(text: &str) -> Option<(&str, Range<usize>)> {
    let mut open = Vec::new();
    for piece in pieces(text) {
        let PieceKind::Statement { keyword, rest, .. } = piece.kind else { continue };
        match &text[keyword] {
            "set" if text[rest].contains('=') => {}
            word @ ("for" | "if" | "with" | "filter" | "block" | "call" | "macro" | "set"
            | "autoescape") => open.push((word, piece.span)),
            word if word.starts_with("end") => {
                open.pop();
            }
            _ => {}
        }
    }
    open.pop()
}

fn undefined(job: &Job, detail: &str, place: Option<&Place>) -> Message {
    let written = place.map(Place::text).unwrap_or_default();
    let expression = suggest::undefined_expression(detail).unwrap_or(written).trim();
    if expression.is_empty() {
        return Message::new("template/undefined", "this value is not defined");
    }
    let mut message = Message::new("template/undefined", format!("`{expression}` is not defined"));
    if written != expression
        && let Some(origin) = detail.split(", from ").nth(1).or(detail.split(" (from ").nth(1))
    {
        let origin = origin.trim_end_matches(')');
        message.label = format!("its value comes from {}", shown_name(origin));
    }
    message.range = place.and_then(|place| place.find(expression));
    if let Some(advice) = suggest::advice(job, expression, place) {
        return message.help(advice);
    }
    message
        .help("`| default(…)` gives a value to use instead; `is defined` asks whether there is one")
}

fn not_found(job: &Job, detail: &str, place: Option<&Place>) -> Message {
    let quoted: Vec<&str> = detail.split(['"', '\'']).skip(1).step_by(2).collect();
    let Some(first) = quoted.first() else {
        return Message::new("template/not-found", "the file to include does not exist");
    };
    let shown = shown_name(first);
    let message = if quoted.len() > 1 {
        Message::new("template/not-found", "none of these files exists")
    } else {
        Message::new("template/not-found", format!("there is no file `{shown}`"))
    };
    let parent = place.map(|place| place.name.as_str()).unwrap_or_default();
    let found =
        job.library.find(&job.library.name(first, parent)).or_else(|| job.library.find(first));
    match found {
        Some(Found::Nothing { tried }) => {
            let tried: Vec<String> = tried.iter().map(|path| format!("`{path}`")).collect();
            message.help(format!("looked for {}", tried.join(" and ")))
        }
        Some(Found::Template(..) | Found::Unreadable(_)) | None => message,
    }
}

fn with_nearest<'a>(
    message: Message,
    wrong: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Message {
    match nearest(wrong, names) {
        Some(name) => message.help(format!("did you mean `{name}`?")),
        None => message,
    }
}

fn word_between<'a>(detail: &'a str, before: &str) -> &'a str {
    let rest = detail.strip_prefix(before).unwrap_or(detail);
    rest.strip_suffix(" is unknown").unwrap_or(rest)
}

fn unknown_filter(job: &Job, detail: &str) -> Message {
    let name = word_between(detail, "filter ");
    let message = Message::new("template/unknown-name", format!("there is no filter `{name}`"));
    let names = super::filters::filter_names();
    let _ = job;
    with_nearest(message, name, names.iter().copied())
}

fn unknown_test(detail: &str) -> Message {
    let name = word_between(detail, "test ");
    let message = Message::new("template/unknown-name", format!("there is no test `{name}`"));
    with_nearest(message, name, super::filters::test_names().iter().copied())
}

fn unknown_function(job: &Job, detail: &str, place: Option<&Place>) -> Message {
    let name = word_between(detail, "");
    let message = Message::new("template/unknown-name", format!("there is no function `{name}`"));
    match suggest::advice(job, name, place) {
        Some(advice) => message.help(advice),
        None => message,
    }
}
