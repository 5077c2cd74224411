//! Regular expressions: linear in the text, limited in size, without look-around.

use minijinja::value::{Kwargs, Rest, ValueOrKwargs};
use minijinja::{Environment, Error, State, Value};
use regex::{Captures, Regex, RegexBuilder};

use super::super::limits::{VALUE_BYTES_MAX, room_for, spend_value, text_of};
use super::{add, wrong};

/// The most memory that a compiled expression takes.
const COMPILED_BYTES_MAX: usize = 1024 * 1024;

pub(super) fn install(environment: &mut Environment<'static>) {
    add(environment, "regex_replace", replace);
    add(environment, "regex_search", search);
    add(environment, "regex_findall", find_all);
    environment.add_test("match", |state: &mut State, text: Value, pattern: &str| {
        spend_value(state, &text)?;
        Ok::<_, Error>(
            compile(&format!("^(?:{pattern})"), false, false)?.is_match(&text_of(&text)?),
        )
    });
    for name in ["search", "regex"] {
        environment.add_test(name, |state: &mut State, text: Value, pattern: &str| {
            spend_value(state, &text)?;
            Ok::<_, Error>(compile(pattern, false, false)?.is_match(&text_of(&text)?))
        });
    }
}

fn compile(pattern: &str, ignore_case: bool, multi_line: bool) -> Result<Regex, Error> {
    RegexBuilder::new(pattern)
        .case_insensitive(ignore_case)
        .multi_line(multi_line)
        .size_limit(COMPILED_BYTES_MAX)
        .dfa_size_limit(COMPILED_BYTES_MAX)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => super::limit("this regular expression is too large"),
            error => {
                let reason = error.to_string();
                let reason = reason.lines().last().unwrap_or_default();
                let reason = reason.strip_prefix("error: ").unwrap_or(reason);
                wrong(format!("`{pattern}` is not a regular expression: {reason}"))
            }
        })
}

fn from_named(pattern: &str, named: &Kwargs) -> Result<Regex, Error> {
    let ignore_case = named.get::<Option<bool>>("ignorecase")?.unwrap_or(false);
    let multi_line = named.get::<Option<bool>>("multiline")?.unwrap_or(false);
    compile(pattern, ignore_case, multi_line)
}

fn replace(
    value: Value,
    pattern: &str,
    by: Option<String>,
    named: Kwargs,
) -> Result<String, Error> {
    let text = text_of(&value)?;
    let regex = from_named(pattern, &named)?;
    named.assert_all_used()?;
    let by = by.unwrap_or_default();
    let mut out = String::new();
    let mut from = 0;
    for found in regex.captures_iter(&text) {
        let Some(whole) = found.get(0) else { continue };
        out.push_str(&text[from..whole.start()]);
        expand(&by, &found, &mut out);
        room_for(Some(out.len()))?;
        from = whole.end();
    }
    out.push_str(&text[from..]);
    Ok(out)
}

/// Python's way to name groups: `\1`, `\g<1>` and `\g<name>`.
fn expand(by: &str, found: &Captures, out: &mut String) {
    let mut rest = by;
    while let Some(at) = rest.find('\\') {
        // One replacement can hold many groups, each as long as the text.
        if out.len() > VALUE_BYTES_MAX {
            return;
        }
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let digits = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
        if digits > 0 {
            out.push_str(group(found, &rest[..digits]));
            rest = &rest[digits..];
        } else if let Some((name, after)) =
            rest.strip_prefix("g<").and_then(|rest| rest.split_once('>'))
        {
            out.push_str(group(found, name));
            rest = after;
        } else if let Some(after) = rest.strip_prefix('n') {
            out.push('\n');
            rest = after;
        } else if let Some(after) = rest.strip_prefix('\\') {
            out.push('\\');
            rest = after;
        } else {
            out.push('\\');
        }
    }
    out.push_str(rest);
}

fn group<'t>(found: &Captures<'t>, name: &str) -> &'t str {
    let group = match name.parse() {
        Ok(number) => found.get(number),
        Err(_) => found.name(name),
    };
    group.map_or("", |group| group.as_str())
}

/// The first match, or the groups named in `groups`; none when nothing matches.
fn search(value: Value, pattern: &str, args: Rest<ValueOrKwargs>) -> Result<Value, Error> {
    let args = args.into_values();
    let (groups, named) = match args.split_last() {
        Some((last, groups)) if last.is_kwargs() => (groups, Kwargs::try_from(last.clone())?),
        _ => (&args[..], Kwargs::from_iter(std::iter::empty::<(&str, Value)>())),
    };
    let text = text_of(&value)?;
    let regex = from_named(pattern, &named)?;
    named.assert_all_used()?;
    let Some(found) = regex.captures(&text) else { return Ok(Value::from(())) };
    if groups.is_empty() {
        return Ok(Value::from(group(&found, "0")));
    }
    let names = groups.iter().filter_map(Value::as_str);
    let part = |name: &str| {
        let name = name.trim_start_matches('\\');
        group(&found, name.strip_prefix("g<").map_or(name, |name| name.trim_end_matches('>')))
    };
    Ok(names.map(part).map(Value::from).collect())
}

/// All matches; with one group that group, with several a list of them each.
fn find_all(value: Value, pattern: &str, named: Kwargs) -> Result<Value, Error> {
    let text = text_of(&value)?;
    let regex = from_named(pattern, &named)?;
    named.assert_all_used()?;
    let mut all = Vec::new();
    let mut bytes = 0;
    for found in regex.captures_iter(&text) {
        bytes += 32 * found.len();
        room_for(Some(bytes))?;
        let part = |index: usize| Value::from(found.get(index).map_or("", |group| group.as_str()));
        all.push(match found.len() {
            1 => part(0),
            2 => part(1),
            count => (1..count).map(part).collect(),
        });
    }
    Ok(all.into())
}
