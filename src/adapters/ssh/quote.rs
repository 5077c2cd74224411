//! Words for a shell on another machine: the only place where data becomes part of a line.
//!
//! The line is read by whatever shell the user has there, so nothing is used that any of them reads
//! in a way of its own: a word is plain letters, or single quotes around anything but a quote, a
//! backslash and `!`, and those three stand alone behind a backslash.

use crate::ports::PortError;

/// A line that a shell reads as exactly these words.
pub(super) fn line<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<String, PortError> {
    let quoted: Vec<String> = words.into_iter().map(quoted).collect::<Result<_, _>>()?;
    Ok(quoted.join(" "))
}

/// A word. One with a line break, or another character that no path or argument has, is refused.
pub(super) fn quoted(word: &str) -> Result<String, PortError> {
    if let Some(c) = word.chars().find(|c| c.is_control()) {
        let what = c.escape_default();
        return Err(PortError::Refused(format!(
            "`{}` cannot be said to a host: it has the character {what}",
            word.escape_default()
        )));
    }
    if word.is_empty() {
        return Ok("''".to_owned());
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,".contains(c);
    if word.chars().all(is_plain) {
        return Ok(word.to_owned());
    }
    let mut text = String::new();
    let mut is_inside = false;
    for c in word.chars() {
        let stands_alone = matches!(c, '\'' | '\\' | '!');
        if stands_alone == is_inside {
            text.push('\'');
            is_inside = !stands_alone;
        }
        if stands_alone {
            text.push('\\');
        }
        text.push(c);
    }
    if is_inside {
        text.push('\'');
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plain_words_stay_as_they_are() {
        assert_eq!(quoted("/etc/nginx/a-b_c.conf"), Ok("/etc/nginx/a-b_c.conf".into()));
        assert_eq!(line(["nginx", "-t"]), Ok("nginx -t".into()));
    }

    #[test]
    fn whatever_a_shell_would_read_is_quoted() {
        for (word, expected) in [
            ("", "''"),
            ("a b", "'a b'"),
            ("$(id)", "'$(id)'"),
            ("`id`", "'`id`'"),
            ("a;b", "'a;b'"),
            ("~", "'~'"),
            ("*", "'*'"),
            ("it's", "'it'\\''s'"),
            ("\\", "\\\\"),
            ("a\\'b", "'a'\\\\\\''b'"),
            ("!x", "\\!'x'"),
            ("=x", "'=x'"),
            ("{a,b}", "'{a,b}'"),
        ] {
            assert_eq!(quoted(word).as_deref(), Ok(expected), "{word}");
        }
    }

    #[test]
    fn control_characters_are_refused() {
        for word in ["a\nb", "a\0b", "\r", "\u{1b}[0m", "\u{85}"] {
            assert!(matches!(quoted(word), Err(PortError::Refused(_))), "{word:?}");
        }
    }

    /// The words that a real shell makes of a line.
    fn read_by(shell: &str, line: &str) -> Option<Vec<String>> {
        #[expect(clippy::disallowed_methods, reason = "the shell is the judge")]
        let output =
            Command::new(shell).args(["-c", &format!("printf '%s\\0' {line}")]).output().ok()?;
        let text = String::from_utf8(output.stdout).expect("text");
        let mut words: Vec<String> = text.split('\0').map(str::to_owned).collect();
        words.pop();
        Some(words)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn every_shell_that_is_here_reads_the_words_back(
            words in prop::collection::vec("[ -~éß\u{1F600}]{0,12}", 1..4),
        ) {
            let line = line(words.iter().map(String::as_str)).expect("no control characters");
            for shell in ["sh", "bash", "dash"] {
                if let Some(read) = read_by(shell, &line) {
                    prop_assert_eq!(&read, &words, "{}", shell);
                }
            }
        }
    }
}
