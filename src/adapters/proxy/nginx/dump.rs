//! nginx's whole configuration as `nginx -T` prints it, and a copy of it with one file exchanged.
//!
//! A candidate must be checked in its place without being there, or a reload by somebody else would
//! take it unchecked. So the files on the way from the main one to ours are copied, with each
//! `include` on that way spelled out as the files it means, ours exchanged; the rest is used as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// A configuration as it is read: its files in the order that nginx came across them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Dump {
    files: Vec<File>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct File {
    path: String,
    text: String,
}

/// One simple directive with its words.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Directive {
    words: Vec<String>,
    /// From its first letter to its semicolon.
    at: Range<usize>,
    depth: usize,
}

/// A file to be written for a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Copy {
    /// Where it is written.
    pub(super) path: String,
    /// Which file it stands for.
    pub(super) stands_for: String,
    /// What is in it.
    pub(super) text: String,
}

impl Dump {
    /// Reads the output of `nginx -T`; `None` when it names no file.
    pub(super) fn parse(output: &str) -> Option<Self> {
        let mut files: Vec<File> = Vec::new();
        for line in output.split_inclusive('\n') {
            let path = line.trim_end().strip_prefix("# configuration file ");
            match (path.and_then(|path| path.strip_suffix(':')), files.last_mut()) {
                (Some(path), _) => files.push(File { path: path.into(), text: String::new() }),
                (None, Some(file)) => file.text.push_str(line),
                (None, None) => {}
            }
        }
        (!files.is_empty()).then_some(Self { files })
    }

    /// The main file.
    pub(super) fn main(&self) -> &str {
        &self.files[0].path
    }

    /// Every file with its text.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|file| (file.path.as_str(), file.text.as_str()))
    }

    /// What the main configuration says after `name`, outside of all blocks.
    pub(super) fn top(&self, name: &str) -> Option<String> {
        let all = self.files.iter().flat_map(|file| directives(&file.text));
        let mut found =
            all.filter(|one| one.depth == 0 && one.words.first().is_some_and(|w| w == name));
        found.next()?.words.into_iter().nth(1)
    }

    /// The configuration with `candidate` in the place of `ours`, as files beside the main one
    /// whose names begin with `prefix`, the main one last. `None` when nothing includes `ours`.
    pub(super) fn staged(&self, ours: &str, candidate: &str, prefix: &str) -> Option<Vec<Copy>> {
        let mut exchanged = BTreeMap::from([(ours.to_owned(), format!("{prefix}.0"))]);
        // At most every file is on the way; each round finds one or is the last.
        loop {
            let next = self.files.iter().find(|file| {
                !exchanged.contains_key(&file.path)
                    && exchanged.keys().any(|path| self.includes(file, path))
            });
            let Some(file) = next else { break };
            let name = format!("{prefix}.{}", exchanged.len());
            exchanged.insert(file.path.clone(), name);
        }
        exchanged.get(self.main())?;
        let copied = self.files.iter().filter(|file| file.path != ours);
        let mut copies: Vec<Copy> = copied
            .filter_map(|file| {
                let path = exchanged.get(&file.path)?.clone();
                let text = self.rewritten(file, ours, &exchanged);
                Some(Copy { path, stands_for: file.path.clone(), text })
            })
            .collect();
        // The main one is the first that nginx read.
        copies.push(Copy {
            path: exchanged[ours].clone(),
            stands_for: ours.to_owned(),
            text: candidate.to_owned(),
        });
        copies.reverse();
        Some(copies)
    }

    fn includes(&self, file: &File, path: &str) -> bool {
        let mut patterns = directives(&file.text).into_iter().filter_map(Directive::included);
        patterns.any(|(pattern, _)| matches(&self.absolute(&pattern), path))
    }

    fn rewritten(&self, file: &File, ours: &str, exchanged: &BTreeMap<String, String>) -> String {
        let mut text = file.text.clone();
        let includes = directives(&file.text).into_iter().filter_map(Directive::included);
        for (pattern, at) in includes.collect::<Vec<_>>().into_iter().rev() {
            let pattern = self.absolute(&pattern);
            let known = self.files.iter().map(|file| file.path.as_str()).chain([ours]);
            // nginx takes the files of a pattern in the order of their bytes.
            let meant: BTreeSet<&str> = known.filter(|path| matches(&pattern, path)).collect();
            if !meant.iter().any(|path| exchanged.contains_key(*path)) {
                continue;
            }
            let name = |path: &&str| exchanged.get(*path).map_or(*path, String::as_str).to_owned();
            let spelled: Vec<String> =
                meant.iter().map(|path| format!("include \"{}\";", name(path))).collect();
            text.replace_range(at, &spelled.join(" "));
        }
        text
    }

    /// Includes are relative to the folder of the main file, wherever they are written.
    fn absolute(&self, pattern: &str) -> String {
        match (pattern.starts_with('/'), self.main().rsplit_once('/')) {
            (false, Some((folder, _))) => format!("{folder}/{pattern}"),
            _ => pattern.to_owned(),
        }
    }
}

impl Directive {
    fn included(self) -> Option<(String, Range<usize>)> {
        match <[String; 2]>::try_from(self.words) {
            Ok([word, pattern]) if word == "include" => Some((pattern, self.at)),
            _ => None,
        }
    }
}

/// The simple directives of a file, at any depth.
fn directives(text: &str) -> Vec<Directive> {
    let mut found = Vec::new();
    let (mut words, mut start, mut depth) = (Vec::new(), 0, 0_usize);
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        match c {
            ';' => {
                let words = std::mem::take(&mut words);
                found.push(Directive { words, at: start..at + 1, depth });
            }
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            '#' => {
                at += text[at..].find('\n').unwrap_or(text.len() - at);
                continue;
            }
            c if c.is_whitespace() => {}
            _ => {
                let (word, end) = word(text, at);
                if words.is_empty() {
                    start = at;
                }
                words.push(word);
                at = end;
                continue;
            }
        }
        if matches!(c, '{' | '}') {
            words.clear();
        }
        at += c.len_utf8();
    }
    found
}

/// The word at `at` without quotes and backslashes, and where it ends.
fn word(text: &str, at: usize) -> (String, usize) {
    let quote = text[at..].chars().next().filter(|c| matches!(c, '"' | '\''));
    let mut word = String::new();
    let mut chars = text[at..].char_indices().skip(usize::from(quote.is_some())).peekable();
    while let Some((offset, c)) = chars.next() {
        let is_end = match quote {
            Some(quote) => c == quote,
            None => c.is_whitespace() || matches!(c, ';' | '{' | '}') && !word.ends_with('$'),
        };
        match (is_end, quote) {
            (true, Some(_)) => return (word, at + offset + 1),
            (true, None) => return (word, at + offset),
            (false, _) if c == '\\' => word.extend(chars.next().map(|(_, escaped)| escaped)),
            // `${name}` is part of the word.
            (false, None) if c == '$' && chars.peek().is_some_and(|(_, next)| *next == '{') => {
                word.push(c);
                word.extend(chars.by_ref().map(|(_, c)| c).take_while(|c| *c != '}'));
                word.push('}');
            }
            (false, _) => word.push(c),
        }
    }
    (word, text.len())
}

/// Whether a shell pattern with `*`, `?` and `[…]` stands for a path, as glob(3) reads it: no `/`
/// and no leading dot is taken by a wildcard.
fn matches(pattern: &str, path: &str) -> bool {
    let (patterns, parts): (Vec<_>, Vec<_>) =
        (pattern.split('/').collect(), path.split('/').collect());
    patterns.len() == parts.len()
        && patterns.iter().zip(parts).all(|(pattern, part)| {
            let is_hidden = part.starts_with('.') && !pattern.starts_with('.');
            let (pattern, part): (Vec<_>, Vec<_>) =
                (pattern.chars().collect(), part.chars().collect());
            !is_hidden && part_matches(&pattern, &part)
        })
}

fn part_matches(pattern: &[char], part: &[char]) -> bool {
    match (pattern, part) {
        ([], []) => true,
        (['*', rest @ ..], _) => (0..=part.len()).any(|taken| part_matches(rest, &part[taken..])),
        (['[', rest @ ..], [c, part @ ..]) => match rest.iter().skip(1).position(|c| *c == ']') {
            Some(end) => {
                let (set, rest) = (&rest[..end + 1], &rest[end + 2..]);
                in_set(set, *c) && part_matches(rest, part)
            }
            None => false,
        },
        (['?', rest @ ..], [_, part @ ..]) => part_matches(rest, part),
        ([same, rest @ ..], [c, part @ ..]) => same == c && part_matches(rest, part),
        (_, _) => false,
    }
}

fn in_set(set: &[char], c: char) -> bool {
    let (is_negated, set) = match set {
        ['!' | '^', rest @ ..] => (true, rest),
        set => (false, set),
    };
    let in_range = set.windows(3).any(|w| w[1] == '-' && (w[0]..=w[2]).contains(&c));
    (in_range || set.contains(&c)) != is_negated
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = "# configuration file /etc/nginx/nginx.conf:\n\
        pid /run/nginx.pid; # include nothing;\n\
        http { include mime.types; include conf.d/*.conf; }\n\n\
        # configuration file /etc/nginx/mime.types:\ntypes { text/html html; }\n\n";

    fn staged(dump: &str, ours: &str) -> Option<Vec<(String, String)>> {
        let copies = Dump::parse(dump).expect("a dump").staged(ours, "NEW", "/etc/nginx/try")?;
        Some(copies.into_iter().map(|copy| (copy.path, copy.text)).collect())
    }

    #[test]
    fn a_file_that_is_not_there_yet_is_put_where_its_pattern_stands() {
        let files = staged(MAIN, "/etc/nginx/conf.d/ours.conf").expect("included");
        let main = "pid /run/nginx.pid; # include nothing;\n\
            http { include mime.types; include \"/etc/nginx/try.0\"; }\n\n";
        let expected = [("/etc/nginx/try.0", "NEW"), ("/etc/nginx/try.1", main)];
        assert_eq!(files, expected.map(|(path, text)| (path.to_owned(), text.to_owned())));
    }

    #[test]
    fn the_other_files_of_a_pattern_stay_in_their_order() {
        let dump = format!(
            "{MAIN}# configuration file /etc/nginx/conf.d/z.conf:\n\n\
             # configuration file /etc/nginx/conf.d/a.conf:\n\n\
             # configuration file /etc/nginx/conf.d/ours.conf:\nOLD\n"
        );
        let files = staged(&dump, "/etc/nginx/conf.d/ours.conf").expect("included");
        let (_, main) = files.last().expect("a main file");
        assert!(main.contains(
            "include \"/etc/nginx/conf.d/a.conf\"; include \"/etc/nginx/try.0\"; \
             include \"/etc/nginx/conf.d/z.conf\"; }"
        ));
    }

    #[test]
    fn every_file_on_the_way_is_copied() {
        let dump = "# configuration file /n/nginx.conf:\nhttp { include sites/*; }\n\
            # configuration file /n/sites/default:\nserver { include '/n/more/*'; }\n";
        let files = staged(dump, "/n/more/ours").expect("included");
        let paths: Vec<&str> = files.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(paths, ["/etc/nginx/try.0", "/etc/nginx/try.1", "/etc/nginx/try.2"]);
        assert!(files[1].1.contains("server { include \"/etc/nginx/try.0\"; }"));
        assert!(files[2].1.contains("http { include \"/etc/nginx/try.1\"; }"));
    }

    #[test]
    fn a_file_that_nothing_includes_cannot_be_staged() {
        assert_eq!(staged(MAIN, "/etc/nginx/other/ours.conf"), None);
        assert_eq!(staged(MAIN, "/etc/nginx/conf.d/.ours.conf"), None);
    }

    #[test]
    fn only_directives_outside_of_blocks_are_top() {
        let dump = Dump::parse(MAIN).expect("a dump");
        assert_eq!(dump.top("pid").as_deref(), Some("/run/nginx.pid"));
        assert_eq!(dump.top("include"), None);
    }

    #[test]
    fn words_are_read_as_nginx_reads_them() {
        let found = directives("a 'b c' \"d;\" ${e}f g\\ h; # x;\nblock { i; }");
        let words: Vec<_> = found.iter().map(|one| one.words.join("|")).collect();
        assert_eq!(words, ["a|b c|d;|${e}f|g h", "i"]);
    }

    #[test]
    fn patterns_stand_for_what_glob_finds() {
        for (pattern, path, expected) in [
            ("/a/*.conf", "/a/b.conf", true),
            ("/a/*", "/a/b/c", false),
            ("/a/[a-c]?", "/a/bx", true),
            ("/a/[!a-c]", "/a/b", false),
            ("/a/*", "/a/.b", false),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }
}
