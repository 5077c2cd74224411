//! Source text that may be shown: without the values that are likely to be secrets.
//!
//! A finding quotes the line it is about, and a secret may stand on the same line. Every byte keeps
//! its place, so that markers stay where they point.

use std::ops::Range;

const WORDS: &[&str] = &[
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "TOKEN",
    "APIKEY",
    "API_KEY",
    "ACCESS_KEY",
    "PRIVATE_KEY",
    "SIGNING_KEY",
    "ENCRYPTION_KEY",
    "CREDENTIAL",
    "AUTH_KEY",
    "BASICAUTH",
    "BASIC_AUTH",
    "DSN",
    "CONNECTION_STRING",
];

/// Whether a variable, label or option of this name is likely to hold a secret.
pub fn is_sensitive_name(name: &str) -> bool {
    const ENDINGS: &[&str] = &["_PASS", "_PWD", "_PW", "_KEY", "_URL", "_URI", "_AUTH", "_SALT"];
    const WHOLE: &[&str] = &["PASS", "PWD", "PW", "KEY", "AUTH", "PGPASS"];
    let name = name.to_uppercase().replace(['-', '.', '/'], "_");
    // What is public says so, and a path is not what it leads to.
    let is_harmless =
        name.ends_with("PUBLIC_KEY") || name.ends_with("_FILE") || name.ends_with("_PATH");
    !is_harmless
        && (WORDS.iter().any(|word| name.contains(word))
            || ENDINGS.iter().any(|ending| name.ends_with(ending))
            || WHOLE.contains(&name.as_str()))
}

/// Lines of a source without likely secrets: what stands after a telling name, passwords in URLs.
pub fn hidden(text: &str) -> String {
    text.split_inclusive('\n').map(hidden_line).collect()
}

fn hidden_line(line: &str) -> String {
    let separators = line.char_indices().filter(|(_, c)| matches!(c, ':' | '='));
    let values = separators.flat_map(|(at, _)| [value(line, at), password(line, at)]);
    let mut bytes = line.as_bytes().to_vec();
    for range in values.flatten() {
        bytes[range].fill(b'*');
    }
    // Ranges begin and end beside ASCII characters, so no character was cut.
    String::from_utf8(bytes).unwrap_or_default()
}

/// Where the value is that belongs to the name before the separator at `at`, if it must be hidden.
fn value(line: &str, at: usize) -> Option<Range<usize>> {
    let (before, after) = (&line[..at], &line[at + 1..]);
    let named = before.trim_end_matches(['"', '\'']);
    let is_quoted = named.len() < before.len();
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let name = &named[named.trim_end_matches(is_part).len()..];
    let is_yaml = line[at..].starts_with(':');
    if !is_sensitive_name(name) || (is_yaml && !is_quoted && !after.starts_with([' ', '\t'])) {
        return None;
    }
    let start = at + 1 + (after.len() - after.trim_start().len());
    let rest = &line[start..];
    // A variable, a template, a list or a block is not the secret itself.
    if rest.starts_with(['$', '{', '[', '|', '>', '&', '*']) {
        return None;
    }
    if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
        let inside = &rest[1..];
        let end = inside.find(quote).unwrap_or(inside.trim_end().len());
        return (!inside.starts_with(['$', '{'])).then_some(start + 1..start + 1 + end);
    }
    let is_flow = before.contains(['{', '[']);
    let stops: &[char] = if is_flow { &[',', '}', ']', '"', '\''] } else { &['"', '\''] };
    let end = rest.find(stops).unwrap_or(rest.len());
    let end = rest[..end].find(" #").unwrap_or(end);
    Some(start..start + rest[..end].trim_end().len())
}

/// The password of a URL whose scheme ends at `at`.
fn password(line: &str, at: usize) -> Option<Range<usize>> {
    let start = at + "://".len();
    let after = line[at..].strip_prefix("://")?;
    let end = after.find(|c: char| c.is_whitespace() || "/?#\"'".contains(c));
    let (user, _) = after[..end.unwrap_or(after.len())].rsplit_once('@')?;
    let (name, password) = user.split_once(':')?;
    let from = start + name.len() + 1;
    (!password.starts_with(['$', '{'])).then_some(from..from + password.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(text: &str) {
        assert_eq!(hidden(text), text);
    }

    #[test]
    fn values_of_telling_names_are_hidden_in_their_place() {
        for (text, shown) in [
            ("  DB_PASSWORD: hunter2 # old\n", "  DB_PASSWORD: ******* # old\n"),
            ("{DB_PASSWORD: hunter2, PORT: 1}", "{DB_PASSWORD: *******, PORT: 1}"),
            ("{\"token\":\"a b\",\"x\":1}", "{\"token\":\"***\",\"x\":1}"),
            ("- API_KEY=a b\r\n", "- API_KEY=***\r\n"),
            ("- 'API_KEY=ab'", "- 'API_KEY=**'"),
            ("secret: é\n", "secret: **\n"),
        ] {
            assert_eq!(hidden(text), shown);
            assert_eq!(hidden(text).len(), text.len());
        }
    }

    #[test]
    fn passwords_of_urls_are_hidden() {
        assert_eq!(hidden("at: x://me:pw@host/x"), "at: x://me:**@host/x");
    }

    #[test]
    fn what_is_no_secret_is_shown() {
        same("DB_PASSWORD: ${DB_PASSWORD:?is missing}\n");
        same("token: {{ values.token }}\n");
        same("secrets: [pin]\nsecrets:\n  pin: {file: ./pin}\n");
        same("image: nginx:1.25\n");
        same("PASSWORD_FILE: /run/secrets/pw\n");
        same("at: https://example.com:80/x@y\n");
    }
}
