//! The text of `~/.ssh/config` as a flat list of directives, each with the conditions it is under.

use crate::diag::{Diagnostic, Source, SourceId, Sources, Span};

/// How deep files may include each other, as in `ssh` itself.
const DEPTH_MAX: usize = 16;

/// The most directives that are kept; files that include each other grow fast.
const DIRECTIVES_MAX: usize = 20_000;

/// The most files that are read.
const FILES_MAX: usize = 1_000;

/// A file that `Include` names.
#[derive(Debug, Clone)]
pub struct Included {
    /// The name that people know it by.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A configuration of OpenSSH's client.
#[derive(Debug, Clone, Default)]
pub struct SshConfig {
    pub(super) directives: Vec<Directive>,
}

/// One line that says something.
#[derive(Debug, Clone)]
pub(super) struct Directive {
    /// All must hold; one `Host` or `Match` of the file, and those of the files that include it.
    pub(super) conditions: Vec<Condition>,
    pub(super) keyword: Keyword,
    pub(super) arguments: Vec<String>,
    pub(super) span: Span,
}

/// The keywords that matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyword {
    HostName,
    Port,
    User,
    IdentityFile,
    ProxyJump,
    ProxyCommand,
    UserKnownHostsFile,
}

/// What a `Host` or `Match` line wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Condition {
    /// `Host` with its patterns.
    Host(Vec<String>),
    /// `Match` with its criteria; all must hold.
    Match(Vec<Criterion>),
    /// One that is not evaluated, and so never holds.
    Never,
}

/// One criterion of `Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Criterion {
    pub(super) negated: bool,
    pub(super) on: On,
    pub(super) patterns: Vec<String>,
}

/// What a criterion looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    All,
    Host,
    OriginalHost,
    User,
    LocalUser,
}

impl SshConfig {
    /// Reads `text`, the file that people know as `name`. `include` is asked for the files that a
    /// pattern of `Include` names; the pattern may start with `~/`, and a relative one is meant
    /// from `~/.ssh`.
    pub fn parse(
        name: &str,
        text: &str,
        include: &dyn Fn(&str) -> Vec<Included>,
        sources: &Sources,
        problems: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut reader = Reader { include, sources, problems, directives: Vec::new(), files: 0 };
        reader.file(name, text, &[], 0);
        Self { directives: reader.directives }
    }
}

struct Reader<'a> {
    include: &'a dyn Fn(&str) -> Vec<Included>,
    sources: &'a Sources,
    problems: &'a mut Vec<Diagnostic>,
    directives: Vec<Directive>,
    files: usize,
}

/// A line taken apart.
struct Line {
    keyword: String,
    arguments: Vec<String>,
    span: Span,
}

impl Reader<'_> {
    fn file(&mut self, name: &str, text: &str, outer: &[Condition], depth: usize) {
        let source = self.sources.add(Source::verbatim(name, text));
        let mut block: Option<Condition> = None;
        let mut offset = 0;
        for raw in text.split_inclusive('\n') {
            let start = offset;
            offset += raw.len();
            let Some(line) = self.line(raw, start, source) else { continue };
            let under = || outer.iter().chain(&block).cloned().collect::<Vec<Condition>>();
            match line.keyword.to_ascii_lowercase().as_str() {
                "host" => block = Some(Condition::Host(line.arguments)),
                "match" => block = Some(self.match_line(&line)),
                "include" => self.include(&line, &under(), depth),
                other => {
                    let Some(keyword) = keyword(other) else { continue };
                    if line.arguments.is_empty() {
                        self.warn(line.span, format!("`{}` says nothing", line.keyword));
                        continue;
                    }
                    if self.directives.len() >= DIRECTIVES_MAX {
                        self.warn(line.span, "the rest is not read: it is too long".into());
                        return;
                    }
                    let conditions = under();
                    let Line { arguments, span, .. } = line;
                    self.directives.push(Directive { conditions, keyword, arguments, span });
                }
            }
        }
    }

    fn warn(&mut self, at: Span, message: String) {
        self.problems.push(Diagnostic::warning("ssh-config/not-used", message).at(at));
    }

    /// `Keyword argument …` or `Keyword=argument …`; `None` for a comment or an empty line.
    fn line(&mut self, raw: &str, start: usize, source: SourceId) -> Option<Line> {
        let indent = raw.len() - raw.trim_start().len();
        let text = raw.trim();
        if text.is_empty() || text.starts_with('#') {
            return None;
        }
        let span = Span::new(source, start + indent, start + indent + text.len());
        let end = text.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(text.len());
        let (keyword, rest) = text.split_at(end);
        let rest = rest.trim_start();
        let rest = rest.strip_prefix('=').unwrap_or(rest);
        match words(rest) {
            Some(arguments) => Some(Line { keyword: keyword.to_owned(), arguments, span }),
            None => {
                self.warn(span, "the line is passed over: a quote is not closed".into());
                None
            }
        }
    }

    fn include(&mut self, line: &Line, under: &[Condition], depth: usize) {
        if depth >= DEPTH_MAX {
            self.warn(line.span, format!("files include each other more than {DEPTH_MAX} deep"));
            return;
        }
        for pattern in &line.arguments {
            for Included { name, text } in (self.include)(pattern) {
                self.files += 1;
                if self.directives.len() >= DIRECTIVES_MAX || self.files > FILES_MAX {
                    return;
                }
                self.file(&name, &text, under, depth + 1);
            }
        }
    }

    fn match_line(&mut self, line: &Line) -> Condition {
        let mut criteria = Vec::new();
        let mut words = line.arguments.iter();
        while let Some(word) = words.next() {
            let (negated, word) = match word.strip_prefix('!') {
                Some(word) => (true, word),
                None => (false, word.as_str()),
            };
            // Newer versions of `ssh` take `host=pattern` too.
            let (word, attached) = match word.split_once('=') {
                Some((word, attached)) => (word, Some(attached)),
                None => (word, None),
            };
            let on = match word.to_ascii_lowercase().as_str() {
                "all" => On::All,
                "host" => On::Host,
                "originalhost" => On::OriginalHost,
                "user" => On::User,
                "localuser" => On::LocalUser,
                other => {
                    self.warn(
                        line.span,
                        format!(
                            "`Match {other}` is not evaluated; the lines \
                         below it are passed over"
                        ),
                    );
                    return Condition::Never;
                }
            };
            let patterns = match on {
                On::All => Vec::new(),
                On::Host | On::OriginalHost | On::User | On::LocalUser => {
                    let Some(list) = attached.or_else(|| words.next().map(String::as_str)) else {
                        self.warn(line.span, format!("`Match {word}` names no pattern"));
                        return Condition::Never;
                    };
                    list.split(',').map(str::to_owned).collect()
                }
            };
            criteria.push(Criterion { negated, on, patterns });
        }
        if criteria.is_empty() {
            self.warn(line.span, "`Match` wants nothing".into());
            return Condition::Never;
        }
        Condition::Match(criteria)
    }
}

fn keyword(lower: &str) -> Option<Keyword> {
    Some(match lower {
        "hostname" => Keyword::HostName,
        "port" => Keyword::Port,
        "user" => Keyword::User,
        "identityfile" => Keyword::IdentityFile,
        "proxyjump" => Keyword::ProxyJump,
        "proxycommand" => Keyword::ProxyCommand,
        "userknownhostsfile" => Keyword::UserKnownHostsFile,
        _ => return None,
    })
}

/// Words between blanks; quotes keep blanks together, `#` ends the line. `None` for an open quote.
fn words(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match (c, quote) {
            ('\\', _) if chars.peek().is_some_and(|next| matches!(next, '"' | '\'' | '\\')) => {
                word.get_or_insert_default().extend(chars.next());
            }
            (c, Some(open)) if c == open => quote = None,
            (c, Some(_)) => word.get_or_insert_default().push(c),
            ('"' | '\'', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            ('#', None) if word.is_none() => break,
            (c, None) if c.is_whitespace() => words.extend(word.take()),
            (c, None) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}
