//! One YAML file of the repository as a tree, or what kept it from being one.

use crate::diag::{Diagnostic, Source, Sources};
use crate::files::{FileError, Files, clean};
use crate::settings::Placed;
use crate::shape::{Record, Shape, check};
use crate::yaml::{self, Node};

/// What a file holds.
#[derive(Debug)]
pub(super) enum Document {
    /// Nothing is there.
    Absent,
    /// It is there, without a value; or it could not be read, which has been reported.
    Empty,
    /// Its one document.
    Root(Node),
}

/// Reads the one document of `path`.
pub(super) fn read(
    files: &dyn Files,
    sources: &Sources,
    path: &str,
    problems: &mut Vec<Diagnostic>,
) -> Document {
    let file = match files.read(path) {
        Ok(Some(file)) => file,
        Ok(None) => return Document::Absent,
        Err(error) => {
            problems.push(unreadable(&error));
            return Document::Empty;
        }
    };
    let text = match yaml::text_of(&file.content, &file.name) {
        Ok(text) => text,
        Err(problem) => {
            problems.push(problem);
            return Document::Empty;
        }
    };
    let source =
        sources.add(Source { name: file.name, text: text.clone().into(), origin: file.origin });
    let mut documents = match yaml::parse(&text, source) {
        Ok(documents) => documents.into_iter(),
        Err(found) => {
            problems.extend(found);
            return Document::Empty;
        }
    };
    let root = documents.next();
    if let Some(second) = documents.next() {
        problems.push(
            Diagnostic::error(
                "settings/several-documents",
                format!("`{path}` has more than one document"),
            )
            .at(second.span)
            .help("put everything into one document, without `---` between"),
        );
    }
    match root {
        Some(root) if !root.is_null() => Document::Root(root),
        _ => Document::Empty,
    }
}

/// Reads `path` and checks it against `record`. A file without a value passes as an empty mapping.
pub(super) fn read_checked(
    files: &dyn Files,
    sources: &Sources,
    path: &str,
    record: &'static Record,
    problems: &mut Vec<Diagnostic>,
) -> Document {
    let document = read(files, sources, path, problems);
    if let Document::Root(root) = &document {
        problems.extend(check(root, &Shape::Record(record), ""));
    }
    document
}

/// What a tree says when it cannot be read, as a finding.
pub(super) fn unreadable(error: &FileError) -> Diagnostic {
    Diagnostic::error("settings/unreadable", error.to_string())
}

/// The first of `candidates` that is a file; a second one is an error, since one of them would be
/// ignored without a word.
pub(super) fn only_one_of(
    files: &dyn Files,
    candidates: &[&'static str],
    problems: &mut Vec<Diagnostic>,
) -> Option<&'static str> {
    let mut found = Vec::new();
    for candidate in candidates {
        match files.is_file(candidate) {
            Ok(true) => found.push(*candidate),
            Ok(false) => {}
            Err(error) => problems.push(unreadable(&error)),
        }
    }
    if let [first, second, ..] = found.as_slice() {
        problems.push(
            Diagnostic::error(
                "settings/ambiguous-file",
                format!("both `{first}` and `{second}` exist, and only one can be meant"),
            )
            .help(format!("move everything into `{first}` and remove `{second}`")),
        );
    }
    found.first().copied()
}

/// Refuses `candidates` with `.j2` behind them: they would be ignored without a word.
pub(super) fn refuse_templates(
    files: &dyn Files,
    candidates: &[&str],
    problems: &mut Vec<Diagnostic>,
) {
    for candidate in candidates {
        let template = format!("{candidate}.j2");
        if files.is_file(&template).unwrap_or(false) {
            problems.push(is_template(&template).help(format!("name it `{candidate}`")));
        }
    }
}

fn is_template(path: &str) -> Diagnostic {
    let message = format!("`{path}` is not rendered: settings are not templates");
    Diagnostic::error("settings/template", message)
}

/// A path written in a file, seen from `base`: cleaned, inside the repository, and a file there.
///
/// `None` when it leads out of the repository. A missing file is reported, and the path returned.
pub(super) fn referenced(
    files: &dyn Files,
    base: &str,
    path: &Placed<String>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Placed<String>> {
    let inside = inside(base, path, problems)?;
    if inside.value.ends_with(".j2") {
        problems.push(is_template(&inside.value).at(path.span));
        return None;
    }
    match files.is_file(&inside.value) {
        Ok(true) => {}
        Ok(false) => problems.push(missing(files, &inside)),
        Err(error) => problems.push(unreadable(&error).at(path.span)),
    }
    Some(inside)
}

/// `path` seen from `base`, refused when it leads out of the repository.
pub(super) fn inside(
    base: &str,
    path: &Placed<String>,
    problems: &mut Vec<Diagnostic>,
) -> Option<Placed<String>> {
    let cleaned =
        clean(&if base.is_empty() { path.value.clone() } else { format!("{base}/{}", path.value) });
    if path.value.starts_with('/') || cleaned == ".." || cleaned.starts_with("../") {
        problems.push(
            Diagnostic::error(
                "settings/outside",
                format!("`{}` leads out of the repository", path.value),
            )
            .at(path.span)
            .help("only files of the commit are read; write a path inside the repository"),
        );
        return None;
    }
    Some(Placed::new(cleaned, path.span))
}

/// Says that no file is there, with the file of a similar name.
pub(super) fn missing(files: &dyn Files, path: &Placed<String>) -> Diagnostic {
    let problem = Diagnostic::error(
        "settings/no-such-file",
        format!("there is no file `{}` in the repository", path.value),
    )
    .at(path.span);
    let template = format!("{}.j2", path.value);
    if files.is_file(&template).unwrap_or(false) {
        return is_template(&template).at(path.span);
    }
    let dir = crate::files::parent(&path.value);
    if let Ok(Some(_)) = files.list(&path.value) {
        return problem.help("it is a directory; name a file in it");
    }
    let Ok(Some(entries)) = files.list(dir) else { return problem };
    let names: Vec<String> =
        entries.iter().map(|entry| crate::files::join(dir, &entry.name)).collect();
    problem.did_you_mean(&path.value, names.iter().map(String::as_str))
}
