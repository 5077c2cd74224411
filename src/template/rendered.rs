//! A tree of files as it is after rendering.
//!
//! Everything is read through the tree beneath, also what is looked for in vain, so that a
//! [`crate::files::Tracked`] beneath knows all that a rendering depends on.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use minijinja::Value;

use super::context::Context;
use super::engine::{Engine, Job, Outcome};
use super::failure;
use super::library::Library;
use super::limits::TEMPLATES_MAX;
use super::provenance::Provenance;
use crate::diag::Origin;
use crate::files::{Entry, File, FileError, Files, Fingerprint, parent};

/// The end of a template's name.
const SUFFIX: &str = ".j2";

/// Shows `inner` with its templates rendered. See the module's documentation for the rules.
pub struct Rendered<'a> {
    inner: &'a dyn Files,
    engine: Engine,
    root: Value,
    asked_for_commit: Arc<AtomicBool>,
    /// What was rendered, by the template's path. Files taken verbatim are not kept here.
    cache: RefCell<BTreeMap<String, Result<Option<File>, FileError>>>,
}

impl<'a> Rendered<'a> {
    /// The rendered view of `inner`, for one stack.
    pub fn new(inner: &'a dyn Files, engine: &Engine, context: &Context) -> Self {
        let asked_for_commit = Arc::<AtomicBool>::default();
        let root = context.root(&asked_for_commit);
        let (engine, cache) = (engine.clone(), RefCell::default());
        Self { inner, engine, root, asked_for_commit, cache }
    }

    /// The same with a ready root of all lookups.
    pub(super) fn with_root(inner: &'a dyn Files, engine: &Engine, root: Value) -> Self {
        let (engine, cache) = (engine.clone(), RefCell::default());
        Self { inner, engine, root, asked_for_commit: Arc::default(), cache }
    }

    /// Whether any template looked at `commit`, so that the next commit may come out differently
    /// even where no file does.
    pub fn asked_for_commit(&self) -> bool {
        self.asked_for_commit.load(Ordering::Relaxed)
    }

    fn template(&self, path: &str) -> Result<Option<File>, FileError> {
        if let Some(known) = self.cache.borrow().get(path) {
            return known.clone();
        }
        let result = self.render(path);
        self.cache.borrow_mut().insert(path.to_owned(), result.clone());
        result
    }

    fn render(&self, path: &str) -> Result<Option<File>, FileError> {
        let Some(file) = self.inner.read(path)? else { return Ok(None) };
        let failed =
            |report| FileError::Template { path: path.to_owned(), report: Arc::new(report) };
        let text = std::str::from_utf8(&file.content)
            .map_err(|error| failed(failure::not_utf8(path, error.valid_up_to())))?;
        let mut library = Library::new(parent(path));
        library.add(path, text);
        library.look_ahead(path, self.inner);
        // Every round adds a name, and no template can ask for very many.
        for _ in 0..=4 * TEMPLATES_MAX {
            let job = Job {
                engine: self.engine.clone(),
                library: Arc::new(library),
                root: self.root.clone(),
                path: path.into(),
            };
            if let Some(report) = failure::refused_before(&job) {
                return Err(failed(report));
            }
            match job.render() {
                Outcome::Text(bytes) => return Ok(Some(finished(job, &file, bytes))),
                Outcome::Failed(error) => return Err(failed(failure::report(&job, &error))),
                Outcome::Wants(name) => {
                    library = Library::clone(&job.library);
                    library.look_up(&name, self.inner);
                }
            }
        }
        Err(failed(failure::too_many_names(path, text)))
    }
}

fn finished(job: Job, file: &File, bytes: Vec<u8>) -> File {
    let content: Arc<[u8]> = bytes.into();
    let origin: Arc<dyn Origin> = Arc::new(Provenance::new(job, Arc::clone(&content)));
    File {
        name: Arc::clone(&file.name),
        content,
        is_executable: file.is_executable,
        origin: Some(origin),
    }
}

impl Files for Rendered<'_> {
    fn read(&self, path: &str) -> Result<Option<File>, FileError> {
        if path.ends_with(SUFFIX) {
            return self.template(path);
        }
        let template = format!("{path}{SUFFIX}");
        match (self.inner.is_file(path)?, self.inner.is_file(&template)?) {
            (true, true) => Err(FileError::Ambiguous { path: path.to_owned() }),
            (false, true) => self.template(&template),
            (_, false) => self.inner.read(path),
        }
    }

    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, FileError> {
        self.inner.list(path)
    }

    fn fingerprint(&self, path: &str) -> Result<Option<Fingerprint>, FileError> {
        self.inner.fingerprint(path)
    }

    fn is_file(&self, path: &str) -> Result<bool, FileError> {
        Ok(self.inner.is_file(path)?
            || (!path.ends_with(SUFFIX) && self.inner.is_file(&format!("{path}{SUFFIX}"))?))
    }
}
