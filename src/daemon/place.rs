//! One source's repository: fetched, read, rendered. Everything here is blocking.
//!
//! What a commit wants is kept until the next one comes; of a commit that touches one stack of a
//! thousand, one stack is rendered.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest as _, Sha256};

use super::Aside;
use super::claims::Claims;
use crate::diag::{Diagnostic, Sources, words};
use crate::files::{Files, Report};
use crate::git::{Access, Commit, FetchProgress, Freshness, Keys, Mirror, RemoteUrl, Repository};
use crate::model::{CommitId, HostName, Millis, Owner, StackName, StackTarget};
use crate::pipeline::{Cache, Choice, Contents, Outcome, Snapshot, Tree, Wish};
use crate::ports::Ports;
use crate::settings::{Inventory, Unreachable};
use crate::sync::{GitOp, News, Signers, Source, Target};

use super::absences::Absences;
use super::wishes::Wishes;

/// Opens the way to the hosts of an inventory.
pub type Connect = dyn Fn(&Inventory, &dyn Files) -> Result<Ports, String> + Send + Sync;

/// How repositories are read.
#[derive(Clone)]
pub struct Reading {
    /// How remote ones are reached.
    pub access: Access,
    /// Where mirrors are kept; without it, only folders can be read.
    pub mirrors: Option<PathBuf>,
    /// What relative folders are seen from.
    pub folder: PathBuf,
    /// The process environment, of which only the names under `pass_env` are used.
    pub variables: BTreeMap<String, String>,
    /// Opens the way to the hosts.
    pub connect: Arc<Connect>,
    /// Where they are read, and what was seen is compared.
    pub aside: Aside,
}

/// The newest commit of a source, as its place tells it.
pub(super) type Read = Result<(News, Arc<Standing>), Unread>;

/// What a repository was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) op: GitOp,
    pub(super) is_done: bool,
    /// In milliseconds.
    pub(super) took: Millis,
}

/// Why a source's newest commit is not known.
pub(super) struct Unread {
    /// In one sentence.
    pub(super) message: String,
    /// Whether it is because nobody who may has signed it.
    pub(super) is_unsigned: bool,
}

impl From<String> for Unread {
    fn from(message: String) -> Self {
        Self { message, is_unsigned: false }
    }
}

/// What the newest commit wants, and the way to its hosts.
pub(super) struct Standing {
    pub(super) owner: Owner,
    pub(super) inventory: Arc<Inventory>,
    pub(super) ports: Ports,
    /// Hosts of it that do not answer.
    pub(super) absences: Arc<Absences>,
    /// What it wants of all stacks without errors; without what containers get.
    pub(super) wish: Arc<Wish>,
    /// Stacks with errors, and the first of them.
    pub(super) faults: BTreeMap<StackName, String>,
    pub(super) heading: crate::ui::plan::Heading,
    news: News,
}

impl Standing {
    /// Whether a host that does not answer is left out.
    pub(super) fn skips_unreachable(&self) -> bool {
        self.inventory.unreachable == Unreachable::Skip
    }
}

/// A repository as the daemon reads it. Clones share what they know.
#[derive(Clone)]
pub(super) struct Place {
    rules: Arc<Source>,
    reading: Arc<Reading>,
    known: Arc<Mutex<Known>>,
    wishes: Arc<Mutex<Wishes>>,
    claims: Claims,
}

/// The commit that is wanted.
struct Head {
    commit: Commit,
    branch: String,
    /// Where it had to be read to find that out.
    snapshot: Option<Snapshot>,
}

#[derive(Default)]
struct Known {
    standing: Option<Arc<Standing>>,
    /// The branch that the settings of a commit name.
    branch: Option<(CommitId, Option<String>)>,
    cache: Cache,
    versions: BTreeMap<StackName, Version>,
    ground: u64,
    /// Names the inventory, whoever counts.
    ground_mark: String,
}

/// What a stack was last found to be, and how often it has become something else.
struct Version {
    number: u64,
    target: Option<Arc<StackTarget>>,
    fault: Option<String>,
    /// Names what it wants, whoever counts.
    mark: String,
}

impl Place {
    pub(super) fn new(rules: Source, reading: Arc<Reading>) -> Self {
        let (known, wishes) = (Arc::default(), Arc::default());
        Self { rules: Arc::new(rules), reading, known, wishes, claims: Claims::default() }
    }

    /// The same place with other rules; what is known of it stays.
    pub(super) fn with_rules(&self, rules: Source) -> Self {
        Self { rules: Arc::new(rules), ..self.clone() }
    }

    /// What its rounds have chosen.
    pub(super) fn claims(&self) -> &Claims {
        &self.claims
    }

    pub(super) fn aside(&self) -> Aside {
        self.reading.aside
    }

    /// Asks for the newest commit and reads it.
    ///
    /// What was asked for, and how long that took, comes beside it: it may be answered and not read.
    pub(super) fn newest(&self, cancel: &AtomicBool) -> (Read, Question) {
        let began = tokio::time::Instant::now();
        let mut op = GitOp::Open;
        let fetched = self.fetch(cancel, &mut op);
        let took = Millis::try_from(began.elapsed().as_millis()).unwrap_or(Millis::MAX);
        let question = Question { op, is_done: fetched.is_ok(), took };
        (fetched.map_err(Unread::from).and_then(|(it, name)| self.newest_of(it, &name)), question)
    }

    fn newest_of(&self, repository: Repository, name: &str) -> Read {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let head = self.head(&repository, name, &mut known)?;
        if let Some(standing) = known.standing.as_ref().filter(|it| it.news.head == head.commit.id)
        {
            return Ok((standing.news.clone(), Arc::clone(standing)));
        }
        self.check_signature(&repository, &head.commit)?;
        if let Some(standing) = &known.standing {
            self.check_order(&repository, &standing.news.head, &head.commit)?;
        }
        let (standing, snapshot) = self.read(repository, head, name, &mut known)?;
        let standing = Arc::new(standing);
        self.wishes().advance(snapshot, Arc::clone(&standing.wish));
        known.standing = Some(Arc::clone(&standing));
        Ok((standing.news.clone(), standing))
    }

    fn wishes(&self) -> MutexGuard<'_, Wishes> {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A commit that is not known to be of one who may is not even read.
    fn check_signature(&self, repository: &Repository, commit: &Commit) -> Result<(), Unread> {
        let keys = match &self.rules.signed_by {
            None => return Ok(()),
            Some(Signers::Ssh(file)) => Keys::Ssh(file.clone()),
            Some(Signers::Gpg(file)) => Keys::Gpg(file.clone()),
        };
        repository.verify(commit, &keys).map_err(|why| Unread {
            message: format!("{} is not deployed: {why}", commit.id.short()),
            is_unsigned: true,
        })
    }

    /// Where signatures are asked for, a branch that was moved back is not followed: whoever may push
    /// and not sign could choose an older commit that somebody else has signed.
    fn check_order(
        &self,
        repository: &Repository,
        before: &CommitId,
        commit: &Commit,
    ) -> Result<(), Unread> {
        if self.rules.signed_by.is_none() || !repository.is_ancestor(&commit.id, before) {
            return Ok(());
        }
        let (old, new) = (commit.id.short(), before.short());
        Err(Unread {
            message: format!(
                "{old} is not deployed: it is older than {new}, which was; to go back, sign a new \
                 commit that does (git revert)"
            ),
            is_unsigned: true,
        })
    }

    /// What a commit wants of one stack, with all that its containers get. A stack that it does not
    /// have is wanted to be gone.
    pub(super) fn wish(&self, commit: &CommitId, stack: &StackName) -> Result<Wish, String> {
        if let Some(wish) = self.wishes().of_newest(commit, stack) {
            return Ok(wish);
        }
        let mut snapshot = self.open_at(commit)?;
        snapshot.folders.retain(|folder| folder.name.as_str() == stack.as_str());
        if snapshot.folders.is_empty() {
            let mut wish = Wish::nothing(&snapshot.owner());
            wish.commit = Some(commit.clone());
            wish.templates = snapshot.proxy_templates()?;
            return Ok(wish);
        }
        let outcome = snapshot.resolve(&mut Cache::default());
        match outcome.has_errors() {
            true => Err("has errors".to_owned()),
            false => Wish::new(&snapshot, outcome.desired),
        }
    }

    /// What an earlier commit wants of these stacks, as far as they have no errors.
    pub(super) fn earlier(
        &self,
        commit: &CommitId,
        stacks: &BTreeSet<StackName>,
    ) -> Result<Arc<Wish>, String> {
        if let Some(wish) = self.wishes().known(commit, stacks) {
            return Ok(wish);
        }
        let mut snapshot = self.open_at(commit)?;
        snapshot
            .folders
            .retain(|folder| stacks.iter().any(|it| it.as_str() == folder.name.as_str()));
        let outcome = snapshot.resolve(&mut Cache::default());
        let (mut wish, _) = wish_of(&snapshot, &outcome, None)?;
        wish.contents = Contents::default();
        let wish = Arc::new(wish);
        self.wishes().keep(commit.clone(), Some(stacks.clone()), Arc::clone(&wish));
        Ok(wish)
    }

    fn open_at(&self, commit: &CommitId) -> Result<Snapshot, String> {
        let (repository, name) = self.stored()?;
        let commit = repository.resolve(commit.as_str()).map_err(|error| words(&error))?;
        let tree = Tree::of_commit(repository, commit, &name);
        Snapshot::open(tree, self.choice()).map_err(|report| first(&report))
    }

    fn choice(&self) -> Choice {
        let environment = self.rules.environment.as_ref().map(ToString::to_string);
        let variables = self.reading.variables.clone();
        Choice { environment, variables, ..Choice::default() }
    }

    /// A folder is read where it is; anything else through a mirror.
    fn local(&self) -> Option<PathBuf> {
        let path = &self.rules.repository;
        let is_path = path.starts_with(['/', '.']) || path.is_empty();
        is_path.then(|| self.reading.folder.join(path))
    }

    fn url(&self) -> Result<(RemoteUrl, PathBuf), String> {
        let url = RemoteUrl::parse(&self.rules.repository, &self.reading.folder);
        let url = url.map_err(|error| words(&error))?;
        let mirrors = self.reading.mirrors.as_ref();
        let mirrors = mirrors.ok_or("no folder for mirrors: set HOME or XDG_CACHE_HOME")?;
        let folder = mirrors.join(url.folder_name());
        Ok((url, folder))
    }

    /// `op` is told what that is, as soon as it is known.
    fn fetch(&self, cancel: &AtomicBool, op: &mut GitOp) -> Result<(Repository, String), String> {
        if let Some(folder) = self.local() {
            return open(&folder);
        }
        *op = GitOp::List;
        let (url, folder) = self.url()?;
        let access = &self.reading.access;
        let mirror = Mirror::update(&url, &folder, access, cancel, &mut |progress| {
            let has_come = matches!(
                progress,
                FetchProgress::Receiving { .. } | FetchProgress::Resolving { .. }
            );
            if has_come {
                *op = GitOp::Fetch;
            }
        });
        if mirror.as_ref().is_ok_and(|it| it.freshness() != Freshness::Unchanged) {
            *op = GitOp::Fetch;
        }
        let mirror = mirror.map_err(|error| {
            format!("could not fetch {url}: {}", advised(&error, &error.hint()))
        })?;
        let repository = mirror.repository().map_err(|error| words(&error))?;
        Ok((repository, url.name().to_owned()))
    }

    /// The repository as it was last fetched.
    fn stored(&self) -> Result<(Repository, String), String> {
        if let Some(folder) = self.local() {
            return open(&folder);
        }
        let (url, folder) = self.url()?;
        let repository = Mirror::stored(&folder).map_err(|error| words(&error))?;
        Ok((repository, url.name().to_owned()))
    }

    /// The branch of the rules, else of the environment, else the one the repository starts on. What
    /// names the branch must be signed as well as what is on it.
    fn head(&self, repository: &Repository, name: &str, known: &mut Known) -> Result<Head, Unread> {
        let resolve = |revision: &str| repository.resolve(revision).map_err(|error| words(&error));
        if let Some(branch) = &self.rules.branch {
            return Ok(Head { commit: resolve(branch)?, branch: branch.clone(), snapshot: None });
        }
        let commit = resolve("HEAD")?;
        let mut snapshot = None;
        let branch = match &known.branch {
            Some((at, branch)) if *at == commit.id => branch.clone(),
            _ => {
                self.check_signature(repository, &commit)?;
                let handle = repository.reopen().map_err(|error| words(&error))?;
                let read = self.snapshot(handle, &commit, name)?;
                let branch = read.environment.branch.as_ref().map(|branch| branch.value.clone());
                known.branch = Some((commit.id.clone(), branch.clone()));
                snapshot = Some(read);
                branch
            }
        };
        Ok(match branch {
            Some(branch) => Head { commit: resolve(&branch)?, branch, snapshot: None },
            None => Head { commit, branch: "HEAD".to_owned(), snapshot },
        })
    }

    fn snapshot(
        &self,
        repository: Repository,
        commit: &Commit,
        name: &str,
    ) -> Result<Snapshot, String> {
        let tree = Tree::of_commit(repository, commit.clone(), name);
        Snapshot::open(tree, self.choice()).map_err(|report| first(&report))
    }

    fn read(
        &self,
        repository: Repository,
        head: Head,
        name: &str,
        known: &mut Known,
    ) -> Result<(Standing, Snapshot), String> {
        let Head { commit, branch, snapshot } = head;
        let snapshot = match snapshot {
            Some(snapshot) => snapshot,
            None => self
                .snapshot(repository, &commit, name)
                .map_err(|why| format!("{}: {why}", commit.id.short()))?,
        };
        let outcome = snapshot.resolve(&mut known.cache);
        let before = known.standing.as_ref();
        let (mut wish, faults) = wish_of(&snapshot, &outcome, before.map(|it| &*it.wish))?;
        // They are read again, stack by stack, when a round needs them.
        wish.contents = Contents::default();
        let same = before.filter(|it| *it.inventory == snapshot.inventory);
        let same =
            same.map(|it| (Arc::clone(&it.inventory), it.ports.clone(), Arc::clone(&it.absences)));
        let is_ground_same = same.is_some();
        let (inventory, ports, absences) = match same {
            Some(same) => same,
            None => {
                let files = snapshot.tree().files().map_err(|error| words(&error))?;
                let ports = (self.reading.connect)(&snapshot.inventory, files)?;
                (Arc::new(snapshot.inventory.clone()), ports, Arc::default())
            }
        };
        if !is_ground_same {
            known.ground += 1;
            known.ground_mark = mark(format!("{inventory:?}").as_bytes());
        }
        let hosts = inventory.hosts.keys().cloned().map(HostName::from).collect();
        let limit = snapshot.settings.protect.max_deletes.as_ref().map(|limit| limit.value);
        let news = News {
            head: commit.id.clone(),
            summary: commit.summary.clone(),
            branch,
            environment: snapshot.environment.name.to_string(),
            stacks: targets(known, &outcome, &faults),
            hosts,
            ground: known.ground,
            max_deletes: limit.and_then(|limit| usize::try_from(limit).ok()),
        };
        let heading = crate::ui::plan::Heading {
            project: snapshot.project.to_string(),
            environment: snapshot.environment.name.to_string(),
            commit: commit.id.short().to_owned(),
            subject: commit.summary,
        };
        let (owner, wish) = (snapshot.owner(), Arc::new(wish));
        Ok((Standing { owner, inventory, ports, absences, wish, faults, heading, news }, snapshot))
    }
}

fn open(folder: &Path) -> Result<(Repository, String), String> {
    let repository = Repository::open(folder).map_err(|error| advised(&error, &error.hint()))?;
    let name = repository.name();
    Ok((repository, name))
}

/// What went wrong, and one thing to do next.
fn advised(error: &dyn std::error::Error, hint: &str) -> String {
    format!("{}; {hint}", words(error))
}

/// What all stacks want that have no errors, and the errors of the others. What is as it was
/// `before` is not read again.
fn wish_of(
    snapshot: &Snapshot,
    outcome: &Outcome,
    before: Option<&Wish>,
) -> Result<(Wish, BTreeMap<StackName, String>), String> {
    let mut faults = faults(outcome);
    let mut desired = outcome.desired.clone();
    desired.stacks.retain(|name, _| !faults.contains_key(name));
    let wish = |desired| match before {
        Some(before) => Wish::after(before, snapshot, desired),
        None => Wish::new(snapshot, desired),
    };
    if let Ok(wish) = wish(desired.clone()) {
        return Ok((wish, faults));
    }
    // A file of one stack cannot be read: the others go on without it.
    for (name, target) in std::mem::take(&mut desired.stacks) {
        desired.stacks.insert(name.clone(), target);
        if let Err(why) = wish(desired.clone()) {
            desired.stacks.remove(&name);
            faults.insert(name, why);
        }
    }
    Ok((wish(desired)?, faults))
}

/// The first error of each stack that has one.
fn faults(outcome: &Outcome) -> BTreeMap<StackName, String> {
    let broken = outcome.stacks.iter().filter(|stack| stack.target.is_none());
    let mut faults: BTreeMap<StackName, String> =
        broken.map(|stack| (stack.name.clone(), first(&stack.report))).collect();
    if outcome.conflicts.has_errors() {
        let why = first(&outcome.conflicts.report);
        let clashing: BTreeSet<&StackName> = outcome.conflicts.stacks.iter().collect();
        for name in clashing {
            faults.entry(name.clone()).or_insert_with(|| why.clone());
        }
    }
    faults
}

fn targets(
    known: &mut Known,
    outcome: &Outcome,
    faults: &BTreeMap<StackName, String>,
) -> BTreeMap<StackName, Target> {
    let mut targets = BTreeMap::new();
    for stack in &outcome.stacks {
        let fault = faults.get(&stack.name).cloned();
        let version = known.versions.entry(stack.name.clone()).or_insert(Version {
            number: 0,
            target: None,
            fault: None,
            mark: String::new(),
        });
        let is_same = version.number > 0 && is_same(version.target.as_ref(), stack.target.as_ref());
        if !is_same || version.fault != fault {
            version.number += 1;
            version.target.clone_from(&stack.target);
            version.fault.clone_from(&fault);
            let text =
                stack.target.as_ref().map(|it| serde_json::to_vec(&**it).unwrap_or_default());
            version.mark = mark(&text.unwrap_or_default());
        }
        let mark = format!("{}{}", known.ground_mark, version.mark);
        targets.insert(stack.name.clone(), Target { version: version.number, fault, mark });
    }
    // A stack that comes back later begins with a number it has not had.
    for version in known.versions.iter_mut().filter(|(name, _)| !targets.contains_key(*name)) {
        version.1.target = None;
    }
    targets
}

/// A name for something, equal for what is equal in every process.
fn mark(text: &[u8]) -> String {
    Sha256::digest(text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Equal; most are the same one, which is quick to see.
fn is_same(one: Option<&Arc<StackTarget>>, other: Option<&Arc<StackTarget>>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other) || one == other,
        (one, other) => one.is_none() && other.is_none(),
    }
}

/// The first error of a report in one line, with its place.
fn first(report: &Report) -> String {
    let problem = report.diagnostics.iter().find(|problem| problem.is_error());
    problem.map_or_else(|| "has errors".to_owned(), |problem| line(problem, &report.sources))
}

fn line(problem: &Diagnostic, sources: &Sources) -> String {
    match &problem.primary {
        Some(label) => format!("{}: {}", sources.locate(label.span), problem.message),
        None => problem.message.clone(),
    }
}

#[cfg(test)]
mod tests;
