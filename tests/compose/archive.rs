//! Archives of cases: many small Compose projects in one text, each with what must come of it.
//!
//! A case begins with `=== title`, and holds sections begun by `-- name --`. A section is a file of
//! the project, unless it is `args`, `environ` or `expect.…`. A file named `escaped NAME` is written
//! with `\r`, `\t`, `\n`, `\0`, `\xHH` and `\\`; a final `\c` takes the last line end away.

use std::collections::BTreeMap;

use serde_json::Value;

/// One project and what must come of loading it.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) title: String,
    /// Contents by path within the project's directory.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// The command line, as `docker compose` would have it.
    pub(crate) arguments: Vec<String>,
    /// The environment from outside.
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) expectation: Expectation,
}

/// What must come of a case.
#[derive(Debug, PartialEq)]
pub(crate) enum Expectation {
    /// A project equal to `json`, with a warning about each of `warnings`.
    Project { json: Value, warnings: Vec<String> },
    /// A refusal at `place` (`FILE:LINE`, or `-` for no place) with all `words` in its message.
    Refusal { place: String, words: Vec<String> },
}

/// The cases of an archive, in order.
pub(crate) fn parse(text: &str) -> Result<Vec<Case>, String> {
    let mut cases = Vec::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(title) = line.strip_prefix("=== ") else {
            if line.is_empty() {
                continue;
            }
            return Err(format!("`{line}` stands before the first case"));
        };
        let mut sections: Vec<(&str, String)> = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("=== ")) {
            match (section_name(line), sections.last_mut()) {
                (Some(name), _) => sections.push((name, String::new())),
                (None, Some((_, content))) => {
                    content.push_str(line);
                    content.push('\n');
                }
                (None, None) if line.is_empty() => {}
                (None, None) => return Err(format!("{title}: `{line}` is in no section")),
            }
        }
        cases.push(case(title, sections).map_err(|reason| format!("{title}: {reason}"))?);
    }
    Ok(cases)
}

fn section_name(line: &str) -> Option<&str> {
    line.strip_prefix("-- ")?.strip_suffix(" --")
}

fn case(title: &str, sections: Vec<(&str, String)>) -> Result<Case, String> {
    let mut files = BTreeMap::new();
    let mut arguments = Vec::new();
    let mut environment = BTreeMap::from([("HOME".to_owned(), "/home/user".to_owned())]);
    let mut json = None;
    let mut warnings = Vec::new();
    let mut refusal = None;
    for (name, content) in sections {
        match name {
            "args" => arguments = filled_lines(&content),
            "environ" => {
                environment.extend(filled_lines(&content).into_iter().map(|line| {
                    let (key, value) = line.split_once('=').unwrap_or((&line, ""));
                    (key.to_owned(), value.to_owned())
                }));
            }
            "expect.json" => {
                json = Some(serde_json::from_str(&content).map_err(|error| error.to_string())?);
            }
            "expect.warning" => warnings = filled_lines(&content),
            "expect.error" => {
                let mut lines = filled_lines(&content).into_iter();
                let place = lines.next().ok_or("the refusal has no place")?;
                refusal = Some((place, lines.collect()));
            }
            _ => {
                let (name, content) = match name.strip_prefix("escaped ") {
                    Some(name) => (name, unescaped(&content)?),
                    None => (name, content.into_bytes()),
                };
                files.insert(name.to_owned(), content);
            }
        }
    }
    let expectation = match (json, refusal) {
        (Some(json), None) => Expectation::Project { json, warnings },
        (None, Some((place, words))) => Expectation::Refusal { place, words },
        (Some(_), Some(_)) => return Err("expects both a project and a refusal".to_owned()),
        (None, None) => return Err("expects nothing".to_owned()),
    };
    Ok(Case { title: title.to_owned(), files, arguments, environment, expectation })
}

fn filled_lines(content: &str) -> Vec<String> {
    content.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn unescaped(content: &str) -> Result<Vec<u8>, String> {
    let content = content.strip_suffix("\\c\n").unwrap_or(content);
    let mut bytes = Vec::new();
    let mut rest = content;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        let (byte, length) = match escape.as_bytes().first() {
            Some(b'r') => (b'\r', 1),
            Some(b't') => (b'\t', 1),
            Some(b'n') => (b'\n', 1),
            Some(b'0') => (0, 1),
            Some(b'\\') => (b'\\', 1),
            Some(b'x') => (hexadecimal(escape)?, 3),
            _ => return Err(format!("`\\{escape}` is no escape")),
        };
        bytes.push(byte);
        rest = &escape[length..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Ok(bytes)
}

fn hexadecimal(escape: &str) -> Result<u8, String> {
    escape
        .get(1..3)
        .and_then(|digits| u8::from_str_radix(digits, 16).ok())
        .ok_or_else(|| format!("`\\{escape}` is no escape"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_case_has_files_a_command_line_and_an_expectation() {
        let text = "=== a: b\n-- escaped x/y --\n\\xef\\t\\c\n-- args --\n-p\nq\n\
                    -- environ --\nA=b=c\n-- expect.error --\nx/y:1\nword\n\n=== c\n\
                    -- expect.json --\n{}\n-- expect.warning --\nA\n";
        let [first, second] = &parse(text).expect("well-formed")[..] else { panic!("two cases") };
        assert_eq!(first.files["x/y"], b"\xef\t");
        assert_eq!(first.arguments, ["-p", "q"]);
        assert_eq!(first.environment["A"], "b=c");
        assert_eq!(
            first.expectation,
            Expectation::Refusal { place: "x/y:1".to_owned(), words: vec!["word".to_owned()] }
        );
        assert_eq!(
            second.expectation,
            Expectation::Project { json: serde_json::json!({}), warnings: vec!["A".to_owned()] }
        );
    }

    #[test]
    fn a_case_without_an_expectation_is_refused() {
        assert_eq!(parse("=== a\n-- x --\n").expect_err("refused"), "a: expects nothing");
    }
}
