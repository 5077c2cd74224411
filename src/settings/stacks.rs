//! Where the stacks of a repository are, and which Compose files each is made of.
//!
//! Looks at names only, and so works on the tree as committed: where it has
//! `compose.yaml.j2`, the answer is `compose.yaml`, the name under which the rendered view has it.

use std::collections::{BTreeMap, BTreeSet};

use crate::diag::{Diagnostic, Span};
use crate::files::{EntryKind, FileError, Files, Refusal, file_name, join};
use crate::model::Name;
use crate::settings::document::{inside, unreadable};
use crate::settings::{Placed, Settings};

mod glob;

pub use glob::Glob;
pub(super) use glob::{GLOB, wildcard};

/// The names of a Compose file, the preferred one first: Compose's own order.
const BASE: [&str; 4] =
    ["compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"];

/// The names of a file that is merged over it, the preferred one first.
const OVERRIDE: [&str; 4] = [
    "compose.override.yml",
    "compose.override.yaml",
    "docker-compose.override.yml",
    "docker-compose.override.yaml",
];

/// The most folders that are looked at, so that `**` in a large repository ends.
const FOLDERS_MAX: usize = 10_000;

/// A folder with a Compose file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StackFolder {
    /// The folder's name; for the root, the project's.
    pub name: Name,
    /// The folder, from the repository's root; `""` for the root itself.
    pub dir: String,
    /// Its Compose files from the repository's root, in the order they are merged, without `.j2`.
    pub compose_files: Vec<String>,
}

/// Finds all stacks, in the order of their names. `repository` is the repository's name, which
/// the stack at the root is called by unless `project:` says otherwise.
pub fn discover(
    files: &dyn Files,
    settings: &Settings,
    repository: &str,
    problems: &mut Vec<Diagnostic>,
) -> Vec<StackFolder> {
    let before = problems.len();
    let mut search = Search { files, problems, looked_at: 0, too_many: false };
    let found = match &settings.stacks {
        Some(globs) => search.folders_of(globs),
        None => search.usual_folders(),
    };
    let mut stacks: BTreeMap<Name, StackFolder> = BTreeMap::new();
    let mut dirs = BTreeSet::new();
    for Found { dir, said } in found {
        if dirs.contains(&dir) {
            continue;
        }
        let Some(stack) = search.stack(&dir, said, settings, repository) else { continue };
        if let Some(first) = stacks.get(&stack.name) {
            let problem = same_name(first, &stack);
            search.problems.push(at(problem, said.map(|said| said.span)));
            continue;
        }
        dirs.insert(dir);
        stacks.insert(stack.name.clone(), stack);
    }
    // A list that could not be read is a mistake of its own, reported already.
    let is_unread = settings.stacks.as_ref().is_some_and(Vec::is_empty);
    if stacks.is_empty() && !is_unread && !problems[before..].iter().any(is_error) {
        problems.push(nothing_found(settings));
    }
    stacks.into_values().collect()
}

fn is_error(problem: &Diagnostic) -> bool {
    problem.severity == crate::diag::Severity::Error
}

fn at(problem: Diagnostic, span: Option<Span>) -> Diagnostic {
    match span {
        Some(span) => problem.at(span),
        None => problem,
    }
}

fn same_name(first: &StackFolder, second: &StackFolder) -> Diagnostic {
    Diagnostic::error(
        "stacks/same-name",
        format!("`{}` and `{}` are both the stack `{}`", first.dir, second.dir, second.name),
    )
    .help("a stack is called by its folder; rename one of them")
}

fn nothing_found(settings: &Settings) -> Diagnostic {
    let problem = match &settings.stacks {
        Some(globs) => {
            let globs: Vec<String> = globs.iter().map(|glob| format!("`{}`", glob.value)).collect();
            let message = format!("no folder of {} has a Compose file", globs.join(", "));
            let span = settings.stacks.iter().flatten().next().map(|glob| glob.span);
            at(Diagnostic::error("stacks/none", message), span)
        }
        None => Diagnostic::error(
            "stacks/none",
            "there is no stack: neither a folder `stacks/*` with a Compose file nor a Compose file \
             at the root",
        ),
    };
    problem.help("run `gitdeploy init` to start with a first stack")
}

/// A folder, and how it came to be looked at.
struct Found {
    dir: String,
    said: Option<Said>,
}

/// The pattern that a folder matches.
#[derive(Debug, Clone, Copy)]
struct Said {
    span: Span,
    is_literal: bool,
}

struct Search<'a> {
    files: &'a dyn Files,
    problems: &'a mut Vec<Diagnostic>,
    looked_at: usize,
    too_many: bool,
}

impl Search<'_> {
    fn list(&mut self, dir: &str) -> Option<Vec<crate::files::Entry>> {
        self.looked_at += 1;
        if self.looked_at > FOLDERS_MAX {
            if !self.too_many {
                self.too_many = true;
                self.problems.push(Diagnostic::error(
                    "stacks/too-many-folders",
                    format!("more than {FOLDERS_MAX} folders match the patterns under `stacks`"),
                ));
            }
            return None;
        }
        match self.files.list(dir) {
            Ok(entries) => entries,
            // A file where the pattern wants a folder is simply not one.
            Err(FileError::WrongKind { .. }) => None,
            Err(error) => {
                self.problems.push(unreadable(&error));
                None
            }
        }
    }

    fn usual_folders(&mut self) -> Vec<Found> {
        let has_stacks = self
            .list("")
            .unwrap_or_default()
            .iter()
            .any(|entry| entry.name == "stacks" && entry.kind == EntryKind::Directory);
        if !has_stacks {
            return vec![Found { dir: String::new(), said: None }];
        }
        let usual = Glob::parse("stacks/*").expect("the literal is a pattern");
        let dirs = self.matching(&usual, None);
        dirs.into_iter().map(|dir| Found { dir, said: None }).collect()
    }

    fn folders_of(&mut self, globs: &[Placed<Glob>]) -> Vec<Found> {
        let mut found = Vec::new();
        for glob in globs {
            let said = Said { span: glob.span, is_literal: glob.value.is_literal() };
            let dirs = if said.is_literal {
                let path = glob.clone().map(|glob| glob.to_string());
                inside("", &path, self.problems).map(|path| path.value).into_iter().collect()
            } else {
                self.matching(&glob.value, Some(glob.span))
            };
            found.extend(dirs.into_iter().map(|dir| Found { dir, said: Some(said) }));
        }
        found
    }

    /// All folders that a pattern names, walking down one part of it at a time.
    fn matching(&mut self, glob: &Glob, span: Option<Span>) -> Vec<String> {
        let mut dirs = vec![String::new()];
        for part in glob.parts() {
            let mut next = Vec::new();
            for dir in &dirs {
                if part == "**" {
                    self.all_below(dir, &mut next);
                } else if Glob::is_literal_part(part) {
                    next.push(join(dir, part));
                } else {
                    next.extend(self.children(dir, part, span));
                }
            }
            next.sort();
            next.dedup();
            dirs = next;
        }
        dirs
    }

    fn children(&mut self, dir: &str, part: &str, span: Option<Span>) -> Vec<String> {
        let mut below = Vec::new();
        for entry in self.list(dir).unwrap_or_default() {
            if !Glob::part_matches(part, &entry.name) {
                continue;
            }
            let path = join(dir, &entry.name);
            match entry.kind {
                EntryKind::Directory => below.push(path),
                EntryKind::File => {}
                // A stack whose files are not read, if it can be one at all.
                EntryKind::Refused(_) if Name::parse(&entry.name).is_ok() => below.push(path),
                EntryKind::Refused(why) => self.problems.push(at(not_read(&path, why), span)),
            }
        }
        below
    }

    fn all_below(&mut self, dir: &str, all: &mut Vec<String>) {
        let mut waiting = vec![dir.to_owned()];
        while let Some(dir) = waiting.pop() {
            for entry in self.list(&dir).unwrap_or_default() {
                if entry.kind == EntryKind::Directory && !entry.name.starts_with('.') {
                    waiting.push(join(&dir, &entry.name));
                }
            }
            all.push(dir);
        }
    }

    /// The stack in `dir`. Without a Compose file, that is an error only when the folder was
    /// named, since a pattern may match other folders too.
    fn stack(
        &mut self,
        dir: &str,
        said: Option<Said>,
        settings: &Settings,
        repository: &str,
    ) -> Option<StackFolder> {
        let span = said.map(|said| said.span);
        let entries = match self.files.list(dir) {
            Ok(entries) => entries,
            Err(FileError::Symlink { path } | FileError::Submodule { path }) if path == dir => {
                return unread(dir);
            }
            Err(error) => {
                self.problems.push(at(unreadable(&error), span));
                return None;
            }
        };
        // A link is taken too: that it is not read is a mistake of this stack, and of no other.
        let is_file = |entry: &&crate::files::Entry| entry.kind != EntryKind::Directory;
        let files = entries.iter().flatten().filter(is_file);
        let names: Vec<&str> = files.map(|entry| entry.name.as_str()).collect();
        let Some(base) = self.preferred(dir, &names, &BASE, "Compose files") else {
            if said.is_some_and(|said| said.is_literal) {
                self.problems.push(at(no_compose_file(dir, entries.is_some()), span));
            }
            return None;
        };
        let over = self.preferred(dir, &names, &OVERRIDE, "override files");
        let name = match dir {
            "" => settings.project_name(repository),
            dir => Name::parse(file_name(dir)).map_err(|why| bad_name(dir, &why)),
        };
        let name = match name {
            Ok(name) => name,
            Err(problem) => {
                self.problems.push(at(problem, span));
                return None;
            }
        };
        let compose_files = [Some(base), over].into_iter().flatten();
        Some(StackFolder {
            name,
            dir: dir.to_owned(),
            compose_files: compose_files.map(|file| join(dir, file)).collect(),
        })
    }

    /// The first of `candidates` among `names`, with or without `.j2`.
    fn preferred(
        &mut self,
        dir: &str,
        names: &[&str],
        candidates: &[&'static str; 4],
        what: &str,
    ) -> Option<&'static str> {
        let mut found = Vec::new();
        for candidate in candidates {
            let plain = names.contains(candidate);
            let template = names.iter().any(|name| name.strip_suffix(".j2") == Some(candidate));
            if plain && template {
                let path = join(dir, candidate);
                self.problems.push(
                    Diagnostic::error(
                        "stacks/ambiguous-file",
                        FileError::Ambiguous { path }.to_string(),
                    )
                    .help("a file is either a template or taken as it is; remove one of them"),
                );
            }
            if plain || template {
                found.push(*candidate);
            }
        }
        if let [first, rest @ ..] = found.as_slice()
            && !rest.is_empty()
        {
            let rest: Vec<String> = rest.iter().map(|name| format!("`{name}`")).collect();
            let dir = if dir.is_empty() { "the root" } else { dir };
            self.problems.push(
                Diagnostic::warning(
                    "stacks/several-files",
                    format!("{dir} has several {what}; `{first}` is used, as Compose does"),
                )
                .help(format!("remove {}, or merge it with `include`", rest.join(", "))),
            );
        }
        found.first().copied()
    }
}

/// A stack none of whose files is read: whoever tries to says why.
fn unread(dir: &str) -> Option<StackFolder> {
    let name = Name::parse(file_name(dir)).ok()?;
    Some(StackFolder { name, dir: dir.to_owned(), compose_files: vec![join(dir, BASE[0])] })
}

fn not_read(path: &str, why: Refusal) -> Diagnostic {
    let error = match why {
        Refusal::Symlink => FileError::Symlink { path: path.to_owned() },
        Refusal::Submodule => FileError::Submodule { path: path.to_owned() },
        Refusal::Special => FileError::Special { path: path.to_owned() },
    };
    Diagnostic::error("stacks/not-read", error.to_string())
}

fn no_compose_file(dir: &str, is_there: bool) -> Diagnostic {
    if is_there {
        Diagnostic::error("stacks/no-compose-file", format!("`{dir}` has no Compose file"))
            .help(format!("add `{}`", join(dir, BASE[0])))
    } else {
        Diagnostic::error(
            "stacks/no-such-folder",
            format!("there is no folder `{dir}` in the repository"),
        )
    }
}

fn bad_name(dir: &str, why: &str) -> Diagnostic {
    let name = file_name(dir);
    let problem = Diagnostic::error(
        "stacks/bad-name",
        format!("the folder `{dir}` cannot name a stack: {why}"),
    );
    match Name::from_folder(name) {
        Some(better) => problem.help(format!("rename it, for example to `{better}`")),
        None => problem.help("rename it"),
    }
}

#[cfg(test)]
mod tests;
