//! Values in quotes, and the escapes in them.

/// A value between quotes.
pub(super) struct Quoted {
    /// Without the quotes, and without the backslashes before quotes of the same kind; all other
    /// backslashes stay.
    pub(super) text: String,
    /// How many bytes it takes, both quotes included.
    pub(super) length: usize,
}

/// Reads the value that starts with the quote at the start of `text`; `None` when nothing closes
/// it.
pub(super) fn quoted(text: &str, quote: char) -> Option<Quoted> {
    let mut value = String::new();
    let mut is_escaped = false;
    for (at, ch) in text.char_indices().skip(1) {
        match ch {
            '\\' if !is_escaped => {
                is_escaped = true;
                continue;
            }
            _ if ch == quote && !is_escaped => {
                return Some(Quoted { text: value, length: at + ch.len_utf8() });
            }
            _ if ch == quote => {}
            _ if is_escaped => value.push('\\'),
            _ => {}
        }
        value.push(ch);
        is_escaped = false;
    }
    None
}

/// Replaces the escapes of a double-quoted value, leaving variables for later: an escaped dollar
/// sign becomes a doubled one.
pub(super) fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(ch) = rest.chars().next() else {
            out.push('\\');
            break;
        };
        rest = &rest[ch.len_utf8()..];
        match ch {
            'a' => out.push('\u{7}'),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'v' => out.push('\u{b}'),
            '"' | '\\' => out.push(ch),
            '$' => out.push_str("$$"),
            '0' => rest = octal(rest, &mut out),
            _ => out.extend(['\\', ch]),
        }
    }
    out.push_str(rest);
    out
}

/// Reads the digits after `\0` and gives what follows them.
///
/// Three octal digits up to 377 are a character. Any others stay as they are, but lose the zero:
/// an oddity of the reference that cannot be told from intent.
fn octal<'t>(text: &'t str, out: &mut String) -> &'t str {
    let count = text.bytes().take(3).take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(count);
    match u8::from_str_radix(digits, 8) {
        Ok(code) if count == 3 => out.push(char::from(code)),
        _ => {
            out.push('\\');
            out.push_str(digits);
        }
    }
    rest
}
