//! What may stand in a proxy's configuration, in double quotes or bare.
//!
//! Refused rather than escaped: the two proxies and templates of others would each need other
//! escapes, and nothing that people mean needs any.

use super::RenderError;

/// Text in double quotes.
pub(super) fn quotable<'a>(what: &'static str, text: &'a str) -> Result<&'a str, RenderError> {
    let is_bad = |c: char| c.is_control() || matches!(c, '"' | '\'' | '\\' | '$' | '`');
    checked(what, text, !text.contains(is_bad))
}

/// A path where the proxy runs.
pub(super) fn file(text: &str) -> Result<&str, RenderError> {
    let is_plain = |c: char| c.is_alphanumeric() || "/-._+@,=:".contains(c);
    checked("file", text, text.starts_with('/') && text.chars().all(is_plain))
}

/// A container's or a backend's name, bare.
pub(super) fn word<'a>(what: &'static str, text: &'a str) -> Result<&'a str, RenderError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let starts = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    checked(what, text, starts && text.chars().all(is_plain))
}

/// A host name or `*.name`, in lower case.
pub(super) fn host(text: &str) -> Result<String, RenderError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    let name = text.strip_prefix("*.").unwrap_or(text);
    let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    checked("host", text, starts && name.chars().all(is_plain)).map(str::to_ascii_lowercase)
}

/// The path of a rule as the proxy compares it: percent-decoded.
pub(super) fn path(text: &str) -> Result<String, RenderError> {
    let refused = || RenderError::Unsafe { what: "path", text: text.to_owned() };
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let (byte, after) = match first {
            b'%' => (tail.first_chunk().and_then(hex).ok_or_else(refused)?, &tail[2..]),
            plain => (*plain, tail),
        };
        bytes.push(byte);
        rest = after;
    }
    let decoded = String::from_utf8(bytes).map_err(|_| refused())?;
    let is_whole = decoded.starts_with('/') && !decoded.contains([';', '{', '}', '#', '?']);
    checked("path", &decoded, is_whole)?;
    quotable("path", &decoded).map_err(|_| refused())?;
    Ok(decoded)
}

fn hex(digits: &[u8; 2]) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let value = digit(digits[0])? * 16 + digit(digits[1])?;
    u8::try_from(value).ok()
}

fn checked<'a>(what: &'static str, text: &'a str, is_good: bool) -> Result<&'a str, RenderError> {
    match is_good {
        true => Ok(text),
        false => Err(RenderError::Unsafe { what, text: text.to_owned() }),
    }
}
