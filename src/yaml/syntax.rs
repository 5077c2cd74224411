//! Says in plain words what the parser found wrong.
//!
//! The parser speaks of tokens and contexts. A sentence it has that is not known here is passed on
//! as it is, so that a new release of it is never worse than silent.

/// What is wrong, and what was probably meant.
pub(super) struct Words {
    pub(super) message: String,
    pub(super) help: Option<&'static str>,
}

/// The parser's `info` about what begins with `rest`.
pub(super) fn words(info: &str, rest: &str) -> Words {
    let (message, help) = if info.starts_with("mapping values are not allowed") {
        ("a second `:` cannot stand in a value without quotes", "put the value in quotes")
    } else if info.contains("did not find expected key") {
        (
            "this line is indented otherwise than its neighbours",
            "keys that belong together begin in the same column",
        )
    } else if info.starts_with("tabs disallowed") {
        ("a tab cannot indent a line", "use spaces")
    } else if info.starts_with("illegal placement of ':'") {
        ("a `:` cannot stand here", "is a `]`, a `}` or a quote missing before it?")
    } else if info.starts_with("invalid indentation in multiline quoted") {
        (
            "this line belongs to a quoted text and is not indented enough for it",
            "is the closing quote missing before it?",
        )
    } else if info.starts_with("unexpected character") {
        let first = rest.chars().next().map(String::from).unwrap_or_default();
        return Words {
            message: format!("a value cannot begin with `{first}`"),
            help: Some("put the value in quotes"),
        };
    } else {
        return Words { message: info.to_owned(), help: None };
    };
    Words { message: message.to_owned(), help: Some(help) }
}
