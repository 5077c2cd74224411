//! Patterns for folders: `*` and `?` within one name, `**` for any number of folders.

use std::fmt;

use crate::files::clean;
use crate::shape::Format;

/// A pattern of a path, seen from the repository's root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glob(String);

/// A [`Glob`] in a file.
pub(in crate::settings) const GLOB: Format = Format {
    name: "pattern of folders",
    example: "stacks/*",
    check: |text| Glob::parse(text).map(drop),
};

impl Glob {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Err("it is empty; `.` is the root".into());
        }
        if text.starts_with('/') {
            return Err("it is seen from the repository's root and does not start with `/`".into());
        }
        if text.split('/').any(|part| part == "..") {
            return Err("it must stay inside the repository".into());
        }
        if let Some(c) = text.chars().find(|c| "[]{}\\".contains(*c)) {
            return Err(format!("`{c}` has no meaning here; there are `*`, `?` and `**`"));
        }
        if text.starts_with('!') {
            return Err("nothing can be excluded; name the folders that are stacks".into());
        }
        if text.split('/').any(|part| part.contains("**") && part != "**") {
            return Err("`**` stands alone between two `/`".into());
        }
        Ok(Self(clean(text)))
    }

    /// Whether it names one folder.
    pub fn is_literal(&self) -> bool {
        self.parts().all(Self::is_literal_part)
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    pub(super) fn is_literal_part(part: &str) -> bool {
        !part.contains(['*', '?'])
    }

    /// Whether `name` fits one part of a pattern. A name that starts with a dot must be asked for
    /// with one, as in a shell.
    pub(super) fn part_matches(part: &str, name: &str) -> bool {
        if name.starts_with('.') && !part.starts_with('.') {
            return false;
        }
        wildcard(part, name)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "." } else { &self.0 })
    }
}

/// Whether `text` fits `pattern`, in which `*` is any run of characters and `?` any one.
///
/// On a mismatch only the last `*` takes one character more, so the work is bounded by the product
/// of the lengths.
pub(in crate::settings) fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_whole_names() {
        for (pattern, text, matches) in [
            ("*", "", true),
            ("*", "abc", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("?", "ä", true),
            ("?", "", false),
            ("*a*a*a*a*b", &"a".repeat(500), false),
            ("web-?*", "web-12", true),
            ("abc", "abc", true),
        ] {
            assert_eq!(wildcard(pattern, text), matches, "{pattern} {text}");
        }
        assert!(!Glob::part_matches("*", ".git"));
        assert!(Glob::part_matches(".*", ".git"));
    }

    #[test]
    fn what_is_no_pattern_says_why() {
        let why: Vec<String> = ["", "/x", "../x", "a/[bc]", "{a,b}", "!x", "a**/b"]
            .into_iter()
            .map(|text| format!("{text:?}: {}", Glob::parse(text).expect_err("no pattern")))
            .collect();
        insta::assert_snapshot!(why.join("\n"), @r#"
        "": it is empty; `.` is the root
        "/x": it is seen from the repository's root and does not start with `/`
        "../x": it must stay inside the repository
        "a/[bc]": `[` has no meaning here; there are `*`, `?` and `**`
        "{a,b}": `{` has no meaning here; there are `*`, `?` and `**`
        "!x": nothing can be excluded; name the folders that are stacks
        "a**/b": `**` stands alone between two `/`
        "#);
    }
}
