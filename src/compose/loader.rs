//! From files to one merged document: the part of loading that goes through files.
//!
//! Each document of each file takes the same road: variables, includes, extended services, merging
//! over what came before, the check against the schema, the long form. Projects and included
//! projects are [`Scope`]s; both are loaded by [`Loader::load_set`].

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::diag::{Diagnostic, Source, Span};
use crate::files::FileError;
use crate::shape;
use crate::yaml::{self, Map, Node, Value};

use super::attribute::Place;
use super::budget::{self, Budget};
use super::canonical::{self, Canonicalizer};
use super::extends::{self, BaseFile};
use super::load::Request;
use super::merge::merge;
use super::paths::{Base, PathStyle};
use super::reset::Resets;
use super::substitute::Substitution;
use super::{defaults, include, plain, schema, unique};

/// How deep files may include, and services extend, each other.
pub(super) const DEPTH_MAX: usize = 50;
/// How many files one project may read.
const READS_MAX: usize = 1_000;
/// How many problems are enough to stop looking for more.
const PROBLEMS_MAX: usize = 1_000;

/// What a step that can fail gives. What is wrong is in [`Loader::problems`].
pub(super) type Step<T = ()> = Result<T, Stop>;

/// There is no use in going on.
#[derive(Debug)]
pub(super) struct Stop;

/// Loads the files of one project.
pub(super) struct Loader<'a> {
    pub(super) request: &'a Request<'a>,
    pub(super) problems: Vec<Diagnostic>,
    pub(super) warnings: Vec<Diagnostic>,
    /// Files of extended services, by directory, variables and path.
    ///
    /// `None` for one that cannot be read, which is said once.
    pub(super) base_files: BTreeMap<(String, usize, String), Option<Rc<BaseFile>>>,
    /// Texts of `env_file` and `label_file` with their place, by path.
    pub(super) texts: BTreeMap<String, (Arc<str>, Span)>,
    pub(super) budget: Budget,
    /// Documents that were read and are still to be loaded.
    kept: BTreeMap<String, Vec<Node>>,
    reported: BTreeSet<String>,
    reads: usize,
}

/// Files that are loaded together: a project, or an entry of `include`.
#[derive(Debug)]
pub(super) struct Scope {
    /// The directory that files are looked for in.
    pub(super) dir: String,
    /// The directory as relative paths of the model are joined to it: seen from the project that
    /// includes this one, if any.
    pub(super) shown_dir: String,
    pub(super) variables: Rc<BTreeMap<String, String>>,
    /// The files that led here, the outermost first.
    pub(super) chain: Vec<String>,
    /// Whether it is the project itself.
    pub(super) is_project: bool,
}

impl<'a> Loader<'a> {
    pub(super) fn new(request: &'a Request<'a>) -> Self {
        Self {
            request,
            problems: Vec::new(),
            warnings: Vec::new(),
            base_files: BTreeMap::new(),
            texts: BTreeMap::new(),
            budget: Budget::default(),
            kept: BTreeMap::new(),
            reported: BTreeSet::new(),
            reads: 0,
        }
    }

    /// Gives up because of `problem`.
    pub(super) fn stop<T>(&mut self, problem: Diagnostic) -> Step<T> {
        self.problems.push(problem);
        Err(Stop)
    }

    /// Goes on only when nothing is wrong so far.
    pub(super) fn checked(&self) -> Step {
        if self.problems.is_empty() { Ok(()) } else { Err(Stop) }
    }

    /// Takes out of the findings after `earlier` those that only follow from earlier ones.
    ///
    /// A stage that goes on after a mistake meets the mistake again: what overlaps it in the text
    /// is taken for its consequence.
    pub(super) fn settle(&mut self, earlier: usize) -> Step {
        if self.problems.len() > PROBLEMS_MAX || self.budget.is_spent() {
            return Err(Stop);
        }
        let later = self.problems.split_off(earlier);
        let known: Vec<Span> = self
            .problems
            .iter()
            .filter_map(|problem| Some(problem.primary.as_ref()?.span))
            .collect();
        let is_new = |problem: &Diagnostic| {
            problem.primary.as_ref().is_none_or(|label| {
                let span = label.span;
                !known.iter().any(|known| {
                    known.source == span.source
                        && known.start <= span.end
                        && span.start <= known.end
                })
            })
        };
        self.problems.extend(later.into_iter().filter(is_new));
        Ok(())
    }

    /// Takes `values` for what stands at `span` from the budget.
    pub(super) fn charge(&mut self, values: usize, span: Span) -> Step {
        match self.budget.charge(values, span) {
            Ok(()) => Ok(()),
            Err(problem) => {
                self.problems.extend(problem);
                Err(Stop)
            }
        }
    }

    /// Takes the variables of a file, asked for at `span`, from the budget.
    pub(super) fn charge_texts(&mut self, texts: &[(String, Span, String)], span: Span) -> Step {
        let sizes = texts.iter().map(|(name, _, value)| budget::text(name) + budget::text(value));
        self.charge(sizes.sum(), span)
    }

    /// Whether `path` is a file.
    pub(super) fn is_file(&mut self, path: &str, span: Span) -> Step<bool> {
        self.request.files.is_file(path).or_else(|error| self.unreadable(&error, Some(span)))
    }

    /// Gives up because a file cannot be read; what is wrong in a template is shown there.
    fn unreadable<T>(&mut self, error: &FileError, span: Option<Span>) -> Step<T> {
        let findings = error.findings("compose/read", self.request.sources);
        self.problems.extend(findings.into_iter().map(|finding| match span {
            Some(span) if finding.primary.is_none() => finding.at(span),
            _ => finding,
        }));
        Err(Stop)
    }

    /// Whether `path` is a directory; one that cannot be listed is none.
    pub(super) fn is_directory(&self, path: &str) -> bool {
        matches!(self.request.files.list(path), Ok(Some(_)))
    }

    /// Loads and merges `paths`, each with the place that names it.
    pub(super) fn load_set(
        &mut self,
        scope: &Scope,
        paths: &[(String, Option<Span>)],
    ) -> Step<Node> {
        let mut merged: Option<Node> = None;
        let mut is_stopped = false;
        for (path, span) in paths {
            let documents = self.read(path, *span).unwrap_or_else(|Stop| {
                is_stopped = true;
                Vec::new()
            });
            for document in documents {
                merged = self.document(scope, path, document, merged.take()).ok();
                is_stopped |= merged.is_none();
                if self.budget.is_spent() {
                    return Err(Stop);
                }
            }
        }
        if is_stopped {
            return Err(Stop);
        }
        let Some(mut merged) = merged else {
            let names: Vec<&str> = paths.iter().map(|(path, _)| path.as_str()).collect();
            let message = format!("`{}` is empty", names.join("`, `"));
            return self.stop(Diagnostic::error("compose/empty", message));
        };
        let root = Place::root();
        let earlier = self.problems.len();
        defaults::fill(&mut merged, &root);
        defaults::check(&merged, &mut self.problems);
        // Paths of an included project are always resolved, for nobody could do it later.
        if self.request.options.resolve_paths || !scope.is_project {
            let is_in_repository = scope.is_project && !scope.shown_dir.starts_with('/');
            let style = if is_in_repository { PathStyle::Repository } else { PathStyle::Joined };
            let base = Base { dir: &scope.shown_dir, style, home: self.request.home };
            base.resolve(&mut merged, &root, &mut self.problems);
        }
        self.settle(earlier)?;
        look_up_environment(&mut merged, &scope.variables);
        Ok(merged)
    }

    /// Reads the documents of a file.
    pub(super) fn read(&mut self, path: &str, span: Option<Span>) -> Step<Vec<Node>> {
        if let Some(documents) = self.kept.remove(path) {
            return Ok(documents);
        }
        let (text, id) = self.read_text(path, span)?;
        let parsed = yaml::read(&text, id);
        let earlier = self.problems.len();
        self.problems.extend(parsed.problems);
        self.settle(earlier)?;
        let documents = parsed.documents.ok_or(Stop)?;
        for document in &documents {
            self.charge(budget::size(document), span.unwrap_or(document.span))?;
        }
        Ok(documents)
    }

    /// Puts documents aside for the next [`Self::read`] of their file.
    pub(super) fn keep(&mut self, path: &str, documents: Vec<Node>) {
        self.kept.insert(path.to_owned(), documents);
    }

    fn read_text(
        &mut self,
        path: &str,
        span: Option<Span>,
    ) -> Step<(String, crate::diag::SourceId)> {
        let place = |problem: Diagnostic| match span {
            Some(span) => problem.at(span),
            None => problem,
        };
        self.reads += 1;
        if self.reads > READS_MAX {
            let message = format!("the project reads more than {READS_MAX} files");
            return self.stop(place(Diagnostic::error("compose/too-many-files", message)));
        }
        match self.request.files.read(path) {
            Ok(Some(file)) => {
                let text = match yaml::text_of(&file.content, &file.name) {
                    Ok(text) => text,
                    Err(problem) => return self.stop(problem),
                };
                let source =
                    Source { name: file.name, text: text.as_str().into(), origin: file.origin };
                Ok((text, self.request.sources.add(source)))
            }
            Ok(None) => {
                let message = format!("there is no file `{path}`");
                self.stop(place(Diagnostic::error("compose/no-file", message)))
            }
            Err(error) => self.unreadable(&error, span),
        }
    }

    /// Takes one document to the long form, merged over `earlier`.
    fn document(
        &mut self,
        scope: &Scope,
        path: &str,
        mut document: Node,
        earlier: Option<Node>,
    ) -> Step<Node> {
        let resets = self.prepare(scope, &mut document)?;
        let inner = Scope {
            dir: scope.dir.clone(),
            shown_dir: scope.shown_dir.clone(),
            variables: Rc::clone(&scope.variables),
            chain: scope.chain.iter().cloned().chain([path.to_owned()]).collect(),
            is_project: scope.is_project,
        };
        include::apply(self, &inner, &mut document, &resets)?;
        extends::apply(self, scope, path, &mut document, &resets)?;
        let root = Place::root();
        let mut merged = match earlier {
            None => document,
            Some(mut earlier) => {
                resets.apply(&mut earlier);
                match merge(earlier, document, &root) {
                    Ok(merged) => merged,
                    Err(problem) => return self.stop(problem),
                }
            }
        };
        let before = self.problems.len();
        unique::enforce(&mut merged, &root, &mut self.problems);
        self.settle(before)?;
        let before = self.problems.len();
        self.problems.extend(shape::check(&merged, &schema::PROJECT, ""));
        self.settle(before)?;
        self.has_sections(&merged)?;
        self.drop_version(&mut merged);
        self.lengthen(&mut merged)?;
        Ok(merged)
    }

    /// The document of a file that services are extended from, and what it resets.
    pub(super) fn load_base(
        &mut self,
        scope: &Scope,
        path: &str,
        span: Span,
    ) -> Step<(Node, Resets)> {
        let mut merged: Option<Node> = None;
        let mut resets = Resets::default();
        for mut document in self.read(path, Some(span))? {
            resets = self.prepare(scope, &mut document)?;
            let root = Place::root();
            let mut whole = match merged {
                None => document,
                Some(mut earlier) => {
                    resets.apply(&mut earlier);
                    match merge(earlier, document, &root) {
                        Ok(whole) => whole,
                        Err(problem) => return self.stop(problem),
                    }
                }
            };
            let before = self.problems.len();
            unique::enforce(&mut whole, &root, &mut self.problems);
            self.settle(before)?;
            self.lengthen(&mut whole)?;
            merged = Some(whole);
        }
        let empty = || Node::new(span, Value::Map(Map::default()));
        Ok((merged.unwrap_or_else(empty), resets))
    }

    /// Takes the tags out of a document and puts values in for variables.
    fn prepare(&mut self, scope: &Scope, document: &mut Node) -> Step<Resets> {
        if document.as_map().is_none() {
            let message = format!("the file must be a mapping, not {}", document.kind());
            return self.stop(Diagnostic::error("compose/wrong-kind", message).at(document.span));
        }
        let resets = Resets::take(document);
        let earlier = self.problems.len();
        plain::read(document, "", self.request.sources, &mut self.problems);
        self.settle(earlier)?;
        let earlier = self.problems.len();
        if self.request.options.interpolate {
            let mut substitution = Substitution {
                sources: self.request.sources,
                variables: &scope.variables,
                problems: &mut self.problems,
                warnings: &mut self.warnings,
                reported: &mut self.reported,
                budget: &mut self.budget,
            };
            substitution.apply(document, &Place::root());
            self.settle(earlier)?;
        }
        Ok(resets)
    }

    /// Stops when a section is no mapping: whatever refers to its resources would be wrong too.
    fn has_sections(&self, document: &Node) -> Step {
        let is_wrong = |section: &str| {
            document.get(section).is_some_and(|node| !node.is_null() && node.as_map().is_none())
        };
        if include::SECTIONS.iter().any(|section| is_wrong(section)) { Err(Stop) } else { Ok(()) }
    }

    fn lengthen(&mut self, document: &mut Node) -> Step {
        let root = Place::root();
        let earlier = self.problems.len();
        let mut canonicalizer = Canonicalizer {
            sources: self.request.sources,
            is_raw: !self.request.options.interpolate,
            problems: &mut self.problems,
            warnings: &mut self.warnings,
            budget: &mut self.budget,
        };
        canonicalizer.apply(document, &root);
        canonical::drop_empty_dns(document);
        // The long form can reveal duplicates: a range of ports that covers a single one.
        unique::enforce(document, &root, &mut self.problems);
        self.settle(earlier)
    }

    fn drop_version(&mut self, document: &mut Node) {
        let Some(map) = document.as_map_mut() else { return };
        if let Some(item) = map.0.shift_remove("version") {
            self.warnings.push(
                Diagnostic::warning("compose/version", "`version` has no meaning any more")
                    .at(item.key)
                    .help("remove the line"),
            );
        }
    }
}

/// Gives the variables that services, secrets and configs name the values of this scope, which
/// may have variables that its includer lacks.
fn look_up_environment(document: &mut Node, variables: &BTreeMap<String, String>) {
    let Some(root) = document.as_map_mut() else { return };
    if let Some(Node { value: Value::Map(services), .. }) = root.get_mut("services") {
        for item in services.0.values_mut() {
            let environment =
                item.node.as_map_mut().and_then(|service| service.get_mut("environment"));
            if let Some(Node { value: Value::Seq(items), .. }) = environment {
                for item in items {
                    if let Value::Str(text) = &mut item.value
                        && let Some(value) = variables.get(text.as_str())
                    {
                        *text = format!("{text}={value}");
                    }
                }
            }
        }
    }
    if let Some(Node { value: Value::Map(configs), .. }) = root.get_mut("configs") {
        for item in configs.0.values_mut() {
            let Value::Map(config) = &mut item.node.value else { continue };
            let Some(environment) = config.get("environment") else { continue };
            let (span, name) = (environment.span, environment.as_str().unwrap_or_default());
            if let Some(value) = variables.get(name) {
                let content = Node::str(span, value.clone());
                config.insert("content", span, content);
            }
        }
    }
}
