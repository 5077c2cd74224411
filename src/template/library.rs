//! The templates one rendering needs, read ahead of the engine asking for them.
//!
//! The engine wants a loader that lives forever and works from any thread; a tree of files does
//! neither. So the engine sees only this list. When it asks for a name that is not on it, the
//! rendering is given up, the name is looked up, and rendering starts again, which is sound
//! because rendering is pure. Names written as plain strings are looked up beforehand, so that
//! this is rare.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use super::instrument::{misnamed_import, overlong_tag};
use super::lexer::{PieceKind, TokenKind, pieces, tokens};
use super::limits::TEMPLATES_MAX;
use crate::files::{Files, clean, join, parent};

// The first character of a name as the engine knows it.
const FIXED: char = '=';
const SOUGHT: char = ':';
const OUTSIDE: char = '!';

/// A template that was read.
#[derive(Debug)]
pub(super) struct Template {
    /// Its path from the tree's root.
    pub(super) path: Arc<str>,
    /// Its source.
    pub(super) text: Arc<str>,
    /// A tag with more operators than are allowed.
    pub(super) overlong: Option<Range<usize>>,
    /// A tag that imports a file under something other than a name.
    pub(super) misnamed: Option<Range<usize>>,
}

/// What stands behind a name.
#[derive(Debug, Clone)]
pub(super) enum Found {
    /// A template, and its number.
    Template(usize, Arc<Template>),
    /// Nothing; the paths are those that were tried.
    Nothing { tried: Vec<String> },
    /// Something that is not read, with the reason.
    Unreadable(String),
}

/// Templates by the names the engine knows.
#[derive(Debug, Clone)]
pub(super) struct Library {
    folder: String,
    names: BTreeMap<String, Found>,
    templates: Vec<Arc<Template>>,
}

/// The engine's name of the file `path`.
pub(super) fn fixed_name(path: &str) -> String {
    format!("{FIXED}{path}")
}

/// A name as the author wrote it, more or less.
pub(super) fn shown_name(name: &str) -> &str {
    name.strip_prefix([FIXED, SOUGHT, OUTSIDE]).unwrap_or(name)
}

impl Library {
    /// An empty list, for a template in `folder`.
    pub(super) fn new(folder: &str) -> Self {
        Self { folder: folder.to_owned(), names: BTreeMap::new(), templates: Vec::new() }
    }

    /// The engine's name for `name` as it stands in the template that the engine calls `parent`.
    pub(super) fn name(&self, name: &str, parent_name: &str) -> String {
        if name.starts_with("./") || name.starts_with("../") {
            let folder = match self.names.get(parent_name) {
                Some(Found::Template(_, template)) => parent(&template.path),
                Some(Found::Nothing { .. } | Found::Unreadable(_)) | None => &self.folder,
            };
            let path = join(folder, name);
            return if climbs(&path) {
                format!("{OUTSIDE}{name}")
            } else {
                format!("{FIXED}{path}")
            };
        }
        let path = clean(name);
        if name.starts_with('/') || climbs(&path) {
            format!("{OUTSIDE}{name}")
        } else {
            format!("{SOUGHT}{path}")
        }
    }

    /// What is known of a name; `None` when it was not looked up yet.
    pub(super) fn find(&self, name: &str) -> Option<&Found> {
        self.names.get(name)
    }

    /// The template of that number.
    pub(super) fn template(&self, index: usize) -> Option<&Arc<Template>> {
        self.templates.get(index)
    }

    /// All templates.
    pub(super) fn templates(&self) -> &[Arc<Template>] {
        &self.templates
    }

    /// Adds a template under its path.
    pub(super) fn add(&mut self, path: &str, text: &str) {
        if let Some(index) = self.templates.iter().position(|known| &*known.path == path) {
            let template = Arc::clone(&self.templates[index]);
            self.names.insert(fixed_name(path), Found::Template(index, template));
            return;
        }
        let (overlong, misnamed) = (overlong_tag(text), misnamed_import(text));
        let template =
            Arc::new(Template { path: path.into(), text: text.into(), overlong, misnamed });
        self.templates.push(Arc::clone(&template));
        let found = Found::Template(self.templates.len() - 1, template);
        self.names.insert(fixed_name(path), found);
    }

    /// Looks a name up, and all names that stand as plain strings in what is found.
    pub(super) fn look_up(&mut self, name: &str, files: &dyn Files) {
        let mut wanted = vec![name.to_owned()];
        while let Some(name) = wanted.pop() {
            if self.names.contains_key(&name) {
                continue;
            }
            let found = self.read(&name, files);
            if let Found::Template(_, template) = &found {
                wanted.extend(self.mentioned(&name, Arc::clone(template).as_ref()));
            }
            self.names.insert(name, found);
        }
    }

    /// Looks up the names that stand as plain strings in a template that was added.
    pub(super) fn look_ahead(&mut self, path: &str, files: &dyn Files) {
        let name = fixed_name(path);
        let Some(Found::Template(_, template)) = self.names.get(&name) else { return };
        for name in self.mentioned(&name, Arc::clone(template).as_ref()) {
            self.look_up(&name, files);
        }
    }

    fn read(&mut self, name: &str, files: &dyn Files) -> Found {
        let shown = shown_name(name);
        if name.starts_with(OUTSIDE) {
            return Found::Unreadable(format!("`{shown}` leads out of the repository"));
        }
        let mut tried = Vec::new();
        if name.starts_with(SOUGHT) {
            tried.push(join(&self.folder, shown));
        }
        if !tried.iter().any(|path| path == shown) {
            tried.push(shown.to_owned());
        }
        for path in &tried {
            match self.read_file(path, files) {
                Ok(None) => {}
                Ok(Some(found)) => return found,
                Err(reason) => return Found::Unreadable(reason),
            }
        }
        Found::Nothing { tried }
    }

    fn read_file(&mut self, path: &str, files: &dyn Files) -> Result<Option<Found>, String> {
        if !files.is_file(path).map_err(|error| error.to_string())? {
            return Ok(None);
        }
        let file = files.read(path).map_err(|error| error.to_string())?;
        let Some(file) = file else { return Ok(None) };
        if self.templates.len() >= TEMPLATES_MAX {
            return Err(format!("more than {TEMPLATES_MAX} files are included"));
        }
        let text = std::str::from_utf8(&file.content)
            .map_err(|_| format!("`{path}` is not UTF-8 text, so it cannot be a template"))?;
        self.add(path, text);
        Ok(self.names.get(&fixed_name(path)).cloned())
    }

    fn mentioned(&self, name: &str, template: &Template) -> Vec<String> {
        let text = &template.text;
        let mut names = Vec::new();
        for piece in pieces(text) {
            let PieceKind::Statement { keyword, rest, .. } = piece.kind else { continue };
            if !matches!(&text[keyword], "include" | "import" | "from" | "extends") {
                continue;
            }
            for token in tokens(text, rest) {
                if token.kind == TokenKind::Str
                    && let Some(plain) = plain_string(&text[token.span])
                {
                    names.push(self.name(plain, name));
                }
            }
        }
        names
    }
}

/// What stands between the quotes of a string without escapes; `None` for one that is never closed.
fn plain_string(string: &str) -> Option<&str> {
    let quote = string.chars().next()?;
    string[quote.len_utf8()..].strip_suffix(quote).filter(|inner| !inner.contains('\\'))
}

fn climbs(path: &str) -> bool {
    path == ".." || path.starts_with("../")
}
