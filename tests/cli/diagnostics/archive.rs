//! Archives of cases: many small repositories in one text, each with what the program says of it.
//!
//! A case begins with `=== title` and holds sections begun by `-- name --`. A section is a file,
//! unless it is `args` (one a line; default `validate`), `environ`, `stdout` or `stderr`. Expected
//! standard output is compared only where the section is there. A file `escaped NAME` is written
//! with `\r`, `\t`, `\n` and `\xff`; a file `repeated N NAME` holds its text N times on end;
//! `link NAME` is a symbolic link.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// The cases of one text, in order.
#[derive(Debug)]
pub(crate) struct Archive {
    pub(crate) cases: Vec<Case>,
}

/// One repository and what is said of it.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    title: String,
    sections: Vec<(String, String)>,
}

/// What lies at a path.
#[derive(Debug)]
pub(crate) enum Entry {
    File(Vec<u8>),
    Link(String),
}

impl Case {
    /// What lies in the repository, by path.
    pub(crate) fn files(&self) -> BTreeMap<String, Entry> {
        const SPECIAL: [&str; 4] = ["args", "environ", "stdout", "stderr"];
        self.sections
            .iter()
            .filter(|(name, _)| !SPECIAL.contains(&name.as_str()))
            .flat_map(|(name, content)| entries(name, content))
            .collect()
    }

    /// The command line.
    pub(crate) fn arguments(&self) -> Vec<String> {
        match self.section("args") {
            Some(lines) => lines.lines().map(str::to_owned).collect(),
            None => vec!["validate".to_owned()],
        }
    }

    /// The environment beside `HOME`.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let lines = self.section("environ").unwrap_or_default().lines();
        lines
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    /// The same case with what was written in place of what was expected.
    pub(crate) fn with(&self, stdout: &str, stderr: &str) -> Self {
        let mut case = self.clone();
        for (name, content) in &mut case.sections {
            match name.as_str() {
                "stdout" => *content = without_blank_end(stdout),
                "stderr" => *content = without_blank_end(stderr),
                _ => {}
            }
        }
        if case.section("stderr").is_none() {
            case.sections.push(("stderr".to_owned(), without_blank_end(stderr)));
        }
        case
    }

    fn section(&self, wanted: &str) -> Option<&str> {
        self.sections.iter().find(|(name, _)| name == wanted).map(|(_, content)| content.as_str())
    }
}

/// Blank lines at the end of a section are the archive's own.
fn without_blank_end(text: &str) -> String {
    match text.trim_end_matches('\n') {
        "" => String::new(),
        text => format!("{text}\n"),
    }
}

/// What a section that is no part of the run stands for.
fn entries(name: &str, content: &str) -> Vec<(String, Entry)> {
    let (kind, path) = name.split_once(' ').unwrap_or(("", name));
    let counted = || {
        let (times, path) = path.split_once(' ').expect("a number and a path");
        (times.parse::<usize>().expect("a number"), path.to_owned())
    };
    match kind {
        "escaped" => vec![(path.to_owned(), Entry::File(unescaped(content)))],
        "link" => vec![(path.to_owned(), Entry::Link(content.trim_end().to_owned()))],
        "repeated" => {
            let (times, path) = counted();
            vec![(path, Entry::File(content.repeat(times).into_bytes()))]
        }
        _ => vec![(name.to_owned(), Entry::File(content.into()))],
    }
}

fn unescaped(content: &str) -> Vec<u8> {
    let text = content.replace("\\r", "\r").replace("\\t", "\t").replace("\\n", "\n");
    let mut bytes = Vec::new();
    for (index, part) in text.split("\\xff").enumerate() {
        if index > 0 {
            bytes.push(0xff);
        }
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

impl FromStr for Archive {
    type Err = String;

    /// Blank lines between a case and the next belong to neither.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut cases: Vec<Case> = Vec::new();
        for line in text.lines() {
            if let Some(title) = line.strip_prefix("=== ") {
                cases.push(Case { title: title.to_owned(), sections: Vec::new() });
                continue;
            }
            let Some(case) = cases.last_mut() else {
                return Err(format!("`{line}` stands before the first case"));
            };
            let name = line.strip_prefix("-- ").and_then(|line| line.strip_suffix(" --"));
            match (name, case.sections.last_mut()) {
                (Some(name), _) => case.sections.push((name.to_owned(), String::new())),
                (None, Some((_, content))) => {
                    content.push_str(line);
                    content.push('\n');
                }
                (None, None) => return Err(format!("{}: `{line}` is in no section", case.title)),
            }
        }
        for (_, content) in cases.iter_mut().filter_map(|case| case.sections.last_mut()) {
            *content = without_blank_end(content);
        }
        Ok(Self { cases })
    }
}

impl fmt::Display for Archive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Case { title, sections }) in self.cases.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            writeln!(f, "{gap}=== {title}")?;
            for (name, content) in sections {
                write!(f, "-- {name} --\n{content}")?;
            }
        }
        Ok(())
    }
}
